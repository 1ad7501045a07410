#include <gtest/gtest.h>

#include <string>

#include "values/edtf.h"

namespace detente::values {
namespace {

// One letter for each of before, within, after, overlapping: `.` = not possible, small = possible,
// capital = certain.
std::string Relations(absl::string_view text, const DateWindow& window) {
  const auto date = ParseEdtf(text);
  EXPECT_TRUE(date.ok()) << text << ": " << date.status();
  std::string letters;
  constexpr absl::string_view kPossible = "bwao";
  constexpr absl::string_view kCertain = "BWAO";
  for (const size_t i : {0, 1, 2, 3}) {
    const auto relation = static_cast<DateRelation>(i);
    const bool possible = Possibly(*date, relation, window);
    const bool certain = Certainly(*date, relation, window);
    EXPECT_TRUE(possible || !certain) << text << i;
    letters += certain ? kCertain[i] : possible ? kPossible[i] : '.';
  }
  return letters;
}

// To the bounds of another date.
std::string Relations(absl::string_view text, absl::string_view window) {
  const auto date = ParseEdtf(window);
  EXPECT_TRUE(date.ok()) << window;
  return Relations(text, date->Bounds());
}

TEST(EdtfRelation, OfDaysMonthsAndYears) {
  EXPECT_EQ(Relations("2015-06-15", "2015"), ".W.O");
  EXPECT_EQ(Relations("2015-06-15", "2015-06-15"), ".W.O");
  EXPECT_EQ(Relations("2014-12-31", "2015"), "B...");
  EXPECT_EQ(Relations("2016-01-01", "2015"), "..A.");
  EXPECT_EQ(Relations("2015", "2015-06"), "bwaO");
  EXPECT_EQ(Relations("2015", "2015-01"), ".waO");
  EXPECT_EQ(Relations("2015", "2015/2016"), ".W.O");
  EXPECT_EQ(Relations("2015-06", "2015-06-15/2016"), "bw.O");
  EXPECT_EQ(Relations("2015?", "2015"), ".W.O");
}

TEST(EdtfRelation, WindowsWithoutAnEnd) {
  EXPECT_EQ(Relations("2015", "../2015-06"), ".waO");
  EXPECT_EQ(Relations("2015", "2015-06/.."), "bw.O");
  EXPECT_EQ(Relations("2015", DateWindow{}), ".W.O");
  EXPECT_EQ(Relations("../..", DateWindow{}), ".W.O");
}

TEST(EdtfRelation, DigitsLeaveGaps) {
  EXPECT_EQ(Relations("XXXX-12-XX", "2015-01/2015-11"), "b.a.");
  EXPECT_EQ(Relations("XXXX-12-XX", "2015-11/2015-12-01"), "bwao");
  EXPECT_EQ(Relations("20X5", "2006/2014"), "b.a.");
  EXPECT_EQ(Relations("20X5", "2006/2015-01-01"), "bwao");
  EXPECT_EQ(Relations("2015-XX", "2015-06"), "bwao");
  EXPECT_EQ(Relations("2015-XX", "2015-01-31/2015-12-01"), "bwaO");
  EXPECT_EQ(Relations("2015-XX", "2015-01-31/2015-11-30"), "bwao");
  EXPECT_EQ(Relations("XXXX-02-29", "2021/2023"), "b.a.");
  EXPECT_EQ(Relations("1950S2", "1950"), "bwao");
  EXPECT_EQ(Relations("19", "1950"), "bwaO");
}

TEST(EdtfRelation, OneOfASetIsAnyOfItsMembers) {
  EXPECT_EQ(Relations("[2010,2020]", "2015"), "b.a.");
  EXPECT_EQ(Relations("[2010,2020]", "2010"), ".wao");
  EXPECT_EQ(Relations("[2010,2020]", "2010/2020"), ".W.O");
  EXPECT_EQ(Relations("[2010,2020]", "2010-05/2020-05"), "bwaO");
  EXPECT_EQ(Relations("[2010..2020]", "2015"), "bwao");
  EXPECT_EQ(Relations("[2010..2020]", "2010-12-31/2020-01-01"), "bwaO");
  EXPECT_EQ(Relations("[2010..2020]", "2011/2020"), "bw.o");
  EXPECT_EQ(Relations("[..2010]", "2005"), "bwao");
  EXPECT_EQ(Relations("[..2010]", "../2010"), ".W.O");
  EXPECT_EQ(Relations("[2010..]", "../2015"), ".wao");
  EXPECT_EQ(Relations("[2010..]", "2009"), "..A.");
}

TEST(EdtfRelation, AllOfASetIsEveryMember) {
  EXPECT_EQ(Relations("{2010,2020}", "2015"), "....");
  EXPECT_EQ(Relations("{2010,2020}", "2010"), "...O");
  EXPECT_EQ(Relations("{2010,2020}", "2009"), "..A.");
  EXPECT_EQ(Relations("{2010,2020}", "2021"), "B...");
  EXPECT_EQ(Relations("{2010,2020}", "2010/2020"), ".W.O");
  EXPECT_EQ(Relations("{2010,2020}", "2010-12-31/2020-01-01"), ".w.O");
  EXPECT_EQ(Relations("{2010..2020}", "2010-12-31/2020-01-01"), ".w.O");
  EXPECT_EQ(Relations("{2010..2020}", "2011/2020"), "...O");
  EXPECT_EQ(Relations("{2010..2020}", "2020-06"), "b..O");
  EXPECT_EQ(Relations("{2010..2020}", "2010-06"), "..aO");
  EXPECT_EQ(Relations("{2010..}", "2010/2020"), "...O");
  EXPECT_EQ(Relations("{..2010}", "../2010-06"), ".w.O");
  EXPECT_EQ(Relations("{..2010}", "2000/2010"), "...O");
  EXPECT_EQ(Relations("{201X,2015-06}", "2015"), ".w.O");
  EXPECT_EQ(Relations("{201X,2020}", "2015"), "..ao");
}

TEST(EdtfRelation, AnIntervalIsADayOfItAndOverlapsAsAWhole) {
  EXPECT_EQ(Relations("2010/2020", "2015"), "bwaO");
  EXPECT_EQ(Relations("2010/2020", "2021"), "B...");
  EXPECT_EQ(Relations("2010/..", "2015"), "bwaO");
  EXPECT_EQ(Relations("2010/..", "2009"), "..A.");
  EXPECT_EQ(Relations("2010/", "2015"), "bwao");
  EXPECT_EQ(Relations("2010/", "2010"), ".waO");
  EXPECT_EQ(Relations("../2010", "2005"), "bwaO");
  EXPECT_EQ(Relations("/2010", "2005"), "bwao");
  EXPECT_EQ(Relations("/2010", "2010"), "bw.O");
  EXPECT_EQ(Relations("../..", "2010"), "bwaO");
  EXPECT_EQ(Relations("201X/2030", "2012"), "bwao");
  EXPECT_EQ(Relations("201X/2030", "2019"), "bwaO");
  EXPECT_EQ(Relations("2000/201X", "2010"), "bwaO");
  EXPECT_EQ(Relations("2000/201X", "2011"), "bwao");
  // Neither 2018/2015 nor 2015/2012 is meant: the end is from 2015 on, or the start to 2015.
  EXPECT_EQ(Relations("2015/201X", "2014/2015"), ".waO");
  EXPECT_EQ(Relations("201X/2015", "2015/2016"), "bw.O");
  // A reading of the end that begins before the start is none.
  EXPECT_EQ(Relations("2015-05-20/2015-XX", "2015-06"), "bwaO");
}

TEST(EdtfRelation, CertainOverlapWithASeasonAsksForItsMiddleMonths) {
  EXPECT_EQ(Relations("2015-25", "2015-03"), ".wao");
  EXPECT_EQ(Relations("2015-25", "2015-04"), "bwaO");
  EXPECT_EQ(Relations("2015-21", "2015-04"), "bwao");
  EXPECT_EQ(Relations("2015-21", "2015-05/2015-10"), "bwaO");
  EXPECT_EQ(Relations("2015-21", "2015-07/2015-08"), "b.a.");
  EXPECT_EQ(Relations("2015-28", "2015-02/2016-01"), "bwaO");
  EXPECT_EQ(Relations("2015-33", "2015-03-31"), "bw.O");
  // January and February 2013 are of that winter, but not of an interval that ends before them.
  EXPECT_EQ(Relations("2012-24/2012-12", "2011-12/2012-12"), ".W.O");
}

}  // namespace
}  // namespace detente::values
