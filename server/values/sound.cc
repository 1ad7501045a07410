#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "values/words.h"

namespace detente::values {
namespace {

constexpr size_t kMinLetters = 4;
constexpr size_t kMinSounds = 3;

// Letters that stand for one sound in some spelling: the longest come first. Upper case is a class
// of its own: T for ц and ч, which Latin letters don't tell apart.
struct Spelling {
  absl::string_view letters;
  absl::string_view sound;
};
constexpr Spelling kSpellings[] = {
    {"shch", "s"}, {"szcz", "s"}, {"tsch", "T"}, {"sch", "s"}, {"tch", "T"}, {"sh", "s"},
    {"sz", "s"},   {"ss", "s"},   {"zh", "z"},   {"dz", "d"},  {"ts", "T"},  {"tz", "T"},
    {"ch", "T"},   {"cz", "T"},   {"ck", "k"},   {"kh", "h"},  {"gh", "h"},  {"th", "t"},
    {"ph", "f"},   {"g", "h"},    {"w", "v"},    {"c", "T"},   {"q", "k"},   {"x", "ks"},
};

bool IsVowel(char c) { return absl::StrContains("aeiouyj", c); }
// Before these a Belarusian т is a ц.
bool IsFront(char c) { return absl::StrContains("eijy", c); }

}  // namespace

std::string SoundOf(absl::string_view folded) {
  if (folded.size() < kMinLetters) return "";
  if (!std::all_of(folded.begin(), folded.end(), [](char c) { return c >= 'a' && c <= 'z'; })) {
    return "";
  }
  std::string sound;
  const auto add = [&](char c) {
    if (sound.empty() || sound.back() != c) sound.push_back(c);
  };
  for (size_t i = 0; i < folded.size();) {
    const absl::string_view rest = folded.substr(i);
    if (IsVowel(rest[0])) {
      // Aleksandr, Alexander.
      if (i > 0 && rest == "er" && !IsVowel(folded[i - 1])) {
        ++i;
        continue;
      }
      size_t size = 1;
      while (size < rest.size() && IsVowel(rest[size])) ++size;
      // The ў of Kavaliou, Yauhen, Salauyova: a v.
      add('a');
      for (size_t at = 1; at < size; ++at) {
        if (rest[at] != 'u') {
          add('a');
        } else if (absl::StrContains("aeo", rest[at - 1])) {
          add('v');
        }
      }
      i += size;
      continue;
    }
    // Ščukino, without its diacritics.
    if (rest.size() > 2 && rest[0] == 's' && rest[1] == 'c' && absl::StrContains("eiuy", rest[2])) {
      add('s');
      i += 2;
      continue;
    }
    // Bialacki, as Bialiatski.
    if (rest[0] == 'c' && rest.size() > 2 && rest[1] == 'k' && IsVowel(rest[2]) &&
        std::all_of(rest.begin() + 2, rest.end(), IsVowel)) {
      add('T');
      ++i;
      continue;
    }
    const auto* found =
        std::find_if(std::begin(kSpellings), std::end(kSpellings),
                     [&](const Spelling& s) { return absl::StartsWith(rest, s.letters); });
    if (found == std::end(kSpellings)) {
      add(rest[0]);
      ++i;
      continue;
    }
    i += found->letters.size();
    const bool soft = found->sound == "T" && i < folded.size() && IsFront(folded[i]);
    if (soft) {
      add('t');
    } else {
      for (const char c : found->sound) add(c);
    }
  }
  return sound.size() < kMinSounds ? "" : sound;
}

}  // namespace detente::values
