#include <array>
#include <cstddef>
#include <cstdint>

#include "values/edtf_days.h"

namespace detente::values {
namespace {

using Form = EdtfDate::Form;
using Kind = EdtfPart::Kind;
using Unit = EdtfPart::Unit;

DatePrecision PrecisionOfYear(const EdtfPart& part) {
  if (part.unit == Unit::kDecade) return DatePrecision::kDecade;
  if (part.unit == Unit::kCentury) return DatePrecision::kCentury;
  // X from the right on are a whole decade, century ...
  if ((part.year_any & (part.year_any + 1)) != 0) return DatePrecision::kDigits;
  const int64_t years = part.year_last - part.year_first + 1;
  if (part.year_any == 0 && years == 1) return DatePrecision::kYear;
  if (part.year_any == 1 || (part.year_any == 0 && years <= 10)) return DatePrecision::kDecade;
  if (part.year_any == 3 || (part.year_any == 0 && years <= 100)) return DatePrecision::kCentury;
  return DatePrecision::kMillennium;
}

DatePrecision PrecisionOf(const EdtfPart& part) {
  constexpr std::array<char, 2> kAny = {'X', 'X'};
  const auto stated = [](const std::array<char, 2>& text) {
    return text[0] != '\0' && text[0] != 'X' && text[1] != 'X';
  };
  const DatePrecision year = PrecisionOfYear(part);
  const bool has_day = part.day_text[0] != '\0' && part.day_text != kAny;
  const bool has_month = part.month_text[0] != '\0' && part.month_text != kAny;
  if (!has_month) return has_day ? DatePrecision::kDigits : year;
  if (year != DatePrecision::kYear || !stated(part.month_text)) return DatePrecision::kDigits;
  if (part.unit == Unit::kPartOfYear) return DatePrecision::kPartOfYear;
  if (!has_day) return DatePrecision::kMonth;
  return stated(part.day_text) ? DatePrecision::kDay : DatePrecision::kDigits;
}

}  // namespace

void Summarize(EdtfDate* date) {
  bool first = true;
  for (const EdtfPart& part : date->parts) {
    for (const EdtfQualifier& qualifier : part.qualifiers) {
      date->approximate |= qualifier.approximate;
      date->uncertain |= qualifier.uncertain;
    }
  }
  for (size_t i = 0; i < date->parts.size(); ++i, first = false) {
    const EdtfPart& start = date->parts[i];
    const EdtfPart& end = start.joined ? date->parts[++i] : start;
    std::optional<CivilDate> earliest;
    std::optional<CivilDate> latest;
    if (start.kind == Kind::kDate) earliest = EarliestOf(start);
    if (end.kind == Kind::kDate) latest = LatestOf(end);
    // An absent bound stays absent.
    if (first || earliest < date->earliest) date->earliest = earliest;
    if (first || !latest || (date->latest && latest > date->latest)) date->latest = latest;
  }
  switch (date->form) {
    case Form::kDate:
      date->precision = PrecisionOf(date->parts[0]);
      break;
    case Form::kInterval:
      date->precision = DatePrecision::kInterval;
      break;
    case Form::kOneOf:
    case Form::kAllOf:
      date->precision = DatePrecision::kSet;
      break;
  }
}

}  // namespace detente::values
