#include "values/messages.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace detente::values {
namespace {

// google.type.Date holds the years 1 to 9999.
bool Representable(CivilDate date) { return date.year >= 1 && date.year <= 9999; }

// Whether each date of the text can lie in them: 0XXX can, 0000/2020 can't.
bool Representable(const EdtfDate& date) {
  return std::all_of(date.parts.begin(), date.parts.end(), [](const EdtfPart& part) {
    return part.kind != EdtfPart::Kind::kDate ||
           (LatestOf(part).year >= 1 && EarliestOf(part).year <= 9999);
  });
}

void SetDate(CivilDate date, google::type::Date* out) {
  out->set_year(static_cast<int32_t>(date.year));
  out->set_month(date.month);
  out->set_day(date.day);
}

}  // namespace

v1::UncertainDate::Precision PrecisionOf(DatePrecision precision) {
  switch (precision) {
    case DatePrecision::kDay:
      return v1::UncertainDate::DAY;
    case DatePrecision::kMonth:
      return v1::UncertainDate::MONTH;
    case DatePrecision::kYear:
      return v1::UncertainDate::YEAR;
    case DatePrecision::kInterval:
      return v1::UncertainDate::INTERVAL;
    case DatePrecision::kPartOfYear:
      return v1::UncertainDate::PART_OF_YEAR;
    case DatePrecision::kDecade:
      return v1::UncertainDate::DECADE;
    case DatePrecision::kCentury:
      return v1::UncertainDate::CENTURY;
    case DatePrecision::kMillennium:
      return v1::UncertainDate::MILLENNIUM;
    case DatePrecision::kDigits:
      return v1::UncertainDate::DIGITS;
    case DatePrecision::kSet:
      return v1::UncertainDate::SET;
  }
  return v1::UncertainDate::PRECISION_UNSPECIFIED;
}

void NormalizeDate(v1::UncertainDate* date, std::vector<Violation>* violations) {
  date->clear_earliest();
  date->clear_latest();
  date->clear_precision();
  date->clear_approximate();
  date->clear_uncertain();
  const bool stated = date->state() != v1::UncertainDate::STATE_UNSPECIFIED &&
                      date->state() != v1::UncertainDate::VALUE;
  if (date->edtf().empty()) {
    if (!stated) {
      violations->push_back(
          {"edtf", "a date in EDTF expected (`2025-12-13`), or a state of UNKNOWN, NONE, ONGOING"});
    }
    return;
  }
  if (stated) {
    violations->push_back(
        {"state", absl::StrCat(v1::UncertainDate::State_Name(date->state()),
                               " goes with an empty `edtf`; leave the state away")});
    return;
  }
  auto parsed = ParseEdtf(date->edtf());
  if (!parsed.ok()) {
    violations->push_back(
        {"edtf", absl::StrCat("`", date->edtf().substr(0, 64), "`: ", parsed.status().message())});
    return;
  }
  if (!Representable(*parsed)) {
    violations->push_back({"edtf", "a year from 1 to 9999 expected"});
    return;
  }
  date->set_state(v1::UncertainDate::VALUE);
  date->set_precision(PrecisionOf(parsed->precision));
  date->set_approximate(parsed->approximate);
  date->set_uncertain(parsed->uncertain);
  // A bound that google.type.Date can't hold is left away, which is what no bound looks like.
  if (parsed->earliest && Representable(*parsed->earliest)) {
    SetDate(*parsed->earliest, date->mutable_earliest());
  }
  if (parsed->latest && Representable(*parsed->latest)) {
    SetDate(*parsed->latest, date->mutable_latest());
  }
}

void CheckEstimate(const v1::Estimate& estimate, std::vector<Violation>* violations) {
  auto check = [&](bool wrong, const char* field, const std::string& what) {
    if (wrong) violations->push_back({field, what});
  };
  check(estimate.has_low() && estimate.low() < 0, "low", "a count from 0 on expected");
  check(estimate.has_best() && estimate.best() < 0, "best", "a count from 0 on expected");
  check(estimate.has_high() && estimate.high() < 0, "high", "a count from 0 on expected");
  check(estimate.has_low() && estimate.has_best() && estimate.low() > estimate.best(), "low",
        absl::StrCat("low <= best expected, got ", estimate.low(), " > ", estimate.best()));
  check(estimate.has_best() && estimate.has_high() && estimate.best() > estimate.high(), "high",
        absl::StrCat("best <= high expected, got ", estimate.best(), " > ", estimate.high()));
  check(estimate.has_low() && estimate.has_high() && !estimate.has_best() &&
            estimate.low() > estimate.high(),
        "low", absl::StrCat("low <= high expected, got ", estimate.low(), " > ", estimate.high()));
}

void CheckLatLng(const google::type::LatLng& location, std::vector<Violation>* violations) {
  // Written so that NaN fails too.
  if (!(location.latitude() >= -90 && location.latitude() <= 90)) {
    violations->push_back({"latitude", "degrees from -90 to 90 expected"});
  }
  if (!(location.longitude() >= -180 && location.longitude() <= 180)) {
    violations->push_back({"longitude", "degrees from -180 to 180 expected"});
  }
}

int64_t DaysOf(const google::type::Date& date) {
  return DaysFromCivil({date.year(), date.month(), date.day()});
}

}  // namespace detente::values
