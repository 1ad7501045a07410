// The name that was probably meant.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace detente::query {

// The one of `names` that is fewest edits away from `name`; empty where all are far from it.
std::string Nearest(absl::string_view name, const std::vector<absl::string_view>& names);

// The same of the fields of a message type.
std::string NearestField(const google::protobuf::Descriptor* type, absl::string_view name);

}  // namespace detente::query
