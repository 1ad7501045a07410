#include "detente/client/details.h"

#include <utility>

#include "error/error.h"
#include "google/rpc/error_details.pb.h"

namespace detente {

Details DetailsOf(const absl::Status& status) {
  Details details;
  details.reason = ReasonOf(status);
  google::rpc::ErrorInfo info;
  const auto payload = status.GetPayload("type.googleapis.com/google.rpc.ErrorInfo");
  if (payload.has_value() && info.ParseFromString(std::string(*payload))) {
    details.metadata.insert(info.metadata().begin(), info.metadata().end());
  }
  for (Violation& violation : ViolationsOf(status)) {
    details.violations.push_back({std::move(violation.field), std::move(violation.description)});
  }
  return details;
}

}  // namespace detente
