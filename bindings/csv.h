// Rows of Arrow as lines of CSV (RFC 4180), as docs/export.md has them.
#pragma once

#include <arrow/type_fwd.h>

#include <string>

#include "absl/status/statusor.h"

namespace detente {

// A line for each row of a batch of flat columns. Lists and maps are JSON without what is not set.
absl::StatusOr<std::string> ToCsv(const arrow::RecordBatch& batch);

}  // namespace detente
