#include "access/actor.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "error/error.h"
#include "values/utf8.h"

namespace detente::access {
namespace {

using values::CharacterSize;

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
