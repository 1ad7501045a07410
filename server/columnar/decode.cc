#include "columnar/decode.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "columnar/cell.h"
#include "columnar/field_reader.h"
#include "detente/v1/values.pb.h"
#include "error/error.h"
#include "query/nearest.h"
#include "query/path.h"
#include "values/utf8.h"

namespace detente::columnar {
namespace {

using engine::FieldPlan;
using google::protobuf::Message;

constexpr absl::string_view kField = "batch.arrow_stream";
constexpr absl::string_view kNameColumn = "name";
constexpr absl::string_view kIdColumn = "id";

constexpr size_t kMaxErrorBytes = 400;

Violation Wrong(absl::string_view what) {
  return {std::string(kField), values::Readable(what, kMaxErrorBytes)};
}

absl::Status OverLimit(absl::string_view what) {
  return InvalidFields({Wrong(what)}, v1::LIMIT_EXCEEDED);
}

// Gives out so much in all, whatever is given back: a few bytes may ask for exabytes, or for the
// same megabytes again and again.
class BoundedPool : public arrow::MemoryPool {
 public:
  arrow::Status Allocate(int64_t size, int64_t alignment, uint8_t** out) override {
    ARROW_RETURN_NOT_OK(Count(size));
    return base_->Allocate(size, alignment, out);
  }
  arrow::Status Reallocate(int64_t old_size, int64_t new_size, int64_t alignment,
                           uint8_t** out) override {
    ARROW_RETURN_NOT_OK(Count(std::max<int64_t>(0, new_size - old_size)));
    return base_->Reallocate(old_size, new_size, alignment, out);
  }
  void Free(uint8_t* buffer, int64_t size, int64_t alignment) override {
    base_->Free(buffer, size, alignment);
  }
  int64_t bytes_allocated() const override { return given_; }
  int64_t total_bytes_allocated() const override { return given_; }
  int64_t num_allocations() const override { return 0; }
  std::string backend_name() const override { return base_->backend_name(); }

 private:
  arrow::Status Count(int64_t size) {
    if (size > kMaxArrowBytes - given_) return arrow::Status::OutOfMemory("");
    given_ += size;
    return arrow::Status::OK();
  }

  arrow::MemoryPool* const base_ = arrow::default_memory_pool();
  int64_t given_ = 0;
};

absl::Status Unreadable(const arrow::Status& status) {
  if (status.IsOutOfMemory()) {
    return OverLimit(absl::StrCat("takes more than ", kMaxArrowBytes, " bytes uncompressed"));
  }
  return InvalidFields(
      {Wrong(absl::StrCat("is no Arrow IPC stream that can be read: ", status.message()))});
}

int CountFields(const arrow::FieldVector& fields) {
  int count = static_cast<int>(fields.size());
  for (const auto& field : fields) count += CountFields(field->type()->fields());
  return count;
}

// The plan of each step of a path without elements; null where one is in a list.
std::optional<std::vector<const FieldPlan*>> PlansOf(const engine::Resource& resource,
                                                     const query::Path& path) {
  std::vector<const FieldPlan*> plans;
  const engine::TypePlan* type = resource.plan;
  for (const query::Step& step : path) {
    if (step.select != query::Step::Select::kWhole) return std::nullopt;
    plans.push_back(&*std::find_if(type->fields.begin(), type->fields.end(),
                                   [&](const FieldPlan& f) { return f.field == step.field; }));
    type = plans.back()->message;
  }
  return plans;
}

// Where a column goes: the same in each record batch of a stream.
struct Target {
  int column;
  std::string name;
  query::Path path;
  std::vector<const FieldPlan*> plans;  // of the path
};

struct Layout {
  int name = -1;  // which column has it
  int id = -1;
  std::vector<Target> targets;
  query::Mask mask;
};

class LayoutMaker {
 public:
  LayoutMaker(const engine::Resource& resource, const arrow::Schema& schema,
              absl::Span<const std::string> columns)
      : resource_(resource), schema_(schema), columns_(columns) {}

