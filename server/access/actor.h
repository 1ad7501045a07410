// Who makes a call. Until there is access control, that is what the caller says of itself: text
// that is kept on the commit and proves nothing.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace detente::access {

constexpr size_t kMaxActorBytes = 256;
// The metadata that carries the actor; an HTTP header, so its UTF-8 is percent-encoded.
constexpr char kActorMetadata[] = "detente-actor";

// INVALID_ARGUMENT, about `field`, unless it is UTF-8 of at most 256 bytes. Empty = the caller does
// not say.
absl::Status CheckActor(absl::string_view actor, absl::string_view field = "actor");

// Percent-encodes all but visible ASCII, and `%` itself.
std::string EncodeActor(absl::string_view actor);
// The actor, checked.
absl::StatusOr<std::string> DecodeActor(absl::string_view encoded);

}  // namespace detente::access
