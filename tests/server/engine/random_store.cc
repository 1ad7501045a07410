#include "server/engine/random_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/engine.h"
#include "engine/references.h"
#include "engine/validate.h"
#include "server/engine/testing.h"

namespace detente::testing {
namespace {

constexpr int kIds = 40;       // of each resource
constexpr int kVersions = 70;  // of each resource

}  // namespace

RandomStore::RandomStore(Dice& dice) : store_(OpenStore(":memory:")), writer_(store_->writer()) {
  for (const auto& resource : TestRegistry().resources()) {
    for (int i = 0; i < kVersions; ++i) Put(dice, *resource);
  }
}

void RandomStore::Put(Dice& dice, const engine::Resource& resource) {
  const std::string id = absl::StrCat("r", dice.Below(kIds));
  const auto record = RandomRecord(dice, resource.type);
  Put(resource, id, *record, dice.OneIn(6));
}

void RandomStore::Put(const engine::Resource& resource, const std::string& id,
                      const google::protobuf::Message& record, bool deleted) {
  std::vector<Row>& rows = rows_[&resource];
  store::Writer& writer = *writer_;
  auto before = std::find_if(rows.begin(), rows.end(), [&](const Row& row) {
    return row.version.id == id && row.until == INT64_MAX;
  });
  const bool exists = before != rows.end();
  Row row;
  ++revision_;
  row.version.id = id;
  row.version.uid = "uid-" + id;
  row.version.since = revision_;
  row.version.update_time = kFirstTime + revision_ * 3'600'000'000;
  row.version.create_time = exists ? before->version.create_time : row.version.update_time;
  if (deleted) row.version.delete_time = row.version.update_time;
  row.version.payload = engine::EncodePayload(record);
  std::vector<std::string> gone, added;
  if (exists && before->version.delete_time == 0)
    gone = engine::Targets(engine::References(resource, *before->record));
  if (row.version.delete_time == 0) added = engine::Targets(engine::References(resource, record));
  store::Commit commit;
  commit.revision = revision_;
  commit.time = row.version.update_time;
  EXPECT_TRUE(writer.Begin().ok());
  EXPECT_TRUE(
      writer.Put(resource.collection, row.version, resource.columns->Derive(record), exists).ok());
  EXPECT_TRUE(writer.PutReferences(resource.Name(id), revision_, gone, added).ok());
  EXPECT_TRUE(writer.PutCommit(commit, {}).ok());
  EXPECT_TRUE(writer.Commit().ok());
  row.record = *engine::ParseRecord(resource, row.version);
  if (exists) before->until = revision_;
  rows.push_back(std::move(row));
}

}  // namespace detente::testing
