// UTF-8, character by character.
#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace detente::values {

// How many bytes the first character of a text that is not empty takes; 0 = it is no UTF-8 (RFC
// 3629).
size_t CharacterSize(absl::string_view text);

}  // namespace detente::values
