// What fork() leaves of a connection: memory without the threads that work on it. A connection
// remembers the epoch it was made in and refuses to work in another.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace detente {

// How many fork()s lie between this process and the one that first asked.
int64_t ForkEpoch();

// FAILED_PRECONDITION unless `epoch` is this process's own. Takes no lock: another thread may have
// held it at the fork.
absl::Status CheckEpoch(int64_t epoch);

// Keeps for ever what another process made: its threads are not here to end it.
template <typename T>
void Leak(std::shared_ptr<T> owned) {
  new std::shared_ptr<T>(std::move(owned));  // NOLINT(bugprone-unused-raii)
}

// Guards what can't be set up again in a child once a parent has: gRPC's threads, SQLite's table of
// locked files. Constant-initialised; meant as a static.
class OneProcess {
 public:
  explicit constexpr OneProcess(const char* what) noexcept : what_(what) {}

  // Claims it for this process; FAILED_PRECONDITION in a child of the process that did.
  absl::Status Claim();

 private:
  const char* what_;
  std::atomic<int64_t> epoch_ = -1;
};

}  // namespace detente
