// Rows of Arrow as records: what ReadRows sends back again, and what other programs make of it
// (docs/frames.md). The bytes may come from anybody.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/registry.h"
#include "google/protobuf/message.h"
#include "query/mask.h"

namespace detente::columnar {

constexpr int64_t kMaxBatchRows = 1'000;
constexpr int kMaxBatchColumns = 1'000;  // nested ones too
constexpr int kMaxBatchNesting = 16;
constexpr int kMaxRecordBatches = 100;
constexpr int64_t kMaxArrowBytes = int64_t{64} << 20;  // of buffers that are not as they were sent
constexpr size_t kMaxBatchTextBytes = size_t{16} << 20;  // of all rows, dictionaries resolved
constexpr size_t kMaxBatchElements = 400'000;            // of all lists

struct DecodedRow {
  std::string name;  // as the row has them; empty = it has none
  std::string id;
  std::unique_ptr<google::protobuf::Message> record;  // what the columns hold, nothing else
};

struct RowViolation {
  size_t row;
  std::string field;  // a path in the record
  std::string description;
};

struct DecodedRows {
  query::Mask mask;  // what the columns write
  std::vector<DecodedRow> rows;
  std::vector<RowViolation> violations;  // in the order of rows
};

// Reads an Arrow IPC stream. `columns`: to write these alone, beside `name` and `id`; none = all
// but those that the server makes. Cells that can't be are violations; all else that is wrong is
// INVALID_ARGUMENT.
absl::StatusOr<DecodedRows> DecodeRows(const engine::Resource& resource,
                                       absl::string_view arrow_stream,
                                       absl::Span<const std::string> columns);

}  // namespace detente::columnar
