// Page tokens: where the next page starts, sealed so that only this store's own are taken.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "store/store.h"

namespace detente::query {

struct PageToken {
  store::ReadView view;
  std::string last;  // the id of the last row of the page before, or the last revision of a listing
                     // of revisions
};

// 16 bytes that stand for a call's method and arguments, without page_size and page_token.
std::string HashArguments(absl::string_view method, absl::string_view arguments);

// `key` is the store's own. The token is opaque, URL-safe text.
std::string SealPageToken(const PageToken& token, absl::string_view arguments_hash,
                          absl::string_view key, absl::Time now);

// INVALID_ARGUMENT (INVALID_PAGE_TOKEN, PAGE_TOKEN_EXPIRED) for anything but a token of this store,
// for these arguments, in time.
absl::StatusOr<PageToken> OpenPageToken(absl::string_view text, absl::string_view arguments_hash,
                                        absl::string_view key, absl::Time now);

}  // namespace detente::query
