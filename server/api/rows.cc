#include "api/rows.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "api/request.h"
#include "columnar/row_source.h"

namespace detente::api {
namespace {

using query::Leaf;

constexpr int64_t kRecordsAtOnce = 1'000;
// What a look at one row of columns in memory takes.
constexpr absl::Duration kTimeOfARow = absl::Nanoseconds(4);

// The columns of all leaves, and how many each has; none where one is not in columns.
struct LeafColumns {
  std::vector<int> columns;
  std::vector<size_t> sizes;
};

std::optional<LeafColumns> ColumnsOf(const engine::Resource& resource,
                                     absl::Span<const Leaf* const> leaves) {
  LeafColumns all;
  for (const Leaf* leaf : leaves) {
    const auto columns = query::ColumnsOf(*leaf, *resource.columns);
    if (!columns.has_value()) return std::nullopt;
    all.columns.insert(all.columns.end(), columns->begin(), columns->end());
    all.sizes.push_back(columns->size());
  }
  return all;
}

absl::Status VisitColumns(const Call& call, const engine::Resource& resource,
                          const store::Selection& selection, absl::Span<const Leaf* const> leaves,
                          const LeafColumns& columns, const RowTaker& taker) {
  std::vector<query::Datum> data(leaves.size());
  absl::Status inner;
  absl::Status status = call.engine.Scan(
      resource, selection, columns.columns, [&](absl::Span<const store::Value> values) {
        size_t at = 0;
        for (size_t i = 0; i < leaves.size(); ++i) {
          data[i] = query::ReadColumns(*leaves[i], values.subspan(at, columns.sizes[i]));
          at += columns.sizes[i];
        }
        inner = taker.values(data);
        return inner.ok();
      });
  return status.ok() ? inner : status;
}

// Whether the store found all of them, by its indexes, before the columns' rows could be looked at.
absl::StatusOr<bool> VisitFew(const Call& call, const engine::Resource& resource,
                              const store::Selection& selection,
                              absl::Span<const Leaf* const> leaves, const LeafColumns& columns,
                              int64_t rows, const RowTaker& taker) {
  const absl::Time end = absl::Now() + kTimeOfARow * rows;
  store::Selection few = selection;
  bool late = false;
  few.check = [&] {
    late = late || absl::Now() > end;
    return late ? absl::CancelledError("there are many") : CheckCall(call.context);
  };
  absl::Status status = VisitColumns(call, resource, few, leaves, columns, taker);
  if (!status.ok() && late) {
    taker.forget();
    return false;
  }
  if (!status.ok()) return status;
  return true;
}

// Whether the records were visited, from columns in memory or because they are few.
absl::StatusOr<bool> VisitHeld(const Call& call, const engine::Resource& resource,
                               const Selected& selected, absl::Span<const Leaf* const> leaves,
                               const LeafColumns& columns, const RowTaker& taker) {
  columnar::RowQuery query;
  query.resource = &resource;
  query.filter = selected.filter;
  query.show_deleted = selected.selection.show_deleted;
  query.view = selected.selection.view;
  query.check = [&call] { return CheckCall(call.context); };
  const auto held =
      columnar::FindHeld(call.engine, call.columns, query, columns.columns, columnar::Make::kLater);
  if (!held.ok()) return held.status();
  if (!held->has_value()) return false;
  if (!selected.filter.everything() && selected.exact()) {
    int64_t rows = 0;
    for (const columnar::Snapshot::Part& part : (*held)->snapshot.parts) rows += part.chunk->rows();
    auto visited = VisitFew(call, resource, selected.selection, leaves, columns, rows, taker);
    if (!visited.ok() || *visited) return visited;
  }
  std::vector<query::LeafCells> cells(leaves.size());
  absl::Status status = columnar::VisitHeld(
      call.engine, query, **held, columns.columns,
      [&](absl::Span<const query::CellColumn> all, absl::Span<const int32_t> rows) {
        for (size_t i = 0; i < leaves.size(); ++i) {
          cells[i].assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(columns.sizes[i]));
          all.remove_prefix(columns.sizes[i]);
        }
        return taker.cells(cells, rows);
      });
  if (!status.ok()) return status;
  return true;
}

}  // namespace

absl::Status VisitRows(const Call& call, const engine::Resource& resource, const Selected& selected,
                       absl::Span<const Leaf* const> leaves, const RowTaker& taker) {
  const auto columns = ColumnsOf(resource, leaves);
  if (columns.has_value()) {
    const auto visited = VisitHeld(call, resource, selected, leaves, *columns, taker);
    if (!visited.ok() || *visited) return visited.status();
  }
  if (columns.has_value() && selected.exact()) {
    return VisitColumns(call, resource, selected.selection, leaves, *columns, taker);
  }
  absl::Status inner;
  absl::Status status = VisitSelected(
      call, resource, selected, kRecordsAtOnce,
      [&](absl::string_view bytes, std::unique_ptr<google::protobuf::Message> record) {
        if (record == nullptr) {
          auto parsed = engine::ParseRecord(resource, bytes);
          inner = parsed.status();
          if (!inner.ok()) return false;
          record = *std::move(parsed);
        }
        inner = taker.record(*record);
        return inner.ok();
      });
  return status.ok() ? inner : status;
}

}  // namespace detente::api
