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

TEST(DaysHeldTest, OpenDates) {
  EXPECT_EQ(DaysHeld("edtf: '../2020-05-29'", "edtf: '2020-05-30'"), "low: 1");
  EXPECT_EQ(DaysHeld("edtf: '2020-05-29'", "edtf: '2020-05-30/..'"), "low: 1");
}

}  // namespace
}  // namespace detente::engine
