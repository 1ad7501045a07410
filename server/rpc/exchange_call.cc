#include "rpc/exchange_call.h"

#include <utility>

#include "error/error.h"

namespace detente::rpc {

using grpc::ByteBuffer;

ExchangeCall::ExchangeCall(const api::HandlerTable& handlers, const api::Method& method,
                           Executor& executor, CallsInFlight& calls)
    : handlers_(handlers), method_(method), executor_(executor), calls_(calls) {
  ++calls_.count;
}

void ExchangeCall::Refuse(const absl::Status& status) {
  finished_ = true;
  Finish(ToGrpc(status));
}

void ExchangeCall::Start(api::CallContext context) {
  context_ = std::move(context);
  context_.cancelled = [this] { return cancelled_.load(std::memory_order_relaxed); };
  Step([] {});
}

void ExchangeCall::OnCancel() { cancelled_.store(true, std::memory_order_relaxed); }

void ExchangeCall::OnReadDone(bool ok) {
  Step([&] {
    reading_ = false;
    if (finished_) return;
    if (ok) {
      Take();
    } else {
      ended_ = true;
    }
  });
}

void ExchangeCall::OnWriteDone(bool ok) {
  Step([&] {
    writing_ = false;
    answers_.pop_front();
    if (!ok) broken_ = true;
  });
}

void ExchangeCall::OnDone() {
  --calls_.count;
  delete this;
}

void ExchangeCall::Step(absl::FunctionRef<void()> change) {
  std::optional<grpc::Status> end;
  {
    const std::lock_guard lock(mutex_);
    change();
    end = GoOn();
  }
  if (end.has_value()) Finish(*end);
}

void ExchangeCall::Take() {
  RequestBytes bytes;
  if (!bytes.Read(&buffer_)) return Fail(Unreadable());
  buffer_.Clear();
  taking_ = true;
  absl::AnyInvocable<void()> task = [this, bytes = std::move(bytes)] {
    absl::Status opened;
    if (stream_ != nullptr) {
      stream_->Take(bytes.view(), [this](absl::StatusOr<api::Bytes> answer) {
        Step([&] { Answer(std::move(answer)); });
      });
    } else {
      auto stream = handlers_.OpenExchange(method_, bytes.view(), context_);
      opened = stream.status();
      if (stream.ok()) stream_ = *std::move(stream);
    }
    Step([&] {
      taking_ = false;
      if (!opened.ok()) Fail(opened);
    });
  };
  if (stream_ != nullptr) ++unanswered_;
  if (executor_.Submit(task)) return;
  taking_ = false;
  if (stream_ != nullptr) --unanswered_;
  Fail(QueueFull("store", absl::Milliseconds(100)));
}

void ExchangeCall::Answer(absl::StatusOr<api::Bytes> answer) {
  --unanswered_;
  if (!answer.ok()) {
    unanswerable_ = true;
    return Fail(answer.status());
  }
  if (unanswerable_ || broken_) return;
  grpc::Slice slice = SliceOf(*answer);
  answers_.emplace_back(&slice, 1);
}

void ExchangeCall::Fail(const absl::Status& status) {
  if (failure_.ok()) failure_ = status;
}

std::optional<grpc::Status> ExchangeCall::GoOn() {
  if (finished_) return std::nullopt;
  if (!writing_ && !broken_ && !answers_.empty()) {
    writing_ = true;
    StartWrite(&answers_.front());
  }
  if (calls_.draining && !ended_ && !taking_) Fail(GoingDown());
  const bool over = ended_ || broken_ || !failure_.ok();
  if (!over) {
    const size_t in_hand = unanswered_ + answers_.size();
    if (reading_ || taking_ || in_hand >= api::kMaxMessagesInHand) return std::nullopt;
    reading_ = true;
    StartRead(&buffer_);
    return std::nullopt;
  }
  if (taking_ || writing_ || unanswered_ > 0 || (!broken_ && !answers_.empty())) {
    return std::nullopt;
  }
  finished_ = true;  // a read under way is ended by it
  if (broken_) return grpc::Status::CANCELLED;
  return ToGrpc(failure_);
}

}  // namespace detente::rpc
