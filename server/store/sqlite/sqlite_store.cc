#include "store/sqlite/sqlite_store.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <shared_mutex>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "error/error.h"
#include "store/sqlite/ledger.h"
#include "store/sqlite/session.h"

namespace detente::store {
namespace {

constexpr int kApplicationId = 0x44e74e7e;  // marks the file as one of ours
constexpr int kFormat = 4;                  // of the tables

constexpr absl::string_view kTables = R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE commits (
  revision INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
  method TEXT NOT NULL, request_id TEXT NOT NULL, request_hash BLOB NOT NULL);
CREATE UNIQUE INDEX commits_request ON commits (request_id, actor) WHERE request_id <> '';
CREATE TABLE touches (
  revision INTEGER, ordinal INTEGER, collection TEXT NOT NULL, id TEXT NOT NULL,
  change INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (revision, ordinal)) WITHOUT ROWID;
CREATE TABLE refs (target TEXT, referrer TEXT, PRIMARY KEY (target, referrer)) WITHOUT ROWID;
)sql";

// What format 2 has beside those of format 1.
constexpr absl::string_view kTables2 = R"sql(
CREATE INDEX commits_actor ON commits (actor, revision) WHERE actor <> '';
CREATE TABLE snapshots (
  id TEXT PRIMARY KEY, revision INTEGER NOT NULL, title TEXT NOT NULL, create_time INTEGER NOT NULL,
  actor TEXT NOT NULL, checksum TEXT NOT NULL, current_checksum TEXT NOT NULL,
  record_count INTEGER NOT NULL, erased_count INTEGER NOT NULL, delete_time INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE kept_leaves (
  collection TEXT, id TEXT, since INTEGER, leaf TEXT NOT NULL, PRIMARY KEY (collection, id, since))
  WITHOUT ROWID;
CREATE TABLE erasures (
  uid_hash TEXT PRIMARY KEY, id TEXT NOT NULL, revision INTEGER NOT NULL) WITHOUT ROWID;
)sql";

// From format 1: records get their salts.
constexpr absl::string_view kSalts = R"sql(
ALTER TABLE head_$0 ADD COLUMN salt BLOB NOT NULL DEFAULT x'';
UPDATE head_$0 SET salt = randomblob(16);
ALTER TABLE past_$0 ADD COLUMN salt BLOB NOT NULL DEFAULT x'';
UPDATE past_$0 SET salt = (SELECT salt FROM head_$0 AS head WHERE head.id = past_$0.id);
)sql";

// From formats 2 and 3: fields 1 to 7 stand before the payload, in one column. Rows have numbers
// from format 3 on, under which derived tables know them; before, what SQLite numbered them by.
// The tables of today are $1; their indexes have the names that those of the old ones had.
constexpr absl::string_view kRecords = R"sql(
ALTER TABLE head_$0 RENAME TO old_head_$0;
ALTER TABLE past_$0 RENAME TO old_past_$0;
$1
INSERT INTO head_$0 (num, id, since, delete_time, record, salt) SELECT rowid, id, since, delete_time,
  record_of('$0', id, uid, since, create_time, update_time, delete_time, payload), salt
  FROM old_head_$0 ORDER BY rowid;
INSERT INTO past_$0 (num, id, since, delete_time, record, salt, until)
  SELECT rowid, id, since, delete_time,
  record_of('$0', id, uid, since, create_time, update_time, delete_time, payload), salt, until
  FROM old_past_$0 ORDER BY rowid;
DROP TABLE old_head_$0;
DROP TABLE old_past_$0;
)sql";

// record_of(collection, id, uid, since, create_time, update_time, delete_time, payload)
void RecordOf(sqlite3_context* context, int, sqlite3_value** arguments) {
  auto text = [&](int i) {
    const auto* bytes = static_cast<const char*>(sqlite3_value_blob(arguments[i]));
    const auto size = static_cast<size_t>(sqlite3_value_bytes(arguments[i]));
    return bytes == nullptr ? std::string() : std::string(bytes, size);
  };
  auto number = [&](int i) { return int64_t{sqlite3_value_int64(arguments[i])}; };
  Version version{text(1), text(2), number(3), number(4), number(5), number(6), text(7), ""};
  std::string record;
  AppendRecord(text(0), version, &record);
  sqlite3_result_blob64(context, record.data(), record.size(), SQLITE_TRANSIENT);
}

