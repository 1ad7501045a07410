#include "findings/days.h"

#include "detente/v1/values.pb.h"
#include "values/messages.h"

namespace detente::findings {

Days DaysOf(const v1::UncertainDate& date) {
  Days days;
  if (date.state() != v1::UncertainDate::VALUE || date.approximate() || date.uncertain()) {
    return days;
  }
  if (date.has_earliest()) days.earliest = values::DaysOf(date.earliest());
  if (date.has_latest()) days.latest = values::DaysOf(date.latest());
  return days;
}

std::string ToText(const v1::UncertainDate& date) {
  if (!date.edtf().empty()) return date.edtf();
  return date.state() == v1::UncertainDate::STATE_UNSPECIFIED
             ? "absent"
             : v1::UncertainDate::State_Name(date.state());
}

}  // namespace detente::findings
