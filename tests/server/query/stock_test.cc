// Who is held at the end of a day, against readings of the dates tried one by one.
#include "query/stock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "detente/v1/detention.pb.h"
#include "detente/v1/query_service.pb.h"
#include "query/columns.h"
#include "server/engine/testing.h"
#include "server/query/cell_arrays.h"
#include "values/edtf.h"
#include "values/messages.h"

namespace detente::query {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Proto;
using v1::ComputeStockRequest;
using v1::ComputeStockResponse;
using v1::Detention;

void SetDate(const std::string& text, v1::UncertainDate* date) {
  v1::UncertainDate::State state;
  if (v1::UncertainDate::State_Parse(text, &state)) {
    date->set_state(state);
    return;
  }
  date->set_edtf(text);
  std::vector<Violation> violations;
  values::NormalizeDate(date, &violations);
  ASSERT_TRUE(violations.empty()) << text;
}

Detention Spell(const std::string& start, const std::string& end, const std::string& rest = "") {
  auto spell = Proto<Detention>(rest);
  if (!start.empty()) SetDate(start, spell.mutable_start_date());
  if (!end.empty()) SetDate(end, spell.mutable_end_date());
  return spell;
}

StockQuery Parsed(const std::string& request) {
  auto parsed = ParseStockQuery(Proto<ComputeStockRequest>(request), Detention::descriptor());
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return *std::move(parsed);
}

ComputeStockResponse OfMessages(const StockQuery& query, const std::vector<Detention>& spells) {
  Stock stock(query);
  for (const Detention& spell : spells) EXPECT_TRUE(stock.Add(spell).ok());
  ComputeStockResponse response;
  stock.Write(&response);
  return response;
}

ComputeStockResponse OfColumns(const StockQuery& query, const std::vector<Detention>& spells) {
  const Columns columns(Detention::descriptor(), "detentions");
  Stock stock(query);
  for (const Detention& spell : spells) {
    const store::Derived derived = columns.Derive(spell);
    std::vector<std::vector<store::Value>> kept;
    for (const Leaf* leaf : query.Leaves()) {
      kept.emplace_back();
      const auto found = ColumnsOf(*leaf, columns);
      for (int column : *found) {
        kept.back().push_back(derived.columns[size_t(column)]);
      }
    }
    std::vector<Datum> data;
    for (size_t i = 0; i < kept.size(); ++i) {
      data.push_back(ReadColumns(*query.Leaves()[i], kept[i]));
    }
    EXPECT_TRUE(stock.Add(data).ok());
  }
  ComputeStockResponse response;
  stock.Write(&response);
  // All at once too.
  testing::CellArrays arrays(columns, query.Leaves());
  for (const Detention& spell : spells) arrays.Append(spell);
  Stock at_once(query);
  EXPECT_TRUE(at_once.Add(arrays.cells(), arrays.rows()).ok());
  ComputeStockResponse again;
  at_once.Write(&again);
  EXPECT_EQ(again.DebugString(), response.DebugString());
  return response;
}

// "day certain..possible" for each point, behind the key of the series.
std::vector<std::string> Lines(const ComputeStockResponse& response) {
  std::vector<std::string> lines;
  for (const auto& series : response.series()) {
    for (const auto& point : series.points()) {
      lines.push_back(absl::StrCat(series.key().present() ? series.key().value() + " " : "",
                                   point.day().month(), "/", point.day().day(), " ",
                                   point.certain(), "..", point.possible()));
    }
  }
  return lines;
}

TEST(StockTest, AtTheEndOfEachDay) {
  const StockQuery days = Parsed(
      "first_day { year: 2025 month: 12 day: 11 } last_day { year: 2025 month: 12 day: 14 } "
      "step: DAY");
  // From the day that it begins on, to the day before that which it ends on.
  EXPECT_THAT(Lines(OfMessages(days, {Spell("2025-12-12", "2025-12-14")})),
              ElementsAre("12/11 0..0", "12/12 1..1", "12/13 1..1", "12/14 0..0"));
  EXPECT_THAT(
      Lines(OfMessages(days, {Spell("2025-12-12", "ONGOING"), Spell("2025-12-12", "NONE")})),
      ElementsAre("12/11 0..0", "12/12 2..2", "12/13 2..2", "12/14 2..2"));
  EXPECT_THAT(Lines(OfMessages(days, {Spell("2025-12-12", ""), Spell("2025-12-12", "UNKNOWN"),
                                      Spell("2025-12-12", "../2026")})),
              ElementsAre("12/11 0..0", "12/12 0..3", "12/13 0..3", "12/14 0..3"));
  EXPECT_THAT(Lines(OfMessages(days, {Spell("2025-12-11/2025-12-12", "2025-12-13/2025-12-14")})),
              ElementsAre("12/11 0..1", "12/12 1..1", "12/13 0..1", "12/14 0..0"));
  EXPECT_THAT(Lines(OfMessages(days, {Spell("UNKNOWN", "2025-12-13")})),
              ElementsAre("12/11 0..1", "12/12 0..1", "12/13 0..0", "12/14 0..0"));
  const auto none =
      OfMessages(days, {Spell("", "2025-12-13"), Spell("NONE", ""), Spell("ONGOING", "")});
  EXPECT_THAT(Lines(none), ElementsAre("12/11 0..0", "12/12 0..0", "12/13 0..0", "12/14 0..0"));
  EXPECT_EQ(none.record_count(), 0);
}

TEST(StockTest, StepsAndSeries) {
  auto days = [](const std::string& step) {
    std::vector<std::string> found;
    for (int64_t day : Parsed("first_day { year: 2024 month: 11 day: 15 } "
                              "last_day { year: 2025 month: 2 day: 10 } step: " +
                              step)
                           .days) {
      found.push_back(BucketText(DatePart::kDay, day));
    }
    return found;
  };
  EXPECT_THAT(days("MONTH"),
              ElementsAre("2024-11-15", "2024-12-01", "2025-01-01", "2025-02-01", "2025-02-10"));
  EXPECT_EQ(days("STEP_UNSPECIFIED"), days("MONTH"));
  EXPECT_THAT(days("QUARTER"), ElementsAre("2024-11-15", "2025-01-01", "2025-02-10"));
  EXPECT_THAT(days("YEAR"), ElementsAre("2024-11-15", "2025-01-01", "2025-02-10"));
  EXPECT_EQ(days("DAY").size(), 88);

  const std::string one_day =
      "first_day { year: 2025 month: 1 day: 1 } last_day { year: 2025 month: 1 day: 1 } ";
  const std::vector<Detention> spells = {
      Spell("2024", "ONGOING", "region_code: 'PL'"), Spell("2024", "ONGOING", "region_code: 'BY'"),
      Spell("2024", "", "region_code: 'BY'"), Spell("2024", "ONGOING")};
  const StockQuery by_region = Parsed(one_day + "group_path: 'region_code'");
  EXPECT_THAT(Lines(OfMessages(by_region, spells)),
              ElementsAre("BY 1/1 1..2", "PL 1/1 1..1", "1/1 1..1"));
  EXPECT_EQ(Lines(OfColumns(by_region, spells)), Lines(OfMessages(by_region, spells)));
  // Once for each value of a list.
  const StockQuery by_role = Parsed(one_day + "group_path: 'officials.role'");
  const auto response =
      OfMessages(by_role, {Spell("2024", "ONGOING",
                                 "officials { role: JUDGE } officials { role: JUDGE } "
                                 "officials { role: PROSECUTOR }")});
  EXPECT_THAT(Lines(response), ElementsAre("JUDGE 1/1 1..1", "PROSECUTOR 1/1 1..1"));
  EXPECT_EQ(response.record_count(), 1);
}

TEST(StockTest, WhatIsWrong) {
  auto wrong = [](const std::string& request) {
    auto parsed = ParseStockQuery(Proto<ComputeStockRequest>(request), Detention::descriptor());
    EXPECT_FALSE(parsed.ok());
    return testing::Violations(parsed.status());
  };
  EXPECT_THAT(
      wrong("start_path: 'strt_date' end_path: 'placements.end_date' group_path: "
            "'start_date.year' first_day { year: 2025 month: 2 day: 30 }"),
      ElementsAre(HasSubstr("start_path: `strt_date`: Detention has no field `strt_date`; did "
                            "you mean `start_date`?"),
                  HasSubstr("end_path: `placements.end_date`: an uncertain date that a "
                            "record has one of"),
                  HasSubstr("first_day: a day of the calendar expected"),
                  HasSubstr("last_day: is required"),
                  HasSubstr("group_path: a field that is no uncertain date")));
  EXPECT_THAT(
      wrong("first_day { year: 2025 month: 2 day: 3 } last_day { year: 2025 month: 2 day: 2 }"),
      ElementsAre(HasSubstr("last_day: a day from `first_day` on")));
  auto many = ParseStockQuery(
      Proto<ComputeStockRequest>("first_day { year: 1990 month: 1 day: 1 } last_day { year: 2017 "
                                 "month: 5 day: 19 } step: DAY"),
      Detention::descriptor());
  EXPECT_FAILS(many, kInvalidArgument, LIMIT_EXCEEDED);
  const StockQuery most = Parsed(
      "first_day { year: 1990 month: 1 day: 1 } last_day { year: 2017 month: 5 day: 18 } step: DAY "
      "group_path: 'person'");
  EXPECT_EQ(most.days.size(), kMaxStockDays);
  Stock stock(most);
  for (int i = 0; i < 15; ++i) {
    ASSERT_OK(stock.Add(Spell("2000", "", absl::StrCat("person: 'persons/p", i, "'"))));
  }
  EXPECT_FAILS(stock.Add(Spell("2000", "", "person: 'persons/q'")), kInvalidArgument,
               LIMIT_EXCEEDED);
}

// Days on which a date may lie, of those that matter here; past all of them for an end that is not
// to come.
TEST(StockTest, RandomSpellsReadingByReading) {
  std::mt19937_64 random(14);
  auto below = [&](uint64_t n) { return random() % n; };
  const std::vector<std::string> kTexts = {"2025-12-13",
                                           "2025-12",
                                           "2025-1X-13",
                                           "[2025-11-20,2025-12-20]",
                                           "2025-11-25/2025-12-05",
                                           "2025-12-0X",
                                           "2025-11/..",
                                           "../2025-12-10",
                                           "UNKNOWN",
                                           "NONE",
                                           "ONGOING",
                                           ""};
  const int64_t first = values::DaysFromCivil({2025, 11, 15});
  const int64_t last = values::DaysFromCivil({2026, 1, 10});
  const StockQuery query = Parsed(
      "first_day { year: 2025 month: 11 day: 15 } last_day { year: 2026 month: 1 day: 10 } "
      "step: DAY");
  auto can_be = [](const v1::UncertainDate& date, int64_t from, int64_t to) {
    if (date.state() == v1::UncertainDate::UNKNOWN) return true;
    if (date.edtf().empty()) return false;
    return Possibly(*values::ParseEdtf(date.edtf()), values::DateRelation::kWithin,
                    {values::CivilFromDays(from), values::CivilFromDays(to)});
  };
  constexpr int64_t kFar = 4'000'000;
  for (int round = 0; round < 300; ++round) {
    std::vector<Detention> spells;
    for (uint64_t n = below(6); n > 0; --n) {
      spells.push_back(Spell(kTexts[below(kTexts.size())], kTexts[below(kTexts.size())]));
    }
    const auto response = OfMessages(query, spells);
    ASSERT_EQ(Lines(OfColumns(query, spells)), Lines(response));
    for (int64_t day = first; day <= last; ++day) {
      int64_t certain = 0, possible = 0;
      for (const Detention& spell : spells) {
        const auto& start = spell.start_date();
        const auto& end = spell.end_date();
        const bool goes_on =
            end.state() == v1::UncertainDate::NONE || end.state() == v1::UncertainDate::ONGOING;
        const bool absent =
            !goes_on && end.state() != v1::UncertainDate::UNKNOWN && end.edtf().empty();
        const bool may_begin = can_be(start, -719'000, day);
        const bool may_begin_later = can_be(start, day + 1, kFar);
        const bool may_end = !goes_on && (absent || can_be(end, -719'000, day));
        const bool may_end_later = goes_on || absent || can_be(end, day + 1, kFar);
        possible += may_begin && may_end_later;
        certain += may_begin && !may_begin_later && !may_end && may_end_later;
      }
      const auto& point = response.series(0).points(static_cast<int>(day - first));
      ASSERT_EQ(point.certain(), certain) << day;
      ASSERT_EQ(point.possible(), possible) << day;
    }
  }
}

}  // namespace
}  // namespace detente::query
