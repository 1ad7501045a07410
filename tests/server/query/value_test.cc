#include "query/value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "detente/v1/detention.pb.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/source.pb.h"
#include "google/protobuf/stubs/logging.h"
#include "query/json_syntax.h"
#include "server/engine/testing.h"

namespace detente::query {
namespace {

using ::testing::HasSubstr;

template <typename T = v1::Release>
Path At(absl::string_view text) {
  auto path = ParsePath(text, T::descriptor());
  EXPECT_TRUE(path.ok()) << path.status();
  return *path;
}

v1::Release Sample() {
  return testing::Proto<v1::Release>(R"(
    name: "releases/a" display_name: "A" region_code: "BY" mechanism: PARDON
    effective_date { edtf: "2025-12-13" state: VALUE earliest { year: 2025 month: 12 day: 13 } }
    headcount { best: 123 text: "123" }
    labels { key: "case" value: "x" } labels { key: "other" value: "" }
    participants { id: "a" person: "persons/a" outcomes { id: "1" kind: FREED } }
    participants { id: "b" person: "persons/b" }
    participants { id: "c" })");
}

std::string Value(absl::string_view path) { return ValueAt(Sample(), At(path)).value_or("absent"); }

TEST(ValueTest, ReadsValues) {
  EXPECT_EQ(Value("mechanism"), "\"PARDON\"");
  EXPECT_EQ(Value("headcount.best"), "\"123\"");
  EXPECT_EQ(Value("headcount"), R"({"best":"123","text":"123"})");
  EXPECT_EQ(Value("effective_date"), R"({"edtf":"2025-12-13","state":"VALUE"})");
  EXPECT_EQ(Value("participants[\"a\"].outcomes[\"1\"].kind"), "\"FREED\"");
  EXPECT_EQ(Value("participants[\"b\"]"), R"({"id":"b","person":"persons/b"})");
  EXPECT_EQ(Value("participants[*].person"), R"(["persons/a","persons/b"])");
  EXPECT_EQ(Value("participants[*].outcomes[*].kind"), R"(["FREED"])");
  EXPECT_EQ(Value("labels[\"case\"]"), "\"x\"");
  EXPECT_EQ(Value("labels[\"other\"]"), "\"\"");
  EXPECT_EQ(Value("labels"), R"({"case":"x","other":""})");
}

TEST(ValueTest, ElementsAreFoundInAnyOrderAndInShorterLists) {
  v1::Release large;
  for (int i = 0; i < 300; ++i) large.add_participants()->set_id(absl::StrCat("p", i));
  v1::Release small;
  small.add_participants()->set_id("p299");
  std::mt19937 random(3);
  for (int round = 0; round < 2'000; ++round) {
    const int i = static_cast<int>(random() % 310);
    const Path path = At(absl::StrCat("participants[\"p", i, "\"].id"));
    EXPECT_EQ(ValueAt(large, path).value_or("absent"),
              i < 300 ? absl::StrCat("\"p", i, "\"") : "absent");
    EXPECT_EQ(ValueAt(small, path).has_value(), i == 299);
    EXPECT_FALSE(ValueAt(v1::Release(), path).has_value());
  }
}

TEST(ValueTest, AbsentValues) {
  for (const char* path :
       {"note", "announce_date", "announce_date.edtf", "headcount.low", "participants[\"z\"]",
        "participants[\"z\"].person", "participants[\"b\"].outcomes", "labels[\"z\"]", "transfers",
        "participants[\"b\"].outcomes[*].kind", "participants[\"b\"].mechanism"}) {
    EXPECT_EQ(Value(path), "absent") << path;
  }
}

// Written, then read again.
std::string Set(absl::string_view path, absl::string_view json) {
  v1::Release release = Sample();
  const absl::Status status = SetValue(At(path), json, &release);
  if (!status.ok()) return std::string(status.message());
  return ValueAt(release, At(path)).value_or("absent");
}

TEST(ValueTest, PutsValues) {
  EXPECT_EQ(Set("mechanism", "\"AMNESTY\""), "\"AMNESTY\"");
  EXPECT_EQ(Set("headcount", R"( {"low": "5"} )"), R"({"low":"5"})");
  EXPECT_EQ(Set("headcount.low", "7"), "\"7\"");
  EXPECT_EQ(Set("announce_date.edtf", "\"2025\""), "\"2025\"");
  EXPECT_EQ(Set("participants[\"a\"]", R"({"person": "persons/x"})"),
            R"({"id":"a","person":"persons/x"})");
  EXPECT_EQ(Set("participants[\"new\"]", R"({"id": "new"})"), R"({"id":"new"})");
  EXPECT_EQ(Set("participants[\"new\"].outcomes[\"1\"].kind", "\"FREED\""), "\"FREED\"");
  EXPECT_EQ(Set("participants", R"([{"id": "z"}])"), R"([{"id":"z"}])");
  EXPECT_EQ(Set("labels[\"case\"]", "\"y\""), "\"y\"");
  EXPECT_EQ(Set("labels[\"a\\\"b\"]", "\"y\""), "\"y\"");
  EXPECT_EQ(Set("labels", R"({"k": "v"})"), R"({"k":"v"})");
  EXPECT_EQ(Set("note", "\"\\u0431 \\ud83d\\udd4a\""), "\"б \xf0\x9f\x95\x8a\"");
}

TEST(ValueTest, ElementsStayInOrder) {
  v1::Release release = Sample();
  ASSERT_TRUE(SetValue(At("participants[\"a\"]"), "{}", &release).ok());
  ASSERT_TRUE(SetValue(At("participants[\"d\"]"), "{}", &release).ok());
  ASSERT_TRUE(SetValue(At("participants[\"b\"]"), "null", &release).ok());
  EXPECT_EQ(*ValueAt(release, At("participants")), R"([{"id":"a"},{"id":"c"},{"id":"d"}])");
}

TEST(ValueTest, NullRemovesAndMakesNothing) {
  EXPECT_EQ(Set("headcount", "null"), "absent");
  EXPECT_EQ(Set("participants", " null\n"), "absent");
  EXPECT_EQ(Set("labels[\"case\"]", "null"), "absent");
  v1::Release release = Sample();
  for (const char* path : {"announce_date.edtf", "participants[\"z\"].person", "labels[\"z\"]",
                           "participants[\"z\"]"}) {
    ASSERT_TRUE(SetValue(At(path), "null", &release).ok());
  }
  EXPECT_EQ(values::ToJson(release, values::JsonOf::kEverything),
            values::ToJson(Sample(), values::JsonOf::kEverything));
}

TEST(ValueTest, OnlyARemovalGoesToEveryElement) {
  v1::Release release = Sample();
  ASSERT_TRUE(PutValue(At("participants[*].person"), nullptr, &release).ok());
  EXPECT_EQ(*ValueAt(release, At("participants")),
            R"([{"id":"a","outcomes":[{"id":"1","kind":"FREED"}]},{"id":"b"},{"id":"c"}])");
  EXPECT_FALSE(PutValue(At("participants[*].person"), &release, &release).ok());
  ASSERT_TRUE(PutValue(At("participants[*]"), nullptr, &release).ok());
  EXPECT_EQ(release.participants_size(), 0);
}

TEST(ValueTest, AFieldOfAOneofTakesThePlaceOfTheOther) {
  auto source = testing::Proto<v1::Source>(R"(publisher { person: "persons/a" })");
  ASSERT_TRUE(
      SetValue(At<v1::Source>("publisher.organization"), "\"organizations/o\"", &source).ok());
  EXPECT_FALSE(source.publisher().has_person());
  EXPECT_EQ(source.publisher().organization(), "organizations/o");
  ASSERT_TRUE(SetValue(At<v1::Source>("publisher.person"), "null", &source).ok());
  EXPECT_EQ(source.publisher().organization(), "organizations/o");
}

TEST(ValueTest, WhatDoesNotFitIsRefused) {
  google::protobuf::SetLogHandler(nullptr);
  EXPECT_THAT(Set("mechanism", "\"FREEDOM\""), HasSubstr("one of PARDON, AMNESTY"));
  EXPECT_THAT(Set("mechanism", "\"FREEDOM\""), HasSubstr("in quotes expected: "));
  EXPECT_THAT(Set("note", "5"), HasSubstr("a text in quotes expected"));
  EXPECT_THAT(Set("headcount.best", "\"many\""), HasSubstr("a whole number expected"));
  EXPECT_THAT(Set("headcount.best", "1.5"), HasSubstr("a whole number expected"));
  EXPECT_THAT(Set("headcount", "\"123\""), HasSubstr("an object of Estimate (low, best, high"));
  EXPECT_THAT(Set("headcount", R"({"lowest": 3})"), HasSubstr("Cannot find field"));
  EXPECT_THAT(Set("participants", R"({"id": "a"})"), HasSubstr("a list, each an object of"));
  EXPECT_THAT(Set("participants[\"a\"]", R"([{"id": "a"}])"), HasSubstr("an object of"));
  EXPECT_THAT(Set("participants[\"a\"]", R"({"id": "b"})"), HasSubstr("but the path names `a`"));
  EXPECT_THAT(Set("labels[\"a\"]", "5"), HasSubstr("a text in quotes expected"));
  EXPECT_THAT(Set("labels", "[]"), HasSubstr("an object whose values are each a text"));
  EXPECT_THAT(Set("create_time", "\"yesterday\""), HasSubstr("a time, as"));
  EXPECT_THAT(Set("participants[*].person", "\"x\""), HasSubstr("no single value"));
}

TEST(ValueTest, TheTextIsOneValue) {
  // What would smuggle in other fields, or what a lenient reader takes.
  for (const char* json : {"",
                           " ",
                           "\"a\", \"visibility\": \"RESTRICTED\"",
                           "\"a\"} {",
                           "{]",
                           "[1,]",
                           "'a'",
                           "{a: 1}",
                           "nul",
                           "tru",
                           "01",
                           "1.",
                           "1e",
                           "-",
                           "+1",
                           "\"\n\"",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "\"\\ud800x\"",
                           "\"a",
                           "[",
                           "{\"a\"",
                           "{\"a\":",
                           "{\"a\":1",
                           "\"a\" \"b\"",
                           "null null",
                           "/* */ 1",
                           "NaN",
                           "{\"a\":1,}",
                           "{,}",
                           "[,]",
                           "\"\\",
                           "}"}) {
    EXPECT_FALSE(CheckJson(json).ok()) << json;
    EXPECT_THAT(Set("note", json), HasSubstr("not JSON: ")) << json;
  }
  for (const char* json : {"0", "-0.5e+7", "[]", "{}", " [ 1 , {\"a\" : [ ] } , [[]] ] ",
                           "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\udd4a\"", "true", "null",
                           "{\"a\":{},\"b\":[{\"c\":null}]}"}) {
    EXPECT_TRUE(CheckJson(json).ok()) << json << CheckJson(json);
  }
}

TEST(ValueTest, DepthIsBounded) {
  EXPECT_TRUE(CheckJson(absl::StrCat(std::string(64, '['), std::string(64, ']'))).ok());
  EXPECT_THAT(std::string(CheckJson(std::string(65, '[')).message()), HasSubstr("64 deep"));
  EXPECT_FALSE(CheckJson(std::string(1'000'000, '[')).ok());
}

TEST(ValueTest, RandomTextsNeitherCrashNorSmuggle) {
  google::protobuf::SetLogHandler(nullptr);
  std::mt19937_64 random(17);
  constexpr const char* kPieces[] = {"{",
                                     "}",
                                     "[",
                                     "]",
                                     ",",
                                     ":",
                                     "\"id\"",
                                     "1",
                                     "\"a\"",
                                     "null",
                                     "true",
                                     "\"",
                                     "\\",
                                     "\"best\"",
                                     "-2.5",
                                     "\"kind\"",
                                     "\"outcomes\"",
                                     " ",
                                     "\"FREED\"",
                                     "\"note\""};
  const Path paths[] = {At("headcount"),     At("participants"), At("participants[\"a\"]"),
                        At("labels"),        At("note"),         At("mechanism"),
                        At("effective_date")};
  for (int i = 0; i < 30'000; ++i) {
    std::string json;
    for (uint64_t n = random() % 9; n > 0; --n) json += kPieces[random() % std::size(kPieces)];
    const Path& path = paths[random() % std::size(paths)];
    auto value = ReadValue(path, json);
    if (!value.ok() || *value == nullptr) continue;
    ASSERT_TRUE(CheckJson(json).ok());
    std::vector<const google::protobuf::FieldDescriptor*> set;
    (*value)->GetReflection()->ListFields(**value, &set);
    for (const auto* field : set) ASSERT_EQ(field, path.back().field) << json;
  }
}

// A value that is read from a record and put into another is there.
TEST(ValueTest, RoundTrip) {
  const v1::Release from = Sample();
  for (const char* text : {"headcount", "effective_date", "participants", "participants[\"a\"]",
                           "labels", "labels[\"other\"]", "mechanism",
                           "participants[\"a\"].outcomes[\"1\"]", "headcount.best"}) {
    v1::Release to;
    const Path path = At(text);
    ASSERT_TRUE(SetValue(path, *ValueAt(from, path), &to).ok()) << text;
    EXPECT_EQ(ValueAt(to, path), ValueAt(from, path)) << text;
  }
}

TEST(PathRelationTest, Covers) {
  auto covers = [](absl::string_view outer, absl::string_view inner) {
    return Covers(At(outer), At(inner));
  };
  EXPECT_TRUE(covers("participants", "participants"));
  EXPECT_TRUE(covers("participants", "participants[\"a\"].person"));
  EXPECT_TRUE(covers("participants[*]", "participants[\"a\"].person"));
  EXPECT_TRUE(
      covers("participants[*].outcomes[*].kind", "participants[\"a\"].outcomes[\"1\"].kind"));
  EXPECT_TRUE(covers("participants[\"a\"]", "participants[\"a\"].person"));
  EXPECT_TRUE(covers("participants[*]", "participants[*].person"));
  EXPECT_FALSE(covers("participants[\"a\"]", "participants[\"b\"].person"));
  EXPECT_FALSE(covers("participants[\"a\"]", "participants[*].person"));
  EXPECT_FALSE(covers("participants[\"a\"]", "participants"));
  EXPECT_FALSE(covers("participants[*]", "participants"));
  EXPECT_FALSE(covers("headcount", "note"));
  EXPECT_FALSE(covers("headcount.low", "headcount"));
}

}  // namespace
}  // namespace detente::query
