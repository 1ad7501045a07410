// The list of erased records in a file beside the store: it outlives the store's restoration from a
// backup that still holds them, and says nothing of what they were.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "store/store.h"

namespace detente::store {

// None where there is no such file. FAILED_PRECONDITION (STORE_UNUSABLE) where it is spoiled: then
// what was erased may be back.
absl::StatusOr<std::vector<Erasure>> ReadLedger(const std::string& path);

// Replaces the file; durable when it returns OK.
absl::Status WriteLedger(const std::string& path, absl::Span<const Erasure> erasures);

}  // namespace detente::store
