// Every method of the contract as (method, request bytes, context) -> (status, response bytes). The
// wire and the embedded mode both call it, so that they can't differ. It knows no gRPC.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "api/stream.h"
#include "engine/engine.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/message.h"

namespace detente::columnar {
class Cache;
}

namespace detente::api {

struct CallContext {
  std::string caller;  // who is calling, as it says; request ids are the caller's own
  absl::Time deadline = absl::InfiniteFuture();
  std::function<bool()> cancelled;  // may be empty; called from any thread
};

class Method;

// Thread-safe; outlives the calls in flight (the engine's writer finishes them when it closes).
class HandlerTable {
 public:
  // `column_cache_bytes`: what records may take in memory as columns.
  explicit HandlerTable(engine::Engine& engine, size_t column_cache_bytes = size_t{512} << 20);
  ~HandlerTable();

  // By full path, "/detente.v1.ReleaseService/GetRelease"; null where there is none.
  const Method* Find(absl::string_view path) const;
  // Paths of all methods.
  std::vector<std::string> Paths() const;

  // The answer of a plain Get that the head cache holds. Never blocks.
  std::optional<Bytes> Cached(const Method& method, absl::string_view request) const;

  // Calls `done` once: from this thread, or for a write from the engine's writer thread, where it
  // must not block. Failures carry their google.rpc details as payloads (error/error.h).
  void Call(const Method& method, absl::string_view request, const CallContext& context,
            Done done) const;

  enum class Shape {
    kCall,
    kStream,    // it sends a stream: it is opened, not called
    kExchange,  // it takes a stream, too: the first message opens it
  };
  static Shape ShapeOf(const Method& method);
  // What a streaming method sends. Failures, also those of Next, are as Call has them.
  absl::StatusOr<std::unique_ptr<MessageStream>> Open(const Method& method,
                                                      absl::string_view request,
                                                      const CallContext& context) const;
  // What takes the messages behind the first, which has no answer.
  absl::StatusOr<std::unique_ptr<ExchangeStream>> OpenExchange(const Method& method,
                                                               absl::string_view first,
                                                               const CallContext& context) const;

 private:
  // The request, parsed; what is wrong with the call as a whole.
  absl::StatusOr<google::protobuf::Message*> Parse(const Method& method, absl::string_view request,
                                                   const CallContext& context,
                                                   google::protobuf::Arena* arena) const;

  engine::Engine& engine_;
  std::unique_ptr<columnar::Cache> columns_;
  absl::flat_hash_map<std::string, std::unique_ptr<Method>> methods_;
};

}  // namespace detente::api
