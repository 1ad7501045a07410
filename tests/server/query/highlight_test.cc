#include "query/highlight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/release.pb.h"
#include "query/search.h"
#include "server/engine/testing.h"

namespace detente::query {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Proto;

// "path: text with [what matched]".
std::vector<std::string> Shown(const google::protobuf::Message& record, absl::string_view query) {
  std::vector<std::string> shown;
  for (const Highlight& highlight : HighlightsOf(record, *ParseSearch(query))) {
    std::string text = highlight.path + ": ";
    for (const Highlight::Part& part : highlight.parts) {
      absl::StrAppend(&text, part.matched ? "[" : "", part.text, part.matched ? "]" : "");
    }
    shown.push_back(std::move(text));
  }
  return shown;
}

TEST(Highlights, ShowNamesByWordAndSound) {
  const auto person = Proto<v1::Person>(
      "display_name: 'Test Person Bialiatski' "
      "names { id: 'be' full: 'Тэст Бяляцкі' family: 'Бяляцкі' } note: 'Spelled Belyatsky, too.' "
      "occupations: 'baker' occupations: 'tester of Bialiatski'");
  EXPECT_THAT(Shown(person, "Беляцкий"),
              ElementsAre("display_name: Test Person [Bialiatski]",
                          "names[\"be\"].full: Тэст [Бяляцкі]", "names[\"be\"].family: [Бяляцкі]"));
  EXPECT_THAT(
      Shown(person, "Bialiatski -nobody"),
      ElementsAre("display_name: Test Person [Bialiatski]", "names[\"be\"].full: Тэст [Бяляцкі]",
                  "names[\"be\"].family: [Бяляцкі]", "occupations: tester of [Bialiatski]"));
  EXPECT_THAT(
      Shown(person, "spel* OR \"tester of\""),
      ElementsAre("note: [Spelled] Belyatsky, too.", "occupations: [tester of] Bialiatski"));
  EXPECT_THAT(Shown(person, "\"of tester\""), IsEmpty());
}

TEST(Highlights, AreASnippetAroundTheFirstMatch) {
  std::string note;
  for (int i = 0; i < 200; ++i) absl::StrAppend(&note, "слово", i, " ");
  v1::Person person;
  person.set_note(note);
  const auto highlights = HighlightsOf(person, *ParseSearch("слово100 слово101 слово150"));
  ASSERT_EQ(highlights.size(), 1);
  std::string whole;
  int matched = 0;
  for (const auto& part : highlights[0].parts) {
    whole += part.text;
    matched += part.matched ? 1 : 0;
  }
  EXPECT_THAT(note, HasSubstr(whole));
  EXPECT_EQ(matched, 2);
  EXPECT_THAT(whole, ::testing::StartsWith("слово9"));
  EXPECT_LE(whole.size(), kSnippetCharacters * 2);
  EXPECT_GE(whole.size(), kSnippetCharacters);
}

TEST(Highlights, AreFewAndSmall) {
  v1::Person person;
  for (int i = 0; i < 20; ++i) person.add_occupations(absl::StrCat("tester ", i));
  EXPECT_EQ(HighlightsOf(person, *ParseSearch("tester")).size(), kMaxHighlights);
  // Words far apart in a phrase.
  person.clear_occupations();
  person.add_occupations(absl::StrCat("a", std::string(5'000, '.'), "b"));
  EXPECT_THAT(Shown(person, "\"a b\""), IsEmpty());
  EXPECT_EQ(Shown(person, "a").size(), 1);
}

TEST(Highlights, PathsOfElementsAndMaps) {
  auto release = Proto<v1::Release>(
      "display_name: 'r' labels { key: 'case' value: 'word' } "
      "citations { id: 'c' source: 'sources/word' paraphrase: 'a word' } participants { id: 'word' "
      "}");
  EXPECT_THAT(Shown(release, "word"),
              ::testing::UnorderedElementsAre("labels[\"case\"]: [word]",
                                              "citations[\"c\"].paraphrase: a [word]"));
}

}  // namespace
}  // namespace detente::query
