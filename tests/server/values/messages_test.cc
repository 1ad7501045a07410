#include "values/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace detente::values {
namespace {

using v1::UncertainDate;

std::string Text(bool has, const google::type::Date& date) {
  return has ? absl::StrCat(date.year(), "-", date.month(), "-", date.day()) : "";
}

// Bounds and precision, or what is wrong.
std::string Normalized(const std::string& edtf) {
  UncertainDate date;
  date.set_edtf(edtf);
  std::vector<Violation> violations;
  NormalizeDate(&date, &violations);
  EXPECT_EQ(date.edtf(), edtf);
  if (!violations.empty()) {
    EXPECT_FALSE(date.has_earliest() || date.has_latest());
    return absl::StrCat(violations[0].field, ": ", violations[0].description);
  }
  EXPECT_EQ(date.state(), UncertainDate::VALUE);
  return absl::StrCat(
      Text(date.has_earliest(), date.earliest()), "/", Text(date.has_latest(), date.latest()), " ",
      UncertainDate::Precision_Name(date.precision()), date.approximate() ? " approximate" : "",
      date.uncertain() ? " uncertain" : "");
}

TEST(NormalizeDate, EveryPrecisionHasItsName) {
  for (const auto& [edtf, expected] :
       {std::pair{"2025-12-13", "2025-12-13/2025-12-13 DAY"},
        {"2025-12~", "2025-12-1/2025-12-31 MONTH approximate"},
        {"2025?", "2025-1-1/2025-12-31 YEAR uncertain"},
        {"2020-05/..", "2020-5-1/ INTERVAL"},
        {"2025-33", "2025-1-1/2025-3-31 PART_OF_YEAR"},
        {"202X", "2020-1-1/2029-12-31 DECADE"},
        {"20", "2000-1-1/2099-12-31 CENTURY"},
        {"1XXX%", "1000-1-1/1999-12-31 MILLENNIUM approximate uncertain"},
        {"2025-1X", "2025-10-1/2025-12-31 DIGITS"},
        {"[2010,2020]", "2010-1-1/2020-12-31 SET"}}) {
    EXPECT_EQ(Normalized(edtf), expected) << edtf;
  }
}

TEST(NormalizeDate, YearsThatADateMessageCannotHold) {
  const std::string out_of_range = "edtf: a year from 1 to 9999 expected";
  for (const char* edtf : {"0000", "-0001", "Y10000", "-XXXX", "-04", "0000/2020", "2020/Y20200",
                           "[0000,2020]", "{2020,-0005}", "[..0000]", "Y12345S1"}) {
    EXPECT_EQ(Normalized(edtf), out_of_range) << edtf;
  }
  EXPECT_EQ(Normalized("0001"), "1-1-1/1-12-31 YEAR");
  EXPECT_EQ(Normalized("9999-12-31"), "9999-12-31/9999-12-31 DAY");
  // Not said to be year 0: only the bound can't be held.
  EXPECT_EQ(Normalized("XXXX-12-13"), "/9999-12-13 DIGITS");
  EXPECT_EQ(Normalized("0XXX"), "/999-12-31 MILLENNIUM");
  EXPECT_EQ(Normalized("00"), "/99-12-31 CENTURY");
  EXPECT_EQ(Normalized("000X/2020"), "/2020-12-31 INTERVAL");
  EXPECT_EQ(Normalized("0001-24"), "/2-3-31 PART_OF_YEAR");
  EXPECT_EQ(Normalized("9999-24"), "9998-12-1/ PART_OF_YEAR");
}

TEST(NormalizeDate, ErrorsQuoteTheText) {
  EXPECT_EQ(Normalized("2025-13"), "edtf: `2025-13`: month 01..12 expected, got 13 at position 5");
}

}  // namespace
}  // namespace detente::values
