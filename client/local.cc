#include "client/local.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "access/actor.h"
#include "client/fork.h"
#include "client/live_calls.h"
#include "error/error.h"
#include "proto_files.h"

namespace detente {
namespace {

// Whether a call was cancelled, by its caller or by a close. The caller's own function is asked in
// its own thread alone, and not before the call has lasted a while: for Python it takes the
// interpreter's lock.
class Cancellation {
 public:
  Cancellation(const LiveCalls& calls, const CallOptions& options)
      : calls_(calls), options_(options), next_(absl::Now() + kCancelInterval) {}

  // From any thread.
  bool cancelled() {
    if (by_caller_.load(std::memory_order_relaxed) || calls_.closed()) return true;
    if (!options_.cancelled || std::this_thread::get_id() != thread_) return false;
    const absl::Time now = absl::Now();
    if (now < next_) return false;
    next_ = now + kCancelInterval;
    if (options_.cancelled()) by_caller_.store(true, std::memory_order_relaxed);
    return by_caller();
  }

  bool by_caller() const { return by_caller_.load(std::memory_order_relaxed); }

 private:
  const LiveCalls& calls_;
  const CallOptions& options_;
  const std::thread::id thread_ = std::this_thread::get_id();
  absl::Time next_;  // of thread_ alone
  std::atomic<bool> by_caller_ = false;
};

// What a call comes to, from the caller's thread or from the engine's writer. The caller waits for
// it in any case: a write that is being committed is worth that, for its outcome; one that is not
// yet is dropped as soon as it is cancelled.
class Answer {
 public:
  void Set(absl::StatusOr<api::Bytes> result) {
    const std::lock_guard lock(mutex_);
    result_ = std::move(result);
    set_.notify_one();  // under the lock, for the waiter destroys this
  }

  // False if there is none after `timeout`.
  bool Wait(absl::Duration timeout) {
    std::unique_lock lock(mutex_);
    const auto is_set = [this] { return result_.has_value(); };
    if (timeout != absl::InfiniteDuration()) {
      return set_.wait_for(lock, absl::ToChronoMilliseconds(timeout), is_set);
    }
    set_.wait(lock, is_set);
    return true;
  }

  const absl::StatusOr<api::Bytes>& result() const { return *result_; }

 private:
  std::mutex mutex_;
  std::condition_variable set_;
  std::optional<absl::StatusOr<api::Bytes>> result_;
};

class LocalConnection final : public Connection {
 public:
  LocalConnection(absl::string_view path, absl::string_view actor,
                  std::unique_ptr<api::Instance> instance)
      : state_(std::make_unique<State>(path, actor, std::move(instance))) {}

  ~LocalConnection() override {
    if (CheckEpoch(epoch_).ok()) {
      Close();
    } else {
      state_.release();  // NOLINT(bugprone-unused-return-value): its writer thread is not here
    }
  }

  absl::StatusOr<std::string> Call(absl::string_view method, absl::string_view request,
                                   const CallOptions& options) override {
    if (absl::Status status = CheckEpoch(epoch_); !status.ok()) return status;
    // The scope keeps the store open, but for a close by this very thread.
    const LiveCalls::Scope scope(state_->calls, [] {});
    if (!scope.entered()) return ClosedBefore();
    const std::shared_ptr<api::Instance> instance = state_->instance;

    const api::HandlerTable& handlers = instance->handlers();
    const api::Method* handler = handlers.Find(method);
    if (handler == nullptr) {
      return Error(absl::StatusCode::kUnimplemented, v1::METHOD_NOT_IMPLEMENTED,
                   absl::StrCat("no method ", method), {{"feature", std::string(method)}});
    }
    if (std::optional<api::Bytes> cached = handlers.Cached(*handler, request)) return **cached;

    Cancellation cancellation(state_->calls, options);
    api::CallContext context;
    context.caller = state_->actor;
    if (options.timeout.has_value()) context.deadline = absl::Now() + *options.timeout;
    context.cancelled = [&cancellation] { return cancellation.cancelled(); };

    Answer answer;
    handlers.Call(*handler, request, context,
                  [&answer](absl::StatusOr<api::Bytes> result) { answer.Set(std::move(result)); });
    while (!answer.Wait(options.cancelled ? kCancelInterval : absl::InfiniteDuration())) {
      cancellation.cancelled();
    }
    const absl::StatusOr<api::Bytes>& result = answer.result();
    if (result.ok()) return **result;
    if (absl::IsCancelled(result.status()) && !cancellation.by_caller() && state_->calls.closed()) {
      return ClosedDuring();
    }
    return result.status();
  }

  void Close() override {
    if (!CheckEpoch(epoch_).ok()) return;
    state_->calls.Close();
    const std::lock_guard lock(state_->closing);
    state_->instance.reset();
  }

  std::string Target() const override { return state_->path; }

 private:
  struct State {
    State(absl::string_view path, absl::string_view actor, std::unique_ptr<api::Instance> instance)
        : path(path), actor(actor), instance(std::move(instance)) {}

    const std::string path;
    const std::string actor;
    LiveCalls calls;
    std::mutex closing;
    std::shared_ptr<api::Instance>
        instance;  // written by Close, under `closing`, with no call live
  };

  const int64_t epoch_ = ForkEpoch();
  std::unique_ptr<State> state_;
};

constinit OneProcess store_process("has opened a store");

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Open(absl::string_view path,
                                                 const OpenOptions& options) {
  if (absl::Status status = access::CheckActor(options.actor); !status.ok()) return status;
  if (absl::Status status = store_process.Claim(); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<api::Instance>> instance =
      api::Instance::Open(path, ProtoFiles(), options.store);
  if (!instance.ok()) return instance.status();
  return std::make_unique<LocalConnection>(path, options.actor, *std::move(instance));
}

}  // namespace detente