// Held while a process writes a store; holds its process id for the next one to name.
class LockFile {
 public:
  ~LockFile() {
    if (file_ < 0) return;
    flock(file_, LOCK_UN);  // also where a forked child still has the file open
    close(file_);
  }

  absl::Status Lock(const std::string& path, absl::string_view store) {
    file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file_ < 0) {
      return Error(absl::StatusCode::kFailedPrecondition, v1::STORE_READ_ONLY,
                   absl::StrCat(path, ": ", std::strerror(errno),
                                "; a store that is written needs its lock file"));
    }
    char pid[32] = {};
    if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
      ssize_t length = pread(file_, pid, sizeof pid - 1, 0);
      std::string owner(pid, length > 0 ? length : 0);
      absl::StripTrailingAsciiWhitespace(&owner);
      close(file_);
      file_ = -1;
      return Error(absl::StatusCode::kFailedPrecondition, v1::STORE_LOCKED,
                   absl::StrCat(store, " is being written by process ", owner,
                                "; stop it, or open the store for reading only"),
                   {{"path", std::string(store)}, {"pid", owner}});
    }
    std::string text = absl::StrCat(getpid(), "\n");
    if (ftruncate(file_, 0) != 0 ||
        pwrite(file_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
      return FileError(path);
    }
    return absl::OkStatus();
  }

 private:
  int file_ = -1;
};

class SqliteStore : public Store {
 public:
  absl::Status Open(absl::string_view path, absl::Span<const Table> tables,
                    const SqliteOptions& options) {
    shared_ = std::make_shared<Shared>();
    shared_->options = options;
    for (const Table& table : tables) {
      shared_->collections.emplace(table.collection, CollectionSql(table));
    }
    if (path == ":memory:") {
      static std::atomic<int> next{0};
      shared_->in_memory = true;
      shared_->uri = absl::StrCat("file:/detente-", next++, "?vfs=memdb");
    } else {
      shared_->uri = absl::StrCat(
          "file:", absl::StrReplaceAll(path, {{"%", "%25"}, {"?", "%3f"}, {"#", "%23"}}));
      shared_->ledger = absl::StrCat(path, ".erasures");
      if (absl::Status s = CheckFile(std::string(path), options); !s.ok()) return s;
    }
    auto main = std::make_unique<SqliteSession>(shared_);
    if (absl::Status s = main->Open(!options.read_only); !s.ok()) return NotOurs(path, s);
    main_ = std::move(main);
    absl::Status status = options.read_only ? CheckReadable(path) : Prepare(path);
    return status.ok() ? NumberCollections() : status;
  }

  absl::StatusOr<std::unique_ptr<Reader>> NewReader() override {
    auto reader = std::make_unique<SqliteSession>(shared_);
    if (absl::Status s = reader->Open(false); !s.ok()) return s;
    return reader;
  }

  Writer* writer() override { return shared_->options.read_only ? nullptr : main_.get(); }

  absl::StatusOr<std::string> Meta(absl::string_view key) override { return main_->Meta(key); }

  absl::StatusOr<std::vector<Erasure>> MissingErasures() override {
    std::vector<Erasure> missing;
    if (shared_->ledger.empty()) return missing;
    auto listed = ReadLedger(shared_->ledger);
    if (!listed.ok()) return listed.status();
    auto made = main_->Erasures();
    if (!made.ok()) return made.status();
    absl::flat_hash_set<std::string> known;
    for (const Erasure& erasure : *made) known.insert(erasure.uid_hash);
    for (Erasure& erasure : *listed) {
      if (!known.contains(erasure.uid_hash)) missing.push_back(std::move(erasure));
    }
    return missing;
  }

