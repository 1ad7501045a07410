#include <array>
#include <cstddef>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "values/edtf.h"

namespace detente::values {
namespace {

using Unit = EdtfPart::Unit;

absl::string_view Mark(EdtfQualifier qualifier) {
  if (qualifier.uncertain) return qualifier.approximate ? "%" : "?";
  return qualifier.approximate ? "~" : "";
}

absl::string_view Text(const std::array<char, 2>& digits) { return {digits.data(), digits.size()}; }

std::string YearText(const EdtfPart& part) {
  const uint64_t magnitude = static_cast<uint64_t>(std::abs(part.year));
  std::string text = part.negative ? "-" : "";
  if (part.unit == Unit::kCentury) {
    absl::StrAppend(&text, absl::Dec(magnitude / 100, absl::kZeroPad2));
  } else if (part.unit == Unit::kDecade) {
    absl::StrAppend(&text, absl::Dec(magnitude / 10, absl::kZeroPad3));
  } else if (magnitude > 9999) {
    text = absl::StrCat("Y", text, magnitude);
  } else {
    const size_t digits = text.size();
    absl::StrAppend(&text, absl::Dec(magnitude, absl::kZeroPad4));
    for (size_t i = 0; i < 4; ++i) {
      if ((part.year_any >> (3 - i) & 1) != 0) text[digits + i] = 'X';
    }
  }
  if (part.significant != 0) absl::StrAppend(&text, "S", static_cast<int>(part.significant));
  return text;
}

void AppendPart(const EdtfPart& part, std::string* out) {
  std::array<std::string, 3> components;
  size_t count = 0;
  components[count++] = YearText(part);
  if (part.month_text[0] != '\0') components[count++] = std::string(Text(part.month_text));
  if (part.day_text[0] != '\0') components[count++] = std::string(Text(part.day_text));

  // As many components as are qualified alike from the left, if no other is: one mark after them.
  size_t alike = 1;
  while (alike < count && part.qualifiers[alike] == part.qualifiers[0]) ++alike;
  bool grouped = true;
  for (size_t i = alike; i < count; ++i) grouped = grouped && Mark(part.qualifiers[i]).empty();
  for (size_t i = 0; i < count; ++i) {
    const absl::string_view mark = Mark(part.qualifiers[i]);
    absl::StrAppend(out, i == 0 ? "" : "-", grouped ? "" : mark, components[i],
                    grouped && i + 1 == alike ? mark : "");
  }
}

std::string TimeText(const EdtfTime& time) {
  std::string text = absl::StrCat(
      "T", absl::Dec(time.hour, absl::kZeroPad2), ":", absl::Dec(time.minute, absl::kZeroPad2), ":",
      absl::Dec(time.second, absl::kZeroPad2), time.fraction.empty() ? "" : ".", time.fraction);
  if (!time.shift_minutes) return text;
  const int shift = std::abs(*time.shift_minutes);
  if (shift == 0) return text + "Z";
  return absl::StrCat(text, *time.shift_minutes < 0 ? "-" : "+",
                      absl::Dec(shift / 60, absl::kZeroPad2), ":",
                      absl::Dec(shift % 60, absl::kZeroPad2));
}

}  // namespace

std::string CanonicalEdtf(const EdtfDate& date) {
  std::string text;
  const bool interval = date.form == EdtfDate::Form::kInterval;
  if (date.form == EdtfDate::Form::kOneOf) text = "[";
  if (date.form == EdtfDate::Form::kAllOf) text = "{";
  for (size_t i = 0; i < date.parts.size(); ++i) {
    const EdtfPart& part = date.parts[i];
    if (i > 0 && !date.parts[i - 1].joined) text += ",";
    if (part.kind == EdtfPart::Kind::kDate) AppendPart(part, &text);
    // In a set, an open end is all that stands beside its `..`.
    if (part.kind == EdtfPart::Kind::kOpen && interval) text += "..";
    if (part.joined) text += interval ? "/" : "..";
  }
  if (date.form == EdtfDate::Form::kOneOf) text += "]";
  if (date.form == EdtfDate::Form::kAllOf) text += "}";
  if (date.time) text += TimeText(*date.time);
  return text;
}

std::strong_ordering EdtfDate::operator<=>(const EdtfDate& other) const {
  // An absent optional is less than any value.
  if (const auto order = earliest <=> other.earliest; order != 0) return order;
  if (latest.has_value() != other.latest.has_value()) {
    return latest.has_value() ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  if (const auto order = latest <=> other.latest; order != 0) return order;
  return CanonicalEdtf(*this) <=> CanonicalEdtf(other);
}

}  // namespace detente::values
