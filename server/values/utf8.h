// UTF-8, character by character.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace detente::values {

// How many bytes the first character of a text that is not empty takes; 0 = it is no UTF-8 (RFC
// 3629).
size_t CharacterSize(absl::string_view text);

// How many bytes the white space takes that a text begins with, one character of it; 0 = there is
// none. It is that of Unicode, and what has no width.
size_t SpaceSize(absl::string_view text);

// The text as a message can hold it, for people: U+FFFD in place of what is no UTF-8, and `…` in
// place of what is beyond about `max_bytes`.
std::string Readable(absl::string_view text, size_t max_bytes);

}  // namespace detente::values
