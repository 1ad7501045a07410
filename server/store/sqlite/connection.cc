#include "store/sqlite/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "error/error.h"
#include "error/log_limit.h"

namespace detente::store {
namespace {

// A number that VACUUM leaves as it is. What is not in the record stands beside it for the indexes,
// and for reads that need not look into it.
constexpr absl::string_view kCollectionTables = R"sql(
CREATE TABLE IF NOT EXISTS head_$0 (
  num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, since INTEGER NOT NULL,
  delete_time INTEGER NOT NULL, record BLOB NOT NULL, salt BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS past_$0 (
  num INTEGER PRIMARY KEY, id TEXT NOT NULL, since INTEGER NOT NULL, delete_time INTEGER NOT NULL,
  record BLOB NOT NULL, salt BLOB NOT NULL, until INTEGER NOT NULL, UNIQUE (id, since));
CREATE INDEX IF NOT EXISTS "$0.head_since" ON head_$0 (since, id);
CREATE INDEX IF NOT EXISTS "$0.past_since" ON past_$0 (since, id, until);
CREATE INDEX IF NOT EXISTS "$0.past_until" ON past_$0 (until, since, id);
)sql";

constexpr size_t kKeptStatements = 64;

// SQLite's own code covers writes alone: not a quota, nor the shared index of the log.
bool IsFull(int code, sqlite3* db) {
  if ((code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE) return true;
  if ((code & 0xff) != SQLITE_IOERR || db == nullptr) return false;
  const int system = sqlite3_system_errno(db);
  return system == ENOSPC || system == EDQUOT;
}

void LogFull(sqlite3* db) {
  static LogLimit limit;
  if (!limit.Due()) return;
  const char* path = db == nullptr ? nullptr : sqlite3_db_filename(db, "main");
  fprintf(stderr, "store: the disk of %s is full: writes are refused until there is room\n",
          path == nullptr ? "the store" : path);
}

}  // namespace

std::string Quoted(absl::string_view name) {
  if (!absl::StrContains(name, '"')) return absl::StrCat("\"", name, "\"");
  return absl::StrCat("\"", absl::StrReplaceAll(name, {{"\"", "\"\""}}), "\"");
}

absl::StatusOr<sqlite3_stmt*> Connection::PrepareText(
    const std::string& key, absl::FunctionRef<absl::StatusOr<std::string>()> make) {
  auto found = texts_.find(key);
  if (found == texts_.end()) {
    auto sql = make();
    if (!sql.ok()) return sql.status();
    if (texts_.size() >= kKeptStatements) {
      const auto oldest = std::min_element(
          texts_.begin(), texts_.end(),
          [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
      sqlite3_finalize(oldest->second.statement);
      texts_.erase(oldest);
    }
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(db_, sql->c_str(), static_cast<int>(sql->size()),
                           SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
      return Failed("read");
    }
    found = texts_.emplace(key, Kept{statement}).first;
  }
  found->second.used = ++uses_;
  return found->second.statement;
}

absl::Status FileError(const std::string& path) {
  if (errno == ENOSPC || errno == EDQUOT) return StoreFull();
  return Error(absl::StatusCode::kUnavailable, v1::STORE_UNAVAILABLE,
               absl::StrCat(path, ": ", std::strerror(errno)));
}

absl::Status StoreError(int code, absl::string_view doing, sqlite3* db) {
  if (IsFull(code, db)) {
    LogFull(db);
    return StoreFull();
  }
  switch (code & 0xff) {
    case SQLITE_INTERRUPT:
      return EndedByErasure();
    case SQLITE_READONLY:
      return Error(absl::StatusCode::kFailedPrecondition, v1::STORE_READ_ONLY,
                   absl::StrCat("the store can't be written (", doing, ")"));
    default:
      fprintf(stderr, "store: %s: error %d: %s\n", std::string(doing).c_str(), code,
              sqlite3_errmsg(db));
      return Error(absl::StatusCode::kUnavailable, v1::STORE_UNAVAILABLE,
                   absl::StrCat("the store could not be ", doing == "read" ? "read" : "written",
                                " (I/O error ", code, "); nothing was applied"));
  }
}

CollectionSql::CollectionSql(const Table& of) : table(of) {
  auto text = [&](absl::string_view sql) {
    return absl::StrReplaceAll(sql, {{"$0", table.collection}});
  };
  create = text(kCollectionTables);
  get = text("SELECT " DETENTE_VERSION_COLUMNS ", since FROM head_$0 WHERE id = ?1");
  get_past = text("SELECT " DETENTE_VERSION_COLUMNS
                  ", delete_time FROM past_$0 WHERE id = ?1 AND since <= ?2 "
                  "ORDER BY since DESC LIMIT 1");
  list = text("SELECT " DETENTE_VERSION_COLUMNS
              ", delete_time, since, id FROM head_$0 WHERE id > ?1 ORDER BY id");
  revisions = text("SELECT " DETENTE_VERSION_COLUMNS
                   " FROM past_$0 WHERE id = ?1 AND since < ?2 ORDER BY since DESC");
  versions =
      text("SELECT " DETENTE_VERSION_COLUMNS
           ", since, id, 9223372036854775807 AS until FROM head_$0 "
           "WHERE (since, id) > (?1, ?2) AND since <= ?3 UNION ALL SELECT " DETENTE_VERSION_COLUMNS
           ", since, id, until FROM past_$0 WHERE (since, id) > (?1, ?2) AND since <= ?3 "
           "AND until > ?4 ORDER BY since, id");
  superseded = text("SELECT id, since, until FROM past_$0 WHERE until > ?1 AND until <= ?2");
  since_of = text("SELECT num, since FROM head_$0 WHERE num >= ?1 ORDER BY num LIMIT 1");
  last_number = text("SELECT coalesce(max(num), 0) FROM head_$0");
  head = text("SELECT num, since, delete_time, record, salt FROM head_$0 WHERE id = ?1");
  insert = text(
      "INSERT INTO head_$0 (id, since, delete_time, record, salt) VALUES (?1, ?2, ?3, ?4, ?5)");
  insert_past = text(
      "INSERT INTO past_$0 (id, since, delete_time, record, salt, until) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
  update =
      text("UPDATE head_$0 SET since = ?2, delete_time = ?3, record = ?4, salt = ?5 WHERE id = ?1");
  seen = text("SELECT id FROM keys_$0 WHERE num = ?1 AND since <= ?2 AND delete_time = 0");
  seen_past = text(
      "SELECT id FROM past_keys_$0 "
      "WHERE num = ?1 AND since <= ?2 AND until > ?2 AND delete_time = 0");
  deleted = text("SELECT num FROM keys_$0 WHERE delete_time <> 0");
  newer = text("SELECT num FROM head_$0 WHERE since > ?1");
  superseded_later = text(
      "SELECT num, CASE WHEN since <= ?1 THEN delete_time = 0 ELSE 0 END "
      "FROM past_keys_$0 INDEXED BY \"$0.until\" WHERE until > ?1");
  names = text("SELECT id, num, 0 FROM keys_$0 WHERE id > ?1 ORDER BY id");
  all_names = text(
      "SELECT id, num, 0 FROM keys_$0 WHERE id > ?1 UNION ALL "
      "SELECT id, num, 1 FROM past_keys_$0 WHERE id > ?1 ORDER BY id");
  get_number = text("SELECT " DETENTE_VERSION_COLUMNS " FROM head_$0 WHERE num = ?1");
  get_past_number = text("SELECT " DETENTE_VERSION_COLUMNS ", until FROM past_$0 WHERE num = ?1");
  head_numbers = text("SELECT num FROM head_$0 WHERE id = ?1 AND since BETWEEN ?2 AND ?3");
  past_numbers = text("SELECT num FROM past_$0 WHERE id = ?1 AND since BETWEEN ?2 AND ?3");
  replace =
      text("UPDATE head_$0 SET id = ?2, delete_time = ?3, record = ?4, salt = ?5 WHERE num = ?1");
  replace_past =
      text("UPDATE past_$0 SET id = ?2, delete_time = ?3, record = ?4, salt = ?5 WHERE num = ?1");
  NameDerived();
}

}  // namespace detente::store
