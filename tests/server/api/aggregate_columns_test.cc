// AggregateRecords and ComputeStock from columns in memory, from the store's and over messages: the
// same answers, at any revision, while records are written. DETENTE_RANDOM_AGGREGATES sets how many
// are tried.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "api/handler_table.h"
#include "api/method.h"
#include "columnar/row_source.h"
#include "detente/v1/detention.pb.h"
#include "detente/v1/query_service.pb.h"
#include "detente/v1/release.pb.h"
#include "query/aggregate.h"
#include "query/stock.h"
#include "server/api/calling.h"
#include "server/engine/random_store.h"
#include "server/engine/testing.h"

namespace detente::api {
namespace {

using columnar::Make;
using google::protobuf::Descriptor;
using google::protobuf::Message;
using testing::Dice;
using testing::RandomFilter;
using testing::RandomStore;
using v1::AggregateRecordsRequest;
using v1::AggregateRecordsResponse;
using v1::ComputeStockRequest;
using v1::ComputeStockResponse;

constexpr char kAggregate[] = "/detente.v1.QueryService/AggregateRecords";
constexpr char kStock[] = "/detente.v1.QueryService/ComputeStock";

// A store that an engine reads while others write it.
class ReadOnly : public store::Store {
 public:
  explicit ReadOnly(std::unique_ptr<store::Store> store) : store_(std::move(store)) {}
  absl::StatusOr<std::unique_ptr<store::Reader>> NewReader() override {
    return store_->NewReader();
  }
  store::Writer* writer() override { return nullptr; }
  absl::StatusOr<std::string> Meta(absl::string_view key) override { return store_->Meta(key); }
  absl::StatusOr<std::vector<store::Erasure>> MissingErasures() override {
    return store_->MissingErasures();
  }

 private:
  const std::unique_ptr<store::Store> store_;
};

std::unique_ptr<engine::Engine> OpenReader(RandomStore& records) {
  auto engine = engine::Engine::Open(std::make_unique<ReadOnly>(records.TakeStore()),
                                     &testing::TestRegistry(), {});
  if (!engine.ok()) std::abort();
  return *std::move(engine);
}

// The handlers over an engine, with a cache that tests can ask.
class Server {
 public:
  Server(engine::Engine& engine, size_t cache_bytes)
      : engine_(engine), table_(engine, 0), cache_(engine, cache_bytes) {}

  template <typename Response>
  absl::StatusOr<Response> Ask(const char* method, const Message& request) {
    std::unique_ptr<Message> copy(request.New());
    copy->CopyFrom(request);
    absl::StatusOr<Bytes> answer = absl::InternalError("not called");
    const CallContext context;
    const Method& found = *table_.Find(method);
    found.handle({engine_, cache_, found, context, *copy},
                 [&](absl::StatusOr<Bytes> result) { answer = std::move(result); });
    if (!answer.ok()) return answer.status();
    Response response;
    EXPECT_TRUE(response.ParseFromString(**answer));
    return response;
  }
  columnar::Cache& cache() { return cache_; }

