// Connections to a store in this process: the same handler table that a server answers from,
// without a server.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "detente/client/connection.h"

namespace detente {

struct OpenOptions {
  bool create = false;     // make the file where there is none
  bool read_only = false;  // beside another process that writes; follows its commits
  size_t head_cache_bytes = size_t{256} << 20;    // for the newest versions of records
  size_t column_cache_bytes = size_t{512} << 20;  // for records as columns
  // Who makes the commits, as ConnectOptions::actor.
  std::string actor = {};
};

// `path` is a SQLite file or ":memory:". Closing the connection, or destroying it, finishes the
// writes that wait and closes the store. Calls run in the caller's thread and have no timeout of
// their own. Fails with NOT_FOUND where there is no file and none is to be made, with
// FAILED_PRECONDITION (STORE_LOCKED) where another process writes it, with INVALID_ARGUMENT for an
// actor that can't be, and with FAILED_PRECONDITION in the child of a process that has opened a
// store and then forked.
absl::StatusOr<std::unique_ptr<Connection>> Open(absl::string_view path,
                                                 const OpenOptions& options = {});

}  // namespace detente
