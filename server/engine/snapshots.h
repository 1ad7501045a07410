// What a snapshot's checksum is made of.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "engine/registry.h"
#include "store/store.h"

namespace detente::engine {

struct SnapshotEntry {
  std::string name;
  store::Revision revision = 0;
  std::string salt;     // bytes; empty where the record was erased
  std::string json;     // the content as canonical JSON; empty where the record was erased
  std::string leaf;     // hexadecimal digits
  bool erased = false;  // the leaf is that of before an erasure
};

// The leaf of a version as it is stored: SHA-256 over the salt and the content's JSON.
absl::StatusOr<std::string> LeafOf(const Resource& resource, const store::Version& version,
                                   std::string* json);

// Visits the live records of the view, and those erased that were live in it, in the order of their
// names, after `after`, until `visit` says false.
absl::Status VisitEntries(store::Reader& reader, const Registry& registry,
                          const store::ReadView& view, absl::string_view after,
                          absl::FunctionRef<bool(SnapshotEntry&)> visit);

struct Checksum {
  std::string digits;
  int64_t record_count = 0;
  int64_t erased_count = 0;
};

// `go_on` is asked now and then; false ends it with CANCELLED.
absl::StatusOr<Checksum> ChecksumOf(store::Reader& reader, const Registry& registry,
                                    const store::ReadView& view, absl::FunctionRef<bool()> go_on);

}  // namespace detente::engine
