// The threads that do store work: never gRPC's own, nor an event loop's.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace detente {

class Executor {
 public:
  Executor(int threads, size_t max_waiting);
  // Runs what waits, then ends.
  ~Executor();

  // False where the queue is full; the task is not taken then.
  bool Submit(absl::AnyInvocable<void()>& task);

 private:
  void Run();

  const size_t max_waiting_;
  std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  std::deque<absl::AnyInvocable<void()>> waiting_;
  // A thread is woken only where none is on its way; that one wakes the next if there is more to
  // do.
  int idle_ = 0;
  bool waking_ = false;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace detente
