// A call that streams both ways, as gRPC sees it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "api/handler_table.h"
#include "executor/executor.h"
#include "rpc/wire.h"

namespace detente::rpc {

// A message is read when fewer than kMaxMessagesInHand wait for their answer, or for it to be
// written: what the client sends meanwhile stays with gRPC, which holds the client up. Frees itself
// when nothing is read, taken or written.
class ExchangeCall : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  ExchangeCall(const api::HandlerTable& handlers, const api::Method& method, Executor& executor,
               CallsInFlight& calls);

  // One of the two, first. The former ends the call at once.
  void Refuse(const absl::Status& status);
  void Start(api::CallContext context);

  void OnCancel() override;
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  // One change of the state, and what follows from it. This may be gone when it returns.
  void Step(absl::FunctionRef<void()> change);
  // Under mutex_, as all below.
  void Take();
  void Answer(absl::StatusOr<api::Bytes> answer);
  void Fail(const absl::Status& status);
  // How the call ends, where it does.
  std::optional<grpc::Status> GoOn();

  const api::HandlerTable& handlers_;
  const api::Method& method_;
  Executor& executor_;
  CallsInFlight& calls_;
  std::atomic<bool> cancelled_ = false;
  api::CallContext context_;
  // Made and used by the tasks, one at a time.
  std::unique_ptr<api::ExchangeStream> stream_;

  std::mutex mutex_;
  bool reading_ = false;
  bool taking_ = false;
  bool writing_ = false;
  bool ended_ = false;         // the client sends no more
  bool broken_ = false;        // gRPC could not write
  bool finished_ = false;      // Finish was called, or is about to be
  size_t unanswered_ = 0;      // messages
  bool unanswerable_ = false;  // one has failed: those behind it get no answer
  absl::Status failure_;
  grpc::ByteBuffer buffer_;               // gRPC's while it reads
  std::deque<grpc::ByteBuffer> answers_;  // the first is gRPC's while it writes
};

}  // namespace detente::rpc
