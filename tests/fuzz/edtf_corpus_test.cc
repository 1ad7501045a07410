// What the fuzzer checks, over its corpus and over damaged texts, so that every build does.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "edtf_check.h"
#include "values/edtf.h"

namespace detente::values {
namespace {

std::vector<std::string> Corpus() {
  std::vector<std::string> texts;
  for (const auto& entry : std::filesystem::directory_iterator(DETENTE_EDTF_CORPUS)) {
    std::ifstream file(entry.path(), std::ios::binary);
    texts.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

TEST(EdtfCorpus, HoldsForEveryFile) {
  const std::vector<std::string> texts = Corpus();
  EXPECT_GE(texts.size(), 50U);
  for (const std::string& text : texts) EXPECT_EQ(CheckEdtf(text), "") << text;
}

TEST(EdtfCorpus, HoldsForDamagedTexts) {
  constexpr absl::string_view kBytes("0123456789-/.,:+?~%XYESTZ[]{} ax\0\xff", 34);
  const std::vector<std::string> texts = Corpus();
  std::mt19937 random(20251213);
  int read = 0;
  for (int round = 0; round < 200'000; ++round) {
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
    ASSERT_EQ(CheckEdtf(text), "") << text;
    read += ParseEdtf(text).ok() ? 1 : 0;
  }
  EXPECT_GT(read, 20'000);
}

}  // namespace
}  // namespace detente::values
