// Dates for Python: the parser and the relations of server/values, under detente.Date.
#include "dates.h"

#include <pybind11/native_enum.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "values/edtf.h"
#include "values/messages.h"

namespace detente {
namespace {

namespace py = pybind11;

using values::CivilDate;
using values::DateRelation;
using values::DateWindow;
using values::EdtfDate;

// Year, month, day: Python's own dates have the years 1 to 9999 alone.
using Day = std::tuple<int64_t, int, int>;

std::optional<Day> FromCivil(const std::optional<CivilDate>& date) {
  if (!date) return std::nullopt;
  return Day(date->year, date->month, date->day);
}

std::optional<CivilDate> ToCivil(const std::optional<Day>& day) {
  if (!day) return std::nullopt;
  const auto& [year, month, number] = *day;
  return CivilDate{.year = year, .month = month, .day = number};
}

DateWindow Window(const std::optional<Day>& from, const std::optional<Day>& to) {
  return {.from = ToCivil(from), .to = ToCivil(to)};
}

// Never destroyed: it belongs to the module.
PyObject* edtf_error = nullptr;

EdtfDate Parse(const py::bytes& text) {
  size_t position = 0;
  const absl::string_view bytes(PyBytes_AS_STRING(text.ptr()),
                                static_cast<size_t>(PyBytes_GET_SIZE(text.ptr())));
  absl::StatusOr<EdtfDate> date = values::ParseEdtf(bytes, &position);
  if (date.ok()) return *std::move(date);
  const py::object error = py::handle(edtf_error)(std::string(date.status().message()));
  error.attr("position") = position;
  PyErr_SetObject(edtf_error, error.ptr());
  throw py::error_already_set();
}

}  // namespace

void BindDates(py::module_& m) {
  edtf_error = PyErr_NewExceptionWithDoc("detente._core.EdtfError",
                                         "A text is no EDTF: what was expected, and its position.",
                                         PyExc_ValueError, nullptr);
  if (edtf_error == nullptr) throw py::error_already_set();
  m.attr("EdtfError") = py::handle(edtf_error);

  py::native_enum<DateRelation>(m, "DateRelation", "enum.Enum")
      .value("BEFORE", DateRelation::kBefore)
      .value("WITHIN", DateRelation::kWithin)
      .value("AFTER", DateRelation::kAfter)
      .value("OVERLAPPING", DateRelation::kOverlapping)
      .finalize();
  py::class_<EdtfDate>(m, "Edtf", py::is_final(), "A date in EDTF.")
      .def(py::init(&Parse), py::arg("text"))
      .def_property_readonly("earliest",
                             [](const EdtfDate& self) { return FromCivil(self.earliest); })
      .def_property_readonly("latest", [](const EdtfDate& self) { return FromCivil(self.latest); })
      .def_property_readonly(
          "precision",
          [](const EdtfDate& self) {
            return v1::UncertainDate::Precision_Name(values::PrecisionOf(self.precision));
          })
      .def_readonly("approximate", &EdtfDate::approximate)
      .def_readonly("uncertain", &EdtfDate::uncertain)
      .def_property_readonly("canonical", &values::CanonicalEdtf)
      .def(
          "admits", [](const EdtfDate& self, const Day& day) { return self.Admits(*ToCivil(day)); },
          py::arg("day"))
      .def(
          "possibly",
          [](const EdtfDate& self, DateRelation relation, const std::optional<Day>& from,
             const std::optional<Day>& to) { return Possibly(self, relation, Window(from, to)); },
          py::arg("relation"), py::arg("start"), py::arg("end"))
      .def(
          "certainly",
          [](const EdtfDate& self, DateRelation relation, const std::optional<Day>& from,
             const std::optional<Day>& to) { return Certainly(self, relation, Window(from, to)); },
          py::arg("relation"), py::arg("start"), py::arg("end"))
      .def(
          "compare",
          [](const EdtfDate& self, const EdtfDate& other) {
            const std::strong_ordering order = self <=> other;
            return order < 0 ? -1 : order > 0 ? 1 : 0;
          },
          py::arg("other"),
          "Below, at or above 0, as this is before, equal to or after the other.");
}

}  // namespace detente