 private:
  absl::Status CheckFile(const std::string& path, const SqliteOptions& options) {
    struct stat info;
    if (stat(path.c_str(), &info) != 0) {
      if (errno != ENOENT) {
        return Error(absl::StatusCode::kFailedPrecondition, v1::STORE_UNUSABLE,
                     absl::StrCat(path, ": ", std::strerror(errno)));
      }
      if (!options.create || options.read_only) {
        return Error(absl::StatusCode::kNotFound, v1::STORE_NOT_FOUND,
                     absl::StrCat(path,
                                  ": no such store; say that it is to be created, or check "
                                  "the path"),
                     {{"path", path}});
      }
    } else if (!S_ISREG(info.st_mode)) {
      return Error(absl::StatusCode::kFailedPrecondition, v1::STORE_UNUSABLE,
                   absl::StrCat(path, ": not a file"), {{"path", path}});
    }
    return options.read_only ? absl::OkStatus() : lock_.Lock(path + ".lock", path);
  }

  static absl::Status NotOurs(absl::string_view path, const absl::Status& cause) {
    return Error(absl::StatusCode::kFailedPrecondition, v1::STORE_UNUSABLE,
                 absl::StrCat(path, ": can't be opened as a store: ", cause.message()),
                 {{"path", std::string(path)}});
  }

  // The file's format; 0 where it is empty.
  absl::StatusOr<int64_t> FormatOf(absl::string_view path) {
    Connection& db = main_->connection();
    auto tables = db.Number("SELECT count(*) FROM sqlite_schema");
    if (!tables.ok()) return NotOurs(path, tables.status());
    if (*tables == 0) return 0;
    auto application = db.Number("PRAGMA application_id");
    if (!application.ok()) return NotOurs(path, application.status());
    auto format = db.Number("PRAGMA user_version");
    if (!format.ok()) return NotOurs(path, format.status());
    if (*application != kApplicationId) {
      return Unusable(path, "a SQLite file, but not a Détente store");
    }
    if (*format < 1 || *format > kFormat) {
      return Unusable(path, absl::StrCat("made by another version of Détente (format ", *format,
                                         ", this one knows ", kFormat, ")"));
    }
    return *format;
  }

  static absl::Status Unusable(absl::string_view path, absl::string_view why) {
    return Error(absl::StatusCode::kFailedPrecondition, v1::STORE_UNUSABLE,
                 absl::StrCat(path, ": ", why), {{"path", std::string(path)}});
  }

  absl::Status CheckReadable(absl::string_view path) {
    auto format = FormatOf(path);
    if (!format.ok()) return format.status();
    if (*format != kFormat) {
      return Unusable(path, absl::StrCat("not in today's format (", *format, ", not ", kFormat,
                                         "); open it for writing once"));
    }
    auto missing = MissingErasures();
    if (!missing.ok()) return missing.status();
    if (missing->empty()) return absl::OkStatus();
    return Unusable(path, absl::StrCat(shared_->ledger,
                                       " lists erasures that this file lacks: it "
                                       "was restored from a backup; open it for writing once"));
  }

