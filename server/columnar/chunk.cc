#include "columnar/chunk.h"

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "columnar/arrow_status.h"
#include "store/record.h"

namespace detente::columnar {
namespace {

using store::Column;
using store::Value;
using store::Version;

Value RowValue(const Version& version, int column) {
  switch (column) {
    case store::kRowId:
      return version.id;
    case store::kRowUid:
      return version.uid;
    case store::kRowRevision:
      return version.since;
    case store::kRowCreateTime:
      return version.create_time;
    case store::kRowUpdateTime:
      return version.update_time;
    default:
      return version.delete_time == 0 ? Value() : Value(version.delete_time);
  }
}

std::shared_ptr<arrow::DataType> KeyType(const engine::Resource& resource, int column) {
  if (column == store::kRowId || column == store::kRowUid) return arrow::utf8();
  if (column < 0) return arrow::int64();
  switch (resource.columns->table().columns[column].type) {
    case Column::Type::kInteger:
      return arrow::int64();
    case Column::Type::kReal:
      return arrow::float64();
    case Column::Type::kText:
      return arrow::utf8();
  }
  return nullptr;
}

arrow::Status AppendValue(const Value& value, arrow::ArrayBuilder* builder) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    return static_cast<arrow::Int64Builder*>(builder)->Append(*number);
  }
  if (const auto* real = std::get_if<double>(&value)) {
    // A store has no such value.
    if (std::isnan(*real)) return builder->AppendNull();
    return static_cast<arrow::DoubleBuilder*>(builder)->Append(*real);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return static_cast<arrow::StringBuilder*>(builder)->Append(*text);
  }
  return builder->AppendNull();
}

}  // namespace

absl::string_view Chunk::id(int64_t row) const {
  const auto view = ids->GetView(row);
  return {view.data(), view.size()};
}

