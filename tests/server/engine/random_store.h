// A store of random versions of every resource, and the same as a list, which is the oracle.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/registry.h"
#include "google/protobuf/message.h"
#include "server/engine/random_records.h"
#include "store/store.h"

namespace detente::testing {

// A version as callers get it.
struct Row {
  store::Version version;
  store::Revision until = INT64_MAX;
  std::unique_ptr<google::protobuf::Message> record;
};

// What it writes is not checked: no server would have taken it.
class RandomStore {
 public:
  explicit RandomStore(Dice& dice);

  store::Reader& reader() { return *writer_; }
  store::Revision revision() const { return revision_; }
  const std::vector<Row>& of(const engine::Resource& resource) { return rows_[&resource]; }
  // A commit with another version of a record, or with a new one.
  void Put(Dice& dice, const engine::Resource& resource);
  // Of this record, without its fields 1 to 7.
  void Put(const engine::Resource& resource, const std::string& id,
           const google::protobuf::Message& record, bool deleted = false);
  // For an engine over it, which must not write while Put does.
  std::unique_ptr<store::Store> TakeStore() { return std::move(store_); }

 private:
  std::unique_ptr<store::Store> store_;
  store::Writer* writer_;
  std::map<const engine::Resource*, std::vector<Row>> rows_;
  store::Revision revision_ = 0;
};

}  // namespace detente::testing
