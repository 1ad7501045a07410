#include "evidence/decide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "evidence/told.h"
#include "server/evidence/sources.h"

namespace detente::evidence {
namespace {

using v1::Evidence;

class DecideTest : public ::testing::Test {
 protected:
  DecideTest() {
    for (const char* letter : {"A", "B", "C", "D", "E", "F"}) {
      sources_.Add(absl::StrCat("sources/", std::string(1, static_cast<char>(letter[0] + 32))),
                   absl::StrCat("reliability: ", letter));
    }
    sources_.Add("sources/unjudged", "");
  }

  // A citation of the region, of which the record says BY.
  std::string Cites(const std::string& id, const std::string& source, const std::string& value,
                    const std::string& more = "") {
    return absl::StrCat(
        " citations { id: '", id, "' source: 'sources/", source, "' fields: 'region_code' ",
        value.empty() ? "" : absl::StrCat("asserted_value: '", value, "' "), more, " }");
  }

  // "value by citations: reason".
  std::string By(Evidence::ValuePolicy policy, const std::string& citations) {
    const v1::Release record = Stored("region_code: 'BY' " + citations);
    const Dossier dossier(testing::ResourceOf(record), record);
    const query::Path path = At("region_code");
    auto decided = Decide(policy, query::ValueAt(record, path), dossier.BearingsOn(path),
                          [&](absl::string_view name) { return sources_.Find(name); });
    EXPECT_TRUE(decided.ok());
    return absl::StrCat(decided->value.value_or("absent"), " by ",
                        absl::StrJoin(decided->claims, ",",
                                      [](std::string* out, const Claim* claim) {
                                        out->append(claim->citation->id());
                                      }),
                        ": ", decided->reason);
  }

