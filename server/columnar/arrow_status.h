// Arrow's failures as ours.
#pragma once

#include <arrow/result.h>
#include <arrow/status.h>

#include <cstdlib>
#include <utility>

#include "absl/status/status.h"

namespace detente::columnar {

// All are faults of ours, or of memory: what callers give is checked before.
inline absl::Status FromArrow(const arrow::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsOutOfMemory()) return absl::ResourceExhaustedError("out of memory");
  return absl::InternalError(status.ToString());
}

// Of what can't fail, such as a type that descriptors make at start.
inline void Check(const arrow::Status& status) {
  if (!status.ok()) std::abort();
}
template <typename T>
T Check(arrow::Result<T> result) {
  Check(result.status());
  return std::move(result).ValueUnsafe();
}

#define DETENTE_ARROW_RETURN(expression)                                          \
  do {                                                                            \
    if (const arrow::Status& arrow_status_ = (expression); !arrow_status_.ok()) { \
      return ::detente::columnar::FromArrow(arrow_status_);                       \
    }                                                                             \
  } while (false)

}  // namespace detente::columnar
