// Calls to a server that are started, and not waited for.
#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "detente/client/remote_state.h"

namespace detente {
namespace {

using Done = std::function<void(absl::StatusOr<std::string>)>;

class StartedCall final : public Completions::Ending {
 public:
  StartedCall(std::shared_ptr<RemoteState> state, Done done)
      : state_(std::move(state)), done_(std::move(done)) {}

  // Keeps itself until it has ended.
  void Start(absl::string_view method, absl::string_view request, const CallOptions& options,
             std::shared_ptr<StartedCall> self) {
    SetUp(*state_, options.timeout.value_or(state_->timeout), &context_);
    scope_.emplace(state_->calls, [this] { context_.TryCancel(); }, std::thread::id());
    if (!scope_->entered()) {
      done_(ClosedBefore());
      return;
    }
    self_ = std::move(self);
    grpc::GenericStub stub(state_->Channel());
    reader_ = stub.PrepareUnaryCall(&context_, std::string(method), ToBuffer(request),
                                    state_->Started().queue());
    reader_->StartCall();
    reader_->Finish(&response_, &result_, static_cast<Completions::Ending*>(this));
  }

  void Cancel() {
    cancelled_ = true;
    context_.TryCancel();
  }

  void Ended() override {
    const std::shared_ptr<StartedCall> self = std::move(self_);
    if (result_.ok()) {
      done_(ToString(response_));
    } else {
      done_(EndOf(*state_, result_, cancelled_));
    }
    done_ = nullptr;
    response_.Clear();
    scope_.reset();  // closing goes on
  }

 private:
  const std::shared_ptr<RemoteState> state_;
  Done done_;
  grpc::ClientContext context_;
  std::atomic<bool> cancelled_ = false;
  std::optional<LiveCalls::Scope> scope_;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader_;
  grpc::ByteBuffer response_;
  grpc::Status result_;
  std::shared_ptr<StartedCall> self_;
};

}  // namespace

std::function<void()> StartCall(std::shared_ptr<RemoteState> state, absl::string_view method,
                                absl::string_view request, const CallOptions& options, Done done) {
  auto call = std::make_shared<StartedCall>(std::move(state), std::move(done));
  call->Start(method, request, options, call);
  return [call] { call->Cancel(); };
}

}  // namespace detente
