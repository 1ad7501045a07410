#include "columnar/row_source.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <set>
#include <utility>

#include "columnar/condition.h"
#include "error/error.h"

namespace detente::columnar {
namespace {

using Batch = std::shared_ptr<arrow::RecordBatch>;
using store::Revision;
using store::Version;

// Of versions that are read at once.
constexpr size_t kBytesAtOnce = size_t{4} << 20;
constexpr int64_t kRowsAtOnce = 16'384;
constexpr int kRowsBetweenChecks = 64;
// So many are read one by one rather than with all the others.
constexpr int64_t kFewRows = 10'000;

// A byte for each row of a chunk: 1 where the read is of it.
absl::StatusOr<std::vector<uint8_t>> MaskOf(const Snapshot::Part& part, const RowQuery& query,
                                            const store::Condition& condition) {
  const Chunk& chunk = *part.chunk;
  const Revision at = std::min(query.view.revision, query.to);
  std::vector<uint8_t> mask(static_cast<size_t>(chunk.rows()));
  if (chunk.since.back() <= query.after || chunk.since.front() > at) return mask;
  for (size_t i = 0; i < mask.size(); ++i) {
    mask[i] = static_cast<uint8_t>(
        static_cast<int>(chunk.since[i] <= at) & static_cast<int>(chunk.since[i] > query.after) &
        static_cast<int>(chunk.until[i].load(std::memory_order_relaxed) > query.view.revision) &
        static_cast<int>(query.show_deleted || chunk.deleted[i] == 0));
  }
  if (absl::Status s = Restrict(condition, part.columns, query.check, &mask); !s.ok()) return s;
  return mask;
}

query::CellColumn CellsOf(const arrow::Array& array) {
  query::CellColumn cells;
  if (array.null_count() > 0) {
    cells.valid = array.null_bitmap_data();
    cells.first = array.offset();
  }
  switch (array.type_id()) {
    case arrow::Type::INT64:
      cells.integers = static_cast<const arrow::Int64Array&>(array).raw_values();
      break;
    case arrow::Type::DOUBLE:
      cells.numbers = static_cast<const arrow::DoubleArray&>(array).raw_values();
      break;
    default:
      cells.offsets = static_cast<const arrow::StringArray&>(array).raw_value_offsets();
      cells.texts =
          reinterpret_cast<const char*>(static_cast<const arrow::StringArray&>(array).raw_data());
  }
  return cells;
}

absl::StatusOr<Revision> LastErasure(engine::Engine& engine) {
  auto reader = engine.LeaseReader();
  if (!reader.ok()) return reader.status();
  return (*reader)->LastErasure();
}

class CachedSource : public RowSource {
 public:
  CachedSource(const RowQuery& query, const RowFormat& format, Snapshot snapshot,
               store::Condition condition)
      : RowSource(query.offset),
        query_(query),
        format_(format),
        snapshot_(std::move(snapshot)),
        condition_(std::move(condition)) {}

  absl::StatusOr<Batch> Next() override {
    for (; part_ < snapshot_.parts.size(); ++part_) {
      if (absl::Status s = query_.check(); !s.ok()) return s;
      const Snapshot::Part& part = snapshot_.parts[part_];
      const auto mask = MaskOf(part, query_, condition_);
      if (!mask.ok()) return mask.status();
      std::vector<int32_t> rows;
      for (size_t i = 0; i < mask->size(); ++i) {
        if ((*mask)[i] == 0) continue;
        if (left_out_ > 0) {
          --left_out_;
        } else {
          rows.push_back(static_cast<int32_t>(i));
        }
      }
      if (rows.empty()) continue;
      auto batch = format_.Batch(part.columns, part.chunk->rows());
      if (!batch.ok()) return batch;
      ++part_;
      return RowFormat::Take(*batch, rows);
    }
    return nullptr;
  }

 private:
  const RowQuery& query_;
  const RowFormat& format_;
  const Snapshot snapshot_;
  const store::Condition condition_;
  size_t part_ = 0;
};

// Versions of the store that become rows where they match.
class VersionSource : public RowSource {
 public:
  VersionSource(engine::Engine& engine, Cache& cache, const RowQuery& query,
                const RowFormat& format)
      : RowSource(query.offset),
        engine_(engine),
        query_(query),
        format_(format),
        builder_(*query.resource, cache.NodesFor(*query.resource), format.fields()) {}

 protected:
  bool full() const {
    return builder_.rows() >= kRowsAtOnce || builder_.payload_bytes() >= kBytesAtOnce;
  }

