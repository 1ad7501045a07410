#include "values/wildcard.h"

#include <cstring>

#include "absl/strings/match.h"

namespace detente::values {
namespace {

// One character of a pattern, or a wildcard; and how many bytes it takes.
struct Piece {
  bool any = false;
  char literal = 0;
  size_t size = 1;
};

Piece PieceAt(absl::string_view pattern, size_t at) {
  if (pattern[at] == '*') return {true, 0, 1};
  if (pattern[at] == '\\' && at + 1 < pattern.size()) return {false, pattern[at + 1], 2};
  return {false, pattern[at], 1};
}

// What stands from `at` up to the next wildcard, where `at` then is. `unescaped` holds it where it
// is not a piece of the pattern.
absl::string_view LiteralAt(absl::string_view pattern, size_t* at, std::string* unescaped) {
  const absl::string_view plain = pattern.substr(*at, pattern.find_first_of("*\\", *at) - *at);
  *at += plain.size();
  if (*at == pattern.size() || pattern[*at] == '*') return plain;
  unescaped->assign(plain.data(), plain.size());
  while (*at < pattern.size()) {
    const Piece piece = PieceAt(pattern, *at);
    if (piece.any) break;
    unescaped->push_back(piece.literal);
    *at += piece.size;
  }
  return *unescaped;
}

}  // namespace

bool HasWildcard(absl::string_view pattern) {
  for (size_t i = 0; i < pattern.size();) {
    const Piece piece = PieceAt(pattern, i);
    if (piece.any) return true;
    i += piece.size;
  }
  return false;
}

bool MatchesWildcard(absl::string_view pattern, absl::string_view text) {
  // What stands between two wildcards is best found as early as it can be. Never quadratic: a
  // pattern of thousands of bytes may be held against a text of half a megabyte.
  std::string unescaped;
  size_t p = 0;
  for (bool first = true;; first = false) {
    const absl::string_view literal = LiteralAt(pattern, &p, &unescaped);
    const bool last = p == pattern.size();
    if (literal.size() > text.size()) return false;
    if (first && last) return text == literal;
    if (first) {
      if (!absl::StartsWith(text, literal)) return false;
      text.remove_prefix(literal.size());
    } else if (last) {
      return absl::EndsWith(text, literal);
    } else if (!literal.empty()) {
      const void* found = memmem(text.data(), text.size(), literal.data(), literal.size());
      if (found == nullptr) return false;
      text.remove_prefix(static_cast<size_t>(static_cast<const char*>(found) - text.data()) +
                         literal.size());
    }
    ++p;  // the wildcard
  }
}

std::string WildcardPrefix(absl::string_view pattern) {
  std::string prefix;
  for (size_t i = 0; i < pattern.size();) {
    const Piece piece = PieceAt(pattern, i);
    if (piece.any) break;
    prefix.push_back(piece.literal);
    i += piece.size;
  }
  return prefix;
}

}  // namespace detente::values
