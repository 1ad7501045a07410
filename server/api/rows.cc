#include "api/rows.h"

#include <optional>
#include <utility>
#include <vector>

#include "api/request.h"
#include "error/error.h"

namespace detente::api {
namespace {

using query::Leaf;

constexpr int64_t kRowsBetweenChecks = 4'096;
constexpr int64_t kRecordsBetweenChecks = 64;

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

absl::Status VisitColumns(store::Reader& reader, const engine::Resource& resource,
                          const store::Selection& selection, absl::Span<const Leaf* const> leaves,
                          const LeafColumns& columns, const RowTaker& taker) {
  std::vector<query::Datum> data(leaves.size());
  absl::Status inner;
  int64_t rows = 0;
  absl::Status status = reader.Scan(
      resource.collection, selection, columns.columns, [&](absl::Span<const store::Value> values) {
        if (++rows % kRowsBetweenChecks == 0) inner = selection.check();
        if (!inner.ok()) return false;
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

absl::Status VisitRecords(store::Reader& reader, const engine::Resource& resource,
                          const store::Selection& selection, const RowTaker& taker) {
  absl::Status inner;
  int64_t rows = 0;
  absl::Status status = reader.Select(resource.collection, selection, [&](store::Version& version) {
    if (++rows % kRecordsBetweenChecks == 0) inner = selection.check();
    if (!inner.ok()) return false;
    auto record = engine::ParseRecord(resource, version);
    inner = record.ok() ? taker.record(**record) : record.status();
    return inner.ok();
  });
  return status.ok() ? inner : status;
}

}  // namespace

absl::Status VisitRows(const Call& call, const engine::Resource& resource,
                       const store::ReadView& view, absl::Span<const Leaf* const> leaves,
                       const RowTaker& taker) {
  if (!GetString(call.request, "filter").empty()) return NotServedYet("filter");
  store::Selection selection;
  selection.view = view;
  selection.check = [&] { return CheckCall(call.context); };
  auto reader = call.engine.LeaseReader();
  if (!reader.ok()) return reader.status();
  const auto columns = ColumnsOf(resource, leaves);
  if (columns.has_value()) {
    return VisitColumns(**reader, resource, selection, leaves, *columns, taker);
  }
  return VisitRecords(**reader, resource, selection, taker);
}

}  // namespace detente::api
