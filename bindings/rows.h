#pragma once

#include <pybind11/pybind11.h>

namespace detente {

void BindRows(pybind11::module_& m);

}  // namespace detente
