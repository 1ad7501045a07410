// Texts of a fixed form.
#pragma once

#include "absl/strings/string_view.h"
#include "engine/registry.h"

namespace detente::engine {

// What is expected of the text, or null where it fits.
const char* Misfit(Format format, absl::string_view text);

}  // namespace detente::engine
