// A store's conditions, asked of the columns of a chunk.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "columnar/chunk.h"
#include "store/selection.h"

namespace detente::columnar {

// Adds the columns that a condition compares. False where chunks can't tell: lists, references and
// words are the store's.
bool AddKeys(const store::Condition& condition, std::set<ColumnId>* keys);

// Leaves of `mask`, which has a byte for each row, 0 or 1, the rows of which the condition is true.
// `check` is asked now and then.
absl::Status Restrict(const store::Condition& condition, const Columns& columns,
                      const std::function<absl::Status()>& check, std::vector<uint8_t>* mask);

}  // namespace detente::columnar
