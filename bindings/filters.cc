// Filters for Python: the syntax of server/query, under detente.Filter.
#include "filters.h"

#include <string>

#include "query/filter.h"

namespace detente {
namespace {

namespace py = pybind11;

// Never destroyed: it belongs to the module.
PyObject* filter_error = nullptr;

py::str Tree(const py::bytes& text) {
  const absl::string_view bytes(PyBytes_AS_STRING(text.ptr()),
                                static_cast<size_t>(PyBytes_GET_SIZE(text.ptr())));
  size_t position = 0;
  const absl::StatusOr<std::string> tree = query::SyntaxTree(bytes, &position);
  if (tree.ok()) return py::str(*tree);
  // What it says of a text cut short may end within a character.
  const absl::string_view message = tree.status().message();
  const py::object error = py::handle(filter_error)(py::reinterpret_steal<py::str>(
      PyUnicode_DecodeUTF8(message.data(), static_cast<Py_ssize_t>(message.size()), "replace")));
  error.attr("position") = position;
  PyErr_SetObject(filter_error, error.ptr());
  throw py::error_already_set();
}

}  // namespace

void BindFilters(py::module_& m) {
  filter_error = PyErr_NewExceptionWithDoc(
      "detente._core.FilterError", "A text is no filter: what was expected, and its position.",
      PyExc_ValueError, nullptr);
  if (filter_error == nullptr) throw py::error_already_set();
  m.attr("FilterError") = py::handle(filter_error);
  m.def("filter_tree", &Tree, py::arg("text"),
        "The syntax of a filter in UTF-8, one node a line, indented by two spaces a level.");
}

}  // namespace detente
