// What must hold of any bytes that are read as a filter; the fuzzer and the tests share it.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace detente::query {

// Empty if all is well, otherwise what is not.
std::string CheckFilter(absl::string_view text);

}  // namespace detente::query
