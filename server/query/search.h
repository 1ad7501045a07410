// What people search for, in words: `Бяляцкі "human rights" -Minsk (Kales* OR Kolesnikova)`.
//
// Words joined by AND, which a space means too, OR, which binds tighter, NOT or `-`, and
// parentheses; phrases in quotes; `*` behind a word or a phrase: it is a beginning. What is written
// together without a space, `e-mail`, is a phrase. Signs that are neither say nothing.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "store/search.h"

namespace detente::query {

constexpr size_t kMaxSearchBytes = 1024;
constexpr int kMaxSearchWords = 32;
constexpr int kMaxSearchDepth = 20;  // parentheses and NOTs in each other

// INVALID_ARGUMENT with a violation of `field` says what is wrong, and at which byte.
absl::StatusOr<store::SearchNode> ParseSearch(absl::string_view text,
                                              absl::string_view field = "query");

}  // namespace detente::query
