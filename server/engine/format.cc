#include "engine/format.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace detente::engine {
namespace {

bool AllOf(absl::string_view text, bool (*test)(unsigned char)) {
  for (unsigned char c : text) {
    if (!test(c)) return false;
  }
  return true;
}

}  // namespace

const char* Misfit(Format format, absl::string_view text) {
  switch (format) {
    case Format::kAny:
      return nullptr;
    case Format::kRegion:
      return text.size() == 2 && AllOf(text, absl::ascii_isupper)
                 ? nullptr
                 : "a country of ISO 3166-1 alpha-2 expected (`BY`)";
    case Format::kSubdivision:
      return text.size() >= 4 && text.size() <= 6 && text[2] == '-' &&
                     AllOf(text.substr(0, 2), absl::ascii_isupper) &&
                     AllOf(text.substr(3), absl::ascii_isalnum)
                 ? nullptr
                 : "a subdivision of ISO 3166-2 expected (`BY-HM`)";
    case Format::kLanguage: {
      bool fits = text.size() <= 64;
      bool first = true;
      for (absl::string_view part : absl::StrSplit(text, '-')) {
        fits &= !part.empty() && part.size() <= 8 && AllOf(part, absl::ascii_isalnum) &&
                (!first || (part.size() >= 2 && AllOf(part, absl::ascii_isalpha)));
        first = false;
      }
      return fits ? nullptr : "a language tag of BCP 47 expected (`be`, `zh-Hant`)";
    }
    case Format::kScript:
      return text.size() == 4 && absl::ascii_isupper(text[0]) &&
                     AllOf(text.substr(1), absl::ascii_islower)
                 ? nullptr
                 : "a script of ISO 15924 expected (`Cyrl`)";
    case Format::kCurrency:
      return text.size() == 3 && AllOf(text, absl::ascii_isupper)
                 ? nullptr
                 : "a currency of ISO 4217 expected (`USD`)";
    case Format::kUrl:
      return absl::StartsWith(text, "https://") || absl::StartsWith(text, "http://")
                 ? nullptr
                 : "a URL expected that begins with https:// or http://";
    case Format::kSha256:
      return text.size() == 64 && AllOf(text, absl::ascii_isxdigit)
                 ? nullptr
                 : "64 hexadecimal digits expected";
  }
  return nullptr;
}

}  // namespace detente::engine
