// What the fuzzers check, over their corpora and over damaged texts, so that every build does.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "edtf_check.h"
#include "filter_check.h"
#include "query/filter.h"
#include "values/edtf.h"

namespace detente {
namespace {

struct Target {
  const char* name;
  absl::string_view bytes;  // that damaged texts get
  int rounds;
  int read;  // of the damaged texts, so many at least are still right
  std::string (*check)(absl::string_view);
  bool (*reads)(absl::string_view);
};

constexpr Target kTargets[] = {
    {.name = "edtf",
     .bytes = {"0123456789-/.,:+?~%XYESTZ[]{} ax\0\xff", 34},
     .rounds = 200'000,
     .read = 20'000,
     .check = values::CheckEdtf,
     .reads = [](absl::string_view text) { return values::ParseEdtf(text).ok(); }},
    {.name = "filter",
     .bytes = {"019-/.,:=!<>*\\\"'() aANDORT\n\0\xff", 29},
     .rounds = 50'000,
     .read = 10'000,
     .check = query::CheckFilter,
     .reads = [](absl::string_view text) { return query::SyntaxTree(text).ok(); }},
};

void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

class CorpusTest : public testing::TestWithParam<Target> {
 protected:
  CorpusTest() {
    const std::filesystem::path folder(DETENTE_CORPUS);
    for (const auto& entry : std::filesystem::directory_iterator(folder / GetParam().name)) {
      std::ifstream file(entry.path(), std::ios::binary);
      texts_.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    std::sort(texts_.begin(), texts_.end());
  }

  std::vector<std::string> texts_;
};

TEST_P(CorpusTest, HoldsForEveryFile) {
  EXPECT_GE(texts_.size(), 50U);
  for (const std::string& text : texts_) EXPECT_EQ(GetParam().check(text), "") << text;
}

TEST_P(CorpusTest, HoldsForDamagedTexts) {
  const Target& target = GetParam();
  std::mt19937 random(20251213);
  int read = 0;
  for (int round = 0; round < target.rounds; ++round) {
    std::string text = texts_[random() % texts_.size()];
    for (unsigned damage = 0; damage < 1 + round % 3U; ++damage) {
      const size_t at = random() % (text.size() + 1);
      switch (random() % 4) {
        case 0:
          if (at < text.size()) text.erase(at, 1);
          break;
        case 1:
          text.insert(at, 1, target.bytes[random() % target.bytes.size()]);
          break;
        case 2:
          if (at < text.size()) text[at] = target.bytes[random() % target.bytes.size()];
          break;
        default:  // the head of one and the tail of another
          const std::string& other = texts_[random() % texts_.size()];
          text = text.substr(0, at) + other.substr(random() % (other.size() + 1));
      }
    }
    ASSERT_EQ(target.check(text), "") << text;
    read += target.reads(text) ? 1 : 0;
  }
  EXPECT_GT(read, target.read);
}

INSTANTIATE_TEST_SUITE_P(Targets, CorpusTest, testing::ValuesIn(kTargets),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace detente
