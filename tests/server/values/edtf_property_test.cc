// Random texts of the grammar, against an account of their days that shares no code with ours: the
// generator keeps, for each text, which days it stands for.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "values/edtf.h"

namespace detente::values {
namespace {

// Days are enumerated here; texts are made so that theirs lie well within, or are unbounded.
constexpr int kFirstYear = -110;
constexpr int kLastYear = 210;

struct Day : CivilDate {
  std::string text;
};

std::string YearText(int64_t year) {
  return year < 0 ? absl::StrFormat("-%04d", -year) : absl::StrFormat("%04d", year);
}

const std::vector<Day>& Days() {
  static const auto* const days = [] {
    auto* all = new std::vector<Day>;
    for (int year = kFirstYear; year <= kLastYear; ++year) {
      const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
      for (int month = 1; month <= 12; ++month) {
        const bool is_short = month == 4 || month == 6 || month == 9 || month == 11;
        const int last = month == 2 ? (leap ? 29 : 28) : (is_short ? 30 : 31);
        for (int day = 1; day <= last; ++day) {
          all->push_back({{year, month, day},
                          absl::StrCat(YearText(year), absl::StrFormat("-%02d-%02d", month, day))});
        }
      }
    }
    return all;
  }();
  return *days;
}

// A day as its text would have it: what X stands for is a digit at its place.
bool Matches(const std::string& pattern, const std::string& text) {
  if (pattern.size() != text.size()) return false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != 'X' && pattern[i] != text[i]) return false;
  }
  return true;
}

using DaySet = std::function<bool(const Day&)>;

struct Made {
  std::string text;
  std::string plain;  // without qualifiers
  DaySet days;
};

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed) {}

  size_t Below(size_t end) { return random_() % end; }
  bool OneIn(size_t n) { return Below(n) == 0; }

  // Years of about -100..140 with X in them, which reach from -999 to 999 at most.
  std::string Year() {
    std::string digits = absl::StrFormat("%04d", Below(140));
    std::string sign = OneIn(4) ? "-" : "";
    if (!sign.empty() && digits > "0100") digits = "0050";
    if (OneIn(3)) digits[3] = 'X';
    if (OneIn(6)) digits[2] = 'X';
    if (!sign.empty() && digits == "0000") digits = "0001";
    return sign + digits;
  }

  std::string Two(size_t first, size_t last) {
    std::string text = absl::StrFormat("%02d", first + Below(last - first + 1));
    if (OneIn(4)) text[1] = 'X';
    if (OneIn(6)) text[0] = 'X';
    return text;
  }

  std::string Mark() { return OneIn(5) ? std::string(1, "?~%"[Below(3)]) : ""; }

  // A date with its components qualified at random.
  Made Date(bool plain) {
    switch (Below(plain ? 3 : 9)) {
      case 3:
      case 4:
        return PartOfYear();
      case 5:
        return Significant();
      case 6:
        return Reduced();
      default:
        return Pattern(plain);
    }
  }

  // A year, month or day, with X in it or without.
  Made Pattern(bool plain) {
    const size_t kind = Below(4);
    std::vector<std::string> components = {Year()};
    if (kind != 0) components.push_back(Two(1, 12));
    if (kind > 1) components.push_back(Two(1, 31));
    if (plain) {
      for (std::string& component : components) {
        for (char& c : component) {
          if (c == 'X') c = '1';
        }
      }
    }
    std::string pattern = components[0];
    for (size_t i = 1; i < 3; ++i) {
      absl::StrAppend(&pattern, "-", i < components.size() ? components[i] : "XX");
    }
    return {.text = Qualified(components),
            .plain = Join(components),
            .days = [pattern](const Day& day) { return Matches(pattern, day.text); }};
  }

  Made PartOfYear() {
    const int code = 21 + static_cast<int>(Below(21));
    const std::string year = Year();
    // Months from January of the year before to December of the year after: 1..36.
    std::set<int> months;
    const auto add = [&](int first, int count) {
      for (int i = 0; i < count; ++i) months.insert(12 + first + i);
    };
    // Seasons in the order of the codes, four months each; winter twice.
    const auto season = [&](int which) {
      if (which == 0) add(3, 4);
      if (which == 1) add(6, 4);
      if (which == 2) add(9, 4);
      if (which == 3) add(0, 4);
      if (which == 3) add(12, 4);
    };
    if (code <= 28) season((code - 21) % 4);
    if (code <= 24 || (code >= 29 && code <= 32)) season((code - 21 + 2) % 4);
    if (code >= 33 && code <= 36) add((code - 33) * 3 + 1, 3);
    if (code >= 37 && code <= 39) add((code - 37) * 4 + 1, 4);
    if (code >= 40) add((code - 40) * 6 + 1, 6);
    return {.text = Qualified({year, absl::StrCat(code)}),
            .plain = absl::StrCat(year, "-", code),
            .days = [year, months](const Day& day) {
              for (const int shift : {-1, 0, 1}) {
                if (months.count(12 + day.month - 12 * shift) > 0 &&
                    Matches(year, YearText(day.year + shift))) {
                  return true;
                }
              }
              return false;
            }};
  }

  Made Significant() {
    const auto year = static_cast<int64_t>(1 + Below(99));
    const int digits = 1 + static_cast<int>(Below(3));
    const int64_t span = year < 10 || digits > 1 ? 1 : 10;
    const std::string text = absl::StrFormat("%04dS%d", year, digits);
    return {.text = text + Mark(), .plain = text, .days = [year, span](const Day& day) {
              return day.year / span == year / span && day.year >= 0;
            }};
  }

  Made Reduced() {
    const bool negative = OneIn(3);
    const bool decade = OneIn(2);
    const auto number = static_cast<int64_t>(decade ? 1 + Below(9) : 0);
    if (!decade) {
      return {.text = "00" + Mark(), .plain = "00", .days = [](const Day& day) {
                return day.year >= 0 && day.year <= 99;
              }};
    }
    const std::string text = absl::StrCat(negative ? "-" : "", "00", number);
    return {.text = text + Mark(), .plain = text, .days = [=](const Day& day) {
              return (negative ? -day.year : day.year) / 10 == number && (day.year < 0) == negative;
            }};
  }

  static std::string Join(const std::vector<std::string>& components) {
    std::string text;
    for (const std::string& component : components) {
      absl::StrAppend(&text, text.empty() ? "" : "-", component);
    }
    return text;
  }

  std::string Qualified(const std::vector<std::string>& components) {
    std::string text;
    for (const std::string& component : components) {
      absl::StrAppend(&text, text.empty() ? "" : "-", Mark(), component, Mark());
    }
    return text;
  }

 private:
  std::mt19937 random_;
};

