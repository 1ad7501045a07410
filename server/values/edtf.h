// Dates as sources state them, in EDTF: ISO 8601-2:2019, levels 0, 1 and 2, which the Library of
// Congress describes (2019-02-04); and the days that they can mean. The calendar is proleptic
// Gregorian, with a year 0 (-0001 is 2 BCE). No time zone is applied: a time of day is read and
// kept, and its date is the date as written.
//
//   2025-12-13, 2025-12, 2025   a day, a month, a year; -0044-03-15 is before year 0
//   2025-12-13T10:10:10Z        a time of that day: hh:mm:ss, 24:00:00, a leap second; at most 18
//                               decimals; local time, Z, or a shift of -12:00 .. +14:00, also +hh
//                               and +hhmm
//   198, 19, -04                a decade (1980..1989), a century (1900..1999, -0499..-0400)
//   Y170000002, Y-17E7          a year of more than four digits, at most 16
//   1950S2                      the first 2 digits count, of 1..99: a year of 1900..1999, perhaps
//                               1950. Leading zeros do not count
//   2025-21 .. 2025-41          a part of the year, see below
//   202X, 2025-XX, XXXX-12-XX,  each X is any digit that makes a day of the calendar; XXXX is
//   156X-12-25, 1984-1X         0000..9999, -XXXX is -9999..-0001
//   2025-12?, 2025~, 2025%      uncertain, approximate, both
//   2004-06~-11, 2004-06-~11    right of a component, for it and all left of it; left, for it alone
//   2020-05/2020-12             an interval, of any of the above without a time
//   2020/.. ../2020             its end, or start, is open
//   2020/ /2020                 its end, or start, is unknown; `/` alone is an error
//   [1667,1668,1670..1672]      one of these, of any of the above without a time; `..` means all
//                               between two years, months, days, decades or centuries too
//   [..1984] [1760-12..]        or all before the first, or after the last, of these
//   {1960,1961-12}              all of these, in the same ways. There are no spaces in sets
//
// The days that a text can mean, of which `earliest` and `latest` are the first and the last, are
// strict: qualifiers do not widen them.
//   - The day lies somewhere in the day, month, year ... or interval that the text gives.
//   - Parts of the year: quarters 33..36, four-month periods 37..39, halves 40..41 are those of the
//     calendar. Seasons have no such bounds; ours hold both the meteorological and the astronomical
//     ones. Spring is March to June in the north (25), September to December in the south (29), and
//     either where no hemisphere is said (21); each further season begins three months later. A
//     season over the turn of the year (22, 24, 28, 30) is that which begins in December of the
//     year, or that which ends in it.
//   - An open or unknown end of an interval sets no bound.
//   - Those of a set are those of its members.
//
// The interval 2020-02/2020 is an error, 2020/2020-02 is none: some reading of the start must begin
// no later than one of the end. The same holds for .. in sets.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "values/civil_date.h"

namespace detente::values {

inline constexpr size_t kMaxEdtfBytes = 256;

// How finely a date is stated.
enum class DatePrecision {
  kDay,
  kMonth,
  kYear,
  kInterval,    // whatever its ends are
  kPartOfYear,  // 21..41
  kDecade,      // 198, 198X, 198X-XX, 1985S3
  kCentury,     // 19, 19XX, 1950S2
  kMillennium,  // 1XXX, or more: XXXX, Y17E7S2
  kDigits,      // X leaves days with gaps, or no such unit: XXXX-12-XX, 1984-1X, 1984-12-1X
  kSet,         // whatever its members are
};

struct EdtfQualifier {
  bool uncertain = false;    // `?` or `%`
  bool approximate = false;  // `~` or `%`
  bool operator==(const EdtfQualifier&) const = default;
};

struct EdtfTime {
  int hour = 0;  // 24 only as 24:00:00
  int minute = 0;
  int second = 0;                    // 60 only where a leap second can be
  std::string fraction;              // digits after the decimal sign
  std::optional<int> shift_minutes;  // from UTC; absent = local time
  bool operator==(const EdtfTime&) const = default;
};

// One date of the text: the whole of it, an end of an interval, or a member of a set.
struct EdtfPart {
  enum class Kind : uint8_t { kDate, kOpen, kUnknown };  // the latter two have nothing else
  enum class Unit : uint8_t { kYear, kDecade, kCentury, kPartOfYear, kMonth, kDay };

