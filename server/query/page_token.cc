#include "query/page_token.h"

#include "absl/strings/str_cat.h"
#include "error/error.h"
#include "query/seal.h"
#include "values/sha256.h"

namespace detente::query {
namespace {

constexpr size_t kHashBytes = 16;
constexpr size_t kMaxTokenText = 1024;

// projection, revision, hash of the arguments, last
constexpr size_t kFixedBytes = 1 + 8 + kHashBytes;
constexpr absl::string_view kRemedy =
    "pass `next_page_token` on as it came, or start again without it";

absl::Status Invalid(absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, v1::INVALID_PAGE_TOKEN, why);
}

}  // namespace

std::string HashArguments(absl::string_view method, absl::string_view arguments) {
  const absl::string_view end("", 1);
  return values::Sha256Bytes(absl::StrCat(method, end, arguments)).substr(0, kHashBytes);
}

std::string SealPageToken(const PageToken& token, absl::string_view arguments_hash,
                          absl::string_view key, absl::Time now) {
  std::string bytes;
  bytes.push_back(static_cast<char>(token.view.projection));
  PutInt64(bytes, token.view.revision);
  bytes.append(arguments_hash.data(), arguments_hash.size());
  bytes += token.last;
  return Seal(Sealed::kPageToken, bytes, key, now);
}

absl::StatusOr<PageToken> OpenPageToken(absl::string_view text, absl::string_view arguments_hash,
                                        absl::string_view key, absl::Time now) {
  if (text.size() > kMaxTokenText) return Invalid("page_token: longer than any page token");
  auto opened = Unseal(Sealed::kPageToken, text, key, now, "page_token", kRemedy);
  if (!opened.ok()) return opened.status();
  const absl::string_view content = *opened;
  if (content.size() < kFixedBytes) return Invalid("page_token: not a page token");
  if (content.substr(9, kHashBytes) != arguments_hash) {
    return Invalid("page_token: belongs to a call with other arguments; only page_size may change");
  }
  PageToken token;
  token.view.projection = static_cast<store::Projection>(content[0]);
  token.view.revision = GetInt64(content.substr(1));
  token.last = std::string(content.substr(kFixedBytes));
  return token;
}

}  // namespace detente::query
