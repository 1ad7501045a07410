// What must hold of any bytes that are read as EDTF; the fuzzer and the tests share it.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace detente::values {

// Empty if all is well, otherwise what is not.
std::string CheckEdtf(absl::string_view text);

}  // namespace detente::values
