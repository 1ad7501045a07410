// Row versions of one collection, side by side as columns.
#pragma once

#include <arrow/type_fwd.h>

#include <atomic>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "columnar/column_builder.h"
#include "columnar/schema.h"
#include "engine/registry.h"
#include "store/store.h"

namespace detente::columnar {

constexpr int64_t kChunkRows = 65'536;
constexpr size_t kChunkBytes = size_t{64} << 20;  // of payloads: a chunk ends there too

// A column that chunks have: a field of the record as it is read, or a value that filters compare,
// of a store::RowColumn or a column of the store's table.
struct ColumnId {
  bool key = false;
  int number = 0;  // of a field: its place among the nodes
  auto operator<=>(const ColumnId&) const = default;
};

using Columns = std::map<ColumnId, std::shared_ptr<arrow::Array>>;

// Rows in the order of (since, id). All but `until` and `columns` stays as it was made.
struct Chunk {
  std::vector<store::Revision> since;
  std::shared_ptr<arrow::StringArray> ids;
  std::vector<uint8_t> deleted;  // the version says so
  // Written by one thread at a time, while others read: INT64_MAX of versions that are the newest.
  std::unique_ptr<std::atomic<store::Revision>[]> until;
  int64_t dead = 0;  // superseded rows; of the thread that writes `until`
  Columns columns;   // see cache.h

  int64_t rows() const { return static_cast<int64_t>(since.size()); }
  absl::string_view id(int64_t row) const;
  // The row of a version; -1 = it is not here.
  int64_t Find(store::Revision version_since, absl::string_view version_id) const;
  size_t bytes() const;  // without `columns`
};

size_t BytesOf(const arrow::Array& array);

// What each row has of the columns that are asked for.
class ChunkBuilder {
 public:
  // Both must outlive it.
  ChunkBuilder(const engine::Resource& resource, const std::vector<Node>& nodes,
               const std::vector<ColumnId>& columns);
  ~ChunkBuilder();

  // `version` must live until it is appended.
  absl::Status Load(const store::Version& version);
  // The record that was loaded.
  const google::protobuf::Message& record() const { return *record_; }
  // It becomes a row.
  absl::Status Append(store::Revision until);
  bool full() const { return rows_ >= kChunkRows || bytes_ >= kChunkBytes; }
  int64_t rows() const { return rows_; }
  size_t payload_bytes() const { return bytes_; }
  // The rows since the last one, none where there are none.
  absl::StatusOr<std::shared_ptr<Chunk>> Finish();
  // The columns alone.
  absl::StatusOr<Columns> FinishColumns();

 private:
  struct Column;  // the builder of one

  const engine::Resource& resource_;
  std::vector<Column> columns_;
  std::unique_ptr<google::protobuf::Message> record_;
  std::string record_bytes_;
  const store::Version* version_ = nullptr;  // as long as its caller has it
  std::unique_ptr<arrow::StringBuilder> ids_;
  std::vector<store::Revision> since_, until_;
  std::vector<uint8_t> deleted_;
  int64_t rows_ = 0;
  size_t bytes_ = 0;
};

// The rows of some chunks that follow each other and have the same columns, as one; of those that
// were superseded at or before `alive` none is taken.
absl::StatusOr<std::shared_ptr<Chunk>> Merge(absl::Span<const std::shared_ptr<Chunk>> chunks,
                                             store::Revision alive);

// The rows of an array that `rows`, an Int32Array's values, names.
absl::StatusOr<std::shared_ptr<arrow::Array>> TakeRows(const std::shared_ptr<arrow::Array>& array,
                                                       const std::vector<int32_t>& rows);

}  // namespace detente::columnar
