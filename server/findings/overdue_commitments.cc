// Commitments that were due, and of which nobody says what became.
#include "absl/strings/str_cat.h"
#include "detente/v1/commitment.pb.h"
#include "findings/context.h"
#include "findings/days.h"

namespace detente::findings {

using v1::Commitment;

void CheckOverdueCommitments(Run& run) {
  using Assessment = Commitment::Assessment;
  run.ForEach({"commitments"}, [&](const std::string& name, const google::protobuf::Message& record,
                                   std::vector<Finding>* found) {
    const auto& commitment = static_cast<const Commitment&>(record);
    const Assessment::Status status = commitment.current_status();
    const bool open = status == Assessment::STATUS_UNSPECIFIED ||
                      status == Assessment::NOT_STARTED || status == Assessment::IN_PROGRESS;
    if (!open || DaysOf(commitment.due_date()).latest >= run.context().Today()) return;
    found->push_back({Severity::kNote,
                      absl::StrCat("was due by ", ToText(commitment.due_date()), ", and ",
                                   status == Assessment::STATUS_UNSPECIFIED
                                       ? std::string("nobody has assessed it")
                                       : absl::StrCat("the latest assessment is ",
                                                      Assessment::Status_Name(status))),
                      {{name, "due_date"}, {name, "assessments"}}});
  });
}

}  // namespace detente::findings
