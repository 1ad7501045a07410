// How failures travel through the server: absl::Status whose payloads are the google.rpc details of
// the wire, one of each type.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "detente/v1/error_reason.pb.h"
#include "google/protobuf/message.h"
#include "google/rpc/status.pb.h"

namespace detente {

// One thing that is wrong with a request; `field` is a path from the request or the record.
struct Violation {
  std::string field;
  std::string description;
};

using Metadata = std::initializer_list<std::pair<absl::string_view, std::string>>;

// A failure with its ErrorInfo.
absl::Status Error(absl::StatusCode code, v1::ErrorReason reason, absl::string_view message,
                   Metadata metadata = {});

// INVALID_ARGUMENT with every violation as a BadRequest; the message names the first.
absl::Status InvalidFields(const std::vector<Violation>& violations,
                           v1::ErrorReason reason = v1::INVALID_FIELD);
absl::Status InvalidField(absl::string_view field, absl::string_view description);

// Adds the violations of `more` to those of `all`, so that callers hear of everything that is
// wrong. The first failure stays where either is no BadRequest.
void Collect(const absl::Status& more, absl::Status* all);

// Those of a BadRequest; none of another failure.
std::vector<Violation> ViolationsOf(const absl::Status& status);

// Adds a google.rpc detail.
void AddDetail(absl::Status& status, const google::protobuf::Message& detail);

// RESOURCE_EXHAUSTED with RetryInfo.
absl::Status QueueFull(absl::string_view queue, absl::Duration retry_after);
// RESOURCE_EXHAUSTED: no room on the store's disk.
absl::Status StoreFull();
// The deadline passed, or the caller went away, before a write was applied.
absl::Status DeadlinePassed();
absl::Status CallCancelled();
// What a read was of was erased meanwhile.
absl::Status EndedByErasure();

// What a caller may see of a failure. One that is made without a reason is a defect of the server:
// its text goes to the log, under an incident number that the caller gets.
// Long lists of violations are cut, so that the error fits into the headers it travels in.
absl::Status Presentable(const absl::Status& status);

// The reason of a failure made here; unspecified for others.
v1::ErrorReason ReasonOf(const absl::Status& status);

// The one mapping to and from the wire.
google::rpc::Status ToRpcStatus(const absl::Status& status);
absl::Status FromRpcStatus(const google::rpc::Status& status);

}  // namespace detente