  absl::StatusOr<Layout> Make() {
    if (CountFields(schema_.fields()) > kMaxBatchColumns) {
      return OverLimit(absl::StrCat("at most ", kMaxBatchColumns, " columns, got ",
                                    CountFields(schema_.fields()), " with the nested ones"));
    }
    absl::flat_hash_set<std::string> names;
    for (int i = 0; i < schema_.num_fields(); ++i) {
      const std::string& name = schema_.field(i)->name();
      if (!names.insert(name).second) Refuse(name, "is there twice");
      if (name == kNameColumn) {
        layout_.name = i;
      } else if (name == kIdColumn) {
        layout_.id = i;
      } else if (columns_.empty() || absl::c_linear_search(columns_, name)) {
        Add(i, name);
      }
    }
    for (const std::string& column : columns_) {
      if (!names.contains(column)) Refuse(column, "the rows have no such column");
    }
    CheckOverlaps();
    if (!violations_.empty()) return InvalidFields(violations_);
    layout_.mask = Mask();
    return std::move(layout_);
  }

 private:
  void Refuse(absl::string_view column, absl::string_view what) {
    constexpr size_t kMaxName = 128;
    violations_.push_back(Wrong(absl::StrCat("column `", column.substr(0, kMaxName), "`: ", what)));
  }

  void Add(int column, const std::string& name) {
    auto path = query::ParsePath(name, resource_.type);
    if (!path.ok()) return Refuse(name, path.status().message());
    auto plans = PlansOf(resource_, *path);
    if (!plans.has_value()) return Refuse(name, "names elements; take the list as a whole");
    // What the server makes may be there, as ReadRows sends it.
    if (plans->front()->field->number() <= engine::kDeleteTime) return;
    if (std::any_of(plans->begin(), plans->end(), [](const auto* p) { return p->output_only; })) {
      return;
    }
    layout_.targets.push_back({column, name, *std::move(path), *std::move(plans)});
  }

  void CheckOverlaps() {
    for (const Target& outer : layout_.targets) {
      for (const Target& inner : layout_.targets) {
        if (&outer == &inner || !query::Covers(outer.path, inner.path)) continue;
        if (outer.name != inner.name) {
          Refuse(inner.name, absl::StrCat("is a part of `", outer.name, "`; leave one out"));
        }
      }
    }
  }

  // A date is written as a whole: half of one is none.
  query::Mask Mask() const {
    std::vector<query::Path> paths;
    absl::flat_hash_set<std::string> seen;
    for (const Target& target : layout_.targets) {
      query::Path path = target.path;
      if (path.size() > 1 &&
          path.back().field->containing_type() == v1::UncertainDate::descriptor()) {
        path.pop_back();
      }
      if (seen.insert(query::FormatPath(path)).second) paths.push_back(std::move(path));
    }
    return query::Mask::Of(std::move(paths));
  }

  const engine::Resource& resource_;
  const arrow::Schema& schema_;
  const absl::Span<const std::string> columns_;
  Layout layout_;
  std::vector<Violation> violations_;
};

// The columns of one record batch.
class BatchReader {
 public:
  static absl::StatusOr<BatchReader> New(const Layout& layout, const arrow::RecordBatch& batch) {
    BatchReader reader;
    std::vector<Violation> violations;
    const auto add = [&](const absl::Status& status) {
      violations.push_back(Wrong(status.message()));
    };
    for (const Target& target : layout.targets) {
      auto made = NewFieldReader(*target.plans.back(), batch.column(target.column), target.name);
      if (!made.ok()) {
        add(made.status());
      } else if (*made != nullptr) {
        reader.columns_.push_back({&target, *std::move(made)});
      }
    }
    for (const auto& [column, name, texts] : {std::tuple{layout.name, kNameColumn, &reader.names_},
                                              {layout.id, kIdColumn, &reader.ids_}}) {
      if (column < 0) continue;
      texts->emplace(batch.column(column));
      if ((*texts)->kind() != CellKind::kText && (*texts)->kind() != CellKind::kNull) {
        add(absl::InvalidArgumentError(
            absl::StrCat("column `", name, "`: text expected, got Arrow's ",
                         batch.column(column)->type()->ToString().substr(0, 64))));
      }
    }
    if (!violations.empty()) return InvalidFields(violations);
    return reader;
  }

