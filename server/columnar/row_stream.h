// What a ReadRows call sends: messages of rows, each a complete Arrow IPC stream.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "columnar/row_format.h"
#include "columnar/row_source.h"

namespace detente::columnar {

constexpr size_t kMessageBytes = size_t{1} << 20;        // about
constexpr size_t kMostMessageBytes = size_t{3'500'000};  // of a row alone; clients take 4 MiB

struct Rows {
  int64_t offset = 0;  // of the first one
  int32_t count = 0;
  Encoded stream;
};

class RowStream {
 public:
  // `erasure`: the store's last one when the session began; a read that goes on from an offset
  // after a later one fails with ABORTED (ERASED), as does one that is beside it.
  RowStream(engine::Engine& engine, Cache& cache, RowQuery query, RowFormat format,
            store::Revision erasure);
  ~RowStream();

  // None = those were all. INVALID_ARGUMENT where the offset is beyond the last row.
  absl::StatusOr<std::optional<Rows>> Next();

 private:
  absl::Status CheckErasure();
  absl::Status Fill();

  engine::Engine& engine_;
  Cache& cache_;
  const RowQuery query_;
  const RowFormat format_;
  store::Revision erasure_;
  std::unique_ptr<RowSource> source_;
  std::shared_ptr<arrow::RecordBatch> batch_;  // what of it was not sent yet
  int64_t sent_;                               // rows, from the stream's first one
  bool ended_ = false;
};

}  // namespace detente::columnar
