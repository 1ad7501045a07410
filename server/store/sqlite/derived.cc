// What is derived of versions: the tables beside theirs, by which they are found.
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "error/error.h"
#include "store/sqlite/session.h"

namespace detente::store {
namespace {

// Raise it when the tables here change: they are made anew then.
constexpr int kLayout = 3;

// A store is looked over for its planner again when it has ten times the rows.
constexpr int64_t kFirstAnalysis = 200;
constexpr int64_t kGrowth = 10;

constexpr absl::string_view kTables = R"sql(
CREATE TABLE keys_$0 (
  num INTEGER PRIMARY KEY$1, id TEXT NOT NULL, uid TEXT NOT NULL, since INTEGER NOT NULL,
  create_time INTEGER NOT NULL, update_time INTEGER NOT NULL, delete_time INTEGER NOT NULL$4);
CREATE TABLE past_keys_$0 (
  num INTEGER PRIMARY KEY$1, id TEXT NOT NULL, uid TEXT NOT NULL, since INTEGER NOT NULL,
  create_time INTEGER NOT NULL, update_time INTEGER NOT NULL, delete_time INTEGER NOT NULL,
  until INTEGER NOT NULL$4);
CREATE TABLE lists_$0 (list INTEGER, value, num INTEGER, PRIMARY KEY (list, value, num))
  WITHOUT ROWID;
CREATE INDEX "$0.list_of" ON lists_$0 (num);
)sql";

// Indexes are named after what they are of, for plans. They hold delete_time too: most reads of the
// newest state then need no row of keys_ at all. Those that are here are made once all values are
// in; a record's own list values are looked up for each that is put, so that their index is there
// from the start.
constexpr absl::string_view kIndexes = R"sql(
CREATE UNIQUE INDEX "$0.name" ON keys_$0 (id);
CREATE INDEX "$0.create_time" ON keys_$0 (create_time, id, delete_time);
CREATE INDEX "$0.update_time" ON keys_$0 (update_time, id, delete_time);
CREATE INDEX "$0.delete_time" ON keys_$0 (delete_time, id) WHERE delete_time <> 0;
CREATE INDEX "$0.until" ON past_keys_$0 (until, since);
CREATE UNIQUE INDEX "$0.past_name" ON past_keys_$0 (id, since);
)sql";

std::string TypeName(Column::Type type) {
  switch (type) {
    case Column::Type::kInteger:
      return "INTEGER";
    case Column::Type::kReal:
      return "REAL";
    case Column::Type::kText:
      return "TEXT";
  }
  return "";
}

std::string IndexOf(const std::string& collection, const std::vector<Column>& columns, size_t at) {
  const Column& column = columns[at];
  const std::string name = Quoted(column.name);
  const std::string start = absl::StrCat(
      "CREATE INDEX ", Quoted(absl::StrCat(collection, ".", column.name)), " ON keys_", collection);
  switch (column.role) {
    case Column::Role::kEarliest:
      return absl::StrCat(start, " (", name, ", ", Quoted(columns[at + 1].name),
                          ", id, delete_time) WHERE ", name, " IS NOT NULL;\n");
    case Column::Role::kLatest:
      // Of dates that are no single day; see kPossibly.
      return absl::StrCat(start, " (", name, ", ", Quoted(columns[at - 1].name),
                          ", id, delete_time) WHERE ", name, " > ", Quoted(columns[at - 1].name),
                          ";\n");
    default:
      return absl::StrCat(start, " (", name, ", id, delete_time) WHERE ", HasValue(column, name),
                          ";\n");
  }
}

}  // namespace

std::string HasValue(const Column& column, absl::string_view name) {
  if (!column.default_is_unset) return absl::StrCat(name, " IS NOT NULL");
  return absl::StrCat(name, column.type == Column::Type::kText ? " > ''" : " <> 0");
}

