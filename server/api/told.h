// Reads with as_told_by or value_policy: the record as a source has it, or as a policy decides.
#pragma once

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "api/method.h"
#include "detente/v1/evidence.pb.h"
#include "detente/v1/source.pb.h"
#include "store/store.h"

namespace detente::api {

// The sources of one call at one state of the store: each is read once.
class SourceCache {
 public:
  SourceCache(engine::Engine& engine, const store::ReadView& view) : engine_(engine), view_(view) {}

  // Without its text and citations; null where there is none.
  absl::StatusOr<const v1::Source*> Find(absl::string_view name);

 private:
  engine::Engine& engine_;
  const store::ReadView view_;
  absl::flat_hash_map<std::string, std::unique_ptr<v1::Source>> sources_;
};

// What a read says of tellers and policies.
struct Telling {
  std::string as_told_by;
  v1::Evidence::ValuePolicy policy = v1::Evidence::VALUE_POLICY_UNSPECIFIED;

  bool plain() const {
    return as_told_by.empty() && policy == v1::Evidence::VALUE_POLICY_UNSPECIFIED;
  }
};

// INVALID_ARGUMENT where both are set, or either is malformed.
absl::StatusOr<Telling> TellingOf(const Call& call);

// One call's records, told so. `call` outlives it.
class Teller {
 public:
  Teller(const Call& call, const Telling& telling, const store::ReadView& view)
      : telling_(telling), sources_(call.engine, view) {}

  // INVALID_ARGUMENT where the source is not there.
  absl::Status Check();
  // Null where the telling is of a source that does not speak of the record.
  absl::StatusOr<std::unique_ptr<google::protobuf::Message>> Tell(
      const engine::Resource& resource, const google::protobuf::Message& record);
  // The identity of a record that its source does not speak of.
  static std::unique_ptr<google::protobuf::Message> Bare(const engine::Resource& resource,
                                                         const google::protobuf::Message& record);
  const Telling& telling() const { return telling_; }

 private:
  const Telling telling_;
  SourceCache sources_;
};

}  // namespace detente::api
