#include "values/edtf.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <fstream>
#include <map>
#include <optional>
#include <ostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace detente::values {

void PrintTo(const CivilDate& date, std::ostream* out) {
  *out << date.year << '-' << date.month << '-' << date.day;
}

namespace {

EdtfDate Parsed(absl::string_view text) {
  const absl::StatusOr<EdtfDate> date = ParseEdtf(text);
  EXPECT_TRUE(date.ok()) << text << ": " << date.status();
  return date.value_or(EdtfDate{});
}

void ExpectBounds(absl::string_view text, std::optional<CivilDate> earliest,
                  std::optional<CivilDate> latest) {
  const EdtfDate date = Parsed(text);
  EXPECT_EQ(date.earliest, earliest) << text;
  EXPECT_EQ(date.latest, latest) << text;
}

void ExpectInvalid(absl::string_view text, absl::string_view message) {
  EXPECT_EQ(ParseEdtf(text).status(), absl::InvalidArgumentError(message)) << text;
}

void ExpectUnsupported(absl::string_view text, absl::string_view message) {
  EXPECT_EQ(ParseEdtf(text).status(), absl::UnimplementedError(message)) << text;
}

struct Vector {
  std::string text;
  bool valid = false;
  std::string lower_strict;
  std::string upper_strict;
};

std::vector<Vector> ReadVectors() {
  std::ifstream file(std::string(DETENTE_TEST_DATA) + "/edtf/vectors.tsv");
  std::vector<Vector> vectors;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    Vector vector;
    std::string valid;
    std::getline(fields, vector.text, '\t');
    std::getline(fields, valid, '\t');
    std::getline(fields, vector.lower_strict, '\t');
    std::getline(fields, vector.upper_strict, '\t');
    vector.valid = valid == "True";
    vectors.push_back(vector);
  }
  return vectors;
}

// What ParseEdtf reads now, among texts known to be valid.
bool InScope(const std::string& text) {
  const std::string date = R"(-?\d{4}(-(0[1-9]|1[0-2])(-\d\d)?)?[?~%]?)";
  const std::string end = "(" + date + R"(|\.\.|))";
  static const RE2 kInScope(date + "|" + end + "/" + end);
  return RE2::FullMatch(text, kInScope);
}

std::optional<CivilDate> Bound(const std::string& text) {
  CivilDate day;
  if (RE2::FullMatch(text, R"((-?\d+)-(\d\d)-(\d\d))", &day.year, &day.month, &day.day)) return day;
  EXPECT_TRUE(text == "inf" || text == "-inf") << text;
  return std::nullopt;
}

TEST(EdtfVectors, EveryRowIsReadOrRefusedAsTheFileSays) {
  int read = 0;
  int bounds_compared = 0;
  int valid_unsupported = 0;
  std::map<absl::StatusCode, int> refused;
  for (const Vector& row : ReadVectors()) {
    SCOPED_TRACE(row.text);
    const absl::StatusOr<EdtfDate> date = ParseEdtf(row.text);
    if (!row.valid) {
      EXPECT_FALSE(date.ok());
      ++refused[date.status().code()];
    } else if (!InScope(row.text)) {
      EXPECT_EQ(date.status().code(), absl::StatusCode::kUnimplemented) << date.status();
      ++valid_unsupported;
    } else {
      ++read;
      ASSERT_TRUE(date.ok()) << date.status();
      if (row.lower_strict.empty()) continue;
      ++bounds_compared;
      // python-edtf puts an unknown end ten years from the known one; ours is absent.
      EXPECT_EQ(date->earliest, row.text.front() == '/' ? std::nullopt : Bound(row.lower_strict));
      EXPECT_EQ(date->latest, row.text.back() == '/' ? std::nullopt : Bound(row.upper_strict));
    }
  }
  EXPECT_EQ(read, 78);
  EXPECT_EQ(bounds_compared, 25);
  EXPECT_EQ(valid_unsupported, 184);
  EXPECT_EQ(refused[absl::StatusCode::kInvalidArgument], 41);
  EXPECT_EQ(refused[absl::StatusCode::kUnimplemented], 36);
  EXPECT_EQ(refused.size(), 2U);
}

TEST(Edtf, DayMonthAndYearAreBoundedByTheirFirstAndLastDay) {
  ExpectBounds("2025-12-13", CivilDate{2025, 12, 13}, CivilDate{2025, 12, 13});
  ExpectBounds("2025-12", CivilDate{2025, 12, 1}, CivilDate{2025, 12, 31});
  ExpectBounds("2025", CivilDate{2025, 1, 1}, CivilDate{2025, 12, 31});
  EXPECT_EQ(Parsed("2025-12-13").precision, DatePrecision::kDay);
  EXPECT_EQ(Parsed("2025-12").precision, DatePrecision::kMonth);
  EXPECT_EQ(Parsed("2025").precision, DatePrecision::kYear);
}

