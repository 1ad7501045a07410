#include "values/civil_date.h"

#include <gtest/gtest.h>

#include <ostream>

namespace detente::values {

void PrintTo(const CivilDate& date, std::ostream* out) {
  *out << date.year << '-' << date.month << '-' << date.day;
}

namespace {

TEST(CivilDate, DaysAreCountedFromTheEpoch) {
  EXPECT_EQ(DaysFromCivil({1970, 1, 1}), 0);
  EXPECT_EQ(DaysFromCivil({1969, 12, 31}), -1);
  EXPECT_EQ(DaysFromCivil({2000, 3, 1}), 11017);
  EXPECT_EQ(DaysFromCivil({0, 3, 1}), -719468);
  EXPECT_EQ(DaysFromCivil({10'000'000'000'000'000, 1, 1}), 3'652'424'999'999'280'472);
  EXPECT_EQ(CivilFromDays(3'652'424'999'999'280'472), (CivilDate{10'000'000'000'000'000, 1, 1}));
}

TEST(CivilDate, EveryDayFollowsTheOneBefore) {
  int64_t days = DaysFromCivil({-801, 1, 1});
  for (int year = -801; year <= 2401; ++year) {
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    for (int month = 1; month <= 12; ++month) {
      const bool short_month = month == 4 || month == 6 || month == 9 || month == 11;
      const int last = month == 2 ? (leap ? 29 : 28) : (short_month ? 30 : 31);
      for (int day = 1; day <= last; ++day, ++days) {
        const CivilDate date{.year = year, .month = month, .day = day};
        ASSERT_EQ(DaysFromCivil(date), days);
        ASSERT_EQ(CivilFromDays(days), date);
      }
    }
  }
}

TEST(CivilDate, SomeDaysAreNone) {
  for (const CivilDate day :
       {CivilDate{2023, 2, 29}, CivilDate{1900, 2, 29}, CivilDate{2024, 4, 31},
        CivilDate{2024, 0, 1}, CivilDate{2024, 13, 1}, CivilDate{2024, 1, 0},
        CivilDate{2024, 1, 32}, CivilDate{2024, -1, -1}}) {
    EXPECT_FALSE(IsCivil(day)) << day.year << "-" << day.month << "-" << day.day;
  }
  EXPECT_TRUE(IsCivil({2024, 2, 29}));
  EXPECT_TRUE(IsCivil({0, 2, 29}));
  EXPECT_TRUE(IsCivil({-4, 2, 29}));
}

}  // namespace
}  // namespace detente::values
