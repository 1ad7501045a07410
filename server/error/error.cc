#include "error/error.h"

#include <atomic>
#include <cstdio>
#include <map>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/rpc/error_details.pb.h"

namespace detente {
namespace {

constexpr absl::string_view kTypePrefix = "type.googleapis.com/";
constexpr absl::string_view kDomain = "detente";

constexpr size_t kMaxViolations = 100;  // of one answer
constexpr size_t kMaxDetailBytes = 5'000;
constexpr size_t kMaxMessageBytes = 512;

std::string TypeUrl(const google::protobuf::Message& detail) {
  return absl::StrCat(kTypePrefix, detail.GetDescriptor()->full_name());
}

size_t PayloadBytes(const absl::Status& status) {
  size_t bytes = 0;
  status.ForEachPayload([&](absl::string_view type_url, const absl::Cord& value) {
    bytes += type_url.size() + value.size();
  });
  return bytes;
}

// Drops violations from the end of a detail until all details fit.
template <typename Detail, typename List>
void Fit(List* (Detail::*violations)(), absl::Status* status) {
  Detail detail;
  auto payload = status->GetPayload(TypeUrl(detail));
  if (!payload.has_value() || !detail.ParseFromString(std::string(*payload))) return;
  size_t bytes = PayloadBytes(*status);
  List* list = (detail.*violations)();
  while (bytes > kMaxDetailBytes && list->size() > 1) {
    bytes -= list->Get(list->size() - 1).ByteSizeLong();
    list->RemoveLast();
  }
  AddDetail(*status, detail);
}

// An error travels in the headers of a response, of which clients take 8 KiB.
absl::Status Shortened(const absl::Status& status) {
  absl::Status out = status;
  if (status.message().size() > kMaxMessageBytes) {
    size_t end = kMaxMessageBytes;
    while (end > 0 && (status.message()[end] & 0xc0) == 0x80) --end;  // not within a character
    out = absl::Status(status.code(), absl::StrCat(status.message().substr(0, end), "…"));
    status.ForEachPayload([&](absl::string_view type_url, const absl::Cord& value) {
      out.SetPayload(type_url, value);
    });
  }
  if (PayloadBytes(out) <= kMaxDetailBytes) return out;
  Fit(&google::rpc::BadRequest::mutable_field_violations, &out);
  Fit(&google::rpc::PreconditionFailure::mutable_violations, &out);
  return out;
}

}  // namespace

std::vector<Violation> ViolationsOf(const absl::Status& status) {
  google::rpc::BadRequest bad;
  std::vector<Violation> violations;
  auto payload = status.GetPayload(TypeUrl(bad));
  if (!payload.has_value() || !bad.ParseFromString(std::string(*payload))) return violations;
  for (const auto& violation : bad.field_violations()) {
    violations.push_back({violation.field(), violation.description()});
  }
  return violations;
}

void AddDetail(absl::Status& status, const google::protobuf::Message& detail) {
  status.SetPayload(TypeUrl(detail), absl::Cord(detail.SerializeAsString()));
}

absl::Status Error(absl::StatusCode code, v1::ErrorReason reason, absl::string_view message,
                   Metadata metadata) {
  absl::Status status(code, message);
  google::rpc::ErrorInfo info;
  info.set_reason(v1::ErrorReason_Name(reason));
  info.set_domain(kDomain.data(), kDomain.size());
  for (const auto& [key, value] : metadata) (*info.mutable_metadata())[std::string(key)] = value;
  AddDetail(status, info);
  return status;
}

absl::Status InvalidFields(const std::vector<Violation>& violations, v1::ErrorReason reason) {
  std::string message = absl::StrCat(violations[0].field, ": ", violations[0].description);
  if (violations.size() > 1) absl::StrAppend(&message, " (and ", violations.size() - 1, " more)");
  absl::Status status = Error(absl::StatusCode::kInvalidArgument, reason, message);
  google::rpc::BadRequest bad;
  for (const Violation& violation : violations) {
    auto* out = bad.add_field_violations();
    out->set_field(violation.field);
    out->set_description(violation.description);
  }
  AddDetail(status, bad);
  return status;
}

absl::Status InvalidField(absl::string_view field, absl::string_view description) {
  return InvalidFields({{std::string(field), std::string(description)}});
}

void Collect(const absl::Status& more, absl::Status* all) {
  if (more.ok()) return;
  if (all->ok()) {
    *all = more;
    return;
  }
  std::vector<Violation> violations = ViolationsOf(*all);
  const std::vector<Violation> added = ViolationsOf(more);
  if (violations.empty() || added.empty() || violations.size() >= kMaxViolations) return;
  const v1::ErrorReason reason = ReasonOf(*all);
  violations.insert(violations.end(), added.begin(), added.end());
  if (violations.size() > kMaxViolations) violations.resize(kMaxViolations);
  *all = InvalidFields(violations, reason == ReasonOf(more) ? reason : v1::INVALID_FIELD);
}

absl::Status QueueFull(absl::string_view queue, absl::Duration retry_after) {
  absl::Status status = Error(absl::StatusCode::kResourceExhausted, v1::QUEUE_FULL,
                              absl::StrCat("too many calls wait for the ", queue, "; try again in ",
                                           absl::FormatDuration(retry_after)));
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(retry_after)));
  AddDetail(status, retry);
  return status;
}

