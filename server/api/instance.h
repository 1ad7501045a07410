// An opened store with the engine over it and the handler table over that: what a server serves and
// a process embeds.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "api/handler_table.h"
#include "engine/engine.h"

namespace detente::api {

struct OpenOptions {
  bool create = false;     // make the file where there is none
  bool read_only = false;  // beside another process that writes; follows its commits
  size_t head_cache_bytes = size_t{256} << 20;
  size_t column_cache_bytes = size_t{512} << 20;
};

class Instance {
 public:
  // `path` is a SQLite file or ":memory:"; `proto_files` the contract's files that this binary
  // holds (proto_files.h).
  static absl::StatusOr<std::unique_ptr<Instance>> Open(absl::string_view path,
                                                        absl::Span<const char* const> proto_files,
                                                        const OpenOptions& options);
  // Writes that still wait are answered with UNAVAILABLE (SHUTTING_DOWN), then the store is closed.
  ~Instance();

  const HandlerTable& handlers() const { return *handlers_; }
  const engine::Registry& registry() const { return *registry_; }
  engine::Engine& engine() { return *engine_; }

 private:
  Instance();
  std::unique_ptr<engine::Registry> registry_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<HandlerTable> handlers_;
};

}  // namespace detente::api
