#include "query/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "error/error.h"
#include "server/engine/testing.h"

namespace detente::query {
namespace {

using store::SearchNode;
using Kind = SearchNode::Kind;
using ::testing::HasSubstr;

std::string Text(const SearchNode& node) {
  if (node.kind == Kind::kTerm) {
    const std::string words = absl::StrJoin(node.term.words, " ");
    return absl::StrCat(node.term.words.size() > 1 ? absl::StrCat("\"", words, "\"") : words,
                        node.term.prefix ? "*" : "", node.term.sound.empty() ? "" : "~");
  }
  const char* joint = node.kind == Kind::kAnd ? " & " : node.kind == Kind::kOr ? " | " : " - ";
  return absl::StrCat("(",
                      absl::StrJoin(node.children, joint,
                                    [](std::string* out, const SearchNode& child) {
                                      absl::StrAppend(out, Text(child));
                                    }),
                      ")");
}

// `~`: sounds alike are found, too.
std::string Parsed(absl::string_view text) {
  auto parsed = ParseSearch(text);
  return parsed.ok() ? Text(*parsed) : std::string(parsed.status().message());
}

TEST(ParseSearch, WordsAndPhrases) {
  EXPECT_EQ(Parsed("Бяляцкі"), "byalyatski~");
  EXPECT_EQ(Parsed("the 2025"), "(the & 2025)");
  EXPECT_EQ(Parsed("Kales*"), "kales*");
  EXPECT_EQ(Parsed("\"Human  Rights,\""), "\"human rights\"");
  EXPECT_EQ(Parsed("\"human righ\"*"), "\"human righ\"*");
  EXPECT_EQ(Parsed("e-mail"), "(\"e mail\" | email~)");
  EXPECT_EQ(Parsed("test\u00A0AND\u3000word"), "(test~ & word~)");
  EXPECT_EQ(Parsed("\"e-mail\""), "\"e mail\"");
  EXPECT_EQ(Parsed("e-mai*"), "\"e mai\"*");
  EXPECT_EQ(Parsed("小 Xiao გიორგი"), "(xiao & xiao~ & giorgi~)");
  EXPECT_EQ(Parsed("测试名"), "(\"ce shi ming\" | (ce & shiming))");
  EXPECT_EQ(Parsed("a\"b c\"d"), "(a & \"b c\" & d)");
  EXPECT_EQ(Parsed("and or not"), "(and & or & not)");
  EXPECT_EQ(Parsed("Smith & Sons - Minsk ?"), "(smith~ & sons~ & minsk~)");
}

TEST(ParseSearch, Operators) {
  EXPECT_EQ(Parsed("a b OR c d"), "(a & (b | c) & d)");
  EXPECT_EQ(Parsed("a AND b OR c AND d"), "(a & (b | c) & d)");
  EXPECT_EQ(Parsed("a OR (b c)"), "(a | (b & c))");
  EXPECT_EQ(Parsed("((a))"), "a");
  EXPECT_EQ(Parsed("() a (—)"), "a");
  EXPECT_EQ(Parsed("a -b"), "(a - b)");
  EXPECT_EQ(Parsed("-b a NOT c"), "(a - (b | c))");
  EXPECT_EQ(Parsed("a -(b -c)"), "(a - (b - c))");
  EXPECT_EQ(Parsed("a --b"), "(a & b)");
  EXPECT_EQ(Parsed("NOT NOT a"), "a");
  EXPECT_EQ(Parsed("-(-a -b)"), "(a | b)");
  // a, and not (b without c)
  EXPECT_EQ(Parsed("a (-b OR c)"), "(a - (b - c))");
  EXPECT_EQ(Parsed("a (-b OR -c)"), "(a - (b & c))");
}

TEST(ParseSearch, SaysWhatIsWrongAndWhere) {
  struct Case {
    absl::string_view text;
    absl::string_view error;
  };
  constexpr Case kCases[] = {
      {"", "required"},
      {"  ", "a word to look for"},
      {"— !", "a word to look for"},
      {"()", "a word to look for"},
      {"-a", "beside those that"},
      {"a OR -b", "beside those that"},
      {"(a", "byte 1: `(` is not closed"},
      {"a (b (c) d", "byte 3: `(` is not closed"},
      {"a)", "byte 2: `)` closes nothing"},
      {"a \"b", "byte 3: `\"` is not closed"},
      {"a OR", "OR needs a word"},
      {"OR a", "byte 1: OR needs a word"},
      {"a OR OR b", "byte 3: OR needs a word"},
      {"a OR — b", "byte 3: OR needs a word"},
      {"a AND", "byte 3: AND needs a word"},
      {"AND a", "byte 1: AND needs a word"},
      {"a AND AND b", "byte 7: AND needs a word"},
      {"a AND OR b", "byte 7: OR needs a word"},
      {"a (b AND) c", "byte 6: AND needs a word"},
      {"a NOT", "byte 3: NOT needs a word"},
      {"a NOT OR b", "byte 3: NOT needs a word"},
      {"a*b", "byte 2: `*` stands behind"},
      {"\"a* b\"", "byte 3: `*` stands behind"},
      {"*", "byte 1: `*` needs the beginning"},
      {"a **", "byte 3: `*` stands behind"},
  };
  for (const Case& c : kCases) {
    EXPECT_THAT(Parsed(c.text), HasSubstr(std::string(c.error))) << c.text;
    EXPECT_EQ(ParseSearch(c.text).status().code(), absl::StatusCode::kInvalidArgument) << c.text;
  }
}

TEST(ParseSearch, Limits) {
  std::string words;
  for (int i = 0; i < kMaxSearchWords; ++i) absl::StrAppend(&words, " w", i);
  ASSERT_OK(ParseSearch(words));
  EXPECT_FAILS(ParseSearch(words + " more"), kInvalidArgument, LIMIT_EXCEEDED);
  EXPECT_FAILS(ParseSearch("\"" + words + " more\""), kInvalidArgument, LIMIT_EXCEEDED);
  const std::string open(kMaxSearchDepth, '('), close(kMaxSearchDepth, ')');
  ASSERT_OK(ParseSearch(open + "a" + close));
  EXPECT_FAILS(ParseSearch("(" + open + "a" + close + ")"), kInvalidArgument, LIMIT_EXCEEDED);
  EXPECT_FAILS(ParseSearch("a " + std::string(kMaxSearchDepth + 1, '-') + "b"), kInvalidArgument,
               LIMIT_EXCEEDED);
  ASSERT_OK(ParseSearch("a" + std::string(kMaxSearchBytes - 1, ' ')));
  EXPECT_FAILS(ParseSearch("a" + std::string(kMaxSearchBytes, ' ')), kInvalidArgument,
               LIMIT_EXCEEDED);
}

TEST(ParseSearch, AnyBytesAreAnswered) {
  std::mt19937_64 random(5);
  const std::string pieces[] = {"a",  "(", ")",   "\"",   "*", "-",    " ",  "AND ",
                                "OR", " ", "NOT", "\xff", "ж", "\xd0", "白", "\t"};
  int parsed = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string text;
    for (uint64_t n = random() % 14; n > 0; --n) text += pieces[random() % std::size(pieces)];
    auto node = ParseSearch(text);
    parsed += node.ok() ? 1 : 0;
    if (node.ok()) continue;
    ASSERT_EQ(node.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_GT(parsed, 5'000);
}

}  // namespace
}  // namespace detente::query
