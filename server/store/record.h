// A record's bytes, as callers get them and as a store keeps them: fields 1 to 7, which every
// resource's message has and only the store's row knows, and behind them the payload. The one place
// of the store that knows how a message is written.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "store/store.h"

namespace detente::store {

void AppendRecord(absl::string_view collection, const Version& version, std::string* out);

// The version of these bytes, but for its salt; into one whose room may be used again. DATA_LOSS
// where they were written by nothing of ours.
absl::Status ReadRecord(absl::string_view record, Version* version);

// Its id; empty where that can't be read. Lives as long as the bytes.
absl::string_view IdOfRecord(absl::string_view record);

}  // namespace detente::store
