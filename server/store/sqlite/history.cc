// Reads of the history, and snapshots.
#include <algorithm>

#include "store/sqlite/session.h"

namespace detente::store {
namespace {

#define DETENTE_SNAPSHOT_COLUMNS                                                        \
  "id, revision, title, create_time, actor, checksum, current_checksum, record_count, " \
  "erased_count, delete_time"

Snapshot ReadSnapshot(const Statement& row) {
  return {row.Text(0), row.Int(1),  row.Text(2), row.Int(3), row.Text(4),
          row.Text(5), row.Text(6), row.Int(7),  row.Int(8), row.Int(9)};
}

}  // namespace

absl::StatusOr<std::optional<Commit>> SqliteSession::FindCommit(Revision revision) {
  auto turn = ReadTurn();
  DETENTE_PREPARE(find, db_, "SELECT " DETENTE_COMMIT_COLUMNS " FROM commits WHERE revision = ?1");
  auto row = find.Bind(revision).Step("read");
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  return ReadCommit(find);
}

// Revisions have no gaps and times grow with them, so that no index on the time is needed.
absl::StatusOr<Revision> SqliteSession::RevisionAt(int64_t time) {
  auto turn = ReadTurn();
  // Open until the end: one read of the file, not one for each step.
  DETENTE_PREPARE(newest, db_, "SELECT revision, time FROM commits ORDER BY revision DESC LIMIT 1");
  auto row = newest.Step("read");
  if (!row.ok()) return row.status();
  if (!*row) return 0;
  if (newest.Int(1) <= time) return newest.Int(0);
  Revision low = 0, high = newest.Int(0);  // time of low <= time < time of high
  while (high - low > 1) {
    const Revision middle = low + (high - low) / 2;
    DETENTE_PREPARE(find, db_, "SELECT time FROM commits WHERE revision = ?1");
    row = find.Bind(middle).Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return absl::DataLossError("a commit is missing");
    (find.Int(0) <= time ? low : high) = middle;
  }
  return low;
}

absl::Status SqliteSession::Commits(const CommitFilter& filter, Revision before,
                                    absl::FunctionRef<bool(struct Commit&)> visit) {
  Revision first = 1;
  if (filter.start_time != INT64_MIN) {
    auto earlier = RevisionAt(filter.start_time - 1);
    if (!earlier.ok()) return earlier.status();
    first = *earlier + 1;
  }
  if (filter.end_time != INT64_MAX) {
    auto last = RevisionAt(filter.end_time - 1);
    if (!last.ok()) return last.status();
    before = std::min(before, *last + 1);
  }
  auto turn = ReadTurn();
  const char* sql =
      filter.actor.empty()
          ? "SELECT " DETENTE_COMMIT_COLUMNS
            " FROM commits WHERE revision >= ?1 AND revision < ?2 ORDER BY revision DESC"
          : "SELECT " DETENTE_COMMIT_COLUMNS
            " FROM commits WHERE revision >= ?1 AND revision < ?2 AND actor = ?3 AND actor <> '' "
            "ORDER BY revision DESC";
  DETENTE_PREPARE(list, db_, sql);
  list.Bind(first).Bind(before);
  if (!filter.actor.empty()) list.Bind(filter.actor);
  while (true) {
    auto row = list.Step("read");
    if (!row.ok() || !*row) return row.status();
    struct Commit commit = ReadCommit(list);
    if (!visit(commit)) return absl::OkStatus();
  }
}

absl::Status SqliteSession::Changed(Revision base, Revision target, const Touched& after,
                                    absl::FunctionRef<bool(Touched&)> visit) {
  auto turn = ReadTurn();
  DETENTE_PREPARE(list, db_,
                  "SELECT DISTINCT collection, id FROM touches WHERE revision > ?1 AND "
                  "revision <= ?2 AND change <> 7 AND (collection, id) > (?3, ?4) "
                  "ORDER BY collection, id");
  list.Bind(base).Bind(target).Bind(after.collection).Bind(after.id);
  while (true) {
    auto row = list.Step("read");
    if (!row.ok() || !*row) return row.status();
    Touched touched{list.Text(0), list.Text(1)};
    if (!visit(touched)) return absl::OkStatus();
  }
}

absl::StatusOr<std::optional<Snapshot>> SqliteSession::FindSnapshot(absl::string_view id) {
  auto turn = ReadTurn();
  DETENTE_PREPARE(find, db_, "SELECT " DETENTE_SNAPSHOT_COLUMNS " FROM snapshots WHERE id = ?1");
  auto row = find.Bind(id).Step("read");
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  return ReadSnapshot(find);
}

absl::Status SqliteSession::Snapshots(absl::string_view after,
                                      absl::FunctionRef<bool(Snapshot&)> visit) {
  auto turn = ReadTurn();
  DETENTE_PREPARE(list, db_,
                  "SELECT " DETENTE_SNAPSHOT_COLUMNS " FROM snapshots WHERE id > ?1 ORDER BY id");
  list.Bind(after);
  while (true) {
    auto row = list.Step("read");
    if (!row.ok() || !*row) return row.status();
    Snapshot snapshot = ReadSnapshot(list);
    if (!visit(snapshot)) return absl::OkStatus();
  }
}

absl::Status SqliteSession::PutSnapshot(const Snapshot& snapshot) {
  DETENTE_PREPARE(put, db_,
                  "INSERT OR REPLACE INTO snapshots (" DETENTE_SNAPSHOT_COLUMNS
                  ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
  return put.Bind(snapshot.id)
      .Bind(snapshot.revision)
      .Bind(snapshot.title)
      .Bind(snapshot.create_time)
      .Bind(snapshot.actor)
      .Bind(snapshot.checksum)
      .Bind(snapshot.current_checksum)
      .Bind(snapshot.record_count)
      .Bind(snapshot.erased_count)
      .Bind(snapshot.delete_time)
      .Run();
}

absl::StatusOr<std::optional<std::string>> SqliteSession::KeptLeaf(absl::string_view collection,
                                                                   absl::string_view id,
                                                                   Revision since) {
  auto turn = ReadTurn();
  DETENTE_PREPARE(find, db_,
                  "SELECT leaf FROM kept_leaves WHERE collection = ?1 AND id = ?2 AND since = ?3");
  auto row = find.Bind(collection).Bind(id).Bind(since).Step("read");
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  return find.Text(0);
}

}  // namespace detente::store
