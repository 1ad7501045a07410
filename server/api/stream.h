// What a streaming method sends, message by message.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace detente::api {

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

}  // namespace detente::api
