#include "values/edtf.h"

#include <array>
#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace detente::values {
namespace {

constexpr size_t kMaxBytes = 256;

// Every byte that some feature of EDTF uses; spaces stand in sets.
constexpr absl::string_view kEdtfBytes = "0123456789-/.,:+?~%XYESTZ[]{} ";

bool IsLeap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int DaysInMonth(int64_t year, int month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeap(year) ? 29 : kDays[static_cast<size_t>(month - 1)];
}

constexpr std::array<absl::string_view, 4> kExpectedDay = {"day 01..28", "day 01..29", "day 01..30",
                                                           "day 01..31"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsQualifier(char c) { return c == '?' || c == '~' || c == '%'; }

// Positions are those of the whole text, so that errors in the second date of an interval point
// into what the caller wrote.
class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  absl::StatusOr<EdtfDate> Parse() const;

 private:
  absl::StatusOr<EdtfDate> ParseIntervalEnd(size_t begin, size_t end) const;
  absl::StatusOr<EdtfDate> ParseDate(size_t begin, size_t end) const;
  absl::StatusOr<int> ParseYear(size_t at, size_t end) const;
  absl::StatusOr<int> ParseTwoDigits(size_t at, size_t end, absl::string_view expected) const;

  char At(size_t at, size_t end) const { return at < end ? text_[at] : '\0'; }
  bool QualifierBeforeComponent(size_t at, size_t end) const;

  absl::Status Invalid(absl::string_view expected, size_t at, size_t length = 1) const;
  absl::Status Unsupported(absl::string_view feature, absl::string_view expected, size_t at,
                           size_t length = 1) const;
  std::string ExpectedGot(absl::string_view expected, size_t at, size_t length) const;

  absl::string_view text_;
};

std::string Parser::ExpectedGot(absl::string_view expected, size_t at, size_t length) const {
  std::string got;
  if (at >= text_.size()) {
    got = "end of text";
  } else if (length > 1) {
    got = std::string(text_.substr(at, length));
  } else if (text_[at] >= ' ' && text_[at] <= '~') {
    got = absl::StrCat("'", text_.substr(at, 1), "'");
  } else {
    got =
        absl::StrCat("byte 0x", absl::Hex(static_cast<unsigned char>(text_[at]), absl::kZeroPad2));
  }
  return absl::StrCat(expected, " expected, got ", got, " at position ", at);
}

absl::Status Parser::Invalid(absl::string_view expected, size_t at, size_t length) const {
  return absl::InvalidArgumentError(ExpectedGot(expected, at, length));
}

absl::Status Parser::Unsupported(absl::string_view feature, absl::string_view expected, size_t at,
                                 size_t length) const {
  const size_t foreign = text_.find_first_not_of(kEdtfBytes, at);
  if (foreign != absl::string_view::npos) return Invalid("EDTF", foreign);
  return absl::UnimplementedError(
      absl::StrCat(feature, " not supported yet; ", ExpectedGot(expected, at, length)));
}

bool Parser::QualifierBeforeComponent(size_t at, size_t end) const {
  const char next = At(at + 1, end);
  return IsQualifier(At(at, end)) && (IsDigit(next) || next == 'X' || next == '-');
}

absl::StatusOr<int> Parser::ParseYear(size_t at, size_t end) const {
  constexpr absl::string_view kExpected = "year of 4 digits";
  const bool negative = At(at, end) == '-';
  const size_t first = negative ? at + 1 : at;
  int year = 0;
  size_t next = first;
  for (; next < first + 4 && IsDigit(At(next, end)); ++next) {
    year = year * 10 + (text_[next] - '0');
  }
  const size_t digits = next - first;
  if (digits < 4 && At(next, end) == 'X') {
    return Unsupported("unspecified digits (X)", kExpected, next);
  }
  if (digits >= 2 && negative && year == 0) {
    return Invalid("year 0 without a sign", at, digits + 1);
  }
  if ((digits == 2 || digits == 3) && (next == end || IsQualifier(text_[next]))) {
    return Unsupported("centuries and decades", kExpected, next);
  }
  if (digits < 4) return Invalid(kExpected, next);
  return negative ? -year : year;
}

absl::StatusOr<int> Parser::ParseTwoDigits(size_t at, size_t end,
                                           absl::string_view expected) const {
  const char tens = At(at, end);
  const char units = At(at + 1, end);
  if (IsDigit(tens) && IsDigit(units)) {
    return (tens - '0') * 10 + (units - '0');
  }
  if (QualifierBeforeComponent(at, end)) {
    return Unsupported("qualifiers of components", expected, at);
  }
  const size_t wrong = IsDigit(tens) ? at + 1 : at;
  if (At(wrong, end) == 'X') return Unsupported("unspecified digits (X)", expected, wrong);
  return Invalid(expected, wrong);
}

absl::StatusOr<EdtfDate> Parser::ParseDate(size_t begin, size_t end) const {
  size_t at = begin;
  const char first = At(at, end);
  if (first == '[' || first == '{') return Unsupported("sets of dates", "year", at);
  if (first == 'Y') return Unsupported("years with Y", "year", at);
  if (QualifierBeforeComponent(at, end)) return Unsupported("qualifiers of components", "year", at);
  if (first != '-' && first != 'X' && !IsDigit(first)) return Invalid("date", at);

  const absl::StatusOr<int> year = ParseYear(at, end);
  if (!year.ok()) return year.status();
  at += first == '-' ? 5 : 4;
  if (At(at, end) == 'S') return Unsupported("significant digits (S)", "end of date", at);
  EdtfDate date;
  date.precision = DatePrecision::kYear;
  date.earliest = {.year = *year, .month = 1, .day = 1};
  date.latest = {.year = *year, .month = 12, .day = 31};

  if (At(at, end) == '-') {
    ++at;
    const absl::StatusOr<int> month = ParseTwoDigits(at, end, "month 01..12");
    if (!month.ok()) return month.status();
    if (*month >= 21 && *month <= 41) {
      return Unsupported("seasons and other parts of a year", "month 01..12", at, 2);
    }
    if (*month < 1 || *month > 12) return Invalid("month 01..12", at, 2);
    at += 2;
    const int days = DaysInMonth(*year, *month);
    date.precision = DatePrecision::kMonth;
    date.earliest->month = *month;
    date.latest = {.year = *year, .month = *month, .day = days};

    if (At(at, end) == '-') {
      ++at;
      const absl::string_view expected = kExpectedDay[static_cast<size_t>(days - 28)];
      const absl::StatusOr<int> day = ParseTwoDigits(at, end, expected);
      if (!day.ok()) return day.status();
      if (*day < 1 || *day > days) return Invalid(expected, at, 2);
      at += 2;
      date.precision = DatePrecision::kDay;
      date.earliest->day = *day;
      date.latest->day = *day;
      if (At(at, end) == 'T') return Unsupported("times of day", "end of date", at);
    }
  }

  absl::string_view may_follow =
      date.precision == DatePrecision::kDay ? "end of date" : "'-' or end of date";
  if (const char qualifier = At(at, end); IsQualifier(qualifier)) {
    if (date.precision != DatePrecision::kDay && At(at + 1, end) == '-') {
      return Unsupported("qualifiers of components", "end of date", at);
    }
    date.approximate = qualifier != '?';
    date.uncertain = qualifier != '~';
    may_follow = "end of date";
    ++at;
  }
  if (at != end) return Invalid(may_follow, at);
  return date;
}

absl::StatusOr<EdtfDate> Parser::ParseIntervalEnd(size_t begin, size_t end) const {
  const absl::string_view part = text_.substr(begin, end - begin);
  if (part.empty() || part == "..") return EdtfDate{};
  return ParseDate(begin, end);
}

absl::StatusOr<EdtfDate> Parser::Parse() const {
  if (text_.size() > kMaxBytes) {
    return absl::InvalidArgumentError(absl::StrCat("at most ", kMaxBytes, " bytes expected, got ",
                                                   text_.size(), " at position ", kMaxBytes));
  }
  const size_t slash = text_.find('/');
  if (slash == absl::string_view::npos) return ParseDate(0, text_.size());
  const size_t second_slash = text_.find('/', slash + 1);
  if (second_slash != absl::string_view::npos) return Invalid("end of interval", second_slash);
  if (text_.size() == 1) return Invalid("date or '..' before or after '/'", 1);

  const absl::StatusOr<EdtfDate> start = ParseIntervalEnd(0, slash);
  if (!start.ok()) return start;
  const absl::StatusOr<EdtfDate> end = ParseIntervalEnd(slash + 1, text_.size());
  if (!end.ok()) return end;
  if (start->earliest && end->earliest && *start->earliest > *end->earliest) {
    return Invalid("interval end not before its start", slash + 1, text_.size() - slash - 1);
  }
  return EdtfDate{.earliest = start->earliest,
                  .latest = end->latest,
                  .precision = DatePrecision::kInterval,
                  .approximate = start->approximate || end->approximate,
                  .uncertain = start->uncertain || end->uncertain};
}

}  // namespace

// Both conversions count in eras of 400 years (146,097 days) and in years that begin on 1 March,
// which puts the leap day last: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
// 719,468 days lie between 0000-03-01 and 1970-01-01.
int64_t DaysFromCivil(CivilDate date) {
  const int64_t year = date.month <= 2 ? date.year - 1 : date.year;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t month_from_march = (date.month + 9) % 12;
  const int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

CivilDate CivilFromDays(int64_t days) {
  const int64_t day = days + 719468;
  const int64_t era = (day >= 0 ? day : day - 146096) / 146097;
  const int64_t day_of_era = day - era * 146097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int month =
      static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  return {.year = year_of_era + era * 400 + (month <= 2 ? 1 : 0),
          .month = month,
          .day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1)};
}

absl::StatusOr<EdtfDate> ParseEdtf(absl::string_view text) { return Parser(text).Parse(); }

}  // namespace detente::values
