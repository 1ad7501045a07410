// The threads that do store work: never gRPC's own.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace detente::rpc {

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
  std::mutex mutex_;  // guards waiting_ and closing_
  std::condition_variable changed_;
  std::deque<absl::AnyInvocable<void()>> waiting_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace detente::rpc
