// Random filters over random records of every resource: what the evaluator says is what the store
// finds, with what it leaves to be looked at, in any order, page by page, at any revision.
// DETENTE_RANDOM_FILTERS sets how many are tried.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "engine/engine.h"
#include "query/filter.h"
#include "server/engine/random_records.h"
#include "server/engine/random_store.h"
#include "server/engine/testing.h"
#include "store/record.h"

namespace detente::engine {
namespace {

using testing::Dice;
using testing::RandomFilter;
using testing::RandomStore;
using testing::Row;

struct Case {
  const Resource* resource;
  std::string filter;
  std::string order;
  store::ReadView view;
  bool show_deleted = false;
  int page_size = 0;
};

using Ids = std::vector<std::string>;

// By the columns' values, whatever index the store takes.
Ids Expected(RandomStore& records, const Case& c, const query::Filter& filter,
             const std::vector<store::Order>& order) {
  std::vector<std::pair<std::vector<store::Value>, std::string>> found;
  const auto& columns = c.resource->columns->table().columns;
  for (const Row& row : records.of(*c.resource)) {
    if (row.version.since > c.view.revision || row.until <= c.view.revision) continue;
    if (!c.show_deleted && row.version.delete_time != 0) continue;
    if (!filter.Matches(*row.record)) continue;
    const store::Derived derived = c.resource->columns->Derive(*row.record);
    std::vector<store::Value> keys;
    for (const store::Order& key : order) {
      store::Value value;
      if (key.column >= 0) value = derived.columns[key.column];
      if (key.column == store::kRowId) value = row.version.id;
      if (key.column == store::kRowUid) value = row.version.uid;
      if (key.column == store::kRowRevision) value = row.version.since;
      if (key.column == store::kRowCreateTime) value = row.version.create_time;
      if (key.column == store::kRowUpdateTime) value = row.version.update_time;
      if (key.column == store::kRowDeleteTime && row.version.delete_time != 0)
        value = row.version.delete_time;
      if (key.column >= 0 && columns[key.column].default_is_unset &&
          (value == store::Value(std::string()) || value == store::Value(int64_t{0}))) {
        value = {};
      }
      if (key.none && value == store::Value(*key.none)) value = {};
      keys.push_back(std::move(value));
    }
    found.emplace_back(std::move(keys), row.version.id);
  }
  std::sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
    for (size_t i = 0; i < order.size(); ++i) {
      const store::Value &x = a.first[i], &y = b.first[i];
      const bool no_x = x.index() == 0, no_y = y.index() == 0;
      if (no_x != no_y) return no_y;
      if (x != y) return order[i].descending ? y < x : x < y;
    }
    return a.second < b.second;
  });
  Ids ids;
  for (auto& [keys, id] : found) ids.push_back(std::move(id));
  return ids;
}

// As a List finds them. An exact condition is not looked at again.
absl::StatusOr<Ids> Found(RandomStore& records, const Case& c, const query::Filter& filter,
                          const std::vector<store::Order>& order, int page_size) {
  const query::Lowered lowered = filter.Lower(*c.resource->columns, c.show_deleted);
  store::Selection selection;
  selection.view = c.view;
  selection.show_deleted = c.show_deleted;
  selection.heads = lowered.heads;
  selection.past = lowered.past;
  selection.order = order;
  selection.limit = page_size;
  Ids ids;
  while (true) {
    int64_t rows = 0;
    std::string last;
    absl::Status status =
        records.reader().Select(c.resource->collection, selection, [&](const store::Row& row) {
          ++rows;
          last = std::string(store::IdOfRecord(row.record));
          const bool exact = row.superseded ? lowered.past_exact : lowered.heads_exact;
          if (exact || filter.Matches(**ParseRecord(*c.resource, row.record))) ids.push_back(last);
          return true;
        });
    if (!status.ok()) return status;
    if (page_size < 0 || rows < page_size) break;
    selection.after = last;
  }
  return ids;
}

// What differs; empty where nothing does.
std::string Difference(RandomStore& records, const Case& c) {
  auto filter = query::Filter::Parse(c.filter, c.resource->type);
  if (!filter.ok()) return absl::StrCat("not parsed: ", filter.status().ToString());
  auto order = query::ParseOrder(c.order, c.resource->type, *c.resource->columns);
  if (!order.ok()) return absl::StrCat("not parsed: ", order.status().ToString());
  const Ids expected = Expected(records, c, *filter, *order);
  for (const int page_size : {-1, c.page_size}) {
    auto found = Found(records, c, *filter, *order, page_size);
    if (!found.ok()) return found.status().ToString();
    if (*found == expected) continue;
    return absl::StrCat("found ", absl::StrJoin(*found, " "), "\nexpected ",
                        absl::StrJoin(expected, " "), "\nby pages of ", page_size);
  }
  return "";
}

std::string ToText(const Case& c) {
  return absl::StrCat(c.resource->collection, " at ", c.view.revision,
                      c.show_deleted ? ", with deleted ones" : "", "\nfilter: ", c.filter,
                      "\norder: ", c.order);
}

TEST(RandomFilterTest, TheStoreFindsWhatTheEvaluatorSays) {
  const char* const asked = std::getenv("DETENTE_RANDOM_FILTERS");
  const int count = asked == nullptr ? 20'000 : std::atoi(asked);
  const uint64_t seed = 20'251'213 + static_cast<uint64_t>(asked == nullptr ? 0 : count);
  Dice dice(seed);
  std::unique_ptr<RandomStore> records;
  int matched = 0, failures = 0;
  for (int i = 0; i < count && failures < 3; ++i) {
    if (i % 5'000 == 0) records = std::make_unique<RandomStore>(dice);
    Case c;
    c.resource = dice.Of(testing::TestRegistry().resources()).get();
    c.view.revision =
        dice.OneIn(2) ? records->revision() : 1 + dice.Below(static_cast<int>(records->revision()));
    c.show_deleted = dice.OneIn(3);
    c.page_size = 1 + dice.Below(9);
    RandomFilter filter(dice, c.resource->type);
    c.order = dice.OneIn(2) ? filter.Order() : "";
    c.filter = filter.Text(4);
    const std::string difference = Difference(*records, c);
    if (difference.empty()) {
      auto parsed = *query::Filter::Parse(c.filter, c.resource->type);
      for (const Row& row : records->of(*c.resource))
        matched += parsed.Matches(*row.record) ? 1 : 0;
      continue;
    }
    ++failures;
    // A smaller filter of the same kind that fails too, if there is one.
    Case least = c;
    for (int tries = 0; tries < 3'000; ++tries) {
      RandomFilter other(dice, c.resource->type);
      Case smaller = least;
      smaller.filter = other.Part(least.filter);
      smaller.order = dice.OneIn(2) ? "" : least.order;
      if (smaller.filter.size() + smaller.order.size() >= least.filter.size() + least.order.size())
        continue;
      const std::string again = Difference(*records, smaller);
      if (!again.empty() && again.find("not parsed") == std::string::npos) least = smaller;
    }
    ADD_FAILURE() << "seed " << seed << ", filter " << i << ": " << ToText(least) << "\n"
                  << Difference(*records, least);
  }
  EXPECT_GT(matched, count) << "the filters say something";
}

}  // namespace
}  // namespace detente::engine
