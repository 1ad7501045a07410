#include "values/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

namespace detente::values {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Folded(absl::string_view text) {
  std::vector<std::string> folded;
  for (Word& word : WordsOf(text)) folded.push_back(std::move(word.folded));
  return folded;
}

std::string Sound(absl::string_view name) {
  const std::vector<Word> words = WordsOf(name);
  return words.size() == 1 ? SoundOf(words[0].folded)
                           : absl::StrCat("not one word, but ", words.size());
}

TEST(Words, AreRunsOfLettersAndDigits) {
  EXPECT_THAT(Folded("The 1st man's  e-mail,\n(2025-12)"),
              ElementsAre("the", "1st", "man", "e", "mail", "2025", "12"));
  EXPECT_THAT(Folded("under_score"), ElementsAre("under", "score"));
  EXPECT_THAT(Folded(""), IsEmpty());
  EXPECT_THAT(Folded(" — … «»!\t"), IsEmpty());
}

TEST(Words, SayWhereTheyStand) {
  const std::string text = "Ад Бяляцкага: “свабода”!";
  std::vector<std::string> found;
  for (const Word& word : WordsOf(text)) {
    found.push_back(text.substr(word.begin, word.end - word.begin));
  }
  EXPECT_THAT(found, ElementsAre("Ад", "Бяляцкага", "свабода"));
}

TEST(Words, FoldLettersOfManyKinds) {
  struct Case {
    absl::string_view text;
    absl::string_view folded;
  };
  constexpr Case kCases[] = {
      {"Straße", "strasse"},
      {"ISTANBUL", "istanbul"},
      {"ısı", "isi"},
      {"İzmir", "izmir"},
      {"Łódź", "lodz"},
      {"Øre", "ore"},
      {"Æsop", "aesop"},
      {"Kavaliou", "kavaliou"},
      {"Kavalioŭ", "kavaliou"},
      {"Ковалёв", "kovalev"},
      {"Кавалёў", "kavaleu"},
      {"Жодино", "zhodino"},
      {"ЖОДИНО", "zhodino"},
      {"Щука", "shchuka"},
      {"объезд", "obezd"},
      {"Київ", "kiyiv"},
      {"Ґанок", "ganok"},
      {"Αθήνα", "athena"},
      {"ﬁne", "fine"},
      {"x²", "x2"},
      {"Ｆｕｌｌ", "full"},
      {"e\u0301te\u0301", "ete"},
      {"café", "cafe"},
      {"Tiếng", "tieng"},
      {"محمد", "mhmd"},
      {"٣٤", "34"},
      {"д", "d"},
  };
  for (const Case& c : kCases) EXPECT_THAT(Folded(c.text), ElementsAre(c.folded)) << c.text;
}

TEST(Words, OneWordWithAnApostropheThatIsALetters) {
  EXPECT_THAT(Folded("Мар'я Мар’я Марʼя Мар`я"), ElementsAre("marya", "marya", "marya", "marya"));
  EXPECT_THAT(Folded("Tat'iana Mar’ina Sa‘id Xi'an"),
              ElementsAre("tatiana", "marina", "said", "xian"));
  EXPECT_THAT(Folded("O'Test OʼTest d’Arc Minsk's Minsk'"),
              ElementsAre("o", "test", "o", "test", "d", "arc", "minsk", "minsk"));
  EXPECT_THAT(Folded("Test's, TEST’S 's a's b'st c'sé"),
              ElementsAre("test", "test", "s", "a", "b", "st", "c", "se"));
  EXPECT_THAT(Folded("ab'вг вг'ab"), ElementsAre("ab", "vg", "vg", "ab"));
  EXPECT_THAT(Folded("'Марыя' 'і' д''Арк"), ElementsAre("maryya", "i", "d", "ark"));
  EXPECT_THAT(Folded("Марыя'x"), ElementsAre("maryya", "x"));
  EXPECT_THAT(Folded("l'homme"), ElementsAre("l", "homme"));
}

TEST(Words, InvisibleCharactersAreNothingInThem) {
  EXPECT_THAT(Folded("Bialia\u00adtski"), ElementsAre("bialiatski"));
  EXPECT_THAT(Folded("\u200eMinsk\u200f"), ElementsAre("minsk"));
  EXPECT_THAT(Folded("a\u200bb"), ElementsAre("a", "b"));
  EXPECT_THAT(Folded("\u0301"), IsEmpty());
}

TEST(Words, OfScriptsWithoutSpacesAreCharacters) {
  EXPECT_THAT(Folded("白俄罗斯"), ElementsAre("bai", "e", "luo", "si"));
  EXPECT_EQ(WordsOf("ภาษาไทย").size(), 7);
  EXPECT_EQ(WordsOf("ミンスク").size(), 4);
  EXPECT_THAT(Folded("abc白d"), ElementsAre("abc", "bai", "d"));
}

TEST(Words, BytesThatAreNoUtf8SeparateThem) {
  EXPECT_THAT(Folded("ab\xff"
                     "cd\xd0"),
              ElementsAre("ab", "cd"));
  EXPECT_THAT(Folded("\xed\xa0\x80"
                     "a"),
              ElementsAre("a"));
  EXPECT_THAT(Folded(absl::string_view("a\0b", 3)), ElementsAre("a", "b"));
}

// Whatever the text: never a space, an upper-case letter or an empty word.
TEST(Words, AreSafeForAnyCharacter) {
  std::string text;
  for (int c = 1; c < 0x20000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    text.clear();
    if (c < 0x80) {
      text.push_back(static_cast<char>(c));
    } else if (c < 0x800) {
      text = {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 63))};
    } else if (c < 0x10000) {
      text = {static_cast<char>(0xE0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 63)),
              static_cast<char>(0x80 | (c & 63))};
    } else {
      text = {static_cast<char>(0xF0 | (c >> 18)), static_cast<char>(0x80 | ((c >> 12) & 63)),
              static_cast<char>(0x80 | ((c >> 6) & 63)), static_cast<char>(0x80 | (c & 63))};
    }
    for (const Word& word : WordsOf(text)) {
      ASSERT_FALSE(word.folded.empty()) << std::hex << c;
      ASSERT_EQ(word.begin, 0);
      ASSERT_EQ(word.end, text.size());
      for (const char byte : word.folded) {
        const bool ok = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
                        (static_cast<unsigned char>(byte) >= 0x80);
        ASSERT_TRUE(ok) << std::hex << c << " is " << word.folded;
      }
    }
  }
}

