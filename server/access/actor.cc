#include "access/actor.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "error/error.h"

namespace detente::access {
namespace {

// How many bytes the first character takes; 0 = it is not UTF-8 (RFC 3629).
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

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t size = CharacterSize(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

int Digit(char c) {
  if (absl::ascii_isdigit(c)) return c - '0';
  return absl::ascii_isxdigit(c) ? absl::ascii_tolower(c) - 'a' + 10 : -1;
}

}  // namespace

absl::Status CheckActor(absl::string_view actor, absl::string_view field) {
  if (actor.size() > kMaxActorBytes) {
    return InvalidFields({{std::string(field),
                           absl::StrCat("at most ", kMaxActorBytes, " bytes, got ", actor.size())}},
                         v1::LIMIT_EXCEEDED);
  }
  if (!IsUtf8(actor)) return InvalidField(field, "is not UTF-8");
  return absl::OkStatus();
}

std::string EncodeActor(absl::string_view actor) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : actor) {
    if (absl::ascii_isgraph(c) && c != '%') {
      encoded += c;
    } else {
      const auto byte = static_cast<uint8_t>(c);
      encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return encoded;
}

absl::StatusOr<std::string> DecodeActor(absl::string_view encoded) {
  std::string actor;
  for (size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] != '%') {
      actor += encoded[i];
      continue;
    }
    const int high = i + 2 < encoded.size() ? Digit(encoded[i + 1]) : -1;
    const int low = high < 0 ? -1 : Digit(encoded[i + 2]);
    if (low < 0) {
      return InvalidField(kActorMetadata,
                          absl::StrCat("two hexadecimal digits expected behind the % at byte ", i));
    }
    actor += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (absl::Status status = CheckActor(actor, kActorMetadata); !status.ok()) return status;
  return actor;
}

}  // namespace detente::access
