#include "query/date_part.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace detente::query {
namespace {

using values::CivilDate;
using values::DateRelation;
using values::DateWindow;
using values::EdtfDate;

int64_t FloorDivide(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

// The dates that each lie somewhere by itself: those of a set, otherwise the one.
std::vector<EdtfDate> Members(const EdtfDate& date) {
  if (date.form != EdtfDate::Form::kAllOf && date.form != EdtfDate::Form::kOneOf) return {date};
  std::vector<EdtfDate> members;
  for (size_t i = 0; i < date.parts.size(); ++i) {
    EdtfDate member;
    member.form = EdtfDate::Form::kOneOf;
    member.parts.push_back(date.parts[i]);
    if (date.parts[i].joined) member.parts.push_back(date.parts[++i]);
    if (member.parts.front().kind == values::EdtfPart::Kind::kDate) {
      member.earliest = EarliestOf(member.parts.front());
    }
    if (member.parts.back().kind == values::EdtfPart::Kind::kDate) {
      member.latest = LatestOf(member.parts.back());
    }
    members.push_back(std::move(member));
  }
  return members;
}

}  // namespace

std::optional<DatePart> ParseDatePart(absl::string_view text) {
  if (text == "year") return DatePart::kYear;
  if (text == "quarter") return DatePart::kQuarter;
  if (text == "month") return DatePart::kMonth;
  if (text == "day") return DatePart::kDay;
  return std::nullopt;
}

int64_t BucketOf(DatePart part, CivilDate day) {
  switch (part) {
    case DatePart::kYear:
      return day.year;
    case DatePart::kQuarter:
      return day.year * 4 + (day.month - 1) / 3;
    case DatePart::kMonth:
      return day.year * 12 + day.month - 1;
    case DatePart::kDay:
      break;
  }
  return values::DaysFromCivil(day);
}

DateWindow WindowOf(DatePart part, int64_t bucket) {
  if (part == DatePart::kDay) {
    const CivilDate day = values::CivilFromDays(bucket);
    return {day, day};
  }
  const int per_year = part == DatePart::kYear ? 1 : part == DatePart::kQuarter ? 4 : 12;
  const int months = 12 / per_year;
  const int64_t year = FloorDivide(bucket, per_year);
  const int first = static_cast<int>(bucket - year * per_year) * months + 1;
  const int last = first + months - 1;
  return {CivilDate{year, first, 1}, CivilDate{year, last, values::DaysInMonth(year, last)}};
}

std::string BucketText(DatePart part, int64_t bucket) {
  const CivilDate first = *WindowOf(part, bucket).from;
  const std::string year = first.year < 0      ? absl::StrFormat("-%04d", -first.year)
                           : first.year > 9999 ? absl::StrCat("Y", first.year)
                                               : absl::StrFormat("%04d", first.year);
  switch (part) {
    case DatePart::kYear:
      return year;
    case DatePart::kQuarter:
      return absl::StrCat(year, "-Q", (first.month - 1) / 3 + 1);
    case DatePart::kMonth:
      return absl::StrFormat("%s-%02d", year, first.month);
    case DatePart::kDay:
      break;
  }
  return absl::StrFormat("%s-%02d-%02d", year, first.month, first.day);
}

std::optional<Buckets> BucketsOf(const EdtfDate& date, DatePart part) {
  std::map<int64_t, bool> found;
  for (const EdtfDate& member : Members(date)) {
    if (!member.earliest || !member.latest) return std::nullopt;
    const int64_t first = BucketOf(part, *member.earliest);
    const int64_t last = BucketOf(part, *member.latest);
    if (last - first >= static_cast<int64_t>(kMaxBuckets)) return std::nullopt;
    for (int64_t bucket = first; bucket <= last; ++bucket) {
      const DateWindow window = WindowOf(part, bucket);
      if (!Possibly(member, DateRelation::kWithin, window)) continue;
      const bool certain = Certainly(member, DateRelation::kWithin, window);
      bool& known = found.try_emplace(bucket, false).first->second;
      known = known || certain;
    }
    if (found.size() > kMaxBuckets) return std::nullopt;
  }
  // Of `[a,b]` it is one.
  const bool one_of_several = date.form == EdtfDate::Form::kOneOf && found.size() > 1;
  Buckets buckets;
  for (const auto& [bucket, certain] : found) {
    buckets.emplace_back(bucket, certain && !one_of_several);
  }
  return buckets;
}

bool PossiblyIn(const EdtfDate& date, DatePart part, int64_t bucket) {
  const DateWindow window = WindowOf(part, bucket);
  for (const EdtfDate& member : Members(date)) {
    if (Possibly(member, DateRelation::kWithin, window)) return true;
  }
  return false;
}

}  // namespace detente::query
