// What the calls of a connection to a server share.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "detente/client/completions.h"
#include "detente/client/live_calls.h"
#include "detente/client/remote.h"

namespace detente {

struct RemoteState {
  RemoteState(absl::string_view target, std::shared_ptr<grpc::Channel> channel,
              const ConnectOptions& options);

  std::shared_ptr<grpc::Channel> Channel();
  // Of the calls that are started; within a scope of `calls`.
  Completions& Started();
  // Once no call is live. A channel that lives on keeps its sockets, and a server that drains waits
  // for them.
  void Disconnect();

  const std::string target;
  const std::string authorization;
  const std::string actor;  // encoded
  const absl::Duration timeout;
  LiveCalls calls;

 private:
  std::mutex mutex_;                        // guards the rest
  std::shared_ptr<grpc::Channel> channel_;  // null once closed
  std::unique_ptr<Completions> started_;
};

// The deadline and the metadata of a call.
void SetUp(const RemoteState& state, std::optional<absl::Duration> timeout,
           grpc::ClientContext* context);

// How a call has ended that may have been cancelled by its caller.
absl::Status EndOf(const RemoteState& state, const grpc::Status& result, bool cancelled);

grpc::ByteBuffer ToBuffer(absl::string_view bytes);
absl::StatusOr<std::string> ToString(const grpc::ByteBuffer& buffer);

// Connection::Start.
std::function<void()> StartCall(std::shared_ptr<RemoteState> state, absl::string_view method,
                                absl::string_view request, const CallOptions& options,
                                std::function<void(absl::StatusOr<std::string>)> done);

}  // namespace detente
