#include "detente/client/local.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "access/actor.h"
#include "api/instance.h"
#include "detente/client/fork.h"
#include "detente/client/live_calls.h"
#include "error/error.h"
#include "executor/executor.h"
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

struct State {
  State(absl::string_view path, absl::string_view actor, std::unique_ptr<api::Instance> instance)
      : path(path), actor(actor), instance(std::move(instance)) {}

  const std::string path;
  const std::string actor;
  LiveCalls calls;
  std::mutex closing;
  std::shared_ptr<api::Instance> instance;  // written by Close, under `closing`, with no call live
  std::mutex starting;
  std::unique_ptr<Executor> executor;  // of started calls; under `starting`
};

// Threads for the calls that are started. Reads are bound by the processor, and the writes of all
// these threads are committed together.
constexpr int kThreads = 8;

using Shape = api::HandlerTable::Shape;

absl::StatusOr<const api::Method*> FindMethod(const api::HandlerTable& handlers,
                                              absl::string_view method, Shape shape) {
  const api::Method* found = handlers.Find(method);
  if (found != nullptr && api::HandlerTable::ShapeOf(*found) == shape) return found;
  return Error(absl::StatusCode::kUnimplemented, v1::METHOD_NOT_IMPLEMENTED,
               absl::StrCat("no ", shape == Shape::kCall ? "method " : "stream ", method),
               {{"feature", std::string(method)}});
}

// How a call has ended, where closing may have cancelled it.
absl::Status EndOf(const State& state, const absl::Status& status, bool by_caller) {
  const bool closed = absl::IsCancelled(status) && !by_caller && state.calls.closed();
  return closed ? ClosedDuring() : status;
}

class LocalStream final : public MessageStream, public LiveCalls::Idle {
 public:
  LocalStream(std::shared_ptr<State> state, const CallOptions& options)
      : state_(std::move(state)), options_(options), instance_(state_->instance) {
    context_.caller = state_->actor;
    if (options_.timeout.has_value()) context_.deadline = absl::Now() + *options_.timeout;
    context_.cancelled = [this] { return cancellation_ != nullptr && cancellation_->cancelled(); };
  }

  ~LocalStream() override {
    if (CheckEpoch(epoch_).ok()) {
      state_->calls.Remove(this);
      return;
    }
    Leak(std::move(state_));
    Leak(std::move(instance_));
    stream_.release();  // NOLINT(bugprone-unused-return-value): holds locks of the other process
  }

  // Within a scope of the connection's calls.
  absl::Status Open(absl::string_view method, absl::string_view request) {
    auto found = FindMethod(instance_->handlers(), method, Shape::kStream);
    if (!found.ok()) return found.status();
    Cancellation cancellation(state_->calls, options_);
    cancellation_ = &cancellation;
    auto stream = instance_->handlers().Open(**found, request, context_);
    cancellation_ = nullptr;
    if (!stream.ok()) return EndOf(*state_, stream.status(), cancellation.by_caller());
    stream_ = *std::move(stream);
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<std::string>> Next() override {
    if (absl::Status status = CheckEpoch(epoch_); !status.ok()) return status;
    const LiveCalls::Scope scope(state_->calls, [] {});
    if (!scope.entered()) return ClosedDuring();
    if (stream_ == nullptr) return StreamEnded();
    Cancellation cancellation(state_->calls, options_);
    cancellation_ = &cancellation;
    auto next = stream_->Next();
    cancellation_ = nullptr;
    if (next.ok() && next->has_value()) return Joined(**next);
    Drop();
    if (!next.ok()) return EndOf(*state_, next.status(), cancellation.by_caller());
    return std::nullopt;
  }

  void Drop() override {
    stream_ = nullptr;
    instance_ = nullptr;
  }

 private:
  static std::string Joined(const api::Pieces& pieces) {
    size_t size = 0;
    for (const api::Piece& piece : pieces) size += piece.bytes.size();
    std::string bytes;
    bytes.reserve(size);
    for (const api::Piece& piece : pieces) bytes.append(piece.bytes.data(), piece.bytes.size());
    return bytes;
  }

  const int64_t epoch_ = ForkEpoch();
  std::shared_ptr<State> state_;
  const CallOptions options_;
  api::CallContext context_;
  Cancellation* cancellation_ = nullptr;  // of the read under way
  std::shared_ptr<api::Instance> instance_;
  std::unique_ptr<api::MessageStream> stream_;  // null once it is over
};

// What is in hand is looked at in the sender's thread, and committed while it makes the next.
class LocalExchange final : public MessageExchange, public LiveCalls::Idle {
 public:
  LocalExchange(std::shared_ptr<State> state, const api::Method& method, const CallOptions& options)
      : state_(std::move(state)),
        method_(method),
        options_(options),
        instance_(state_->instance),
        answers_(std::make_shared<Answers>()) {
    answers_->context.caller = state_->actor;
    if (options.timeout.has_value()) {
      answers_->context.deadline = absl::Now() + *options.timeout;
    }
    answers_->context.cancelled = [answers = answers_.get(), state = state_.get()] {
      return answers->cancelled.load(std::memory_order_relaxed) || state->calls.closed();
    };
  }

