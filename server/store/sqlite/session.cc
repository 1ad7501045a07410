#include "store/sqlite/session.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "error/error.h"
#include "store/sqlite/postings.h"

namespace detente::store {
namespace {

constexpr int kAfterVersion = 2;  // the first column behind DETENTE_VERSION_COLUMNS

}  // namespace

struct Commit ReadCommit(const Statement& row) {
  return {row.Int(0), row.Int(1), row.Text(2), row.Text(3), row.Text(4), row.Text(5), row.Text(6)};
}

absl::Status SqliteSession::Open(bool write) {
  int flags = shared_->options.read_only ? SQLITE_OPEN_READONLY
                                         : SQLITE_OPEN_READWRITE | (write ? SQLITE_OPEN_CREATE : 0);
  if (absl::Status s = db_.Open(shared_->uri, flags, shared_->options.vfs); !s.ok()) return s;
  writes_ = write;
  if (write) {
    if (absl::Status s = AddHoldsOne(db_); !s.ok()) return s;
  }
  if (absl::Status s = AddSearchFunctions(db_); !s.ok()) return s;
  if (absl::Status s = AddFunctions(); !s.ok()) return s;
  return db_.Execute(write ? "PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY"
                           : "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY");
}

absl::StatusOr<struct Commit> SqliteSession::Newest() {
  auto turn = ReadTurn();
  DETENTE_PREPARE(newest, db_,
                  "SELECT " DETENTE_COMMIT_COLUMNS
                  " "
                  "FROM commits ORDER BY revision DESC LIMIT 1");
  auto row = newest.Step("read");
  if (!row.ok()) return row.status();
  return *row ? ReadCommit(newest) : store::Commit{};
}

absl::StatusOr<std::optional<Version>> SqliteSession::Get(absl::string_view collection,
                                                          absl::string_view id,
                                                          const ReadView& view) {
  auto turn = ReadTurn();
  auto sql = shared_->Find(collection);
  if (!sql.ok()) return sql.status();
  {
    DETENTE_PREPARE(get, db_, (*sql)->get.c_str());
    auto row = get.Bind(id).Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return std::nullopt;
    if (get.Int(kAfterVersion) <= view.revision) return get.ReadVersion();
  }
  DETENTE_PREPARE(past, db_, (*sql)->get_past.c_str());
  auto row = past.Bind(id).Bind(view.revision).Step("read");
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  return past.ReadVersion();
}

absl::StatusOr<Version> SqliteSession::GetNumbered(const CollectionSql& sql, bool past,
                                                   int64_t number, Revision* until) {
  DETENTE_PREPARE(get, db_, (past ? sql.get_past_number : sql.get_number).c_str());
  auto row = get.Bind(number).Step("read");
  if (!row.ok()) return row.status();
  if (!*row) return absl::DataLossError("a version is missing");
  if (until != nullptr && past) *until = get.Int(kAfterVersion);
  return get.ReadVersion();
}

// `read` is given statements whose rows begin with DETENTE_VERSION_COLUMNS.
absl::Status SqliteSession::Walk(
    absl::string_view collection, absl::string_view after, const ReadView& view, bool show_deleted,
    absl::FunctionRef<absl::StatusOr<bool>(const Statement&, bool superseded)> read) {
  constexpr int kDeleteTime = kAfterVersion, kSince = kDeleteTime + 1, kId = kSince + 1;
  auto turn = ReadTurn();
  auto sql = shared_->Find(collection);
  if (!sql.ok()) return sql.status();
  DETENTE_PREPARE(list, db_, (*sql)->list.c_str());
  list.Bind(after);
  while (true) {
    auto row = list.Step("read");
    if (!row.ok() || !*row) return row.status();
    absl::StatusOr<bool> go_on = true;
    if (list.Int(kSince) <= view.revision) {
      if (show_deleted || list.Int(kDeleteTime) == 0) go_on = read(list, false);
    } else {
      DETENTE_PREPARE(past, db_, (*sql)->get_past.c_str());
      row = past.Bind(list.View(kId)).Bind(view.revision).Step("read");
      if (!row.ok()) return row.status();
      if (*row && (show_deleted || past.Int(kDeleteTime) == 0)) go_on = read(past, true);
    }
    if (!go_on.ok() || !*go_on) return go_on.status();
  }
}

absl::Status SqliteSession::List(absl::string_view collection, absl::string_view after,
                                 const ReadView& view, bool show_deleted,
                                 absl::FunctionRef<bool(Version&)> visit) {
  Version version;
  return Walk(collection, after, view, show_deleted,
              [&](const Statement& row, bool) -> absl::StatusOr<bool> {
                if (absl::Status s = row.ReadVersion(&version); !s.ok()) return s;
                return visit(version);
              });
}

absl::Status SqliteSession::ListRows(absl::string_view collection, absl::string_view after,
                                     const ReadView& view, bool show_deleted,
                                     absl::FunctionRef<bool(const Row&)> visit) {
  return Walk(collection, after, view, show_deleted,
              [&](const Statement& row, bool superseded) -> absl::StatusOr<bool> {
                return visit({row.View(0), superseded});
              });
}

absl::Status SqliteSession::Revisions(absl::string_view collection, absl::string_view id,
                                      Revision before, absl::FunctionRef<bool(Version&)> visit) {
  auto turn = ReadTurn();
  auto sql = shared_->Find(collection);
  if (!sql.ok()) return sql.status();
  Version version;
  DETENTE_PREPARE(get, db_, (*sql)->get.c_str());
  auto row = get.Bind(id).Step("read");
  if (!row.ok() || !*row) return row.status();
  if (get.Int(kAfterVersion) < before) {
    if (absl::Status s = get.ReadVersion(&version); !s.ok()) return s;
    if (!visit(version)) return absl::OkStatus();
  }
  DETENTE_PREPARE(past, db_, (*sql)->revisions.c_str());
  past.Bind(id).Bind(before);
  while (true) {
    row = past.Step("read");
    if (!row.ok() || !*row) return row.status();
    if (absl::Status s = past.ReadVersion(&version); !s.ok()) return s;
    if (!visit(version)) return absl::OkStatus();
  }
}

absl::StatusOr<std::optional<struct Commit>> SqliteSession::FindRequest(
    absl::string_view actor, absl::string_view request_id) {
  auto turn = ReadTurn();
  DETENTE_PREPARE(find, db_,
                  "SELECT " DETENTE_COMMIT_COLUMNS
                  " "
                  "FROM commits WHERE request_id = ?1 AND actor = ?2 AND request_id <> ''");
  auto row = find.Bind(request_id).Bind(actor).Step("read");
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  return ReadCommit(find);
}

absl::StatusOr<std::vector<Touched>> SqliteSession::Touches(Revision revision) {
  auto turn = ReadTurn();
  DETENTE_PREPARE(touches, db_,
                  "SELECT collection, id, change FROM touches WHERE revision = ?1 "
                  "ORDER BY ordinal");
  touches.Bind(revision);
  std::vector<Touched> found;
  while (true) {
    auto row = touches.Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return found;
    found.push_back({touches.Text(0), touches.Text(1), static_cast<Change>(touches.Int(2))});
  }
}

absl::StatusOr<std::optional<Change>> SqliteSession::ChangeOf(Revision revision,
                                                              absl::string_view collection,
                                                              absl::string_view id) {
  auto turn = ReadTurn();
  DETENTE_PREPARE(find, db_,
                  "SELECT change FROM touches WHERE revision = ?1 AND id = ?2 AND collection = ?3 "
                  "LIMIT 1");
  auto row = find.Bind(revision).Bind(id).Bind(collection).Step("read");
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  return static_cast<Change>(find.Int(0));
}

absl::Status SqliteSession::Begin() {
  if (shared_->in_memory) shared_->turns.lock();
  absl::Status status = Run("BEGIN IMMEDIATE");
  if (!status.ok() && shared_->in_memory) shared_->turns.unlock();
  return status;
}

absl::Status SqliteSession::BeginCommit() {
  words_before_ = words_.size();
  return Run("SAVEPOINT one_commit");
}

absl::Status SqliteSession::Put(absl::string_view collection, const Version& version,
                                const Derived& derived, bool supersedes) {
  auto sql = shared_->Find(collection);
  if (!sql.ok()) return sql.status();
  int64_t number = 0, past_number = 0;
  if (supersedes) {
    // The version before is copied to the past.
    DETENTE_PREPARE(head, db_, (*sql)->head.c_str());
    auto row = head.Bind(version.id).Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return absl::InternalError(absl::StrCat("no version to supersede: ", version.id));
    number = head.Int(0);
    DETENTE_PREPARE(keep, db_, (*sql)->insert_past.c_str());
    keep.Bind(version.id);
    for (int column = 1; column <= 4; ++column) keep.BindColumn(head, column);
    if (absl::Status s = keep.Bind(version.since).Run(); !s.ok()) return s;
    past_number = sqlite3_last_insert_rowid(db_.db());
  }
  {
    record_.clear();
    AppendRecord(collection, version, &record_);
    DETENTE_PREPARE(put, db_, (supersedes ? (*sql)->update : (*sql)->insert).c_str());
    put.Bind(version.id).Bind(version.since).Bind(version.delete_time);
    absl::Status status = put.BindBlob(record_).BindBlob(version.salt).Run();
    if (!status.ok()) return status;
  }
  if (supersedes) return SupersedeKeys(**sql, number, past_number, version, derived);
  ++inserted_;
  return PutKeys(**sql, sqlite3_last_insert_rowid(db_.db()), version, derived);
}

absl::Status SqliteSession::PutCommit(const struct Commit& commit,
                                      absl::Span<const Touched> touched) {
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
                    "INSERT INTO touches (revision, ordinal, collection, id, change) "
                    "VALUES (?1, ?2, ?3, ?4, ?5)");
    absl::Status status = put.Bind(commit.revision)
                              .Bind(ordinal++)
                              .Bind(record.collection)
                              .Bind(record.id)
                              .Bind(static_cast<int64_t>(record.change))
                              .Run();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status SqliteSession::EndCommit() { return Run("RELEASE one_commit"); }

absl::Status SqliteSession::UndoCommit() {
  words_.resize(words_before_);
  absl::Status status = Run("ROLLBACK TO one_commit");
  return status.ok() ? Run("RELEASE one_commit") : status;
}

absl::Status SqliteSession::Commit() {
  absl::Status status = WriteWords();
  if (status.ok()) status = Run("COMMIT");
  if (!status.ok()) return status;
  if (shared_->in_memory) shared_->turns.unlock();
  AnalyzeIfGrown().IgnoreError();  // the commit is made, whatever becomes of this
  return status;
}

absl::Status SqliteSession::Rollback() {
  words_.clear();
  // After some errors SQLite has rolled back by itself.
  absl::Status status = sqlite3_get_autocommit(db_.db()) != 0 ? absl::OkStatus() : Run("ROLLBACK");
  if (shared_->in_memory) shared_->turns.unlock();
  return status;
}

absl::Status SqliteSession::SetMeta(absl::string_view key, absl::string_view value) {
  DETENTE_PREPARE(put, db_, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)");
  return put.Bind(key).BindBlob(value).Run();
}

absl::StatusOr<std::string> SqliteSession::Meta(absl::string_view key) {
  auto turn = ReadTurn();
  DETENTE_PREPARE(get, db_, "SELECT value FROM meta WHERE key = ?1");
  auto row = get.Bind(key).Step("read");
  if (!row.ok()) return row.status();
  return *row ? get.Text(0) : "";
}

void SqliteSession::Pin(int64_t stamp) {
  pins_ = !shared_->in_memory && !writes_;
  if (stamp_ < stamp) pinned_.reset();
  stamp_ = stamp;
}

void SqliteSession::Unpin() {
  pinned_.reset();
  pins_ = false;
}

std::shared_lock<std::shared_mutex> SqliteSession::ReadTurn() {
  if (pins_ && !pinned_.has_value()) BeginPinned();
  if (!shared_->in_memory || writes_) return {};
  return std::shared_lock(shared_->turns);
}

// Where it fails, so will the read, and say why.
void SqliteSession::BeginPinned() {
  auto prepared = db_.Prepare("SELECT coalesce(max(revision), 0) FROM commits");
  if (!prepared.ok()) return;
  pinned_.emplace(*prepared);
  auto row = pinned_->statement.Step("read");
  if (row.ok() && *row) {
    pinned_->newest = pinned_->statement.Int(0);
  } else {
    pinned_.reset();
  }
}

absl::Status SqliteSession::Run(const char* sql) {
  DETENTE_PREPARE(statement, db_, sql);
  return statement.Run();
}

}  // namespace detente::store
