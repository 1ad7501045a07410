// Days of the proleptic Gregorian calendar, with a year 0 (-0001 is 2 BCE).
#pragma once

#include <compare>
#include <cstdint>

namespace detente::values {

// One day: month 1..12, day 1..31. Ordered by time.
struct CivilDate {
  int64_t year = 1970;
  int month = 1;
  int day = 1;
  auto operator<=>(const CivilDate&) const = default;
};

bool IsLeap(int64_t year);

// `month` 1..12.
int DaysInMonth(int64_t year, int month);

// Whether the calendar has the day: 2023-02-29 is none.
bool IsCivil(CivilDate date);

// Days since 1970-01-01, negative before it. `date` must be a day of the calendar; years up to
// 10^16 either way do not overflow.
int64_t DaysFromCivil(CivilDate date);
CivilDate CivilFromDays(int64_t days);

}  // namespace detente::values