// The first and last enumerated day, if the days end within what is enumerated.
std::pair<std::optional<CivilDate>, std::optional<CivilDate>> Hull(const DaySet& days) {
  std::optional<CivilDate> first;
  std::optional<CivilDate> last;
  for (const Day& day : Days()) {
    if (!days(day)) continue;
    if (!first) first = day;
    last = day;
  }
  return {first, last};
}

bool Inside(const std::optional<CivilDate>& day) {
  return day && day->year > kFirstYear + 2 && day->year < kLastYear - 2;
}

void Expect(const Made& made, bool unbounded = false) {
  const auto date = ParseEdtf(made.text);
  const auto [first, last] = Hull(made.days);
  if (!first && !unbounded) {
    // No day among those enumerated: there is none, or all are further away.
    if (date.ok()) {
      EXPECT_FALSE(Inside(date->earliest) || Inside(date->latest)) << made.text;
    }
    return;
  }
  ASSERT_TRUE(date.ok()) << made.text << ": " << date.status();
  if (Inside(first)) {
    EXPECT_EQ(date->earliest, first) << made.text;
  }
  if (Inside(last)) {
    EXPECT_EQ(date->latest, last) << made.text;
  }
  for (const Day& day : Days()) {
    ASSERT_EQ(date->Admits(day), made.days(day)) << made.text << " on " << day.text;
  }
  const auto again = ParseEdtf(CanonicalEdtf(*date));
  ASSERT_TRUE(again.ok()) << made.text;
  EXPECT_EQ(*again, *date) << made.text;
  const auto plain = ParseEdtf(made.plain);
  if (!made.plain.empty() && plain.ok()) {
    EXPECT_EQ(plain->Bounds(), date->Bounds()) << made.text;
    EXPECT_EQ(plain->precision, date->precision) << made.text;
    EXPECT_FALSE(plain->uncertain || plain->approximate) << made.text;
  }
}

