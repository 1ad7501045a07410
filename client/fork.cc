#include "detente/client/fork.h"

#include <pthread.h>

#include "absl/strings/str_cat.h"

namespace detente {
namespace {

constexpr absl::string_view kAdvice =
    "; start processes by spawn or forkserver, and connect in each of them";

std::atomic<int64_t> forks = 0;

}  // namespace

int64_t ForkEpoch() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { ++forks; });
  (void)registered;
  return forks.load();
}

absl::Status CheckEpoch(int64_t epoch) {
  if (epoch == ForkEpoch()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the connection was made before this process was forked", kAdvice));
}

absl::Status OneProcess::Claim() {
  const int64_t now = ForkEpoch();
  int64_t claimed = -1;
  if (epoch_.compare_exchange_strong(claimed, now) || claimed == now) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("this process was forked from one that ", what_, kAdvice));
}

}  // namespace detente
