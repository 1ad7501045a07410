// How the rows of a read are written: which columns, of which schema, as which bytes.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "columnar/chunk.h"
#include "columnar/encoder.h"
#include "columnar/projection.h"

namespace detente::columnar {

class RowFormat {
 public:
  using Metadata = std::vector<std::pair<std::string, std::string>>;  // of the schema

  static absl::StatusOr<RowFormat> Make(Projection projection, const std::vector<Node>& nodes,
                                        Compression compression, const Metadata& metadata);

  // The columns of chunks that it is made of.
  const std::vector<ColumnId>& fields() const { return fields_; }
  // The schema as an IPC message.
  const std::string& schema() const { return encoder_->schema(); }

  // `columns` has fields().
  absl::StatusOr<std::shared_ptr<arrow::RecordBatch>> Batch(const Columns& columns,
                                                            int64_t rows) const;
  // The rows of a batch that are named; all of them where they are as many.
  static absl::StatusOr<std::shared_ptr<arrow::RecordBatch>> Take(
      const std::shared_ptr<arrow::RecordBatch>& batch, const std::vector<int32_t>& rows);

  const Encoder& encoder() const { return *encoder_; }

 private:
  explicit RowFormat(Projection projection) : projection_(std::move(projection)) {}

  Projection projection_;
  std::vector<ColumnId> fields_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<const Encoder> encoder_;
};

}  // namespace detente::columnar