  ~LocalExchange() override {
    if (CheckEpoch(epoch_).ok()) {
      state_->calls.Remove(this);
      Drop();
      return;
    }
    Leak(std::move(state_));
    Leak(std::move(instance_));
    Leak(std::move(answers_));
    stream_.release();  // NOLINT(bugprone-unused-return-value): holds locks of the other process
  }

  absl::StatusOr<bool> Send(absl::string_view message) override {
    if (absl::Status status = CheckEpoch(epoch_); !status.ok()) return status;
    const LiveCalls::Scope scope(state_->calls, [] {});
    if (!scope.entered()) return ClosedDuring();
    if (instance_ == nullptr || finished_) return StreamEnded();
    if (stream_ == nullptr) {
      auto opened = instance_->handlers().OpenExchange(method_, message, answers_->context);
      if (opened.ok()) {
        stream_ = *std::move(opened);
        return true;
      }
      const std::lock_guard lock(answers_->mutex);
      answers_->failure = opened.status();
      return false;
    }
    const auto free = [this] { return answers_->in_hand < api::kMaxMessagesInHand; };
    std::unique_lock lock(answers_->mutex);
    Wait(lock, free);
    if (!answers_->failure.ok()) return false;
    ++answers_->in_hand;
    lock.unlock();
    stream_->Take(message, [answers = answers_](absl::StatusOr<api::Bytes> answer) {
      const std::lock_guard lock(answers->mutex);
      --answers->in_hand;
      if (answers->failure.ok()) {
        answers->failure = answer.status();
        if (answer.ok()) answers->ready.push_back(*std::move(answer));
      }
      answers->changed.notify_one();
    });
    return true;
  }

  absl::Status Finish() override {
    if (absl::Status status = CheckEpoch(epoch_); !status.ok()) return status;
    if (instance_ == nullptr) return StreamEnded();
    finished_ = true;
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<std::string>> Next() override {
    if (absl::Status status = CheckEpoch(epoch_); !status.ok()) return status;
    const LiveCalls::Scope scope(state_->calls, [] {});
    if (!scope.entered()) return ClosedDuring();
    if (instance_ == nullptr) return StreamEnded();
    std::unique_lock lock(answers_->mutex);
    Wait(lock, [this] { return !answers_->ready.empty() || answers_->in_hand == 0; });
    if (!answers_->ready.empty()) {
      const api::Bytes answer = std::move(answers_->ready.front());
      answers_->ready.pop_front();
      return *answer;
    }
    const absl::Status failure = answers_->failure;
    if (failure.ok() && !finished_) {
      return absl::FailedPreconditionError("no message is unanswered, and more may be sent");
    }
    const bool by_caller = answers_->cancelled;
    lock.unlock();
    Drop();
    if (failure.ok()) return std::nullopt;
    return EndOf(*state_, failure, by_caller);
  }

  void Drop() override {
    if (instance_ == nullptr) return;
    answers_->cancelled = true;
    std::unique_lock lock(answers_->mutex);
    answers_->changed.wait(lock, [this] { return answers_->in_hand == 0; });
    lock.unlock();
    stream_ = nullptr;
    instance_ = nullptr;
  }

 private:
  struct Answers {
    api::CallContext context;
    std::atomic<bool> cancelled = false;
    std::mutex mutex;  // guards the rest
    std::condition_variable changed;
    int in_hand = 0;
    std::deque<api::Bytes> ready;
    absl::Status failure;
  };

  // Until `done` says so; a write that is cancelled meanwhile is dropped or done soon.
  template <typename Predicate>
  void Wait(std::unique_lock<std::mutex>& lock, const Predicate& done) {
    while (!answers_->changed.wait_for(lock, absl::ToChronoMilliseconds(kCancelInterval), done)) {
      lock.unlock();
      if (options_.cancelled && !answers_->cancelled && options_.cancelled()) {
        answers_->cancelled = true;
      }
      lock.lock();
    }
  }

  const int64_t epoch_ = ForkEpoch();
  std::shared_ptr<State> state_;
  const api::Method& method_;
  const CallOptions options_;
  std::shared_ptr<api::Instance> instance_;  // null once it is over
  std::shared_ptr<Answers> answers_;         // the engine's writer sets them
  std::unique_ptr<api::ExchangeStream> stream_;
  bool finished_ = false;
};

class LocalConnection final : public Connection {
 public:
  LocalConnection(absl::string_view path, absl::string_view actor,
                  std::unique_ptr<api::Instance> instance)
      : state_(std::make_shared<State>(path, actor, std::move(instance))) {}

