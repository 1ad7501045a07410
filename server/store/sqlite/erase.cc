// What an erasure does to the tables and the files.
#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "error/error.h"
#include "store/sqlite/ledger.h"
#include "store/sqlite/session.h"
#include "store/sqlite/text_finder.h"

namespace detente::store {
namespace {

// How long another process may take to end its read.
constexpr int kForeignReaderMilliseconds = 2'000;

constexpr char kFinder[] = "detente texts";  // the type of the pointer

// holds_one(column, finder): the bytes as they are, in a text too. A function of ours, since the
// texts may be thousands, and a scan for each would hold up the writer.
void HoldsOne(sqlite3_context* context, int, sqlite3_value** arguments) {
  const auto* finder = static_cast<const TextFinder*>(sqlite3_value_pointer(arguments[1], kFinder));
  const auto* bytes = static_cast<const char*>(sqlite3_value_blob(arguments[0]));
  const size_t size = static_cast<size_t>(sqlite3_value_bytes(arguments[0]));
  const bool found =
      finder != nullptr && bytes != nullptr && finder->FindsIn(absl::string_view(bytes, size));
  sqlite3_result_int(context, found ? 1 : 0);
}

}  // namespace

absl::Status AddHoldsOne(Connection& db) {
  const int code = sqlite3_create_function_v2(db.db(), "holds_one", 2, SQLITE_UTF8, nullptr,
                                              HoldsOne, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : StoreError(code, "read", db.db());
}

absl::Status SqliteSession::Containing(absl::string_view collection,
                                       absl::Span<const std::string> texts,
                                       absl::FunctionRef<bool(Version&)> visit) {
  if (texts.empty()) return absl::OkStatus();
  if (auto known = shared_->Find(collection); !known.ok()) return known.status();
  TextFinder finder(texts);
  for (absl::string_view table : {"head_", "past_"}) {
    auto find = db_.Once(absl::StrCat("SELECT " DETENTE_VERSION_COLUMNS " FROM ", table, collection,
                                      " WHERE holds_one(payload, ?1) OR holds_one(id, ?1) "
                                      "ORDER BY id, since"));
    if (!find.ok()) return find.status();
    (*find)->BindPointer(&finder, kFinder);
    while (true) {
      auto row = (*find)->Step("read");
      if (!row.ok()) return row.status();
      if (!*row) break;
      Version version = (*find)->ReadVersion();
      if (!visit(version)) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::Status SqliteSession::Rewrite(absl::string_view collection, absl::string_view id,
                                    Revision since, absl::string_view payload,
                                    const Derived& derived) {
  if (auto known = shared_->Find(collection); !known.ok()) return known.status();
  for (absl::string_view table : {"head_", "past_"}) {
    auto update = db_.Once(absl::StrCat("UPDATE ", table, collection,
                                        " SET payload = ?1 WHERE id = ?2 AND "
                                        "since = ?3"));
    if (!update.ok()) return update.status();
    if (absl::Status s = (*update)->BindBlob(payload).Bind(id).Bind(since).Run(); !s.ok()) return s;
  }
  return PutDerived(collection, id, since, derived);
}

absl::Status SqliteSession::KeepLeaf(absl::string_view collection, absl::string_view id,
                                     Revision since, absl::string_view leaf) {
  // The first is the one of before any erasure.
  DETENTE_PREPARE(put, db_,
                  "INSERT OR IGNORE INTO kept_leaves (collection, id, since, leaf) "
                  "VALUES (?1, ?2, ?3, ?4)");
  return put.Bind(collection).Bind(id).Bind(since).Bind(leaf).Run();
}

absl::Status SqliteSession::EraseRecord(absl::string_view collection, absl::string_view id,
                                        absl::string_view new_id, absl::string_view new_uid,
                                        int64_t time, absl::Span<const std::string> texts) {
  auto sql = shared_->Find(collection);
  if (!sql.ok()) return sql.status();
  // Freed pages are overwritten; Purge then rewrites the whole file.
  if (absl::Status s = db_.Execute("PRAGMA secure_delete = ON"); !s.ok()) return s;
  for (absl::string_view table : {"head_", "past_"}) {
    auto clear = db_.Once(
        absl::StrCat("UPDATE ", table, collection,
                     " SET id = ?1, uid = ?2, payload = x'', salt = x'', delete_time = "
                     "CASE delete_time WHEN 0 THEN ?3 ELSE delete_time END WHERE id = ?4"));
    if (!clear.ok()) return clear.status();
    absl::Status s = (*clear)->Bind(new_id).Bind(new_uid).Bind(time).Bind(id).Run();
    if (!s.ok()) return s;
  }
  if (absl::Status s = ClearDerived(**sql, new_id); !s.ok()) return s;
  const std::string name = absl::StrCat(collection, "/", id);
  const std::string new_name = absl::StrCat(collection, "/", new_id);
  struct Step {
    const char* sql;
    std::vector<absl::string_view> values;
  };
  const Step steps[] = {
      {"UPDATE commits SET reason = '', request_hash = x'' WHERE revision IN "
       "(SELECT revision FROM touches WHERE collection = ?1 AND id = ?2)",
       {collection, id}},
      {"UPDATE touches SET id = ?1 WHERE collection = ?2 AND id = ?3", {new_id, collection, id}},
      {"UPDATE kept_leaves SET id = ?1 WHERE collection = ?2 AND id = ?3",
       {new_id, collection, id}},
      {"UPDATE refs SET target = ?1 WHERE target = ?2", {new_name, name}},
      {"DELETE FROM refs WHERE referrer = ?1", {name}},
      {"UPDATE past_refs SET target = ?1 WHERE target = ?2", {new_name, name}},
      {"DELETE FROM past_refs WHERE referrer = ?1", {name}},
  };
  for (const Step& step : steps) {
    DETENTE_PREPARE(statement, db_, step.sql);
    for (absl::string_view value : step.values) statement.Bind(value);
    if (absl::Status s = statement.Run(); !s.ok()) return s;
  }
  if (texts.empty()) return absl::OkStatus();
  TextFinder finder(texts);
  DETENTE_PREPARE(reasons, db_,
                  "UPDATE commits SET reason = '' WHERE reason <> '' AND holds_one(reason, ?1)");
  if (absl::Status s = reasons.BindPointer(&finder, kFinder).Run(); !s.ok()) return s;
  DETENTE_PREPARE(requests, db_,
                  "UPDATE commits SET request_id = '', request_hash = x'' WHERE request_id <> '' "
                  "AND holds_one(request_id, ?1)");
  return requests.BindPointer(&finder, kFinder).Run();
}

absl::Status SqliteSession::PutErasure(const Erasure& erasure, Revision revision) {
  DETENTE_PREPARE(put, db_,
                  "INSERT OR IGNORE INTO erasures (uid_hash, id, revision) VALUES (?1, ?2, ?3)");
  absl::Status status = put.Bind(erasure.uid_hash).Bind(erasure.id).Bind(revision).Run();
  return status.ok() ? SetMeta("purge_pending", "1") : status;
}

absl::StatusOr<std::vector<Erasure>> SqliteSession::Erasures() {
  DETENTE_PREPARE(list, db_, "SELECT uid_hash, id FROM erasures ORDER BY id");
  std::vector<Erasure> found;
  while (true) {
    auto row = list.Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return found;
    found.push_back({list.Text(0), list.Text(1)});
  }
}

absl::Status SqliteSession::Purge() {
  if (!shared_->ledger.empty()) {
    auto made = Erasures();
    if (!made.ok()) return made.status();
    auto listed = ReadLedger(shared_->ledger);
    if (!listed.ok()) return listed.status();
    absl::flat_hash_set<std::string> known;
    for (const Erasure& erasure : *made) known.insert(erasure.uid_hash);
    for (Erasure& erasure : *listed) {
      if (known.insert(erasure.uid_hash).second) made->push_back(std::move(erasure));
    }
    if (absl::Status s = WriteLedger(shared_->ledger, *made); !s.ok()) return s;
  }
  {
    std::unique_lock<std::shared_mutex> turn(shared_->turns, std::defer_lock);
    if (shared_->in_memory) turn.lock();
    if (absl::Status s = PurgeWords(); !s.ok()) return s;
    if (absl::Status s = db_.Execute("VACUUM"); !s.ok()) return s;
  }
  if (!shared_->in_memory) {
    sqlite3_busy_timeout(db_.db(), kForeignReaderMilliseconds);
    auto busy = db_.Number("PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_busy_timeout(db_.db(), kBusyMilliseconds);
    if (!busy.ok()) return busy.status();
    if (*busy != 0) {
      return Error(absl::StatusCode::kUnavailable, v1::ERASURE_INCOMPLETE,
                   "the records are erased, but another process reads an older state of the file; "
                   "erase again with the same request id once it has let go");
    }
  }
  absl::Status status = db_.Execute("DELETE FROM meta WHERE key = 'purge_pending'");
  return status.ok() ? db_.Execute("PRAGMA secure_delete = OFF") : status;
}

}  // namespace detente::store
