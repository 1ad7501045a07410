// Connections to SQLite and their statements; what sessions of one store share.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "store/record.h"
#include "store/sqlite/sqlite_store.h"
#include "store/store.h"

namespace detente::store {

// `code` is an extended one. The text of SQLite goes to the server's log, not to callers.
absl::Status StoreError(int code, absl::string_view doing, sqlite3* db);
// Of a file beside the store's own, by errno.
absl::Status FileError(const std::string& path);

constexpr int kBusyMilliseconds = 10'000;

// A prepared statement in use; reset when it goes out of scope.
class Statement {
 public:
  enum class Use { kAgain, kOnce };  // kOnce: freed with its object
  explicit Statement(sqlite3_stmt* statement, Use use = Use::kAgain)
      : statement_(statement), use_(use) {}
  Statement(const Statement&) = delete;
  ~Statement() {
    if (use_ == Use::kOnce) {
      sqlite3_finalize(statement_);
    } else {
      sqlite3_reset(statement_);
      sqlite3_clear_bindings(statement_);
    }
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
  // A text must live until the statement is reset.
  Statement& BindValue(const Value& value) {
    if (const auto* number = std::get_if<int64_t>(&value)) return Bind(*number);
    if (const auto* text = std::get_if<std::string>(&value)) return Bind(absl::string_view(*text));
    const auto* real = std::get_if<double>(&value);
    ++bound_;
    if (real != nullptr) sqlite3_bind_double(statement_, bound_, *real);
    return *this;
  }

  Statement& BindColumn(const Statement& row, int column) {
    sqlite3_bind_value(statement_, ++bound_, sqlite3_column_value(row.statement_, column));
    return *this;
  }

  // For a function of ours; see sqlite3_bind_pointer.
  Statement& BindPointer(void* pointer, const char* type) {
    sqlite3_bind_pointer(statement_, ++bound_, pointer, type, nullptr);
    return *this;
  }

  // True = a row, false = done.
  absl::StatusOr<bool> Step(absl::string_view doing) {
    int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    sqlite3* db = sqlite3_db_handle(statement_);
    return StoreError(sqlite3_extended_errcode(db), doing, db);
  }
  absl::Status Run(absl::string_view doing = "written") { return Step(doing).status(); }

  int64_t Int(int column) const { return sqlite3_column_int64(statement_, column); }
  double Real(int column) const { return sqlite3_column_double(statement_, column); }
  std::string Text(int column) const {
    std::string text;
    ReadText(column, &text);
    return text;
  }
  void ReadText(int column, std::string* text) const {
    const absl::string_view bytes = View(column);
    text->assign(bytes.data(), bytes.size());
  }
  // Until the next step.
  absl::string_view View(int column) const {
    const void* data = sqlite3_column_blob(statement_, column);
    if (data == nullptr) return "";
    return {static_cast<const char*>(data),
            static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
  }

  Value ReadValue(int column) const {
    switch (sqlite3_column_type(statement_, column)) {
      case SQLITE_NULL:
        return {};
      case SQLITE_INTEGER:
        return Int(column);
      case SQLITE_FLOAT:
        return sqlite3_column_double(statement_, column);
      default:
        return Text(column);
    }
  }

  // Of DETENTE_VERSION_COLUMNS, which come first.
  absl::StatusOr<Version> ReadVersion() const {
    Version version;
    if (absl::Status s = ReadVersion(&version); !s.ok()) return s;
    return version;
  }
  // Into one whose room may be used again.
  absl::Status ReadVersion(Version* version) const {
    ReadText(1, &version->salt);
    return ReadRecord(View(0), version);
  }

 private:
  sqlite3_stmt* statement_;
  const Use use_;
  int bound_ = 0;
};

// One SQLite connection with its prepared statements, by their text.
class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  ~Connection() {
    for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
    for (auto& [sql, kept] : texts_) sqlite3_finalize(kept.statement);
    sqlite3_close_v2(db_);
  }

  absl::Status Open(const std::string& uri, int flags, const std::string& vfs) {
    int code = sqlite3_open_v2(uri.c_str(), &db_, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
                               vfs.empty() ? nullptr : vfs.c_str());
    if (code != SQLITE_OK) return StoreError(code, "read", db_);
    sqlite3_extended_result_codes(db_, 1);
    sqlite3_busy_timeout(db_, kBusyMilliseconds);
    return absl::OkStatus();
  }

  absl::Status Execute(absl::string_view sql) {
    int code = sqlite3_exec(db_, std::string(sql).c_str(), nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? absl::OkStatus() : Failed("written");
  }

  // `sql` must be a literal, or live as long as the connection.
  absl::StatusOr<sqlite3_stmt*> Prepare(const char* sql) {
    sqlite3_stmt*& statement = statements_[sql];
    if (statement == nullptr && sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                                   &statement, nullptr) != SQLITE_OK) {
      return Failed("read");
    }
    return statement;
  }

  // For a text that is made for one use.
  absl::StatusOr<std::unique_ptr<Statement>> Once(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
      return Failed("read");
    }
    return std::make_unique<Statement>(statement, Statement::Use::kOnce);
  }

