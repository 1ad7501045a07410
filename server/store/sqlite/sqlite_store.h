// The store in one SQLite file (WAL, synchronous=FULL): for each collection a table of newest
// versions and one of superseded ones, kept apart so that the first is walked by id at any depth of
// history.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "store/store.h"

namespace detente::store {

struct SqliteOptions {
  bool create = false;            // make the file where there is none
  bool read_only = false;         // no writer; beside another process that writes
  std::string vfs;                // a SQLite VFS by name; empty = the system's
  int checkpoint_pages = 16'384;  // the log is copied back when it is this long: 64 MiB
  int64_t many_rows = 5'000;      // a page of more rows is found by walking the index of its order;
                                  // fewer deleted ones are taken off a count
  bool sync = true;  // false = a crash of the machine may lose acknowledged commits; for tests
};

// `path` is a file or ":memory:" (which lives as long as the store). Collections are `[a-z_]+`. A
// store that is written holds `<path>.lock`, so that a second writer is refused with the first
// one's process id.
//   NOT_FOUND            no such file, and no `create`
//   FAILED_PRECONDITION  another process writes it (STORE_LOCKED), or the file is something else
absl::StatusOr<std::unique_ptr<Store>> OpenSqlite(absl::string_view path,
                                                  absl::Span<const Table> tables,
                                                  const SqliteOptions& options);

}  // namespace detente::store
