// Which records a call is about, and in which order: its filter and order_by, as the store finds
// them and as they are looked at record by record.
#pragma once

#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "api/method.h"
#include "google/protobuf/message.h"
#include "query/filter.h"
#include "store/store.h"

namespace detente::api {

struct Selected {
  query::Filter filter;
  std::shared_ptr<const query::Lowered> lowered;
  store::Selection selection;  // its view is not set

  // All records by name.
  bool everything() const {
    return filter.everything() && selection.heads.kind == store::Condition::Kind::kTrue &&
           selection.order.empty();
  }
  // The store's conditions are the filter, of heads and of superseded versions.
  bool exact() const { return lowered->heads_exact && lowered->past_exact; }
};

// Reads filter, order_by and show_deleted, those that the request has. `in_groups`: its order_by is
// of groups, not of records.
absl::StatusOr<Selected> SelectedOf(const Call& call, const engine::Resource& resource,
                                    bool in_groups = false);

// One of them, as it is kept; as a message where it had to be looked at, otherwise null.
using RecordVisitor =
    absl::FunctionRef<bool(absl::string_view record, std::unique_ptr<google::protobuf::Message>)>;

// Visits the records that match, in order, after selection.after, until `visit` says false. Of
// about `size` of them the store is asked first. Nothing is being read while `visit` runs.
absl::Status VisitSelected(const Call& call, const engine::Resource& resource,
                           const Selected& selected, int64_t size, RecordVisitor visit);

// How many match.
absl::StatusOr<int64_t> CountSelected(const Call& call, const engine::Resource& resource,
                                      const Selected& selected);

}  // namespace detente::api
