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

// Letters that stand for one sound in some spelling: the longest come first. Sounds are in lower
// case, as the store's index folds them: c is ц and ч, which Latin letters don't tell apart.
struct Spelling {
  absl::string_view letters;
  absl::string_view sound;
};
constexpr Spelling kSpellings[] = {
    {"shch", "s"}, {"szcz", "s"}, {"tsch", "c"}, {"sch", "s"}, {"tch", "c"}, {"sh", "s"},
    {"sz", "s"},   {"ss", "s"},   {"zh", "z"},   {"dz", "d"},  {"ts", "c"},  {"tz", "c"},
    {"ch", "c"},   {"cz", "c"},   {"ck", "k"},   {"kh", "h"},  {"gh", "h"},  {"th", "t"},
    {"ph", "f"},   {"ct", "kt"},  {"cl", "kl"},  {"cr", "kr"}, {"g", "h"},   {"w", "v"},
    {"c", "c"},    {"q", "k"},    {"x", "ks"},
};

bool IsVowel(char c) { return absl::StrContains("aeiouyj", c); }
// Before these a Belarusian т is a ц.
bool IsFront(char c) { return absl::StrContains("eijy", c); }

// Spelt as in Łacinka, Polish, Czech or German, where ch is the kh of others: with w or j, or a c
// that is not of ch or ck.
bool HasBareC(absl::string_view folded) {
  for (size_t i = 0; i < folded.size(); ++i) {
    if (absl::StrContains("wj", folded[i])) return true;
    const char next = i + 1 < folded.size() ? folded[i + 1] : 0;
    const char last = i > 0 ? folded[i - 1] : 0;
    // tsch and tch have none either.
    if (folded[i] == 'c' && next != 'h' && next != 'k' && next != 't' && last != 's') return true;
  }
  return false;
}

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
  const bool ch_is_kh = HasBareC(folded);
  for (size_t i = 0; i < folded.size();) {
    const absl::string_view rest = folded.substr(i);
    // Uladzimir, Uladzislau: Vladimir, Vladislav.
    if (i == 0 && absl::StartsWith(rest, "ula")) {
      add('v');
      ++i;
      continue;
    }
    if (IsVowel(rest[0])) {
      size_t size = 1;
      while (size < rest.size() && IsVowel(rest[size])) ++size;
      // Aleksandr, Alexander, Alaksandar; Nazir, Nazeer. Not of what would have no sound.
      if (size <= 2 && rest.substr(size) == "r" && sound.size() + 1 >= kMinSounds) {
        i += size;
        continue;
      }
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
    // Andrzej, as Andrei.
    if (absl::StartsWith(rest, "rze")) {
      add('r');
      i += 2;
      continue;
    }
    if (ch_is_kh && absl::StartsWith(rest, "ch")) {
      add('h');
      i += 2;
      continue;
    }
    // Bjaljazki, as Bialiatski.
    if (rest.size() > 2 && rest[0] == 'z' && rest[1] == 'k' && i > 0 && IsVowel(folded[i - 1]) &&
        std::all_of(rest.begin() + 2, rest.end(), IsVowel)) {
      add('c');
      ++i;
      continue;
    }
    // Bialacki, as Bialiatski.
    if (rest[0] == 'c' && rest.size() > 2 && rest[1] == 'k' && IsVowel(rest[2]) &&
        std::all_of(rest.begin() + 2, rest.end(), IsVowel)) {
      add('c');
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
    const bool soft = found->sound == "c" && i < folded.size() && IsFront(folded[i]);
    if (soft) {
      add('t');
    } else {
      for (const char c : found->sound) add(c);
    }
  }
  return sound.size() < kMinSounds ? "" : sound;
}

}  // namespace detente::values
