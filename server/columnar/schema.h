// A resource as Arrow types, all from its descriptor (docs/frames.md): messages as structs,
// repeated fields as lists, maps as maps, enums as dictionaries of their values' names, Timestamps
// in microseconds UTC, whole days as date32.
//
// Null are: messages that are absent, scalars with presence that are not set, enums that are not
// stated (0) or that this version of the contract does not name, days that are no whole day. All
// else is never null: a text that is not set is empty, as it is in the record.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "google/protobuf/descriptor.h"

namespace detente::columnar {

// A field of a message.
struct Node {
  enum class Kind { kScalar, kEnum, kDay, kTime, kDuration, kStruct, kMap };
  const google::protobuf::FieldDescriptor* field = nullptr;
  Kind kind = Kind::kScalar;
  bool list = false;                          // of what the rest says
  std::shared_ptr<arrow::Field> arrow;        // the field as it is read
  std::shared_ptr<arrow::DataType> value;     // its type, or that of the list's elements
  std::shared_ptr<arrow::DataType> built;     // as `value`, with an enum as its indices
  std::vector<Node> children;                 // kStruct
  std::shared_ptr<arrow::Array> names;        // kEnum: the dictionary
  absl::flat_hash_map<int, int> places = {};  // kEnum: in `names`, by number
};

// The fields of a message type, in its order. A field that would lead back into a message around it
// is left out.
std::vector<Node> NodesOf(const google::protobuf::Descriptor* type);

}  // namespace detente::columnar