TEST(EdtfProperty, DatesAdmitTheirDaysAndNoOthers) {
  Generator generator(1);
  for (int round = 0; round < 200; ++round) Expect(generator.Date(false));
}

TEST(EdtfProperty, IntervalsRunFromTheFirstDayOfTheirStartToTheLastOfTheirEnd) {
  Generator generator(2);
  int read = 0;
  for (int round = 0; round < 150; ++round) {
    const Made start = generator.Date(false);
    const Made end = generator.Date(false);
    const auto first = Hull(start.days).first;
    const auto last = Hull(end.days).second;
    if (!Inside(first) || !Inside(Hull(start.days).second)) continue;
    if (!Inside(Hull(end.days).first) || !Inside(last)) continue;
    const std::string text = absl::StrCat(start.text, "/", end.text);
    const auto date = ParseEdtf(text);
    if (!date.ok()) {
      // The end begins before the start, whatever it is.
      EXPECT_GT(Hull(start.days).first, Hull(end.days).first) << text << date.status();
      continue;
    }
    ++read;
    Expect({.text = text, .plain = "", .days = [first, last](const Day& day) {
              return day >= *first && day <= *last;
            }});
    Expect({.text = start.text + "/..", .plain = "", .days = [first](const Day& day) {
              return day >= *first;
            }});
    Expect({.text = "/" + end.text, .plain = "", .days = [last](const Day& day) {
              return day <= *last;
            }});
  }
  EXPECT_GT(read, 20);
}

TEST(EdtfProperty, SetsAdmitTheDaysOfTheirMembers) {
  Generator generator(3);
  int read = 0;
  for (int round = 0; round < 120; ++round) {
    std::vector<DaySet> members;
    std::string text;
    const size_t count = 1 + generator.Below(4);
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) text += ",";
      const Made member = generator.Date(generator.OneIn(2));
      const auto [first, last] = Hull(member.days);
      const bool whole = ParseEdtf(member.plain).ok() &&
                         member.plain.find_first_of("XS") == std::string::npos &&
                         ParseEdtf(member.plain)->precision != DatePrecision::kPartOfYear;
      if (i == 0 && whole && generator.OneIn(3)) {
        absl::StrAppend(&text, "..", member.text);
        members.emplace_back([last = last](const Day& day) { return day <= *last; });
      } else if (i + 1 == count && whole && generator.OneIn(3)) {
        absl::StrAppend(&text, member.text, "..");
        members.emplace_back([first = first](const Day& day) { return day >= *first; });
      } else {
        text += member.text;
        members.push_back(member.days);
      }
      if (!first) members.clear();
      if (!first) break;
    }
    if (members.empty()) continue;
    ++read;
    const bool all = generator.OneIn(2);
    Expect({.text = absl::StrCat(all ? "{" : "[", text, all ? "}" : "]"),
            .plain = "",
            .days = [members](const Day& day) {
              for (const DaySet& member : members) {
                if (member(day)) return true;
              }
              return false;
            }});
  }
  EXPECT_GT(read, 60);
}

// What can be said of a window, by trying every day.
TEST(EdtfProperty, RelationsOfOneDateAreThoseOfItsDays) {
  Generator generator(4);
  int tried = 0;
  for (int round = 0; round < 150; ++round) {
    const Made made = generator.Date(false);
    const auto [first, last] = Hull(made.days);
    if (!Inside(first) || !Inside(last)) continue;
    const auto date = ParseEdtf(made.text);
    ASSERT_TRUE(date.ok()) << made.text;
    for (int i = 0; i < 3; ++i, ++tried) {
      const CivilDate a = Days()[generator.Below(Days().size())];
      // Near the date, and sometimes short.
      CivilDate from =
          CivilFromDays(DaysFromCivil(*first) - 200 + static_cast<int64_t>(generator.Below(600)));
      CivilDate to =
          generator.OneIn(2)
              ? CivilFromDays(DaysFromCivil(from) + static_cast<int64_t>(generator.Below(60)))
              : a;
      if (to < from) std::swap(from, to);
      const DateWindow window{.from = from, .to = to};
      std::array<bool, 3> some = {};
      std::array<bool, 3> every = {true, true, true};
      for (const Day& day : Days()) {
        if (!made.days(day)) continue;
        const std::array<bool, 3> is = {day < from, day >= from && day <= to, day > to};
        for (size_t k = 0; k < 3; ++k) {
          some[k] = some[k] || is[k];
          every[k] = every[k] && is[k];
        }
      }
      constexpr std::array<DateRelation, 3> kRelations = {
          DateRelation::kBefore, DateRelation::kWithin, DateRelation::kAfter};
      for (size_t k = 0; k < 3; ++k) {
        EXPECT_EQ(Possibly(*date, kRelations[k], window), some[k]) << made.text << " " << k;
        EXPECT_EQ(Certainly(*date, kRelations[k], window), every[k]) << made.text << " " << k;
      }
      EXPECT_EQ(Possibly(*date, DateRelation::kOverlapping, window), some[1]) << made.text;
    }
  }
  EXPECT_GT(tried, 150);
}