TEST(Edtf, QualifiersSayHowAndDoNotWidenTheBounds) {
  const EdtfDate plain = Parsed("2026-03");
  EXPECT_FALSE(plain.approximate);
  EXPECT_FALSE(plain.uncertain);
  EdtfDate expected = plain;
  expected.uncertain = true;
  EXPECT_EQ(Parsed("2026-03?"), expected);
  expected.approximate = true;
  EXPECT_EQ(Parsed("2026-03%"), expected);
  expected.uncertain = false;
  EXPECT_EQ(Parsed("2026-03~"), expected);
  EXPECT_TRUE(Parsed("2025-12-13?").uncertain);
  EXPECT_TRUE(Parsed("1984~").approximate);
}

TEST(Edtf, IntervalRunsFromItsStartsFirstDayToItsEndsLast) {
  ExpectBounds("2020-05/2020-12", CivilDate{2020, 5, 1}, CivilDate{2020, 12, 31});
  ExpectBounds("2020-05-09/2021", CivilDate{2020, 5, 9}, CivilDate{2021, 12, 31});
  ExpectBounds("2020/2020-02", CivilDate{2020, 1, 1}, CivilDate{2020, 2, 29});
  ExpectBounds("2020/2020", CivilDate{2020, 1, 1}, CivilDate{2020, 12, 31});
  ExpectBounds("-0002/0001", CivilDate{-2, 1, 1}, CivilDate{1, 12, 31});
  EXPECT_EQ(Parsed("2020-05/2020-12").precision, DatePrecision::kInterval);
}

TEST(Edtf, OpenAndUnknownIntervalEndsSetNoBound) {
  ExpectBounds("2020-08/..", CivilDate{2020, 8, 1}, std::nullopt);
  ExpectBounds("2020-08/", CivilDate{2020, 8, 1}, std::nullopt);
  ExpectBounds("../2021", std::nullopt, CivilDate{2021, 12, 31});
  ExpectBounds("/2021", std::nullopt, CivilDate{2021, 12, 31});
  for (const char* text : {"../..", "/..", "../"}) ExpectBounds(text, std::nullopt, std::nullopt);
  EXPECT_EQ(Parsed("2020-08/..").precision, DatePrecision::kInterval);
}

TEST(Edtf, IntervalIsQualifiedIfEitherEndIs) {
  EXPECT_TRUE(Parsed("2020?/2021").uncertain);
  EXPECT_FALSE(Parsed("2020?/2021").approximate);
  EXPECT_TRUE(Parsed("2020/2021~").approximate);
  EXPECT_FALSE(Parsed("2020/2021~").uncertain);
  EXPECT_TRUE(Parsed("2020~/2021?").approximate);
  EXPECT_TRUE(Parsed("2020~/2021?").uncertain);
  EXPECT_TRUE(Parsed("../2021%").uncertain);
}

TEST(Edtf, LeapDays) {
  for (const char* text : {"2024-02-29", "2000-02-29", "0000-02-29", "-0004-02-29", "-0400-02-29"})
    EXPECT_TRUE(ParseEdtf(text).ok()) << text;
  ExpectInvalid("2023-02-29", "day 01..28 expected, got 29 at position 8");
  ExpectInvalid("1900-02-29", "day 01..28 expected, got 29 at position 8");
  ExpectInvalid("-0001-02-29", "day 01..28 expected, got 29 at position 9");
  ExpectInvalid("-0100-02-29", "day 01..28 expected, got 29 at position 9");
  ExpectBounds("2024-02", CivilDate{2024, 2, 1}, CivilDate{2024, 2, 29});
  ExpectBounds("1900-02", CivilDate{1900, 2, 1}, CivilDate{1900, 2, 28});
}

TEST(Edtf, YearZeroAndNegativeYears) {
  ExpectBounds("0000", CivilDate{0, 1, 1}, CivilDate{0, 12, 31});
  ExpectBounds("-0001-02", CivilDate{-1, 2, 1}, CivilDate{-1, 2, 28});
  ExpectBounds("-9999-12-31~", CivilDate{-9999, 12, 31}, CivilDate{-9999, 12, 31});
  ExpectInvalid("-0000", "year 0 without a sign expected, got -0000 at position 0");
  ExpectInvalid("2020/-0000-01", "year 0 without a sign expected, got -0000 at position 5");
  ExpectInvalid("-0001/-0002",
                "interval end not before its start expected, got -0002 at position 6");
}