int64_t Chunk::Find(store::Revision version_since, absl::string_view version_id) const {
  const auto [first, last] = std::equal_range(since.begin(), since.end(), version_since);
  int64_t low = first - since.begin(), high = last - since.begin();
  const int64_t end = high;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (id(middle) < version_id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < end && id(low) == version_id ? low : -1;
}

size_t Chunk::bytes() const {
  return since.size() * (2 * sizeof(store::Revision) + 1) + BytesOf(*ids);
}

size_t BytesOf(const arrow::Array& array) {
  return static_cast<size_t>(arrow::util::TotalBufferSize(array));
}

struct ChunkBuilder::Column {
  ColumnId id;
  std::unique_ptr<ColumnBuilder> field;  // one of the two
  std::unique_ptr<arrow::ArrayBuilder> key;
};

ChunkBuilder::ChunkBuilder(const engine::Resource& resource, const std::vector<Node>& nodes,
                           const std::vector<ColumnId>& columns)
    : resource_(resource),
      record_(resource.prototype->New()),
      ids_(std::make_unique<arrow::StringBuilder>()) {
  for (const ColumnId& id : columns) {
    Column& column = columns_.emplace_back();
    column.id = id;
    if (id.key) {
      column.key = Check(arrow::MakeBuilder(KeyType(resource, id.number)));
    } else {
      column.field = std::make_unique<ColumnBuilder>(nodes[id.number]);
    }
  }
}

ChunkBuilder::~ChunkBuilder() = default;

absl::Status ChunkBuilder::Load(const Version& version) {
  record_bytes_.clear();
  store::AppendRecord(resource_.collection, version, &record_bytes_);
  if (!record_->ParseFromString(record_bytes_)) {
    return absl::DataLossError(
        absl::StrCat(resource_.Name(version.id), ": its stored bytes can't be read"));
  }
  version_ = &version;
  return absl::OkStatus();
}

absl::Status ChunkBuilder::Append(store::Revision until) {
  const Version& version = *version_;
  for (Column& column : columns_) {
    if (!column.id.key) {
      column.field->Append(*record_);
      continue;
    }
    DETENTE_ARROW_RETURN(AppendValue(column.id.number < 0
                                         ? RowValue(version, column.id.number)
                                         : resource_.columns->ValueOf(*record_, column.id.number),
                                     column.key.get()));
  }
  DETENTE_ARROW_RETURN(ids_->Append(version.id));
  since_.push_back(version.since);
  until_.push_back(until);
  deleted_.push_back(version.delete_time != 0 ? 1 : 0);
  bytes_ += version.payload.size();
  ++rows_;
  return absl::OkStatus();
}

absl::StatusOr<Columns> ChunkBuilder::FinishColumns() {
  Columns columns;
  for (Column& column : columns_) {
    if (column.id.key) {
      auto array = column.key->Finish();
      DETENTE_ARROW_RETURN(array.status());
      columns[column.id] = *std::move(array);
    } else {
      auto array = column.field->Finish();
      if (!array.ok()) return array.status();
      columns[column.id] = *std::move(array);
    }
  }
  ids_->Reset();
  since_.clear();
  until_.clear();
  deleted_.clear();
  rows_ = 0;
  bytes_ = 0;
  return columns;
}

absl::StatusOr<std::shared_ptr<Chunk>> ChunkBuilder::Finish() {
  auto chunk = std::make_shared<Chunk>();
  DETENTE_ARROW_RETURN(ids_->Finish(&chunk->ids));
  chunk->since = std::move(since_);
  chunk->deleted = std::move(deleted_);
  chunk->until = std::make_unique<std::atomic<store::Revision>[]>(until_.size());
  for (size_t i = 0; i < until_.size(); ++i) {
    chunk->until[i].store(until_[i], std::memory_order_relaxed);
    if (until_[i] != INT64_MAX) ++chunk->dead;
  }
  auto columns = FinishColumns();
  if (!columns.ok()) return columns.status();
  chunk->columns = *std::move(columns);
  return chunk;
}

absl::StatusOr<std::shared_ptr<arrow::Array>> TakeRows(const std::shared_ptr<arrow::Array>& array,
                                                       const std::vector<int32_t>& rows) {
  const arrow::Int32Array indices(static_cast<int64_t>(rows.size()), arrow::Buffer::Wrap(rows));
  auto taken = arrow::compute::Take(*array, indices, arrow::compute::TakeOptions::NoBoundsCheck());
  DETENTE_ARROW_RETURN(taken.status());
  return *std::move(taken);
}

absl::StatusOr<std::shared_ptr<Chunk>> Merge(absl::Span<const std::shared_ptr<Chunk>> chunks,
                                             store::Revision alive) {
  auto merged = std::make_shared<Chunk>();
  std::vector<store::Revision> until;
  std::vector<std::vector<int32_t>> rows(chunks.size());
  for (size_t i = 0; i < chunks.size(); ++i) {
    const Chunk& chunk = *chunks[i];
    for (int64_t row = 0; row < chunk.rows(); ++row) {
      const store::Revision end = chunk.until[row].load(std::memory_order_relaxed);
      if (end <= alive) continue;
      rows[i].push_back(static_cast<int32_t>(row));
      merged->since.push_back(chunk.since[row]);
      merged->deleted.push_back(chunk.deleted[row]);
      until.push_back(end);
    }
  }
  merged->until = std::make_unique<std::atomic<store::Revision>[]>(until.size());
  for (size_t i = 0; i < until.size(); ++i) {
    merged->until[i].store(until[i], std::memory_order_relaxed);
    if (until[i] != INT64_MAX) ++merged->dead;
  }
  auto join = [&](auto column_of) -> absl::StatusOr<std::shared_ptr<arrow::Array>> {
    arrow::ArrayVector parts;
    for (size_t i = 0; i < chunks.size(); ++i) {
      std::shared_ptr<arrow::Array> part = column_of(*chunks[i]);
      if (static_cast<int64_t>(rows[i].size()) != part->length()) {
        auto taken = TakeRows(part, rows[i]);
        if (!taken.ok()) return taken;
        part = *std::move(taken);
      }
      parts.push_back(std::move(part));
    }
    auto joined = arrow::Concatenate(parts);
    DETENTE_ARROW_RETURN(joined.status());
    return *std::move(joined);
  };
  auto ids = join([](const Chunk& chunk) { return chunk.ids; });
  if (!ids.ok()) return ids.status();
  merged->ids = std::static_pointer_cast<arrow::StringArray>(*std::move(ids));
  for (const auto& [id, first] : chunks[0]->columns) {
    auto column = join([&id = id](const Chunk& chunk) { return chunk.columns.at(id); });
    if (!column.ok()) return column.status();
    merged->columns[id] = *std::move(column);
  }
  return merged;
}

}  // namespace detente::columnar
