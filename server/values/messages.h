// The shared value messages: what the server computes of them, and what is wrong with them.
#pragma once

#include <cstdint>
#include <vector>

#include "detente/v1/values.pb.h"
#include "error/error.h"
#include "google/type/latlng.pb.h"
#include "values/edtf.h"

namespace detente::values {

v1::UncertainDate::Precision PrecisionOf(DatePrecision precision);

// Computes bounds, precision and qualifiers from the text as written. Adds violations with fields
// below the date.
void NormalizeDate(v1::UncertainDate* date, std::vector<Violation>* violations);

// Counts are not negative, and low <= best <= high.
void CheckEstimate(const v1::Estimate& estimate, std::vector<Violation>* violations);

// WGS 84 degrees.
void CheckLatLng(const google::type::LatLng& location, std::vector<Violation>* violations);

// Whole microseconds, of a Timestamp or a Duration.
constexpr int64_t MicrosOf(int64_t seconds, int32_t nanos) {
  return seconds * 1'000'000 + nanos / 1'000;
}

// Whole days since 1970-01-01.
int64_t DaysOf(const google::type::Date& date);

}  // namespace detente::values
