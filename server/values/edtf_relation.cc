#include <algorithm>
#include <cstddef>

#include "values/edtf_days.h"

namespace detente::values {
namespace {

using Kind = EdtfPart::Kind;

bool Before(const std::optional<CivilDate>& day, const DateWindow& window) {
  return window.from && (!day || *day < *window.from);
}
bool After(const std::optional<CivilDate>& day, const DateWindow& window) {
  return window.to && (!day || *day > *window.to);
}

// A stretch of days; absent = without bound.
struct Stretch {
  std::optional<CivilDate> first;
  std::optional<CivilDate> last;
};

bool Touches(const Stretch& stretch, const DateWindow& window) {
  if (window.from && stretch.last && *stretch.last < *window.from) return false;
  return !window.to || !stretch.first || *stretch.first <= *window.to;
}

// What is not joined stands alone; what is has an end, `..` or none.
class Member {
 public:
  Member(const EdtfPart& first, const EdtfPart* last) : first_(first), last_(last) {
    if (first.kind == Kind::kDate) days_.first = EarliestOf(first);
    const EdtfPart& end = last == nullptr ? first : *last;
    if (end.kind == Kind::kDate) days_.last = LatestOf(end);
  }

  const Stretch& days() const { return days_; }
  bool joined() const { return last_ != nullptr; }

  bool PossiblyWithin(const DateWindow& window) const {
    if (!Touches(days_, window)) return false;
    if (joined() || !window.from) return true;
    const std::optional<CivilDate> day = FirstOnOrAfter(first_, *window.from);
    return day && (!window.to || *day <= *window.to);
  }

  bool CertainlyWithin(const DateWindow& window) const {
    return (!window.from || (days_.first && *days_.first >= *window.from)) &&
           (!window.to || (days_.last && *days_.last <= *window.to));
  }

  // All readings of the first to the last of what is joined in a set. Readings are in order, and a
  // window has no gaps: if the first does not end before it, nor the last begin after it, all
  // touch.
  bool CertainlyOverlaps(const DateWindow& window) const {
    const EdtfPart& end = joined() ? *last_ : first_;
    if (window.from &&
        (first_.kind != Kind::kDate || FirstReading(first_).core_last < *window.from)) {
      return false;
    }
    return !window.to || (end.kind == Kind::kDate && LastReading(end).core_first <= *window.to);
  }

  // For one of the dates that are joined in a set: the first and the last of them.
  Stretch FirstJoined() const {
    if (first_.kind != Kind::kDate) return {};
    return {.first = days_.first, .last = FirstReading(first_).last};
  }
  Stretch LastJoined() const {
    if (last_->kind != Kind::kDate) return {};
    return {.first = LastReading(*last_).first, .last = days_.last};
  }

