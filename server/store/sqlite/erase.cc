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

absl::Status AddHoldsOne(Connection& db) { return db.AddFunction("holds_one", 2, HoldsOne); }

absl::Status SqliteSession::EachNumbered(
    const CollectionSql& sql, absl::string_view id, std::optional<Revision> since,
    absl::FunctionRef<absl::Status(bool past, int64_t number)> visit) {
  std::vector<std::pair<bool, int64_t>> found;
  for (const bool past : {false, true}) {
    DETENTE_PREPARE(find, db_, (past ? sql.past_numbers : sql.head_numbers).c_str());
    find.Bind(id).Bind(since.value_or(0)).Bind(since.value_or(INT64_MAX));
    while (true) {
      auto row = find.Step("read");
      if (!row.ok()) return row.status();
      if (!*row) break;
      found.emplace_back(past, find.Int(0));
    }
  }
  for (const auto& [past, number] : found) {
    if (absl::Status s = visit(past, number); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status SqliteSession::ReplaceRow(const CollectionSql& sql, bool past, int64_t number,
                                       const Version& version, const Derived& derived) {
  record_.clear();
  AppendRecord(sql.table.collection, version, &record_);
  {
    DETENTE_PREPARE(put, db_, (past ? sql.replace_past : sql.replace).c_str());
    put.Bind(number).Bind(version.id).Bind(version.delete_time);
    absl::Status status = put.BindBlob(record_).BindBlob(version.salt).Run();
    if (!status.ok()) return status;
  }
  return Derive(sql, past, number, derived);
}

absl::Status SqliteSession::Containing(absl::string_view collection,
                                       absl::Span<const std::string> texts,
                                       absl::FunctionRef<bool(Version&)> visit) {
  if (texts.empty()) return absl::OkStatus();
  if (auto known = shared_->Find(collection); !known.ok()) return known.status();
  TextFinder finder(texts);
  Version version;
  for (absl::string_view table : {"head_", "past_"}) {
    auto find = db_.Once(absl::StrCat("SELECT " DETENTE_VERSION_COLUMNS " FROM ", table, collection,
                                      " WHERE holds_one(record, ?1) ORDER BY id, since"));
    if (!find.ok()) return find.status();
    (*find)->BindPointer(&finder, kFinder);
    while (true) {
      auto row = (*find)->Step("read");
      if (!row.ok()) return row.status();
      if (!*row) break;
      if (absl::Status s = (*find)->ReadVersion(&version); !s.ok()) return s;
      // Digits of a uid or an etag tell nothing.
      if (!finder.FindsIn(version.payload) && !finder.FindsIn(version.id)) continue;
      if (!visit(version)) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::Status SqliteSession::Rewrite(absl::string_view collection, absl::string_view id,
                                    Revision since, absl::string_view payload,
                                    const Derived& derived) {
  auto sql = shared_->Find(collection);
  if (!sql.ok()) return sql.status();
  return EachNumbered(**sql, id, since, [&](bool past, int64_t number) {
    auto version = GetNumbered(**sql, past, number);
    if (!version.ok()) return version.status();
    version->payload = std::string(payload);
    return ReplaceRow(**sql, past, number, *version, derived);
  });
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
  absl::Status cleared = EachNumbered(**sql, id, std::nullopt, [&](bool past, int64_t number) {
    auto version = GetNumbered(**sql, past, number);
    if (!version.ok()) return version.status();
    Version left;
    left.id = std::string(new_id);
    left.uid = std::string(new_uid);
    left.since = version->since;
    left.create_time = version->create_time;
    left.update_time = version->update_time;
    left.delete_time = version->delete_time != 0 ? version->delete_time : time;
    return ReplaceRow(**sql, past, number, left, {});
  });
  if (!cleared.ok()) return cleared;
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
