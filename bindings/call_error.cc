#include "call_error.h"

#include <string>

#include "error/error.h"
#include "google/rpc/status.pb.h"

namespace detente {
namespace {

namespace py = pybind11;

PyObject* call_error = nullptr;  // never released: threads may outlive the interpreter

}  // namespace

void BindCallError(py::module_& module) {
  call_error = PyErr_NewExceptionWithDoc(
      "detente._core.CallError",
      "A call failed: its gRPC code, its message, and the serialized google.rpc.Status.", nullptr,
      nullptr);
  if (call_error == nullptr) throw py::error_already_set();
  module.attr("CallError") = py::handle(call_error);
}

py::object CallErrorOf(const absl::Status& status) {
  const py::str message = ToText(status.message());
  py::object error = py::handle(call_error)(message);
  error.attr("code") = static_cast<int>(status.code());
  error.attr("message") = message;
  error.attr("details") = py::bytes(ToRpcStatus(status).SerializeAsString());
  return error;
}

void Raise(const absl::Status& status) {
  const py::object error = CallErrorOf(status);
  PyErr_SetObject(call_error, error.ptr());
  throw py::error_already_set();
}

py::str ToText(absl::string_view text) {
  return py::reinterpret_steal<py::str>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

}  // namespace detente
