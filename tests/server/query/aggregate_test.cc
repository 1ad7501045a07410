// Groups and their totals: from columns and from messages the same, and as records counted one by
// one have it.
#include "query/aggregate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "detente/v1/query_service.pb.h"
#include "detente/v1/release.pb.h"
#include "query/columns.h"
#include "server/engine/testing.h"
#include "server/query/cell_arrays.h"
#include "values/edtf.h"
#include "values/interval.h"
#include "values/messages.h"

namespace detente::query {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Proto;
using v1::AggregateRecordsRequest;
using v1::AggregateRecordsResponse;
using v1::Release;

Aggregation Parsed(const std::string& request) {
  auto parsed = ParseAggregation(Proto<AggregateRecordsRequest>(request), Release::descriptor());
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return *std::move(parsed);
}

void SetDate(const std::string& text, v1::UncertainDate* date) {
  if (text == "UNKNOWN" || text == "NONE" || text == "ONGOING") {
    v1::UncertainDate::State state;
    ASSERT_TRUE(v1::UncertainDate::State_Parse(text, &state));
    date->set_state(state);
  } else {
    date->set_edtf(text);
    std::vector<Violation> violations;
    values::NormalizeDate(date, &violations);
    ASSERT_TRUE(violations.empty()) << text;
  }
}

AggregateRecordsResponse Finished(Grouping* grouping) {
  AggregateRecordsResponse response;
  EXPECT_TRUE(grouping->Finish(&response).ok());
  return response;
}

AggregateRecordsResponse OfMessages(const Aggregation& aggregation,
                                    const std::vector<Release>& releases) {
  Grouping grouping(aggregation);
  for (const Release& release : releases) EXPECT_TRUE(grouping.Add(release).ok());
  return Finished(&grouping);
}

AggregateRecordsResponse OfColumns(const Aggregation& aggregation,
                                   const std::vector<Release>& releases) {
  const Columns columns(Release::descriptor(), "releases");
  Grouping grouping(aggregation);
  for (const Release& release : releases) {
    const store::Derived derived = columns.Derive(release);
    std::vector<Datum> data;
    std::vector<std::vector<store::Value>> kept;
    for (const Leaf* leaf : aggregation.Leaves()) {
      const auto found = ColumnsOf(*leaf, columns);
      EXPECT_TRUE(found.has_value()) << leaf->text;
      kept.emplace_back();
      for (int column : *found) kept.back().push_back(derived.columns[size_t(column)]);
    }
    for (size_t i = 0; i < kept.size(); ++i) {
      data.push_back(ReadColumns(*aggregation.Leaves()[i], kept[i]));
    }
    EXPECT_TRUE(grouping.Add(data).ok());
  }
  AggregateRecordsResponse response = Finished(&grouping);
  // All at once too.
  testing::CellArrays arrays(columns, aggregation.Leaves());
  for (const Release& release : releases) arrays.Append(release);
  Grouping at_once(aggregation);
  EXPECT_TRUE(at_once.Add(arrays.cells(), arrays.rows()).ok());
  // A difference of long texts would not be told in a minute.
  EXPECT_TRUE(Finished(&at_once).SerializeAsString() == response.SerializeAsString());
  return response;
}

// "key key: certain | possible", a value as far as it has anything.
std::string ToText(const AggregateRecordsResponse::Value& value) {
  std::string text = absl::StrCat(value.integer(), "/", value.count());
  if (value.has_sum()) {
    absl::StrAppend(&text, " ", value.sum().has_low() ? absl::StrCat(value.sum().low()) : "", "..",
                    value.sum().has_best() ? absl::StrCat(value.sum().best()) : "", "..",
                    value.sum().has_high() ? absl::StrCat(value.sum().high()) : "");
  }
  if (!value.text().empty()) absl::StrAppend(&text, " ", value.text());
  return text;
}

std::vector<std::string> Lines(const AggregateRecordsResponse& response) {
  std::vector<std::string> lines;
  for (const auto& group : response.groups()) {
    std::vector<std::string> keys, certain, possible;
    for (const auto& key : group.keys()) {
      keys.push_back(key.unknown() ? "?" : key.present() ? key.value() : "-");
    }
    for (const auto& value : group.certain_values()) certain.push_back(ToText(value));
    for (const auto& value : group.possible_values()) possible.push_back(ToText(value));
    lines.push_back(absl::StrCat(absl::StrJoin(keys, " "), ": ", absl::StrJoin(certain, ", "),
                                 " | ", absl::StrJoin(possible, ", ")));
  }
  return lines;
}

Release With(const std::string& date, const std::string& rest = "") {
  auto release = Proto<Release>(rest);
  if (!date.empty()) SetDate(date, release.mutable_effective_date());
  return release;
}

constexpr char kCount[] = "measures { kind: COUNT }";

TEST(AggregateTest, CertainlyAndPossiblyInAMonth) {
  const Aggregation by_month = Parsed("group_paths: 'effective_date.month'");
  const std::vector<Release> releases = {With("2025-12-13"),
                                         With("2025-12"),
                                         With("2025-12-30/2026-01-02"),
                                         With("[2025-11,2026-01]"),
                                         With("{2025-11,2026-01}"),
                                         With("UNKNOWN"),
                                         With("2026/.."),
                                         With("NONE"),
                                         With("")};
  EXPECT_THAT(Lines(OfMessages(by_month, releases)),
              ElementsAre("2025-11: 1/1 | 3/3",  // {}; [], unknown
                          "2025-12: 2/2 | 4/4",  // and the turn of the year, unknown
                          "2026-01: 1/1 | 5/5",  // {}; turn, [], unknown, 2026/..
                          "?: 2/2 | 2/2", "-: 2/2 | 2/2"));
  EXPECT_THAT(Lines(OfColumns(by_month, releases)), Lines(OfMessages(by_month, releases)));
  // A year is no thousand months, but three thousand days.
  EXPECT_THAT(Lines(OfMessages(Parsed("group_paths: 'effective_date.day'"),
                               {With("2020/2029"), With("2025-12-13"), With("2035-01-01")})),
              ElementsAre("2025-12-13: 1/1 | 2/2", "2035-01-01: 1/1 | 1/1", "?: 1/1 | 1/1"));
  EXPECT_THAT(Lines(OfMessages(Parsed("group_paths: 'effective_date.quarter'"), {With("2025")})),
              ElementsAre("2025-Q1: 0/0 | 1/1", "2025-Q2: 0/0 | 1/1", "2025-Q3: 0/0 | 1/1",
                          "2025-Q4: 0/0 | 1/1"));
}

TEST(AggregateTest, SumsOfBounds) {
  const Aggregation sum = Parsed(
      "group_paths: 'region_code' measures { kind: SUM path: 'headcount' } "
      "measures { kind: SUM path: 'headcount.best' } measures { kind: COUNT path: 'headcount' }");
  const std::vector<Release> releases = {
      With("", "region_code: 'BY' headcount { best: 14 }"),
      With("", "region_code: 'BY' headcount { low: 100 high: 120 }"),
      With("", "region_code: 'BY' headcount { best: 30 approximate: true high: 50 }"),
      With("", "region_code: 'PL' headcount { low: 3 }"),
      With("", "region_code: 'PL' headcount { low: 3 best: 4 high: 5 }"),
      With("", "region_code: 'US' headcount { best: 7 }"),
      With("", "region_code: 'US'"),
      With("", "region_code: 'UA' headcount { text: 'thousands' }")};
  EXPECT_THAT(Lines(OfMessages(sum, releases)),
              ElementsAre("BY: 0/3 114..44..184, 0/2 ..44.., 3/3 | "
                          "0/3 114..44..184, 0/2 ..44.., 3/3",
                          "PL: 0/2 6..4.., 0/1 ..4.., 2/2 | 0/2 6..4.., 0/1 ..4.., 2/2",
                          "UA: 0/0, 0/0, 0/0 | 0/0, 0/0, 0/0",
                          "US: 0/1 7..7.., 0/1 ..7.., 1/1 | 0/1 7..7.., 0/1 ..7.., 1/1"));
  EXPECT_EQ(Lines(OfColumns(sum, releases)), Lines(OfMessages(sum, releases)));
  // Sums beyond 64 bits stop at their end.
  EXPECT_THAT(
      Lines(OfMessages(Parsed("measures { kind: SUM path: 'headcount' }"),
                       {With("", "headcount { best: 9223372036854775807 }"),
                        With("", "headcount { best: 9223372036854775807 }")})),
      ElementsAre(HasSubstr("9223372036854775807..9223372036854775807..9223372036854775807")));
}

TEST(AggregateTest, ListsAreTakenElementByElement) {
  const Release release = Proto<Release>(R"(
    participants { id: "a" mechanism: PARDON outcomes { id: "1" kind: FREED }
                   outcomes { id: "2" kind: REARRESTED } }
    participants { id: "b" mechanism: PARDON outcomes { id: "1" kind: FREED } }
    participants { id: "c" }
    transfers { id: "1" destination { region_code: "LT" } count { best: 10 } }
    transfers { id: "2" destination { region_code: "LT" } count { best: 20 } }
    transfers { id: "3" destination { region_code: "UA" } count { best: 30 } }
    headcount { best: 100 })");
  auto lines = [&](const std::string& request) {
    return Lines(OfMessages(Parsed(request), {release}));
  };
  EXPECT_THAT(
      lines("group_paths: 'participants.mechanism' measures { kind: COUNT } "
            "measures { kind: COUNT path: 'participants' } "
            "measures { kind: COUNT path: 'participants.outcomes' } "
            "measures { kind: SUM path: 'headcount' }"),
      ElementsAre("PARDON: 1/1, 1/2, 1/3, 0/1 100..100..100 | "
                  "1/1, 1/2, 1/3, 0/1 100..100..100",
                  "-: 1/1, 1/1, 0/0, 0/1 100..100..100 | 1/1, 1/1, 0/0, 0/1 100..100..100"));
  // Not each mechanism with each outcome: those of one person.
  EXPECT_THAT(lines("group_paths: 'participants.id' group_paths: 'participants.outcomes.kind'"),
              ElementsAre("a FREED: 1/1 | 1/1", "a REARRESTED: 1/1 | 1/1", "b FREED: 1/1 | 1/1",
                          "c -: 1/1 | 1/1"));
  EXPECT_THAT(
      lines("group_paths: 'transfers.destination.region_code' "
            "measures { kind: SUM path: 'transfers.count' }"),
      ElementsAre("LT: 0/2 30..30..30 | 0/2 30..30..30", "UA: 0/1 30..30..30 | 0/1 30..30..30"));
  EXPECT_THAT(lines("measures { kind: SUM path: 'transfers.count' } "
                    "measures { kind: DISTINCT path: 'transfers.destination.region_code' }"),
              ElementsAre(": 0/3 60..60..60, 2/3 | 0/3 60..60..60, 2/3"));
}

TEST(AggregateTest, DatesInListsAreUnited) {
  Release release;
  int id = 0;
  for (const char* date : {"2025-06-21", "2025-09", "2025", "UNKNOWN"}) {
    auto* outcome = release.add_participants()->add_outcomes();
    outcome->set_id(absl::StrCat(++id));
    SetDate(date, outcome->mutable_date());
  }
  EXPECT_THAT(Lines(OfMessages(Parsed("group_paths: 'participants.outcomes.date.quarter' "
                                      "measures { kind: COUNT } measures { kind: COUNT "
                                      "path: 'participants.outcomes.date' }"),
                               {release, release})),
              ElementsAre("2025-Q1: 0/0, 0/0 | 2/2, 2/4", "2025-Q2: 2/2, 2/2 | 2/2, 2/6",
                          "2025-Q3: 2/2, 2/2 | 2/2, 2/6", "2025-Q4: 0/0, 0/0 | 2/2, 2/4",
                          "?: 2/2, 2/2 | 2/2, 2/2"));
}

TEST(AggregateTest, LeastGreatestAndDifferent) {
  const Aggregation all = Parsed(
      "measures { kind: MIN path: 'effective_date' } measures { kind: MAX path: 'effective_date' } "
      "measures { kind: MIN path: 'region_code' } measures { kind: MAX path: 'mechanism' } "
      "measures { kind: DISTINCT path: 'region_code' } measures { kind: MAX path: 'headcount.best' "
      "} "
      "measures { kind: DISTINCT path: 'effective_date' }");
  const std::vector<Release> releases = {
      With("2025-12", "region_code: 'PL' mechanism: PARDON headcount { best: 9 }"),
      With("2024/..", "region_code: 'BY' mechanism: AMNESTY headcount { best: 10 }"),
      With("UNKNOWN", "region_code: 'BY'"), With("NONE"), With("")};
  EXPECT_THAT(Lines(OfMessages(all, releases)),
              ElementsAre(HasSubstr("| 0/2 2024-01-01, 0/1 2025-12-31, 0/3 BY, 0/2 AMNESTY, 2/3, "
                                    "0/2 10, 2/2")));
  EXPECT_EQ(Lines(OfColumns(all, releases)), Lines(OfMessages(all, releases)));
  EXPECT_THAT(Lines(OfMessages(all, {})), ElementsAre(HasSubstr("0/0, 0/0, 0/0, 0/0, 0/0 |")));
}

// The columns of a date's bounds have a value where the date has readings but no bound.
TEST(AggregateTest, ABoundThatIsNotThereHasNoValue) {
  std::vector<Release> releases(4);
  SetDate("../2020", releases[0].mutable_effective_date());
  SetDate("2020/..", releases[1].mutable_effective_date());
  SetDate("UNKNOWN", releases[2].mutable_effective_date());
  const Aggregation aggregation =
      Parsed(R"pb(group_paths: "effective_date.earliest.year"
                  measures { kind: COUNT }
                  measures { kind: MAX path: "effective_date.latest" })pb");
  const std::vector<std::string> of_columns = Lines(OfColumns(aggregation, releases));
  EXPECT_EQ(of_columns, Lines(OfMessages(aggregation, releases)));
  EXPECT_THAT(of_columns, ElementsAre(HasSubstr("2020"), HasSubstr("2020-12-31")));
}

TEST(AggregateTest, OrderAndLimit) {
  const std::vector<Release> releases = {With("", "region_code: 'BY' headcount { low: 2 }"),
                                         With("", "region_code: 'BY'"),
                                         With("", "region_code: 'PL' headcount { best: 5 }"),
                                         With("", "region_code: 'UA' headcount { best: 1 }"),
                                         With("", "region_code: 'UA' headcount { best: 1 }"),
                                         With("")};
  auto keys = [&](const std::string& order, const std::string& rest = "") {
    std::vector<std::string> found;
    const auto response = OfMessages(
        Parsed("group_paths: 'region_code' measures { kind: COUNT } measures { kind: SUM path: "
               "'headcount' } order_by: '" +
               order + "' " + rest),
        releases);
    for (const auto& group : response.groups()) found.push_back(group.keys(0).value());
    EXPECT_EQ(response.total_groups(), 4);
    EXPECT_EQ(response.record_count(), 6);
    return absl::StrJoin(found, ",");
  };
  EXPECT_EQ(keys(""), "BY,PL,UA,");
  EXPECT_EQ(keys("region_code desc"), "UA,PL,BY,");
  EXPECT_EQ(keys("count desc"), "BY,UA,PL,");
  EXPECT_EQ(keys(" count , region_code desc "), "PL,,UA,BY");
  EXPECT_EQ(keys("sum(headcount)"), "UA,PL,,BY");
  EXPECT_EQ(keys("sum(headcount) desc"), "PL,UA,BY,");
  EXPECT_EQ(keys("count desc", "max_groups: 1"), "BY");
}

TEST(AggregateTest, LabelsByKey) {
  EXPECT_THAT(Lines(OfMessages(Parsed("group_paths: 'labels.case'"),
                               {With("", "labels { key: 'case' value: 'x' }"),
                                With("", "labels { key: 'other' value: 'x' }")})),
              ElementsAre("x: 1/1 | 1/1", "-: 1/1 | 1/1"));
}

TEST(AggregateTest, WhatIsWrong) {
  auto wrong = [](const std::string& request) {
    auto parsed = ParseAggregation(Proto<AggregateRecordsRequest>(request), Release::descriptor());
    EXPECT_FALSE(parsed.ok());
    return testing::Violations(parsed.status());
  };
  EXPECT_THAT(
      wrong("group_paths: 'effectve_date.year' group_paths: 'effective_date' group_paths: "
            "'headcount' group_paths: 'announced_by' group_paths: 'region_code.x' "),
      ElementsAre(
          HasSubstr(
              "group_paths[0]: `effectve_date.year`: Release has no field `effectve_date`; did "
              "you mean `effective_date`? at position 0"),
          HasSubstr("group_paths[1]: `effective_date`: a part of it expected: "
                    "`effective_date.year`"),
          HasSubstr("group_paths[2]: `headcount`: a field of it expected"),
          HasSubstr("group_paths[3]: `announced_by`: a field of announced_by expected"),
          HasSubstr("group_paths[4]: `region_code.x`: region_code has no fields")));
  EXPECT_THAT(wrong("measures { path: 'x' } measures { kind: SUM } measures { kind: SUM path: "
                    "'region_code' } measures { kind: MIN path: 'headcount' } measures { kind: MAX "
                    "path: 'effective_date.year' } max_groups: -1"),
              ElementsAre(HasSubstr("measures[0].kind: COUNT, DISTINCT, SUM, MIN or MAX"),
                          HasSubstr("measures[1].path: is required for SUM"),
                          HasSubstr("measures[2].path: `region_code`: SUM takes a number"),
                          HasSubstr("measures[3].path: `headcount`: a field of it"),
                          HasSubstr("measures[4].path: `effective_date.year`: a part of a date"),
                          HasSubstr("max_groups: from 0 on")));
  EXPECT_THAT(wrong("group_paths: 'region_code' order_by: 'cont desc, region_code up'"),
              ElementsAre(HasSubstr("order_by: `cont`: one of region_code, count expected; did you "
                                    "mean `count`?"),
                          HasSubstr("order_by: `region_code up`: `asc`, `desc` or nothing")));
  EXPECT_THAT(wrong("group_paths: 'region_code' group_paths: 'region_code'"),
              ElementsAre(HasSubstr("is there before")));
  EXPECT_THAT(wrong("group_paths: 'effective_date.year' group_paths: "
                    "'participants.outcomes.date.year'"),
              ElementsAre(HasSubstr("goes with no other uncertain date")));
  std::string six;
  for (int i = 0; i < 6; ++i) six += "group_paths: 'region_code' ";
  EXPECT_THAT(wrong(six), ElementsAre(HasSubstr("at most 5 expected, got 6")));
}

TEST(AggregateTest, WhatIsKeptIsLimited) {
  const Aggregation by_name = Parsed("group_paths: 'display_name'");
  Grouping groups(by_name);
  absl::Status status;
  size_t taken = 0;
  for (; status.ok() && taken < 2 * kMaxGroupsInMemory; ++taken) {
    status = groups.Add(With("", absl::StrCat("display_name: '", taken, "'")));
  }
  EXPECT_FAILS(status, kInvalidArgument, LIMIT_EXCEEDED);
  EXPECT_EQ(taken, kMaxGroupsInMemory + 1);

  // Each of 600 notes is told apart in each of 2,000 groups.
  const Aggregation different =
      Parsed("group_paths: 'participants.id' measures { kind: DISTINCT path: 'note' }");
  Release release;
  for (int i = 0; i < 2'000; ++i) release.add_participants()->set_id(absl::StrCat(i));
  Grouping distinct(different);
  status = absl::OkStatus();
  for (taken = 0; status.ok() && taken < 600; ++taken) {
    release.set_note(absl::StrCat(taken));
    status = distinct.Add(release);
  }
  EXPECT_FAILS(status, kInvalidArgument, LIMIT_EXCEEDED);
  EXPECT_EQ(taken, kMaxDistinct / 2'000 + 1);

  const Aggregation each_with_each =
      Parsed("group_paths: 'participants.id' group_paths: 'transfers.id'");
  for (int i = 0; i < 51; ++i) release.add_transfers()->set_id(absl::StrCat(i));
  Grouping combined(each_with_each);
  EXPECT_FAILS(combined.Add(release), kInvalidArgument, LIMIT_EXCEEDED);
}

// --- against records counted one by one ----------------------------------------------------------

const std::vector<std::string> kDates = {
    "",           "",        "NONE",       "ONGOING",        "UNKNOWN",
    "2025-12-13", "2025-12", "2025",       "2024/2026",      "2025-12-30/2026-01-02",
    "../2025-06", "2025/..", "2025-1X",    "202X",           "[2024-05,2025-07]",
    "2025-11-30", "2025~",   "2024-XX-13", "{2024-05,2026}", "20XX-12-13"};

struct Place {
  bool certain = false;
  bool possible = false;
};

values::DateWindow WindowOfLabel(const std::string& label) {
  const std::string edtf =
      absl::StrReplaceAll(label, {{"-Q1", "-33"}, {"-Q2", "-34"}, {"-Q3", "-35"}, {"-Q4", "-36"}});
  return values::ParseEdtf(edtf)->Bounds();
}

// Whether the date says so little that its buckets are not listed.
bool TooWide(const v1::UncertainDate& date, const std::string& part) {
  if (date.state() == v1::UncertainDate::UNKNOWN) return true;
  const auto parsed = values::ParseEdtf(date.edtf());
  if (!parsed->earliest || !parsed->latest) return true;
  if (part == "month") {
    return (parsed->latest->year - parsed->earliest->year) * 12 + parsed->latest->month -
               parsed->earliest->month >=
           1'000;
  }
  return part == "day" &&
         values::DaysFromCivil(*parsed->latest) - values::DaysFromCivil(*parsed->earliest) >= 1'000;
}

bool HasNone(const v1::UncertainDate& date) {
  return date.state() != v1::UncertainDate::UNKNOWN && date.edtf().empty();
}

Place PlaceOf(const v1::UncertainDate& date, const std::string& part, const std::string& label) {
  if (label == "-") return {HasNone(date), HasNone(date)};
  if (HasNone(date)) return {};
  const bool wide = TooWide(date, part);
  if (label == "?") return {wide, wide};
  if (date.state() == v1::UncertainDate::UNKNOWN) return {false, true};
  const values::DateWindow window = WindowOfLabel(label);
  Place place;
  // Of {a,b} each by itself.
  std::string text = date.edtf();
  const bool all = text.front() == '{';
  if (all) text = text.substr(1, text.size() - 2);
  const std::vector<std::string> members =
      all ? std::vector<std::string>(absl::StrSplit(text, ',')) : std::vector<std::string>{text};
  for (const std::string& member : members) {
    const auto parsed = values::ParseEdtf(member);
    place.certain |= !wide && Certainly(*parsed, values::DateRelation::kWithin, window);
    place.possible |= Possibly(*parsed, values::DateRelation::kWithin, window);
  }
  return place;
}

std::string Expected(const std::vector<const Release*>& releases) {
  int64_t with_date = 0, sums = 0, low = 0, best = 0, high = 0;
  bool bounded = true, has_best = false;
  std::set<std::string> regions;
  std::string least;
  int64_t regions_count = 0, least_count = 0;
  for (const Release* release : releases) {
    with_date += !HasNone(release->announce_date());
    const v1::Estimate& estimate = release->headcount();
    if (estimate.has_low() || estimate.has_best() || estimate.has_high()) {
      ++sums;
      const values::Interval bounds = values::BoundsOf(estimate);
      low += bounds.low;
      bounded &= bounds.high.has_value();
      high += bounds.high.value_or(0);
      best += estimate.best();
      has_best |= estimate.has_best();
    } else {
      bounded = false;
    }
    if (!release->region_code().empty()) {
      ++regions_count;
      regions.insert(release->region_code());
    }
    if (!release->announce_date().edtf().empty()) {
      const auto date = values::ParseEdtf(release->announce_date().edtf());
      if (date->earliest) {
        ++least_count;
        const std::string day = absl::StrCat(
            date->earliest->year, "-", date->earliest->month < 10 ? "0" : "", date->earliest->month,
            "-", date->earliest->day < 10 ? "0" : "", date->earliest->day);
        if (least.empty() || day < least) least = day;
      }
    }
  }
  std::string sum = absl::StrCat("0/", sums);
  if (sums > 0) {
    absl::StrAppend(&sum, " ", low, "..", has_best ? absl::StrCat(best) : "", "..",
                    bounded ? absl::StrCat(high) : "");
  }
  const size_t count = releases.size();
  return absl::StrCat(count, "/", count, ", ", with_date, "/", with_date, ", ", regions.size(), "/",
                      regions_count, ", ", sum, ", 0/", least_count, least.empty() ? "" : " ",
                      least);
}

TEST(AggregateTest, RandomRecordsOneByOne) {
  std::mt19937_64 random(13);
  auto below = [&](uint64_t n) { return random() % n; };
  size_t lines = 0, differing = 0;
  for (int round = 0; round < 60; ++round) {
    std::vector<Release> releases(below(25));
    for (Release& release : releases) {
      SetDate(kDates[2 + below(kDates.size() - 2)], release.mutable_effective_date());
      if (below(8) == 0) release.clear_effective_date();
      SetDate(kDates[2 + below(kDates.size() - 2)], release.mutable_announce_date());
      if (below(8) == 0) release.clear_announce_date();
      if (below(4) != 0) release.set_region_code(below(2) == 0 ? "BY" : "PL");
      if (below(4) == 0) continue;
      v1::Estimate* headcount = release.mutable_headcount();
      const int64_t low = static_cast<int64_t>(below(5));
      if (below(2) == 0) headcount->set_low(low);
      if (below(2) == 0) headcount->set_best(low + 1);
      if (below(2) == 0) headcount->set_high(low + 3);
      headcount->set_approximate(below(3) == 0);
    }
    const int shape = static_cast<int>(below(4));
    // Pairs of finer dates would be very many groups.
    const std::string first =
        std::vector<std::string>{"year", "quarter", "month", "day"}[below(shape == 2 ? 2 : 4)];
    const std::string second = std::vector<std::string>{"year", "quarter"}[below(2)];
    std::string request;
    if (shape != 3) absl::StrAppend(&request, "group_paths: 'effective_date.", first, "' ");
    if (shape == 1 || shape == 3) absl::StrAppend(&request, "group_paths: 'region_code' ");
    if (shape == 2) absl::StrAppend(&request, "group_paths: 'announce_date.", second, "' ");
    absl::StrAppend(&request, kCount,
                    " measures { kind: COUNT path: 'announce_date' } measures { kind: DISTINCT "
                    "path: 'region_code' } measures { kind: SUM path: 'headcount' } "
                    "measures { kind: MIN path: 'announce_date' }");
    Aggregation aggregation = Parsed(request);
    aggregation.max_groups = kMaxGroupsInMemory;
    const auto response = OfMessages(aggregation, releases);
    ASSERT_EQ(OfColumns(aggregation, releases).DebugString(), response.DebugString()) << request;
    ASSERT_EQ(response.groups_size(), response.total_groups());
    std::set<const Release*> seen;
    for (int g = 0; g < response.groups_size(); ++g) {
      std::vector<const Release*> certain, possible;
      std::vector<std::string> keys;
      for (const auto& key : response.groups(g).keys()) {
        keys.push_back(key.unknown() ? "?" : key.present() ? key.value() : "-");
      }
      for (const Release& release : releases) {
        Place whole{true, true};
        size_t at = 0;
        auto take = [&](const Place& place) {
          whole.certain &= place.certain;
          whole.possible &= place.possible;
        };
        if (shape != 3) take(PlaceOf(release.effective_date(), first, keys[at++]));
        if (shape == 1 || shape == 3) {
          const bool same =
              keys[at++] == (release.region_code().empty() ? "-" : release.region_code());
          take({same, same});
        }
        if (shape == 2) take(PlaceOf(release.announce_date(), second, keys[at++]));
        if (whole.certain) certain.push_back(&release);
        if (whole.possible) possible.push_back(&release);
        if (whole.possible) seen.insert(&release);
      }
      const std::string expected = absl::StrCat(absl::StrJoin(keys, " "), ": ", Expected(certain),
                                                " | ", Expected(possible));
      ASSERT_EQ(Lines(response)[size_t(g)], expected) << request;
      ++lines;
      differing += certain.size() != possible.size();
    }
    ASSERT_EQ(seen.size(), releases.size()) << "a record is in no group";
  }
  EXPECT_GT(lines, 1'500);
  EXPECT_GT(differing, 700);
}

}  // namespace
}  // namespace detente::query
