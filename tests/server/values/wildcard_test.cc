#include "values/wildcard.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace detente::values {
namespace {

// What a pattern means, character by character.
bool Means(absl::string_view pattern, absl::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return Means(pattern.substr(1), text) || (!text.empty() && Means(pattern, text.substr(1)));
  }
  if (pattern[0] == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
  return !text.empty() && text[0] == pattern[0] && Means(pattern.substr(1), text.substr(1));
}

TEST(WildcardTest, RandomPatternsCharacterByCharacter) {
  std::mt19937 random(7);
  auto pick = [&](absl::string_view from, int most) {
    std::string out;
    for (int left = static_cast<int>(random() % (most + 1)); left > 0; --left) {
      out.push_back(from[random() % from.size()]);
    }
    return out;
  };
  int matches = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string pattern = pick("ab**\\", 7);
    const std::string text = pick("aab*\\", 7);
    const bool expected = Means(pattern, text);
    matches += expected ? 1 : 0;
    ASSERT_EQ(MatchesWildcard(pattern, text), expected) << pattern << " of " << text;
  }
  EXPECT_GT(matches, 5'000);
}

TEST(WildcardTest, ALongPatternOfALongTextIsNotQuadratic) {
  const std::string text(500'000, 'a');
  const absl::Time start = absl::Now();
  EXPECT_FALSE(MatchesWildcard("*" + std::string(8'000, 'a') + "b*", text));
  EXPECT_FALSE(MatchesWildcard("*" + std::string(200, 'a') + "b", text));
  EXPECT_TRUE(MatchesWildcard("*" + std::string(8'000, 'a') + "*\\a", text));
  EXPECT_LT(absl::Now() - start, absl::Seconds(2));  // seconds, many, where it is
}

}  // namespace
}  // namespace detente::values
