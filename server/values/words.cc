#include "values/words.h"

#include <unicode/normalizer2.h>
#include <unicode/translit.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/uscript.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>
#include <unicode/uversion.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace detente::values {
namespace {

// Counts up with the rules of this file and of sound.cc.
constexpr int kRules = 3;

// A longer run without a space is cut here: no name has so many characters, and transliterating
// takes time.
constexpr int kMaxWordCharacters = 100;

// How a character takes part in words.
enum class Part {
  kNone,      // separates them
  kWord,      // a letter or a digit
  kMark,      // belongs to what stands before it
  kAlone,     // a word of its own, with the marks behind it
  kInvisible  // between two letters it is nothing, elsewhere it separates
};

bool IsApostrophe(UChar32 c) {
  switch (c) {
    case '\'':
    case '`':
    case 0x00B4:
    case 0x02BC:
    case 0x2018:
    case 0x2019:
    case 0xFF07:
      return true;
    default:
      return false;
  }
}

bool IsLetter(UChar32 c) { return c >= 0 && u_isalpha(c) != 0; }

Part PartOf(UChar32 c) {
  if (c < 0x80) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ? Part::kWord : Part::kNone;
  }
  if (IsApostrophe(c)) return Part::kNone;  // one of them is a letter to Unicode
  const uint32_t category = U_GET_GC_MASK(c);
  if ((category & U_GC_M_MASK) != 0) return Part::kMark;
  if ((category & (U_GC_L_MASK | U_GC_N_MASK)) != 0) {
    UErrorCode error = U_ZERO_ERROR;
    switch (uscript_getScript(c, &error)) {
      case USCRIPT_HAN:
      case USCRIPT_HIRAGANA:
      case USCRIPT_KATAKANA:
      case USCRIPT_THAI:
      case USCRIPT_LAO:
      case USCRIPT_KHMER:
      case USCRIPT_MYANMAR:
        return Part::kAlone;
      default:
        return Part::kWord;
    }
  }
  // Soft hyphens, joiners, marks of direction; not the space without a width.
  return (category & U_GC_CF_MASK) != 0 && c != 0x200B ? Part::kInvisible : Part::kNone;
}

bool IsCyrillic(UChar32 c) {
  UErrorCode error = U_ZERO_ERROR;
  return uscript_getScript(c, &error) == USCRIPT_CYRILLIC;
}

// Vowels and doublings that Arabic and Hebrew leave away more often than not, hamzas once they are
// taken apart, and what makes words longer.
bool IsLeftAway(char16_t c) {
  return c == 0x0640 || (c >= 0x0591 && c <= 0x06ED && (U_GET_GC_MASK(c) & U_GC_MN_MASK) != 0);
}

// Russian, Belarusian and Ukrainian letters as English writes them (BGN/PCGN, simplified), and not
// by ICU's rules (ISO 9), which nobody types: Жодино is zhodino, not zodino. ё is е, as most
// Russian texts have it; г is g, and sounds tell no g from h.
const char16_t* LatinOf(char16_t c) {
  switch (c) {
    case u'ё':
      return u"e";
    case u'ж':
      return u"zh";
    case u'й':
      return u"y";
    case u'х':
      return u"kh";
    case u'ц':
      return u"ts";
    case u'ч':
      return u"ch";
    case u'ш':
      return u"sh";
    case u'щ':
      return u"shch";
    case u'ъ':
    case u'ь':
      return u"";
    case u'ы':
      return u"y";
    case u'э':
      return u"e";
    case u'ю':
      return u"yu";
    case u'я':
      return u"ya";
    case u'є':
      return u"ye";
    case u'ї':
      return u"yi";
    case u'ґ':
      return u"g";
    case u'ў':
      return u"u";
    default:
      return nullptr;
  }
}

// 0 of what is no UTF-8.
UChar32 CharacterAt(absl::string_view text, size_t at) {
  auto i = static_cast<int64_t>(at);
  UChar32 c = 0;
  // NOLINTNEXTLINE(bugprone-inc-dec-in-conditions): ICU's macro
  U8_NEXT(text.data(), i, static_cast<int64_t>(text.size()), c);
  return std::max<UChar32>(c, 0);
}

