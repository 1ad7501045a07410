// Words of texts in any script, so that they can be found: folded to lower-case Latin letters and
// digits where ICU knows how, and as they sound.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace detente::values {

struct Word {
  std::string folded;  // "bialiatski"; never empty, no spaces
  size_t begin = 0;    // where it stands in the text, in bytes
  size_t end = 0;
};

// The words of a text: runs of letters, marks and digits (Unicode); of scripts that put no spaces
// between words, each character. Folded: NFKC, lower case, transliterated to Latin letters, without
// diacritics. Never fails: bytes that are no UTF-8 separate words.
std::vector<Word> WordsOf(absl::string_view text);

// Whether it is Chinese, or begins so: folded it is Pinyin without tones.
bool IsHan(absl::string_view text, const Word& word);

// How a folded word sounds, roughly, so that spellings of one name in several scripts and by
// several rules agree: Бяляцкі, Беляцкий, Bialiatski and Belyatsky. Empty for words that are too
// short to tell, or have digits.
std::string SoundOf(absl::string_view folded);

// The sound, or the word where it has none.
std::string SoundOrWord(absl::string_view folded);

// Of a word of a name; and of it joined with one and with two behind it where they stand together,
// as others write them: jean, and jeanpierre of Jean-Pierre; xiao, and xiaoming of 小明.
std::vector<std::string> SoundsAt(absl::string_view text, const std::vector<Word>& words,
                                  size_t at);

// The words of a text with those joined that stand together; of Chinese characters, all but the
// first, which is the family's name: jeanpierre, wang xiaoming.
std::vector<Word> JoinedNames(absl::string_view text, const std::vector<Word>& words);

// Changes with the rules above, and with ICU's.
std::string WordsVersion();

}  // namespace detente::values
