#include "values/edtf.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace detente::values {

void PrintTo(const CivilDate& date, std::ostream* out) {
  *out << date.year << '-' << date.month << '-' << date.day;
}

void PrintTo(const EdtfDate& date, std::ostream* out) { *out << CanonicalEdtf(date); }

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
  size_t position = 0;
  EXPECT_EQ(ParseEdtf(text, &position).status(), absl::InvalidArgumentError(message)) << text;
  EXPECT_TRUE(absl::EndsWith(message, absl::StrCat(" at position ", position))) << position;
  EXPECT_LE(position, text.size());
}

struct Vector {
  std::string text;
  bool valid = false;
  std::string lower_strict;
  std::string upper_strict;
};

std::vector<Vector> ReadVectors(const std::string& name = "vectors.tsv") {
  std::ifstream file(std::string(DETENTE_TEST_DATA) + "/edtf/" + name);
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

std::optional<CivilDate> Bound(const std::string& text) {
  CivilDate day;
  if (RE2::FullMatch(text, R"((-?\d+)-(\d\d)-(\d\d))", &day.year, &day.month, &day.day)) return day;
  EXPECT_TRUE(text == "inf" || text == "-inf") << text;
  return std::nullopt;
}

// Empty if `date` is as the row says, and otherwise what is not.
std::string Differs(const Vector& row, const absl::StatusOr<EdtfDate>& date) {
  if (date.ok() != row.valid) return date.ok() ? "is read" : date.status().ToString();
  if (!row.valid || row.lower_strict.empty()) return "";
  if (date->earliest != Bound(row.lower_strict)) return "earliest";
  return date->latest == Bound(row.upper_strict) ? "" : "latest";
}

TEST(EdtfVectors, EveryRowIsReadOrRefusedAsTheFilesSay) {
  std::map<std::string, Vector> otherwise;
  for (const Vector& row : ReadVectors("otherwise.tsv")) otherwise[row.text] = row;
  EXPECT_EQ(otherwise.size(), 18U);
  int rows = 0;
  int read = 0;
  int bounded = 0;
  for (const Vector& row : ReadVectors()) {
    SCOPED_TRACE(row.text);
    ++rows;
    const absl::StatusOr<EdtfDate> date = ParseEdtf(row.text);
    const auto own = otherwise.find(row.text);
    if (own == otherwise.end()) {
      EXPECT_EQ(Differs(row, date), "");
    } else {
      EXPECT_EQ(Differs(own->second, date), "");
      EXPECT_NE(Differs(row, date), "") << "no need to stand in otherwise.tsv";
      otherwise.erase(own);
    }
    read += date.ok() ? 1 : 0;
    bounded += date.ok() && !row.lower_strict.empty() ? 1 : 0;
    if (!date.ok()) {
      EXPECT_EQ(date.status().code(), absl::StatusCode::kInvalidArgument);
    }
  }
  EXPECT_TRUE(otherwise.empty()) << otherwise.begin()->first << " is no row of vectors.tsv";
  EXPECT_EQ(rows, 339);
  EXPECT_EQ(read, 262);
  EXPECT_EQ(bounded, 63);
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
  for (const auto& [text, uncertain, approximate] :
       {std::tuple{"2026-03?", true, false}, {"2026-03%", true, true}, {"2026-03~", false, true}}) {
    const EdtfDate date = Parsed(text);
    EXPECT_EQ(date.Bounds(), plain.Bounds()) << text;
    EXPECT_EQ(date.precision, plain.precision) << text;
    EXPECT_EQ(date.uncertain, uncertain) << text;
    EXPECT_EQ(date.approximate, approximate) << text;
    EXPECT_NE(date, plain) << text;
  }
  EXPECT_TRUE(Parsed("2025-12-13?").uncertain);
  EXPECT_TRUE(Parsed("1984~").approximate);
}

// One letter for each of year, month and day: `.` where there is no qualifier.
std::string Marks(const EdtfPart& part) {
  std::string marks;
  for (const EdtfQualifier& qualifier : part.qualifiers) {
    marks += qualifier.uncertain ? (qualifier.approximate ? '%' : '?')
                                 : (qualifier.approximate ? '~' : '.');
  }
  return marks;
}

TEST(Edtf, QualifiersRightOfAComponentCountForAllLeftOfItAndLeftOfItForItAlone) {
  for (const auto& [text, marks, canonical] : {std::tuple{"2004-06-11?", "???", "2004-06-11?"},
                                               {"2004-06~-11", "~~.", "2004-06~-11"},
                                               {"2004?-06-11", "?..", "2004?-06-11"},
                                               {"?2004-06-11", "?..", "2004?-06-11"},
                                               {"2004-~06-11", ".~.", "2004-~06-11"},
                                               {"2004-06-%11", "..%", "2004-06-%11"},
                                               {"?2004-06-~11", "?.~", "2004?-06-~11"},
                                               {"2004?-06-11~", "%~~", "2004?-06-11~"},
                                               {"?2004-?06-?11", "???", "2004-06-11?"},
                                               {"?2004-06~", "%~.", "2004?-06~"},
                                               {"?-2004-06", "?..", "-2004?-06"},
                                               {"2004-?06?", "??.", "2004-06?"},
                                               {"~Y20040", "~..", "Y20040~"},
                                               {"2001-~21", ".~.", "2001-~21"},
                                               {"197%", "%..", "197%"}}) {
    const EdtfDate date = Parsed(text);
    EXPECT_EQ(Marks(date.parts[0]), marks) << text;
    EXPECT_EQ(CanonicalEdtf(date), canonical) << text;
  }
  ExpectInvalid("?", "date expected, got '?' at position 0");
  ExpectInvalid("??2004", "date expected, got '?' at position 0");
  ExpectInvalid("2004-??06", "month 01..12 expected, got '?' at position 6");
  ExpectInvalid("2004-06?\?-11", "'-' or end of date expected, got '?' at position 8");
  ExpectInvalid("2004-06-11?~", "end of date expected, got '~' at position 11");
  ExpectInvalid("2020~?-05", "'-' or end of date expected, got '?' at position 5");
}

// A text of 256 bytes must have a canonical one that can be read.
TEST(Edtf, CanonicalTextIsNoLongerThanAnyOther) {
  for (int marks = 0; marks < 4096; ++marks) {
    std::string text;
    int rest = marks;
    for (const char* component : {"2004", "-06", "-11"}) {
      const absl::string_view first = absl::string_view(component).substr(0, text.empty() ? 0 : 1);
      absl::StrAppend(&text, first);
      for (int side = 0; side < 2; ++side, rest /= 4) {
        if (rest % 4 != 0) text += "?~%"[rest % 4 - 1];
        if (side == 0) absl::StrAppend(&text, component + first.size());
      }
    }
    const EdtfDate date = Parsed(text);
    const std::string canonical = CanonicalEdtf(date);
    EXPECT_LE(canonical.size(), text.size()) << text << " " << canonical;
    EXPECT_EQ(Parsed(canonical), date) << text << " " << canonical;
  }
  EXPECT_EQ(CanonicalEdtf(Parsed("Y12000")), "Y12E3");
  EXPECT_EQ(CanonicalEdtf(Parsed("Y121E2")), "Y12100");
  std::string longest = "[Y31E14";
  while (longest.size() + 7 < 256) longest += ",Y31E14";
  EXPECT_EQ(CanonicalEdtf(Parsed(longest + "]")), longest + "]");
}

TEST(Edtf, TimesOfDayAreReadAndTheirDayIsTheDate) {
  ExpectBounds("2025-12-13T10:10:10Z", CivilDate{2025, 12, 13}, CivilDate{2025, 12, 13});
  ExpectBounds("2025-12-13T24:00:00+14", CivilDate{2025, 12, 13}, CivilDate{2025, 12, 13});
  EXPECT_EQ(Parsed("2025-12-13T10:10:10").precision, DatePrecision::kDay);
  for (const auto& [text, canonical] : {std::pair{"2025-12-13T10:10:10", "2025-12-13T10:10:10"},
                                        {"2025-12-13T10:10:10Z", "2025-12-13T10:10:10Z"},
                                        {"2025-12-13T10:10:10+00:00", "2025-12-13T10:10:10Z"},
                                        {"2025-12-13T10:10:10+05", "2025-12-13T10:10:10+05:00"},
                                        {"2025-12-13T10:10:10-0930", "2025-12-13T10:10:10-09:30"},
                                        {"2025-12-13T10:10:10,250Z", "2025-12-13T10:10:10.250Z"},
                                        {"2025-12-13T10:10:10.5", "2025-12-13T10:10:10.5"},
                                        {"-0044-03-15T24:00:00", "-0044-03-15T24:00:00"},
                                        {"2016-12-31T23:59:60Z", "2016-12-31T23:59:60Z"},
                                        {"2017-01-01T05:29:60+05:30", "2017-01-01T05:29:60+05:30"},
                                        {"2016-12-31T23:59:60", "2016-12-31T23:59:60"}}) {
    EXPECT_EQ(CanonicalEdtf(Parsed(text)), canonical) << text;
  }
  ExpectInvalid("2025-12-13T", "hour 00..24 expected, got end of text at position 11");
  ExpectInvalid("2025-12-13T25:00:00", "hour 00..24 expected, got 25 at position 11");
  ExpectInvalid("2025-12-13T10", "':' expected, got end of text at position 13");
  ExpectInvalid("2025-12-13T10:60:00", "minute 00..59 expected, got 60 at position 14");
  ExpectInvalid("2025-12-13T10:10", "':' expected, got end of text at position 16");
  ExpectInvalid("2025-12-13T10:10:61", "second 00..59 expected, got 61 at position 17");
  ExpectInvalid("2025-12-13T10:10:60Z", "second 00..59 expected, got 60 at position 17");
  ExpectInvalid("2016-12-31T23:59:60+01:00", "second 00..59 expected, got 60 at position 17");
  ExpectInvalid("2025-12-13T24:01:00", "minute 00 expected, got 01 at position 14");
  ExpectInvalid("2025-12-13T24:00:01", "second 00 expected, got 01 at position 17");
  ExpectInvalid("2025-12-13T24:00:00.0", "end of date expected, got '.' at position 19");
  ExpectInvalid("2025-12-13T10:10:10.", "digit expected, got end of text at position 20");
  ExpectInvalid("2025-12-13T10:10:10.0123456789012345678",
                "at most 18 decimals expected, got 0123456789012345678 at position 20");
  ExpectInvalid("2025-12-13T10:10:10z",
                "'Z', shift or end of date expected, got 'z' at position 19");
  ExpectInvalid("2025-12-13T10:10:10Z1", "end of date expected, got '1' at position 20");
  ExpectInvalid("2025-12-13T10:10:10+1",
                "shift -12:00..+14:00 expected, got end of text at position 21");
  ExpectInvalid("2025-12-13T10:10:10-00:00",
                "shift -12:00..+14:00 expected, got -00:00 at position 19");
  ExpectInvalid("2025-12-13T10:10:10+14:01",
                "shift -12:00..+14:00 expected, got +14:01 at position 19");
  ExpectInvalid("2025-12-13T10:10:10+01:000", "end of date expected, got '0' at position 25");
  ExpectInvalid("2025-12-13T10:10:10+01.00", "':' or end of date expected, got '.' at position 22");
  ExpectInvalid("2025-12-13Tuesday", "hour 00..24 expected, got 'u' at position 11");
  // No time in an interval or a set, nor of a date that is not all there.
  ExpectInvalid("2025-12-13T10:10:10Z/2026", "end of date expected, got 'T' at position 10");
  ExpectInvalid("[2025-12-13T10:10:10Z]", "end of date expected, got 'T' at position 11");
  ExpectInvalid("2025-12T10:10:10Z", "'-' or end of date expected, got 'T' at position 7");
  ExpectInvalid("2025-12-1XT10:10:10Z", "end of date expected, got 'T' at position 10");
  ExpectInvalid("2025-12-13?T10:10:10Z", "end of date expected, got 'T' at position 11");
  ExpectInvalid("202X-12-13T10:10:10Z", "end of date expected, got 'T' at position 10");
}

TEST(Edtf, DecadesAndCenturies) {
  ExpectBounds("198", CivilDate{1980, 1, 1}, CivilDate{1989, 12, 31});
  ExpectBounds("19?", CivilDate{1900, 1, 1}, CivilDate{1999, 12, 31});
  ExpectBounds("00", CivilDate{0, 1, 1}, CivilDate{99, 12, 31});
  ExpectBounds("-04", CivilDate{-499, 1, 1}, CivilDate{-400, 12, 31});
  ExpectBounds("-193", CivilDate{-1939, 1, 1}, CivilDate{-1930, 12, 31});
  ExpectBounds("19/198", CivilDate{1900, 1, 1}, CivilDate{1989, 12, 31});
  EXPECT_EQ(Parsed("198").precision, DatePrecision::kDecade);
  EXPECT_EQ(Parsed("19").precision, DatePrecision::kCentury);
  for (const char* text : {"198", "19?", "-04", "-193", "00", "007"}) {
    EXPECT_EQ(CanonicalEdtf(Parsed(text)), text);
  }
  ExpectInvalid("-00", "year 0 without a sign expected, got -00 at position 0");
  ExpectInvalid("-000", "year 0 without a sign expected, got -000 at position 0");
  ExpectInvalid("1", "year of 4 digits expected, got end of text at position 1");
  ExpectInvalid("19-05", "year of 4 digits expected, got '-' at position 2");
  ExpectInvalid("19X", "year of 4 digits expected, got end of text at position 3");
  ExpectInvalid("198S2", "year of 4 digits expected, got 'S' at position 3");
}

TEST(Edtf, YearsOfMoreThanFourDigits) {
  ExpectBounds("Y170000002", CivilDate{170000002, 1, 1}, CivilDate{170000002, 12, 31});
  ExpectBounds("Y-17E7", CivilDate{-170000000, 1, 1}, CivilDate{-170000000, 12, 31});
  ExpectBounds("Y9999999999999999", CivilDate{9'999'999'999'999'999, 1, 1},
               CivilDate{9'999'999'999'999'999, 12, 31});
  EXPECT_EQ(Parsed("Y170000002").precision, DatePrecision::kYear);
  EXPECT_EQ(CanonicalEdtf(Parsed("Y-17E7?")), "Y-17E7?");
  EXPECT_EQ(CanonicalEdtf(Parsed("Y12345E0")), "Y12345");
  ExpectInvalid("Y2006",
                "year of more than 4 and at most 16 digits expected, got Y2006 at position 0");
  ExpectInvalid("Y1E2",
                "year of more than 4 and at most 16 digits expected, got Y1E2 at position 0");
  ExpectInvalid("Y10000000000000000",
                "year of more than 4 and at most 16 digits expected, got Y10000000000000000 at "
                "position 0");
  ExpectInvalid("Y1E16",
                "year of more than 4 and at most 16 digits expected, got Y1E16 at position 0");
  const std::string huge = "2020/Y-1E" + std::string(200, '9');
  ExpectInvalid(huge, "year of more than 4 and at most 16 digits expected, got " + huge.substr(5) +
                          " at position 5");
  ExpectInvalid("Y", "digit 1..9 expected, got end of text at position 1");
  ExpectInvalid("Y-0", "digit 1..9 expected, got '0' at position 2");
  ExpectInvalid("Y17E", "digit expected, got end of text at position 4");
  ExpectInvalid("Y17E07", "digit 1..9 expected, got '0' at position 4");
  ExpectInvalid("Y17E7-12", "end of date expected, got '-' at position 5");
  ExpectInvalid("Yesterday", "digit 1..9 expected, got 'e' at position 1");
}

TEST(Edtf, SignificantDigits) {
  ExpectBounds("1950S2", CivilDate{1900, 1, 1}, CivilDate{1999, 12, 31});
  ExpectBounds("1859S4", CivilDate{1859, 1, 1}, CivilDate{1859, 12, 31});
  ExpectBounds("-1859S2", CivilDate{-1899, 1, 1}, CivilDate{-1800, 12, 31});
  ExpectBounds("0950S2", CivilDate{950, 1, 1}, CivilDate{959, 12, 31});
  ExpectBounds("0000S1", CivilDate{0, 1, 1}, CivilDate{0, 12, 31});
  ExpectBounds("Y3388E2S3", CivilDate{338000, 1, 1}, CivilDate{338999, 12, 31});
  ExpectBounds("Y-17E7S1", CivilDate{-199999999, 1, 1}, CivilDate{-100000000, 12, 31});
  EXPECT_EQ(Parsed("1950S3").precision, DatePrecision::kDecade);
  EXPECT_EQ(Parsed("1950S2").precision, DatePrecision::kCentury);
  EXPECT_EQ(Parsed("1950S1").precision, DatePrecision::kMillennium);
  EXPECT_EQ(Parsed("1950S9").precision, DatePrecision::kYear);
  EXPECT_EQ(CanonicalEdtf(Parsed("Y3388E2S3~")), "Y338800S3~");
  for (const char* text : {"1950S", "1950S-1", "1950SX"})
    EXPECT_FALSE(ParseEdtf(text).ok()) << text;
  ExpectInvalid("1950S0", "number of significant digits 1..99 expected, got '0' at position 5");
  ExpectInvalid("1950S02", "number of significant digits 1..99 expected, got 02 at position 5");
  ExpectInvalid("1950S100", "number of significant digits 1..99 expected, got 100 at position 5");
  ExpectInvalid("1950S2-01", "end of date expected, got '-' at position 6");
  ExpectInvalid("19XXS2", "'-' or end of date expected, got 'S' at position 4");
}

TEST(Edtf, PartsOfTheYear) {
  ExpectBounds("2025-33", CivilDate{2025, 1, 1}, CivilDate{2025, 3, 31});
  ExpectBounds("2025-36", CivilDate{2025, 10, 1}, CivilDate{2025, 12, 31});
  ExpectBounds("2024-37", CivilDate{2024, 1, 1}, CivilDate{2024, 4, 30});
  ExpectBounds("2025-39", CivilDate{2025, 9, 1}, CivilDate{2025, 12, 31});
  ExpectBounds("2025-40", CivilDate{2025, 1, 1}, CivilDate{2025, 6, 30});
  ExpectBounds("2025-41", CivilDate{2025, 7, 1}, CivilDate{2025, 12, 31});
  ExpectBounds("2025-25", CivilDate{2025, 3, 1}, CivilDate{2025, 6, 30});
  ExpectBounds("2025-26", CivilDate{2025, 6, 1}, CivilDate{2025, 9, 30});
  ExpectBounds("2025-27", CivilDate{2025, 9, 1}, CivilDate{2025, 12, 31});
  ExpectBounds("2025-28", CivilDate{2024, 12, 1}, CivilDate{2026, 3, 31});
  ExpectBounds("2025-29", CivilDate{2025, 9, 1}, CivilDate{2025, 12, 31});
  ExpectBounds("2025-30", CivilDate{2024, 12, 1}, CivilDate{2026, 3, 31});
  ExpectBounds("2025-31", CivilDate{2025, 3, 1}, CivilDate{2025, 6, 30});
  ExpectBounds("2025-32", CivilDate{2025, 6, 1}, CivilDate{2025, 9, 30});
  ExpectBounds("2025-21", CivilDate{2025, 3, 1}, CivilDate{2025, 12, 31});
  ExpectBounds("2025-22", CivilDate{2024, 12, 1}, CivilDate{2026, 3, 31});
  ExpectBounds("2025-23", CivilDate{2025, 3, 1}, CivilDate{2025, 12, 31});
  ExpectBounds("2025-24", CivilDate{2024, 12, 1}, CivilDate{2026, 3, 31});
  EXPECT_EQ(Parsed("2025-21").precision, DatePrecision::kPartOfYear);
  EXPECT_TRUE(Parsed("2025-21").Admits({2025, 4, 1}));
  EXPECT_FALSE(Parsed("2025-21").Admits({2025, 7, 1}));
  EXPECT_TRUE(Parsed("2025-21").Admits({2025, 9, 1}));
  EXPECT_TRUE(Parsed("2025-28").Admits({2024, 12, 1}));
  EXPECT_FALSE(Parsed("2025-28").Admits({2025, 5, 1}));
  EXPECT_TRUE(Parsed("2025-28").Admits({2026, 3, 31}));
  ExpectInvalid("2025-21-01", "end of date expected, got '-' at position 7");
  ExpectInvalid("2025-2X", "month 01..12 expected, got 2X at position 5");
  ExpectInvalid("2025-42", "month 01..12 expected, got 42 at position 5");
  ExpectInvalid("2025-21^southern", "end of date expected, got '^' at position 7");
}

TEST(Edtf, UnspecifiedDigitsAreAnyThatMakeADay) {
  ExpectBounds("202X", CivilDate{2020, 1, 1}, CivilDate{2029, 12, 31});
  ExpectBounds("XXXX-12-XX", CivilDate{0, 12, 1}, CivilDate{9999, 12, 31});
  ExpectBounds("-XXXX", CivilDate{-9999, 1, 1}, CivilDate{-1, 12, 31});
  ExpectBounds("-00X0", CivilDate{-90, 1, 1}, CivilDate{-10, 12, 31});
  ExpectBounds("-X0XX", CivilDate{-9099, 1, 1}, CivilDate{-1, 12, 31});
  ExpectBounds("156X-12-25", CivilDate{1560, 12, 25}, CivilDate{1569, 12, 25});
  ExpectBounds("156X-02-29", CivilDate{1560, 2, 29}, CivilDate{1568, 2, 29});
  ExpectBounds("1984-1X", CivilDate{1984, 10, 1}, CivilDate{1984, 12, 31});
  ExpectBounds("2023-XX-31", CivilDate{2023, 1, 31}, CivilDate{2023, 12, 31});
  ExpectBounds("2023-02-XX", CivilDate{2023, 2, 1}, CivilDate{2023, 2, 28});
  ExpectBounds("2023-02-2X", CivilDate{2023, 2, 20}, CivilDate{2023, 2, 28});
  ExpectBounds("198X-33", CivilDate{1980, 1, 1}, CivilDate{1989, 3, 31});
  for (const auto& [text, precision] : {std::pair{"202X", DatePrecision::kDecade},
                                        {"20XX", DatePrecision::kCentury},
                                        {"2XXX", DatePrecision::kMillennium},
                                        {"XXXX", DatePrecision::kMillennium},
                                        {"2X20", DatePrecision::kDigits},
                                        {"2020-XX", DatePrecision::kYear},
                                        {"2020-XX-XX", DatePrecision::kYear},
                                        {"202X-XX-XX", DatePrecision::kDecade},
                                        {"2020-05-XX", DatePrecision::kMonth},
                                        {"2020-0X-XX", DatePrecision::kDigits},
                                        {"2020-05-0X", DatePrecision::kDigits},
                                        {"XXXX-12-13", DatePrecision::kDigits},
                                        {"198X-21", DatePrecision::kDigits},
                                        {"2020-XX-05", DatePrecision::kDigits}}) {
    EXPECT_EQ(Parsed(text).precision, precision) << text;
    EXPECT_EQ(CanonicalEdtf(Parsed(text)), text);
  }
  ExpectInvalid("156X-11-31", "day 01..30 expected, got 31 at position 8");
  ExpectInvalid("XXX1-02-29", "day 01..28 expected, got 29 at position 8");
  ExpectInvalid("15XX-02-3X", "day 01..29 expected, got 3X at position 8");
  ExpectInvalid("2020-3X", "month 01..12 expected, got 3X at position 5");
  ExpectInvalid("2020-XX-4X", "day 01..31 expected, got 4X at position 8");
  ExpectInvalid("202x", "year of 4 digits expected, got 'x' at position 3");
  ExpectInvalid("2020-XX-XXX", "end of date expected, got 'X' at position 10");
}

TEST(Edtf, Sets) {
  ExpectBounds("[1667,1668,1670..1672]", CivilDate{1667, 1, 1}, CivilDate{1672, 12, 31});
  ExpectBounds("[..1760-12-03]", std::nullopt, CivilDate{1760, 12, 3});
  ExpectBounds("[1760-12..]", CivilDate{1760, 12, 1}, std::nullopt);
  ExpectBounds("[..1980,1990,2000..]", std::nullopt, std::nullopt);
  ExpectBounds("{2000,1961-12}", CivilDate{1961, 12, 1}, CivilDate{2000, 12, 31});
  ExpectBounds("[198X,20]", CivilDate{1980, 1, 1}, CivilDate{2099, 12, 31});
  EXPECT_EQ(Parsed("[1667]").precision, DatePrecision::kSet);
  EXPECT_EQ(Parsed("[1667]").form, EdtfDate::Form::kOneOf);
  EXPECT_EQ(Parsed("{1667}").form, EdtfDate::Form::kAllOf);
  EXPECT_TRUE(Parsed("{1667,1668~}").approximate);
  EXPECT_FALSE(Parsed("[1667,1670..1672]").Admits({1669, 1, 1}));
  EXPECT_TRUE(Parsed("[1667,1670..1672]").Admits({1671, 1, 1}));
  EXPECT_FALSE(Parsed("[..1980,2000..]").Admits({1981, 1, 1}));
  EXPECT_TRUE(Parsed("[..1980,2000..]").Admits({-5000, 1, 1}));
  for (const char* text : {"[1667,1668,1670..1672]", "[..1760-12-03]", "{1760-12..}", "[1667]",
                           "{1667?,Y16670,2001-21}", "[19..20]", "[..1980,1990,2000..]"}) {
    EXPECT_EQ(CanonicalEdtf(Parsed(text)), text);
  }
  ExpectInvalid("[", "date expected, got end of text at position 1");
  ExpectInvalid("[]", "date expected, got ']' at position 1");
  ExpectInvalid("[..]", "date expected, got ']' at position 3");
  ExpectInvalid("[1999", "',' or ']' expected, got end of text at position 5");
  ExpectInvalid("{1999]", "'-' or end of date expected, got ']' at position 5");
  ExpectInvalid("[1999,]", "date expected, got ']' at position 6");
  ExpectInvalid("[1999, 2000]", "date expected, got ' ' at position 6");
  ExpectInvalid("[1999]?", "end of text expected, got '?' at position 6");
  ExpectInvalid("[1999]/2000", "end of text expected, got '/' at position 6");
  ExpectInvalid("2000/[1999]", "date expected, got '[' at position 5");
  ExpectInvalid("[1999,..2000]", "date expected, got '.' at position 6");
  ExpectInvalid("[1999..,2000]", "date expected, got ',' at position 7");
  ExpectInvalid("[1999.2000]", "'-' or end of date expected, got '.' at position 5");
  ExpectInvalid("[1999..2000..2001]", "'-' or end of date expected, got '.' at position 11");
  ExpectInvalid("[2000..1999]",
                "date not before that left of '..' expected, got 1999 at position 7");
  ExpectInvalid("[1999..2000-01]",
                "date as precise as that before '..' expected, got 2000-01 at position 7");
  ExpectInvalid("[198X..2000]", "year, month or day beside '..' expected, got 198X at position 1");
  ExpectInvalid("[1980S3..]", "year, month or day beside '..' expected, got 1980S3 at position 1");
  ExpectInvalid("[2001-21..2001-22]",
                "year, month or day beside '..' expected, got 2001-21 at position 1");
}

TEST(Edtf, IntervalEndsMayBeAnyDateThatCanFollow) {
  ExpectBounds("2004-06-XX/2004-07-03", CivilDate{2004, 6, 1}, CivilDate{2004, 7, 3});
  ExpectBounds("1919-12-02/1919-XX-04", CivilDate{1919, 12, 2}, CivilDate{1919, 12, 4});
  ExpectBounds("2020-21/2021-33", CivilDate{2020, 3, 1}, CivilDate{2021, 3, 31});
  ExpectBounds("Y-17E7/-04", CivilDate{-170000000, 1, 1}, CivilDate{-400, 12, 31});
  EXPECT_EQ(CanonicalEdtf(Parsed("?2020-06/..")), "2020?-06/..");
  for (const char* text : {"2004-06-XX/2004-07-03", "/2020", "2020/", "../2020", "2020/..", "../..",
                           "/..", "../", "2020-21?/2021~"}) {
    EXPECT_EQ(CanonicalEdtf(Parsed(text)), text);
  }
  ExpectInvalid("1919-12-05/1919-XX-04",
                "interval end not before its start expected, got 1919-XX-04 at position 11");
}

TEST(Edtf, OrderIsByEarliestThenLatestThenText) {
  const std::vector<std::string> sorted = {
      "../2019", "../2020", "../..", "2019",    "2020-01-01", "2020-01-01?", "2020-01",
      "2020",    "2020?",   "2020~", "2020/..", "2020-01-02", "2021"};
  for (size_t i = 0; i < sorted.size(); ++i) {
    for (size_t j = 0; j < sorted.size(); ++j) {
      EXPECT_EQ(Parsed(sorted[i]) <=> Parsed(sorted[j]), i <=> j) << sorted[i] << " " << sorted[j];
      EXPECT_EQ(Parsed(sorted[i]) == Parsed(sorted[j]), i == j);
    }
  }
  EXPECT_EQ(Parsed("?2020-?05"), Parsed("2020-05?"));
}

TEST(Edtf, DaysFarAwayDoNotOverflow) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  for (const char* text : {"2020", "[2020,2021..]", "{..1980,20XX-21}", "XXXX-02-29", "../..",
                           "-XXXX-24", "Y9999999999999999", "Y-1E15S1"}) {
    const EdtfDate date = Parsed(text);
    for (const int64_t year : {kMin, kMin + 1, kMax - 1, kMax}) {
      date.Admits({year, 1, 1});
      date.Admits({year, 12, 31});
      for (const DateRelation relation : {DateRelation::kBefore, DateRelation::kWithin,
                                          DateRelation::kAfter, DateRelation::kOverlapping}) {
        const DateWindow window{.from = CivilDate{year, 1, 1}, .to = CivilDate{year, 12, 31}};
        EXPECT_LE(Certainly(date, relation, window), Possibly(date, relation, window));
      }
    }
  }
  EXPECT_TRUE(Parsed("[2020,2021..]").Admits({kMax, 1, 1}));
  EXPECT_FALSE(Parsed("[2020,2021]").Admits({kMax, 1, 1}));
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

TEST(Edtf, NulBytesAreBytesLikeOthers) {
  ExpectInvalid(absl::string_view("2025\0", 5),
                "'-' or end of date expected, got byte 0x00 at position 4");
  ExpectInvalid(absl::string_view("\0", 1), "date expected, got byte 0x00 at position 0");
  ExpectInvalid(absl::string_view("2025-0\0", 7),
                "month 01..12 expected, got byte 0x00 at position 6");
  ExpectInvalid(absl::string_view("[2020\0]", 7),
                "'-' or end of date expected, got byte 0x00 at position 5");
}

TEST(Edtf, TextsAreLimitedTo256Bytes) {
  std::string members = "[10";
  for (int i = 11; i < 95; ++i) absl::StrAppend(&members, ",", i);
  EXPECT_EQ(Parsed(members + "]").parts.size(), 85U);
  ExpectInvalid(members + ",95]", "at most 256 bytes expected, got 259 at position 256");
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

}  // namespace
}  // namespace detente::values