  Kind kind = Kind::kDate;
  Unit unit = Unit::kYear;  // the last component written
  // In a set: `..` stands between this and the next. In an interval: the start.
  bool joined = false;

  bool negative = false;    // -XXXX too
  uint8_t year_any = 0;     // X, bit 0 = the last of four digits
  uint8_t significant = 0;  // S; 0 = not given
  int64_t year = 0;         // as written, X as 0; the first of a decade or century, by its digits
  // The years that it can be lie from the one to the other; all, unless year_any.
  int64_t year_first = 0;
  int64_t year_last = 0;

  // As written, digits or X; "\0\0" where there is none.
  std::array<char, 2> month_text = {};
  std::array<char, 2> day_text = {};
  // What they can be. Bit m of months is month m of the year, bit 0 December before it, 13..15
  // January to March after it.
  uint16_t months = 0;
  uint32_t days = 0;

  std::array<EdtfQualifier, 3> qualifiers = {};  // of year, month (or part of year), day
  bool operator==(const EdtfPart&) const = default;
};

// Days, both ends included; absent = unbounded. `from` is not after `to`.
struct DateWindow {
  std::optional<CivilDate> from;
  std::optional<CivilDate> to;
  bool operator==(const DateWindow&) const = default;
};

struct EdtfDate {
  enum class Form : uint8_t { kDate, kInterval, kOneOf, kAllOf };

  // First and last day that the text can mean; absent where it sets no bound.
  std::optional<CivilDate> earliest;
  std::optional<CivilDate> latest;
  DatePrecision precision = DatePrecision::kDay;
  bool approximate = false;  // any component of any part is
  bool uncertain = false;
  Form form = Form::kDate;
  std::vector<EdtfPart> parts;
  std::optional<EdtfTime> time;

  // Whether `day` is one of those that the text can mean: of an interval, a day from start to end;
  // of {a,b}, a day of any member. False for what is no day of the calendar.
  bool Admits(CivilDate day) const;

  DateWindow Bounds() const { return {.from = earliest, .to = latest}; }

  // Equal = written alike, but for ways to write the same: see CanonicalEdtf.
  bool operator==(const EdtfDate&) const = default;
  // A total order: by earliest (absent first), then latest (absent last), then canonical text.
  std::strong_ordering operator<=>(const EdtfDate& other) const;
};

// Reads a whole text of at most 256 bytes. InvalidArgument says what was expected and where:
// "month 01..12 expected, got 13 at position 5", in bytes from 0, at most the size of the text.
absl::StatusOr<EdtfDate> ParseEdtf(absl::string_view text, size_t* error_position = nullptr);

// The one text for this date, within the limit too: ParseEdtf gives back an equal date.
// Qualifiers stand right of components where they can (2004-06? for ?2004-?06), years have
// exponents from three zeros on (Y17E7), a shift of zero is Z, others are +hh:mm, the decimal sign
// is a point. Order and repetition in sets stay.
std::string CanonicalEdtf(const EdtfDate& date);

// How a date lies to a window of days, such as the bounds of another date.
enum class DateRelation {
  kBefore,       // before the first day of the window
  kWithin,       // on a day of the window
  kAfter,        // after the last day of the window
  kOverlapping,  // what the text gives - the whole month, year, interval ... - has a day in it
};

// Whether the relation holds for some of the days that the text can mean, and for all of them.
// [a,b] is any one member; {a,b} is all of them: each must be before, within or after, and one
// must overlap. So [2010,2020] is not possibly within 2015, nor {2010,2020} within 2010, though it
// certainly overlaps it. Both are exact, but that certain overlap with a season asks for its middle
// two months, which every definition of it shares.
bool Possibly(const EdtfDate& date, DateRelation relation, const DateWindow& window);
bool Certainly(const EdtfDate& date, DateRelation relation, const DateWindow& window);

// For one date (Kind::kDate): its first and last day, and the next day that it can mean.
CivilDate EarliestOf(const EdtfPart& part);
CivilDate LatestOf(const EdtfPart& part);
std::optional<CivilDate> FirstOnOrAfter(const EdtfPart& part, CivilDate day);
std::optional<CivilDate> LastOnOrBefore(const EdtfPart& part, CivilDate day);

}  // namespace detente::values
