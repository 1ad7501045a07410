// Reads by columns, lists and words: a selection as SQL.
#include "store/sqlite/session.h"

namespace detente::store {

absl::Status SqliteSession::Select(absl::string_view, const Selection&,
                                   absl::FunctionRef<bool(Version&)>) {
  return absl::UnimplementedError("Select");
}

absl::Status SqliteSession::Scan(absl::string_view, const Selection&, absl::Span<const int>,
                                 absl::FunctionRef<bool(absl::Span<const Value>)>) {
  return absl::UnimplementedError("Scan");
}

absl::StatusOr<int64_t> SqliteSession::Count(absl::string_view, const Selection&) {
  return absl::UnimplementedError("Count");
}

absl::StatusOr<Plan> SqliteSession::Explain(absl::string_view, const Selection&) {
  return absl::UnimplementedError("Explain");
}

}  // namespace detente::store
