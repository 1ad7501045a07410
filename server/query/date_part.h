// Years, quarters, months and days as buckets that dates fall into, each with a number: in the
// order of time, without gaps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "values/edtf.h"

namespace detente::query {

enum class DatePart { kYear, kQuarter, kMonth, kDay };

// `year`, `quarter`, `month` or `day`.
std::optional<DatePart> ParseDatePart(absl::string_view text);

int64_t BucketOf(DatePart part, values::CivilDate day);
values::DateWindow WindowOf(DatePart part, int64_t bucket);
// `2025`, `2025-Q4`, `2025-12`, `2025-12-13`.
std::string BucketText(DatePart part, int64_t bucket);

// Dates that can lie in more buckets are not told bucket by bucket.
constexpr size_t kMaxBuckets = 1'000;

// Where a date can lie, in the order of time; and whether it lies there for certain. Each date of
// `{a,b}` lies somewhere by itself. Absent where it has no bound, or more than kMaxBuckets.
using Buckets = std::vector<std::pair<int64_t, bool>>;
std::optional<Buckets> BucketsOf(const values::EdtfDate& date, DatePart part);

// Whether it can lie in this one.
bool PossiblyIn(const values::EdtfDate& date, DatePart part, int64_t bucket);

}  // namespace detente::query
