// Connections to a server, over gRPC.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "detente/client/connection.h"

namespace detente {

enum class Tls {
  kAuto,  // on, unless the target is a loopback address or a Unix socket
  kOn,
  kOff,
};

struct ConnectOptions {
  Tls tls = Tls::kAuto;
  std::string ca_cert =
      {};                  // path of a PEM file with the authorities to trust; empty = the system's
  std::string token = {};  // sent with every call as `authorization: Bearer …`, if not empty
  // Who makes the commits: text that the store keeps with them, UTF-8 of at most 256 bytes; empty =
  // not said. Nobody checks it: it is what this caller claims.
  std::string actor = {};
  absl::Duration timeout = absl::Seconds(30);  // of calls that state none; InfiniteDuration = none
  // How often a call is tried while the server is UNAVAILABLE, 1 to 5, with growing pauses of 0.1 s
  // to 2 s. A write that carries a request id, as all of Client's do, is applied once however often
  // it is tried.
  int attempts = 4;
};

// `target` is "host:port", "unix:/path", or another name that gRPC resolves ("dns:///host:port").
// The server is looked for at the first call: here fail only options that can't be right
// (INVALID_ARGUMENT; NOT_FOUND for ca_cert), and the child of a process that has connected and then
// forked (FAILED_PRECONDITION).
absl::StatusOr<std::unique_ptr<Connection>> Connect(absl::string_view target,
                                                    const ConnectOptions& options = {});

// What Tls::kAuto leaves without TLS: localhost, 127.0.0.0/8, ::1 and Unix sockets.
bool IsLoopback(absl::string_view target);

}  // namespace detente
