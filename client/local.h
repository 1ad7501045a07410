// Connections to a store in this process: the same handler table that a server answers from,
// without a server.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "api/instance.h"
#include "client/connection.h"

namespace detente {

struct OpenOptions {
  api::OpenOptions store = {};
  // Who makes the commits, as ConnectOptions::actor.
  std::string actor = {};
};

// `path` is a SQLite file or ":memory:". Closing the connection, or destroying it, finishes the
// writes that wait and closes the store. Calls run in the caller's thread and have no timeout of
// their own. Fails as api::Instance::Open, with INVALID_ARGUMENT for an actor that can't be, and
// with FAILED_PRECONDITION in the child of a process that has opened a store and then forked.
absl::StatusOr<std::unique_ptr<Connection>> Open(absl::string_view path,
                                                 const OpenOptions& options = {});

}  // namespace detente