  Sources sources_;
};

const std::string kLT = "\"LT\"";
const std::string kPL = "\"PL\"";

TEST_F(DecideTest, NothingSaidAgainstIt) {
  for (auto policy : {Evidence::MOST_RELIABLE, Evidence::LATEST, Evidence::MAJORITY}) {
    EXPECT_EQ(By(policy, ""), "\"BY\" by : ");
    EXPECT_EQ(By(policy, Cites("1", "f", "")), "\"BY\" by : ");
    EXPECT_EQ(By(policy, Cites("1", "a", kLT, "rank: DEPRECATED")), "\"BY\" by : ");
    EXPECT_EQ(By(policy, Cites("1", "a", "", "stance: MENTIONS")), "\"BY\" by : ");
  }
}

TEST_F(DecideTest, MostReliable) {
  const auto by = [&](const std::string& citations) {
    return By(Evidence::MOST_RELIABLE, citations);
  };
  EXPECT_EQ(by(Cites("1", "d", "") + Cites("2", "b", kLT)), "\"LT\" by 2: reliability B over D");
  EXPECT_EQ(by(Cites("1", "b", "") + Cites("2", "d", kLT)), "\"BY\" by 1: reliability B over D");
  EXPECT_EQ(by(Cites("1", "c", "") + Cites("2", "unjudged", kLT)),
            "\"BY\" by 1: reliability C over not judged");
  EXPECT_EQ(by(Cites("1", "unjudged", "") + Cites("2", "d", kLT)),
            "\"BY\" by 1: reliability not judged over D");
  EXPECT_EQ(by(Cites("1", "e", "") + Cites("2", "f", kLT)), "\"BY\" by 1: reliability E over F");
  EXPECT_EQ(by(Cites("1", "gone", "") + Cites("2", "c", kLT)),
            "\"LT\" by 2: reliability C over not judged");
  EXPECT_EQ(by(Cites("1", "a", "") + Cites("2", "f", kLT, "rank: PREFERRED")),
            "\"LT\" by 2: rank PREFERRED over NORMAL");
  EXPECT_EQ(by(Cites("1", "a", "", "credibility: DOUBTFUL") +
               Cites("2", "a", kLT, "credibility: PROBABLE")),
            "\"LT\" by 2: credibility PROBABLE over DOUBTFUL");
  EXPECT_EQ(by(Cites("1", "a", "", "credibility: DOUBTFUL") + Cites("2", "a", kLT)),
            "\"LT\" by 2: credibility not judged over DOUBTFUL");
  // Alike.
  EXPECT_EQ(by(Cites("1", "b", kLT) + Cites("2", "b", "") + Cites("3", "b", kPL)),
            "\"BY\" by 2: alike: the record's own stays");
  EXPECT_EQ(by(Cites("1", "b", kLT) + Cites("2", "b", kPL)), "\"LT\" by 1: alike: the first cited");
  EXPECT_EQ(by(Cites("1", "f", kLT)), "\"LT\" by 1: no citation has another");
}

TEST_F(DecideTest, AContradictionWithoutAValueSpeaksForAbsence) {
  EXPECT_EQ(
      By(Evidence::MOST_RELIABLE, Cites("1", "b", "") + Cites("2", "a", "", "stance: CONTRADICTS")),
      "absent by 2: reliability A over B");
  EXPECT_EQ(
      By(Evidence::MAJORITY, Cites("1", "b", "") + Cites("2", "a", "", "stance: CONTRADICTS") +
                                 Cites("3", "c", "null")),
      "absent by 2,3: 2 sources over 1");
}

TEST_F(DecideTest, Latest) {
  const auto by = [&](const std::string& citations) { return By(Evidence::LATEST, citations); };
  const auto on = [](const std::string& date) {
    return absl::StrCat("assert_date { edtf: '", date, "' }");
  };
  EXPECT_EQ(by(Cites("1", "a", "", on("2025-12-13")) + Cites("2", "f", kLT, on("2025-12-14"))),
            "\"LT\" by 2: 2025-12-14 over 2025-12-13");
  // The last day it can be, then the first.
  EXPECT_EQ(by(Cites("1", "a", "", on("2025-12-31")) + Cites("2", "f", kLT, on("2025-12"))),
            "\"BY\" by 1: 2025-12-31 over 2025-12");
  EXPECT_EQ(by(Cites("1", "a", "", on("2025-12")) + Cites("2", "f", kLT, on("2025-11/.."))),
            "\"LT\" by 2: 2025-11/.. over 2025-12");
  EXPECT_EQ(by(Cites("1", "a", "") + Cites("2", "f", kLT, on("1999"))),
            "\"LT\" by 2: 1999 over no date");
  EXPECT_EQ(by(Cites("1", "a", "") + Cites("2", "f", kLT)),
            "\"BY\" by 1: alike: the record's own stays");
  sources_.Add("sources/new",
               "publish_date { edtf: '2026' earliest { year: 2026 month: 1 day: 1 } "
               "latest { year: 2026 month: 12 day: 31 } }");
  EXPECT_EQ(by(Cites("1", "new", kPL) + Cites("2", "a", kLT, on("2025"))),
            "\"PL\" by 1: 2026 over 2025");
}

TEST_F(DecideTest, MajorityCountsSources) {
  const auto by = [&](const std::string& citations) { return By(Evidence::MAJORITY, citations); };
  EXPECT_EQ(by(Cites("1", "a", "") + Cites("2", "e", kLT) + Cites("3", "f", kLT)),
            "\"LT\" by 2,3: 2 sources over 1");
  EXPECT_EQ(by(Cites("1", "a", "") + Cites("2", "e", kLT) + Cites("3", "e", kLT)),
            "\"BY\" by 1: 1 source each: the record's own stays");
  EXPECT_EQ(by(Cites("1", "a", kPL) + Cites("2", "e", kLT)),
            "\"PL\" by 1: 1 source each: the first cited");
  EXPECT_EQ(by(Cites("1", "a", "") + Cites("2", "a", kLT)),
            "\"BY\" by 1: 1 source over 0");  // a source that says both has one vote
}

TEST_F(DecideTest, SourcesThatRestOnOneAnotherCountOnce) {
  const auto by = [&](const std::string& citations) { return By(Evidence::MAJORITY, citations); };
  const std::string citations =
      Cites("1", "a", "") + Cites("2", "x", kLT) + Cites("3", "y", kLT) + Cites("4", "z", kLT);
  EXPECT_EQ(by(citations), "\"LT\" by 2,3,4: 3 sources over 1");
  // x tells from y; z and y from a root, which does not cite the record.
  sources_.Add("sources/x", "based_on: 'sources/y'");
  sources_.Add("sources/y", "based_on: 'sources/middle'");
  sources_.Add("sources/middle", "based_on: 'sources/root'");
  sources_.Add("sources/z", "based_on: 'sources/root'");
  EXPECT_EQ(by(citations), "\"BY\" by 1: 1 source each: the record's own stays");
  // A circle ends.
  sources_.Add("sources/root", "based_on: 'sources/x'");
  EXPECT_EQ(by(citations), "\"BY\" by 1: 1 source each: the record's own stays");
  // Of a group that disagrees, most of its sources.
  EXPECT_EQ(by(citations + Cites("5", "middle", kPL)),
            "\"BY\" by 1: 1 source each: the record's own stays");
}

}  // namespace
}  // namespace detente::evidence