// Whether two words are often written as one: Jean-Pierre, O'Brien, 小明.
bool BelongTogether(absl::string_view text, const Word& word, const Word& next) {
  if (word.end == next.begin) return IsHan(text, word) && IsHan(text, next);
  const UChar32 c = CharacterAt(text, word.end);
  const bool hyphen = c == '-' || c == 0x2010 || c == 0x2011;
  return (hyphen || IsApostrophe(c)) && word.end + U8_LENGTH(c) == next.begin;
}

// One for each thread: ICU's transliterators are no good for several.
class Folder {
 public:
  Folder() {
    UErrorCode error = U_ZERO_ERROR;
    casefold_ = icu::Normalizer2::getNFKCCasefoldInstance(error);
    apart_ = icu::Normalizer2::getNFDInstance(error);
    UParseError where;
    latin_.reset(icu::Transliterator::createInstance(
        "Any-Latin; NFD; [:M:] Remove; NFC; Latin-ASCII", UTRANS_FORWARD, where, error));
    // Without ICU's data words are folded as far as bytes go.
    if (U_FAILURE(error) != 0) latin_.reset();
  }

  // Empty where nothing is left.
  std::string Fold(absl::string_view word) {
    const std::string key(word);
    if (const auto known = cache_.find(key); known != cache_.end()) return known->second;
    std::string folded = Compute(word);
    if (cache_.size() >= kMaxCached) cache_.clear();
    cache_.emplace(key, folded);
    return folded;
  }

 private:
  static constexpr size_t kMaxCached = 8192;

  std::string Compute(absl::string_view word) const {
    UErrorCode error = U_ZERO_ERROR;
    icu::UnicodeString text = icu::UnicodeString::fromUTF8(
        icu::StringPiece(word.data(), static_cast<int32_t>(word.size())));
    if (casefold_ != nullptr) text = casefold_->normalize(text, error);
    // Not Cyrillic letters, which are й and ё, nor Hangul.
    const bool semitic = text.length() > 0 && text[0] >= 0x0590 && text[0] <= 0x06FF;
    if (semitic && apart_ != nullptr) text = apart_->normalize(text, error);
    icu::UnicodeString latin;
    for (int32_t i = 0; i < text.length(); ++i) {
      if (semitic && IsLeftAway(text[i])) continue;
      const char16_t* as = LatinOf(text[i]);
      as != nullptr ? latin.append(as) : latin.append(text[i]);
    }
    if (latin_ != nullptr) latin_->transliterate(latin);
    std::string folded = Kept(latin.toLower());
    return folded.empty() ? Kept(text) : folded;
  }

  // Without what is neither a letter nor a digit: apostrophes for soft signs, tones, spaces.
  static std::string Kept(const icu::UnicodeString& text) {
    icu::UnicodeString kept;
    for (int32_t i = 0; i < text.length();) {
      const UChar32 c = text.char32At(i);
      i += U16_LENGTH(c);
      const bool modifier = c >= 0x02B0 && c <= 0x02FF;
      if (!modifier && (U_GET_GC_MASK(c) & (U_GC_L_MASK | U_GC_N_MASK)) != 0) kept.append(c);
    }
    std::string bytes;
    kept.toUTF8String(bytes);
    return bytes;
  }

  const icu::Normalizer2* casefold_ = nullptr;
  const icu::Normalizer2* apart_ = nullptr;
  std::unique_ptr<icu::Transliterator> latin_;
  std::unordered_map<std::string, std::string> cache_;
};

constexpr size_t kMaxJoined = 3;  // words that stand together in a name

// Whether a text begins with an s that is the last letter of a word.
bool EndsInS(absl::string_view text) {
  if (text.empty() || (text[0] != 's' && text[0] != 'S')) return false;
  if (text.size() == 1) return true;
  const Part next = PartOf(CharacterAt(text, 1));
  return next == Part::kNone || next == Part::kAlone;
}

// Whether two letters follow in a text.
bool LettersFollow(absl::string_view text, int64_t i) {
  const auto size = static_cast<int64_t>(text.size());
  for (int count = 0; count < 2; ++count) {
    if (i >= size) return false;
    UChar32 c = 0;
    U8_NEXT(text.data(), i, size, c);  // NOLINT(bugprone-inc-dec-in-conditions): ICU's macro
    if (!IsLetter(c)) return false;
  }
  return true;
}

std::string Fold(absl::string_view word, bool ascii) {
  if (ascii) return absl::AsciiStrToLower(word);
  thread_local Folder folder;
  return folder.Fold(word);
}

}  // namespace