  // Makes the tables that are missing.
  absl::Status Prepare(absl::string_view path) {
    Connection& db = main_->connection();
    auto format = FormatOf(path);
    if (!format.ok()) return format.status();
    const bool sync = shared_->options.sync;
    absl::Status status = db.Execute(absl::StrCat(
        shared_->in_memory ? "PRAGMA journal_mode = MEMORY;" : "PRAGMA journal_mode = WAL;",
        "PRAGMA synchronous = ", sync ? "FULL" : "OFF",
        "; PRAGMA wal_autocheckpoint = ", shared_->options.checkpoint_pages));
    if (!status.ok()) return status;
    if (absl::Status s = db.AddFunction("record_of", 8, RecordOf); !s.ok()) return s;
    std::string sql = "BEGIN IMMEDIATE;";
    if (*format == 0) {
      unsigned char key[32];
      if (RAND_bytes(key, sizeof key) != 1) return absl::InternalError("no random bytes");
      absl::StrAppend(
          &sql, "PRAGMA application_id = ", kApplicationId, ";", kTables,
          "INSERT INTO meta VALUES ('page_token_key', x'",
          absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(key), sizeof key)),
          "');");
    }
    if (*format < 2) absl::StrAppend(&sql, kTables2);
    if (*format < 3) absl::StrAppend(&sql, kReferenceTables);
    if (*format == 1) {
      absl::StrAppend(&sql, "ALTER TABLE touches ADD COLUMN change INTEGER NOT NULL DEFAULT 0;");
    }
    for (const auto& [name, collection] : shared_->collections) {
      auto there = HasTable(absl::StrCat("head_", name));
      if (!there.ok()) return there.status();
      if (*there && *format == 1)
        absl::StrAppend(&sql, absl::StrReplaceAll(kSalts, {{"$0", name}}));
      if (*there && *format < 4) {
        absl::StrAppend(&sql,
                        absl::StrReplaceAll(kRecords, {{"$0", name}, {"$1", collection.create}}));
      }
      absl::StrAppend(&sql, collection.create);
    }
    absl::StrAppend(&sql, kSearchTables);
    for (const auto& [name, collection] : shared_->collections) {
      absl::StrAppend(&sql, "INSERT OR IGNORE INTO search_collections (collection) VALUES ('", name,
                      "');");
    }
    if (*format < kFormat) absl::StrAppend(&sql, "PRAGMA user_version = ", kFormat, ";");
    status = db.Execute(sql);
    if (status.ok()) status = MakeDerived();
    if (status.ok()) status = db.Execute("COMMIT");
    if (!status.ok() && sqlite3_get_autocommit(db.db()) == 0) db.Execute("ROLLBACK").IgnoreError();
    if (!status.ok()) return status;
    // A crash, or a reader of older state, kept an erasure from its end.
    auto pending = main_->Meta("purge_pending");
    if (!pending.ok()) return pending.status();
    if (pending->empty()) return absl::OkStatus();
    status = main_->Purge();
    return ReasonOf(status) == v1::ERASURE_INCOMPLETE ? absl::OkStatus() : status;
  }

  // By the file's own numbers.
  absl::Status NumberCollections() {
    auto list = main_->connection().Once("SELECT ordinal, collection FROM search_collections");
    if (!list.ok()) return list.status();
    while (true) {
      auto row = (*list)->Step("read");
      if (!row.ok() || !*row) return row.status();
      const auto known = shared_->collections.find((*list)->Text(1));
      if (known == shared_->collections.end()) continue;
      known->second.ordinal = (*list)->Int(0);
      if (known->second.ordinal > kMaxCollections) {
        return absl::InternalError("a store has too many collections");
      }
    }
  }

  absl::StatusOr<bool> HasTable(absl::string_view name) {
    auto count = main_->connection().Number(
        absl::StrCat("SELECT count(*) FROM sqlite_schema WHERE name = '", name, "'"));
    if (!count.ok()) return count.status();
    return *count > 0;
  }

  // For new collections; those that have versions are the engine's to derive.
  absl::Status MakeDerived() {
    for (const auto& [name, collection] : shared_->collections) {
      auto there = HasTable(absl::StrCat("keys_", name));
      if (!there.ok()) return there.status();
      if (*there) continue;
      auto rows =
          main_->connection().Number(absl::StrCat("SELECT EXISTS (SELECT 1 FROM head_", name, ")"));
      if (!rows.ok()) return rows.status();
      if (*rows != 0) continue;
      if (absl::Status s = main_->MakeDerived(collection); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  LockFile lock_;  // released last
  std::shared_ptr<Shared> shared_;
  std::unique_ptr<SqliteSession> main_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenSqlite(absl::string_view path,
                                                  absl::Span<const Table> tables,
                                                  const SqliteOptions& options) {
  auto store = std::make_unique<SqliteStore>();
  if (absl::Status s = store->Open(path, tables, options); !s.ok()) return s;
  return store;
}

}  // namespace detente::store