void CollectionSql::NameDerived() {
  const std::string& collection = table.collection;
  std::string enums, columns, names, more;
  key_names = {"id", "uid", "since", "create_time", "update_time", "delete_time"};
  for (const Column& column : table.columns) {
    const std::string name = Quoted(column.name);
    key_names.push_back(name);
    absl::StrAppend(&more, ", ?");
    // SQLite reads a row from its start: what filters name most, and is short, comes first.
    const bool is_enum = column.type == Column::Type::kInteger && column.default_is_unset;
    absl::StrAppend(is_enum ? &enums : &columns, ", ", name, " ", TypeName(column.type));
    absl::StrAppend(&names, ", ", name);
  }
  auto text = [&](absl::string_view sql) {
    return absl::StrReplaceAll(
        sql, {{"$0", collection}, {"$1", enums}, {"$2", names}, {"$3", more}, {"$4", columns}});
  };
  drop_derived = text(
      "DROP TABLE IF EXISTS keys_$0; DROP TABLE IF EXISTS past_keys_$0; "
      "DROP TABLE IF EXISTS lists_$0;");
  create_derived = text(kTables);
  index_derived = text(kIndexes);
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].indexed) {
      absl::StrAppend(&index_derived, IndexOf(collection, table.columns, i));
    }
  }
  // Not what each write does: SQLite would keep a journal of it.
  derive = text("INSERT OR REPLACE INTO keys_$0 (num, " DETENTE_ROW_COLUMNS
                "$2) VALUES (?, ?, ?, ?, ?, ?, ?$3)");
  derive_past = text("INSERT OR REPLACE INTO past_keys_$0 (num, until, " DETENTE_ROW_COLUMNS
                     "$2) VALUES (?, ?, ?, ?, ?, ?, ?, ?$3)");
  insert_keys =
      text("INSERT INTO keys_$0 (num, " DETENTE_ROW_COLUMNS "$2) VALUES (?, ?, ?, ?, ?, ?, ?$3)");
  keys = text("SELECT " DETENTE_ROW_COLUMNS "$2 FROM keys_$0 WHERE num = ?1");
  insert_past_keys = text("INSERT INTO past_keys_$0 (num, until, " DETENTE_ROW_COLUMNS
                          "$2) VALUES (?, ?, ?, ?, ?, ?, ?, ?$3)");
  underived = text("SELECT " DETENTE_VERSION_COLUMNS
                   " FROM head_$0 WHERE num > "
                   "(SELECT coalesce(max(num), 0) FROM keys_$0) ORDER BY num");
  underived_past = text("SELECT " DETENTE_VERSION_COLUMNS
                        " FROM past_$0 WHERE num > "
                        "(SELECT coalesce(max(num), 0) FROM past_keys_$0) ORDER BY num");
  derived_marker = absl::StrCat(kLayout, " ", table.fingerprint);
  state = text(
      "SELECT (SELECT value FROM meta WHERE key = 'derived_$0'), "
      "(SELECT revision FROM commits ORDER BY revision DESC LIMIT 1)");
  listed = text("SELECT list, value FROM lists_$0 WHERE num = ?1 ORDER BY list, value");
  unlist = text("DELETE FROM lists_$0 WHERE list = ?1 AND value = ?2 AND num = ?3");
  enlist = text("INSERT INTO lists_$0 (list, value, num) VALUES (?1, ?2, ?3)");
}

namespace {

absl::Status NotDerived() {
  return Error(
      absl::StatusCode::kFailedPrecondition, v1::STORE_READ_ONLY,
      "filters, orders and totals need columns that another version of Détente has made of this "
      "store; open it for writing once with this one, and they are made anew");
}

std::string MetaKey(absl::string_view collection) { return absl::StrCat("derived_", collection); }

// Before the marker while values are being derived.
constexpr absl::string_view kUnfinished = "unfinished ";

// A row of keys_X, without its number.
std::vector<Value> KeysOf(const CollectionSql& sql, const Version& version,
                          const Derived& derived) {
  std::vector<Value> values = {version.id,          version.uid,         version.since,
                               version.create_time, version.update_time, version.delete_time};
  for (size_t i = 0; i < sql.table.columns.size(); ++i) {
    values.push_back(derived.columns.empty() ? sql.table.columns[i].empty : derived.columns[i]);
  }
  return values;
}

}  // namespace

absl::StatusOr<bool> SqliteSession::IsDerived(absl::string_view collection) {
  auto sql = shared_->Find(collection);
  if (!sql.ok()) return sql.status();
  auto marker = Meta(MetaKey(collection));
  if (!marker.ok()) return marker.status();
  return *marker == (*sql)->derived_marker;
}

absl::Status SqliteSession::CheckDerived(const CollectionSql& sql, const Statement& state) {
  return state.View(0) == sql.derived_marker ? absl::OkStatus() : NotDerived();
}

// In the transaction that is open.
absl::Status SqliteSession::MakeDerived(const CollectionSql& sql) {
  absl::Status status = db_.Execute(absl::StrCat(sql.create_derived, sql.index_derived));
  return status.ok() ? SetMeta(MetaKey(sql.table.collection), sql.derived_marker) : status;
}