  absl::Status Take(const Version& version) {
    if (++seen_ % kRowsBetweenChecks == 0) {
      if (absl::Status s = query_.check(); !s.ok()) return s;
    }
    if (!query_.show_deleted && version.delete_time != 0) return absl::OkStatus();
    if (query_.filter.everything() && left_out_ > 0) {
      --left_out_;
      return absl::OkStatus();
    }
    if (absl::Status s = builder_.Load(version); !s.ok()) return s;
    if (!query_.filter.everything() && !query_.filter.Matches(builder_.record())) {
      return absl::OkStatus();
    }
    if (left_out_ > 0) {
      --left_out_;
      return absl::OkStatus();
    }
    return builder_.Append(INT64_MAX);
  }

  absl::StatusOr<Batch> Finish() {
    const int64_t rows = builder_.rows();
    if (rows == 0) return nullptr;
    auto columns = builder_.FinishColumns();
    if (!columns.ok()) return columns.status();
    return format_.Batch(*columns, rows);
  }

  engine::Engine& engine_;
  const RowQuery& query_;

 private:
  const RowFormat& format_;
  ChunkBuilder builder_;
  int64_t seen_ = 0;
};

// All that the revision sees.
class StoreSource : public VersionSource {
 public:
  StoreSource(engine::Engine& engine, Cache& cache, const RowQuery& query, const RowFormat& format)
      : VersionSource(engine, cache, query, format),
        range_{.after = query.after,
               .to = std::min(query.to, query.view.revision),
               .seen_at = query.view.revision} {}

  absl::StatusOr<Batch> Next() override {
    auto reader = engine_.LeaseReader();
    if (!reader.ok()) return reader.status();
    absl::Status inner;
    absl::Status status = (*reader)->Versions(query_.resource->collection, range_,
                                              [&](const Version& version, Revision) {
                                                inner = Take(version);
                                                range_.after = version.since;
                                                range_.after_id = version.id;
                                                return inner.ok() && !full();
                                              });
    if (!inner.ok()) return inner;
    if (!status.ok()) return status;
    return Finish();
  }

 private:
  store::VersionRange range_;
};

using Keys = std::vector<std::pair<Revision, std::string>>;

// Those that an index has found.
class KeySource : public VersionSource {
 public:
  KeySource(engine::Engine& engine, Cache& cache, const RowQuery& query, const RowFormat& format,
            Keys keys)
      : VersionSource(engine, cache, query, format), keys_(std::move(keys)) {}

  absl::StatusOr<Batch> Next() override {
    auto reader = engine_.LeaseReader();
    if (!reader.ok()) return reader.status();
    while (next_ < keys_.size() && !full()) {
      const auto& [since, id] = keys_[next_++];
      auto version = (*reader)->Get(query_.resource->collection, id, query_.view);
      if (!version.ok()) return version.status();
      if (!version->has_value()) {
        return Error(absl::StatusCode::kAborted, v1::ERASED,
                     "an erasure ended the read; read again");
      }
      if (absl::Status s = Take(**version); !s.ok()) return s;
    }
    return Finish();
  }

