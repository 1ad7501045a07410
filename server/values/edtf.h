// Uncertain dates as a source states them, in EDTF (ISO 8601-2:2019; the Library of Congress
// specification of 2019-02-04), and the days that they can mean. The calendar is proleptic
// Gregorian, with a year 0 (-0001 is 2 BCE); no time of day, no time zone.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace detente::values {

// One day: month 1..12, day 1..31. Ordered by time.
struct CivilDate {
  int64_t year = 1970;
  int month = 1;
  int day = 1;
  auto operator<=>(const CivilDate&) const = default;
};

// Days since 1970-01-01, negative before it. `date` must be a day of the calendar; years up to
// 10^16 either way do not overflow.
int64_t DaysFromCivil(CivilDate date);
CivilDate CivilFromDays(int64_t days);

// How finely a date is stated. An interval is kInterval whatever its ends are.
enum class DatePrecision { kDay, kMonth, kYear, kInterval };

struct EdtfDate {
  // First and last day that the text can mean, both included; absent where it sets no bound: the
  // end of an interval is open (`..`) or unknown (empty). Strict: `~` and `?` do not widen them.
  std::optional<CivilDate> earliest;
  std::optional<CivilDate> latest;
  DatePrecision precision = DatePrecision::kDay;
  bool approximate = false;  // `~` or `%`, at either end of an interval
  bool uncertain = false;    // `?` or `%`, at either end of an interval
  bool operator==(const EdtfDate&) const = default;
};

// Reads days, months and years, each with a qualifier or without (`2025-12-13?`, `1984~`), and
// intervals of them (`2020-05/2020-12`, `2020-08/..`, `/2021`; not `/` alone). At most 256 bytes.
// An interval must not start after the first day of its end: `2020-02/2020` is an error,
// `2020/2020-02` is none.
//
// Errors name the byte position (from 0) and what was expected there:
//   InvalidArgument  not EDTF: "month 01..12 expected, got 13 at position 5"
//   Unimplemented    begins an EDTF feature not read yet (times, seasons, sets, X digits, years of
//                    more or fewer than four digits, qualifiers of components). Whether the text
//                    after that position is well-formed is not known, only that its bytes occur
//                    in EDTF.
absl::StatusOr<EdtfDate> ParseEdtf(absl::string_view text);

}  // namespace detente::values
