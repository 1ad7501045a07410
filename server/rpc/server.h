// The gRPC server: adapts the wire to the handler table. The only code of the server that knows
// gRPC.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "api/instance.h"

namespace detente::rpc {

struct ServerOptions {
  std::string listen = "localhost:7400";  // host:port (0 = any free one), or unix:path
  int threads = 4;                        // that do store work
  size_t max_waiting_calls = 1'024;       // for a thread; further ones get RESOURCE_EXHAUSTED
};

class Server {
 public:
  virtual ~Server() = default;
  // Where it listens, with the port it was given: "127.0.0.1:7400".
  virtual const std::string& address() const = 0;
  // Says NOT_SERVING, takes no new calls, lets those in flight end within `grace`, then cancels the
  // rest. Blocks; once.
  virtual void Drain(absl::Duration grace) = 0;
};

// `instance` must outlive the server.
absl::StatusOr<std::unique_ptr<Server>> StartServer(api::Instance& instance,
                                                    const ServerOptions& options);

}  // namespace detente::rpc
