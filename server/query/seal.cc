#include "query/seal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "error/error.h"

namespace detente::query {
namespace {

constexpr size_t kSealBytes = 16;
constexpr size_t kStartBytes = 1 + 8;  // what it is for, expiry in seconds

// HMAC-SHA256 with the key that was used last: OpenSSL 3 takes ten times as long to look up what it
// is made of as to make one.
class Hmac {
 public:
  Hmac() = default;
  ~Hmac() { EVP_MAC_CTX_free(context_); }
  Hmac(const Hmac&) = delete;

  std::string Of(absl::string_view bytes, absl::string_view key) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t size = 0;
    const bool made = Start(key) &&
                      EVP_MAC_update(context_, reinterpret_cast<const unsigned char*>(bytes.data()),
                                     bytes.size()) == 1 &&
                      EVP_MAC_final(context_, digest, &size, sizeof digest) == 1;
    if (!made) std::abort();  // no memory, or an OpenSSL without SHA-256
    return std::string(reinterpret_cast<char*>(digest), kSealBytes);
  }

 private:
  bool Start(absl::string_view key) {
    if (context_ != nullptr && key == key_) {
      return EVP_MAC_init(context_, nullptr, 0, nullptr) == 1;
    }
    static EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    if (context_ == nullptr) context_ = EVP_MAC_CTX_new(hmac);
    key_ = std::string(key);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    return context_ != nullptr &&
           EVP_MAC_init(context_, reinterpret_cast<const unsigned char*>(key_.data()), key_.size(),
                        parameters) == 1;
  }

  EVP_MAC_CTX* context_ = nullptr;
  std::string key_;
};

std::string HmacOf(absl::string_view bytes, absl::string_view key) {
  thread_local Hmac hmac;
  return hmac.Of(bytes, key);
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
  bytes += HmacOf(bytes, key);
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
  const std::string seal = HmacOf(sealed, key);
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