  ~LocalConnection() override {
    if (CheckEpoch(epoch_).ok()) {
      Close();
    } else {
      Leak(std::move(state_));
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
    const auto found = FindMethod(handlers, method, Shape::kCall);
    if (!found.ok()) return found.status();
    const api::Method& handler = **found;
    if (std::optional<api::Bytes> cached = handlers.Cached(handler, request)) return **cached;

    Cancellation cancellation(state_->calls, options);
    api::CallContext context;
    context.caller = state_->actor;
    if (options.timeout.has_value()) context.deadline = absl::Now() + *options.timeout;
    context.cancelled = [&cancellation] { return cancellation.cancelled(); };

    Answer answer;
    handlers.Call(handler, request, context,
                  [&answer](absl::StatusOr<api::Bytes> result) { answer.Set(std::move(result)); });
    while (!answer.Wait(options.cancelled ? kCancelInterval : absl::InfiniteDuration())) {
      cancellation.cancelled();
    }
    const absl::StatusOr<api::Bytes>& result = answer.result();
    if (result.ok()) return **result;
    return EndOf(*state_, result.status(), cancellation.by_caller());
  }

  std::function<void()> Start(absl::string_view method, absl::string_view request,
                              const CallOptions& options,
                              std::function<void(absl::StatusOr<std::string>)> done) override {
    if (absl::Status status = CheckEpoch(epoch_); !status.ok()) {
      done(status);
      return [] {};
    }
    auto cancelled = std::make_shared<std::atomic<bool>>(false);
    // The time that it waits for a thread counts too.
    const absl::Time deadline = absl::Now() + options.timeout.value_or(absl::InfiniteDuration());
    absl::AnyInvocable<void()> task = [this, cancelled, deadline, done,
                                       method = std::string(method),
                                       request = std::string(request)] {
      CallOptions waited;
      waited.cancelled = [&cancelled] { return cancelled->load(std::memory_order_relaxed); };
      if (deadline != absl::InfiniteFuture()) waited.timeout = deadline - absl::Now();
      if (*cancelled) return done(Cancelled());
      if (state_->calls.closed()) return done(ClosedDuring());
      done(Call(method, request, waited));
    };
    std::unique_lock lock(state_->starting);
    if (state_->calls.closed()) {
      lock.unlock();
      done(ClosedBefore());
      return [] {};
    }
    if (state_->executor == nullptr) {
      state_->executor = std::make_unique<Executor>(kThreads, SIZE_MAX);
    }
    state_->executor->Submit(task);
    return [cancelled] { *cancelled = true; };
  }

  absl::StatusOr<std::unique_ptr<MessageStream>> Stream(absl::string_view method,
                                                        absl::string_view request,
                                                        const CallOptions& options) override {
    if (absl::Status status = CheckEpoch(epoch_); !status.ok()) return status;
    const LiveCalls::Scope scope(state_->calls, [] {});
    if (!scope.entered()) return ClosedBefore();
    auto stream = std::make_unique<LocalStream>(state_, options);
    if (absl::Status status = stream->Open(method, request); !status.ok()) return status;
    if (!state_->calls.Add(stream.get())) return ClosedDuring();
    return stream;
  }

  absl::StatusOr<std::unique_ptr<MessageExchange>> Exchange(absl::string_view method,
                                                            const CallOptions& options) override {
    if (absl::Status status = CheckEpoch(epoch_); !status.ok()) return status;
    const LiveCalls::Scope scope(state_->calls, [] {});
    if (!scope.entered()) return ClosedBefore();
    const auto found = FindMethod(state_->instance->handlers(), method, Shape::kExchange);
    if (!found.ok()) return found.status();
    auto exchange = std::make_unique<LocalExchange>(state_, **found, options);
    if (!state_->calls.Add(exchange.get())) return ClosedDuring();
    return exchange;
  }

  void Close() override {
    if (!CheckEpoch(epoch_).ok()) return;
    state_->calls.Close();
    const std::lock_guard lock(state_->closing);
    std::unique_ptr<Executor> executor;
    {
      const std::lock_guard starting(state_->starting);
      executor.swap(state_->executor);
    }
    executor.reset();  // tells those that wait that it is closed
    state_->instance.reset();
  }

  std::string Target() const override { return state_->path; }

 private:
  const int64_t epoch_ = ForkEpoch();
  std::shared_ptr<State> state_;
};

constinit OneProcess store_process("has opened a store");

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Open(absl::string_view path,
                                                 const OpenOptions& options) {
  if (absl::Status status = access::CheckActor(options.actor); !status.ok()) return status;
  if (absl::Status status = store_process.Claim(); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<api::Instance>> instance =
      api::Instance::Open(path, ProtoFiles(),
                          {.create = options.create,
                           .read_only = options.read_only,
                           .head_cache_bytes = options.head_cache_bytes,
                           .column_cache_bytes = options.column_cache_bytes});
  if (!instance.ok()) return instance.status();
  return std::make_unique<LocalConnection>(path, options.actor, *std::move(instance));
}

}  // namespace detente
