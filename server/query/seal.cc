#include "query/seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "error/error.h"

namespace detente::query {
namespace {

constexpr size_t kSealBytes = 16;
constexpr size_t kStartBytes = 1 + 8;  // what it is for, expiry in seconds

std::string Hmac(absl::string_view bytes, absl::string_view key) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest, &size);
  return std::string(reinterpret_cast<char*>(digest), kSealBytes);
}

}  // namespace

void PutInt64(std::string& out, int64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

int64_t GetInt64(absl::string_view bytes) {
  uint64_t value = 0;
  for (char c : bytes.substr(0, 8)) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<int64_t>(value);
}

std::string Seal(Sealed what, absl::string_view content, absl::string_view key, absl::Time now) {
  std::string bytes(1, static_cast<char>(what));
  PutInt64(bytes, absl::ToUnixSeconds(now + kSealLifetime));
  bytes.append(content.data(), content.size());
  bytes += Hmac(bytes, key);
  return absl::WebSafeBase64Escape(bytes);
}

absl::StatusOr<std::string> Unseal(Sealed what, absl::string_view text, absl::string_view key,
                                   absl::Time now, absl::string_view field,
                                   absl::string_view remedy) {
  auto invalid = [&](absl::string_view why) {
    return Error(absl::StatusCode::kInvalidArgument, v1::INVALID_PAGE_TOKEN,
                 absl::StrCat(field, ": ", why, "; ", remedy));
  };
  std::string bytes;
  // The decoder takes spaces and stray bits too; a token has one text.
  if (!absl::WebSafeBase64Unescape(text, &bytes) || bytes.size() < kStartBytes + kSealBytes ||
      absl::WebSafeBase64Escape(bytes) != text) {
    return invalid("not what the server gave");
  }
  const absl::string_view sealed(bytes.data(), bytes.size() - kSealBytes);
  const std::string seal = Hmac(sealed, key);
  if (CRYPTO_memcmp(seal.data(), bytes.data() + sealed.size(), kSealBytes) != 0) {
    return invalid("not made by this store");
  }
  if (sealed[0] != static_cast<char>(what)) {
    return invalid("made for something else, or by another version of the server");
  }
  const absl::Time expires = absl::FromUnixSeconds(GetInt64(sealed.substr(1)));
  if (expires <= now) {
    return Error(absl::StatusCode::kInvalidArgument, v1::PAGE_TOKEN_EXPIRED,
                 absl::StrCat(field, ": expired after three days; ", remedy),
                 {{"expire_time", absl::FormatTime(expires, absl::UTCTimeZone())}});
  }
  return std::string(sealed.substr(kStartBytes));
}

}  // namespace detente::query
