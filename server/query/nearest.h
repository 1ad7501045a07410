// The name that was probably meant.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace detente::query {

// The one of `names` that is fewest edits away from `name`; empty where all are far from it.
std::string Nearest(absl::string_view name, const std::vector<absl::string_view>& names);

}  // namespace detente::query
