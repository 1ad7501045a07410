// The search itself: order, where it goes on, past states, calls that end.
#include "absl/strings/str_cat.h"
#include "server/findings/testing.h"

namespace detente::findings {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class SearchTest : public FindingsTest {
 protected:
  // All findings, in pages of `size`; counts the calls.
  std::vector<std::string> Pages(size_t size, const std::string& record = "") {
    std::vector<std::string> lines;
    Query query;
    query.view = *engine_->View(std::nullopt);
    query.record = record;
    for (const Check& check : Checks()) query.checks.push_back(&check);
    bool more = true;
    while (more) {
      size_t taken = 0;
      more = false;
      Position last;
      EXPECT_TRUE(Find(
                      *engine_, query, [] { return absl::OkStatus(); },
                      [&](const Check& check, const Finding& finding, const Position& position) {
                        if (taken == size) {
                          more = true;
                          return false;
                        }
                        ++taken;
                        last = position;
                        lines.push_back(absl::StrCat(check.name, " ", ToLine(finding)));
                        return true;
                      })
                      .ok());
      query.after = Position::Decode(last.Encode());
    }
    return lines;
  }

  // 300 spells and 30 releases with something odd of several checks each.
  void Fill() {
    for (int i = 0; i < 300; ++i) {
      Put<v1::Detention>(absl::StrCat("d", i),
                         "person: 'persons/a' status: HELD_ON_TRIAL end_reason: PARDON "
                         "start_date { edtf: '2020' } end_date { edtf: '2019' } "
                         "external_ids { authority: 'x' value: '" +
                             absl::StrCat(i / 2) + "' }");
    }
    for (int i = 0; i < 30; ++i) {
      Put<v1::Release>(absl::StrCat("r", i),
                       "headcount { best: 0 } participants { id: 'p' person: 'persons/b' "
                       "detention: 'detentions/d1' }");
    }
    Delete("persons/c");
  }
};

TEST_F(SearchTest, PagesOfAnySizeAreTheWhole) {
  Fill();
  const std::vector<std::string> all = Pages(1'000'000);
  EXPECT_THAT(all, SizeIs(300 * 3 + 30 + 30 + 150));
  for (size_t size : {1U, 2U, 7U, 256U, 1'110U}) EXPECT_EQ(Pages(size), all) << size;
}

TEST_F(SearchTest, OfOneRecord) {
  Fill();
  EXPECT_THAT(Pages(2, "detentions/d1"), SizeIs(3 + 30 + 1));
  EXPECT_THAT(Pages(2, "releases/r3"), SizeIs(2));
  EXPECT_THAT(Pages(2, "persons/a"), IsEmpty());
  EXPECT_THAT(Pages(2, "persons/none"), IsEmpty());
}

TEST_F(SearchTest, PastStates) {
  Put<v1::Detention>("d", "person: 'persons/a' end_reason: PARDON");
  const store::Revision odd = revision();
  Put<v1::Detention>("d", "person: 'persons/a' end_reason: PARDON end_date { edtf: '2020' }");
  EXPECT_THAT(Found("detention-status"), IsEmpty());
  EXPECT_THAT(Found("detention-status", odd), SizeIs(1));
  EXPECT_THAT(Found("detention-status", odd - 1), IsEmpty());
  Put<v1::Detention>("d", "person: 'persons/a' end_reason: PARDON");
  Delete("detentions/d");
  EXPECT_THAT(Found("detention-status"), IsEmpty());
}

TEST_F(SearchTest, AnEmptyStore) {
  engine_ = testing::OpenEngine();
  EXPECT_THAT(Pages(1), IsEmpty());
}

TEST_F(SearchTest, EndsWithTheCall) {
  Fill();
  for (const Check& check : Checks()) {
    int asked = 0;
    Query query;
    query.view = *engine_->View(std::nullopt);
    query.checks = {&check};
    const absl::Status status = Find(
        *engine_, query, [&] { return ++asked > 20 ? absl::CancelledError("") : absl::OkStatus(); },
        [](const Check&, const Finding&, const Position&) { return true; });
    // There are no commitments and no tallies to go through.
    if (check.name == "overdue-commitments" || check.name == "tally-components") continue;
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << check.name;
    EXPECT_EQ(asked, 21) << check.name;
  }
}

TEST_F(SearchTest, NamesOfChecks) {
  for (const Check& check : Checks()) {
    EXPECT_EQ(FindCheck(check.name), &check);
    EXPECT_EQ(NearestCheck(check.name), check.name);
    EXPECT_THAT(std::string(check.name), ::testing::MatchesRegex("[a-z]+(-[a-z]+)*"));
    EXPECT_FALSE(check.description.empty());
  }
  EXPECT_EQ(FindCheck("detention"), nullptr);
  EXPECT_EQ(FindCheck(""), nullptr);
  EXPECT_EQ(NearestCheck("groups_dont_sum"), "groups-do-not-sum");
  EXPECT_NE(FindCheck(NearestCheck(std::string(100'000, 'x'))), nullptr);
}

TEST(PositionTest, Decoding) {
  const Position position{"re-arrest-chain", "detentions/a", 3};
  EXPECT_EQ(Position::Decode(position.Encode()).record, "detentions/a");
  EXPECT_EQ(Position::Decode(position.Encode()).taken, 3U);
  EXPECT_EQ(Position::Decode("").check, "");
  EXPECT_EQ(Position::Decode("a\nb\nc").check, "");
}

}  // namespace
}  // namespace detente::findings
