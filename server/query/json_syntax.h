// Whether a text is one JSON value, strictly (RFC 8259): protobuf's reader takes more than that.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace detente::query {

constexpr int kMaxJsonDepth = 64;

// An error says what is wrong at which byte. Texts must not hold half a surrogate pair.
absl::Status CheckJson(absl::string_view text);

}  // namespace detente::query
