// Serialized records for Python as what files hold: JSON, columns of Arrow, lines of CSV.
#include "rows.h"

#include <arrow/array/builder_base.h>
#include <arrow/record_batch.h>
#include <pybind11/stl.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "columnar/column_builder.h"
#include "columnar/row_format.h"
#include "csv.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/message.h"
#include "values/json.h"
#include "values/sha256.h"

namespace detente {
namespace {

namespace py = pybind11;

using google::protobuf::Message;

template <typename T>
T OrThrow(absl::StatusOr<T> result) {
  if (!result.ok()) throw std::runtime_error(std::string(result.status().message()));
  return *std::move(result);
}

absl::string_view View(const py::bytes& bytes) {
  return {PyBytes_AS_STRING(bytes.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.ptr()))};
}

void Parse(absl::string_view bytes, Message* record) {
  if (!record->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw py::value_error(absl::StrCat("no ", record->GetTypeName()));
  }
}

// The files that this module was built with, and those that Python has beside them. Guarded by the
// GIL.
google::protobuf::DescriptorPool& Pool() {
  static auto* pool =
      new google::protobuf::DescriptorPool(google::protobuf::DescriptorPool::generated_pool());
  return *pool;
}

void AddFile(const std::string& name, const py::bytes& serialized) {
  if (Pool().FindFileByName(name) != nullptr) return;
  google::protobuf::FileDescriptorProto file;
  Parse(View(serialized), &file);
  if (Pool().BuildFile(file) == nullptr) throw py::value_error(name + ": can't be built");
}

// A message of the contract, by its full name.
const Message& PrototypeOf(const std::string& type) {
  static auto* factory = [] {
    auto* made = new google::protobuf::DynamicMessageFactory(&Pool());
    made->SetDelegateToGeneratedFactory(true);
    return made;
  }();
  const auto* descriptor = Pool().FindMessageTypeByName(type);
  if (descriptor == nullptr) throw py::value_error(absl::StrCat(type, ": no message of ours"));
  return *factory->GetPrototype(descriptor);
}

std::string Json(const std::string& type, const py::bytes& record, values::JsonOf which) {
  const std::unique_ptr<Message> parsed(PrototypeOf(type).New());
  Parse(View(record), parsed.get());
  return values::ToJson(*parsed, which);
}

py::str JsonLine(const std::string& type, const py::bytes& record) {
  return Json(type, record, values::JsonOf::kForPeople);
}

std::string Leaf(const std::string& type, const py::bytes& record) {
  return values::Sha256Hex(Json(type, record, values::JsonOf::kContent));
}

// Records as batches of the columns that a read of rows would have.
class Rows {
 public:
  Rows(const std::string& type, const std::vector<std::string>& columns, bool flat)
      : prototype_(PrototypeOf(type)), nodes_(columnar::NodesOf(prototype_.GetDescriptor())) {
    std::vector<const std::string*> names;
    names.reserve(columns.size());
    for (const std::string& column : columns) names.push_back(&column);
    auto projection = columnar::Projection::Parse(prototype_.GetDescriptor(), nodes_, names, flat);
    if (!projection.ok()) throw py::value_error(std::string(projection.status().message()));
    format_ = std::make_unique<columnar::RowFormat>(OrThrow(columnar::RowFormat::Make(
        *std::move(projection), nodes_, columnar::Compression::kNone, {})));
  }

  py::bytes Schema() const { return format_->schema(); }

  py::bytes ToArrow(const std::vector<py::bytes>& records) const {
    std::string stream;
    Convert(records, [&](const arrow::RecordBatch& batch) {
      const columnar::Encoded encoded = OrThrow(format_->encoder().Encode(batch));
      stream.reserve(encoded.bytes);
      for (const columnar::Part& part : encoded.parts) {
        stream.append(part.bytes.data(), part.bytes.size());
      }
    });
    return stream;
  }

  py::str ToCsvLines(const std::vector<py::bytes>& records) const {
    std::string lines;
    Convert(records, [&](const arrow::RecordBatch& batch) { lines = OrThrow(ToCsv(batch)); });
    return lines;
  }

 private:
  // `records` holds them while others run.
  template <typename F>
  void Convert(const std::vector<py::bytes>& records, const F& use) const {
    std::vector<absl::string_view> views;
    views.reserve(records.size());
    for (const py::bytes& record : records) views.push_back(View(record));
    const py::gil_scoped_release release;
    use(*Batch(views));
  }

  std::shared_ptr<arrow::RecordBatch> Batch(const std::vector<absl::string_view>& records) const {
    std::vector<columnar::ColumnBuilder> builders;
    for (const columnar::ColumnId& id : format_->fields()) {
      builders.emplace_back(nodes_[id.number]);
    }
    const std::unique_ptr<Message> record(prototype_.New());
    for (const absl::string_view bytes : records) {
      Parse(bytes, record.get());
      for (columnar::ColumnBuilder& builder : builders) builder.Append(*record);
    }
    columnar::Columns columns;
    for (size_t i = 0; i < builders.size(); ++i) {
      columns[format_->fields()[i]] = OrThrow(builders[i].Finish());
    }
    return OrThrow(format_->Batch(columns, static_cast<int64_t>(records.size())));
  }

  const Message& prototype_;
  const std::vector<columnar::Node> nodes_;
  std::unique_ptr<columnar::RowFormat> format_;
};

}  // namespace

void BindRows(py::module_& m) {
  m.def("add_file", &AddFile, py::arg("name"), py::arg("serialized"),
        "Makes the messages of a .proto file known to the functions below, where they are not.");
  m.def(
      "json_line", &JsonLine, py::arg("type"), py::arg("record"),
      "A serialized message, of the type of that full name, as ProtoJSON with proto field names.");
  m.def("leaf", &Leaf, py::arg("type"), py::arg("record"),
        "The SHA-256 of what a caller may write of a record, as RFC 8785 has it.");
  py::class_<Rows>(m, "Rows", py::is_final(),
                   "Serialized records of a type as rows of columns; ValueError: no such columns.")
      .def(py::init<const std::string&, const std::vector<std::string>&, bool>(), py::arg("type"),
           py::arg("columns"), py::arg("flat"))
      .def("schema", &Rows::Schema, "The Arrow schema, as an IPC message.")
      .def("arrow", &Rows::ToArrow, py::arg("records"), "An Arrow IPC stream of one batch.")
      .def("csv", &Rows::ToCsvLines, py::arg("records"),
           "A line of CSV for each record; the columns are flat.")
      .def("__repr__", [](const Rows&) { return "<detente._core.Rows>"; });
}

}  // namespace detente
