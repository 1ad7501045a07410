#include "absl/strings/str_cat.h"
#include "server/findings/testing.h"

namespace detente::findings {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ReArrestChainTest : public FindingsTest {
 protected:
  // A spell of persons/a; dates in EDTF or by their state, empty = absent.
  void Spell(const std::string& id, const std::string& start, const std::string& end,
             const std::string& more = "") {
    auto date = [](const std::string& field, const std::string& text) {
      if (text.empty()) return std::string();
      return absl::StrCat(field, text == "ONGOING" ? " { state: ONGOING } "
                                                   : absl::StrCat(" { edtf: '", text, "' } "));
    };
    Put<v1::Detention>(id, absl::StrCat("person: 'persons/a' ", date("start_date", start),
                                        date("end_date", end), more));
  }
  std::vector<std::string> Found() { return FindingsTest::Found("re-arrest-chain"); }

  static std::string Previous(const std::string& id) {
    return absl::StrCat("previous: 'detentions/", id, "'");
  }
  void Freed(const std::string& outcomes, const std::string& more = "") {
    Put<v1::Release>("r", absl::StrCat("effective_date { edtf: '2020-06-01' } participants { id: "
                                       "'p' person: 'persons/a' ",
                                       outcomes, " ", more, " }"));
  }
};

TEST_F(ReArrestChainTest, NothingOdd) {
  Spell("x", "2011-08", "2014-06");
  Spell("y", "2021-07-14", "2025-12-13", Previous("x"));
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(ReArrestChainTest, Overlap) {
  Spell("x", "2020", "2022-05-01");
  Spell("y", "2022-04-30", "", Previous("x"));
  EXPECT_THAT(Found(), ElementsAre("WARNING persons/a is held in two spells at one time: "
                                   "detentions/x and detentions/y @ detentions/x, detentions/y"));
  // One that goes on overlaps all that begin later.
  Spell("x", "2020", "ONGOING");
  EXPECT_EQ(Found().size(), 1U);
  // Of another person.
  Put<v1::Detention>("y", "person: 'persons/b' start_date { edtf: '2022' }");
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(ReArrestChainTest, PossibleOverlap) {
  for (const auto& [end, start] : std::vector<std::pair<std::string, std::string>>{
           {"2022-05-01", "2022-05-01"},  // freed and arrested on one day
           {"2022", "2022"},
           {"2022-05", "2022"},
           {"2022-05-01?", "2022-04-01"},
           {"2022-05-01", "2022-04-01~"},
           {"", "2022"},
           {"2022/..", "2023"}}) {
    Spell("x", "2020", end);
    Spell("y", start, "2024", Previous("x"));
    EXPECT_THAT(Found(), IsEmpty()) << end << " " << start;
  }
}

TEST_F(ReArrestChainTest, PreviousIsMissing) {
  Spell("x", "2011", "2014");
  Spell("y", "2016", "2017", Previous("x"));
  Spell("z", "2021", "");
  EXPECT_THAT(Found(),
              ElementsAre("WARNING persons/a was held before, in detentions/y, but previous is "
                          "empty @ detentions/z previous, detentions/y start_date"));
  Spell("z", "2016/2021", "");  // may be the second
  Spell("y", "2021", "", Previous("x"));
  EXPECT_EQ(Found().size(), 1U);  // certainly after x
  Spell("z", "", "");
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(ReArrestChainTest, PreviousIsWrong) {
  Spell("x", "2011", "2014");
  Spell("y", "2016", "2017", Previous("x"));
  Spell("z", "2021", "", Previous("x"));
  EXPECT_THAT(Found(),
              ElementsAre("WARNING previous is detentions/x, but detentions/y lies between "
                          "@ detentions/z previous, detentions/y start_date"));
  Spell("z", "2021", "", Previous("y"));
  Spell("x", "2011", "2014", Previous("z"));
  Spell("y", "2016", "2017");
  EXPECT_THAT(Found(),
              ElementsAre("ERROR previous is detentions/z, which starts later @ detentions/x "
                          "previous, detentions/z start_date",
                          "WARNING persons/a was held before, in detentions/x, but previous is "
                          "empty @ detentions/y previous, detentions/x start_date"));
}

TEST_F(ReArrestChainTest, PreviousOfAnotherPerson) {
  Put<v1::Detention>("other", "person: 'persons/b'");
  Spell("y", "2016", "2017", Previous("other"));
  EXPECT_THAT(Found(), ElementsAre("ERROR previous is detentions/other, a spell of persons/b, but "
                                   "this one is of persons/a @ detentions/y previous, "
                                   "detentions/other person"));
  Delete("detentions/other");
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(ReArrestChainTest, Circles) {
  Spell("x", "", "");
  Spell("x", "", "", Previous("x"));
  EXPECT_THAT(Found(), ElementsAre("ERROR previous is the spell itself @ detentions/x previous"));
  Spell("y", "", "", Previous("x"));
  Spell("z", "", "", Previous("y"));
  Spell("x", "", "", Previous("z"));
  Spell("w", "", "", Previous("x"));  // leads into it, is not in it
  EXPECT_THAT(Found(), ElementsAre("ERROR previous leads round in a circle of 3 spells @ "
                                   "detentions/x previous, detentions/z previous, detentions/y "
                                   "previous"));
}

TEST_F(ReArrestChainTest, ReArrestedButNoSpell) {
  const std::string outcome = "outcomes { id: 'o' kind: REARRESTED date { edtf: '2020-07' } }";
  Freed(outcome);
  const std::string expected =
      "WARNING persons/a was REARRESTED on 2020-07, but no spell of detention starts then or later "
      "@ releases/r participants[\"p\"].outcomes[\"o\"].kind, persons/a";
  EXPECT_THAT(Found(), ElementsAre(expected));
  Spell("x", "2019", "2020-06");
  EXPECT_THAT(Found(), ElementsAre(expected));
  for (const char* possible : {"2020-07-15", "2020", "2021", "2019~", "../2020-07-02", ""}) {
    Spell("x", possible, "");
    EXPECT_THAT(Found(), IsEmpty()) << possible;
  }
  // The spell that the release ended is not the one after it.
  Freed(outcome, "detention: 'detentions/x'");
  EXPECT_THAT(Found(), ElementsAre(expected));
}

TEST_F(ReArrestChainTest, ReturnedButNotHeld) {
  Spell("x", "2019", "2020-05-31");
  Freed("outcomes { id: 'o' kind: RETURNED_TO_CUSTODY }", "detention: 'detentions/x'");
  EXPECT_THAT(Found(),
              ElementsAre("WARNING persons/a was RETURNED_TO_CUSTODY on 2020-06-01, but no spell "
                          "of detention lasts then or later @ releases/r "
                          "participants[\"p\"].outcomes[\"o\"].kind, persons/a"));
  for (const char* end : {"2021", "ONGOING", "", "2020", "2020-05?"}) {
    Spell("x", "2019", end);
    EXPECT_THAT(Found(), IsEmpty()) << end;
  }
}

TEST_F(ReArrestChainTest, AChainThatNoOutcomeTells) {
  Spell("x", "2019", "2020-06-01");
  Spell("y", "2021", "2022", Previous("x"));
  Spell("z", "2023", "", Previous("y"));
  Freed("outcomes { id: 'o' kind: FREED }", "detention: 'detentions/x'");
  EXPECT_THAT(Found(), ElementsAre("NOTE persons/a was freed on 2020-06-01 and held again later, "
                                   "in detentions/y; no outcome says REARRESTED @ releases/r "
                                   "participants[\"p\"].outcomes, detentions/y start_date"));
  Freed("outcomes { id: 'o' kind: FREED } outcomes { kind: REARRESTED }",
        "detention: 'detentions/x'");
  EXPECT_THAT(Found(), IsEmpty());
  Delete("detentions/z");
  Freed("outcomes { id: 'o' kind: FREED }", "detention: 'detentions/x'");
  Spell("y", "2020", "2022", Previous("x"));  // perhaps before
  EXPECT_THAT(Found(), IsEmpty());
}

}  // namespace
}  // namespace detente::findings
