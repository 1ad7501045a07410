#include "values/words.h"

#include "absl/strings/ascii.h"

namespace detente::values {

std::vector<Word> WordsOf(absl::string_view text) {
  std::vector<Word> words;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!absl::ascii_isalnum(text[i])) continue;
    size_t end = i;
    while (end < text.size() && absl::ascii_isalnum(text[end])) ++end;
    words.push_back({absl::AsciiStrToLower(text.substr(i, end - i)), i, end});
    i = end;
  }
  return words;
}

std::string SoundOf(absl::string_view) { return ""; }

std::string WordsVersion() { return "ascii"; }

}  // namespace detente::values
