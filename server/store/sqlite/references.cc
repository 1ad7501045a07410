// Which records refer to which, at every revision.
#include "store/sqlite/session.h"

namespace detente::store {

// They are derived anew at the next opening.
const char kReferenceTables[] = R"sql(
DROP TABLE refs;
CREATE TABLE refs (
  target TEXT, referrer TEXT, since INTEGER NOT NULL, PRIMARY KEY (target, referrer)) WITHOUT ROWID;
CREATE TABLE past_refs (
  target TEXT, referrer TEXT, since INTEGER, until INTEGER NOT NULL,
  PRIMARY KEY (target, referrer, since)) WITHOUT ROWID;
)sql";

absl::StatusOr<std::vector<std::string>> SqliteSession::Referrers(absl::string_view name,
                                                                  int limit) {
  auto turn = ReadTurn();
  DETENTE_PREPARE(find, db_,
                  "SELECT referrer FROM refs WHERE target = ?1 AND referrer <> ?1 "
                  "ORDER BY referrer LIMIT ?2");
  find.Bind(name).Bind(limit);
  std::vector<std::string> found;
  while (true) {
    auto row = find.Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return found;
    found.push_back(find.Text(0));
  }
}

absl::Status SqliteSession::ReferrersAt(absl::string_view name, const ReadView& view,
                                        absl::string_view after, absl::string_view before,
                                        absl::FunctionRef<bool(const std::string&)> visit) {
  auto turn = ReadTurn();
  // Both halves are walked in the order of their keys, merged, and no further than is visited.
  DETENTE_PREPARE(find, db_,
                  "SELECT referrer FROM refs WHERE target = ?1 AND referrer > ?2 AND "
                  "(?3 = '' OR referrer < ?3) AND since <= ?4 "
                  "UNION ALL "
                  "SELECT referrer FROM past_refs WHERE target = ?1 AND referrer > ?2 AND "
                  "(?3 = '' OR referrer < ?3) AND since <= ?4 AND until > ?4 "
                  "ORDER BY 1");
  find.Bind(name).Bind(after).Bind(before).Bind(view.revision);
  while (true) {
    auto row = find.Step("read");
    if (!row.ok() || !*row) return row.status();
    if (!visit(find.Text(0))) return absl::OkStatus();
  }
}

absl::Status SqliteSession::PutReferences(absl::string_view name, Revision since,
                                          absl::Span<const std::string> removed,
                                          absl::Span<const std::string> added) {
  for (const std::string& target : removed) {
    int64_t before = since;
    {
      DETENTE_PREPARE(get, db_, "SELECT since FROM refs WHERE target = ?1 AND referrer = ?2");
      auto row = get.Bind(target).Bind(name).Step("read");
      if (!row.ok()) return row.status();
      if (*row) before = get.Int(0);
    }
    if (before < since) {
      DETENTE_PREPARE(keep, db_,
                      "INSERT INTO past_refs (target, referrer, since, until) "
                      "VALUES (?1, ?2, ?3, ?4)");
      absl::Status status = keep.Bind(target).Bind(name).Bind(before).Bind(since).Run();
      if (!status.ok()) return status;
    }
    DETENTE_PREPARE(remove, db_, "DELETE FROM refs WHERE target = ?1 AND referrer = ?2");
    if (absl::Status s = remove.Bind(target).Bind(name).Run(); !s.ok()) return s;
  }
  for (const std::string& target : added) {
    DETENTE_PREPARE(add, db_,
                    "INSERT OR IGNORE INTO refs (target, referrer, since) VALUES (?1, ?2, ?3)");
    if (absl::Status s = add.Bind(target).Bind(name).Bind(since).Run(); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status SqliteSession::ClearReferences() {
  absl::Status status = Run("DELETE FROM refs");
  return status.ok() ? Run("DELETE FROM past_refs") : status;
}

}  // namespace detente::store
