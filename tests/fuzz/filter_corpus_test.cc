// What the fuzzer checks, over its corpus and over damaged texts, so that every build does.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "filter_check.h"
#include "query/filter.h"

namespace detente::query {
namespace {

std::vector<std::string> Corpus() {
  std::vector<std::string> texts;
  for (const auto& entry : std::filesystem::directory_iterator(DETENTE_FILTER_CORPUS)) {
    std::ifstream file(entry.path(), std::ios::binary);
    texts.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

TEST(FilterCorpus, HoldsForEveryFile) {
  const std::vector<std::string> texts = Corpus();
  EXPECT_GE(texts.size(), 50U);
  for (const std::string& text : texts) EXPECT_EQ(CheckFilter(text), "") << text;
}

TEST(FilterCorpus, HoldsForDamagedTexts) {
  constexpr absl::string_view kBytes("019-/.,:=!<>*\\\"'() aANDORT\n\0\xff", 29);
  const std::vector<std::string> texts = Corpus();
  std::mt19937 random(20251213);
  int read = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string text = texts[random() % texts.size()];
    for (unsigned damage = 0; damage < 1 + round % 3U; ++damage) {
      const size_t at = random() % (text.size() + 1);
      switch (random() % 4) {
        case 0:
          if (at < text.size()) text.erase(at, 1);
          break;
        case 1:
          text.insert(at, 1, kBytes[random() % kBytes.size()]);
          break;
        case 2:
          if (at < text.size()) text[at] = kBytes[random() % kBytes.size()];
          break;
        default:  // the head of one and the tail of another
          const std::string& other = texts[random() % texts.size()];
          text = text.substr(0, at) + other.substr(random() % (other.size() + 1));
      }
    }
    ASSERT_EQ(CheckFilter(text), "") << text;
    read += SyntaxTree(text).ok() ? 1 : 0;
  }
  EXPECT_GT(read, 10'000);
}

}  // namespace
}  // namespace detente::query