TEST(Edtf, ErrorsNameThePositionAndWhatWasExpected) {
  ExpectInvalid("", "date expected, got end of text at position 0");
  ExpectInvalid(" 2020", "date expected, got ' ' at position 0");
  ExpectInvalid("in 2020", "date expected, got 'i' at position 0");
  ExpectInvalid("?", "date expected, got '?' at position 0");
  ExpectInvalid("..", "date expected, got '.' at position 0");
  ExpectInvalid("-", "year of 4 digits expected, got end of text at position 1");
  ExpectInvalid("5", "year of 4 digits expected, got end of text at position 1");
  ExpectInvalid("13.12.2025", "year of 4 digits expected, got '.' at position 2");
  ExpectInvalid("12/13/2025", "end of interval expected, got '/' at position 5");
  ExpectInvalid("20251213", "'-' or end of date expected, got '1' at position 4");
  ExpectInvalid("2025-", "month 01..12 expected, got end of text at position 5");
  ExpectInvalid("2025-1-3", "month 01..12 expected, got '-' at position 6");
  ExpectInvalid("2025-00", "month 01..12 expected, got 00 at position 5");
  ExpectInvalid("2025-13", "month 01..12 expected, got 13 at position 5");
  ExpectInvalid("2025-20", "month 01..12 expected, got 20 at position 5");
  ExpectInvalid("2025-42", "month 01..12 expected, got 42 at position 5");
  ExpectInvalid("2025-12 ", "'-' or end of date expected, got ' ' at position 7");
  ExpectInvalid("2025-12-", "day 01..31 expected, got end of text at position 8");
  ExpectInvalid("2025-11-00", "day 01..30 expected, got 00 at position 8");
  ExpectInvalid("2025-11-31", "day 01..30 expected, got 31 at position 8");
  ExpectInvalid("2025-11-3a", "day 01..30 expected, got 'a' at position 9");
  ExpectInvalid("2025-12-13??", "end of date expected, got '?' at position 11");
  ExpectInvalid("2025-12-13?-", "end of date expected, got '-' at position 11");
  ExpectInvalid("2025-12-131", "end of date expected, got '1' at position 10");
  ExpectInvalid("2025\xd0\xb3", "'-' or end of date expected, got byte 0xd0 at position 4");
}

TEST(Edtf, ErrorsInAnIntervalPointIntoTheWholeText) {
  ExpectInvalid("2020-13/2021", "month 01..12 expected, got 13 at position 5");
  ExpectInvalid("2020-12/2021-02-30", "day 01..28 expected, got 30 at position 16");
  ExpectInvalid("2020-/2021", "month 01..12 expected, got '/' at position 5");
  ExpectInvalid("2020/2021/2022", "end of interval expected, got '/' at position 9");
  ExpectInvalid("2020/...", "date expected, got '.' at position 5");
  ExpectInvalid("/", "date or '..' before or after '/' expected, got end of text at position 1");
  ExpectInvalid("2021/2020", "interval end not before its start expected, got 2020 at position 5");
  ExpectInvalid("2020-02/2020",
                "interval end not before its start expected, got 2020 at position 8");
}

TEST(Edtf, FeaturesNotReadYetAreToldFromNonsense) {
  ExpectUnsupported("202X",
                    "unspecified digits (X) not supported yet; "
                    "year of 4 digits expected, got 'X' at position 3");
  ExpectUnsupported("2020-1X",
                    "unspecified digits (X) not supported yet; "
                    "month 01..12 expected, got 'X' at position 6");
  ExpectUnsupported("2020-02-XX",
                    "unspecified digits (X) not supported yet; "
                    "day 01..29 expected, got 'X' at position 8");
  ExpectUnsupported("193",
                    "centuries and decades not supported yet; "
                    "year of 4 digits expected, got end of text at position 3");
  ExpectUnsupported("2020/2020-21",
                    "seasons and other parts of a year not supported yet; "
                    "month 01..12 expected, got 21 at position 10");
  ExpectUnsupported("[2020,2021]",
                    "sets of dates not supported yet; year expected, got '[' at position 0");
  ExpectUnsupported("Y17E7",
                    "years with Y not supported yet; year expected, got 'Y' at position 0");
  ExpectUnsupported("1950S2",
                    "significant digits (S) not supported yet; "
                    "end of date expected, got 'S' at position 4");
  ExpectUnsupported("2025-12-13T10:00:00Z",
                    "times of day not supported yet; "
                    "end of date expected, got 'T' at position 10");
  ExpectUnsupported("2020?-05",
                    "qualifiers of components not supported yet; "
                    "end of date expected, got '?' at position 4");
  for (const char* text : {"?2020", "~-2020", "%XX20"}) {
    EXPECT_EQ(ParseEdtf(text).status().code(), absl::StatusCode::kUnimplemented) << text;
  }
  ExpectUnsupported("2020-~05",
                    "qualifiers of components not supported yet; "
                    "month 01..12 expected, got '~' at position 5");
  ExpectInvalid("202x", "year of 4 digits expected, got 'x' at position 3");
  ExpectInvalid("Yesterday", "EDTF expected, got 'e' at position 1");
  ExpectInvalid("2025-12-13Tuesday", "EDTF expected, got 'u' at position 11");
  ExpectInvalid("2020-21^southern", "EDTF expected, got '^' at position 7");
}

