#include <charconv>
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "google/api/resource.pb.h"
#include "query/columns.h"
#include "query/filter_node.h"
#include "query/nearest.h"
#include "values/civil_date.h"
#include "values/edtf.h"
#include "values/wildcard.h"

namespace detente::query {
namespace {

using google::protobuf::FieldDescriptor;

constexpr int64_t kMaxDurationSeconds = 315'576'000'000;  // as google.protobuf.Duration has it

bool Misfit(const Operand& operand, absl::string_view expected, Fault* fault) {
  *fault = {operand.position, absl::StrCat(expected, " expected, got ", Shown(operand.value))};
  return false;
}

// An optional minus and digits.
bool IsWhole(absl::string_view text) {
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == absl::string_view::npos;
}

template <typename T>
bool ReadWhole(const Operand& operand, Literal* literal, Fault* fault) {
  constexpr T kMin = std::numeric_limits<T>::min();
  constexpr T kMax = std::numeric_limits<T>::max();
  T number = 0;
  if (absl::StartsWithIgnoreCase(operand.value, "0x")
          ? !absl::SimpleHexAtoi(operand.value, &number)
          : !IsWhole(operand.value) || !absl::SimpleAtoi(operand.value, &number)) {
    return Misfit(operand, absl::StrCat("a whole number from ", kMin, " to ", kMax), fault);
  }
  literal->whole = static_cast<int64_t>(number);
  literal->natural = static_cast<uint64_t>(number);
  literal->written = absl::StrCat(number);
  return true;
}

std::string Shortest(double number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), number).ptr;
  return {text, end};
}

bool ReadReal(const FieldDescriptor* field, const Operand& operand, Literal* literal,
              Fault* fault) {
  double number = 0;
  const bool shaped = operand.value.find_first_not_of("0123456789+-.eE") == std::string::npos &&
                      absl::SimpleAtod(operand.value, &number) && std::isfinite(number);
  if (!shaped) return Misfit(operand, "a number, such as 1.5,", fault);
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_FLOAT) {
    if (std::abs(number) > std::numeric_limits<float>::max()) {
      return Misfit(operand, "a number from -3.4e38 to 3.4e38", fault);
    }
    number = static_cast<float>(number);
  }
  if (number == 0) number = 0;  // no minus
  literal->real = number;
  literal->written = Shortest(number);
  return true;
}

bool ReadEnum(const FieldDescriptor* field, const Operand& operand, Literal* literal,
              Fault* fault) {
  const auto* type = field->enum_type();
  if (const auto* value = type->FindValueByName(operand.value)) {
    literal->whole = value->number();
    literal->written = value->name();
    return true;
  }
  std::vector<absl::string_view> names;
  std::string all;
  for (int i = 0; i < type->value_count(); ++i) {
    names.push_back(type->value(i)->name());
    if (type->value(i)->number() != 0) {
      absl::StrAppend(&all, all.empty() ? "" : ", ", type->value(i)->name());
    }
  }
  const std::string nearest = Nearest(absl::AsciiStrToUpper(operand.value.substr(0, 64)), names);
  *fault = {operand.position,
            absl::StrCat(field->name(), " has no value ", Shown(operand.value),
                         nearest.empty() ? absl::StrCat("; one of ", all, " expected")
                                         : absl::StrCat("; did you mean `", nearest, "`?"))};
  return false;
}

bool ReadTime(const Operand& operand, Literal* literal, Fault* fault) {
  constexpr absl::string_view kExpected = "a time as in \"2025-12-13T10:30:00Z\" (RFC 3339)";
  absl::Time time;
  std::string error;
  if (operand.value.empty() || TimeSize(operand.value) != operand.value.size() ||
      !absl::ParseTime(absl::RFC3339_full, operand.value, &time, &error)) {
    return Misfit(operand, kExpected, fault);
  }
  static const absl::Time kFirst = absl::FromCivil(absl::CivilSecond(1), absl::UTCTimeZone());
  static const absl::Time kEnd = absl::FromCivil(absl::CivilSecond(10'000), absl::UTCTimeZone());
  if (time < kFirst || time >= kEnd) return Misfit(operand, "a year from 1 to 9999", fault);
  literal->whole = absl::ToUnixSeconds(time);
  literal->nanos =
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(literal->whole)));
  literal->written = absl::StrCat(
      "\"", absl::FormatTime("%E4Y-%m-%dT%H:%M:%E*SZ", time, absl::UTCTimeZone()), "\"");
  return true;
}

