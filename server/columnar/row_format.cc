#include "columnar/row_format.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include "columnar/arrow_status.h"
#include "columnar/column_builder.h"

namespace detente::columnar {

absl::StatusOr<RowFormat> RowFormat::Make(Projection projection, const std::vector<Node>& nodes,
                                          Compression compression, const Metadata& metadata) {
  RowFormat format(std::move(projection));
  auto pairs = std::make_shared<arrow::KeyValueMetadata>();
  for (const auto& [name, value] : metadata) pairs->Append(name, value);
  format.schema_ = arrow::schema(format.projection_.columns(), std::move(pairs));
  Columns none;
  for (const int field : format.projection_.fields()) {
    format.fields_.push_back({false, field});
    auto column = ColumnBuilder(nodes[field]).Finish();
    if (!column.ok()) return column.status();
    none[format.fields_.back()] = *std::move(column);
  }
  auto empty = format.Batch(none, 0);
  if (!empty.ok()) return empty.status();
  auto encoder = Encoder::Make(**empty, compression);
  if (!encoder.ok()) return encoder.status();
  format.encoder_ = std::make_shared<const Encoder>(*std::move(encoder));
  return format;
}

absl::StatusOr<std::shared_ptr<arrow::RecordBatch>> RowFormat::Batch(const Columns& columns,
                                                                     int64_t rows) const {
  std::vector<std::shared_ptr<arrow::Array>> fields;
  fields.reserve(fields_.size());
  for (const ColumnId& id : fields_) fields.push_back(columns.at(id));
  auto projected = projection_.Project(fields);
  if (!projected.ok()) return projected.status();
  return arrow::RecordBatch::Make(schema_, rows, *std::move(projected));
}

absl::StatusOr<std::shared_ptr<arrow::RecordBatch>> RowFormat::Take(
    const std::shared_ptr<arrow::RecordBatch>& batch, const std::vector<int32_t>& rows) {
  const auto count = static_cast<int64_t>(rows.size());
  if (count == batch->num_rows()) return batch;
  // Rows that follow each other need no copy.
  if (count > 0 && rows.back() - rows.front() + 1 == count) return batch->Slice(rows[0], count);
  arrow::ArrayVector columns;
  for (const auto& column : batch->columns()) {
    auto taken = TakeRows(column, rows);
    if (!taken.ok()) return taken.status();
    columns.push_back(*std::move(taken));
  }
  return arrow::RecordBatch::Make(batch->schema(), count, std::move(columns));
}

}  // namespace detente::columnar
