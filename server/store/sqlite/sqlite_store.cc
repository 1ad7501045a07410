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

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "error/error.h"

namespace detente::store {
namespace {

constexpr int kApplicationId = 0x44e74e7e;  // marks the file as one of ours
constexpr int kFormat = 1;                  // of the tables below
constexpr int kBusyMilliseconds = 10'000;

constexpr absl::string_view kTables = R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE commits (
  revision INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
  method TEXT NOT NULL, request_id TEXT NOT NULL, request_hash BLOB NOT NULL);
CREATE UNIQUE INDEX commits_request ON commits (request_id, actor) WHERE request_id <> '';
CREATE TABLE touches (
  revision INTEGER, ordinal INTEGER, collection TEXT NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY (revision, ordinal)) WITHOUT ROWID;
CREATE TABLE refs (target TEXT, referrer TEXT, PRIMARY KEY (target, referrer)) WITHOUT ROWID;
)sql";

constexpr absl::string_view kCollectionTables = R"sql(
CREATE TABLE IF NOT EXISTS head_$0 (
  id TEXT NOT NULL UNIQUE, uid TEXT NOT NULL, since INTEGER NOT NULL, create_time INTEGER NOT NULL,
  update_time INTEGER NOT NULL, delete_time INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS past_$0 (
  id TEXT NOT NULL, uid TEXT NOT NULL, since INTEGER NOT NULL, create_time INTEGER NOT NULL,
  update_time INTEGER NOT NULL, delete_time INTEGER NOT NULL, payload BLOB NOT NULL,
  until INTEGER NOT NULL, UNIQUE (id, since));
)sql";

#define DETENTE_VERSION_COLUMNS "id, uid, since, create_time, update_time, delete_time, payload"

// The text of SQLite goes to the server's log, not to callers.
absl::Status StoreError(int code, absl::string_view doing, absl::string_view detail) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Error(absl::StatusCode::kUnavailable, v1::STORE_UNAVAILABLE,
                   absl::StrCat("the store's disk is full (", doing, "); nothing was applied"));
    case SQLITE_READONLY:
      return Error(absl::StatusCode::kFailedPrecondition, v1::STORE_READ_ONLY,
                   absl::StrCat("the store can't be written (", doing, ")"));
    default:
      fprintf(stderr, "store: %s: error %d: %s\n", std::string(doing).c_str(), code,
              std::string(detail).c_str());
      return Error(absl::StatusCode::kUnavailable, v1::STORE_UNAVAILABLE,
                   absl::StrCat("the store could not be ", doing == "read" ? "read" : "written",
                                " (I/O error ", code, "); nothing was applied"));
  }
}

// A prepared statement in use; reset when it goes out of scope.
class Statement {
 public:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  Statement(const Statement&) = delete;
  ~Statement() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

  Statement& Bind(int64_t value) {
    sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
  }
  // The text must live until the statement is reset.
  Statement& Bind(absl::string_view text) {
    sqlite3_bind_text(statement_, ++bound_, text.data() == nullptr ? "" : text.data(),
                      static_cast<int>(text.size()), SQLITE_STATIC);
    return *this;
  }
  Statement& BindBlob(absl::string_view bytes) {
    if (bytes.empty()) {
      sqlite3_bind_zeroblob(statement_, ++bound_, 0);
    } else {
      sqlite3_bind_blob(statement_, ++bound_, bytes.data(), static_cast<int>(bytes.size()),
                        SQLITE_STATIC);
    }
    return *this;
  }

  // True = a row, false = done.
  absl::StatusOr<bool> Step(absl::string_view doing) {
    int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    sqlite3* db = sqlite3_db_handle(statement_);
    return StoreError(sqlite3_extended_errcode(db), doing, sqlite3_errmsg(db));
  }
  absl::Status Run(absl::string_view doing = "written") { return Step(doing).status(); }