std::vector<Word> WordsOf(absl::string_view text) {
  std::vector<Word> words;
  const auto size = static_cast<int64_t>(text.size());
  int64_t begin = -1;  // of the word that goes on; -1 = none does
  int64_t end = 0;     // behind its last letter, digit or mark
  int characters = 0;
  bool ascii = true;
  bool alone = false;       // nothing but marks goes on with it
  bool cyrillic = false;    // its last letter is
  bool apostrophe = false;  // stands behind that
  const auto finish = [&] {
    if (begin < 0) return;
    const auto from = static_cast<size_t>(std::exchange(begin, -1));
    const auto to = static_cast<size_t>(end);
    std::string folded = Fold(text.substr(from, to - from), ascii);
    if (!folded.empty()) words.push_back({std::move(folded), from, to});
  };

  for (int64_t i = 0; i < size;) {
    const int64_t at = i;
    UChar32 c = static_cast<unsigned char>(text[static_cast<size_t>(i)]);
    if (c < 0x80) {
      ++i;
    } else {
      U8_NEXT(text.data(), i, size, c);  // NOLINT(bugprone-inc-dec-in-conditions): ICU's macro
    }
    const Part part = c < 0 ? Part::kNone : PartOf(c);
    // Minsk's is Minsk.
    if (part == Part::kNone && begin >= 0 && end == at && IsApostrophe(c) &&
        EndsInS(text.substr(static_cast<size_t>(i)))) {
      finish();
      ++i;
      continue;
    }
    // Мар'я is one word, where a vowel begins with a y, and so is Tat'iana, of a soft sign.
    // O'Brien and l'homme are two.
    if (part == Part::kNone && begin >= 0 && end == at && IsApostrophe(c) &&
        (cyrillic || (characters > 1 && !alone && LettersFollow(text, i)))) {
      apostrophe = true;
      continue;
    }
    if (part == Part::kNone) {
      finish();
      continue;
    }
    if (part == Part::kInvisible) continue;
    const bool cyrillic_letter = c >= 0x80 && part == Part::kWord && IsCyrillic(c);
    if (begin >= 0 &&
        (characters >= kMaxWordCharacters || (apostrophe && cyrillic != cyrillic_letter) ||
         (part != Part::kMark && (alone || part == Part::kAlone)))) {
      finish();
    }
    apostrophe = false;
    if (begin < 0) {
      if (part == Part::kMark) continue;  // of nothing
      begin = at;
      characters = 0;
      ascii = true;
      alone = part == Part::kAlone;
    }
    if (part != Part::kMark) cyrillic = cyrillic_letter;
    ascii = ascii && c < 0x80 && (characters == 0 || end == at);
    ++characters;
    end = i;
  }
  finish();
  return words;
}

bool IsHan(absl::string_view text, const Word& word) {
  UErrorCode error = U_ZERO_ERROR;
  return uscript_getScript(CharacterAt(text, word.begin), &error) == USCRIPT_HAN;
}

std::vector<Word> JoinedNames(absl::string_view text, const std::vector<Word>& words) {
  std::vector<Word> joined;
  for (size_t first = 0; first < words.size();) {
    size_t end = first + 1;
    while (end < words.size() && BelongTogether(text, words[end - 1], words[end])) ++end;
    // In Chinese a family name has one character as a rule, and a name by itself two.
    const bool family = end - first > 2 && words[first].end == words[first + 1].begin;
    if (family) joined.push_back(words[first++]);
    Word& name = joined.emplace_back(words[first]);
    while (++first < end) {
      name.folded += words[first].folded;
      name.end = words[first].end;
    }
  }
  return joined;
}

std::vector<std::string> SoundsAt(absl::string_view text, const std::vector<Word>& words,
                                  size_t at) {
  std::string name = words[at].folded;
  std::vector<std::string> sounds = {SoundOrWord(name)};
  const size_t end = std::min(words.size(), at + kMaxJoined);
  for (size_t i = at + 1; i < end && BelongTogether(text, words[i - 1], words[i]); ++i) {
    name += words[i].folded;
    sounds.push_back(SoundOrWord(name));
  }
  return sounds;
}

std::string SoundOrWord(absl::string_view folded) {
  std::string sound = SoundOf(folded);
  return sound.empty() ? std::string(folded) : sound;
}

std::string WordsVersion() {
  UVersionInfo icu;
  u_getVersion(icu);
  return absl::StrCat("words ", kRules, ", ICU ", icu[0], ".", icu[1]);
}

}  // namespace detente::values
