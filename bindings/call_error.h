// How failures of calls look in Python: detente._core.CallError.
#pragma once

#include <pybind11/pybind11.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace detente {

void BindCallError(pybind11::module_& module);

// A CallError, not raised.
pybind11::object CallErrorOf(const absl::Status& status);

[[noreturn]] void Raise(const absl::Status& status);

// Bytes that are no UTF-8 become U+FFFD.
pybind11::str ToText(absl::string_view text);

}  // namespace detente
