#include "query/page_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstring>

#include "absl/strings/escaping.h"
#include "error/error.h"

namespace detente::query {
namespace {

constexpr char kVersion = 1;
constexpr size_t kSealBytes = 16;
constexpr size_t kHashBytes = 16;
constexpr size_t kMaxTokenText = 1024;

// version, projection, expiry in seconds, revision, hash of the arguments, last; then the seal.
constexpr size_t kFixedBytes = 1 + 1 + 8 + 8 + kHashBytes;

void PutInt64(std::string& out, int64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

int64_t GetInt64(absl::string_view bytes) {
  uint64_t value = 0;
  for (char c : bytes.substr(0, 8)) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<int64_t>(value);
}

std::string Seal(absl::string_view bytes, absl::string_view key) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest, &size);
  return std::string(reinterpret_cast<char*>(digest), kSealBytes);
}

absl::Status Invalid(absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, v1::INVALID_PAGE_TOKEN, why);
}

}  // namespace

std::string HashArguments(absl::string_view method, absl::string_view arguments) {
  std::string text(method);
  text.push_back('\0');
  text.append(arguments.data(), arguments.size());
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  return std::string(reinterpret_cast<char*>(digest), kHashBytes);
}

std::string SealPageToken(const PageToken& token, absl::string_view arguments_hash,
                          absl::string_view key, absl::Time now) {
  std::string bytes;
  bytes.push_back(kVersion);
  bytes.push_back(static_cast<char>(token.view.projection));
  PutInt64(bytes, absl::ToUnixSeconds(now + kPageTokenLifetime));
  PutInt64(bytes, token.view.revision);
  bytes.append(arguments_hash.data(), arguments_hash.size());
  bytes += token.last;
  bytes += Seal(bytes, key);
  return absl::WebSafeBase64Escape(bytes);
}

absl::StatusOr<PageToken> OpenPageToken(absl::string_view text, absl::string_view arguments_hash,
                                        absl::string_view key, absl::Time now) {
  std::string bytes;
  // The decoder takes spaces and stray bits too; a token has one text.
  if (text.size() > kMaxTokenText || !absl::WebSafeBase64Unescape(text, &bytes) ||
      bytes.size() < kFixedBytes + kSealBytes || absl::WebSafeBase64Escape(bytes) != text) {
    return Invalid("page_token: not a page token; pass `next_page_token` on as it came");
  }
  absl::string_view content(bytes.data(), bytes.size() - kSealBytes);
  std::string seal = Seal(content, key);
  if (CRYPTO_memcmp(seal.data(), bytes.data() + content.size(), kSealBytes) != 0) {
    return Invalid("page_token: not a page token of this store");
  }
  if (content[0] != kVersion) {
    return Invalid("page_token: made by another version of the server; start again without it");
  }
  absl::Time expires = absl::FromUnixSeconds(GetInt64(content.substr(2)));
  if (expires <= now) {
    return Error(absl::StatusCode::kInvalidArgument, v1::PAGE_TOKEN_EXPIRED,
                 "page_token: expired after three days; start again without it",
                 {{"expire_time", absl::FormatTime(expires, absl::UTCTimeZone())}});
  }
  if (content.substr(18, kHashBytes) != arguments_hash) {
    return Invalid("page_token: belongs to a call with other arguments; only page_size may change");
  }
  PageToken token;
  token.view.projection = static_cast<store::Projection>(content[1]);
  token.view.revision = GetInt64(content.substr(10));
  token.last = std::string(content.substr(kFixedBytes));
  return token;
}

}  // namespace detente::query
