// What filters mean: a record, filters, and whether they are true of it.
#include "query/filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detente/v1/measure.pb.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/source.pb.h"
#include "detente/v1/specimen.pb.h"
#include "server/engine/testing.h"

namespace detente::query {
namespace {

using detente::testing::Proto;

template <typename T>
bool Matches(const T& record, const std::string& text) {
  const auto filter = Filter::Parse(text, T::descriptor());
  EXPECT_TRUE(filter.ok()) << text << ": " << filter.status();
  if (!filter.ok()) return false;
  // What was understood, said again, is the same.
  const std::string again = filter->Text();
  const auto second = Filter::Parse(again, T::descriptor());
  EXPECT_TRUE(second.ok()) << again << ": " << second.status();
  if (second.ok()) {
    EXPECT_EQ(second->Text(), again) << text;
    EXPECT_EQ(second->Matches(record), filter->Matches(record)) << text;
  }
  return filter->Matches(record);
}

template <typename T>
void Expect(const T& record, bool verdict, const std::vector<std::string>& filters) {
  for (const std::string& filter : filters) EXPECT_EQ(Matches(record, filter), verdict) << filter;
}

v1::Release Sample() {
  return Proto<v1::Release>(R"(
    name: "releases/a-1" uid: "u" revision: 7
    create_time { seconds: 1765620000 nanos: 5000 }
    display_name: "Release of Test Person 17" region_code: "BY" mechanism: PARDON
    note: "50% * of \"them\" \\ all"
    labels { key: "case" value: "x" } labels { key: "my key" value: "" }
    effective_date { edtf: "2025-12-13" state: VALUE
                     earliest { year: 2025 month: 12 day: 13 } latest { year: 2025 month: 12 day: 13 } }
    headcount { best: 123 approximate: true text: "about 123" }
    announced_by { person: "persons/announcer" }
    stated_reasons: "health" stated_reasons: "age"
    citations { id: "1" source: "sources/report" quote: "q" }
    participants { id: "a" person: "persons/a" mechanism: PARDON
                   outcomes { id: "1" kind: FREED date { edtf: "2025-12" state: VALUE } } }
    participants { id: "b" person: "persons/b" mechanism: AMNESTY
                   outcomes { id: "1" kind: REFUSED_TO_LEAVE }
                   outcomes { id: "2" kind: REARRESTED date { state: UNKNOWN } } })");
}

TEST(FilterTest, NothingMeansEverything) {
  EXPECT_TRUE(Filter().everything());
  for (const char* text : {"", " ", "\n\t"}) {
    const auto filter = Filter::Parse(text, v1::Release::descriptor());
    ASSERT_TRUE(filter.ok());
    EXPECT_TRUE(filter->everything());
    EXPECT_TRUE(filter->Matches(v1::Release()));
    EXPECT_EQ(filter->Text(), "");
  }
}

TEST(FilterTest, Texts) {
  Expect(Sample(), true,
         {"region_code = \"BY\"",
          "region_code = BY",
          "region_code='BY'",
          "region_code:BY",
          "region_code != \"RU\"",
          "region_code >= \"BY\"",
          "region_code < BZ",
          "region_code > \"\"",
          "region_code = \"B*\"",
          "region_code = *Y",
          "region_code != R*",
          "region_code : *",
          "display_name = \"*Person*\"",
          "note = \"50% \\* of \\\"them\\\" \\\\ all\"",
          "note = \"50%*all\"",
          "name = \"releases/a-1\"",
          "name = releases/*",
          "name:*",
          "uid = u",
          "headcount.text = \"about 123\"",
          "announced_by.person = \"persons/announcer\"",
          "negotiation = \"\"",
          "\"region_code\" = BY",
          "region_code = \"\\u0042\\131\""});
  Expect(Sample(), false,
         {"region_code = \"by\"", "region_code != BY", "region_code = \"BY \"", "region_code > BY",
          "note = \"50% \\* of\"", "display_name = Person", "negotiation:*", "negotiation = n*",
          "etag:*", "name = \"releases/a\"", "name = \"persons/a-1\""});
}

// As texts have it that are copied from pages and word processors.
TEST(FilterTest, WhiteSpaceIsUnicodes) {
  Expect(Sample(), true,
         {"region_code\u00A0=\u00A0BY\u00A0AND\u00A0mechanism\u2003=\u3000PARDON",
          "\uFEFFregion_code = BY", "region_code = BY\u2028mechanism = PARDON\u200B",
          "region_code = BY\v\fmechanism = PARDON"});
  Expect(Sample(), false, {"region_code = \"BY\u00A0\"", "region_code = RU\u00A0AND note:*"});
}

TEST(FilterTest, BelowWhatIsAbsentComparisonsAreFalse) {
  Expect(Sample(), false,
         {"ordered_by.description = \"\"", "ordered_by.description != \"x\"", "ordered_by:*",
          "announced_by.organization = \"\"", "announced_by.organization != \"organizations/x\"",
          "headcount.low = 0", "headcount.low != 5", "headcount.low:*", "announce_date = 2025",
          "announce_date != 2025", "announce_date.edtf != \"x\"",
          "update_time != 2025-01-01T00:00:00Z"});
  Expect(Sample(), true,
         {"NOT ordered_by.description = \"\"", "-headcount.low != 5",
          "announced_by.description = \"\"", "headcount:*", "announced_by:*"});
}

TEST(FilterTest, Logic) {
  Expect(Sample(), true,
         {"region_code = BY AND mechanism = PARDON", "region_code = BY mechanism = PARDON",
          "region_code = RU OR mechanism = PARDON",
          // OR binds tighter.
          "region_code = BY OR region_code = RU AND mechanism = PARDON",
          "region_code = BY AND mechanism = AMNESTY OR mechanism = PARDON",
          "NOT (region_code = RU OR mechanism = AMNESTY)", "-region_code = RU",
          "NOT(region_code = RU)", "NOT (NOT region_code = BY)", "region_code = (RU OR BY)",
          "mechanism = (AMNESTY OR PARDON)", "stated_reasons:(health AND age)",
          "region_code = (NOT RU)", "headcount.best = (123)"});
  Expect(Sample(), false,
         {"region_code = BY OR region_code = RU AND mechanism = AMNESTY", "NOT region_code = BY",
          "region_code = (RU OR UA)", "stated_reasons:(health AND other)"});
}

TEST(FilterTest, EnumsAndPresence) {
  Expect(Sample(), true,
         {"mechanism = PARDON", "mechanism:PARDON", "mechanism != AMNESTY", "mechanism:*",
          "review_state = REVIEW_STATE_UNSPECIFIED", "stated_reasons:*", "participants:*",
          "participants.outcomes:*", "labels:*", "effective_date:*"});
  Expect(Sample(), false,
         {"mechanism = AMNESTY", "mechanism != PARDON", "review_state:*", "transfers:*",
          "external_ids:*", "participants.conditions:*"});
}

TEST(FilterTest, Numbers) {
  Expect(Sample(), true,
         {"headcount.best = 123", "headcount.best > 122", "headcount.best >= 123",
          "headcount.best <= \"123\"", "headcount.best != -1", "headcount.best > (-5)",
          "revision = 7", "headcount.approximate", "headcount.approximate = true",
          "headcount.approximate:true", "headcount.approximate != false"});
  Expect(Sample(), false,
         {"headcount.best < 123", "headcount.high = 0", "NOT headcount.approximate"});
  const auto specimen = Proto<v1::Specimen>(
      "weight_kilograms: -2.5 copy_count: 0 numbers: 4 numbers: -5 location { latitude: 53.9 }");
  Expect(specimen, true,
         {"weight_kilograms = -2.5", "weight_kilograms < -2", "weight_kilograms = -25e-1",
          "copy_count = 0", "copy_count:*", "numbers:4", "numbers:-5", "location.latitude > 53",
          "location.longitude = 0", "shown = false"});
  Expect(specimen, false,
         {"weight_kilograms > 0", "numbers:5", "location.longitude:*", "digest:*"});
  Expect(v1::Specimen(), false, {"copy_count = 0", "copy_count != 1", "weight_kilograms:*"});
  v1::Specimen nan;
  nan.set_weight_kilograms(std::nan(""));
  Expect(nan, false, {"weight_kilograms != 1", "weight_kilograms = 1", "weight_kilograms:*"});
}

TEST(FilterTest, Times) {
  Expect(
      Sample(), true,
      {"create_time = \"2025-12-13T10:00:00.000005Z\"", "create_time > 2025-12-13T10:00:00Z",
       "create_time > \"2025-12-13T12:00:00+02:00\"", "create_time < 2025-12-13T10:00:00.000006Z",
       "create_time >= timestamp(\"2025-12-13T10:00:00Z\")", "create_time:*",
       "create_time <= 2025-12-13T10:00:00.000005Z", "NOT delete_time:*"});
  Expect(Sample(), false,
         {"create_time != \"2025-12-13T10:00:00.000005Z\"", "delete_time:*",
          "create_time < 2025-12-13T10:00:00.000005Z", "create_time > 2026-01-01T00:00:00-05:30"});
}

TEST(FilterTest, Repeated) {
  Expect(Sample(), true,
         {"participants.outcomes.kind:REFUSED_TO_LEAVE", "stated_reasons:health",
          "stated_reasons:\"hea*\"", "participants.person:\"persons/b\"",
          "participants.mechanism:PARDON participants.outcomes.kind:REARRESTED",
          "participants.outcomes.date:2025-12", "participants.outcomes.date.state:UNKNOWN"});
  Expect(Sample(), false,
         {"participants.outcomes.kind:RETURNED_TO_CUSTODY", "stated_reasons:heal",
          "participants.outcomes.date:2024", "transfers.count.best:1"});
}

TEST(FilterTest, Any) {
  Expect(Sample(), true,
         {"any(participants, \"mechanism = PARDON AND person = 'persons/a'\")",
          "any(participants, (mechanism = PARDON AND person = \"persons/a\"))",
          "any(participants, \"mechanism = AMNESTY outcomes.kind:REARRESTED\")",
          "any(participants, any(outcomes, (kind = REARRESTED AND date.state = UNKNOWN)))",
          "any(participants, \"any(outcomes, \\\"kind = FREED\\\")\")",
          "any(participants.outcomes, (kind = FREED AND possibly(date, \"2025-12-13\")))",
          "any(participants, (NOT mechanism = PARDON))", "any(participants, (id = (a OR c)))",
          "any(citations, (source = \"sources/report\" AND quote = q))"});
  Expect(Sample(), false,
         {"any(participants, (mechanism = PARDON AND person = \"persons/b\"))",
          "any(participants, (mechanism = PARDON AND outcomes.kind:REARRESTED))",
          "any(transfers, (NOT id = x))",
          "any(participants.outcomes, (kind = FREED AND possibly(date, \"2024\")))"});
}

TEST(FilterTest, Maps) {
  Expect(Sample(), true,
         {"labels.case = \"x\"", "labels.case:x", "labels.\"my key\" = \"\"", "labels:case",
          "labels:\"my key\"", "labels.case:*", "labels.\"my key\":*", "labels:*",
          "labels.case != y"});
  Expect(Sample(), false,
         {"labels.case = y", "labels:other", "labels.other = \"\"", "labels.other != \"x\"",
          "labels.other:*"});
}

TEST(FilterTest, WordsAndReferences) {
  Expect(Sample(), true,
         {"person", "PERSON 17", "\"test person\"", "\"person test\"", "Тест OR release",
          "cites(\"sources/report\")", "refers_to(\"persons/b\")", "refers_to(sources/report)",
          "refers_to(\"persons/announcer\")", "NOT words", "matches_name(\"Person\")"});
  Expect(Sample(), false,
         {"perso", "NOT person", "\"test other\"", "cites(sources/other)",
          "refers_to(\"persons/c\")", "matches_name(\"Kazimir\")"});
}

struct DateCase {
  const char* edtf;  // "" = the state alone
  v1::UncertainDate::State state;
  const char* filter;
  bool verdict;
};

TEST(FilterTest, Dates) {
  constexpr auto kValue = v1::UncertainDate::VALUE;
  constexpr auto kUnknown = v1::UncertainDate::UNKNOWN;
  for (const DateCase& one : std::vector<DateCase>{
           {"2025-12-13", kValue, "effective_date = 2025-12", true},
           {"2025-12", kValue, "effective_date = 2025-12-13", false},
           {"2025-12", kValue, "possibly(effective_date, \"2025-12-13\")", true},
           {"2025-12", kValue, "possibly(effective_date, 2025-12-13)", true},
           {"2025-12", kValue, "certainly(effective_date, \"2025-12-13\")", false},
           {"2025-12", kValue, "certainly(effective_date, \"2025-11/2026-01\")", true},
           {"2025-12", kValue, "effective_date != 2025-12-13", false},
           {"2025-12", kValue, "effective_date != 2026", true},
           {"2025-12", kValue, "effective_date < 2026", true},
           {"2025-12", kValue, "effective_date < 2025-12-20", false},
           {"2025-12", kValue, "effective_date <= 2025", true},
           {"2025-12", kValue, "effective_date <= 2025-12-30", false},
           {"2025-12", kValue, "effective_date > 2025-11", true},
           {"2025-12", kValue, "effective_date > 2025", false},
           {"2025-12", kValue, "effective_date >= 2025-12", true},
           {"2025-12", kValue, "effective_date >= 2025-12-02", false},
           {"2025-12", kValue, "effective_date:2025", true},
           {"2025-12?", kValue, "effective_date = 2025-12", true},
           {"2020/..", kValue, "effective_date >= 2020", true},
           {"2020/..", kValue, "effective_date <= 2030", false},
           {"2020/..", kValue, "effective_date <= \"2020/..\"", true},
           {"2020/..", kValue, "possibly(effective_date, \"2030\")", true},
           {"2020/..", kValue, "certainly(effective_date, \"2020/..\")", true},
           {"[2010,2020]", kValue, "possibly(effective_date, \"2015\")", false},
           {"[2010,2020]", kValue, "effective_date != 2015", true},
           {"[2010,2020]", kValue, "certainly(effective_date, \"2010/2020\")", true},
           {"2025-XX-13", kValue, "possibly(effective_date, \"2025-12-14/2025-12-31\")", false},
           {"", kUnknown, "possibly(effective_date, \"2025\")", true},
           {"", kUnknown, "certainly(effective_date, \"2025\")", false},
           {"", kUnknown, "effective_date = 2025", false},
           {"", kUnknown, "effective_date != 2025", false},
           {"", kUnknown, "effective_date < 2025", false},
           {"", v1::UncertainDate::NONE, "possibly(effective_date, \"2025\")", false},
           {"", v1::UncertainDate::ONGOING, "effective_date != 2025", false},
           {"", v1::UncertainDate::ONGOING, "effective_date:*", true},
           {"", v1::UncertainDate::ONGOING, "effective_date.state = ONGOING", true},
       }) {
    v1::Release release;
    release.mutable_effective_date()->set_edtf(one.edtf);
    release.mutable_effective_date()->set_state(one.state);
    EXPECT_EQ(Matches(release, one.filter), one.verdict) << one.edtf << " " << one.filter;
    EXPECT_EQ(Matches(release, absl::StrCat("NOT ", one.filter)), !one.verdict) << one.filter;
  }
  Expect(Sample(), true,
         {"effective_date.earliest = 2025-12-13", "effective_date.latest > 2025-12-12",
          "effective_date.edtf = \"2025-12-13\"", "certainly(participants.outcomes.date, 2025)",
          "possibly(participants.outcomes.date, 1999)"});
  Expect(Sample(), false,
         {"effective_date.earliest != 2025-12-13", "announce_date.earliest < 2030-01-01",
          "certainly(participants.outcomes.date, 2024)"});
}

TEST(FilterTest, Text) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"region_code=BY mechanism=PARDON OR -note:*",
       "region_code = \"BY\" AND (mechanism = PARDON OR NOT note:*)"},
      {"a b \"c d\"", "\"a\" AND \"b\" AND \"c d\""},
      {"any(participants,\"mechanism=PARDON\")", "any(participants, (mechanism = PARDON))"},
      {"labels.\"my key\":x", "labels.\"my key\":\"x\""},
      {"create_time>2025-12-13T12:00:00+02:00", "create_time > \"2025-12-13T10:00:00Z\""},
      {"effective_date=2025-12", "effective_date = \"2025-12\""},
      {"note=a\\*b*", "note = \"a\\*b*\""},
      {"note='a\"\n'", "note = \"a\\\"\\x0a\""},
      {"region_code=(BY OR RU)", "region_code = \"BY\" OR region_code = \"RU\""},
      {"NOT (NOT region_code = BY)", "NOT (NOT region_code = \"BY\")"},
      {"headcount.best=(-05)", "headcount.best = -5"},
      {"headcount.best=0x1F", "headcount.best = 31"},
  };
  for (const auto& [text, canonical] : cases) {
    const auto filter = Filter::Parse(text, v1::Release::descriptor());
    ASSERT_TRUE(filter.ok()) << filter.status();
    EXPECT_EQ(filter->Text(), canonical);
  }
}