// The days, months or years that a pattern can be: what their texts have in common is as long as
// the pattern.
std::vector<std::pair<CivilDate, CivilDate>> Readings(const Made& made) {
  std::vector<std::pair<CivilDate, CivilDate>> readings;
  absl::string_view last;
  for (const Day& day : Days()) {
    if (!made.days(day)) continue;
    const absl::string_view unit = absl::string_view(day.text).substr(0, made.plain.size());
    if (unit == last) {
      readings.back().second = day;
    } else {
      readings.emplace_back(day, day);
    }
    last = unit;
  }
  return readings;
}

TEST(EdtfProperty, CertainOverlapIsThatOfEveryReading) {
  Generator generator(5);
  int tried = 0;
  int certain = 0;
  for (int round = 0; round < 300; ++round) {
    const Made start = generator.Pattern(false);
    const Made end = generator.Pattern(false);
    const auto starts = Readings(start);
    const auto ends = Readings(end);
    if (starts.empty() || ends.empty()) continue;
    if (!Inside(starts[0].first) || !Inside(starts.back().second)) continue;
    if (!Inside(ends[0].first) || !Inside(ends.back().second)) continue;
    const auto from = static_cast<int64_t>(generator.Below(700));
    const CivilDate first = CivilFromDays(DaysFromCivil(starts[0].first) - 300 + from);
    const CivilDate last =
        generator.OneIn(2)
            ? std::max(first, ends[generator.Below(ends.size())].second)
            : CivilFromDays(DaysFromCivil(first) + static_cast<int64_t>(generator.Below(300)));
    const DateWindow window{.from = first, .to = last};
    const auto touches = [&](CivilDate a, CivilDate b) { return a <= last && b >= first; };
    const auto all_touch = [&](const std::vector<std::pair<CivilDate, CivilDate>>& readings) {
      return std::all_of(readings.begin(), readings.end(), [&](const auto& reading) {
        return touches(reading.first, reading.second);
      });
    };
    const auto answer = [&](const std::string& text) {
      const auto date = ParseEdtf(text);
      EXPECT_TRUE(date.ok()) << text << date.status();
      return date.ok() && Certainly(*date, DateRelation::kOverlapping, window);
    };
    ++tried;
    const bool start_touches = all_touch(starts);
    const bool end_touches = all_touch(ends);
    EXPECT_EQ(answer(start.text), start_touches) << start.text;
    EXPECT_EQ(answer(end.text), end_touches) << end.text;
    const std::string both = absl::StrCat(start.text, ",", end.text);
    EXPECT_EQ(answer(absl::StrCat("[", both, "]")), start_touches && end_touches) << both;
    EXPECT_EQ(answer(absl::StrCat("{", both, "}")), start_touches || end_touches) << both;
    if (starts[0].first > ends.back().first) continue;
    bool interval_touches = true;
    // Readings are in order: of those that end before the window, the last admits the most starts.
    std::optional<CivilDate> before;
    for (const auto& e : ends) {
      if (e.second < first) before = e.first;
    }
    for (const auto& s : starts) {
      if (s.first > last && s.first <= ends.back().first) interval_touches = false;
      if (before && s.first <= *before) interval_touches = false;
    }
    certain += interval_touches ? 1 : 0;
    EXPECT_EQ(answer(absl::StrCat(start.text, "/", end.text)), interval_touches)
        << start.text << "/" << end.text << " " << first.year << "-" << first.month << "-"
        << first.day << " to " << last.year << "-" << last.month << "-" << last.day;
  }
  EXPECT_GT(tried, 60);
  EXPECT_GT(certain, 10);
}

}  // namespace
}  // namespace detente::values
