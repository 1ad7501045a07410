// How a client reaches the records: one call is one method of the contract, bytes in and bytes out.
// Made by Connect (remote.h) for a server and by Open (local.h) for a store in this process; a test
// may use a mock (mock_connection.h).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace detente {

struct CallOptions {
  // Absent: the connection's own. InfiniteDuration: none.
  std::optional<absl::Duration> timeout = {};
  // Asked by the calling thread, about every 50 ms once the call has lasted 50 ms; true ends it
  // with CANCELLED.
  std::function<bool()> cancelled = {};
};

// What a streaming method sends. One thread at a time; may outlive its connection.
class MessageStream {
 public:
  // Ends the call, where it has not ended.
  virtual ~MessageStream() = default;
  // Blocks until the next serialized message; none = that was the last. Failures as Call has them;
  // after one, or the last message, it fails for ever.
  virtual absl::StatusOr<std::optional<std::string>> Next() = 0;
};

// Of a method that streams both ways. One thread at a time; may outlive its connection.
class MessageExchange {
 public:
  // Ends the call, where it has not ended. What the server has in hand may be done or not.
  virtual ~MessageExchange() = default;
  // Sends a serialized message; blocks while the server takes no more. False: the call is over, and
  // Next tells why.
  virtual absl::StatusOr<bool> Send(absl::string_view message) = 0;
  // Says that no more will be sent.
  virtual absl::Status Finish() = 0;
  // Blocks until the next serialized answer; none = the server has answered all and is done.
  // Failures as MessageStream has them.
  virtual absl::StatusOr<std::optional<std::string>> Next() = 0;
};

// Thread-safe. After fork() a connection is of no use to the child: calls fail with
// FAILED_PRECONDITION, and closing or destroying it there does nothing.
class Connection {
 public:
  virtual ~Connection() = default;

  // Calls `method` ("/detente.v1.ReleaseService/GetRelease") with a serialized request, and blocks
  // until the serialized response. Failures have the server's code and message, and its google.rpc
  // details (ErrorInfo, BadRequest …) as payloads under their type URLs.
  virtual absl::StatusOr<std::string> Call(absl::string_view method, absl::string_view request,
                                           const CallOptions& options) = 0;

  // Begins a call and returns. `done` is told once how it ended, by a thread of the connection that
  // it must not block, or by this one where the call can't begin. What is returned cancels the
  // call, at any time and from any thread. options.cancelled is not asked.
  virtual std::function<void()> Start(absl::string_view method, absl::string_view request,
                                      const CallOptions& options,
                                      std::function<void(absl::StatusOr<std::string>)> done) = 0;

  // Opens a method that streams its response. options.timeout is that of the whole stream, by
  // default none; options.cancelled is asked while Next waits.
  virtual absl::StatusOr<std::unique_ptr<MessageStream>> Stream(absl::string_view method,
                                                                absl::string_view request,
                                                                const CallOptions& options) = 0;

  // Opens a method that streams both ways; nothing is sent yet. Options as those of Stream.
  virtual absl::StatusOr<std::unique_ptr<MessageExchange>> Exchange(absl::string_view method,
                                                                    const CallOptions& options) = 0;

  // Ends the calls and streams of other threads, and started calls, with CANCELLED and returns when
  // they are over.
  // Calls made later fail with FAILED_PRECONDITION. Idempotent.
  virtual void Close() = 0;

  // What it is connected to, as given: "localhost:7400", "belarus.db".
  virtual std::string Target() const = 0;
};

}  // namespace detente
