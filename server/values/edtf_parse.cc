#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "values/edtf_days.h"

namespace detente::values {
namespace {

using Form = EdtfDate::Form;
using Kind = EdtfPart::Kind;
using Unit = EdtfPart::Unit;

constexpr uint32_t kAllDays = 0xFFFFFFFE;
constexpr uint16_t kAllMonths = 0x1FFE;
constexpr int64_t kYearEnd = 10'000'000'000'000'000;
constexpr size_t kMaxFraction = 18;

constexpr absl::string_view kMonth = "month 01..12";
constexpr std::array<absl::string_view, 4> kDay = {"day 01..28", "day 01..29", "day 01..30",
                                                   "day 01..31"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsDigitOrX(char c) { return IsDigit(c) || c == 'X'; }
bool IsMark(char c) { return c == '?' || c == '~' || c == '%'; }

void Add(char mark, EdtfQualifier* qualifier) {
  if (mark != '~') qualifier->uncertain = true;
  if (mark != '?') qualifier->approximate = true;
}

// Those of the numbers from 1 to `last` whose two digits fit.
uint32_t Fitting(const std::array<char, 2>& text, int last) {
  if (text[0] != 'X' && text[1] != 'X') {
    const int number = (text[0] - '0') * 10 + (text[1] - '0');
    return number >= 1 && number <= last ? uint32_t{1} << number : 0;
  }
  uint32_t bits = 0;
  for (int number = 1; number <= last; ++number) {
    if ((text[0] == 'X' || text[0] - '0' == number / 10) &&
        (text[1] == 'X' || text[1] - '0' == number % 10)) {
      bits |= uint32_t{1} << number;
    }
  }
  return bits;
}

// Positions are those of the whole text, so that errors in a part of it point into what the caller
// wrote. What returns bool has set the error where it returns false.
class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  bool Parse(EdtfDate* date);
  size_t error_position() const { return error_position_; }
  const std::string& error() const { return error_; }

 private:
  bool ParseInterval(size_t slash, EdtfDate* date);
  bool ParseIntervalEnd(size_t begin, size_t end, EdtfPart* part);
  bool ParseSet(char close, EdtfDate* date);
  bool ParseSetMember(size_t begin, size_t end, EdtfDate* date);
  bool ParseRangeEnd(size_t begin, size_t end, EdtfPart* part);
  // `time`: where a time of day may follow.
  bool ParseDate(size_t begin, size_t end, EdtfPart* part, std::optional<EdtfTime>* time);
  bool ParseYear(size_t* at, size_t end, EdtfPart* part);
  bool ParseLongYear(size_t* at, size_t end, EdtfPart* part);
  bool ParseSignificant(size_t* at, size_t end, EdtfPart* part);
  bool ParseMonth(size_t* at, size_t end, EdtfPart* part);
  bool ParseDay(size_t* at, size_t end, EdtfPart* part);
  bool ParseTime(size_t at, size_t end, EdtfTime* time);
  bool ParseShift(size_t at, size_t end, EdtfTime* time);
  bool ReadTwo(size_t at, size_t end, absl::string_view expected, std::array<char, 2>* digits);
  bool ReadNumber(size_t at, size_t end, int last, absl::string_view expected, int* number);

  char At(size_t at, size_t end) const { return at < end ? text_[at] : '\0'; }
  bool Invalid(absl::string_view expected, size_t at, size_t length = 1);

  absl::string_view text_;
  size_t error_position_ = 0;
  std::string error_;
};

bool Parser::Invalid(absl::string_view expected, size_t at, size_t length) {
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
  error_position_ = at;
  error_ = absl::StrCat(expected, " expected, got ", got, " at position ", at);
  return false;
}

bool Parser::ReadTwo(size_t at, size_t end, absl::string_view expected,
                     std::array<char, 2>* digits) {
  for (const size_t i : {0, 1}) {
    if (!IsDigitOrX(At(at + i, end))) return Invalid(expected, at + i);
    (*digits)[i] = text_[at + i];
  }
  return true;
}

bool Parser::ReadNumber(size_t at, size_t end, int last, absl::string_view expected, int* number) {
  for (const size_t i : {0, 1}) {
    if (!IsDigit(At(at + i, end))) return Invalid(expected, at + i);
  }
  *number = (text_[at] - '0') * 10 + (text_[at + 1] - '0');
  return *number <= last || Invalid(expected, at, 2);
}

bool Parser::ParseLongYear(size_t* at, size_t end, EdtfPart* part) {
  constexpr absl::string_view kLong = "year of more than 4 and at most 16 digits";
  const size_t begin = *at;
  ++*at;
  part->negative = At(*at, end) == '-';
  if (part->negative) ++*at;
  if (At(*at, end) < '1' || At(*at, end) > '9') return Invalid("digit 1..9", *at);
  int64_t year = 0;
  for (; IsDigit(At(*at, end)); ++*at) year = std::min(year * 10 + (text_[*at] - '0'), kYearEnd);
  if (At(*at, end) == 'E') {
    ++*at;
    const size_t first = *at;
    if (!IsDigit(At(first, end))) return Invalid("digit", first);
    if (text_[first] == '0' && IsDigit(At(first + 1, end))) return Invalid("digit 1..9", first);
    int exponent = 0;
    for (; IsDigit(At(*at, end)); ++*at) exponent = std::min(exponent * 10 + text_[*at] - '0', 16);
    for (; exponent > 0; --exponent) year = std::min(year * 10, kYearEnd);
  }
  if (year <= 9999 || year >= kYearEnd) return Invalid(kLong, begin, *at - begin);
  part->year = part->negative ? -year : year;
  part->year_first = part->year_last = part->year;
  return true;
}

bool Parser::ParseYear(size_t* at, size_t end, EdtfPart* part) {
  constexpr absl::string_view kFourDigits = "year of 4 digits";
  const size_t begin = *at;
  part->negative = At(begin, end) == '-';
  if (part->negative) ++*at;
  int64_t year = 0;
  size_t digits = 0;
  for (; digits < 4 && IsDigitOrX(At(*at, end)); ++digits, ++*at) {
    const char digit = text_[*at];
    if (digit == 'X') part->year_any = static_cast<uint8_t>(part->year_any | 8 >> digits);
    year = year * 10 + (digit == 'X' ? 0 : digit - '0');
  }
  int64_t span = 1;
  if (digits < 4) {
    const bool reduced = digits >= 2 && part->year_any == 0;
    // -00 and -000 are no more than -0000.
    if (!reduced || (!part->negative && *at != end && !IsMark(text_[*at]))) {
      return Invalid(kFourDigits, *at);
    }
    if (part->negative && year == 0) return Invalid("year 0 without a sign", begin, digits + 1);
    if (*at != end && !IsMark(text_[*at])) return Invalid(kFourDigits, *at);
    part->unit = digits == 2 ? Unit::kCentury : Unit::kDecade;
    span = digits == 2 ? 100 : 10;
    year *= span;
  } else if (part->negative && year == 0 && part->year_any == 0) {
    return Invalid("year 0 without a sign", begin, digits + 1);
  }
  int64_t highest = year + span - 1;
  int64_t nines = 9;
  for (int bit = 0; bit < 4; ++bit, nines *= 10) {
    if ((part->year_any >> bit & 1) != 0) highest += nines;
  }
  if (part->negative) {
    // There is no -0000: the last of -00XX is -0001, of -XX00 -0100.
    const int lowest_any = part->year_any & -part->year_any;
    const int64_t nearest = year != 0         ? year
                            : lowest_any == 1 ? 1
                            : lowest_any == 2 ? 10
                            : lowest_any == 4 ? 100
                                              : 1000;
    part->year = -year;
    part->year_first = -highest;
    part->year_last = -nearest;
  } else {
    part->year = part->year_first = year;
    part->year_last = highest;
  }
  return true;
}

bool Parser::ParseSignificant(size_t* at, size_t end, EdtfPart* part) {
  constexpr absl::string_view kExpected = "number of significant digits 1..99";
  const size_t begin = *at + 1;
  if (!IsDigit(At(begin, end))) return Invalid(kExpected, begin);
  size_t next = begin;
  while (IsDigit(At(next, end))) ++next;
  if (text_[begin] == '0' || next > begin + 2) return Invalid(kExpected, begin, next - begin);
  int digits = 0;
  for (size_t i = begin; i < next; ++i) digits = digits * 10 + (text_[i] - '0');
  part->significant = static_cast<uint8_t>(digits);
  const int64_t magnitude = part->negative ? -part->year : part->year;
  int64_t span = 1;
  int length = 0;
  for (int64_t rest = magnitude; rest > 0; rest /= 10) ++length;
  for (int i = digits; i < length; ++i) span *= 10;
  const int64_t lowest = magnitude / span * span;
  part->year_first = part->negative ? -(lowest + span - 1) : lowest;
  part->year_last = part->negative ? -lowest : lowest + span - 1;
  *at = next;
  return true;
}

bool Parser::ParseMonth(size_t* at, size_t end, EdtfPart* part) {
  if (!ReadTwo(*at, end, kMonth, &part->month_text)) return false;
  const auto [tens, units] = part->month_text;
  part->unit = Unit::kMonth;
  part->months = static_cast<uint16_t>(Fitting(part->month_text, 12));
  if (tens != 'X' && units != 'X') {
    const int number = (tens - '0') * 10 + (units - '0');
    if (number >= 21 && number <= 41) {
      part->unit = Unit::kPartOfYear;
      part->months = MonthsOfPart(number);
    }
  }
  if (part->months == 0) return Invalid(kMonth, *at, 2);
  *at += 2;
  return true;
}

bool Parser::ParseDay(size_t* at, size_t end, EdtfPart* part) {
  const int last = LastDay(*part);
  const absl::string_view expected = kDay[static_cast<size_t>(last - 28)];
  if (!ReadTwo(*at, end, expected, &part->day_text)) return false;
  part->unit = Unit::kDay;
  part->days = Fitting(part->day_text, last);
  if (part->days == 0) return Invalid(expected, *at, 2);
  *at += 2;
  return true;
}

bool Parser::ParseShift(size_t at, size_t end, EdtfTime* time) {
  constexpr absl::string_view kShift = "shift -12:00..+14:00";
  const size_t begin = at;
  const bool negative = text_[at] == '-';
  ++at;
  int hours = 0;
  int minutes = 0;
  if (!ReadNumber(at, end, 14, kShift, &hours)) return false;
  at += 2;
  if (at != end) {
    const bool colon = text_[at] == ':';
    if (!colon && !IsDigit(text_[at])) return Invalid("':' or end of date", at);
    if (colon) ++at;
    if (!ReadNumber(at, end, 59, "minute 00..59", &minutes)) return false;
    at += 2;
    if (at != end) return Invalid("end of date", at);
  }
  const int shift = hours * 60 + minutes;
  if (negative ? shift == 0 || shift > 12 * 60 : shift > 14 * 60) {
    return Invalid(kShift, begin, end - begin);
  }
  time->shift_minutes = negative ? -shift : shift;
  return true;
}

bool Parser::ParseTime(size_t at, size_t end, EdtfTime* time) {
  if (!ReadNumber(at, end, 24, "hour 00..24", &time->hour)) return false;
  if (At(at + 2, end) != ':') return Invalid("':'", at + 2);
  const absl::string_view minute = time->hour == 24 ? "minute 00" : "minute 00..59";
  if (!ReadNumber(at + 3, end, time->hour == 24 ? 0 : 59, minute, &time->minute)) return false;
  if (At(at + 5, end) != ':') return Invalid("':'", at + 5);
  const absl::string_view second = time->hour == 24 ? "second 00" : "second 00..59";
  const size_t second_at = at + 6;
  if (!ReadNumber(second_at, end, time->hour == 24 ? 0 : 60, second, &time->second)) return false;
  at += 8;
  if (At(at, end) == '.' || At(at, end) == ',') {
    if (time->hour == 24) return Invalid("end of date", at);
    const size_t first = at + 1;
    for (++at; IsDigit(At(at, end)); ++at) continue;
    if (at == first) return Invalid("digit", at);
    if (at - first > kMaxFraction) return Invalid("at most 18 decimals", first, at - first);
    time->fraction = std::string(text_.substr(first, at - first));
  }
  if (At(at, end) == 'Z') {
    time->shift_minutes = 0;
    ++at;
    if (at != end) return Invalid("end of date", at);
  } else if (At(at, end) == '+' || At(at, end) == '-') {
    if (!ParseShift(at, end, time)) return false;
  } else if (at != end) {
    return Invalid("'Z', shift or end of date", at);
  }
  if (time->second == 60) {
    // Leap seconds end a day of UTC. Local clocks are whole quarters of an hour from it.
    const int of_day = time->hour * 60 + time->minute - time->shift_minutes.value_or(0);
    const bool can_be = time->shift_minutes ? (of_day + 1) % (24 * 60) == 0 : of_day % 15 == 14;
    if (!can_be) return Invalid(second, second_at, 2);
  }
  return true;
}

bool Parser::ParseDate(size_t begin, size_t end, EdtfPart* part, std::optional<EdtfTime>* time) {
  size_t at = begin;
  // A mark left of a component; what is no component after it is not there.
  const auto mark = [&](size_t component) {
    if (!IsMark(At(at, end))) return;
    Add(text_[at], &part->qualifiers[component]);
    ++at;
  };
  // A mark right of a component counts for all to its left too.
  const auto mark_left = [&](size_t components) {
    if (!IsMark(At(at, end))) return false;
    for (size_t i = 0; i < components; ++i) Add(text_[at], &part->qualifiers[i]);
    ++at;
    return true;
  };

  mark(0);
  const char first = At(at, end);
  if (first != '-' && first != 'Y' && !IsDigitOrX(first)) return Invalid("date", begin);
  part->months = kAllMonths;
  part->days = kAllDays;
  bool may_go_on = false;  // with a month
  if (first == 'Y') {
    if (!ParseLongYear(&at, end, part)) return false;
  } else {
    if (!ParseYear(&at, end, part)) return false;
    may_go_on = part->unit == Unit::kYear;
  }
  if (At(at, end) == 'S' && part->unit == Unit::kYear && part->year_any == 0) {
    if (!ParseSignificant(&at, end, part)) return false;
    may_go_on = false;
  }
  bool marked = mark_left(1);
  if (may_go_on && At(at, end) == '-') {
    ++at;
    mark(1);
    if (!ParseMonth(&at, end, part)) return false;
    may_go_on = part->unit == Unit::kMonth;
    marked = mark_left(2);
    if (may_go_on && At(at, end) == '-') {
      ++at;
      mark(2);
      if (!ParseDay(&at, end, part)) return false;
      may_go_on = false;
      marked = mark_left(3);
    }
  }
  if (time != nullptr && At(at, end) == 'T' && !marked && part->unit == Unit::kDay &&
      part->qualifiers == EdtfPart().qualifiers && part->year_any == 0 &&
      text_.substr(begin, at - begin).find('X') == absl::string_view::npos) {
    return ParseTime(at + 1, end, &time->emplace());
  }
  return at == end || Invalid(may_go_on ? "'-' or end of date" : "end of date", at);
}

bool Parser::ParseIntervalEnd(size_t begin, size_t end, EdtfPart* part) {
  if (begin == end) {
    part->kind = Kind::kUnknown;
    return true;
  }
  if (text_.substr(begin, end - begin) == "..") {
    part->kind = Kind::kOpen;
    return true;
  }
  return ParseDate(begin, end, part, nullptr);
}

bool Parser::ParseInterval(size_t slash, EdtfDate* date) {
  const size_t second_slash = text_.find('/', slash + 1);
  if (second_slash != absl::string_view::npos) return Invalid("end of interval", second_slash);
  if (text_.size() == 1) return Invalid("date or '..' before or after '/'", 1);
  date->form = Form::kInterval;
  date->parts.resize(2);
  EdtfPart& start = date->parts[0];
  EdtfPart& end = date->parts[1];
  start.joined = true;
  if (!ParseIntervalEnd(0, slash, &start)) return false;
  if (!ParseIntervalEnd(slash + 1, text_.size(), &end)) return false;
  if (start.kind == Kind::kDate && end.kind == Kind::kDate &&
      EarliestOf(start) > LastReading(end).first) {
    return Invalid("interval end not before its start", slash + 1, text_.size() - slash - 1);
  }
  return true;
}

bool Parser::ParseRangeEnd(size_t begin, size_t end, EdtfPart* part) {
  if (!ParseDate(begin, end, part, nullptr)) return false;
  const absl::string_view text = text_.substr(begin, end - begin);
  if (part->unit == Unit::kPartOfYear || text.find_first_of("XS") != absl::string_view::npos) {
    return Invalid("year, month or day beside '..'", begin, end - begin);
  }
  return true;
}

bool Parser::ParseSetMember(size_t begin, size_t end, EdtfDate* date) {
  const size_t dots = text_.substr(0, end).find("..", begin);
  if (dots == absl::string_view::npos) {
    return ParseDate(begin, end, &date->parts.emplace_back(), nullptr);
  }
  const bool open_start = dots == begin;
  const bool open_end = dots + 2 == end;
  EdtfPart start;
  EdtfPart last;
  start.joined = true;
  if (open_start) {
    if (begin != 1) return Invalid("date", begin);
    start.kind = Kind::kOpen;
  } else if (!ParseRangeEnd(begin, dots, &start)) {
    return false;
  }
  if (open_end && !open_start) {
    if (end + 1 != text_.size()) return Invalid("date", end);
    last.kind = Kind::kOpen;
  } else if (!ParseRangeEnd(dots + 2, end, &last)) {
    return false;
  }
  if (start.kind == Kind::kDate && last.kind == Kind::kDate) {
    if (start.unit != last.unit) {
      return Invalid("date as precise as that before '..'", dots + 2, end - dots - 2);
    }
    if (EarliestOf(start) > EarliestOf(last)) {
      return Invalid("date not before that left of '..'", dots + 2, end - dots - 2);
    }
  }
  date->parts.push_back(start);
  date->parts.push_back(last);
  return true;
}

bool Parser::ParseSet(char close, EdtfDate* date) {
  date->form = close == ']' ? Form::kOneOf : Form::kAllOf;
  size_t begin = 1;
  for (;;) {
    const size_t end =
        std::min(text_.find_first_of(close == ']' ? ",]" : ",}", begin), text_.size());
    if (!ParseSetMember(begin, end, date)) return false;
    if (end == text_.size()) return Invalid(close == ']' ? "',' or ']'" : "',' or '}'", end);
    begin = end + 1;
    if (text_[end] == close) break;
  }
  return begin == text_.size() || Invalid("end of text", begin);
}

bool Parser::Parse(EdtfDate* date) {
  if (text_.size() > kMaxEdtfBytes) {
    error_position_ = kMaxEdtfBytes;
    error_ = absl::StrCat("at most ", kMaxEdtfBytes, " bytes expected, got ", text_.size(),
                          " at position ", kMaxEdtfBytes);
    return false;
  }
  if (!text_.empty() && text_[0] == '[') return ParseSet(']', date);
  if (!text_.empty() && text_[0] == '{') return ParseSet('}', date);
  const size_t slash = text_.find('/');
  if (slash != absl::string_view::npos) return ParseInterval(slash, date);
  return ParseDate(0, text_.size(), &date->parts.emplace_back(), &date->time);
}

}  // namespace

absl::StatusOr<EdtfDate> ParseEdtf(absl::string_view text, size_t* error_position) {
  Parser parser(text);
  EdtfDate date;
  if (!parser.Parse(&date)) {
    if (error_position != nullptr) *error_position = parser.error_position();
    return absl::InvalidArgumentError(parser.error());
  }
  Summarize(&date);
  return date;
}

}  // namespace detente::values
