#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/findings/testing.h"

namespace detente::findings {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A group of one key; `count` in text format.
std::string Group(const std::string& id, const std::string& dimension, const std::string& value,
                  const std::string& count, const std::string& counter = "") {
  return absl::StrCat(
      "group_counts { id: '", id, "' keys { dimension: ", dimension, " value: '", value,
      "' } count { ", count, " } ",
      counter.empty() ? "" : absl::StrCat("counted_by { description: '", counter, "' } "), "} ");
}

class GroupsTest : public FindingsTest {
 protected:
  std::vector<std::string> OfRelease(const std::string& text) {
    Put<v1::Release>("r", "region_code: 'BY' " + text);
    return Found("groups-do-not-sum");
  }
  std::vector<std::string> OfTally(const std::string& text) {
    Put<v1::Tally>("t", "region_code: 'BY' " + text);
    return Found("groups-do-not-sum");
  }
};

TEST_F(GroupsTest, MoreThanTheWhole) {
  EXPECT_THAT(OfTally("count { best: 1135 } " + Group("men", "GENDER", "MALE", "best: 968") +
                      Group("women", "GENDER", "FEMALE", "best: 168")),
              ElementsAre("WARNING groups by GENDER sum to 1136, more than the count of 1135 @ "
                          "tallies/t count, tallies/t group_counts[\"men\"].count, tallies/t "
                          "group_counts[\"women\"].count"));
  Delete("tallies/t");
  EXPECT_THAT(OfRelease("headcount { high: 10 } " +
                        Group("a", "DESTINATION", "LT", "low: 11", "an embassy")),
              ElementsAre("WARNING the group by DESTINATION, counted by an embassy, is at "
                          "least 11, more than the headcount of at most 10 @ releases/r "
                          "headcount, releases/r group_counts[\"a\"].count"));
}

// As many as a list holds: a look at each pair of them would take minutes.
TEST_F(GroupsTest, ManyGroups) {
  std::string text = "headcount { best: 1000 } ";
  for (int i = 0; i < 4'990; ++i) {
    absl::StrAppend(&text, Group(absl::StrCat("w", i), "OFFENCE", absl::StrCat("o", i), "best: 5"),
                    "group_counts { id: 'n", i, "' keys { id: 'a' dimension: OFFENCE value: 'o", i,
                    "' } keys { id: 'b' dimension: GENDER value: 'MALE' } count { best: ",
                    i == 77 ? 6 : 5, " } } ");
  }
  const absl::Time start = absl::Now();
  EXPECT_THAT(OfRelease(text),
              ElementsAre("WARNING a group is 6, more than the 5 of the wider group `w77` @ "
                          "releases/r group_counts[\"n77\"].count, releases/r "
                          "group_counts[\"w77\"].count"));
  EXPECT_LT(absl::Now() - start, absl::Seconds(20));
}

TEST_F(GroupsTest, WhatMayBeSo) {
  for (const std::string count :
       {"low: 100", "best: 100 approximate: true", "text: 'dozens'", "low: 90 best: 100"}) {
    EXPECT_THAT(OfTally("count { " + count + " } " + Group("a", "GENDER", "MALE", "best: 90") +
                        Group("b", "GENDER", "FEMALE", "best: 50")),
                IsEmpty())
        << count;
  }
  // The rest is not known.
  EXPECT_THAT(OfTally("count { best: 14 } " + Group("a", "NATIONALITY", "BY", "text: 'the rest'") +
                      Group("b", "NATIONALITY", "PL", "best: 3")),
              IsEmpty());
  // A person has several charges.
  EXPECT_THAT(OfTally("count { best: 14 } " + Group("a", "OFFENCE", "x", "best: 10") +
                      Group("b", "OFFENCE", "y", "best: 10")),
              IsEmpty());
  EXPECT_THAT(OfTally(Group("a", "GENDER", "MALE", "best: 90")), IsEmpty());
}

TEST_F(GroupsTest, LessThanTheWhole) {
  const std::string whole = "headcount { best: 14 } ";
  EXPECT_THAT(
      OfRelease(whole + Group("a", "NATIONALITY", "BY", "best: 5") +
                Group("b", "NATIONALITY", "PL", "high: 8")),
      ElementsAre("NOTE groups by NATIONALITY sum to 5 to 13, less than the headcount of 14 "
                  "@ releases/r headcount, releases/r group_counts[\"a\"].count, "
                  "releases/r group_counts[\"b\"].count"));
  EXPECT_EQ(OfRelease(whole + Group("a", "DESTINATION", "LT", "best: 5") +
                      Group("b", "DESTINATION", "UA", "best: 8"))
                .size(),
            1U);
  EXPECT_EQ(OfRelease(whole + Group("a", "GENDER", "MALE", "best: 5") +
                      Group("b", "GENDER", "FEMALE", "best: 8"))
                .size(),
            1U);
  // Not meant to be the whole: foreigners alone, one group alone, one gender alone.
  EXPECT_THAT(OfRelease(whole + Group("a", "NATIONALITY", "LT", "best: 5") +
                        Group("b", "NATIONALITY", "PL", "best: 3")),
              IsEmpty());
  EXPECT_THAT(OfRelease(whole + Group("a", "DESTINATION", "LT", "best: 5")), IsEmpty());
  EXPECT_THAT(OfRelease(whole + Group("a", "GENDER", "FEMALE", "best: 5")), IsEmpty());
}

TEST_F(GroupsTest, RivalsStandSideBySide) {
  EXPECT_THAT(
      OfRelease("headcount { best: 123 } " + Group("a", "DESTINATION", "UA", "best: 114", "them") +
                Group("b", "DESTINATION", "LT", "best: 9", "them") +
                Group("c", "DESTINATION", "UA", "low: 100", "us") +
                Group("d", "DESTINATION", "LT", "best: 23", "us")),
      IsEmpty());
  // Two figures of one counter for one group: either may be meant.
  EXPECT_THAT(
      OfRelease("headcount { best: 123 } " + Group("a", "DESTINATION", "UA", "best: 114", "them") +
                Group("b", "DESTINATION", "LT", "best: 9", "them") +
                Group("c", "DESTINATION", "UA", "best: 115", "them")),
      IsEmpty());
}

TEST_F(GroupsTest, PartsOfParts) {
  EXPECT_THAT(OfRelease("headcount { best: 5 } " + Group("a", "OFFENCE", "x", "best: 6")),
              ElementsAre("WARNING a group is 6, more than the headcount of 5 @ releases/r "
                          "group_counts[\"a\"].count, releases/r headcount"));
  const std::string both =
      "group_counts { id: 'b' keys { dimension: DESTINATION value: 'LT' } "
      "keys { dimension: OFFENCE value: 'x' } count { low: 16 } } ";
  EXPECT_THAT(OfRelease(Group("a", "DESTINATION", "LT", "best: 15") + both),
              ElementsAre("WARNING a group is at least 16, more than the 15 of the wider group `a` "
                          "@ releases/r group_counts[\"b\"].count, releases/r "
                          "group_counts[\"a\"].count"));
  EXPECT_THAT(OfRelease(Group("a", "DESTINATION", "LT", "best: 16") + both), IsEmpty());
  EXPECT_THAT(OfRelease(Group("a", "DESTINATION", "UA", "best: 15") + both), IsEmpty());
  EXPECT_THAT(OfRelease(Group("a", "DESTINATION", "LT", "best: 15", "them") + both), IsEmpty());
}

TEST_F(GroupsTest, MoreNamedThanCounted) {
  const std::string named =
      "participants { id: 'x' person: 'persons/a' conditions { kind: EXPELLED } } "
      "participants { id: 'y' person: 'persons/b' conditions { kind: EXPELLED } } ";
  EXPECT_THAT(OfRelease("headcount { best: 1 } " + named),
              ElementsAre("WARNING 1 participant more named than the headcount of 1 @ releases/r "
                          "participants, releases/r headcount"));
  EXPECT_THAT(OfRelease(named + Group("g", "CONDITION", "EXPELLED", "best: 0")),
              ElementsAre("WARNING 2 participants more belong to the group `g` than its count of 0 "
                          "@ releases/r group_counts[\"g\"].count, releases/r participants"));
  for (const std::string count :
       {"best: 2", "low: 1", "best: 1 approximate: true", "low: 1 best: 1 high: 2"}) {
    EXPECT_THAT(OfRelease("headcount { " + count + " } " + named), IsEmpty()) << count;
  }
}

TEST_F(GroupsTest, NamedTwice) {
  EXPECT_THAT(OfRelease("participants { id: 'x' person: 'persons/a' } "
                        "participants { id: 'y' person: 'persons/a' }"),
              ElementsAre("WARNING persons/a is named more than once among the participants @ "
                          "releases/r participants[\"y\"].person, releases/r "
                          "participants[\"x\"].person"));
}

}  // namespace
}  // namespace detente::findings