  // The first column of the first row; 0 where there is none.
  absl::StatusOr<int64_t> Number(const std::string& sql) {
    auto statement = Once(sql);
    if (!statement.ok()) return statement.status();
    auto row = (*statement)->Step("read");
    if (!row.ok()) return row.status();
    return *row ? (*statement)->Int(0) : 0;
  }

  // For texts that may come again, of which the last ones are kept. Not to be used by two readers
  // of one connection at once.
  absl::StatusOr<sqlite3_stmt*> PrepareText(const std::string& sql) {
    return PrepareText(sql, [&] { return sql; });
  }
  // The same of a text that is made from `key`.
  absl::StatusOr<sqlite3_stmt*> PrepareText(const std::string& key,
                                            absl::FunctionRef<absl::StatusOr<std::string>()> make);

  // Ends the statement that runs, and the next one; by any thread. The connection is then of no
  // more use.
  void Interrupt() {
    interrupted_ = true;
    sqlite3_interrupt(db_);
  }
  bool interrupted() const { return interrupted_; }

  using Function = void (*)(sqlite3_context*, int, sqlite3_value**);
  absl::Status AddFunction(const char* name, int arguments, Function function,
                           void* data = nullptr) {
    const int code =
        sqlite3_create_function_v2(db_, name, arguments, SQLITE_UTF8 | SQLITE_DETERMINISTIC, data,
                                   function, nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? absl::OkStatus() : Failed("read");
  }

  sqlite3* db() { return db_; }

 private:
  // Of a full-text table whose opening was interrupted SQLite says SQLITE_ERROR.
  absl::Status Failed(absl::string_view doing) {
    const int code = interrupted_ ? SQLITE_INTERRUPT : sqlite3_extended_errcode(db_);
    return StoreError(code, doing, db_);
  }

  struct Kept {
    sqlite3_stmt* statement = nullptr;
    int64_t used = 0;
  };

  sqlite3* db_ = nullptr;
  std::atomic<bool> interrupted_ = false;
  std::map<const char*, sqlite3_stmt*> statements_;
  std::unordered_map<std::string, Kept> texts_;
  int64_t uses_ = 0;
};

#define DETENTE_PREPARE(name, connection, sql)                \
  auto name##_prepared = (connection).Prepare(sql);           \
  if (!name##_prepared.ok()) return name##_prepared.status(); \
  Statement name(*name##_prepared)

#define DETENTE_ROW_COLUMNS "id, uid, since, create_time, update_time, delete_time"
#define DETENTE_VERSION_COLUMNS "record, salt"

// A name of ours in SQL.
std::string Quoted(absl::string_view name);

// The statements over one collection's tables. Beside head_X and past_X, the versions, stand
// keys_X and past_keys_X under the same numbers, what these are found by, and lists_X, of heads.
struct CollectionSql {
  explicit CollectionSql(const Table& table);
  Table table;
  int64_t ordinal = -1;  // for the full-text index
  std::string create, get, get_past, list, revisions, head, insert_past, insert, update;
  std::string seen, seen_past;  // whether a view sees the row with a number, live; its id
  // For searches: all rows of keys_X that are deleted, or that are newer than a view; those of
  // past_keys_X that some newer one superseded, and whether the view sees them; the names of all
  // rows in order, of heads and of both.
  std::string deleted, newer, superseded_later, names, all_names;
  std::string head_numbers, past_numbers, replace, replace_past;  // erase.cc
  std::string versions, superseded, since_of, last_number;        // versions.cc
  std::string get_number, get_past_number;
  // derived.cc
  std::string drop_derived, create_derived, index_derived;
  std::string derive, derive_past, underived, underived_past;
  std::string insert_keys, keys, insert_past_keys;
  std::vector<std::string> key_names;  // of DETENTE_ROW_COLUMNS and the columns, quoted
  std::string derived_marker, state;  // what says that it is all there; that, and the last revision
  std::string listed, unlist, enlist;

 private:
  void NameDerived();
};

// Says in SQL that the column has a value; indexes that leave others out say it in the same words.
std::string HasValue(const Column& column, absl::string_view name);

// What all connections of a store share.
struct Shared {
  std::string uri;
  std::string ledger;  // the file that lists what was erased; empty in memory
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

}  // namespace detente::store
