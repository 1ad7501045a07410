// The references that a record makes to other records and to elements of lists.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "engine/registry.h"
#include "google/protobuf/message.h"
#include "store/store.h"

namespace detente::engine {

struct Reference {
  std::string path;    // in the record that refers
  std::string record;  // the name referred to; of an element in the record's own list, empty
  std::string list;    // of a reference to an element: its list and id
  std::string id;
  bool operator==(const Reference&) const = default;
  auto operator<=>(const Reference&) const = default;
};

// In the order of the fields.
std::vector<Reference> References(const Resource& resource,
                                  const google::protobuf::Message& record);

// The names among them, sorted, each once.
std::vector<std::string> Targets(const std::vector<Reference>& references);

// The names that one version refers to and the other does not; both as Targets gives them.
struct TargetChange {
  std::vector<std::string> removed;
  std::vector<std::string> added;
};
TargetChange TargetChangeOf(const std::vector<std::string>& before,
                            const std::vector<std::string>& after);

// The ids of the elements in a record's repeated field `list`; none where it has no such field.
absl::flat_hash_set<std::string> ElementIds(const google::protobuf::Message& record,
                                            absl::string_view list);

// Puts the references of all versions of all records of a resource, where none are kept.
absl::Status DeriveReferences(const Resource& resource, store::Writer* writer);

}  // namespace detente::engine