  int64_t Int(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string Text(int column) const {
    const void* data = sqlite3_column_blob(statement_, column);
    if (data == nullptr) return "";
    return std::string(static_cast<const char*>(data), sqlite3_column_bytes(statement_, column));
  }

  Version ReadVersion() const {
    Version version;
    version.id = Text(0);
    version.uid = Text(1);
    version.since = Int(2);
    version.create_time = Int(3);
    version.update_time = Int(4);
    version.delete_time = Int(5);
    version.payload = Text(6);
    return version;
  }

 private:
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

// One SQLite connection with its prepared statements, by their text.
class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  ~Connection() {
    for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
    sqlite3_close_v2(db_);
  }

  absl::Status Open(const std::string& uri, int flags, const std::string& vfs) {
    int code = sqlite3_open_v2(uri.c_str(), &db_, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
                               vfs.empty() ? nullptr : vfs.c_str());
    if (code != SQLITE_OK) return StoreError(code, "read", sqlite3_errmsg(db_));
    sqlite3_extended_result_codes(db_, 1);
    sqlite3_busy_timeout(db_, kBusyMilliseconds);
    return absl::OkStatus();
  }

  absl::Status Execute(absl::string_view sql) {
    int code = sqlite3_exec(db_, std::string(sql).c_str(), nullptr, nullptr, nullptr);
    if (code == SQLITE_OK) return absl::OkStatus();
    return StoreError(sqlite3_extended_errcode(db_), "written", sqlite3_errmsg(db_));
  }

  // `sql` must be a literal, or live as long as the connection.
  absl::StatusOr<sqlite3_stmt*> Prepare(const char* sql) {
    sqlite3_stmt*& statement = statements_[sql];
    if (statement == nullptr && sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                                   &statement, nullptr) != SQLITE_OK) {
      return StoreError(sqlite3_extended_errcode(db_), "read", sqlite3_errmsg(db_));
    }
    return statement;
  }

  absl::StatusOr<int64_t> Number(const char* sql) {
    auto prepared = Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    Statement statement(*prepared);
    auto row = statement.Step("read");
    if (!row.ok()) return row.status();
    return *row ? statement.Int(0) : 0;
  }

  sqlite3* db() { return db_; }

 private:
  sqlite3* db_ = nullptr;
  std::map<const char*, sqlite3_stmt*> statements_;
};

