// The rows of a read as batches, in the order of (since, id) of the version that the revision sees,
// wherever they come from: so a row has the same place whenever it is read.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "columnar/cache.h"
#include "columnar/row_format.h"
#include "engine/engine.h"
#include "query/cells.h"
#include "query/filter.h"
#include "store/store.h"

namespace detente::columnar {

// What is read.
struct RowQuery {
  const engine::Resource* resource = nullptr;
  query::Filter filter;
  bool show_deleted = false;
  store::ReadView view;
  // The part of a stream: versions with after < since <= to.
  store::Revision after = 0;
  store::Revision to = INT64_MAX;
  int64_t offset = 0;                   // rows to leave out
  int64_t row_limit = 0;                // these among them; 0 = no limit
  std::function<absl::Status()> check;  // asked now and then: anything but OK ends the read with it
};

class RowSource {
 public:
  virtual ~RowSource() = default;
  // The next rows, at least one; null = that was all.
  virtual absl::StatusOr<std::shared_ptr<arrow::RecordBatch>> Next() = 0;
  // How many rows are left to leave out; at the end, by how many the offset is beyond it.
  int64_t left_out() const { return left_out_; }

 protected:
  explicit RowSource(int64_t offset) : left_out_(offset) {}
  int64_t left_out_;
};

// By which way: kBest = the one that costs least. These are the columns in the cache; the store's
// indexes where they find few rows; the cache, made for it; or the store, version by version.
enum class Way { kBest, kCache, kIndex, kStore };

// All must outlive it. Null where one way was asked for and it is not open.
absl::StatusOr<std::unique_ptr<RowSource>> OpenSource(engine::Engine& engine, Cache& cache,
                                                      const RowQuery& query,
                                                      const RowFormat& format,
                                                      Way way = Way::kBest);

// The rows of a read in the cache, and columns of the store's table for what is asked of them.
struct HeldRows {
  Snapshot snapshot;
  store::Condition condition;
  store::Revision erasure = 0;  // the store's last one when they were found
};

// None where the cache does not hold what tells the rows, and the `columns` of the store's table
// (store::RowColumn too). `make` as for Cache::Find.
absl::StatusOr<std::optional<HeldRows>> FindHeld(engine::Engine& engine, Cache& cache,
                                                 const RowQuery& query,
                                                 absl::Span<const int> columns, Make make);

// Visits them some at a time: the columns, whose cells live as long as the call, and the rows in
// these. Offset, limit and the part of a stream are left aside. ABORTED (ERASED) where an erasure
// came meanwhile.
absl::Status VisitHeld(
    engine::Engine& engine, const RowQuery& query, const HeldRows& held,
    absl::Span<const int> columns,
    absl::FunctionRef<absl::Status(absl::Span<const query::CellColumn>, absl::Span<const int32_t>)>
        visit);

// How many rows there are, its offset and limit aside; none where the cache does not hold what
// tells.
absl::StatusOr<std::optional<int64_t>> CountCached(engine::Engine& engine, Cache& cache,
                                                   const RowQuery& query);

}  // namespace detente::columnar