// A message has a field, as a map has a key.
TEST(FilterTest, FieldsOfMessages) {
  Expect(Sample(), true,
         {"headcount:best", "headcount:\"best\"", "NOT headcount:low", "announced_by:person",
          "NOT ordered_by:person", "NOT announced_by:organization"});
  const auto filter = Filter::Parse("headcount:best", v1::Release::descriptor());
  EXPECT_EQ(filter->Text(), "headcount.best:*");
}

TEST(FilterTest, BoolsStandAlone) {
  const auto* type = v1::Source::descriptor();
  v1::Source source;
  for (const bool machine : {false, true}) {
    source.set_machine_translated(machine);
    EXPECT_EQ(Filter::Parse("machine_translated", type)->Matches(source), machine);
    EXPECT_EQ(Filter::Parse("-machine_translated", type)->Matches(source), !machine);
    EXPECT_FALSE(Filter::Parse("\"machine_translated\"", type)->Matches(source));
  }
  v1::Measure measure;
  measure.add_instruments()->set_partial(true);
  const auto partial = Filter::Parse("any(instruments, (partial))", v1::Measure::descriptor());
  ASSERT_TRUE(partial.ok()) << partial.status();
  EXPECT_TRUE(partial->Matches(measure));
  measure.mutable_instruments(0)->set_partial(false);
  EXPECT_FALSE(partial->Matches(measure));
}

TEST(FilterTest, Tree) {
  EXPECT_EQ(*SyntaxTree("a.b = \"x*\" c OR -f(d, 2.5) AND e"),
            "AND\n  SEQUENCE\n    =\n      a.b\n      \"x*\"\n    OR\n      c\n      NOT\n"
            "        f()\n          d\n          2.5\n  e\n");
  EXPECT_EQ(*SyntaxTree(" "), "");
  // Functions may have any name; NOT(a) denies.
  EXPECT_EQ(*SyntaxTree("OR(a) NOT() a.AND(b) NOT.a(b)"),
            "SEQUENCE\n  OR()\n    a\n  NOT()\n  a.AND()\n    b\n  NOT.a()\n    b\n");
  EXPECT_EQ(*SyntaxTree("a AND(b)"), "AND\n  a\n  b\n");
  EXPECT_EQ(*SyntaxTree("NOT(a)"), "NOT\n  a\n");
}

}  // namespace
}  // namespace detente::query