#define DETENTE_PREPARE(name, connection, sql)                \
  auto name##_prepared = (connection).Prepare(sql);           \
  if (!name##_prepared.ok()) return name##_prepared.status(); \
  Statement name(*name##_prepared)

// The statements over one collection's tables.
struct CollectionSql {
  explicit CollectionSql(absl::string_view collection) {
    auto text = [&](absl::string_view sql) {
      return absl::StrReplaceAll(sql, {{"$0", collection}});
    };
    create = text(kCollectionTables);
    get = text("SELECT " DETENTE_VERSION_COLUMNS " FROM head_$0 WHERE id = ?1");
    get_past = text("SELECT " DETENTE_VERSION_COLUMNS
                    " FROM past_$0 WHERE id = ?1 AND since <= ?2 ORDER BY since DESC LIMIT 1");
    list = text("SELECT " DETENTE_VERSION_COLUMNS " FROM head_$0 WHERE id > ?1 ORDER BY id");
    revisions = text("SELECT " DETENTE_VERSION_COLUMNS
                     " FROM past_$0 WHERE id = ?1 AND since < ?2 ORDER BY since DESC");
    supersede = text("INSERT INTO past_$0 (" DETENTE_VERSION_COLUMNS
                     ", until) SELECT " DETENTE_VERSION_COLUMNS ", ?2 FROM head_$0 WHERE id = ?1");
    insert = text("INSERT INTO head_$0 (" DETENTE_VERSION_COLUMNS
                  ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    update = text(
        "UPDATE head_$0 SET uid = ?2, since = ?3, create_time = ?4, update_time = ?5, "
        "delete_time = ?6, payload = ?7 WHERE id = ?1");
  }
  std::string create, get, get_past, list, revisions, supersede, insert, update;
};

// What all connections of a store share.
struct Shared {
  std::string uri;
  SqliteOptions options;
  std::map<std::string, CollectionSql, std::less<>> collections;
  // A store in memory has no log: its readers and its writer take turns.
  bool in_memory = false;
  std::shared_mutex turns;

  absl::StatusOr<const CollectionSql*> Find(absl::string_view collection) const {
    auto found = collections.find(std::string(collection));
    if (found != collections.end()) return &found->second;
    return absl::InternalError(absl::StrCat("no collection ", collection));
  }
};

class SqliteSession : public Writer {
 public:
  explicit SqliteSession(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  absl::Status Open(bool write) {
    int flags = shared_->options.read_only
                    ? SQLITE_OPEN_READONLY
                    : SQLITE_OPEN_READWRITE | (write ? SQLITE_OPEN_CREATE : 0);
    if (absl::Status s = db_.Open(shared_->uri, flags, shared_->options.vfs); !s.ok()) return s;
    writes_ = write;
    return db_.Execute(write ? "PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY"
                             : "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY");
  }

  Connection& connection() { return db_; }

  absl::StatusOr<struct Commit> Newest() override {
    auto turn = ReadTurn();
    DETENTE_PREPARE(newest, db_,
                    "SELECT revision, time, actor, reason, method, request_id, request_hash "
                    "FROM commits ORDER BY revision DESC LIMIT 1");
    auto row = newest.Step("read");
    if (!row.ok()) return row.status();
    return *row ? ReadCommit(newest) : store::Commit{};
  }

  absl::StatusOr<std::optional<Version>> Get(absl::string_view collection, absl::string_view id,
                                             const ReadView& view) override {
    auto turn = ReadTurn();
    auto sql = shared_->Find(collection);
    if (!sql.ok()) return sql.status();
    DETENTE_PREPARE(get, db_, (*sql)->get.c_str());
    auto row = get.Bind(id).Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return std::nullopt;
    if (get.Int(2) <= view.revision) return get.ReadVersion();
    return GetPast(**sql, id, view);
  }

  absl::Status List(absl::string_view collection, absl::string_view after, const ReadView& view,
                    bool show_deleted, absl::FunctionRef<bool(Version&)> visit) override {
    auto turn = ReadTurn();
    auto sql = shared_->Find(collection);
    if (!sql.ok()) return sql.status();
    DETENTE_PREPARE(list, db_, (*sql)->list.c_str());
    list.Bind(after);
    while (true) {
      auto row = list.Step("read");
      if (!row.ok()) return row.status();
      if (!*row) return absl::OkStatus();
      if (list.Int(2) <= view.revision) {
        if (!show_deleted && list.Int(5) != 0) continue;
        Version version = list.ReadVersion();
        if (!visit(version)) return absl::OkStatus();
      } else {
        auto version = GetPast(**sql, list.Text(0), view);
        if (!version.ok()) return version.status();
        if (!version->has_value() || (!show_deleted && (*version)->delete_time != 0)) continue;
        if (!visit(**version)) return absl::OkStatus();
      }
    }
  }

  absl::Status Revisions(absl::string_view collection, absl::string_view id, Revision before,
                         absl::FunctionRef<bool(Version&)> visit) override {
    auto turn = ReadTurn();
    auto sql = shared_->Find(collection);
    if (!sql.ok()) return sql.status();
    DETENTE_PREPARE(get, db_, (*sql)->get.c_str());
    auto row = get.Bind(id).Step("read");
    if (!row.ok() || !*row) return row.status();
    if (get.Int(2) < before) {
      Version version = get.ReadVersion();
      if (!visit(version)) return absl::OkStatus();
    }
    DETENTE_PREPARE(past, db_, (*sql)->revisions.c_str());
    past.Bind(id).Bind(before);
    while (true) {
      row = past.Step("read");
      if (!row.ok() || !*row) return row.status();
      Version version = past.ReadVersion();
      if (!visit(version)) return absl::OkStatus();
    }
  }

  absl::StatusOr<std::optional<struct Commit>> FindRequest(absl::string_view actor,
                                                           absl::string_view request_id) override {
    auto turn = ReadTurn();
    DETENTE_PREPARE(find, db_,
                    "SELECT revision, time, actor, reason, method, request_id, request_hash "
                    "FROM commits WHERE request_id = ?1 AND actor = ?2 AND request_id <> ''");
    auto row = find.Bind(request_id).Bind(actor).Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return std::nullopt;
    return ReadCommit(find);
  }

  absl::StatusOr<std::vector<Touched>> Touches(Revision revision) override {
    auto turn = ReadTurn();
    DETENTE_PREPARE(touches, db_,
                    "SELECT collection, id FROM touches WHERE revision = ?1 ORDER BY ordinal");
    touches.Bind(revision);
    std::vector<Touched> found;
    while (true) {
      auto row = touches.Step("read");
      if (!row.ok()) return row.status();
      if (!*row) return found;
      found.push_back({touches.Text(0), touches.Text(1)});
    }
  }

  absl::StatusOr<std::vector<std::string>> Referrers(absl::string_view name, int limit) override {
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

  absl::Status Begin() override {
    if (shared_->in_memory) shared_->turns.lock();
    absl::Status status = Run("BEGIN IMMEDIATE");
    if (!status.ok() && shared_->in_memory) shared_->turns.unlock();
    return status;
  }
  absl::Status BeginCommit() override { return Run("SAVEPOINT one_commit"); }

  absl::Status Put(absl::string_view collection, const Version& version, bool supersedes) override {
    auto sql = shared_->Find(collection);
    if (!sql.ok()) return sql.status();
    if (supersedes) {
      DETENTE_PREPARE(supersede, db_, (*sql)->supersede.c_str());
      absl::Status status = supersede.Bind(version.id).Bind(version.since).Run();
      if (!status.ok()) return status;
    }
    DETENTE_PREPARE(put, db_, supersedes ? (*sql)->update.c_str() : (*sql)->insert.c_str());
    return put.Bind(version.id)
        .Bind(version.uid)
        .Bind(version.since)
        .Bind(version.create_time)
        .Bind(version.update_time)
        .Bind(version.delete_time)
        .BindBlob(version.payload)
        .Run();
  }

  absl::Status PutReferences(absl::string_view name, absl::Span<const std::string> removed,
                             absl::Span<const std::string> added) override {
    for (const std::string& target : removed) {
      DETENTE_PREPARE(remove, db_, "DELETE FROM refs WHERE target = ?1 AND referrer = ?2");
      if (absl::Status s = remove.Bind(target).Bind(name).Run(); !s.ok()) return s;
    }
    for (const std::string& target : added) {
      DETENTE_PREPARE(add, db_, "INSERT OR IGNORE INTO refs (target, referrer) VALUES (?1, ?2)");
      if (absl::Status s = add.Bind(target).Bind(name).Run(); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  absl::Status PutCommit(const struct Commit& commit, absl::Span<const Touched> touched) override {
    {
      DETENTE_PREPARE(put, db_,
                      "INSERT INTO commits (revision, time, actor, reason, method, request_id, "
                      "request_hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
      absl::Status status = put.Bind(commit.revision)
                                .Bind(commit.time)
                                .Bind(commit.actor)
                                .Bind(commit.reason)
                                .Bind(commit.method)
                                .Bind(commit.request_id)
                                .BindBlob(commit.request_hash)
                                .Run();
      if (!status.ok()) return status;
    }
    int64_t ordinal = 0;
    for (const Touched& record : touched) {
      DETENTE_PREPARE(put, db_,
                      "INSERT INTO touches (revision, ordinal, collection, id) "
                      "VALUES (?1, ?2, ?3, ?4)");
      absl::Status status =
          put.Bind(commit.revision).Bind(ordinal++).Bind(record.collection).Bind(record.id).Run();
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status EndCommit() override { return Run("RELEASE one_commit"); }
  absl::Status UndoCommit() override {
    absl::Status status = Run("ROLLBACK TO one_commit");
    return status.ok() ? Run("RELEASE one_commit") : status;
  }
  absl::Status Commit() override {
    absl::Status status = Run("COMMIT");
    if (!status.ok()) return status;
    if (shared_->in_memory) shared_->turns.unlock();
    return status;
  }
  absl::Status Rollback() override {
    // After some errors SQLite has rolled back by itself.
    absl::Status status =
        sqlite3_get_autocommit(db_.db()) != 0 ? absl::OkStatus() : Run("ROLLBACK");
    if (shared_->in_memory) shared_->turns.unlock();
    return status;
  }

  absl::Status ClearReferences() override { return Run("DELETE FROM refs"); }

  absl::Status SetMeta(absl::string_view key, absl::string_view value) override {
    DETENTE_PREPARE(put, db_, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)");
    return put.Bind(key).BindBlob(value).Run();
  }

  absl::StatusOr<std::string> Meta(absl::string_view key) {
    auto turn = ReadTurn();
    DETENTE_PREPARE(get, db_, "SELECT value FROM meta WHERE key = ?1");
    auto row = get.Bind(key).Step("read");
    if (!row.ok()) return row.status();
    return *row ? get.Text(0) : "";
  }

 private:
  // A reader of a store in memory waits for the writer; the writer's own reads don't.
  std::shared_lock<std::shared_mutex> ReadTurn() {
    if (!shared_->in_memory || writes_) return {};
    return std::shared_lock(shared_->turns);
  }

  absl::Status Run(const char* sql) {
    DETENTE_PREPARE(statement, db_, sql);
    return statement.Run();
  }

  absl::StatusOr<std::optional<Version>> GetPast(const CollectionSql& sql, absl::string_view id,
                                                 const ReadView& view) {
    DETENTE_PREPARE(past, db_, sql.get_past.c_str());
    auto row = past.Bind(id).Bind(view.revision).Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return std::nullopt;
    return past.ReadVersion();
  }

  static struct Commit ReadCommit(const Statement& row) {
    return {row.Int(0),  row.Int(1),  row.Text(2), row.Text(3),
            row.Text(4), row.Text(5), row.Text(6)};
  }

  std::shared_ptr<Shared> shared_;
  Connection db_;
  bool writes_ = false;
};

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
      return Error(absl::StatusCode::kUnavailable, v1::STORE_UNAVAILABLE,
                   absl::StrCat(path, ": ", std::strerror(errno)));
    }
    return absl::OkStatus();
  }

 private:
  int file_ = -1;
};

class SqliteStore : public Store {
 public:
  absl::Status Open(absl::string_view path, absl::Span<const std::string> collections,
                    const SqliteOptions& options) {
    shared_ = std::make_shared<Shared>();
    shared_->options = options;
    for (const std::string& collection : collections) {
      shared_->collections.emplace(collection, CollectionSql(collection));
    }
    if (path == ":memory:") {
      static std::atomic<int> next{0};
      shared_->in_memory = true;
      shared_->uri = absl::StrCat("file:/detente-", next++, "?vfs=memdb");
    } else {
      shared_->uri = absl::StrCat(
          "file:", absl::StrReplaceAll(path, {{"%", "%25"}, {"?", "%3f"}, {"#", "%23"}}));
      if (absl::Status s = CheckFile(std::string(path), options); !s.ok()) return s;
    }
    auto main = std::make_unique<SqliteSession>(shared_);
    if (absl::Status s = main->Open(!options.read_only); !s.ok()) return NotOurs(path, s);
    main_ = std::move(main);
    return options.read_only ? CheckFormat(path) : Prepare(path);
  }

  absl::StatusOr<std::unique_ptr<Reader>> NewReader() override {
    auto reader = std::make_unique<SqliteSession>(shared_);
    if (absl::Status s = reader->Open(false); !s.ok()) return s;
    return reader;
  }

  Writer* writer() override { return shared_->options.read_only ? nullptr : main_.get(); }

  absl::StatusOr<std::string> Meta(absl::string_view key) override { return main_->Meta(key); }

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

  absl::Status CheckFormat(absl::string_view path) {
    auto application = main_->connection().Number("PRAGMA application_id");
    if (!application.ok()) return NotOurs(path, application.status());
    auto format = main_->connection().Number("PRAGMA user_version");
    if (!format.ok()) return NotOurs(path, format.status());
    if (*application != kApplicationId) {
      return Error(absl::StatusCode::kFailedPrecondition, v1::STORE_UNUSABLE,
                   absl::StrCat(path, ": a SQLite file, but not a Détente store"),
                   {{"path", std::string(path)}});
    }
    if (*format != kFormat) {
      return Error(absl::StatusCode::kFailedPrecondition, v1::STORE_UNUSABLE,
                   absl::StrCat(path, ": made by another version of Détente (format ", *format,
                                ", this one knows ", kFormat, ")"),
                   {{"path", std::string(path)}});
    }
    return absl::OkStatus();
  }

  // Makes the tables that are missing.
  absl::Status Prepare(absl::string_view path) {
    Connection& db = main_->connection();
    auto tables = db.Number("SELECT count(*) FROM sqlite_schema");
    if (!tables.ok()) return NotOurs(path, tables.status());
    if (*tables > 0) {
      if (absl::Status s = CheckFormat(path); !s.ok()) return s;
    }
    const bool sync = shared_->options.sync;
    absl::Status status = db.Execute(absl::StrCat(
        shared_->in_memory ? "PRAGMA journal_mode = MEMORY;" : "PRAGMA journal_mode = WAL;",
        "PRAGMA synchronous = ", sync ? "FULL" : "OFF",
        "; PRAGMA wal_autocheckpoint = ", shared_->options.checkpoint_pages));
    if (!status.ok()) return status;
    std::string sql = "BEGIN IMMEDIATE;";
    if (*tables == 0) {
      unsigned char key[32];
      if (RAND_bytes(key, sizeof key) != 1) return absl::InternalError("no random bytes");
      absl::StrAppend(
          &sql, "PRAGMA application_id = ", kApplicationId, "; PRAGMA user_version = ", kFormat,
          ";", kTables, "INSERT INTO meta VALUES ('page_token_key', x'",
          absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(key), sizeof key)),
          "');");
    }
    for (const auto& [name, collection] : shared_->collections) {
      absl::StrAppend(&sql, collection.create);
    }
    status = db.Execute(absl::StrCat(sql, "COMMIT"));
    if (!status.ok() && sqlite3_get_autocommit(db.db()) == 0) db.Execute("ROLLBACK").IgnoreError();
    return status;
  }

  LockFile lock_;  // released last
  std::shared_ptr<Shared> shared_;
  std::unique_ptr<SqliteSession> main_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenSqlite(absl::string_view path,
                                                  absl::Span<const std::string> collections,
                                                  const SqliteOptions& options) {
  auto store = std::make_unique<SqliteStore>();
  if (absl::Status s = store->Open(path, collections, options); !s.ok()) return s;
  return store;
}

}  // namespace detente::store