absl::Status StoreFull() {
  return Error(absl::StatusCode::kResourceExhausted, v1::STORE_FULL,
               "the disk that the store is on is full, nothing was applied; once there is room on "
               "it, writes go on without a restart");
}

absl::Status DeadlinePassed() {
  return Error(absl::StatusCode::kDeadlineExceeded, v1::DEADLINE_PASSED,
               "the call's deadline passed before it was done; a write was not applied");
}

absl::Status EndedByErasure() {
  return Error(absl::StatusCode::kAborted, v1::ERASED, "an erasure ended the read; read again");
}

absl::Status CallCancelled() {
  return Error(absl::StatusCode::kCancelled, v1::CALL_CANCELLED,
               "the caller cancelled; a write was not applied");
}

absl::Status Presentable(const absl::Status& status) {
  if (status.ok()) return status;
  if (ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED) return Shortened(status);
  static std::atomic<int64_t> incidents = 0;
  const std::string incident = absl::StrCat(absl::ToUnixMicros(absl::Now()), "-", ++incidents);
  std::fprintf(stderr, "incident %s: %s\n", incident.c_str(), status.ToString().c_str());
  return Error(absl::StatusCode::kInternal, v1::INTERNAL_FAULT,
               absl::StrCat("a fault of the server; its log has it as incident ", incident),
               {{"incident", incident}});
}

v1::ErrorReason ReasonOf(const absl::Status& status) {
  if (status.ok()) return v1::ERROR_REASON_UNSPECIFIED;
  google::rpc::ErrorInfo info;
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  if (auto payload = status.GetPayload(TypeUrl(info))) {
    if (info.ParseFromString(std::string(*payload))) v1::ErrorReason_Parse(info.reason(), &reason);
  }
  return reason;
}

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status out;
  out.set_code(static_cast<int>(status.code()));
  out.set_message(std::string(status.message()));
  std::map<std::string, std::string> details;  // in one order; payloads have none
  status.ForEachPayload([&](absl::string_view type_url, const absl::Cord& value) {
    details.emplace(std::string(type_url), std::string(value));
  });
  for (auto& [type_url, value] : details) {
    auto* detail = out.add_details();
    detail->set_type_url(type_url);
    detail->set_value(std::move(value));
  }
  return out;
}

absl::Status FromRpcStatus(const google::rpc::Status& status) {
  absl::Status out(static_cast<absl::StatusCode>(status.code()), status.message());
  for (const auto& detail : status.details()) {
    out.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return out;
}

}  // namespace detente