  DecodedRow Read(int64_t at, const engine::Resource& resource, Reading& reading) const {
    DecodedRow row;
    row.name = TextAt(names_, at, reading);
    row.id = TextAt(ids_, at, reading);
    row.record.reset(resource.prototype->New());
    for (const Column& column : columns_) {
      if (reading.full()) break;
      if (column.reader->IsNull(at)) continue;
      Message* message = row.record.get();
      const auto& plans = column.target->plans;
      for (size_t i = 0; i + 1 < plans.size(); ++i) {
        message = message->GetReflection()->MutableMessage(message, plans[i]->field);
      }
      column.reader->Read(at, {nullptr, column.target->name}, message, reading);
    }
    return row;
  }

 private:
  struct Column {
    const Target* target;
    std::unique_ptr<FieldReader> reader;
  };

  static std::string TextAt(const std::optional<Cells>& cells, int64_t at, Reading& reading) {
    if (!cells.has_value() || cells->IsNull(at)) return "";
    constexpr size_t kMaxName = 256;  // longer ones are refused by what reads them
    reading.text_bytes += cells->Text(at).size();
    return std::string(cells->Text(at).substr(0, kMaxName));
  }

  std::optional<Cells> names_;
  std::optional<Cells> ids_;
  std::vector<Column> columns_;
};

}  // namespace

absl::StatusOr<DecodedRows> DecodeRows(const engine::Resource& resource,
                                       absl::string_view arrow_stream,
                                       absl::Span<const std::string> columns) {
  BoundedPool pool;
  arrow::ipc::IpcReadOptions options;
  options.max_recursion_depth = kMaxBatchNesting;
  options.memory_pool = &pool;
  options.use_threads = false;
  options.ensure_alignment = arrow::ipc::Alignment::kDataTypeSpecificAlignment;
  arrow::io::BufferReader input(
      std::make_shared<arrow::Buffer>(reinterpret_cast<const uint8_t*>(arrow_stream.data()),
                                      static_cast<int64_t>(arrow_stream.size())));
  auto opened = arrow::ipc::RecordBatchStreamReader::Open(&input, options);
  if (!opened.ok()) return Unreadable(opened.status());
  auto layout = LayoutMaker(resource, *(*opened)->schema(), columns).Make();
  if (!layout.ok()) return layout.status();

  DecodedRows decoded;
  Reading reading;
  reading.violations = &decoded.violations;
  for (int batches = 0;; ++batches) {
    std::shared_ptr<arrow::RecordBatch> batch;
    arrow::Status status = (*opened)->ReadNext(&batch);
    if (!status.ok()) return Unreadable(status);
    if (batch == nullptr) break;
    if (batches == kMaxRecordBatches) {
      return OverLimit(absl::StrCat("at most ", kMaxRecordBatches, " record batches"));
    }
    if (batch->num_rows() > kMaxBatchRows - static_cast<int64_t>(decoded.rows.size())) {
      return OverLimit(absl::StrCat("at most ", kMaxBatchRows, " rows"));
    }
    status = batch->ValidateFull();
    if (!status.ok()) return Unreadable(status);
    auto reader = BatchReader::New(*layout, *batch);
    if (!reader.ok()) return reader.status();
    for (int64_t i = 0; i < batch->num_rows(); ++i) {
      reading.row = decoded.rows.size();
      decoded.rows.push_back(reader->Read(i, resource, reading));
      if (reading.text_bytes > kMaxBatchTextBytes) {
        return OverLimit(
            absl::StrCat("at most ", kMaxBatchTextBytes, " bytes of text in all rows"));
      }
      if (reading.elements > kMaxBatchElements) {
        return OverLimit(
            absl::StrCat("at most ", kMaxBatchElements, " elements of lists in all rows"));
      }
    }
  }
  decoded.mask = std::move(layout->mask);
  return decoded;
}

}  // namespace detente::columnar
