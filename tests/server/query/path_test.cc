#include "query/path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "detente/v1/release.pb.h"

namespace detente::query {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Path> Parse(absl::string_view text) {
  return ParsePath(text, v1::Release::descriptor());
}

std::string Refusal(absl::string_view text) {
  auto path = Parse(text);
  EXPECT_EQ(path.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(path.status().message());
}

TEST(PathTest, Steps) {
  auto path = Parse("participants[\"bialiatski\"].outcomes[\"1\"].kind");
  ASSERT_TRUE(path.ok()) << path.status();
  ASSERT_EQ(path->size(), 3U);
  EXPECT_EQ((*path)[0].field->name(), "participants");
  EXPECT_EQ((*path)[0].select, Step::Select::kElement);
  EXPECT_EQ((*path)[0].key, "bialiatski");
  EXPECT_EQ((*path)[1].key, "1");
  EXPECT_EQ((*path)[2].select, Step::Select::kWhole);
  EXPECT_EQ((*path)[2].field->full_name(), "detente.v1.Release.Participant.Outcome.kind");
  EXPECT_EQ((*Parse("participants[*].person"))[0].select, Step::Select::kEvery);
}

TEST(PathTest, WhatIsReadIsWrittenTheSame) {
  for (const char* text : {
           "name",
           "note",
           "headcount",
           "headcount.low",
           "participants",
           "participants[*]",
           "participants[*].person",
           "participants[\"a\"]",
           "participants[\"a\"].outcomes[*].date.edtf",
           "labels",
           "labels[\"case\"]",
           "labels[\"\"]",
           "labels[*]",
           "labels[\"a.b]c[d\"]",
           "labels[\"quote \\\" and backslash \\\\\"]",
           "labels[\"\xd0\xb1\"]",
           "create_time.seconds",
           "stated_reasons",
       }) {
    auto path = Parse(text);
    ASSERT_TRUE(path.ok()) << text << ": " << path.status();
    EXPECT_EQ(FormatPath(*path), text);
  }
  auto escaped = Parse("labels[\"\\a\\\"\\\\\"]");
  ASSERT_TRUE(escaped.ok());
  EXPECT_EQ((*escaped)[0].key, "a\"\\");
  EXPECT_EQ(FormatPath(*escaped), "labels[\"a\\\"\\\\\"]");
}

TEST(PathTest, AnyKeyComesBack) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2'000; ++i) {
    Path path(1);
    path[0].field = v1::Release::descriptor()->FindFieldByName("labels");
    path[0].select = Step::Select::kElement;
    for (uint64_t n = random() % 12; n > 0; --n) path[0].key.push_back("\\\"[].*a\n"[random() % 8]);
    auto again = Parse(FormatPath(path));
    ASSERT_TRUE(again.ok()) << FormatPath(path) << again.status();
    ASSERT_EQ((*again)[0].key, path[0].key);
  }
}

TEST(PathTest, RefusalsSayWhere) {
  struct Case {
    const char* text;
    const char* what;
    int position;
  };
  for (const Case& c : {
           Case{"", "a field name expected", 0},
           Case{".", "a field name expected", 0},
           Case{"note.", "note has no fields", 5},
           Case{"headcount.", "a field name expected", 10},
           Case{"headcount..low", "a field name expected", 10},
           Case{"note ", "`.`, `[` or the end expected", 4},
           Case{" note", "a field name expected", 0},
           Case{"nonsense", "Release has no field `nonsense`", 0},
           Case{"headcount.lo", "Estimate has no field `lo`; did you mean `low`?", 10},
           Case{"participant", "did you mean `participants`?", 0},
           Case{"note.x", "note has no fields", 5},
           Case{"labels.case", "labels has no fields: it is a map, name an entry as [\"key\"]", 7},
           Case{"labels[\"a\"].value", "labels has no fields", 12},
           Case{"participants.person", "name an element", 12},
           Case{"participants[0]", "not by index", 13},
           Case{"participants[0].person", "not by index", 13},
           Case{"participants[-1]", "`\"` or `*` expected", 13},
           Case{"participants[]", "`\"` or `*` expected", 13},
           Case{"participants[", "`\"` or `*` expected", 13},
           Case{"participants[a]", "`\"` or `*` expected", 13},
           Case{"participants['a']", "`\"` or `*` expected", 13},
           Case{"participants[*", "`\"` or `*` expected", 13},
           Case{"participants[\"a", "`\"]` expected", 15},
           Case{"participants[\"a\"", "`\"]` expected", 15},
           Case{"participants[\"a\\", "`\"]` expected", 16},
           Case{"participants[\"a\"]person", "`.`, `[` or the end expected", 17},
           Case{"participants[\"a\"][\"b\"]", "`.`, `[` or the end expected", 17},
           Case{"participants[*][*]", "`.`, `[` or the end expected", 15},
           Case{"headcount[\"a\"]", "headcount has no elements that can be named", 9},
           Case{"stated_reasons[\"a\"]", "stated_reasons has no elements that can be named", 14},
           Case{"stated_reasons[*]", "stated_reasons has no elements that can be named", 14},
           Case{"note[*]", "note has no elements that can be named", 4},
           Case{"*", "a field name expected", 0},
           Case{"displayName", "did you mean `display_name`?", 0},
           Case{"Note", "did you mean `note`?", 0},
       }) {
    const std::string message = Refusal(c.text);
    EXPECT_THAT(message, HasSubstr(c.what)) << c.text;
    EXPECT_THAT(message, ::testing::EndsWith(absl::StrCat(" at position ", c.position))) << c.text;
  }
  EXPECT_THAT(Refusal("zzzzzzzz"), ::testing::Not(HasSubstr("did you mean")));
}

TEST(PathTest, Length) {
  const std::string key(kMaxPathBytes - std::string("labels[\"\"]").size(), 'x');
  EXPECT_TRUE(Parse(absl::StrCat("labels[\"", key, "\"]")).ok());
  EXPECT_THAT(Refusal(absl::StrCat("labels[\"", key, "x\"]")), HasSubstr("longer than 1024 bytes"));
  EXPECT_THAT(Refusal(std::string(1 << 20, '.')), HasSubstr("longer than"));
  EXPECT_THAT(Refusal(std::string(1'000, 'a')), HasSubstr("has no field"));
}

TEST(PathTest, GarbageIsRefusedOrRead) {
  std::mt19937_64 random(7);
  const std::string pieces[] = {
      "participants", "outcomes", "note", ".",  "[", "]",
      "\"",           "*",        "0",    "\\", "a", std::string(1, '\0')};
  int read = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (uint64_t n = 1 + random() % 8; n > 0; --n) text += pieces[random() % std::size(pieces)];
    auto path = Parse(text);
    if (!path.ok()) continue;
    ++read;
    auto again = Parse(FormatPath(*path));
    ASSERT_TRUE(again.ok()) << text;
    ASSERT_EQ(FormatPath(*again), FormatPath(*path));
  }
  EXPECT_GT(read, 100);
}

}  // namespace
}  // namespace detente::query
