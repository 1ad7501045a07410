#include "api/rows.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace detente::api {
namespace {

using query::Leaf;

constexpr int64_t kRecordsAtOnce = 1'000;

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

}  // namespace

absl::Status VisitRows(const Call& call, const engine::Resource& resource, const Selected& selected,
                       absl::Span<const Leaf* const> leaves, const RowTaker& taker) {
  const auto columns = ColumnsOf(resource, leaves);
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
