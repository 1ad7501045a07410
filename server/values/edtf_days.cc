#include "values/edtf_days.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

namespace detente::values {
namespace {

constexpr int kMonthBits = 16;

// Beyond all years that a text can name, and far from overflow.
constexpr int64_t kFarYear = 20'000'000'000'000'000;

using Digits = std::array<int, 4>;

Digits DigitsOf(int64_t magnitude) {
  Digits digits{};
  for (size_t i = digits.size(); i-- > 0; magnitude /= 10) {
    digits[i] = static_cast<int>(magnitude % 10);
  }
  return digits;
}

// The least digit that may stand at `at`, or the greatest.
int Least(const EdtfPart& part, const Digits& written, size_t at) {
  return (part.year_any >> (3 - at) & 1) != 0 ? 0 : written[at];
}
int Greatest(const EdtfPart& part, const Digits& written, size_t at) {
  return (part.year_any >> (3 - at) & 1) != 0 ? 9 : written[at];
}

// The nearest number without sign that fits the digits and is `wanted` or above (step 1), or below
// (step -1). One that is not `wanted` shares its first digits, moves one, and has the rest at the
// end it came from; the more it shares, the nearer it is.
std::optional<int64_t> Magnitude(const EdtfPart& part, int64_t wanted, int step) {
  if (step > 0 ? wanted > 9999 : wanted < 0) return std::nullopt;
  const Digits written = DigitsOf(part.year < 0 ? -part.year : part.year);
  const Digits target = DigitsOf(std::clamp<int64_t>(wanted, 0, 9999));
  size_t shared = 0;
  while (shared < 4 && target[shared] >= Least(part, written, shared) &&
         target[shared] <= Greatest(part, written, shared)) {
    ++shared;
  }
  Digits digits = target;
  for (size_t moved = shared; shared < 4; --moved) {
    const int least = Least(part, written, moved);
    const int greatest = Greatest(part, written, moved);
    const int next =
        step > 0 ? std::max(least, target[moved] + 1) : std::min(greatest, target[moved] - 1);
    if (next >= least && next <= greatest) {
      digits[moved] = next;
      for (size_t i = moved + 1; i < 4; ++i) {
        digits[i] = step > 0 ? Least(part, written, i) : Greatest(part, written, i);
      }
      break;
    }
    if (moved == 0) return std::nullopt;
  }
  int64_t magnitude = 0;
  for (const int digit : digits) magnitude = magnitude * 10 + digit;
  return magnitude;
}

struct YearMonth {
  int64_t year;
  int month;
};

YearMonth MonthOf(int64_t year, int bit) {
  if (bit == 0) return {.year = year - 1, .month = 12};
  if (bit > 12) return {.year = year + 1, .month = bit - 12};
  return {.year = year, .month = bit};
}

bool Has(const EdtfPart& part, int bit) { return (part.months >> bit & 1) != 0; }

bool HasYear(const EdtfPart& part, int64_t year) { return YearAtOrAfter(part, year) == year; }

Reading Whole(CivilDate first, CivilDate last) {
  return {.first = first, .last = last, .core_first = first, .core_last = last};
}

CivilDate FirstOf(YearMonth month) { return {.year = month.year, .month = month.month, .day = 1}; }

CivilDate LastOf(YearMonth month) {
  return {.year = month.year, .month = month.month, .day = DaysInMonth(month.year, month.month)};
}

// The part of `year` whose months have `bit` among them. Seasons are four months.
Reading PartOfYear(const EdtfPart& part, int64_t year, int bit) {
  int first = bit;
  while (first > 0 && Has(part, first - 1)) --first;
  int last = bit;
  while (last + 1 < kMonthBits && Has(part, last + 1)) ++last;
  const bool season = part.month_text < std::array{'3', '3'};
  const int shared = season ? 1 : 0;
  return {.first = FirstOf(MonthOf(year, first)),
          .last = LastOf(MonthOf(year, last)),
          .core_first = FirstOf(MonthOf(year, first + shared)),
          .core_last = LastOf(MonthOf(year, last - shared))};
}

Reading ReadingWith(const EdtfPart& part, CivilDate day, bool first) {
  switch (part.unit) {
    case EdtfPart::Unit::kDay:
      return Whole(day, day);
    case EdtfPart::Unit::kMonth: {
      const YearMonth month{.year = day.year, .month = day.month};
      return Whole(FirstOf(month), LastOf(month));
    }
    case EdtfPart::Unit::kYear:
      return Whole({.year = day.year, .month = 1, .day = 1},
                   {.year = day.year, .month = 12, .day = 31});
    case EdtfPart::Unit::kDecade:
    case EdtfPart::Unit::kCentury:
      break;
    case EdtfPart::Unit::kPartOfYear:
      for (const int shift : {first ? -1 : 1, 0, first ? 1 : -1}) {
        const int64_t year = day.year + shift;
        const int bit = day.month - 12 * shift;
        if (bit >= 0 && bit < kMonthBits && Has(part, bit) && HasYear(part, year)) {
          return PartOfYear(part, year, bit);
        }
      }
      break;
  }
  return Whole({.year = part.year_first, .month = 1, .day = 1},
               {.year = part.year_last, .month = 12, .day = 31});
}

bool CanBeLeap(const EdtfPart& part) {
  for (std::optional<int64_t> year = part.year_first; year; year = YearAtOrAfter(part, *year + 1)) {
    if (IsLeap(*year)) return true;
  }
  return false;
}

}  // namespace

uint16_t MonthsOfPart(int code) {
  // December is of the turn of the year before or after.
  constexpr int kSpring = 0x0078;  // months 3..6
  constexpr int kSummer = 0x03C0;
  constexpr int kAutumn = 0x1E00;
  constexpr int kWinter = 0xF00F;
  constexpr std::array<int, 4> kNorth = {kSpring, kSummer, kAutumn, kWinter};
  constexpr std::array<int, 4> kSouth = {kAutumn, kWinter, kSpring, kSummer};
  const auto months = [](int first, int count) { return ((1 << count) - 1) << first; };
  const auto season = [](const std::array<int, 4>& seasons, int index) {
    return seasons[static_cast<size_t>(index)];
  };
  int bits = 0;
  if (code <= 24) {
    bits = season(kNorth, code - 21) | season(kSouth, code - 21);
  } else if (code <= 28) {
    bits = season(kNorth, code - 25);
  } else if (code <= 32) {
    bits = season(kSouth, code - 29);
  } else if (code <= 36) {
    bits = months((code - 33) * 3 + 1, 3);
  } else if (code <= 39) {
    bits = months((code - 37) * 4 + 1, 4);
  } else {
    bits = months((code - 40) * 6 + 1, 6);
  }
  return static_cast<uint16_t>(bits);
}

int LastDay(const EdtfPart& part) {
  constexpr int kOf31 = 0x15AA;
  constexpr int kOf30 = 0x0A50;
  if ((part.months & kOf31) != 0) return 31;
  if ((part.months & kOf30) != 0) return 30;
  return CanBeLeap(part) ? 29 : 28;
}

std::optional<int64_t> YearAtOrAfter(const EdtfPart& part, int64_t year) {
  if (part.year_any == 0) {
    if (year > part.year_last) return std::nullopt;
    return std::max(year, part.year_first);
  }
  if (!part.negative) return Magnitude(part, year, 1);
  const std::optional<int64_t> magnitude = Magnitude(part, std::min<int64_t>(-year, 9999), -1);
  if (!magnitude || *magnitude == 0) return std::nullopt;
  return -*magnitude;
}

std::optional<int64_t> YearAtOrBefore(const EdtfPart& part, int64_t year) {
  if (part.year_any == 0) {
    if (year < part.year_first) return std::nullopt;
    return std::min(year, part.year_last);
  }
  if (!part.negative) return Magnitude(part, std::min<int64_t>(year, 9999), -1);
  const std::optional<int64_t> magnitude = Magnitude(part, std::max<int64_t>(-year, 1), 1);
  if (!magnitude) return std::nullopt;
  return -*magnitude;
}

bool PartAdmits(const EdtfPart& part, CivilDate day) {
  if ((part.days >> day.day & 1) == 0 || day.year < -kFarYear || day.year > kFarYear) return false;
  for (const int shift : {0, -1, 1}) {
    const int bit = day.month - 12 * shift;
    if (bit < 0 || bit >= kMonthBits || !Has(part, bit)) continue;
    if (HasYear(part, day.year + shift)) return true;
  }
  return false;
}

std::optional<CivilDate> FirstOnOrAfter(const EdtfPart& part, CivilDate day) {
  day.year = std::max(day.year, -kFarYear);
  for (std::optional<int64_t> year = YearAtOrAfter(part, day.year - 1); year;
       year = YearAtOrAfter(part, *year + 1)) {
    for (int bit = 0; bit < kMonthBits; ++bit) {
      if (!Has(part, bit)) continue;
      const YearMonth month = MonthOf(*year, bit);
      const CivilDate last = LastOf(month);
      if (last < day) continue;
      for (CivilDate date = FirstOf(month); date.day <= last.day; ++date.day) {
        if ((part.days >> date.day & 1) != 0 && date >= day) return date;
      }
    }
  }
  return std::nullopt;
}

std::optional<CivilDate> LastOnOrBefore(const EdtfPart& part, CivilDate day) {
  day.year = std::min(day.year, kFarYear);
  for (std::optional<int64_t> year = YearAtOrBefore(part, day.year + 1); year;
       year = YearAtOrBefore(part, *year - 1)) {
    for (int bit = kMonthBits - 1; bit >= 0; --bit) {
      if (!Has(part, bit)) continue;
      const YearMonth month = MonthOf(*year, bit);
      if (FirstOf(month) > day) continue;
      for (CivilDate date = LastOf(month); date.day >= 1; --date.day) {
        if ((part.days >> date.day & 1) != 0 && date <= day) return date;
      }
    }
  }
  return std::nullopt;
}

// The parser lets no part pass that has no day. Most have one in the first month that they can be,
// and in the last; else the search finds it.
CivilDate EarliestOf(const EdtfPart& part) {
  const int month = std::countr_zero(part.months);
  const int day = std::countr_zero(part.days);
  if (month != 0 && day <= DaysInMonth(part.year_first, month)) {
    return {.year = part.year_first, .month = month, .day = day};
  }
  return *FirstOnOrAfter(part, {.year = part.year_first - 1, .month = 1, .day = 1});
}

CivilDate LatestOf(const EdtfPart& part) {
  const int month = static_cast<int>(std::bit_width(part.months)) - 1;
  if (month <= 12) {
    const uint32_t days = part.days & ((uint32_t{2} << DaysInMonth(part.year_last, month)) - 1);
    if (days != 0) {
      const int day = static_cast<int>(std::bit_width(days)) - 1;
      return {.year = part.year_last, .month = month, .day = day};
    }
  }
  return *LastOnOrBefore(part, {.year = part.year_last + 1, .month = 12, .day = 31});
}

Reading FirstReadingWith(const EdtfPart& part, CivilDate day) {
  return ReadingWith(part, day, true);
}

Reading LastReadingWith(const EdtfPart& part, CivilDate day) {
  return ReadingWith(part, day, false);
}

bool EdtfDate::Admits(CivilDate day) const {
  if (!IsCivil(day)) return false;
  if (earliest && day < *earliest) return false;
  if (latest && day > *latest) return false;
  if (form == Form::kInterval) return true;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].joined) {
      if (PartAdmits(parts[i], day)) return true;
      continue;
    }
    const EdtfPart& first = parts[i];
    const EdtfPart& last = parts[++i];
    if ((first.kind == EdtfPart::Kind::kOpen || EarliestOf(first) <= day) &&
        (last.kind == EdtfPart::Kind::kOpen || LatestOf(last) >= day)) {
      return true;
    }
  }
  return false;
}

}  // namespace detente::values
