// Paths into a record, as citations, restricted_fields and masks write them: field names joined by
// dots, elements of repeated messages and map entries by key, never by index:
//   participants["bialiatski"].outcomes["1"].kind      participants[*].person      labels["case"]
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace detente::query {

constexpr size_t kMaxPathBytes = 1024;

struct Step {
  enum class Select { kWhole, kElement, kEvery };  // field, field["key"], field[*]
  const google::protobuf::FieldDescriptor* field;
  Select select = Select::kWhole;
  std::string key;
};

using Path = std::vector<Step>;

// Reads `text` against a message type. An error says what is wrong and at which byte, and the
// nearest field's name.
absl::StatusOr<Path> ParsePath(absl::string_view text,
                               const google::protobuf::Descriptor* descriptor);

// The canonical text of a path.
std::string FormatPath(const Path& path);

// Whether `outer` names `inner`: the same, one around it, or one that does so by `[*]`.
bool Covers(const Path& outer, const Path& inner);

// Whether it names one value: no `[*]`.
bool IsConcrete(const Path& path);

}  // namespace detente::query
