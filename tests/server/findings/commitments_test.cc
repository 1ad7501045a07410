#include "server/findings/testing.h"

namespace detente::findings {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class OverdueCommitmentsTest : public FindingsTest {
 protected:
  std::vector<std::string> Of(const std::string& text) {
    Put<v1::Commitment>("c", text);
    return Found("overdue-commitments");
  }
};

TEST_F(OverdueCommitmentsTest, PastAndNotAssessed) {
  EXPECT_THAT(Of("due_date { edtf: '2020' }"),
              ElementsAre("NOTE was due by 2020, and nobody has assessed it @ commitments/c "
                          "due_date, commitments/c assessments"));
  EXPECT_THAT(Of("due_date { edtf: '2020' } assessments { status: IN_PROGRESS }"),
              ElementsAre("NOTE was due by 2020, and the latest assessment is IN_PROGRESS @ "
                          "commitments/c due_date, commitments/c assessments"));
}

TEST_F(OverdueCommitmentsTest, NotYetOrSettled) {
  EXPECT_THAT(Of(""), IsEmpty());
  EXPECT_THAT(Of("due_date { state: UNKNOWN }"), IsEmpty());
  for (const std::string due : {"2900", "2020/2900", "2020/..", "2020~", "2020?"}) {
    EXPECT_THAT(Of("due_date { edtf: '" + due + "' }"), IsEmpty()) << due;
  }
  for (const std::string status : {"PARTLY_FULFILLED", "FULFILLED", "BROKEN", "UNVERIFIABLE"}) {
    EXPECT_THAT(Of("due_date { edtf: '2020' } assessments { status: " + status + " }"), IsEmpty())
        << status;
  }
}

}  // namespace
}  // namespace detente::findings
