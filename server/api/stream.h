// What a streaming method sends and takes, message by message.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace detente::api {

// Immutable and shared, so that a cached answer reaches the wire without a copy.
using Bytes = std::shared_ptr<const std::string>;
using Done = absl::AnyInvocable<void(absl::StatusOr<Bytes>)>;

// A part of a message's bytes, and what keeps them.
struct Piece {
  absl::string_view bytes;
  std::shared_ptr<const void> owner;
};

// A message: the pieces, one after the other, are its bytes. They reach the wire without a copy.
using Pieces = std::vector<Piece>;

// Asked by one thread at a time, not always the same, until it ends or fails; destroyed early where
// nobody wants the rest. The call's context outlives it.
class MessageStream {
 public:
  virtual ~MessageStream() = default;
  // The next message; none = that was the last. May block on the store.
  virtual absl::StatusOr<std::optional<Pieces>> Next() = 0;
};

// How many messages of one ExchangeStream may wait for their answers: one is looked at while the
// one before is committed.
constexpr int kMaxMessagesInHand = 2;

// Takes messages and answers each. By one thread at a time, not always the same; may be destroyed
// while messages wait for their answers, which still come. The call's context outlives those.
class ExchangeStream {
 public:
  virtual ~ExchangeStream() = default;
  // Calls `done` once, in the order of the messages: from this thread or from the engine's writer
  // thread, where it must not block. A failure ends the stream.
  virtual void Take(absl::string_view message, Done done) = 0;
};

}  // namespace detente::api