absl::Status SqliteSession::BeginDeriving(absl::string_view collection) {
  auto sql = shared_->Find(collection);
  if (!sql.ok()) return sql.status();
  const std::string key = MetaKey(collection);
  const std::string unfinished = absl::StrCat(kUnfinished, (*sql)->derived_marker);
  auto marker = Meta(key);
  if (!marker.ok()) return marker.status();
  if (*marker == unfinished) return absl::OkStatus();
  absl::Status status = Begin();
  if (!status.ok()) return status;
  status = db_.Execute(absl::StrCat((*sql)->drop_derived, (*sql)->create_derived));
  if (status.ok()) status = SetMeta(key, unfinished);
  if (status.ok()) status = Commit();
  if (!status.ok()) Rollback().IgnoreError();
  return status;
}

absl::Status SqliteSession::Underived(absl::string_view collection,
                                      absl::FunctionRef<bool(Version&)> visit) {
  auto turn = ReadTurn();
  auto sql = shared_->Find(collection);
  if (!sql.ok()) return sql.status();
  for (const std::string* text : {&(*sql)->underived, &(*sql)->underived_past}) {
    auto list = db_.Once(*text);
    if (!list.ok()) return list.status();
    while (true) {
      auto row = (*list)->Step("read");
      if (!row.ok()) return row.status();
      if (!*row) break;
      auto version = (*list)->ReadVersion();
      if (!version.ok()) return version.status();
      if (!visit(*version)) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::Status SqliteSession::PutDerived(absl::string_view collection, absl::string_view id,
                                       Revision since, const Derived& derived) {
  auto sql = shared_->Find(collection);
  if (!sql.ok()) return sql.status();
  return EachNumbered(**sql, id, since, [&](bool past, int64_t number) {
    return Derive(**sql, past, number, derived);
  });
}

absl::Status SqliteSession::EndDeriving(absl::string_view collection) {
  auto sql = shared_->Find(collection);
  if (!sql.ok()) return sql.status();
  absl::Status status = Begin();
  if (!status.ok()) return status;
  status = db_.Execute((*sql)->index_derived);
  if (status.ok()) status = SetMeta(MetaKey(collection), (*sql)->derived_marker);
  if (status.ok()) status = Commit();
  if (!status.ok()) Rollback().IgnoreError();
  return status.ok() ? Analyze() : status;
}

// What stands beside the row `number` of head_X or past_X.
absl::Status SqliteSession::Derive(const CollectionSql& sql, bool past, int64_t number,
                                   const Derived& derived) {
  Revision until = 0;
  auto version = GetNumbered(sql, past, number, &until);
  if (!version.ok()) return version.status();
  {
    DETENTE_PREPARE(put, db_, (past ? sql.derive_past : sql.derive).c_str());
    put.Bind(number);
    if (past) put.Bind(until);
    const std::vector<Value> values = KeysOf(sql, *version, derived);
    for (const Value& value : values) put.BindValue(value);
    if (absl::Status s = put.Run(); !s.ok()) return s;
  }
  IndexWords(sql, past, number, derived);
  return past ? absl::OkStatus() : DeriveLists(sql, number, derived.lists);
}

// Beside a new row of head_X, with the number `number`.
absl::Status SqliteSession::PutKeys(const CollectionSql& sql, int64_t number,
                                    const Version& version, const Derived& derived) {
  DETENTE_PREPARE(put, db_, sql.insert_keys.c_str());
  put.Bind(number);
  const std::vector<Value> values = KeysOf(sql, version, derived);
  for (const Value& value : values) put.BindValue(value);
  if (absl::Status s = put.Run(); !s.ok()) return s;
  IndexWords(sql, false, number, derived);
  return ChangeLists(sql, number, {}, derived.lists);
}

// What is beside the row `number` of head_X moves beside `past_number` of past_X, and becomes that
// of `version`. Only what differs is written: most columns have an index.
absl::Status SqliteSession::SupersedeKeys(const CollectionSql& sql, int64_t number,
                                          int64_t past_number, const Version& version,
                                          const Derived& derived) {
  const std::vector<Value> values = KeysOf(sql, version, derived);
  std::vector<const Value*> changed;
  std::string update;
  {
    DETENTE_PREPARE(before, db_, sql.keys.c_str());
    auto row = before.Bind(number).Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return absl::InternalError(absl::StrCat("no columns of ", version.id));
    DETENTE_PREPARE(keep, db_, sql.insert_past_keys.c_str());
    keep.Bind(past_number).Bind(version.since);
    for (size_t i = 0; i < values.size(); ++i) {
      keep.BindColumn(before, static_cast<int>(i));
      if (before.ReadValue(static_cast<int>(i)) == values[i]) continue;
      absl::StrAppend(&update, changed.empty() ? "" : ", ", sql.key_names[i], " = ?");
      changed.push_back(&values[i]);
    }
    if (absl::Status s = keep.Run(); !s.ok()) return s;
  }
  if (!changed.empty()) {
    auto prepared = db_.PrepareText(
        absl::StrCat("UPDATE keys_", sql.table.collection, " SET ", update, " WHERE num = ?"));
    if (!prepared.ok()) return prepared.status();
    Statement put(*prepared);
    for (const Value* value : changed) put.BindValue(*value);
    if (absl::Status s = put.Bind(number).Run(); !s.ok()) return s;
  }
  SupersedeWords(sql, number, past_number);
  IndexWords(sql, false, number, derived);
  return DeriveLists(sql, number, derived.lists);
}

// Only what differs is written.
absl::Status SqliteSession::DeriveLists(const CollectionSql& sql, int64_t number,
                                        const std::vector<std::pair<int, Value>>& lists) {
  std::vector<std::pair<int, Value>> before, gone, added;
  {
    DETENTE_PREPARE(listed, db_, sql.listed.c_str());
    listed.Bind(number);
    while (true) {
      auto row = listed.Step("read");
      if (!row.ok()) return row.status();
      if (!*row) break;
      before.emplace_back(static_cast<int>(listed.Int(0)), listed.ReadValue(1));
    }
  }
  std::set_difference(before.begin(), before.end(), lists.begin(), lists.end(),
                      std::back_inserter(gone));
  std::set_difference(lists.begin(), lists.end(), before.begin(), before.end(),
                      std::back_inserter(added));
  return ChangeLists(sql, number, gone, added);
}

absl::Status SqliteSession::ChangeLists(const CollectionSql& sql, int64_t number,
                                        const std::vector<std::pair<int, Value>>& gone,
                                        const std::vector<std::pair<int, Value>>& added) {
  for (const auto& [values, text] :
       {std::pair(&gone, &sql.unlist), std::pair(&added, &sql.enlist)}) {
    for (const auto& [list, value] : *values) {
      DETENTE_PREPARE(change, db_, text->c_str());
      if (absl::Status s = change.Bind(int64_t{list}).BindValue(value).Bind(number).Run();
          !s.ok()) {
        return s;
      }
    }
  }
  return absl::OkStatus();
}

// The planner's own figures, of whole indexes: a sample of some hundred entries sees a common value
// alone, and takes it for the only one. Takes two seconds for a million records. Other connections
// read them again because the schema changes.
absl::Status SqliteSession::Analyze() {
  int64_t rows = 0;
  std::string sql = "BEGIN IMMEDIATE;";
  for (const auto& [name, collection] : shared_->collections) {
    auto count = db_.Number(absl::StrCat("SELECT count(*) FROM head_", name));
    if (!count.ok()) return count.status();
    rows += *count;
    absl::StrAppend(&sql, "ANALYZE keys_", name, "; ANALYZE lists_", name, ";");
  }
  absl::StrAppend(&sql, "DROP TABLE IF EXISTS analyzed; CREATE TABLE analyzed (row_count INTEGER);",
                  "INSERT INTO analyzed VALUES (", rows, "); COMMIT");
  std::unique_lock<std::shared_mutex> turn(shared_->turns, std::defer_lock);
  if (shared_->in_memory) turn.lock();
  absl::Status status = db_.Execute(sql);
  if (!status.ok() && sqlite3_get_autocommit(db_.db()) == 0) db_.Execute("ROLLBACK").IgnoreError();
  if (status.ok()) analyzed_ = rows;
  inserted_ = 0;  // also of one that failed, so that not every commit tries
  return status;
}

absl::Status SqliteSession::AnalyzeIfGrown() {
  if (analyzed_ < 0) {
    auto there = db_.Number("SELECT count(*) FROM sqlite_schema WHERE name = 'analyzed'");
    if (!there.ok()) return there.status();
    auto rows =
        *there == 0 ? absl::StatusOr<int64_t>(0) : db_.Number("SELECT row_count FROM analyzed");
    if (!rows.ok()) return rows.status();
    analyzed_ = *rows;
  }
  if (inserted_ < std::max(kFirstAnalysis, (kGrowth - 1) * analyzed_)) return absl::OkStatus();
  return Analyze();
}

}  // namespace detente::store