 private:
  engine::Engine& engine_;
  HandlerTable table_;
  columnar::Cache cache_;
};

// Paths without lists, down to the third field, with the parts of dates.
void AddPaths(const Descriptor* type, const std::string& before, int depth,
              std::vector<std::string>* paths) {
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* field = type->field(i);
    if (field->is_repeated()) continue;
    const std::string path = before + field->name();
    paths->push_back(path);
    for (const char* part : {".year", ".quarter", ".month", ".day"}) paths->push_back(path + part);
    if (field->message_type() != nullptr && depth > 1) {
      AddPaths(field->message_type(), path + ".", depth - 1, paths);
    }
  }
}

// Of leaves that are all in columns.
AggregateRecordsRequest RandomRequest(Dice& dice, const engine::Resource& resource,
                                      const std::vector<std::string>& paths) {
  while (true) {
    AggregateRecordsRequest request;
    request.set_collection(resource.collection);
    request.set_max_groups(10'000);
    for (int n = dice.Below(4); n > 0; --n) request.add_group_paths(dice.Of(paths));
    for (int n = dice.Below(4); n > 0; --n) {
      auto* measure = request.add_measures();
      measure->set_kind(static_cast<AggregateRecordsRequest::Measure::Kind>(1 + dice.Below(5)));
      if (measure->kind() != AggregateRecordsRequest::Measure::COUNT || dice.OneIn(2)) {
        measure->set_path(dice.Of(paths));
      }
    }
    const auto parsed = query::ParseAggregation(request, resource.type);
    if (!parsed.ok()) continue;
    bool in_columns = true;
    for (const query::Leaf* leaf : parsed->Leaves()) {
      in_columns = in_columns && query::ColumnsOf(*leaf, *resource.columns).has_value();
    }
    if (in_columns) return request;
  }
}

std::vector<int> ColumnsOf(const std::vector<const query::Leaf*>& leaves,
                           const engine::Resource& resource, std::vector<size_t>* sizes) {
  std::vector<int> all;
  for (const query::Leaf* leaf : leaves) {
    const auto columns = *query::ColumnsOf(*leaf, *resource.columns);
    all.insert(all.end(), columns.begin(), columns.end());
    sizes->push_back(columns.size());
  }
  return all;
}

// From the columns in memory, whatever the store could find by itself; false where they can't tell.
template <typename Taker>
bool TakeHeld(engine::Engine& engine, columnar::Cache& cache, const columnar::RowQuery& query,
              const std::vector<const query::Leaf*>& leaves, Taker* taker) {
  std::vector<size_t> sizes;
  const std::vector<int> columns = ColumnsOf(leaves, *query.resource, &sizes);
  auto held = columnar::FindHeld(engine, cache, query, columns, Make::kNow);
  EXPECT_TRUE(held.ok()) << held.status();
  if (!held.ok() || !held->has_value()) return false;
  absl::Status status = columnar::VisitHeld(
      engine, query, **held, columns,
      [&](absl::Span<const query::CellColumn> all, absl::Span<const int32_t> rows) {
        std::vector<query::LeafCells> cells;
        for (const size_t size : sizes) {
          cells.emplace_back(all.begin(), all.begin() + size);
          all.remove_prefix(size);
        }
        return taker->Add(cells, rows);
      });
  EXPECT_TRUE(status.ok()) << status;
  return true;
}

columnar::RowQuery QueryOf(const engine::Resource& resource, const std::string& filter,
                           store::Revision revision) {
  columnar::RowQuery query;
  query.resource = &resource;
  query.filter = *query::Filter::Parse(filter, resource.type);
  query.view.revision = revision;
  query.check = [] { return absl::OkStatus(); };
  return query;
}

// Gives the taker the records that the query is of, as messages.
template <typename Taker>
void TakeMessages(RandomStore& store, const columnar::RowQuery& query, Taker* taker) {
  for (const testing::Row& row : store.of(*query.resource)) {
    if (row.version.since > query.view.revision || row.until <= query.view.revision) continue;
    if (row.version.delete_time != 0) continue;
    if (query.filter.Matches(*row.record)) ASSERT_OK(taker->Add(*row.record));
  }
}

TEST(AggregateColumnsTest, RandomAggregatesAreTheSameByEveryWay) {
  const char* const asked = std::getenv("DETENTE_RANDOM_AGGREGATES");
  const int count = asked == nullptr ? 1'500 : std::atoi(asked);
  Dice dice(20'251'213 + static_cast<uint64_t>(asked == nullptr ? 0 : count));
  std::map<const engine::Resource*, std::vector<std::string>> paths;
  for (const auto& resource : testing::TestRegistry().resources()) {
    AddPaths(resource->type, "", 3, &paths[resource.get()]);
  }
  std::unique_ptr<RandomStore> records;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<Server> stored, held;
  int by_columns = 0, groups = 0, uncertain = 0;
  for (int i = 0; i < count; ++i) {
    if (i % 500 == 0) {
      stored = nullptr;
      held = nullptr;
      engine = nullptr;
      records = std::make_unique<RandomStore>(dice);
      engine = OpenReader(*records);
      stored = std::make_unique<Server>(*engine, 0);
      held = std::make_unique<Server>(*engine, columnar::kDefaultCacheBytes);
    }
    const engine::Resource& resource = *dice.Of(testing::TestRegistry().resources());
    // Those that came before have cached an older state.
    for (int n = dice.Below(4); n > 0; --n) records->Put(dice, resource);
    AggregateRecordsRequest request = RandomRequest(dice, resource, paths[&resource]);
    if (dice.OneIn(2)) request.set_filter(RandomFilter(dice, resource.type).Text(2));
    const auto newest = static_cast<int>(records->revision());
    request.mutable_at()->set_revision(dice.OneIn(3) ? 1 + dice.Below(newest) : newest);
    const columnar::RowQuery query = QueryOf(resource, request.filter(), request.at().revision());

    const auto aggregation = query::ParseAggregation(request, resource.type);
    query::Grouping by_message(*aggregation);
    ASSERT_NO_FATAL_FAILURE(TakeMessages(*records, query, &by_message));
    AggregateRecordsResponse expected;
    ASSERT_OK(by_message.Finish(&expected));

    query::Grouping by_column(*aggregation);
    if (TakeHeld(*engine, held->cache(), query, aggregation->Leaves(), &by_column)) {
      AggregateRecordsResponse response;
      ASSERT_OK(by_column.Finish(&response));
      ASSERT_EQ(response.DebugString(), expected.DebugString()) << request.DebugString();
      ++by_columns;
    }
    expected.set_revision(request.at().revision());
    for (Server* server : {stored.get(), held.get()}) {
      const auto response = server->Ask<AggregateRecordsResponse>(kAggregate, request);
      ASSERT_OK(response);
      ASSERT_EQ(response->DebugString(), expected.DebugString()) << request.DebugString();
    }
    groups += expected.total_groups();
    for (const auto& group : expected.groups()) {
      uncertain += group.certain_values(0).SerializeAsString() !=
                   group.possible_values(0).SerializeAsString();
    }
  }
  EXPECT_GT(by_columns, count / 3);
  EXPECT_GT(groups, count);
  EXPECT_GT(uncertain, count / 4) << "some records are only possibly in a group";
}

TEST(AggregateColumnsTest, RandomStocksAreTheSameByEveryWay) {
  Dice dice(7);
  RandomStore records(dice);
  const std::unique_ptr<engine::Engine> engine = OpenReader(records);
  Server stored(*engine, 0), held(*engine, columnar::kDefaultCacheBytes);
  const engine::Resource& resource = testing::ResourceOf(v1::Detention());
  int by_columns = 0;
  for (int i = 0; i < 300; ++i) {
    records.Put(dice, resource);
    auto request = testing::Proto<ComputeStockRequest>(R"pb(
      collection: "detentions"
      first_day { year: 2024 month: 11 day: 30 }
      last_day { year: 2027 month: 2 day: 1 }
      step: MONTH)pb");
    request.set_group_path(dice.Of<std::string>({"", "region_code", "status", "create_time.day"}));
    if (dice.OneIn(2)) request.set_filter(RandomFilter(dice, resource.type).Text(1));
    request.mutable_at()->set_revision(records.revision());
    const auto stock = query::ParseStockQuery(request, resource.type);
    const columnar::RowQuery query = QueryOf(resource, request.filter(), records.revision());
    query::Stock by_message(*stock), by_column(*stock);
    ASSERT_NO_FATAL_FAILURE(TakeMessages(records, query, &by_message));
    ComputeStockResponse expected;
    by_message.Write(&expected);
    if (TakeHeld(*engine, held.cache(), query, stock->Leaves(), &by_column)) {
      ComputeStockResponse response;
      by_column.Write(&response);
      ASSERT_EQ(response.DebugString(), expected.DebugString()) << request.DebugString();
      ++by_columns;
    }
    expected.set_revision(records.revision());
    for (Server* server : {&stored, &held}) {
      const auto response = server->Ask<ComputeStockResponse>(kStock, request);
      ASSERT_OK(response);
      ASSERT_EQ(response->DebugString(), expected.DebugString()) << request.DebugString();
    }
  }
  EXPECT_GT(by_columns, 150);
}

v1::Release MadeUp(int number) {
  v1::Release release;
  release.set_display_name(absl::StrCat("Test Release ", number));
  release.set_region_code(number % 3 == 0 ? "XA" : number % 3 == 1 ? "XB" : "");
  release.mutable_effective_date()->set_edtf(number % 5 == 0 ? "2025-11/2026-01" : "2025-12-13");
  release.mutable_headcount()->set_best(number % 17);
  return release;
}

TEST(AggregateColumnsTest, BesideWritesAnAnswerIsOfOneRevision) {
  auto engine = testing::OpenEngine();
  Server stored(*engine, 0), held(*engine, columnar::kDefaultCacheBytes);
  for (int i = 0; i < 300; ++i) Put(*engine, absl::StrCat("r", i), MadeUp(i));
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; !done; ++i) {
      const std::string id = absl::StrCat("r", i % 400);
      if (i % 7 == 3 && i % 400 < 300) {
        testing::WriteOf(*engine, testing::Delete("releases/" + id)).IgnoreError();
        testing::WriteOf(*engine, testing::Undelete("releases/" + id)).IgnoreError();
      }
      Put(*engine, id, MadeUp(i * 31));
    }
  });
  auto request = testing::Proto<AggregateRecordsRequest>(R"pb(
    collection: "releases"
    group_paths: "region_code"
    group_paths: "effective_date.month"
    measures { kind: COUNT }
    measures { kind: SUM path: "headcount" })pb");
  const auto aggregation =
      query::ParseAggregation(request, testing::ResourceOf(v1::Release()).type);
  int by_columns = 0;
  for (int i = 0; i < 400; ++i) {
    auto answer = held.Ask<AggregateRecordsResponse>(kAggregate, request);
    ASSERT_OK(answer);
    AggregateRecordsRequest again = request;
    again.mutable_at()->set_revision(answer->revision());
    const auto expected = stored.Ask<AggregateRecordsResponse>(kAggregate, again);
    ASSERT_OK(expected);
    ASSERT_EQ(answer->DebugString(), expected->DebugString());
    const auto query = QueryOf(testing::ResourceOf(v1::Release()), "", answer->revision());
    std::vector<size_t> sizes;
    const auto columns = ColumnsOf(aggregation->Leaves(), *query.resource, &sizes);
    auto found = columnar::FindHeld(*engine, held.cache(), query, columns, Make::kNever);
    ASSERT_OK(found);
    by_columns += found->has_value() ? 1 : 0;
  }
  done = true;
  writer.join();
  EXPECT_GT(by_columns, 100) << "columns were made meanwhile";
}

}  // namespace
}  // namespace detente::api
