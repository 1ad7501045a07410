#include "detente/client/live_calls.h"

#include <utility>

#include "absl/algorithm/container.h"

namespace detente {

LiveCalls::Scope::Scope(LiveCalls& calls, std::function<void()> cancel, std::thread::id thread)
    : calls_(calls), cancel_(std::move(cancel)), thread_(thread) {
  const std::lock_guard lock(calls_.mutex_);
  if (calls_.closed()) return;
  entered_ = true;
  calls_.scopes_.insert(this);
}

LiveCalls::Scope::~Scope() {
  if (!entered_) return;
  const std::lock_guard lock(calls_.mutex_);
  calls_.scopes_.erase(this);
  if (calls_.closed()) calls_.left_.notify_all();
}

void LiveCalls::Close() {
  std::unique_lock lock(mutex_);
  if (!closed()) {
    closed_.store(true, std::memory_order_release);
    for (const Scope* scope : scopes_) scope->cancel_();
  }
  left_.wait(lock, [this, self = std::this_thread::get_id()] {
    return absl::c_all_of(scopes_, [&](const Scope* scope) { return scope->thread_ == self; });
  });
  // One that this very thread is reading is left to it.
  if (!scopes_.empty()) return;
  for (Idle* stream : streams_) stream->Drop();
  streams_.clear();
}

bool LiveCalls::Add(Idle* stream) {
  const std::lock_guard lock(mutex_);
  if (closed()) return false;
  streams_.insert(stream);
  return true;
}

void LiveCalls::Remove(Idle* stream) {
  const std::lock_guard lock(mutex_);
  streams_.erase(stream);
}

absl::Status ClosedBefore() { return absl::FailedPreconditionError("the connection is closed"); }

absl::Status ClosedDuring() {
  return absl::CancelledError("the connection was closed during the call");
}

absl::Status StreamEnded() { return absl::FailedPreconditionError("the stream has ended"); }

absl::Status Cancelled() { return absl::CancelledError("the caller cancelled the call"); }

}  // namespace detente
