// Asks a server whether it serves, by the health service of gRPC.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace detente::rpc {

// `address` as in ServerOptions. UNAVAILABLE, with what it answered, when it does not serve.
absl::Status CheckHealth(const std::string& address, absl::Duration timeout);

}  // namespace detente::rpc
