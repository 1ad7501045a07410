// A part of the module detente._core.
#pragma once

#include <pybind11/pybind11.h>

namespace detente {

void BindFilters(pybind11::module_& m);

}  // namespace detente
