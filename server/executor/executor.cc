#include "executor/executor.h"

#include <utility>

namespace detente {

Executor::Executor(int threads, size_t max_waiting) : max_waiting_(max_waiting) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

Executor::~Executor() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Executor::Submit(absl::AnyInvocable<void()>& task) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (waiting_.size() >= max_waiting_) return false;
    waiting_.push_back(std::move(task));
    wake = idle_ > 0 && !waking_;
    waking_ |= wake;
  }
  if (wake) changed_.notify_one();
  return true;
}

void Executor::Run() {
  while (true) {
    absl::AnyInvocable<void()> task;
    bool wake = false;
    {
      std::unique_lock lock(mutex_);
      while (waiting_.empty() && !closing_) {
        ++idle_;
        changed_.wait(lock);
        --idle_;
        waking_ = false;
      }
      if (waiting_.empty()) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
      wake = !waiting_.empty() && idle_ > 0 && !waking_;
      waking_ |= wake;
    }
    if (wake) changed_.notify_one();
    task();
  }
}

}  // namespace detente
