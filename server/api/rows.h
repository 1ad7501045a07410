// The records that questions over many of them are asked of, as the values that the question needs.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "api/method.h"
#include "api/selected.h"
#include "google/protobuf/message.h"
#include "query/leaf.h"

namespace detente::api {

// What takes the records, by one of the three ways: each gives the same result.
struct RowTaker {
  absl::FunctionRef<absl::Status(absl::Span<const query::Datum>)> values;  // one for each leaf
  // Of the rows that are named, the columns of each leaf.
  absl::FunctionRef<absl::Status(absl::Span<const query::LeafCells>, absl::Span<const int32_t>)>
      cells;
  absl::FunctionRef<absl::Status(const google::protobuf::Message&)> record;
  absl::FunctionRef<void()> forget;  // what it has taken: it begins anew
};

// Visits the records that are selected, in any order: from columns where these hold all leaves and
// the whole filter, in memory if they are there, otherwise the store's; or else as messages. An
// error of the taker ends it.
absl::Status VisitRows(const Call& call, const engine::Resource& resource, const Selected& selected,
                       absl::Span<const query::Leaf* const> leaves, const RowTaker& taker);

}  // namespace detente::api
