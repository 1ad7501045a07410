#include "edtf_check.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "values/edtf.h"

namespace detente::values {
namespace {

using Form = EdtfDate::Form;

CivilDate Next(CivilDate day) { return CivilFromDays(DaysFromCivil(day) + 1); }
CivilDate Previous(CivilDate day) { return CivilFromDays(DaysFromCivil(day) - 1); }

std::string CheckPart(const EdtfPart& part) {
  if (part.kind != EdtfPart::Kind::kDate) return "";
  const CivilDate earliest = EarliestOf(part);
  const CivilDate latest = LatestOf(part);
  if (!IsCivil(earliest) || !IsCivil(latest)) return "a bound is no day";
  if (earliest > latest) return "earliest after latest";
  if (FirstOnOrAfter(part, earliest) != earliest) return "earliest is not admitted";
  if (LastOnOrBefore(part, latest) != latest) return "latest is not admitted";
  if (LastOnOrBefore(part, Previous(earliest))) return "a day before the earliest";
  if (FirstOnOrAfter(part, Next(latest))) return "a day after the latest";
  // The next day and the last one are each other's inverse.
  CivilDate day = earliest;
  for (int i = 0; i < 3; ++i) {
    const auto after = FirstOnOrAfter(part, Next(day));
    if (!after) break;
    if (LastOnOrBefore(part, Previous(*after)) != day) return "days are skipped";
    day = *after;
  }
  return "";
}

std::string CheckRelations(const EdtfDate& date, const DateWindow& window) {
  for (const DateRelation relation : {DateRelation::kBefore, DateRelation::kWithin,
                                      DateRelation::kAfter, DateRelation::kOverlapping}) {
    if (Certainly(date, relation, window) && !Possibly(date, relation, window)) {
      return absl::StrCat("certain but not possible: ", static_cast<int>(relation));
    }
  }
  if (Certainly(date, DateRelation::kWithin, window) &&
      !Certainly(date, DateRelation::kOverlapping, window)) {
    return "certainly within, without overlap";
  }
  if (Possibly(date, DateRelation::kWithin, window) &&
      !Possibly(date, DateRelation::kOverlapping, window)) {
    return "possibly within, without overlap";
  }
  return "";
}

}  // namespace

std::string CheckEdtf(absl::string_view text) {
  size_t position = 0;
  const absl::StatusOr<EdtfDate> date = ParseEdtf(text, &position);
  if (!date.ok()) {
    if (date.status().code() != absl::StatusCode::kInvalidArgument) return "not InvalidArgument";
    if (position > text.size()) return "the error stands behind the text";
    const absl::string_view message = date.status().message();
    if (!absl::StrContains(message, " expected, got ")) return "no expectation";
    if (!absl::EndsWith(message, absl::StrCat(" at position ", position))) return "no position";
    return "";
  }
  const std::string canonical = CanonicalEdtf(*date);
  const absl::StatusOr<EdtfDate> again = ParseEdtf(canonical);
  if (!again.ok()) return absl::StrCat(canonical, ": ", again.status().message());
  if (*again != *date) return absl::StrCat(canonical, " is another date");
  if (CanonicalEdtf(*again) != canonical) return absl::StrCat(canonical, " is not canonical");
  if ((*date <=> *again) != 0) return "order and equality differ";

  for (const EdtfPart& part : date->parts) {
    if (std::string wrong = CheckPart(part); !wrong.empty()) return wrong;
  }
  const auto& [earliest, latest] = date->Bounds();
  if (earliest && latest && *earliest > *latest) return "earliest after latest";
  if (earliest && (!date->Admits(*earliest) || date->Admits(Previous(*earliest)))) {
    return "earliest is not the first day";
  }
  if (latest && (!date->Admits(*latest) || date->Admits(Next(*latest)))) {
    return "latest is not the last day";
  }
  if (date->Admits({2023, 2, 29}) || date->Admits({2024, 13, 1})) return "admits what is no day";

  const DateWindow around{.from = earliest, .to = latest};
  if (!Certainly(*date, DateRelation::kWithin, around)) return "not within its own bounds";
  for (const DateWindow& window :
       {around, DateWindow{}, DateWindow{.from = earliest, .to = earliest},
        DateWindow{.from = latest, .to = latest},
        DateWindow{.from = CivilDate{2025, 12, 13}, .to = CivilDate{2025, 12, 13}},
        DateWindow{.from = CivilDate{1900, 1, 1}, .to = CivilDate{1999, 12, 31}}}) {
    if (std::string wrong = CheckRelations(*date, window); !wrong.empty()) return wrong;
    // A window of one day, and a date that is one: what can be within it is what admits it.
    if (date->form != Form::kAllOf && window.from && window.from == window.to &&
        Possibly(*date, DateRelation::kWithin, window) != date->Admits(*window.from)) {
      return "possibly within and Admits differ";
    }
  }
  return "";
}

}  // namespace detente::values
