#include "engine/review.h"

#include "absl/strings/str_cat.h"
#include "detente/v1/values.pb.h"
#include "engine/registry.h"
#include "error/error.h"

namespace detente::engine {
namespace {

using State = v1::Record::ReviewState;

State StateOf(const google::protobuf::Message& record) {
  return static_cast<State>(record.GetReflection()->GetEnumValue(
      record, record.GetDescriptor()->FindFieldByNumber(kReviewState)));
}

}  // namespace

absl::Status CheckReviewMove(const std::string& name, const google::protobuf::Message& before,
                             const google::protobuf::Message& after, bool reasoned) {
  const State from = StateOf(before);
  const State to = StateOf(after);
  auto refuse = [&](absl::string_view why) {
    return Error(absl::StatusCode::kFailedPrecondition, v1::REVIEW_MOVE_NOT_ALLOWED,
                 absl::StrCat(name, ": review_state: ", why),
                 {{"name", name},
                  {"from", v1::Record::ReviewState_Name(from)},
                  {"to", v1::Record::ReviewState_Name(to)}});
  };
  if (to == from) {
    if (from != v1::Record::REVIEWED) return absl::OkStatus();
    return refuse(
        "the record is REVIEWED as it is; a change takes it to DRAFT or SUBMITTED in the same "
        "update");
  }
  if (to == v1::Record::DISPUTED) {
    return reasoned ? absl::OkStatus() : refuse("DISPUTED needs a reason");
  }
  if (to == v1::Record::REVIEWED && from != v1::Record::SUBMITTED) {
    return refuse(absl::StrCat("a record is SUBMITTED before it is REVIEWED; this one is ",
                               v1::Record::ReviewState_Name(from)));
  }
  return absl::OkStatus();
}

}  // namespace detente::engine
