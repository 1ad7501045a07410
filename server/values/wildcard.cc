#include "values/wildcard.h"

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
  // After a mismatch only the last wildcard can take more.
  size_t p = 0, t = 0;
  size_t after_any = absl::string_view::npos, taken = 0;
  while (t < text.size()) {
    if (p < pattern.size()) {
      const Piece piece = PieceAt(pattern, p);
      if (piece.any) {
        after_any = p += piece.size;
        taken = t;
        continue;
      }
      if (piece.literal == text[t]) {
        p += piece.size;
        ++t;
        continue;
      }
    }
    if (after_any == absl::string_view::npos) return false;
    p = after_any;
    t = ++taken;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
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
