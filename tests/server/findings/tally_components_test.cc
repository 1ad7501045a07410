#include "server/findings/testing.h"

namespace detente::findings {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TallyComponentsTest : public FindingsTest {
 protected:
  TallyComponentsTest() {
    Put<v1::Release>("r",
                     "headcount { best: 123 } mechanism: PARDON region_code: 'BY' "
                     "effective_date { edtf: '2025-12-13' }");
    Put<v1::Tally>("s",
                   "count { best: 33 } measure: PARDONED region_code: 'BY' "
                   "start_date { edtf: '2025-11-20' } end_date { edtf: '2025-11-22' }");
  }
  std::vector<std::string> Of(const std::string& text) {
    Put<v1::Tally>("t", "components: 'releases/r' components: 'tallies/s' " + text);
    return Found("tally-components");
  }
};

TEST_F(TallyComponentsTest, Sums) {
  EXPECT_THAT(Of("count { best: 156 } measure: PARDONED region_code: 'BY' "
                 "start_date { edtf: '2025-11-20' } end_date { edtf: '2025-12-13' }"),
              IsEmpty());
  EXPECT_THAT(Of("count { best: 157 }"),
              ElementsAre("WARNING components sum to 156, less than the count of 157 @ tallies/t "
                          "count, releases/r headcount, tallies/s count"));
  EXPECT_THAT(Of("count { high: 155 }"),
              ElementsAre("WARNING components sum to 156, more than the count of at most 155 @ "
                          "tallies/t count, releases/r headcount, tallies/s count"));
  for (const std::string count : {"best: 150 approximate: true", "low: 150", "low: 150 high: 160",
                                  "high: 156", "text: 'dozens'"}) {
    EXPECT_THAT(Of("count { " + count + " }"), IsEmpty()) << count;
  }
  EXPECT_THAT(Of(""), IsEmpty());
}

TEST_F(TallyComponentsTest, WhatIsMissingMakesNoSum) {
  Of("count { best: 1 }");
  Delete("tallies/s");
  EXPECT_THAT(Found("tally-components"), IsEmpty());
}

TEST_F(TallyComponentsTest, OfSomethingElse) {
  EXPECT_THAT(Of("measure: HELD region_code: 'RU' as_of_date { edtf: '2025-12-13' }"),
              ElementsAre("NOTE component releases/r counts those PARDONED, the tally those HELD @ "
                          "tallies/t components, releases/r",
                          "NOTE component releases/r is of region BY, the tally of RU @ tallies/t "
                          "components, releases/r",
                          "NOTE component tallies/s counts those PARDONED, the tally those HELD @ "
                          "tallies/t components, tallies/s",
                          "NOTE component tallies/s is of another day than 2025-12-13 @ tallies/t "
                          "components, tallies/s",
                          "NOTE component tallies/s is of region BY, the tally of RU @ tallies/t "
                          "components, tallies/s"));
  EXPECT_THAT(Of("start_date { edtf: '2025-11-21' } end_date { edtf: '2025-11' }"),
              ElementsAre("NOTE component releases/r ends after the tally's end_date 2025-11 @ "
                          "tallies/t components, releases/r",
                          "NOTE component tallies/s begins before the tally's start_date "
                          "2025-11-21 @ tallies/t components, tallies/s"));
  EXPECT_THAT(Of("measure: RELEASED start_date { edtf: '2025-11-21~' } "
                 "end_date { edtf: '2025-11?' }"),
              IsEmpty());
}

TEST_F(TallyComponentsTest, ItselfAndTwice) {
  Of("count { best: 156 }");
  EXPECT_THAT(Of("count { best: 1 } components: 'tallies/t' components: 'releases/r'"),
              ElementsAre("WARNING component releases/r is added twice @ tallies/t components, "
                          "releases/r",
                          "ERROR component tallies/t is the tally itself @ tallies/t components, "
                          "tallies/t"));
}

}  // namespace
}  // namespace detente::findings