 private:
  const EdtfPart& first_;
  const EdtfPart* last_;
  Stretch days_;
};

template <typename F>
void ForEachMember(const EdtfDate& date, const F& visit) {
  for (size_t i = 0; i < date.parts.size(); ++i) {
    const EdtfPart& first = date.parts[i];
    visit(Member(first, first.joined ? &date.parts[++i] : nullptr));
  }
}

// No interval that the text can mean starts after the window, and none ends before it.
bool IntervalCertainlyOverlaps(const EdtfDate& date, const DateWindow& window) {
  const EdtfPart& start = date.parts[0];
  const EdtfPart& end = date.parts[1];
  const bool has_start = start.kind == Kind::kDate;
  const bool has_end = end.kind == Kind::kDate;
  // The last day on which it can start; absent = it can be later than any.
  std::optional<CivilDate> last_start;
  // The first day on which it can end; absent = it can be before any.
  std::optional<CivilDate> first_end;
  if (has_start) {
    const CivilDate limit = has_end ? LastReading(end).first : LatestOf(start);
    const std::optional<CivilDate> day = LastOnOrBefore(start, limit);
    last_start = day ? LastReadingWith(start, *day).core_first : EarliestOf(start);
    // The core of a season may begin after the end of the interval, but the interval does not.
    if (has_end) last_start = std::min(*last_start, LatestOf(end));
  }
  if (has_end) {
    const CivilDate limit = has_start ? EarliestOf(start) : EarliestOf(end);
    std::optional<CivilDate> day = FirstOnOrAfter(end, limit);
    // The reading that holds the limit may begin before it; no start lets it be the end.
    if (day && FirstReadingWith(end, *day).first < limit) {
      const CivilDate next = CivilFromDays(DaysFromCivil(FirstReadingWith(end, *day).last) + 1);
      if (const auto later = FirstOnOrAfter(end, next)) day = later;
    }
    first_end = day ? FirstReadingWith(end, *day).core_last : LatestOf(end);
    if (has_start) first_end = std::max(*first_end, limit);
  }
  const bool starts_by_then =
      !window.to || start.kind == Kind::kOpen ||
      (has_start ? *last_start <= *window.to
                 : has_end && LatestOf(end) <= *window.to);  // an unknown start is before the end
  const bool ends_after =
      !window.from || end.kind == Kind::kOpen ||
      (has_end ? *first_end >= *window.from : has_start && EarliestOf(start) >= *window.from);
  return starts_by_then && ends_after;
}

}  // namespace

bool Possibly(const EdtfDate& date, DateRelation relation, const DateWindow& window) {
  const bool all = date.form == EdtfDate::Form::kAllOf;
  if (!all || relation == DateRelation::kOverlapping) {
    switch (relation) {
      case DateRelation::kBefore:
        return Before(date.earliest, window);
      case DateRelation::kAfter:
        return After(date.latest, window);
      case DateRelation::kWithin:
      case DateRelation::kOverlapping:
        break;
    }
    bool found = false;
    ForEachMember(date,
                  [&](const Member& member) { found = found || member.PossiblyWithin(window); });
    return found;
  }
  // Each of {a,b} can be; of what is joined, the first and the last decide.
  bool each = true;
  ForEachMember(date, [&](const Member& member) {
    switch (relation) {
      case DateRelation::kBefore: {
        const bool bounded = !member.joined() || member.LastJoined().last;
        each = each && bounded &&
               Before(member.joined() ? member.LastJoined().first : member.days().first, window);
        break;
      }
      case DateRelation::kAfter: {
        const bool bounded = !member.joined() || member.FirstJoined().first;
        each = each && bounded &&
               After(member.joined() ? member.FirstJoined().last : member.days().last, window);
        break;
      }
      case DateRelation::kWithin:
      case DateRelation::kOverlapping: {
        if (!member.joined()) {
          each = each && member.PossiblyWithin(window);
          break;
        }
        const Stretch first = member.FirstJoined();
        const Stretch last = member.LastJoined();
        each = each && (first.last || !window.from) && (last.first || !window.to) &&
               Touches(first, window) && Touches(last, window);
        break;
      }
    }
  });
  return each;
}

bool Certainly(const EdtfDate& date, DateRelation relation, const DateWindow& window) {
  switch (relation) {
    case DateRelation::kBefore:
      return date.latest && Before(date.latest, window);
    case DateRelation::kAfter:
      return date.earliest && After(date.earliest, window);
    case DateRelation::kWithin: {
      bool each = true;
      ForEachMember(date,
                    [&](const Member& member) { each = each && member.CertainlyWithin(window); });
      return each;
    }
    case DateRelation::kOverlapping:
      break;
  }
  if (date.form == EdtfDate::Form::kInterval) return IntervalCertainlyOverlaps(date, window);
  bool each = true;
  bool some = false;
  ForEachMember(date, [&](const Member& member) {
    each = each && member.CertainlyOverlaps(window);
    // All of what is joined are there: one of them is in the window if the whole touches it.
    some = some ||
           (member.joined() ? Touches(member.days(), window) : member.CertainlyOverlaps(window));
  });
  return date.form == EdtfDate::Form::kAllOf ? some : each;
}

}  // namespace detente::values
