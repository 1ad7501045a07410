#include "api/instance.h"

#include <vector>

#include "google/protobuf/stubs/logging.h"
#include "store/sqlite/sqlite_store.h"

namespace detente::api {

Instance::Instance() = default;
Instance::~Instance() = default;

absl::StatusOr<std::unique_ptr<Instance>> Instance::Open(absl::string_view path,
                                                         absl::Span<const char* const> proto_files,
                                                         const OpenOptions& options) {
  // Requests that can't be parsed are answered, not logged.
  google::protobuf::SetLogHandler(nullptr);
  std::unique_ptr<Instance> instance(new Instance());
  auto registry = engine::Registry::FromFiles(proto_files);
  if (!registry.ok()) return registry.status();
  instance->registry_ = *std::move(registry);
  store::SqliteOptions sqlite;
  sqlite.create = options.create;
  sqlite.read_only = options.read_only;
  auto store = store::OpenSqlite(path, instance->registry_->Tables(), sqlite);
  if (!store.ok()) return store.status();
  auto engine = engine::Engine::Open(*std::move(store), instance->registry_.get(),
                                     {options.head_cache_bytes});
  if (!engine.ok()) return engine.status();
  instance->engine_ = *std::move(engine);
  instance->handlers_ =
      std::make_unique<HandlerTable>(*instance->engine_, options.column_cache_bytes);
  return instance;
}

}  // namespace detente::api
