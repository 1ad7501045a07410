// Texts that callers hand back: sealed with the store's key, so that only its own are taken.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace detente::query {

constexpr absl::Duration kSealLifetime = absl::Hours(72);

// What a text is for, and how its content is laid out; no two share a number.
enum class Sealed : char { kPageToken = 2, kRowStream = 3 };

// Opaque, URL-safe text. `key` is the store's own.
std::string Seal(Sealed what, absl::string_view content, absl::string_view key, absl::Time now);

// The content; INVALID_ARGUMENT (INVALID_PAGE_TOKEN, PAGE_TOKEN_EXPIRED) for anything but such a
// text of this store, in time. `field` is the request's, for the message.
// `remedy` says what to do instead.
absl::StatusOr<std::string> Unseal(Sealed what, absl::string_view text, absl::string_view key,
                                   absl::Time now, absl::string_view field,
                                   absl::string_view remedy);

void PutInt64(std::string& out, int64_t value);
// Of the first 8 bytes.
int64_t GetInt64(absl::string_view bytes);

}  // namespace detente::query