TEST(Edtf, NulBytesAreBytesLikeOthers) {
  ExpectInvalid(absl::string_view("2025\0", 5),
                "'-' or end of date expected, got byte 0x00 at position 4");
  ExpectInvalid(absl::string_view("\0", 1), "date expected, got byte 0x00 at position 0");
  ExpectInvalid(absl::string_view("2025-0\0", 7),
                "month 01..12 expected, got byte 0x00 at position 6");
  ExpectInvalid(absl::string_view("[2020\0]", 7), "EDTF expected, got byte 0x00 at position 5");
}

TEST(Edtf, TextsAreLimitedTo256Bytes) {
  ExpectInvalid(std::string(256, '2'), "'-' or end of date expected, got '2' at position 4");
  ExpectInvalid(std::string(257, '2'), "at most 256 bytes expected, got 257 at position 256");
  ExpectInvalid("[" + std::string(1'000'000, ' ') + "]",
                "at most 256 bytes expected, got 1000002 at position 256");
}

// Reads exactly the text it is given: what follows in memory must not matter.
TEST(Edtf, ReadsNoFurtherThanTheText) {
  const absl::string_view text = "2025-12-13/2026-01-02";
  ExpectBounds(text.substr(0, 10), CivilDate{2025, 12, 13}, CivilDate{2025, 12, 13});
  ExpectBounds(text.substr(0, 7), CivilDate{2025, 12, 1}, CivilDate{2025, 12, 31});
  ExpectBounds(text.substr(0, 4), CivilDate{2025, 1, 1}, CivilDate{2025, 12, 31});
  ExpectInvalid(text.substr(0, 9), "day 01..31 expected, got end of text at position 9");
}

TEST(Edtf, DamagedTextsAreReadOrRefusedAndNothingElse) {
  constexpr absl::string_view kBytes("0123456789-/.,:+?~%XYESTZ[]{} ax\0\xff", 34);
  std::mt19937 random(20251213);
  int accepted = 0;
  for (const Vector& row : ReadVectors()) {
    for (int round = 0; round < 200; ++round) {
      std::string text = row.text;
      for (int damage = 0; damage < 2; ++damage) {
        const size_t at = random() % (text.size() + 1);
        if (random() % 2 == 0 && at < text.size()) text.erase(at, 1);
        if (random() % 2 == 0) text.insert(at, 1, kBytes[random() % kBytes.size()]);
      }
      const absl::StatusOr<EdtfDate> date = ParseEdtf(text);
      if (!date.ok()) {
        EXPECT_NE(date.status().message().find(" expected, got "), absl::string_view::npos) << text;
        EXPECT_NE(date.status().message().find(" at position "), absl::string_view::npos) << text;
        continue;
      }
      ++accepted;
      EXPECT_TRUE(InScope(text)) << text;
      if (date->earliest && date->latest) {
        EXPECT_LE(*date->earliest, *date->latest) << text;
      }
    }
  }
  EXPECT_GT(accepted, 1000);
}

TEST(CivilDate, DaysAreCountedFromTheEpoch) {
  EXPECT_EQ(DaysFromCivil({1970, 1, 1}), 0);
  EXPECT_EQ(DaysFromCivil({1969, 12, 31}), -1);
  EXPECT_EQ(DaysFromCivil({2000, 3, 1}), 11017);
  EXPECT_EQ(DaysFromCivil({0, 3, 1}), -719468);
  EXPECT_EQ(DaysFromCivil({10'000'000'000'000'000, 1, 1}), 3'652'424'999'999'280'472);
  EXPECT_EQ(CivilFromDays(3'652'424'999'999'280'472), (CivilDate{10'000'000'000'000'000, 1, 1}));
}

TEST(CivilDate, EveryDayFollowsTheOneBefore) {
  int64_t days = DaysFromCivil({-801, 1, 1});
  for (int year = -801; year <= 2401; ++year) {
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    for (int month = 1; month <= 12; ++month) {
      const bool short_month = month == 4 || month == 6 || month == 9 || month == 11;
      const int last = month == 2 ? (leap ? 29 : 28) : (short_month ? 30 : 31);
      for (int day = 1; day <= last; ++day, ++days) {
        const CivilDate date{.year = year, .month = month, .day = day};
        ASSERT_EQ(DaysFromCivil(date), days);
        ASSERT_EQ(CivilFromDays(days), date);
      }
    }
  }
}

}  // namespace
}  // namespace detente::values
