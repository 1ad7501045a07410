#include "api/selected.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "api/request.h"
#include "error/error.h"
#include "store/record.h"

namespace detente::api {
namespace {

// What is held at once of records that wait to be looked at.
constexpr size_t kMaxHeldBytes = size_t{2} << 20;
constexpr int64_t kMaxHeld = 10'000;
constexpr int64_t kGrowth = 4;

// What a selection is made from: nothing else but the contract, which does not change.
struct Texts {
  const google::protobuf::Descriptor* type;
  std::string filter;
  std::string order;
  bool show_deleted;

  bool operator==(const Texts&) const = default;
};

absl::StatusOr<Selected> Read(const Texts& texts, const query::Columns& columns) {
  auto filter = query::Filter::Parse(texts.filter, texts.type);
  auto order = query::ParseOrder(texts.order, texts.type, columns);
  absl::Status status = filter.status();
  Collect(order.status(), &status);
  if (!status.ok()) return status;
  Selected selected;
  selected.filter = *std::move(filter);
  selected.lowered =
      std::make_shared<const query::Lowered>(selected.filter.Lower(columns, texts.show_deleted));
  selected.selection.show_deleted = texts.show_deleted;
  selected.selection.heads = selected.lowered->heads;
  selected.selection.past = selected.lowered->past;
  selected.selection.order = *std::move(order);
  return selected;
}

// The last selections of a thread: services ask for the same ones again and again, and a short page
// takes as long to read as its filter to understand.
class Recent {
 public:
  absl::StatusOr<Selected> Find(Texts texts, const query::Columns& columns) {
    for (const auto& [known, selected] : kept_) {
      if (known == texts) return selected;
    }
    auto selected = Read(texts, columns);
    if (selected.ok() && texts.filter.size() <= kMostBytes) {
      if (kept_.size() < kMost) kept_.emplace_back();
      kept_[next_++ % kMost] = {std::move(texts), *selected};
    }
    return selected;
  }

 private:
  static constexpr size_t kMost = 16;
  static constexpr size_t kMostBytes = 256;

  std::vector<std::pair<Texts, Selected>> kept_;
  size_t next_ = 0;
};

struct Held {
  std::string record;
  bool exact;  // the store's conditions are the filter, of such a version
};

}  // namespace

absl::StatusOr<Selected> SelectedOf(const Call& call, const engine::Resource& resource,
                                    bool in_groups) {
  thread_local Recent recent;
  const bool ordered = !in_groups && FieldOf(call.request, "order_by") != nullptr;
  const bool deleted =
      FieldOf(call.request, "show_deleted") != nullptr && GetBool(call.request, "show_deleted");
  auto selected = recent.Find({resource.type, GetString(call.request, "filter"),
                               ordered ? GetString(call.request, "order_by") : "", deleted},
                              *resource.columns);
  if (selected.ok()) {
    selected->selection.check = [&context = call.context] { return CheckCall(context); };
  }
  return selected;
}

absl::Status VisitSelected(const Call& call, const engine::Resource& resource,
                           const Selected& selected, int64_t size, RecordVisitor visit) {
  store::Selection selection = selected.selection;
  selection.limit = size;
  while (true) {
    std::vector<Held> held;
    size_t bytes = 0;
    absl::Status status = call.engine.Select(resource, selection, [&](const store::Row& row) {
      bytes += row.record.size();
      held.push_back({std::string(row.record), row.superseded ? selected.lowered->past_exact
                                                              : selected.lowered->heads_exact});
      return bytes < kMaxHeldBytes;
    });
    // The last one that was looked at is gone.
    const bool went_on = selection.after != selected.selection.after;
    if (went_on && ReasonOf(status) == v1::RECORD_NOT_FOUND) return EndedByErasure();
    if (!status.ok()) return status;
    for (const Held& row : held) {
      // A look at one record may take long.
      if (status = CheckCall(call.context); !status.ok()) return status;
      selection.after = std::string(store::IdOfRecord(row.record));
      std::unique_ptr<google::protobuf::Message> record;
      if (!row.exact) {
        auto parsed = engine::ParseRecord(resource, row.record);
        if (!parsed.ok()) return parsed.status();
        if (!selected.filter.Matches(**parsed)) continue;
        record = *std::move(parsed);
      }
      if (!visit(row.record, std::move(record))) return absl::OkStatus();
    }
    if (static_cast<int64_t>(held.size()) < selection.limit && bytes < kMaxHeldBytes) {
      return absl::OkStatus();
    }
    // Few of the rows matched: go on in longer strides.
    selection.limit = std::min(selection.limit * kGrowth, kMaxHeld);
  }
}

absl::StatusOr<int64_t> CountSelected(const Call& call, const engine::Resource& resource,
                                      const Selected& selected) {
  if (selected.exact()) return call.engine.Count(resource, selected.selection);
  Selected unordered = selected;
  unordered.selection.order.clear();
  unordered.selection.after.clear();
  int64_t count = 0;
  absl::Status status =
      VisitSelected(call, resource, unordered, kMaxHeld, [&](auto, auto) { return ++count > 0; });
  if (!status.ok()) return status;
  return count;
}

}  // namespace detente::api