 private:
  const Keys keys_;
  size_t next_ = 0;
};

// The versions that the store's conditions let through, where they are few.
absl::StatusOr<std::optional<Keys>> FindFew(engine::Engine& engine, const RowQuery& query,
                                            const query::Lowered& lowered) {
  store::Selection selection;
  selection.view = query.view;
  selection.show_deleted = query.show_deleted;
  selection.heads = lowered.heads;
  selection.past = lowered.past;
  selection.limit = kFewRows + 1;
  selection.check = query.check;
  Keys keys;
  int64_t found = 0;
  absl::Status status =
      engine.Scan(*query.resource, selection, {store::kRowRevision, store::kRowId},
                  [&](absl::Span<const store::Value> values) {
                    const Revision since = std::get<int64_t>(values[0]);
                    if (since > query.after && since <= query.to) {
                      keys.emplace_back(since, std::get<std::string>(values[1]));
                    }
                    return ++found <= kFewRows;
                  });
  // A store that an older version of the contract has made is read without its columns.
  if (ReasonOf(status) == v1::STORE_READ_ONLY) return std::nullopt;
  if (!status.ok()) return status;
  if (found > kFewRows) return std::nullopt;
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RowSource>> OpenSource(engine::Engine& engine, Cache& cache,
                                                      const RowQuery& query,
                                                      const RowFormat& format, Way way) {
  const bool filtered = !query.filter.everything();
  const query::Lowered lowered = query.filter.Lower(*query.resource->columns, query.show_deleted);
  std::set<ColumnId> wanted(format.fields().begin(), format.fields().end());
  // What is said of superseded versions is said of columns alone, and is true of newest ones too.
  const bool by_columns = lowered.past_exact && AddKeys(lowered.past, &wanted);
  const std::vector<ColumnId> columns(wanted.begin(), wanted.end());
  auto cached = [&](Make make) -> absl::StatusOr<std::unique_ptr<RowSource>> {
    auto snapshot = cache.Find(*query.resource, query.view.revision, columns, make, query.check);
    if (!snapshot.ok()) return snapshot.status();
    if (!snapshot->has_value()) return nullptr;
    return std::make_unique<CachedSource>(query, format, **std::move(snapshot), lowered.past);
  };
  const bool may_cache = by_columns && (way == Way::kBest || way == Way::kCache);
  if (may_cache) {
    auto source = cached(Make::kNever);
    if (!source.ok() || *source != nullptr) return source;
  }
  if (filtered && (way == Way::kBest || way == Way::kIndex)) {
    auto keys = FindFew(engine, query, lowered);
    if (!keys.ok()) return keys.status();
    if (keys->has_value()) {
      return std::make_unique<KeySource>(engine, cache, query, format, **std::move(keys));
    }
  }
  // A look at the first rows is not worth a cache.
  if (may_cache && (query.row_limit == 0 || query.row_limit > kFewRows)) {
    auto source = cached(Make::kNow);
    if (!source.ok() || *source != nullptr) return source;
  }
  if (way != Way::kBest && way != Way::kStore) return nullptr;
  return std::make_unique<StoreSource>(engine, cache, query, format);
}

absl::StatusOr<std::optional<HeldRows>> FindHeld(engine::Engine& engine, Cache& cache,
                                                 const RowQuery& query,
                                                 absl::Span<const int> columns, Make make) {
  query::Lowered lowered = query.filter.Lower(*query.resource->columns, query.show_deleted);
  std::set<ColumnId> wanted;
  if (!lowered.past_exact || !AddKeys(lowered.past, &wanted)) return std::nullopt;
  for (const int column : columns) wanted.insert({true, column});
  HeldRows held;
  auto erasure = LastErasure(engine);
  if (!erasure.ok()) return erasure.status();
  held.erasure = *erasure;
  auto snapshot = cache.Find(*query.resource, query.view.revision, {wanted.begin(), wanted.end()},
                             make, query.check);
  if (!snapshot.ok()) return snapshot.status();
  if (!snapshot->has_value()) return std::nullopt;
  held.snapshot = **std::move(snapshot);
  held.condition = std::move(lowered.past);
  return held;
}

absl::Status VisitHeld(
    engine::Engine& engine, const RowQuery& query, const HeldRows& held,
    absl::Span<const int> columns,
    absl::FunctionRef<absl::Status(absl::Span<const query::CellColumn>, absl::Span<const int32_t>)>
        visit) {
  std::vector<query::CellColumn> cells(columns.size());
  std::vector<int32_t> rows;
  for (const Snapshot::Part& part : held.snapshot.parts) {
    if (absl::Status s = query.check(); !s.ok()) return s;
    const auto mask = MaskOf(part, query, held.condition);
    if (!mask.ok()) return mask.status();
    rows.clear();
    for (size_t i = 0; i < mask->size(); ++i) {
      if ((*mask)[i] != 0) rows.push_back(static_cast<int32_t>(i));
    }
    if (rows.empty()) continue;
    for (size_t i = 0; i < columns.size(); ++i) {
      cells[i] = CellsOf(*part.columns.at({true, columns[i]}));
    }
    if (absl::Status s = visit(cells, rows); !s.ok()) return s;
  }
  const auto erasure = LastErasure(engine);
  if (!erasure.ok()) return erasure.status();
  return *erasure == held.erasure ? absl::OkStatus() : EndedByErasure();
}

absl::StatusOr<std::optional<int64_t>> CountCached(engine::Engine& engine, Cache& cache,
                                                   const RowQuery& query) {
  const auto held = FindHeld(engine, cache, query, {}, Make::kNever);
  if (!held.ok()) return held.status();
  if (!held->has_value()) return std::nullopt;
  int64_t count = 0;
  absl::Status status =
      VisitHeld(engine, query, **held, {}, [&](auto, absl::Span<const int32_t> rows) {
        count += static_cast<int64_t>(rows.size());
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return count;
}

}  // namespace detente::columnar
