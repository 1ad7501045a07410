// Rows by each way are what the evaluator says of the versions, cell by cell, at any revision,
// while versions are added. DETENTE_RANDOM_ROWS sets how many filters are tried.
#include <arrow/api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "columnar/cache.h"
#include "columnar/row_source.h"
#include "columnar/row_stream.h"
#include "detente/v1/person.pb.h"
#include "server/columnar/arrow_cells.h"
#include "server/engine/random_store.h"
#include "server/engine/testing.h"

namespace detente::columnar {
namespace {

using testing::CellDifference;
using testing::Dice;
using testing::RandomFilter;
using testing::RandomStore;
using testing::Row;

// An engine over random versions of all resources.
struct Records {
  explicit Records(Dice& dice, size_t cache_bytes = kDefaultCacheBytes) : store(dice) {
    auto opened = engine::Engine::Open(store.TakeStore(), &testing::TestRegistry(), {});
    if (!opened.ok()) std::abort();
    engine = *std::move(opened);
    cache = std::make_unique<Cache>(*engine, cache_bytes);
  }

  RandomStore store;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<Cache> cache;
};

struct Case {
  const engine::Resource* resource = nullptr;
  std::string filter = {};
  bool show_deleted = false;
  store::Revision revision = 0;
  std::vector<std::string> columns = {};
  bool flat = false;
  int64_t offset = 0;
  store::Revision after = 0, to = INT64_MAX;
};

RowQuery QueryOf(const Case& c) {
  RowQuery query;
  query.resource = c.resource;
  query.filter = *query::Filter::Parse(c.filter, c.resource->type);
  query.show_deleted = c.show_deleted;
  query.view.revision = c.revision;
  query.offset = c.offset;
  query.after = c.after;
  query.to = c.to;
  query.check = [] { return absl::OkStatus(); };
  return query;
}

RowFormat FormatOf(Records& records, const Case& c) {
  const auto& nodes = records.cache->NodesFor(*c.resource);
  std::vector<const std::string*> columns;
  for (const std::string& column : c.columns) columns.push_back(&column);
  auto projection = Projection::Parse(c.resource->type, nodes, columns, c.flat);
  if (!projection.ok()) std::abort();
  auto format = RowFormat::Make(*std::move(projection), nodes, Compression::kNone, {});
  if (!format.ok()) std::abort();
  return *std::move(format);
}

// In the order of (since, id).
std::vector<const Row*> Expected(Records& records, const Case& c) {
  const RowQuery query = QueryOf(c);
  std::vector<const Row*> rows;
  for (const Row& row : records.store.of(*c.resource)) {
    const store::Version& version = row.version;
    if (version.since > c.revision || row.until <= c.revision) continue;
    if (version.since <= c.after || version.since > c.to) continue;
    if (!c.show_deleted && version.delete_time != 0) continue;
    if (query.filter.Matches(*row.record)) rows.push_back(&row);
  }
  std::sort(rows.begin(), rows.end(), [](const Row* a, const Row* b) {
    return std::pair(a->version.since, a->version.id) < std::pair(b->version.since, b->version.id);
  });
  rows.erase(rows.begin(), rows.begin() + std::min<int64_t>(c.offset, rows.size()));
  return rows;
}

// What differs between the rows by one way and the expected ones. `open` says whether the way was.
std::string Difference(Records& records, const Case& c, Way way, bool* open = nullptr) {
  const RowQuery query = QueryOf(c);
  const RowFormat format = FormatOf(records, c);
  const std::vector<const Row*> expected = Expected(records, c);
  auto source = OpenSource(*records.engine, *records.cache, query, format, way);
  if (!source.ok()) return source.status().ToString();
  if (open != nullptr) *open = *source != nullptr;
  if (*source == nullptr) return "";
  size_t at = 0;
  while (true) {
    auto batch = (*source)->Next();
    if (!batch.ok()) return batch.status().ToString();
    if (*batch == nullptr) break;
    if (!(*batch)->ValidateFull().ok()) return (*batch)->ValidateFull().ToString();
    for (int64_t row = 0; row < (*batch)->num_rows(); ++row, ++at) {
      if (at >= expected.size()) return "too many rows";
      for (int i = 0; i < (*batch)->num_columns(); ++i) {
        const std::string& name = (*batch)->schema()->field(i)->name();
        const std::string difference =
            CellDifference(*(*batch)->column(i), row, *expected[at]->record, name);
        if (!difference.empty()) {
          return absl::StrCat(expected[at]->version.id, "@", expected[at]->version.since, " ", name,
                              ": ", difference);
        }
      }
    }
  }
  if (at < expected.size()) return absl::StrCat(at, " rows, expected ", expected.size());
  return "";
}

std::string ToText(const Case& c) {
  return absl::StrCat(c.resource->collection, " at ", c.revision,
                      c.show_deleted ? ", with deleted ones" : "", c.flat ? ", flat" : "",
                      "\nfilter: ", c.filter, "\ncolumns: ", absl::StrJoin(c.columns, " "));
}

TEST(RowsTest, EveryFieldOfEveryResourceByEveryWay) {
  Dice dice(1);
  Records records(dice);
  for (const auto& resource : testing::TestRegistry().resources()) {
    for (const bool flat : {false, true}) {
      for (const bool show_deleted : {false, true}) {
        Case c{resource.get()};
        c.flat = flat;
        c.show_deleted = show_deleted;
        c.revision = records.store.revision();
        EXPECT_GE(Expected(records, c).size(), 15);
        for (const Way way : {Way::kStore, Way::kCache}) {
          bool open = false;
          EXPECT_EQ(Difference(records, c, way, &open), "") << ToText(c);
          EXPECT_TRUE(open);
        }
      }
    }
  }
}

TEST(RowsTest, RandomReadsAreAsTheEvaluatorSays) {
  const char* const asked = std::getenv("DETENTE_RANDOM_ROWS");
  const int count = asked == nullptr ? 1'500 : std::atoi(asked);
  Dice dice(20'251'213 + static_cast<uint64_t>(asked == nullptr ? 0 : count));
  std::unique_ptr<Records> records;
  std::map<Way, int> ways;
  int rows = 0;
  for (int i = 0; i < count; ++i) {
    if (i % 500 == 0) records = std::make_unique<Records>(dice);
    Case c;
    c.resource = dice.Of(testing::TestRegistry().resources()).get();
    // Those that came before have cached an older state.
    for (int n = dice.Below(4); n > 0; --n) records->store.Put(dice, *c.resource);
    const auto newest = static_cast<int>(records->store.revision());
    c.revision = dice.OneIn(3) ? 1 + dice.Below(newest) : newest;
    c.show_deleted = dice.OneIn(3);
    c.flat = dice.OneIn(2);
    if (dice.OneIn(4)) c.offset = dice.Below(6);
    if (dice.OneIn(4)) {
      c.after = dice.Below(newest);
      c.to = c.after + dice.Below(newest);
    }
    RandomFilter filter(dice, c.resource->type);
    if (!dice.OneIn(5)) c.filter = filter.Text(3);
    if (dice.OneIn(2)) {
      c.columns = {"display_name", "name"};
      const auto* field = c.resource->type->field(dice.Below(c.resource->type->field_count()));
      if (field->name() != "name" && field->name() != "display_name") {
        c.columns.push_back(field->name());
      }
    }
    rows += static_cast<int>(Expected(*records, c).size());
    for (const Way way : {Way::kBest, Way::kCache, Way::kIndex, Way::kStore}) {
      bool open = false;
      const std::string difference = Difference(*records, c, way, &open);
      if (open) ++ways[way];
      ASSERT_EQ(difference, "") << ToText(c) << "\nway " << static_cast<int>(way);
    }
  }
  EXPECT_GT(rows, count) << "the reads find something";
  EXPECT_EQ(ways[Way::kBest], count);
  EXPECT_EQ(ways[Way::kStore], count);
  EXPECT_GT(ways[Way::kCache], count / 4);
  EXPECT_GT(ways[Way::kIndex], count / 4);
}

TEST(RowsTest, ASmallCacheGivesTheSameRows) {
  Dice dice(3);
  for (const size_t bytes : {size_t{0}, size_t{20'000}, size_t{200'000}}) {
    Records records(dice, bytes);
    for (int i = 0; i < 300; ++i) {
      Case c;
      c.resource = dice.Of(testing::TestRegistry().resources()).get();
      records.store.Put(dice, *c.resource);
      c.revision = records.store.revision();
      const auto* field = c.resource->type->field(dice.Below(c.resource->type->field_count()));
      c.columns = {field->name()};
      ASSERT_EQ(Difference(records, c, Way::kBest), "") << ToText(c);
      ASSERT_LE(records.cache->bytes(), bytes);
    }
  }
}

TEST(RowsTest, AValueThatTheContractDoesNotNameIsNull) {
  Dice dice(4);
  Records records(dice);
  v1::Person person;
  person.set_gender(static_cast<v1::Person::Gender>(99));
  Case c{&testing::ResourceOf(person)};
  records.store.Put(*c.resource, "new", person);
  c.revision = records.store.revision();
  c.after = c.revision - 1;
  ASSERT_EQ(Expected(records, c).size(), 1);
  for (const Way way : {Way::kStore, Way::kCache}) {
    EXPECT_EQ(Difference(records, c, way), "");
  }
}

TEST(RowsTest, ARowOfMoreThanAMessageIsRefused) {
  Dice dice(5);
  Records records(dice);
  v1::Person person;
  // Two bytes each as a message, and many columns' worth as rows.
  for (int i = 0; i < 13'000; ++i) {
    person.add_names();
    person.add_affiliations();
    person.add_residences();
    person.add_citations();
    person.add_recognitions();
    person.add_awards();
    person.add_relations();
    person.add_external_ids();
  }
  Case c{&testing::ResourceOf(person)};
  records.store.Put(*c.resource, "large", person);
  c.revision = records.store.revision();
  c.after = c.revision - 1;
  RowStream all(*records.engine, *records.cache, QueryOf(c), FormatOf(records, c), 0);
  EXPECT_FAILS(all.Next(), kInvalidArgument, LIMIT_EXCEEDED);
  c.columns = {"name", "names"};
  RowStream some(*records.engine, *records.cache, QueryOf(c), FormatOf(records, c), 0);
  auto rows = some.Next();
  ASSERT_OK(rows);
  ASSERT_TRUE(rows->has_value());
  EXPECT_EQ((*rows)->count, 1);
  EXPECT_LE((*rows)->stream.bytes, kMostMessageBytes);
}

}  // namespace
}  // namespace detente::columnar
