// What gRPC calls to take a connection. When a file can't be opened for one, gRPC 1.51 closes the
// listener, and the server is deaf until it is started again (CVE-2023-4785). Here connections are
// closed while there are still files left for the store; their clients see UNAVAILABLE, and the
// listener stays.
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "error/log_limit.h"

// The linker's names.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" int __real_accept4(int, sockaddr*, socklen_t*, int);
extern "C" int __wrap_accept4(int, sockaddr*, socklen_t*, int);
// NOLINTEND(bugprone-reserved-identifier)

namespace {

// Descriptors are given out from the lowest: one at or above this is one too many.
int FirstTooMany() {
  constexpr rlim_t kForTheStore = 256;
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = 1'024;
  const rlim_t files = std::min<rlim_t>(limit.rlim_cur, 1 << 30);
  return static_cast<int>(files - std::min(kForTheStore, files / 4));
}

void LogRefusal() {
  static detente::LogLimit limit;
  if (!limit.Due()) return;
  std::fprintf(stderr,
               "detente-server: connections are closed: there are as many as the limit of open "
               "files allows (ulimit -Hn, LimitNOFILE=)\n");
}

}  // namespace

// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" int __wrap_accept4(int listener, sockaddr* address, socklen_t* length, int flags) {
  static const int too_many = FirstTooMany();  // main has raised the limit
  const socklen_t room = length == nullptr ? 0 : *length;
  while (true) {
    if (length != nullptr) *length = room;
    const int connection = __real_accept4(listener, address, length, flags);
    if (connection >= 0 && connection < too_many) return connection;
    if (connection >= 0) {
      close(connection);
      LogRefusal();
      continue;
    }
    switch (errno) {
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        LogRefusal();
        usleep(10'000);
        break;
      case ECONNABORTED:  // of the connection, not of the listener
      case EPROTO:
      case EPERM:
        break;
      default:
        return -1;
    }
  }
}
