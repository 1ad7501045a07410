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

// How a folded word sounds, roughly, so that spellings of one name in several scripts and by
// several rules agree: Бяляцкі, Беляцкий, Bialiatski and Belyatsky. Empty for words that are too
// short to tell, or have digits.
std::string SoundOf(absl::string_view folded);

// Changes with the rules above, and with ICU's.
std::string WordsVersion();

}  // namespace detente::values
