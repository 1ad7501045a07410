#include "access/actor.h"

#include "error/error.h"
#include "gtest/gtest.h"

namespace detente::access {
namespace {

TEST(ActorTest, AnyTextComesBack) {
  for (const char* actor : {"", "ada@example.org", "Алесь Б.", "100 %", "%41", "a\nb", "𝒜 ",
                            "\xed\x9f\xbf \xee\x80\x80 \xf4\x8f\xbf\xbf"}) {
    const std::string encoded = EncodeActor(actor);
    for (const char c : encoded) EXPECT_TRUE(c > 0x20 && c < 0x7f) << encoded;
    const auto decoded = DecodeActor(encoded);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, actor);
  }
  EXPECT_EQ(EncodeActor("Ada Ł."), "Ada%20%C5%81.");
}

TEST(ActorTest, DigitsOfEitherCase) { EXPECT_EQ(*DecodeActor("%c5%81%C5%81"), "ŁŁ"); }

TEST(ActorTest, WhatIsNoEncodingIsRefused) {
  for (const char* encoded : {"%", "%4", "a%", "%zz", "%4x", "%x4", "100 %"}) {
    const auto decoded = DecodeActor(encoded);
    EXPECT_EQ(ReasonOf(decoded.status()), v1::INVALID_FIELD) << encoded;
  }
}

TEST(ActorTest, WhatIsNoUtf8IsRefused) {
  for (const char* bytes :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc5", "\xe2\x82", "\xc5\x61"}) {
    EXPECT_EQ(CheckActor(bytes).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ReasonOf(DecodeActor(EncodeActor(bytes)).status()), v1::INVALID_FIELD);
  }
}

TEST(ActorTest, LongOnesAreRefused) {
  EXPECT_TRUE(CheckActor(std::string(256, 'a')).ok());
  EXPECT_EQ(ReasonOf(CheckActor(std::string(257, 'a'))), v1::LIMIT_EXCEEDED);
  // Each character takes three bytes in the encoding, and one in the count.
  EXPECT_TRUE(DecodeActor(EncodeActor(std::string(256, ' '))).ok());
}

}  // namespace
}  // namespace detente::access
