// Versions of a collection in the order in which they were made.
#include <algorithm>
#include <utility>

#include "store/sqlite/session.h"

namespace detente::store {

absl::Status SqliteSession::Versions(absl::string_view collection, const VersionRange& range,
                                     absl::FunctionRef<bool(Version&, Revision)> visit) {
  constexpr int kUntil = 4;
  auto turn = ReadTurn();
  auto sql = shared_->Find(collection);
  if (!sql.ok()) return sql.status();
  DETENTE_PREPARE(list, db_, (*sql)->versions.c_str());
  // All ids come before the first one of the next revision.
  const Revision after = range.after_id.empty() ? range.after + 1 : range.after;
  list.Bind(after).Bind(range.after_id).Bind(range.to).Bind(range.seen_at);
  Version version;
  while (true) {
    auto row = list.Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    if (absl::Status s = list.ReadVersion(&version); !s.ok()) return s;
    if (!visit(version, list.Int(kUntil))) return absl::OkStatus();
  }
}

absl::Status SqliteSession::Superseded(
    absl::string_view collection, Revision after, Revision to,
    absl::FunctionRef<void(absl::string_view, Revision, Revision)> visit) {
  auto turn = ReadTurn();
  auto sql = shared_->Find(collection);
  if (!sql.ok()) return sql.status();
  DETENTE_PREPARE(list, db_, (*sql)->superseded.c_str());
  list.Bind(after).Bind(to);
  while (true) {
    auto row = list.Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    visit(list.Text(0), list.Int(1), list.Int(2));
  }
}

// Numbers are given in the order of creation, and none is ever free again.
absl::StatusOr<std::vector<Revision>> SqliteSession::SampleSince(absl::string_view collection,
                                                                 int count) {
  auto turn = ReadTurn();
  auto sql = shared_->Find(collection);
  if (!sql.ok()) return sql.status();
  auto last = db_.Number((*sql)->last_number);
  if (!last.ok()) return last.status();
  std::vector<Revision> sample;
  const int64_t step = std::max(int64_t{1}, *last / std::max(1, count));
  for (int64_t number = 1; number <= *last; number += step) {
    DETENTE_PREPARE(find, db_, (*sql)->since_of.c_str());
    auto row = find.Bind(number).Step("read");
    if (!row.ok()) return row.status();
    if (*row) sample.push_back(find.Int(1));
  }
  std::sort(sample.begin(), sample.end());
  return sample;
}

absl::StatusOr<Revision> SqliteSession::LastErasure() {
  auto turn = ReadTurn();
  return db_.Number("SELECT coalesce(max(revision), 0) FROM erasures");
}

}  // namespace detente::store
