#include "server/findings/testing.h"

namespace detente::findings {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DetentionStatusTest : public FindingsTest {
 protected:
  // Of a person's only spell.
  std::vector<std::string> Of(const std::string& text) {
    Put<v1::Detention>("d", "person: 'persons/a' " + text);
    return Found("detention-status");
  }
  // Of a release with one participant, freed from that spell.
  std::vector<std::string> Of(
      const std::string& detention, const std::string& participant,
      const std::string& release = "effective_date { edtf: '2025-12-13' }") {
    Put<v1::Detention>("d", "person: 'persons/a' " + detention);
    Put<v1::Release>("r", release +
                              " participants { id: 'p' person: 'persons/a' "
                              "detention: 'detentions/d' " +
                              participant + " }");
    return Found("detention-status");
  }
};

TEST_F(DetentionStatusTest, NothingOdd) {
  EXPECT_THAT(Of(""), IsEmpty());
  EXPECT_THAT(Of("status: HELD_ON_TRIAL"), IsEmpty());
  EXPECT_THAT(Of("status: HELD_ON_TRIAL end_date { state: ONGOING }"), IsEmpty());
  EXPECT_THAT(Of("status: RELEASED_ACQUITTED end_date { edtf: '2020' } end_reason: ACQUITTAL"),
              IsEmpty());
  EXPECT_THAT(Of("status: ESCAPED end_date { edtf: '2020' } end_reason: ESCAPE"), IsEmpty());
  EXPECT_THAT(Of("status: HELD_ARBITRARILY end_reason: TRANSFERRED end_date { state: UNKNOWN }"),
              IsEmpty());
}

TEST_F(DetentionStatusTest, HeldThoughEnded) {
  EXPECT_THAT(Of("status: HELD_SERVING_SENTENCE end_date { edtf: '2025-12-13' }"),
              ElementsAre("WARNING status is HELD_SERVING_SENTENCE, but the spell ended: end_date "
                          "is 2025-12-13 @ detentions/d status, detentions/d end_date"));
  EXPECT_THAT(Of("status: HELD_ON_TRIAL end_reason: PARDON end_date { state: UNKNOWN }"),
              ElementsAre("WARNING status is HELD_ON_TRIAL, but end_reason is PARDON @ "
                          "detentions/d status, detentions/d end_reason"));
  // A date to come, and dates that may be yet to come.
  EXPECT_THAT(Of("status: HELD_SERVING_SENTENCE end_date { edtf: '2900-12-13' }"), IsEmpty());
  EXPECT_THAT(Of("status: HELD_SERVING_SENTENCE end_date { edtf: '2020/2900' }"), IsEmpty());
  EXPECT_THAT(Of("status: HELD_SERVING_SENTENCE end_date { edtf: '2020/..' }"), IsEmpty());
  EXPECT_THAT(Of("status: HELD_SERVING_SENTENCE end_date { edtf: '2020?' }"), IsEmpty());
  EXPECT_THAT(Of("status: HELD_SERVING_SENTENCE end_date { edtf: '2020~' }"), IsEmpty());
}

TEST_F(DetentionStatusTest, ReleasedThoughNotEnded) {
  EXPECT_THAT(Of("status: RELEASED_SERVED_SENTENCE end_date { state: ONGOING }"),
              ElementsAre("WARNING status is RELEASED_SERVED_SENTENCE, but end_date is ONGOING @ "
                          "detentions/d status, detentions/d end_date"));
  EXPECT_THAT(Of("status: RELEASED_ACQUITTED end_date { edtf: '2020' } end_reason: DIED"),
              ElementsAre("WARNING status is RELEASED_ACQUITTED, but end_reason is DIED @ "
                          "detentions/d status, detentions/d end_reason"));
  EXPECT_THAT(Of("status: ESCAPED end_date { edtf: '2020' } end_reason: PARDON"),
              ElementsAre("WARNING status is ESCAPED, but end_reason is PARDON @ detentions/d "
                          "status, detentions/d end_reason"));
}

TEST_F(DetentionStatusTest, EndReasonWithoutEnd) {
  EXPECT_THAT(Of("end_reason: PARDON"),
              ElementsAre("WARNING end_reason is PARDON, but end_date is absent @ detentions/d "
                          "end_reason, detentions/d end_date"));
  EXPECT_THAT(Of("end_reason: PARDON end_date { state: ONGOING }"),
              ElementsAre("WARNING end_reason is PARDON, but end_date is ONGOING @ detentions/d "
                          "end_reason, detentions/d end_date"));
  EXPECT_THAT(Of("end_reason: PARDON end_date { state: UNKNOWN }"), IsEmpty());
}

TEST_F(DetentionStatusTest, EndBeforeStart) {
  EXPECT_THAT(Of("start_date { edtf: '2021-07-14' } end_date { edtf: '2021-07' }"), IsEmpty());
  EXPECT_THAT(Of("start_date { edtf: '2021-07-14' } end_date { edtf: '2021-06' }"),
              ElementsAre("ERROR end_date 2021-06 is before start_date 2021-07-14 @ detentions/d "
                          "end_date, detentions/d start_date"));
  EXPECT_THAT(Of("start_date { edtf: '2021-07-14?' } end_date { edtf: '2021-06' }"), IsEmpty());
  EXPECT_THAT(Of("start_date { edtf: '2021-07-14' } end_date { edtf: '2021-06~' }"), IsEmpty());
}

TEST_F(DetentionStatusTest, OutsideTheSpell) {
  const std::string spell = "start_date { edtf: '2021' } end_date { edtf: '2023' } ";
  EXPECT_THAT(Of(spell + "placements { id: 'x' kind: 'penal colony' "
                         "start_date { edtf: '2020' } end_date { edtf: '2024-01-01' } }"),
              ElementsAre("WARNING penal colony ends on 2024-01-01, after the spell ended on 2023 "
                          "@ detentions/d placements[\"x\"].end_date, detentions/d end_date",
                          "WARNING penal colony starts on 2020, before the spell starts on 2021 @ "
                          "detentions/d placements[\"x\"].start_date, detentions/d start_date"));
  EXPECT_THAT(Of("placements { id: 'x' start_date { edtf: '2020' } end_date { edtf: '2019' } }"),
              ElementsAre("ERROR a stay ends on 2019, before it starts on 2020 @ detentions/d "
                          "placements[\"x\"].end_date, detentions/d placements[\"x\"].start_date"));
  EXPECT_THAT(Of(spell + "proceedings { id: 'x' stage: ARRESTED date { edtf: '2020-12' } }"),
              ElementsAre("WARNING ARRESTED is dated 2020-12, before the spell starts on 2021 @ "
                          "detentions/d proceedings[\"x\"].date, detentions/d start_date"));
  EXPECT_THAT(Of(spell + "proceedings { id: 'x' stage: APPEAL date { edtf: '2025' } }"),
              ElementsAre("NOTE APPEAL is dated 2025, after the spell ended on 2023 @ "
                          "detentions/d proceedings[\"x\"].date, detentions/d end_date"));
  EXPECT_THAT(Of(spell + "placements { start_date { edtf: '2020/2021' } } "
                         "placements { end_date { edtf: '2023/..' } } "
                         "proceedings { stage: ARRESTED date { edtf: '2020-12~' } } "
                         "proceedings { stage: VERDICT }"),
              IsEmpty());
}

TEST_F(DetentionStatusTest, AnotherPersonsSpell) {
  Put<v1::Detention>("d", "person: 'persons/b'");
  Put<v1::Release>("r", "participants { id: 'p' person: 'persons/a' detention: 'detentions/d' }");
  EXPECT_THAT(Found("detention-status"),
              ElementsAre("ERROR persons/a is said to be freed from detentions/d, which is a spell "
                          "of persons/b @ releases/r participants[\"p\"].detention, detentions/d "
                          "person"));
  Delete("detentions/d");
  EXPECT_THAT(Found("detention-status"), IsEmpty());
}

TEST_F(DetentionStatusTest, FreedButOpen) {
  const std::string freed = "outcomes { id: 'o' kind: FREED }";
  EXPECT_THAT(Of("end_date { state: ONGOING }", freed),
              ElementsAre("WARNING persons/a was freed, but detentions/d is still open: end_date "
                          "is ONGOING @ releases/r participants[\"p\"].outcomes[\"o\"].kind, "
                          "detentions/d end_date"));
  EXPECT_EQ(Of("", freed).size(), 1U);
  EXPECT_THAT(Of("end_date { state: UNKNOWN }", freed), IsEmpty());
  // Not freed after all, or nobody says so.
  EXPECT_THAT(Of("end_date { state: ONGOING }", ""), IsEmpty());
  for (const char* kind :
       {"DECLINED_RELEASE", "REPORTED_IN_ERROR", "RETURNED_TO_CUSTODY", "REFUSED_TO_LEAVE"}) {
    const std::string outcome = std::string("outcomes { kind: ") + kind + " }";
    EXPECT_THAT(Of("end_date { state: ONGOING }", outcome), IsEmpty()) << kind;
  }
  EXPECT_THAT(Of("end_date { state: ONGOING }", freed + " outcomes { kind: REPORTED_IN_ERROR }"),
              IsEmpty());
}

TEST_F(DetentionStatusTest, FreedOnAnotherDay) {
  const std::string freed = "outcomes { id: 'o' kind: FREED }";
  EXPECT_THAT(Of("end_date { edtf: '2025-12-14' }", freed),
              ElementsAre("WARNING persons/a was freed on 2025-12-13, but detentions/d ended on "
                          "2025-12-14 @ releases/r effective_date, detentions/d end_date"));
  // The outcome's own date goes before the release's.
  EXPECT_THAT(Of("end_date { edtf: '2025-12-13' }",
                 "outcomes { id: 'o' kind: FREED date { edtf: '2025-12-15' } }"),
              ElementsAre("WARNING persons/a was freed on 2025-12-15, but detentions/d ended on "
                          "2025-12-13 @ releases/r participants[\"p\"].outcomes[\"o\"].date, "
                          "detentions/d end_date"));
  for (const char* possible :
       {"2025-12-13", "2025-12", "2025", "2025-12-01/..", "2024?", "2024~"}) {
    EXPECT_THAT(Of(std::string("end_date { edtf: '") + possible + "' }", freed), IsEmpty())
        << possible;
  }
  EXPECT_THAT(Of("end_date { edtf: '2020' }", freed, ""), IsEmpty());
}

TEST_F(DetentionStatusTest, FreedBySomethingElse) {
  const std::string freed = "outcomes { id: 'o' kind: FREED } ";
  const std::string end = "end_date { edtf: '2025' } ";
  EXPECT_THAT(Of(end + "end_reason: AMNESTY", freed, "mechanism: PARDON"),
              ElementsAre("NOTE persons/a was freed by PARDON, but detentions/d ended by AMNESTY @ "
                          "releases/r mechanism, detentions/d end_reason"));
  EXPECT_THAT(Of(end + "end_reason: AMNESTY", freed + "mechanism: AMNESTY", "mechanism: PARDON"),
              IsEmpty());
  EXPECT_EQ(Of(end + "end_reason: AMNESTY", freed + "mechanism: EXPULSION", "").size(), 1U);
  EXPECT_THAT(Of(end + "end_reason: UNKNOWN", freed, "mechanism: PARDON"), IsEmpty());
  EXPECT_THAT(Of(end, freed, "mechanism: PARDON"), IsEmpty());
}

}  // namespace
}  // namespace detente::findings
