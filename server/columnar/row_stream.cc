#include "columnar/row_stream.h"

#include <arrow/record_batch.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "columnar/arrow_status.h"
#include "error/error.h"

namespace detente::columnar {
namespace {

// Fewer rows wait for more: each message has its schema and dictionaries.
constexpr int64_t kFewRows = 4'096;

absl::Status BeyondTheEnd(int64_t rows, int64_t offset) {
  return InvalidField("offset", absl::StrCat("the stream has ", rows, " rows, got ", offset));
}

}  // namespace

RowStream::RowStream(engine::Engine& engine, Cache& cache, RowQuery query, RowFormat format,
                     store::Revision erasure)
    : engine_(engine),
      cache_(cache),
      query_(std::move(query)),
      format_(std::move(format)),
      erasure_(erasure),
      sent_(query_.offset) {}

RowStream::~RowStream() = default;

absl::Status RowStream::CheckErasure() {
  auto reader = engine_.LeaseReader();
  if (!reader.ok()) return reader.status();
  auto last = (*reader)->LastErasure();
  if (!last.ok()) return last.status();
  // Nothing has been read of what it changed.
  if (source_ == nullptr && query_.offset == 0) erasure_ = *last;
  if (*last == erasure_) return absl::OkStatus();
  return Error(absl::StatusCode::kAborted, v1::ERASED,
               "records were erased since the read began; begin it again with a new session");
}

// So that batch_ has rows; or none, at the end.
absl::Status RowStream::Fill() {
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  int64_t rows = 0;
  size_t bytes = 0;
  while (!ended_ && rows < kFewRows && bytes < kMessageBytes) {
    auto batch = source_->Next();
    if (!batch.ok()) return batch.status();
    ended_ = *batch == nullptr;
    if (ended_) break;
    rows += (*batch)->num_rows();
    bytes += static_cast<size_t>(arrow::util::ReferencedBufferSize(**batch).ValueOr(0));
    batches.push_back(*std::move(batch));
  }
  if (batches.size() <= 1) {
    batch_ = batches.empty() ? nullptr : std::move(batches[0]);
    return absl::OkStatus();
  }
  auto joined = arrow::ConcatenateRecordBatches(batches);
  DETENTE_ARROW_RETURN(joined.status());
  batch_ = *std::move(joined);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Rows>> RowStream::Next() {
  if (absl::Status s = CheckErasure(); !s.ok()) return s;
  if (source_ == nullptr) {
    auto source = OpenSource(engine_, cache_, query_, format_);
    if (!source.ok()) return source.status();
    source_ = *std::move(source);
  }
  const int64_t left = query_.row_limit == 0 ? INT64_MAX : query_.row_limit - sent_;
  if (left < 0) return BeyondTheEnd(query_.row_limit, query_.offset);
  if (left == 0) return std::nullopt;
  if (batch_ == nullptr) {
    if (absl::Status s = Fill(); !s.ok()) return s;
  }
  if (batch_ == nullptr) {
    if (source_->left_out() == 0) return std::nullopt;
    return BeyondTheEnd(query_.offset - source_->left_out(), query_.offset);
  }
  const auto bytes = static_cast<size_t>(arrow::util::ReferencedBufferSize(*batch_).ValueOr(0)) + 1;
  const auto all = static_cast<size_t>(batch_->num_rows());
  auto count = static_cast<int64_t>(std::max<size_t>(1, all * kMessageBytes / bytes));
  count = std::min({count, batch_->num_rows(), left});
  Rows rows;
  while (true) {
    auto encoded = format_.encoder().Encode(*batch_->Slice(0, count));
    if (!encoded.ok()) return encoded.status();
    rows.stream = *std::move(encoded);
    if (rows.stream.bytes <= 2 * kMessageBytes) break;
    if (count == 1 && rows.stream.bytes <= kMostMessageBytes) break;
    if (count == 1) {
      return Error(
          absl::StatusCode::kInvalidArgument, v1::LIMIT_EXCEEDED,
          absl::StrCat("row ", sent_, " of the stream takes ", rows.stream.bytes,
                       " bytes, a message takes ", kMostMessageBytes, "; ask for fewer columns"));
    }
    count /= 2;
  }
  rows.offset = sent_;
  rows.count = static_cast<int32_t>(count);
  sent_ += count;
  batch_ = count == batch_->num_rows() ? nullptr : batch_->Slice(count);
  return rows;
}

}  // namespace detente::columnar
