#include "values/utf8.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace detente::values {

size_t CharacterSize(absl::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((static_cast<uint8_t>(text[i]) & 0xc0) != 0x80) return 0;
  }
  const auto second = static_cast<uint8_t>(text[1]);
  const bool shortest = (first != 0xe0 || second >= 0xa0) && (first != 0xf0 || second >= 0x90);
  const bool scalar = (first != 0xed || second < 0xa0) && (first != 0xf4 || second < 0x90);
  return shortest && scalar ? size : 0;
}

size_t SpaceSize(absl::string_view text) {
  static constexpr absl::string_view kSpaces[] = {
      "\u0085", "\u00A0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
      "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200A",
      "\u200B", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000", "\uFEFF"};
  if (text.empty()) return 0;
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return first == ' ' || (first >= '\t' && first <= '\r') ? 1 : 0;
  for (const absl::string_view space : kSpaces) {
    if (absl::StartsWith(text, space)) return space.size();
  }
  return 0;
}

std::string Readable(absl::string_view text, size_t max_bytes) {
  std::string out;
  while (!text.empty() && out.size() < max_bytes) {
    const size_t size = CharacterSize(text);
    absl::StrAppend(&out, size == 0 ? "\uFFFD" : text.substr(0, size));
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  if (!text.empty()) absl::StrAppend(&out, "…");
  return out;
}

}  // namespace detente::values
