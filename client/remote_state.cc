#include "detente/client/remote_state.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "access/actor.h"
#include "error/error.h"
#include "google/rpc/status.pb.h"

namespace detente {
namespace {

// What the server said, or gRPC.
absl::Status ToStatus(const RemoteState& state, const grpc::Status& result) {
  const auto code = static_cast<absl::StatusCode>(result.error_code());
  google::rpc::Status details;
  if (!result.error_details().empty() && details.ParseFromString(result.error_details()) &&
      details.code() == static_cast<int>(code)) {
    return FromRpcStatus(details);
  }
  // From gRPC or a proxy, not from the server: which one it was helps more than what it says.
  return absl::Status(code, absl::StrCat(state.target, ": ", result.error_message()));
}

}  // namespace

RemoteState::RemoteState(absl::string_view target, std::shared_ptr<grpc::Channel> channel,
                         const ConnectOptions& options)
    : target(target),
      authorization(options.token.empty() ? "" : absl::StrCat("Bearer ", options.token)),
      actor(access::EncodeActor(options.actor)),
      timeout(options.timeout),
      channel_(std::move(channel)) {}

std::shared_ptr<grpc::Channel> RemoteState::Channel() {
  const std::lock_guard lock(mutex_);
  return channel_;
}

Completions& RemoteState::Started() {
  const std::lock_guard lock(mutex_);
  if (started_ == nullptr) started_ = std::make_unique<Completions>();
  return *started_;
}

void RemoteState::Disconnect() {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<Completions> started;  // ends its thread without the mutex
  const std::lock_guard lock(mutex_);
  channel.swap(channel_);
  started.swap(started_);
}

absl::Status EndOf(const RemoteState& state, const grpc::Status& result, bool cancelled) {
  if (result.error_code() == grpc::StatusCode::CANCELLED) {
    if (cancelled) return Cancelled();
    if (state.calls.closed()) return ClosedDuring();
  }
  return ToStatus(state, result);
}

void SetUp(const RemoteState& state, std::optional<absl::Duration> timeout,
           grpc::ClientContext* context) {
  if (timeout.has_value() && *timeout != absl::InfiniteDuration()) {
    context->set_deadline(absl::ToChronoTime(absl::Now() + *timeout));
  }
  if (!state.authorization.empty()) context->AddMetadata("authorization", state.authorization);
  if (!state.actor.empty()) context->AddMetadata(access::kActorMetadata, state.actor);
}

grpc::ByteBuffer ToBuffer(absl::string_view bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  return grpc::ByteBuffer(&slice, 1);
}

absl::StatusOr<std::string> ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Valid() || !buffer.Dump(&slices).ok()) {
    return absl::InternalError("the response can't be decompressed");
  }
  std::string bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

}  // namespace detente
