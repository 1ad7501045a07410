#include "values/interval.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "detente/v1/values.pb.h"

namespace detente::values {
namespace {

int64_t SaturatingAdd(int64_t a, int64_t b) {
  int64_t sum;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return a < 0 ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
}

}  // namespace

Interval BoundsOf(const v1::Estimate& estimate) {
  std::optional<int64_t> low, best, high;
  if (estimate.has_low()) low = estimate.low();
  if (estimate.has_best()) best = estimate.best();
  if (estimate.has_high()) high = estimate.high();
  return BoundsOf(low, best, high, estimate.approximate());
}

Interval operator+(const Interval& a, const Interval& b) {
  Interval sum{SaturatingAdd(a.low, b.low), std::nullopt};
  if (a.high.has_value() && b.high.has_value()) sum.high = SaturatingAdd(*a.high, *b.high);
  return sum;
}

bool CertainlyMore(const Interval& a, const Interval& b) {
  return b.high.has_value() && a.low > *b.high;
}

std::string ToText(const Interval& interval) {
  if (!interval.high.has_value()) {
    return interval.unknown() ? "an unknown number" : absl::StrCat("at least ", interval.low);
  }
  if (interval.low == *interval.high) return absl::StrCat(interval.low);
  if (interval.low <= 0) return absl::StrCat("at most ", *interval.high);
  return absl::StrCat(interval.low, " to ", *interval.high);
}

}  // namespace detente::values