TEST(Words, LongOnesAreCut) {
  EXPECT_EQ(WordsOf(std::string(1000, 'a')).size(), 10);
  std::string cyrillic;
  for (int i = 0; i < 200'000; ++i) absl::StrAppend(&cyrillic, "ы");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(WordsOf(cyrillic).size(), 2000);
  std::string marks = "a";
  for (int i = 0; i < 200'000; ++i) absl::StrAppend(&marks, "\u0301");
  EXPECT_EQ(WordsOf(marks).size(), 1);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(Words, AreTheSameInAllThreads) {
  const std::string text = "Бяляцкі і Калеснікава, Αθήνα, 白俄, محمد";
  const std::vector<std::string> expected = Folded(text);
  std::vector<std::vector<std::string>> folded(4);
  std::vector<std::thread> threads;
  for (auto& mine : folded) threads.emplace_back([&] { mine = Folded(text); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : folded) EXPECT_EQ(mine, expected);
}

TEST(Words, OfArabicAndHebrewAreTheSameWithoutVowelSigns) {
  EXPECT_EQ(Folded("مُحَمَّد"), Folded("محمد"));
  EXPECT_EQ(Folded("محـــمد"), Folded("محمد"));
  EXPECT_EQ(Folded("أحمد"), Folded("احمد"));
  EXPECT_EQ(Folded("שָׁלוֹם"), Folded("שלום"));
  EXPECT_THAT(Folded("й"), ElementsAre("y"));
}

TEST(Sounds, OfWordsThatStandTogetherAreJoinedToo) {
  const auto joined = [](absl::string_view text) {
    std::vector<std::string> all;
    for (const Word& word : JoinedNames(text, WordsOf(text))) all.push_back(word.folded);
    return all;
  };
  EXPECT_THAT(joined("测试名"), ElementsAre("ce", "shiming"));
  EXPECT_THAT(joined("测试"), ElementsAre("ceshi"));
  EXPECT_THAT(joined("测"), ElementsAre("ce"));
  EXPECT_THAT(joined("测 试名 Test テス"), ElementsAre("ce", "shiming", "test", "te", "su"));
  EXPECT_THAT(joined("Jean-Test O'Test Test—Test Tat'iana"),
              ElementsAre("jeantest", "otest", "test", "test", "tatiana"));
  const auto sounds = [](absl::string_view text) {
    std::vector<std::string> all;
    const auto words = WordsOf(text);
    for (size_t i = 0; i < words.size(); ++i) {
      for (std::string& sound : SoundsAt(text, words, i)) all.push_back(std::move(sound));
    }
    return all;
  };
  EXPECT_THAT(sounds("测试名 Test"),
              ElementsAre(SoundOrWord("ce"), SoundOrWord("ceshi"), SoundOrWord("ceshiming"),
                          SoundOrWord("shi"), SoundOrWord("shiming"), SoundOrWord("ming"),
                          SoundOrWord("test")));
  EXPECT_THAT(sounds("A-b-c-d"),
              ElementsAre("a", "ab", "abc", "b", "bc", SoundOrWord("bcd"), "c", "cd", "d"));
  EXPECT_THAT(sounds("a b"), ElementsAre("a", "b"));
}

TEST(Sounds, OfShortWordsAndOthersAreEmpty) {
  for (const absl::string_view word : {"", "kim", "abc1", "1234", "б", "aaaa", "yeye"}) {
    EXPECT_EQ(SoundOf(word), "") << word;
  }
}

// Spellings of one name; the families differ from each other.
TEST(Sounds, SpellingsOfANameAgree) {
  const std::vector<std::vector<absl::string_view>> families = {
      {"Бяляцкі", "Беляцкий", "Bjaljazki", "Bialiatski", "Bialacki", "Belyatsky", "Byalyatski",
       "Belyatskiy"},
      {"Лукашенко", "Лукашэнка", "Lukashenko", "Lukashenka", "Łukaszenka", "Lukašenka",
       "Lukaschenko"},
      {"Калеснікава", "Колесникова", "Kalesnikava", "Kolesnikova", "Kolesnikowa"},
      {"Ціханоўскі", "Тихановский", "Tsikhanouski", "Tikhanovsky", "Tikhanovskiy", "Ціханоўская",
       "Тихановская", "Tsikhanouskaya", "Cichanoŭskaja", "Tichanowskaja"},
      {"Зельцер", "Zeltser", "Zeltzer", "Zelcer"},
      {"Бабарыка", "Бабарико", "Babaryka", "Babariko"},
      {"Сяргей", "Сергей", "Siarhei", "Sergei", "Sergey", "Siarhiej"},
      {"Аляксандр", "Александр", "Aliaksandr", "Aleksandr", "Alexander", "Alaksandar"},
      {"Назир", "Nazir", "Nazeer"},
      {"Віктар", "Виктор", "Viktar", "Viktor", "Victor", "Wiktor"},
      {"Андрэй", "Андрей", "Andrei", "Andrzej", "Andrej"},
      {"Уладзімір", "Владимир", "Uladzimir", "Vladimir", "Wladimir"},
      {"Чайкоўскі", "Чайковский", "Chaikovsky", "Tschaikowski", "Tchaikovski", "Czajkowski"},
      {"Калиновский", "Каліноўскі", "Kalinouski", "Kalinovsky"},
  };
  std::vector<std::string> sounds;
  for (const auto& family : families) {
    const std::string first = Sound(family[0]);
    EXPECT_NE(first, "");
    for (const absl::string_view name : family) EXPECT_EQ(Sound(name), first) << name;
    EXPECT_EQ(absl::AsciiStrToLower(first), first) << "the index would take two sounds for one";
    EXPECT_THAT(sounds, ::testing::Not(::testing::Contains(first))) << family[0];
    sounds.push_back(first);
  }
}

TEST(Sounds, DifferentNamesDiffer) {
  EXPECT_NE(Sound("Bialiatski"), Sound("Baliuski"));
  EXPECT_NE(Sound("Kavaliou"), Sound("Kavalenka"));
  EXPECT_NE(Sound("Ivanov"), Sound("Ivan"));
  EXPECT_NE(Sound("Viktar"), Sound("Viktoria"));
  EXPECT_NE(Sound("Chernov"), Sound("Khernov"));
}

TEST(Words, VersionNamesIcu) { EXPECT_THAT(WordsVersion(), ::testing::HasSubstr("ICU ")); }

}  // namespace
}  // namespace detente::values
