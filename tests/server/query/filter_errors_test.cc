// What is said of filters that are wrong, and where the limits are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/specimen.pb.h"
#include "detente/v1/statement.pb.h"
#include "error/error.h"
#include "google/rpc/error_details.pb.h"
#include "query/filter.h"

namespace detente::query {
namespace {

using ::testing::HasSubstr;

absl::Status Refusal(absl::string_view text,
                     const google::protobuf::Descriptor* type = v1::Release::descriptor()) {
  const auto filter = Filter::Parse(text, type);
  EXPECT_EQ(filter.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return filter.status();
}

void ExpectRefused(const std::vector<std::pair<std::string, std::string>>& cases,
                   const google::protobuf::Descriptor* type = v1::Release::descriptor()) {
  for (const auto& [text, error] : cases) {
    EXPECT_THAT(std::string(Refusal(text, type).message()), HasSubstr(error)) << text;
  }
}

TEST(FilterErrorsTest, Syntax) {
  ExpectRefused({
      {"region_code =", "filter: at byte 13: a value expected after `=`, got the end"},
      {"name:", "at byte 5: a value expected after `:`, got the end"},
      {"AND.x = 1", "at byte 6: `(` expected behind a function's name, got `=`"},
      {"NOT(a, b)", "at byte 5: AND, OR or `)` expected, got `,`"},
      {"note = x AND", "at byte 12: a field, a word or a condition expected, got the end"},
      {"AND x", "at byte 0: a field, a word or a condition expected, got `AND`"},
      {"NOT NOT x", "at byte 4: a field, a word or a condition expected, got `NOT`"},
      {"(a", "at byte 2: AND, OR or `)` expected, got the end"},
      {"a)", "at byte 1: AND, OR or the end expected, got `)`"},
      {"()", "at byte 1: a field, a word or a condition expected, got `)`"},
      {"note = \"x", "at byte 7: this quote has no end"},
      {"note = it's", "at byte 9: this quote has no end"},
      {"note = \"a\"b", "at byte 10: a space, AND or OR expected, got `b`"},
      {"!note", "at byte 0: `!=` expected; a condition is denied with NOT or `-`"},
      {"note = \"\\q\"", "at byte 8: an unknown escape; a backslash is written `\\\\`"},
      {"note = \"\\ud800\"", "at byte 8: this escape is no character"},
      {"note = \"\\0\"", "at byte 8: this escape is no character"},
      {"note = \"\\000\"", "at byte 8: this escape is no character"},
      {"note = a\x01z", "at byte 8: a control character"},
      {"note = \"\xff\"", "at byte 8: UTF-8 expected"},
      {"note. = x", "at byte 6: a field's name expected after `.`, got `=`"},
      {"possibly(effective_date", "at byte 23: `,` or `)` expected, got the end"},
      {"possibly(effective_date,)", "at byte 24: an argument expected, got `)`"},
      {"note = - 3", "at byte 7: a value expected after `=`, got `-`"},
  });
}

// Such a comparison would be false of every record, and nobody would know why.
TEST(FilterErrorsTest, NamesWithoutTheirCollection) {
  ExpectRefused({
      {"name = \"by-2025\"",
       "at byte 7: a name with its collection expected, got `by-2025`; did you mean "
       "`releases/by-2025`?"},
      {"note = x AND name != by-2025", "at byte 21: a name with its collection expected"},
      {"name:by-*", "did you mean `releases/by-*`?"},
      {"name = (a OR \"releases/b\")", "at byte 8: a name with its collection expected, got `a`"},
      {"negotiation = \"us-by\"", "did you mean `negotiations/us-by`?"},
      {"participants.person:\"Test Person 17\"",
       "at byte 20: a name with its collection expected, as in `persons/an-id`, got `Test Person "
       "17`"},
      {"any(participants, (person = \"p-17\"))", "did you mean `persons/p-17`?"},
      {"any(participants, \"person = p-17\")", "at byte 28: a name with its collection expected"},
      {"any(citations, (source = s42))", "did you mean `sources/s42`?"},
  });
  const std::vector<std::string> taken = {
      "name = \"\"",
      "name = \"releases/by-2025\"",
      "name = \"releases/*\"",
      "name = \"rel*\"",
      "name = \"*-2025\"",
      "name:*",
      "name = \"persons/p-17\"",  // no release, but a filter may be asked of several collections
      "name > \"r\"",             // an order of texts
      "negotiation = \"\"",
      "participants.person:\"*/p-17\"",
      "note = by-2025",
  };
  for (const std::string& text : taken) {
    const auto filter = Filter::Parse(text, v1::Release::descriptor());
    EXPECT_TRUE(filter.ok()) << text << ": " << filter.status();
  }
  // A reference to records of any kind.
  EXPECT_TRUE(Filter::Parse("positions.about:x", v1::Statement::descriptor()).ok());
}

TEST(FilterErrorsTest, Fields) {
  ExpectRefused({
      {"effectve_date = 2025",
       "at byte 0: Release has no field `effectve_date`; did you mean `effective_date`?"},
      {"participants.outcomes.kin:FREED",
       "at byte 22: Outcome has no field `kin`; did you mean `kind`?"},
      {"nothing_like_it = 1", "at byte 0: Release has no field `nothing_like_it`"},
      {"note.x = 1", "at byte 5: note has no fields, got `x`"},
      {"create_time.seconds = 1", "at byte 12: create_time has no fields, got `seconds`"},
      {"labels = x", "at byte 7: `labels` is a map: name a key"},
      {"participants.person = \"persons/a\"",
       "at byte 20: `:` expected: `participants.person` is repeated, or below what is; several "
       "conditions on one element are any(field, (…)). Got `=`"},
      {"headcount > 100",
       "at byte 10: `headcount` has bounds: compare headcount.low, headcount.best or "
       "headcount.high"},
      {"announced_by = x",
       "at byte 13: `announced_by` is a Actor: `:*` asks whether it is there; "
       "compare one of its fields: id, person, organization"},
      {"mechanism > PARDON", "at byte 10: `=`, `!=` or `:` expected: `mechanism` has no order"},
      {"headcount.best", "at byte 0: compare `headcount.best` with something"},
      {"participants.outcomes", "at byte 0: compare `participants.outcomes` with something"},
      {"note < a*", "at byte 7: `*` stands for any characters after `=`, `!=` and `:` only"},
      {"create_time:2025-12-13T10:00:00Z", "at byte 12: `*` expected after `:`"},
  });
  ExpectRefused({{"digest = x", "at byte 7: `digest` holds bytes, which are not compared"}},
                v1::Specimen::descriptor());
}

TEST(FilterErrorsTest, Values) {
  ExpectRefused({
      {"mechanism = PARDN", "at byte 12: mechanism has no value `PARDN`; did you mean `PARDON`?"},
      {"mechanism = pardon", "did you mean `PARDON`?"},
      {"mechanism = EVERYTHING", "one of PARDON, AMNESTY"},
      {"headcount.best = many",
       "at byte 17: a whole number from -9223372036854775808 to "
       "9223372036854775807 expected, got `many`"},
      {"headcount.best = 9223372036854775808", "a whole number from"},
      {"headcount.best = 1.5", "a whole number from"},
      {"headcount.best = *", "a whole number from"},
      {"headcount.approximate = yes", "at byte 24: true or false expected, got `yes`"},
      {"create_time > yesterday",
       "at byte 14: a time as in \"2025-12-13T10:30:00Z\" (RFC 3339) "
       "expected, got `yesterday`"},
      {"create_time > 2025-13-13T10:30:00Z", "a time as in"},
      {"create_time > \"0000-01-01T00:00:00Z\"", "a year from 1 to 9999 expected"},
      {"effective_date = 2025-13", "at byte 22: a date or a range of dates in EDTF expected"},
      {"effective_date.earliest = 2025-12", "at byte 26: a day as in `2025-12-13` expected"},
      {"note = (a AND b = c)", "at byte 14: a value expected, got a condition"},
      {"note != (a OR b)", "at byte 9: one value expected after `!=`"},
      {"note = lower(x)", "at byte 7: a value expected, got the function `lower`"},
      {"note = timestamp(\"2025-12-13T10:30:00Z\")", "note is no google.protobuf.Timestamp"},
      {"create_time > timestamp()", "timestamp(…) takes one value"},
  });
  ExpectRefused({{"numbers:2147483648", "from -2147483648 to 2147483647"},
                 {"weight_kilograms > heavy", "a number, such as 1.5, expected, got `heavy`"},
                 {"weight_kilograms > 1e999", "a number, such as 1.5, expected"},
                 {"weight_kilograms > nan", "a number, such as 1.5, expected"}},
                v1::Specimen::descriptor());
}

TEST(FilterErrorsTest, FunctionsAndWords) {
  ExpectRefused({
      {"posibly(effective_date, 2025)", "no function `posibly`; did you mean `possibly`?"},
      {"frobnicate(a)", "no function `frobnicate`; possibly, certainly, any"},
      {"possibly(effective_date)", "`possibly` takes a date and a range of dates"},
      {"possibly(note, 2025)", "at byte 9: an uncertain date expected, but `note` is none"},
      {"possibly(effective_date, \"2025-99\")", "at byte 31: a date or a range of dates"},
      {"possibly(effective_date, 2025) = true", "at byte 31: `possibly`(…) is true or false"},
      {"cites(\"persons/a\")", "at byte 6: a record's name expected, as in `sources/an-id`"},
      {"cites(a, b)", "`cites` takes one text"},
      {"refers_to(\"Persons/A\")", "a record's name expected, as in `persons/an-id`"},
      {"matches_name(\"…\")", "a name expected"},
      {"any(participants, id = a)",
       "at byte 21: `,` or `)` expected: a condition as an argument stands in parentheses"},
      {"any(participants)", "`any` takes a repeated field and a condition"},
      {"any(note, (id = a))", "a repeated field of messages expected, but `note` is none"},
      {"any(labels, (key = a))", "a repeated field of messages expected, but `labels` is none"},
      {"any(participants, word)", "a condition expected, got `word`"},
      {"any(participants, \"\")", "at byte 18: a condition expected, got nothing"},
      {"any(participants, cites(\"sources/a\"))", "`cites` is asked of whole records"},
      {"Test*", "at byte 0: whole words expected, got `Test*`"},
      {"a and b", "at byte 2: `AND` expected; put the word `and` in quotes"},
      {"\"…\"", "at byte 0: a word expected"},
  });
}

// What other languages have would find nothing here, without a word.
TEST(FilterErrorsTest, HabitsOfOtherLanguages) {
  ExpectRefused({
      {"note == x", "at byte 5: `=` expected, got `==`"},
      {"note <> x", "at byte 5: `!=` expected, got `<>`"},
      {"headcount.best => 1", "at byte 15: `>=` expected, got `=>`"},
      {"note = x && note = y", "at byte 9: `AND` expected, got `&&`"},
      {"note = x || note = y", "at byte 9: `OR` expected, got `||`"},
      {"note = x Or note = y", "at byte 9: `OR` expected; put the word `Or` in quotes"},
      {"note IN (x)", "at byte 5: `field = (a OR b)` expected, got `IN`"},
      {"note LIKE x", "at byte 5: `field = \"beginning*\"` expected, got `LIKE`"},
      {"note =~ \"x.*\"", "at byte 6: a value expected, got `~`: there are no regular expressions"},
      {"region_code in (x)", "at byte 0: compare `region_code` with something"},
      {"note = “x”", "at byte 7: plain quotes expected, \" or ', got `“`"},
      {"note:«x»", "at byte 5: plain quotes expected"},
      {"negotiation = null",
       "at byte 14: a value expected, got `null`: `NOT negotiation:*` finds what has none"},
      {"headcount.best != NULL", "`NOT headcount.best:*` finds what has none"},
      {"participants[0].person:x", "an element has no name or number in a filter: any("},
      {"participants[\"a\"].person:x", "at byte 13: an element has no name or number in a filter"},
      {"effective_date.year = 2025",
       "at byte 15: UncertainDate has no field `year`; compare the date itself"},
      {"note != (a OR b)", "several stand behind `=`, as in NOT mechanism = (PARDON OR OTHER)"},
  });
  for (const char* text : {"\"IN\"", "in like is", "note", "note = \"null\"", "note = \"“x”\"",
                           "\"region_code\"", "nullify"}) {
    EXPECT_TRUE(Filter::Parse(text, v1::Release::descriptor()).ok()) << text;
  }
}

// Bytes of a quoted filter are told by their place in the whole.
TEST(FilterErrorsTest, PlacesInQuotes) {
  ExpectRefused({
      {"any(participants, \"mechanism = PARDN\")", "at byte 31: mechanism has no value"},
      {"any(participants, \"person = \\\"p/x\\\" AND mechanism = PARDN\")", "at byte 52:"},
      {"any(participants, \"any(outcomes, \\\"knd = FREED\\\")\")", "at byte 35: Outcome"},
      {"any(participants, \"mechanism = \")", "at byte 32: a value expected"},
      {"any(participants, \"id = \\\"x\")", "at byte 24: this quote has no end"},
  });
}

TEST(FilterErrorsTest, AllThatIsWrongIsSaid) {
  const absl::Status status = Refusal("mechanizm = X AND (region_cod = BY OR foo(1)) -note.x = 2");
  EXPECT_THAT(std::string(status.message()), HasSubstr("(and 3 more)"));
  google::rpc::Status rpc = ToRpcStatus(status);
  google::rpc::BadRequest bad;
  for (const auto& detail : rpc.details()) detail.UnpackTo(&bad);
  ASSERT_EQ(bad.field_violations_size(), 4);
  EXPECT_EQ(bad.field_violations(0).field(), "filter");
}

TEST(FilterErrorsTest, Limits) {
  const auto* type = v1::Release::descriptor();
  const auto nested = [](int depth) {
    return absl::StrCat(std::string(depth, '('), "a", std::string(depth, ')'));
  };
  EXPECT_TRUE(Filter::Parse(nested(kMaxFilterDepth), type).ok());
  EXPECT_EQ(ReasonOf(Refusal(nested(kMaxFilterDepth + 1))), v1::LIMIT_EXCEEDED);
  EXPECT_THAT(std::string(Refusal(nested(4000)).message()),
              HasSubstr("at byte 50: nested more than 50 levels deep"));
  std::string calls = "a";
  for (int i = 0; i < 60; ++i) calls = absl::StrCat("f(", calls, ")");
  EXPECT_EQ(ReasonOf(Refusal(calls)), v1::LIMIT_EXCEEDED);
  const std::string longest = "note = \"" + std::string(kMaxFilterBytes - 9, 'x') + "\"";
  ASSERT_EQ(longest.size(), kMaxFilterBytes);
  EXPECT_TRUE(Filter::Parse(longest, type).ok());
  const absl::Status status = Refusal(longest + " ");
  EXPECT_EQ(ReasonOf(status), v1::LIMIT_EXCEEDED);
  EXPECT_THAT(std::string(status.message()), HasSubstr("at most 8192 bytes, got 8193"));
  // A quoted filter is as deep as where it stands.
  EXPECT_TRUE(Filter::Parse(absl::StrCat("any(participants, \"", std::string(49, '('), "id = a",
                                         std::string(49, ')'), "\")"),
                            type)
                  .ok());
  EXPECT_EQ(ReasonOf(Refusal(absl::StrCat("any(participants, \"", std::string(50, '('), "id = a",
                                          std::string(50, ')'), "\")"))),
            v1::LIMIT_EXCEEDED);
  // What is wrong in a thousand places is told in a hundred.
  EXPECT_THAT(
      std::string(Refusal(absl::StrJoin(std::vector<std::string>(1000, "x.y=1"), " ")).message()),
      HasSubstr("(and 99 more)"));
}

TEST(FilterErrorsTest, SyntaxTreeSaysWhere) {
  size_t position = 0;
  EXPECT_FALSE(SyntaxTree("a = (b", &position).ok());
  EXPECT_EQ(position, 6U);
}

}  // namespace
}  // namespace detente::query
