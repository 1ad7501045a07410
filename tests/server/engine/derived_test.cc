// Fields that the server computes of a record's own fields.
#include "engine/derived/derived.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "detente/v1/commitment.pb.h"
#include "detente/v1/detention.pb.h"
#include "detente/v1/release.pb.h"
#include "engine/validate.h"
#include "server/engine/testing.h"

namespace detente::engine {
namespace {

template <typename T>
T Derived(const std::string& text) {
  T record = testing::Proto<T>(text);
  absl::Status status =
      ValidateRecord(testing::ResourceOf(record), Validate::kWhole, "record", &record);
  EXPECT_TRUE(status.ok()) << status;
  Derive(&record);
  return record;
}

std::string Remainder(const std::string& text) {
  return Derived<v1::Release>(text).unnamed_remainder().ShortDebugString();
}

TEST(UnnamedRemainderTest, HeadcountLessParticipants) {
  EXPECT_EQ(Remainder("headcount { best: 123 } participants { person: 'persons/a' } "
                      "participants { person: 'persons/b' }"),
            "total { best: 121 }");
  EXPECT_EQ(Remainder("headcount { low: 10 best: 12 high: 15 approximate: true } "
                      "participants { person: 'persons/a' }"),
            "total { low: 9 best: 11 high: 14 approximate: true }");
  EXPECT_EQ(Remainder("headcount { best: 0 }"), "total { best: 0 }");
}

TEST(UnnamedRemainderTest, NoHeadcountNoRemainder) {
  EXPECT_EQ(Remainder("participants { person: 'persons/a' }"), "");
  EXPECT_EQ(Remainder("headcount { text: 'dozens' } participants { person: 'persons/a' }"), "");
}

TEST(UnnamedRemainderTest, NegativeIsSaid) {
  EXPECT_EQ(Remainder("headcount { best: 1 } participants { person: 'persons/a' } "
                      "participants { person: 'persons/b' }"),
            "total { best: -1 }");
}

TEST(UnnamedRemainderTest, ThoseNotFreedDoNotCount) {
  auto with = [](const std::string& kind) {
    return Remainder(
        "headcount { best: 5 } participants { person: 'persons/a' } "
        "participants { person: 'persons/b' outcomes { kind: " +
        kind + " } }");
  };
  EXPECT_EQ(with("DECLINED_RELEASE"), "total { best: 4 }");
  EXPECT_EQ(with("REPORTED_IN_ERROR"), "total { best: 4 }");
  for (const char* counts : {"FREED", "REFUSED_TO_LEAVE", "RETURNED_TO_CUSTODY", "REARRESTED"}) {
    EXPECT_EQ(with(counts), "total { best: 3 }") << counts;
  }
}

TEST(UnnamedRemainderTest, ByGroup) {
  const std::string participants =
      "participants { person: 'persons/a' conditions { kind: EXPELLED } } "
      "participants { person: 'persons/b' conditions { kind: EXPELLED } "
      "  outcomes { kind: REARRESTED } } "
      "participants { person: 'persons/c' outcomes { kind: FREED } } ";
  auto group = [&](const std::string& keys, const std::string& count = "best: 10") {
    return Remainder(participants + "group_counts { id: 'g' " + keys + " count { " + count +
                     " } }");
  };
  EXPECT_EQ(group("keys { dimension: CONDITION value: 'EXPELLED' }"),
            "groups { id: \"g\" count { best: 8 } }");
  EXPECT_EQ(group("keys { dimension: OUTCOME value: 'FREED' }", "low: 0 high: 3"),
            "groups { id: \"g\" count { low: -1 high: 2 } }");
  EXPECT_EQ(group("keys { dimension: CONDITION value: 'EXPELLED' } "
                  "keys { dimension: OUTCOME value: 'REARRESTED' }"),
            "groups { id: \"g\" count { best: 9 } }");
  // Participants don't carry these.
  EXPECT_EQ(group("keys { dimension: GENDER value: 'FEMALE' }"), "");
  EXPECT_EQ(group("keys { dimension: CONDITION value: 'EXPELLED' } "
                  "keys { dimension: NATIONALITY value: 'US' }"),
            "");
  EXPECT_EQ(group("keys { dimension: CONDITION value: 'as they say' }"), "");
  EXPECT_EQ(group("keys { dimension: CONDITION value: 'EXPELLED' }", "text: 'most'"), "");
  EXPECT_EQ(group(""), "");
}

TEST(UnnamedRemainderTest, ThoseNotFreedShareNoCondition) {
  const std::string participants =
      "participants { person: 'persons/a' conditions { kind: EXPELLED } } "
      "participants { person: 'persons/b' conditions { kind: EXPELLED } "
      "  outcomes { kind: DECLINED_RELEASE } } ";
  auto group = [&](const std::string& keys) {
    return Remainder(participants + "group_counts { id: 'g' " + keys + " count { best: 10 } }");
  };
  EXPECT_EQ(group("keys { dimension: CONDITION value: 'EXPELLED' }"),
            "groups { id: \"g\" count { best: 9 } }");
  EXPECT_EQ(group("keys { dimension: OUTCOME value: 'DECLINED_RELEASE' }"),
            "groups { id: \"g\" count { best: 9 } }");
}

TEST(UnnamedRemainderTest, GroupsOfConditionsAndOutcomes) {
  const std::string participants =
      "participants { person: 'persons/a' conditions { kind: EXPELLED } "
      "  conditions { kind: DOCUMENTS_WITHHELD } outcomes { kind: FREED } } "
      "participants { person: 'persons/b' conditions { kind: EXPELLED } "
      "  conditions { kind: EXPELLED } outcomes { kind: REFUSED_TO_LEAVE } "
      "  outcomes { kind: RETURNED_TO_CUSTODY } } "
      "participants { person: 'persons/c' conditions { kind: EXPELLED } "
      "  outcomes { kind: REPORTED_IN_ERROR } } ";
  auto group = [&](const std::string& keys, const std::string& count = "best: 10") {
    return Remainder(participants + "group_counts { id: 'g' " + keys + " count { " + count +
                     " } }");
  };
  auto left = [](const std::string& count) {
    return "groups { id: \"g\" count { " + count + " } }";
  };
  const std::string expelled = "keys { dimension: CONDITION value: 'EXPELLED' } ";
  // A condition stated twice is one; who was reported in error has none.
  EXPECT_EQ(group(expelled), left("best: 8"));
  // Two conditions of one participant.
  EXPECT_EQ(group(expelled + "keys { dimension: CONDITION value: 'DOCUMENTS_WITHHELD' }"),
            left("best: 9"));
  // Two outcomes of one participant, in whatever order.
  EXPECT_EQ(group("keys { dimension: OUTCOME value: 'RETURNED_TO_CUSTODY' } "
                  "keys { dimension: OUTCOME value: 'REFUSED_TO_LEAVE' }"),
            left("best: 9"));
  EXPECT_EQ(group("keys { dimension: OUTCOME value: 'REPORTED_IN_ERROR' }"), left("best: 9"));
  EXPECT_EQ(group(expelled + "keys { dimension: OUTCOME value: 'FREED' }"), left("best: 9"));
  // More named than counted, in each of the bounds; "about" stays.
  EXPECT_EQ(group(expelled, "low: 0 best: 1 high: 2 approximate: true text: 'one or so'"),
            left("low: -2 best: -1 high: 0 approximate: true"));
  EXPECT_EQ(group(expelled, "low: 1"), left("low: -1"));
  EXPECT_EQ(group("keys { dimension: OUTCOME value: 'DECLINED_RELEASE' }"), left("best: 10"));
}

TEST(UnnamedRemainderTest, GroupsInTheirOrderWithTheTotal) {
  EXPECT_EQ(Remainder("headcount { best: 3 } participants { person: 'persons/a' "
                      "  conditions { kind: TRAVEL_BAN } } "
                      "group_counts { id: 'z' keys { dimension: CONDITION value: 'TRAVEL_BAN' } "
                      "  count { best: 1 } } "
                      "group_counts { id: 'n' keys { dimension: NATIONALITY value: 'BY' } "
                      "  count { best: 1 } } "
                      "group_counts { id: 'a' keys { dimension: CONDITION value: 'REPORTING' } "
                      "  count { best: 1 } }"),
            "total { best: 2 } groups { id: \"z\" count { best: 0 } } "
            "groups { id: \"a\" count { best: 1 } }");
}

v1::Commitment::Assessment::Status Status(const std::string& text) {
  return Derived<v1::Commitment>(text).current_status();
}
using Assessment = v1::Commitment::Assessment;

TEST(CurrentStatusTest, LatestOfEachAssessor) {
  EXPECT_EQ(Status(""), Assessment::STATUS_UNSPECIFIED);
  EXPECT_EQ(Status("assessments { status: BROKEN }"), Assessment::BROKEN);
  const std::string us = "assessor { organization: 'organizations/us' }";
  EXPECT_EQ(Status("assessments { date { edtf: '2025-12-13' } status: FULFILLED " + us +
                   "} assessments { date { edtf: '2025-09' } status: IN_PROGRESS " + us + "}"),
            Assessment::FULFILLED);
  // The same latest day: the later earliest one; then the later in the list.
  EXPECT_EQ(Status("assessments { date { edtf: '2025-12-31' } status: FULFILLED } "
                   "assessments { date { edtf: '2025' } status: IN_PROGRESS }"),
            Assessment::FULFILLED);
  EXPECT_EQ(Status("assessments { date { edtf: '2025' } status: FULFILLED } "
                   "assessments { date { edtf: '2025' } status: IN_PROGRESS }"),
            Assessment::IN_PROGRESS);
  // Without a date: before all others.
  EXPECT_EQ(Status("assessments { date { edtf: '2020' } status: FULFILLED } "
                   "assessments { status: IN_PROGRESS }"),
            Assessment::FULFILLED);
}

TEST(CurrentStatusTest, AssessorsThatDifferContest) {
  const std::string by_us = "assessor { organization: 'organizations/us' } ";
  const std::string by_them = "assessor { organization: 'organizations/viasna' } ";
  EXPECT_EQ(Status("assessments { status: FULFILLED " + by_us + "} assessments { status: BROKEN " +
                   by_them + "}"),
            Assessment::CONTESTED);
  EXPECT_EQ(Status("assessments { status: BROKEN " + by_us + "} assessments { status: BROKEN " +
                   by_them + "}"),
            Assessment::BROKEN);
  // One who came round contests no more.
  EXPECT_EQ(Status("assessments { date { edtf: '2024' } status: FULFILLED " + by_us +
                   "} assessments { date { edtf: '2025' } status: BROKEN " + by_us +
                   "} assessments { status: BROKEN " + by_them + "}"),
            Assessment::BROKEN);
}

TEST(CurrentStatusTest, OrderOfDates) {
  const std::string by_us = "assessor { organization: 'organizations/us' } ";
  // A date whose end is open is after all others, one that nobody knows before.
  EXPECT_EQ(Status("assessments { date { edtf: '2020/..' } status: FULFILLED } "
                   "assessments { date { edtf: '2025' } status: BROKEN }"),
            Assessment::FULFILLED);
  EXPECT_EQ(Status("assessments { date { edtf: '../2020' } status: FULFILLED } "
                   "assessments { date { state: UNKNOWN } status: BROKEN }"),
            Assessment::FULFILLED);
  // Nobody named is an assessor too; three who differ by one contest.
  EXPECT_EQ(Status("assessments { status: FULFILLED } assessments { status: BROKEN " + by_us + "}"),
            Assessment::CONTESTED);
  EXPECT_EQ(Status("assessments { status: FULFILLED } assessments { status: FULFILLED " + by_us +
                   "} assessments { status: UNVERIFIABLE assessor { description: 'a lawyer' } }"),
            Assessment::CONTESTED);
  // Where an actor stands in a list is no part of who it is.
  EXPECT_EQ(Status("assessments { date { edtf: '2024' } status: FULFILLED "
                   "assessor { id: 'x' description: 'a lawyer' } } "
                   "assessments { date { edtf: '2025' } status: BROKEN "
                   "assessor { id: 'y' description: 'a lawyer' } }"),
            Assessment::BROKEN);
}

TEST(CurrentStatusTest, IsNotTheCallersToSay) {
  EXPECT_EQ(Status("current_status: FULFILLED"), Assessment::STATUS_UNSPECIFIED);
}

std::string DaysHeld(const std::string& start, const std::string& end) {
  auto date = [](const std::string& field, const std::string& text) {
    return text.empty() ? "" : field + " { " + text + " } ";
  };
  return Derived<v1::Detention>("person: 'persons/a' " + date("start_date", start) +
                                date("end_date", end))
      .days_held()
      .ShortDebugString();
}

TEST(DaysHeldTest, Bounds) {
  EXPECT_EQ(DaysHeld("edtf: '2020-05-29'", "edtf: '2025-06-21'"),
            "low: 1849 best: 1849 high: 1849");
  EXPECT_EQ(DaysHeld("edtf: '2020-05'", "edtf: '2020-06'"), "low: 1 high: 60");
  EXPECT_EQ(DaysHeld("edtf: '2020-05-01'", "edtf: '2020-05-01'"), "low: 0 best: 0 high: 0");
  // Within one month nobody knows the order.
  EXPECT_EQ(DaysHeld("edtf: '2020-05'", "edtf: '2020-05'"), "low: 0 high: 30");
}

TEST(DaysHeldTest, NothingToSay) {
  EXPECT_EQ(DaysHeld("", "edtf: '2025-06-21'"), "");
  EXPECT_EQ(DaysHeld("edtf: '2020-05-29'", ""), "");
  EXPECT_EQ(DaysHeld("edtf: '2020-05-29'", "state: ONGOING"), "");
  EXPECT_EQ(DaysHeld("state: UNKNOWN", "edtf: '2025-06-21'"), "");
  EXPECT_EQ(DaysHeld("edtf: '2025-06-21'", "edtf: '2020-05-29'"), "");
}

TEST(DaysHeldTest, WithoutAnEnd) {
  for (const char* end : {"state: ONGOING", "state: UNKNOWN", "state: NONE", ""}) {
    EXPECT_EQ(DaysHeld("edtf: '2020-05-29'", end), "") << end;
  }
  for (const char* start : {"state: ONGOING", "state: UNKNOWN", "state: NONE", ""}) {
    EXPECT_EQ(DaysHeld(start, "edtf: '2020-05-29'"), "") << start;
  }
}

TEST(DaysHeldTest, OneDayAndLeapDays) {
  EXPECT_EQ(DaysHeld("edtf: '2024-02-29'", "edtf: '2024-02-29'"), "low: 0 best: 0 high: 0");
  EXPECT_EQ(DaysHeld("edtf: '2024-02-28'", "edtf: '2024-03-01'"), "low: 2 best: 2 high: 2");
  EXPECT_EQ(DaysHeld("edtf: '2023-02-28'", "edtf: '2023-03-01'"), "low: 1 best: 1 high: 1");
  EXPECT_EQ(DaysHeld("edtf: '2024'", "edtf: '2024'"), "low: 0 high: 365");
  // The end may be before the start, but not all of it.
  EXPECT_EQ(DaysHeld("edtf: '2024-02-10'", "edtf: '2024-02'"), "low: 0 high: 19");
}

TEST(DaysHeldTest, AboutAndPerhaps) {
  EXPECT_EQ(DaysHeld("edtf: '2020-05-29~'", "edtf: '2020-05-30'"),
            "low: 1 best: 1 high: 1 approximate: true");
  EXPECT_EQ(DaysHeld("edtf: '2020-05-29'", "edtf: '2020-05%'"), "low: 0 high: 2 approximate: true");
  EXPECT_EQ(DaysHeld("edtf: '2020-05-01'", "edtf: '2020-05%'"),
            "low: 0 high: 30 approximate: true");
  EXPECT_EQ(DaysHeld("edtf: '2020-05-29'", "edtf: '2020-05-30?'"), "low: 1 best: 1 high: 1");
}

TEST(DaysHeldTest, IsNotTheCallersToSay) {
  EXPECT_FALSE(Derived<v1::Detention>("person: 'persons/a' days_held { best: 1 }").has_days_held());
}

TEST(DaysHeldTest, OpenDates) {
  EXPECT_EQ(DaysHeld("edtf: '2020-05-29/..'", "edtf: '2020-05-30'"), "high: 1");
  EXPECT_EQ(DaysHeld("edtf: '2021/..'", "edtf: '../2020'"), "");
  EXPECT_EQ(DaysHeld("edtf: '../2020'", "edtf: '2021/..'"), "low: 1");
  EXPECT_EQ(DaysHeld("edtf: '../2020'", "edtf: '../2021'"), "");
  EXPECT_EQ(DaysHeld("edtf: '../2020-05-29'", "edtf: '2020-05-30'"), "low: 1");
  EXPECT_EQ(DaysHeld("edtf: '2020-05-29'", "edtf: '2020-05-30/..'"), "low: 1");
}

}  // namespace
}  // namespace detente::engine
