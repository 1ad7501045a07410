// What a failure says besides its code and its message.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "detente/v1/error_reason.pb.h"

namespace detente {

struct FieldViolation {
  std::string field;  // a path from the request or the record: "release.headcount.low"
  std::string description;
};

struct Details {
  // Unspecified where the failure has none: of the network, of a newer server.
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  std::map<std::string, std::string> metadata;  // what it is about, by keys of the reason
  std::vector<FieldViolation> violations;       // all that is wrong with the request
};

// Of a failure of Connection or Client. Other google.rpc details lie in its payloads.
Details DetailsOf(const absl::Status& status);

}  // namespace detente
