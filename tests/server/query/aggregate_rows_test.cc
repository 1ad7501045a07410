// Records that come as columns: what is kept of them before it goes to its groups, and its limits.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detente/v1/query_service.pb.h"
#include "detente/v1/release.pb.h"
#include "query/aggregate.h"
#include "query/columns.h"
#include "query/text_numbers.h"
#include "server/engine/testing.h"
#include "server/query/cell_arrays.h"
#include "values/civil_date.h"
#include "values/messages.h"

namespace detente::query {
namespace {

using testing::CellArrays;
using testing::Proto;
using v1::AggregateRecordsRequest;
using v1::AggregateRecordsResponse;
using v1::Release;

enum class How { kMessages, kValues, kColumns };

Aggregation Parsed(const std::string& request) {
  auto parsed = ParseAggregation(Proto<AggregateRecordsRequest>(request), Release::descriptor());
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return *std::move(parsed);
}

absl::StatusOr<AggregateRecordsResponse> Aggregated(const Aggregation& aggregation,
                                                    const std::vector<Release>& releases, How how) {
  const Columns columns(Release::descriptor(), "releases");
  const std::vector<const Leaf*> leaves = aggregation.Leaves();
  Grouping grouping(aggregation);
  CellArrays arrays(columns, leaves);
  absl::Status status;
  if (how != How::kMessages) {
    for (const Release& release : releases) arrays.Append(release);
  }
  const std::vector<LeafCells> cells = arrays.cells();
  if (how == How::kColumns) status = grouping.Add(cells, arrays.rows());
  for (size_t i = 0; i < releases.size() && status.ok() && how != How::kColumns; ++i) {
    if (how == How::kMessages) {
      status = grouping.Add(releases[i]);
      continue;
    }
    std::vector<Datum> data;
    for (size_t k = 0; k < leaves.size(); ++k) data.push_back(ReadColumns(*leaves[k], cells[k], i));
    status = grouping.Add(data);
  }
  AggregateRecordsResponse response;
  if (status.ok()) status = grouping.Finish(&response);
  if (!status.ok()) return status;
  return response;
}

// By columns and values as by messages.
void ExpectSame(const Aggregation& aggregation, const std::vector<Release>& releases) {
  const auto expected = Aggregated(aggregation, releases, How::kMessages);
  ASSERT_OK(expected);
  EXPECT_GT(expected->total_groups(), 0);
  for (const How how : {How::kValues, How::kColumns}) {
    const auto response = Aggregated(aggregation, releases, how);
    ASSERT_OK(response);
    EXPECT_TRUE(response->SerializeAsString() == expected->SerializeAsString())
        << static_cast<int>(how) << ": " << response->total_groups() << " groups, expected "
        << expected->total_groups();
  }
}

std::string Day(int64_t day) {
  const values::CivilDate date = values::CivilFromDays(day);
  auto two = [](int n) { return absl::StrCat(n < 10 ? "0" : "", n); };
  return absl::StrCat(date.year, "-", two(date.month), "-", two(date.day));
}

void SetDate(const std::string& text, v1::UncertainDate* date) {
  date->set_edtf(text);
  std::vector<Violation> violations;
  values::NormalizeDate(date, &violations);
  ASSERT_TRUE(violations.empty()) << text;
}

constexpr int64_t kFirstDay = 18'262;  // 2020-01-01

// 1,400 dates that can each lie on some 900 days: more than is kept of where dates can lie.
TEST(AggregateRowsTest, ManyUncertainDates) {
  std::vector<Release> releases(1'400);
  for (size_t i = 0; i < releases.size(); ++i) {
    const int64_t first = kFirstDay + static_cast<int64_t>(i) % 700;
    SetDate(absl::StrCat(Day(first), "/", Day(first + 890 + static_cast<int64_t>(i) / 700)),
            releases[i].mutable_effective_date());
    releases[i].mutable_headcount()->set_best(static_cast<int64_t>(i) % 7);
  }
  Aggregation aggregation =
      Parsed("group_paths: 'effective_date.day' measures { kind: SUM path: 'headcount' }");
  aggregation.max_groups = kMaxGroupsInMemory;
  ExpectSame(aggregation, releases);
}

// More combinations of keys than totals are kept of.
TEST(AggregateRowsTest, ManyNamesWithUncertainDates) {
  const std::vector<std::string> dates = {"2025",    "2025-11/2026-02", "2024-12/2025-01",
                                          "../2024", "2025-05/..",      "{2025-11,2026-01}",
                                          "2025-1X", "2025-11/2025-12", "2026-01-03"};
  std::vector<Release> releases(40'000);
  for (size_t i = 0; i < releases.size(); ++i) {
    releases[i].set_display_name(absl::StrCat("Test Release ", i % 3'000));
    SetDate(dates[i % 10 % dates.size()], releases[i].mutable_effective_date());
    if (i % 3 != 0) releases[i].mutable_headcount()->set_best(static_cast<int64_t>(i % 11));
    if (i % 4 != 0) releases[i].set_region_code(i % 8 < 5 ? "XA" : "XB");
  }
  Aggregation aggregation = Parsed(
      "group_paths: 'effective_date.year' group_paths: 'display_name' "
      "measures { kind: SUM path: 'headcount' } measures { kind: COUNT path: 'region_code' } "
      "measures { kind: DISTINCT path: 'region_code' } "
      "measures { kind: MAX path: 'effective_date' }");
  aggregation.max_groups = kMaxGroupsInMemory;
  ExpectSame(aggregation, releases);
}

TEST(AggregateRowsTest, ItsLimitsAreThoseOfRecordsOneByOne) {
  std::vector<Release> named(kMaxGroupsInMemory + 1);
  for (size_t i = 0; i < named.size(); ++i) named[i].set_display_name(absl::StrCat(i));
  // Each of 1,100 notes is told apart on each of 999 days.
  std::vector<Release> noted(1'100);
  for (size_t i = 0; i < noted.size(); ++i) {
    SetDate(absl::StrCat(Day(kFirstDay), "/", Day(kFirstDay + 998)),
            noted[i].mutable_effective_date());
    noted[i].set_note(absl::StrCat(i));
  }
  std::vector<Release> wide(1);
  SetDate("2020-01/2021", wide[0].mutable_effective_date());
  SetDate("2020-01/2021", wide[0].mutable_announce_date());
  const Aggregation by_name = Parsed("group_paths: 'display_name'");
  const Aggregation different =
      Parsed("group_paths: 'effective_date.day' measures { kind: DISTINCT path: 'note' }");
  const Aggregation pairs =
      Parsed("group_paths: 'effective_date.day' group_paths: 'announce_date.day'");
  for (const How how : {How::kValues, How::kColumns}) {
    EXPECT_FAILS(Aggregated(by_name, named, how), kInvalidArgument, LIMIT_EXCEEDED);
    EXPECT_FAILS(Aggregated(different, noted, how), kInvalidArgument, LIMIT_EXCEEDED);
    EXPECT_FAILS(Aggregated(pairs, wide, how), kInvalidArgument, LIMIT_EXCEEDED);
  }
  named.pop_back();
  EXPECT_TRUE(Aggregated(by_name, named, How::kColumns).ok());
}

// What is kept and then given to two groups is not counted a third time: ten times 40,000 different
// values, in each of two months.
TEST(AggregateRowsTest, WhatIsKeptCountsOnceAgainstTheLimit) {
  std::vector<Release> releases(40'000);
  for (size_t i = 0; i < releases.size(); ++i) {
    SetDate("2025-12-30/2026-01-02", releases[i].mutable_effective_date());
    releases[i].set_note(absl::StrCat(i));
  }
  std::string request = "group_paths: 'effective_date.month' ";
  for (int i = 0; i < kMaxMeasures; ++i) request += "measures { kind: DISTINCT path: 'note' } ";
  const auto response = Aggregated(Parsed(request), releases, How::kColumns);
  ASSERT_OK(response);
  ASSERT_EQ(response->total_groups(), 2);
  EXPECT_EQ(response->groups(1).possible_values(9).integer(), 40'000);
}

// As no server takes it: a text beside a state that has none.
TEST(AggregateRowsTest, ADateIsWhatItsStateSays) {
  std::vector<Release> releases(6);
  for (size_t i = 0; i < releases.size(); ++i) {
    auto* date = releases[i].mutable_effective_date();
    SetDate("2025", date);
    if (i % 2 != 0) date->set_state(v1::UncertainDate::NONE);
    if (i == 4) date->set_state(v1::UncertainDate::UNKNOWN);
  }
  ExpectSame(Parsed("group_paths: 'effective_date.year' measures { kind: COUNT } "
                    "measures { kind: DISTINCT path: 'effective_date' }"),
             releases);
}

TEST(AggregateRowsTest, ItEndsWhenItIsTold) {
  std::vector<Release> releases(5'000);
  for (size_t i = 0; i < releases.size(); ++i) {
    SetDate(absl::StrCat(Day(kFirstDay + static_cast<int64_t>(i)), "/",
                         Day(kFirstDay + static_cast<int64_t>(i) + 900)),
            releases[i].mutable_effective_date());
  }
  const Aggregation by_day = Parsed("group_paths: 'effective_date.day'");
  const Columns columns(Release::descriptor(), "releases");
  CellArrays arrays(columns, by_day.Leaves());
  for (const Release& release : releases) arrays.Append(release);
  int asked = 0;
  Grouping grouping(by_day, [&] {
    return ++asked == 10 ? absl::DeadlineExceededError("too late") : absl::OkStatus();
  });
  EXPECT_EQ(grouping.Add(arrays.cells(), arrays.rows()).code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(asked, 10);
}

TEST(TextNumbersTest, EachTextHasItsOwn) {
  std::mt19937_64 random(7);
  TextNumbers numbers;
  std::map<std::string, uint32_t> known;
  uint32_t next = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text(random() % 21, '\0');
    for (char& c : text) c = std::string("ab\0\xff", 4)[random() % (text.size() < 6 ? 4 : 2)];
    const auto [expected, fresh] = known.try_emplace(text, next);
    EXPECT_EQ(numbers.Find(text, [&] { return next++; }), expected->second);
    ASSERT_EQ(numbers.size(), known.size());
  }
  EXPECT_EQ(numbers.Find("new", [] { return TextNumbers::kNone; }), TextNumbers::kNone);
  EXPECT_EQ(numbers.Find("new", [&] { return next; }), next);
}

}  // namespace
}  // namespace detente::query
