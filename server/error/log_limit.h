// For a line of the log that would else come with every call.
#pragma once

#include <atomic>
#include <chrono>

namespace detente {

// Thread-safe.
class LogLimit {
 public:
  // True at first, and then once in ten seconds at most.
  bool Due() {
    using Clock = std::chrono::steady_clock;
    const auto now = Clock::now().time_since_epoch();
    Clock::duration due = next_;
    return now >= due && next_.compare_exchange_strong(due, now + std::chrono::seconds(10));
  }

 private:
  std::atomic<std::chrono::steady_clock::duration> next_ = std::chrono::steady_clock::duration();
};

}  // namespace detente
