// Values at paths of a record, as JSON: read, told to be of the right type, and put in place.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "query/path.h"
#include "values/json.h"

namespace detente::query {

// The canonical JSON of the value at `path`; nothing where it is absent: not set, an empty list, an
// element that is not there, or the default of a field without presence. Of a path with `[*]`, the
// list of the values that are there.
std::optional<std::string> ValueAt(const google::protobuf::Message& record, const Path& path,
                                   values::JsonOf which = values::JsonOf::kContent);

// A value apart from any record: in a message of the type that holds it, which has nothing else
// set. Of an element, the list has that one; of a map's entry, the map. Null denies: there is no
// value.
using Value = std::unique_ptr<google::protobuf::Message>;

// Reads ProtoJSON as the value at `path`. INVALID_ARGUMENT says what was expected: the text is no
// JSON, does not fit the field's type, has unknown fields or another id than the path, or the path
// has `[*]`. An element gets its id from the path.
absl::StatusOr<Value> ReadValue(const Path& path, absl::string_view json);

// Puts a value in place, or removes what is there. Messages and elements around it that are not
// there are made; for a removal they are not. An element that is not there is appended.
// Only a removal may have `[*]` in its path; a value gets FAILED_PRECONDITION.
absl::Status PutValue(const Path& path, const google::protobuf::Message* value,
                      google::protobuf::Message* record);

// Both at once.
absl::Status SetValue(const Path& path, absl::string_view json, google::protobuf::Message* record);

}  // namespace detente::query