bool ReadDuration(const Operand& operand, Literal* literal, Fault* fault) {
  absl::Duration duration;
  if (!absl::ParseDuration(operand.value, &duration) ||
      duration > absl::Seconds(kMaxDurationSeconds) ||
      duration < -absl::Seconds(kMaxDurationSeconds)) {
    return Misfit(operand, "a duration as in `90s`, `1.5s` or `4h30m`, of 10,000 years at most,",
                  fault);
  }
  absl::Duration rest;
  literal->whole = absl::IDivDuration(duration, absl::Seconds(1), &rest);
  literal->nanos = static_cast<int32_t>(absl::ToInt64Nanoseconds(rest));
  const bool negative = literal->whole < 0 || literal->nanos < 0;
  std::string seconds = absl::StrCat(std::abs(literal->whole));
  if (literal->nanos != 0) {
    std::string decimals = absl::StrCat(1'000'000'000 + std::abs(int64_t{literal->nanos}));
    decimals.erase(0, 1);
    decimals.erase(decimals.find_last_not_of('0') + 1);
    absl::StrAppend(&seconds, ".", decimals);
  }
  literal->written = absl::StrCat("\"", negative ? "-" : "", seconds, "s\"");
  return true;
}

bool ReadDay(const Operand& operand, Literal* literal, Fault* fault) {
  const auto date = values::ParseEdtf(operand.value);
  if (!date.ok() || date->precision != values::DatePrecision::kDay || date->time ||
      date->uncertain || date->approximate || date->earliest != date->latest) {
    return Misfit(operand, "a day as in `2025-12-13`", fault);
  }
  literal->whole = values::DaysFromCivil(*date->earliest);
  literal->written = absl::StrCat("\"", values::CanonicalEdtf(*date), "\"");
  return true;
}

// The collection of the names that a field holds: of the record's own, or of records of the one
// kind that it refers to; empty where it holds none, or those of any.
std::string CollectionOf(const FieldDescriptor* field) {
  const auto* resource = field->containing_type();
  if (field->options().HasExtension(google::api::resource_reference)) {
    const std::string& type = field->options().GetExtension(google::api::resource_reference).type();
    // Its message has the name behind the domain; `*` is of no message.
    resource = field->file()->pool()->FindMessageTypeByName(
        absl::StrCat(field->file()->package(), ".", type.substr(type.find('/') + 1)));
  } else if (field->name() != "name") {
    return "";
  }
  if (resource == nullptr || !resource->options().HasExtension(google::api::resource)) return "";
  const auto& options = resource->options().GetExtension(google::api::resource);
  return options.pattern().empty() ? ""
                                   : options.pattern(0).substr(0, options.pattern(0).find('/'));
}

}  // namespace

bool ReadWindow(const Operand& operand, Literal* literal, Fault* fault) {
  size_t at = 0;
  const auto date = values::ParseEdtf(operand.value, &at);
  if (!date.ok()) {
    *fault = {at < operand.places.size() ? operand.places[at] : operand.position,
              absl::StrCat("a date or a range of dates in EDTF expected, as in `2025-12` or "
                           "\"2025-12-13/2026-01\", got ",
                           Shown(operand.value), ": ", date.status().message())};
    return false;
  }
  literal->kind = ValueKind::kDate;
  // No date that is kept has such a bound: years beyond those of columns are as good as none.
  auto days = [](const std::optional<values::CivilDate>& day) -> std::optional<int64_t> {
    if (!day) return std::nullopt;
    return std::clamp(values::DaysFromCivil(*day), kUnboundedEarliest + 1, kUnboundedLatest - 1);
  };
  literal->from = days(date->earliest);
  literal->to = days(date->latest);
  literal->written = absl::StrCat("\"", values::CanonicalEdtf(*date), "\"");
  return true;
}

bool CheckName(const FieldDescriptor* field, const Operand& operand, Fault* fault) {
  if (KindOf(field) != ValueKind::kText || operand.value.empty() ||
      absl::StrContains(operand.value, '/')) {
    return true;
  }
  const std::string collection = CollectionOf(field);
  // A wildcard may stand for the collection, or for the rest of it.
  const bool partly =
      values::HasWildcard(operand.pattern) &&
      absl::StartsWith(absl::StrCat(collection, "/"), values::WildcardPrefix(operand.pattern));
  if (collection.empty() || partly) return true;
  const bool id = operand.value.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-*") ==
                  std::string::npos;
  const std::string got = Shown(operand.value);
  *fault = {operand.position,
            absl::StrCat("a name with its collection expected, ",
                         id ? absl::StrCat("got ", got, "; did you mean ",
                                           Shown(absl::StrCat(collection, "/", operand.value)), "?")
                            : absl::StrCat("as in `", collection, "/an-id`, got ", got))};
  return false;
}

bool ReadLiteral(const FieldDescriptor* field, const Operand& operand, Literal* literal,
                 Fault* fault) {
  literal->kind = KindOf(field);
  switch (literal->kind) {
    case ValueKind::kText:
      literal->wildcard = values::HasWildcard(operand.pattern);
      literal->text = literal->wildcard ? operand.pattern : operand.value;
      literal->written = QuotePattern(operand.pattern);
      return true;
    case ValueKind::kBool:
      if (operand.value != "true" && operand.value != "false") {
        return Misfit(operand, "true or false", fault);
      }
      literal->whole = operand.value == "true" ? 1 : 0;
      literal->written = operand.value;
      return true;
    case ValueKind::kEnum:
      return ReadEnum(field, operand, literal, fault);
    case ValueKind::kWhole:
      return field->cpp_type() == FieldDescriptor::CPPTYPE_INT32
                 ? ReadWhole<int32_t>(operand, literal, fault)
                 : ReadWhole<int64_t>(operand, literal, fault);
    case ValueKind::kNatural:
      return field->cpp_type() == FieldDescriptor::CPPTYPE_UINT32
                 ? ReadWhole<uint32_t>(operand, literal, fault)
                 : ReadWhole<uint64_t>(operand, literal, fault);
    case ValueKind::kReal:
      return ReadReal(field, operand, literal, fault);
    case ValueKind::kTime:
      return ReadTime(operand, literal, fault);
    case ValueKind::kDuration:
      return ReadDuration(operand, literal, fault);
    case ValueKind::kDay:
      return ReadDay(operand, literal, fault);
    case ValueKind::kDate:
      return ReadWindow(operand, literal, fault);
    case ValueKind::kBytes:
    case ValueKind::kMessage:
      break;
  }
  return Misfit(operand, "nothing to compare", fault);
}

}  // namespace detente::query
