// The calls that run on a connection, and its open streams, so that closing it ends them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "detente/client/connection.h"

namespace detente {

// Until a call has lasted this long, and then at this interval, nobody asks whether it was
// cancelled.
inline constexpr absl::Duration kCancelInterval = absl::Milliseconds(50);

// Thread-safe.
class LiveCalls {
 public:
  // One call, on the stack of the thread that makes it; of one that was started and that no thread
  // waits for, `thread` is none. `cancel` ends it, from any thread, and must not block.
  class Scope {
   public:
    Scope(LiveCalls& calls, std::function<void()> cancel,
          std::thread::id thread = std::this_thread::get_id());
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

    // False if the connection was closed before the call began.
    bool entered() const { return entered_; }

   private:
    friend class LiveCalls;
    LiveCalls& calls_;
    const std::function<void()> cancel_;
    const std::thread::id thread_;
    bool entered_ = false;
  };

  // A stream between its reads, each of which is a Scope.
  class Idle {
   public:
    virtual ~Idle() = default;
    // Gives up what it holds. No read is under way, and none will be.
    virtual void Drop() = 0;
  };
  // False if the connection is closed.
  bool Add(Idle* stream);
  // No more Drop after it.
  void Remove(Idle* stream);

  // Cancels all calls and waits for those of other threads, then drops the streams; one call of
  // this thread is below us on the stack, where a signal handler closes the connection that it
  // interrupted.
  void Close();

  bool closed() const { return closed_.load(std::memory_order_acquire); }

 private:
  std::mutex mutex_;
  std::condition_variable left_;
  std::atomic<bool> closed_ = false;          // written under mutex_
  absl::flat_hash_set<const Scope*> scopes_;  // under mutex_
  absl::flat_hash_set<Idle*> streams_;        // under mutex_
};

// What a call on a closed connection fails with, and what one fails with that closing has ended.
absl::Status ClosedBefore();
absl::Status ClosedDuring();
// What a call fails with that its caller cancelled.
absl::Status Cancelled();
// What a read of a stream fails with that has ended.
absl::Status StreamEnded();

}  // namespace detente
