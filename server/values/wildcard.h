// Texts with wildcards, as filters have them: `*` stands for any characters, none too; `\*` is a
// star, `\\` a backslash.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace detente::values {

bool HasWildcard(absl::string_view pattern);
// Bytes are compared as they are. Takes time in proportion to the sizes' product at worst.
bool MatchesWildcard(absl::string_view pattern, absl::string_view text);
// What every match begins with: the text before the first wildcard, without escapes.
std::string WildcardPrefix(absl::string_view pattern);

}  // namespace detente::values
