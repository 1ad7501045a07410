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

EdtfQualifier Both(EdtfQualifier a, EdtfQualifier b) {
  return {.uncertain = a.uncertain && b.uncertain, .approximate = a.approximate && b.approximate};
}

EdtfQualifier Without(EdtfQualifier a, EdtfQualifier b) {
  return {.uncertain = a.uncertain && !b.uncertain, .approximate = a.approximate && !b.approximate};
}

absl::string_view Text(const std::array<char, 2>& digits) { return {digits.data(), digits.size()}; }

std::string LongYear(uint64_t magnitude, bool negative) {
  int zeros = 0;
  uint64_t rest = magnitude;
  for (; rest % 10 == 0; rest /= 10) ++zeros;
  const absl::string_view sign = negative ? "-" : "";
  // From three on an exponent is shorter.
  return zeros < 3 ? absl::StrCat("Y", sign, magnitude) : absl::StrCat("Y", sign, rest, "E", zeros);
}

std::string YearText(const EdtfPart& part) {
  const uint64_t magnitude = static_cast<uint64_t>(std::abs(part.year));
  std::string text = part.negative ? "-" : "";
  if (part.unit == Unit::kCentury) {
    absl::StrAppend(&text, absl::Dec(magnitude / 100, absl::kZeroPad2));
  } else if (part.unit == Unit::kDecade) {
    absl::StrAppend(&text, absl::Dec(magnitude / 10, absl::kZeroPad3));
  } else if (magnitude > 9999) {
    text = LongYear(magnitude, part.negative);
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

  // A mark right of a component is one of all to its left too: those marks that a component has in
  // common with all before it are written there, the rest left of it. No other way takes fewer.
  std::array<EdtfQualifier, 4> shared = {};  // the last has none
  for (size_t i = 0; i < count; ++i) {
    shared[i] = i == 0 ? part.qualifiers[i] : Both(shared[i - 1], part.qualifiers[i]);
  }
  for (size_t i = 0; i < count; ++i) {
    absl::StrAppend(out, i == 0 ? "" : "-", Mark(Without(part.qualifiers[i], shared[i])),
                    components[i], Mark(Without(shared[i], shared[i + 1])));
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
    if (i > 0 && !date.parts[i - 1].joined) text += ',';
    if (part.kind == EdtfPart::Kind::kDate) AppendPart(part, &text);
    // In a set, an open end is all that stands beside its `..`.
    if (part.kind == EdtfPart::Kind::kOpen && interval) text += "..";
    if (part.joined) text += interval ? "/" : "..";
  }
  if (date.form == EdtfDate::Form::kOneOf) text += ']';
  if (date.form == EdtfDate::Form::kAllOf) text += '}';
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
