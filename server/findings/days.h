// What uncertain dates say for certain.
#pragma once

#include <cstdint>
#include <string>

namespace detente::v1 {
class UncertainDate;
}

namespace detente::findings {

constexpr int64_t kBefore = INT64_MIN;  // no first day
constexpr int64_t kAfter = INT64_MAX;   // no last day

// The days that a date can be, both included, in days since 1970.
struct Days {
  int64_t earliest = kBefore;
  int64_t latest = kAfter;
};

// Without bounds where the date is not a value, and where its text says "about" or "perhaps":
// such a date contradicts nothing.
Days DaysOf(const v1::UncertainDate& date);

// Every reading of `a` is before every reading of `b`.
inline bool CertainlyBefore(const Days& a, const Days& b) {
  return a.latest != kAfter && b.earliest != kBefore && a.latest < b.earliest;
}
inline bool CertainlyDiffer(const Days& a, const Days& b) {
  return CertainlyBefore(a, b) || CertainlyBefore(b, a);
}

// As the record has it: the text, or the state.
std::string ToText(const v1::UncertainDate& date);

}  // namespace detente::findings
