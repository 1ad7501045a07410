// What an estimate says for certain, as bounds, and sums of such bounds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace detente::v1 {
class Estimate;
}

namespace detente::values {

// A count that lies within bounds, both included.
struct Interval {
  int64_t low = 0;
  std::optional<int64_t> high;  // absent = unbounded

  // No bound but that counts are not negative.
  bool unknown() const { return low <= 0 && !high.has_value(); }
  bool operator==(const Interval&) const = default;
};

// Bounds as stated. A best figure alone is exact, unless the source says "about": then, as with a
// text alone, nothing is certain.
Interval BoundsOf(const v1::Estimate& estimate);
inline Interval BoundsOf(std::optional<int64_t> low, std::optional<int64_t> best,
                         std::optional<int64_t> high, bool approximate) {
  if (best.has_value() && !low.has_value() && !high.has_value() && !approximate) {
    return {*best, best};
  }
  return {low.value_or(0), high};
}

Interval operator+(const Interval& a, const Interval& b);

// Every reading of `a` is more than every reading of `b`.
bool CertainlyMore(const Interval& a, const Interval& b);

// "123", "at least 100", "at most 15", "18 to 20", "an unknown number".
std::string ToText(const Interval& interval);

}  // namespace detente::values
