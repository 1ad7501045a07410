#include "store/sqlite/text_finder.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"

namespace detente::store {
namespace {

TEST(TextFinderTest, FindsWhatASearchForEachFinds) {
  std::mt19937 random(7);
  auto text = [&](size_t most) {
    std::string made(random() % (most + 1), ' ');
    for (char& c : made) c = "abé\0"[random() % 5];
    return made;
  };
  int found = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::string> texts;
    for (size_t i = random() % 4; i > 0; --i) texts.push_back("a" + text(8));
    const std::string bytes = text(24);
    bool expected = false;
    for (const std::string& one : texts) expected |= absl::StrContains(bytes, one);
    ASSERT_EQ(TextFinder(texts).FindsIn(bytes), expected);
    found += expected ? 1 : 0;
  }
  EXPECT_GT(found, 1'000);
}

}  // namespace
}  // namespace detente::store
