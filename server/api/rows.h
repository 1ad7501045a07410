// The records that questions over many of them are asked of, as the values that the question needs.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "api/method.h"
#include "google/protobuf/message.h"
#include "query/leaf.h"
#include "store/selection.h"

namespace detente::api {

// What takes the records, one of the two for each: either gives the same result.
struct RowTaker {
  absl::FunctionRef<absl::Status(absl::Span<const query::Datum>)> values;  // one for each leaf
  absl::FunctionRef<absl::Status(const google::protobuf::Message&)> record;
};

// Visits the live records of a collection that the request's `filter` matches, in any order: from
// the store's columns where these hold all leaves and the whole filter, otherwise as messages. An
// error of the taker ends it.
absl::Status VisitRows(const Call& call, const engine::Resource& resource,
                       const store::ReadView& view, absl::Span<const query::Leaf* const> leaves,
                       const RowTaker& taker);

}  // namespace detente::api
