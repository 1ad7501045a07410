// The states of review that a record goes through: DRAFT, SUBMITTED, REVIEWED; DISPUTED at any
// time.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace detente::engine {

// Whether an update may make `after` of `before`; FAILED_PRECONDITION (REVIEW_MOVE_NOT_ALLOWED) if
// not. What was reviewed is what is seen as reviewed: a change of a REVIEWED record takes it out of
// that state. A dispute needs a reason (`reasoned`).
absl::Status CheckReviewMove(const std::string& name, const google::protobuf::Message& before,
                             const google::protobuf::Message& after, bool reasoned);

}  // namespace detente::engine
