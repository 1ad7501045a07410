#include "query/page_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/escaping.h"
#include "server/engine/testing.h"

namespace detente::query {
namespace {

const std::string kKey(32, 'k');
const absl::Time kNow = absl::FromUnixSeconds(1'765'600'000);
const std::string kHash = HashArguments("ListReleases", "arguments");

std::string Sealed(const std::string& last = "by-2025-12-13", store::Revision revision = 42) {
  return SealPageToken({{revision}, last}, kHash, kKey, kNow);
}

TEST(PageTokenTest, ComesBack) {
  for (const std::string& last : {std::string(), std::string("a"), std::string(63, 'z'),
                                  std::string("9223372036854775807")}) {
    for (store::Revision revision : {int64_t{0}, int64_t{1}, INT64_MAX}) {
      auto token = OpenPageToken(Sealed(last, revision), kHash, kKey, kNow);
      ASSERT_OK(token);
      EXPECT_EQ(token->last, last);
      EXPECT_EQ(token->view.revision, revision);
      EXPECT_EQ(token->view.projection, store::Projection::kFull);
    }
  }
}

TEST(PageTokenTest, IsOpaqueAndSafeInUrls) {
  const std::string text = Sealed();
  EXPECT_EQ(
      text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
      std::string::npos);
}

TEST(PageTokenTest, EveryByteCounts) {
  std::string bytes;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(Sealed(), &bytes));
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      EXPECT_FAILS(OpenPageToken(absl::WebSafeBase64Escape(changed), kHash, kKey, kNow),
                   kInvalidArgument, INVALID_PAGE_TOKEN);
    }
  }
}

// The text has one form only: no byte of it may be changed, left away or added.
TEST(PageTokenTest, EveryCharacterCounts) {
  for (const std::string& text : {Sealed("a"), Sealed("ab"), Sealed("abc")}) {
    for (size_t i = 0; i < text.size(); ++i) {
      for (int c = 0; c < 256; ++c) {
        if (text[i] == static_cast<char>(c)) continue;
        std::string changed = text;
        changed[i] = static_cast<char>(c);
        EXPECT_FALSE(OpenPageToken(changed, kHash, kKey, kNow).ok()) << i << " " << c;
      }
      EXPECT_FALSE(OpenPageToken(text.substr(0, i), kHash, kKey, kNow).ok());
    }
    for (const char* added : {"A", "=", "==", " ", "\n", "AAAA"}) {
      EXPECT_FALSE(OpenPageToken(text + added, kHash, kKey, kNow).ok()) << added;
      EXPECT_FALSE(OpenPageToken(added + text, kHash, kKey, kNow).ok()) << added;
    }
  }
}

TEST(PageTokenTest, ExpiresAfterThreeDays) {
  EXPECT_TRUE(OpenPageToken(Sealed(), kHash, kKey, kNow + absl::Hours(72) - absl::Seconds(1)).ok());
  EXPECT_FAILS(OpenPageToken(Sealed(), kHash, kKey, kNow + absl::Hours(72)), kInvalidArgument,
               PAGE_TOKEN_EXPIRED);
}

TEST(PageTokenTest, BelongsToItsArgumentsAndItsStore) {
  EXPECT_FAILS(OpenPageToken(Sealed(), HashArguments("ListReleases", "other"), kKey, kNow),
               kInvalidArgument, INVALID_PAGE_TOKEN);
  EXPECT_FAILS(OpenPageToken(Sealed(), HashArguments("ListPersons", "arguments"), kKey, kNow),
               kInvalidArgument, INVALID_PAGE_TOKEN);
  EXPECT_FAILS(OpenPageToken(Sealed(), kHash, std::string(32, 'l'), kNow), kInvalidArgument,
               INVALID_PAGE_TOKEN);
  EXPECT_NE(HashArguments("ab", "c"), HashArguments("a", "bc"));
}

TEST(PageTokenTest, Garbage) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 5'000; ++i) {
    std::string text;
    for (uint64_t n = random() % 200; n > 0; --n) text.push_back(static_cast<char>(random()));
    if (i % 2 == 0) text = absl::WebSafeBase64Escape(text);
    EXPECT_FAILS(OpenPageToken(text, kHash, kKey, kNow), kInvalidArgument, INVALID_PAGE_TOKEN);
  }
  EXPECT_FALSE(OpenPageToken(std::string(1 << 20, 'A'), kHash, kKey, kNow).ok());
}

}  // namespace
}  // namespace detente::query
