// Reads by columns, lists and words: a selection as SQL.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "error/error.h"
#include "store/sqlite/selection_sql.h"
#include "store/sqlite/session.h"
#include "values/edtf.h"
#include "values/wildcard.h"

namespace detente::store {
namespace {

constexpr int64_t kMostRowsOfAPage = 2'000;

constexpr int kStepsBetweenChecks = 10'000;  // of SQLite's machine
// A function of ours may take longer than a step: comparisons of bytes between checks.
constexpr size_t kWorkBetweenChecks = size_t{4} << 20;
constexpr size_t kWorkOfADate = 2'000;  // about as much

absl::string_view TextOf(sqlite3_value* value) {
  const auto* bytes = static_cast<const char*>(sqlite3_value_blob(value));
  return bytes == nullptr
             ? absl::string_view()
             : absl::string_view(bytes, static_cast<size_t>(sqlite3_value_bytes(value)));
}

// matches_wildcard(pattern, text)
void MatchesWildcard(sqlite3_context* context, int, sqlite3_value** arguments) {
  if (sqlite3_value_type(arguments[1]) == SQLITE_NULL) return sqlite3_result_null(context);
  const absl::string_view pattern = TextOf(arguments[0]), text = TextOf(arguments[1]);
  auto* run = static_cast<SelectionRun*>(sqlite3_user_data(context));
  if (!run->Work(pattern.size() * text.size())) {
    return sqlite3_result_error_code(context, SQLITE_INTERRUPT);
  }
  sqlite3_result_int(context, values::MatchesWildcard(pattern, text) ? 1 : 0);
}

// possibly_within(edtf, from, to): days, or NULL.
void PossiblyWithin(sqlite3_context* context, int, sqlite3_value** arguments) {
  auto* run = static_cast<SelectionRun*>(sqlite3_user_data(context));
  if (!run->Work(kWorkOfADate)) return sqlite3_result_error_code(context, SQLITE_INTERRUPT);
  const absl::string_view text = TextOf(arguments[0]);
  if (text.empty()) return sqlite3_result_int(context, 1);  // a date that nobody knows
  const auto date = values::ParseEdtf(text);
  values::DateWindow window;
  if (sqlite3_value_type(arguments[1]) != SQLITE_NULL) {
    window.from = values::CivilFromDays(sqlite3_value_int64(arguments[1]));
  }
  if (sqlite3_value_type(arguments[2]) != SQLITE_NULL) {
    window.to = values::CivilFromDays(sqlite3_value_int64(arguments[2]));
  }
  const bool possibly = date.ok() && values::Possibly(*date, values::DateRelation::kWithin, window);
  sqlite3_result_int(context, possibly ? 1 : 0);
}

int CheckRun(void* run) { return static_cast<SelectionRun*>(run)->Check() ? 0 : 1; }

// While a selection runs its check is asked.
class Watch {
 public:
  Watch(Connection& db, SelectionRun& run, const Selection& selection) : db_(db), run_(run) {
    run_.Start(selection.check);
    if (selection.check != nullptr) {
      sqlite3_progress_handler(db_.db(), kStepsBetweenChecks, CheckRun, &run_);
    }
  }
  ~Watch() {
    sqlite3_progress_handler(db_.db(), 0, nullptr, nullptr);
    run_.Start(nullptr);
  }
  Watch(const Watch&) = delete;

  // What ended a read: the check, or something else.
  absl::Status Reason(const absl::Status& status) const {
    return status.ok() || run_.status().ok() ? status : run_.status();
  }

 private:
  Connection& db_;
  SelectionRun& run_;
};

void Bind(const std::vector<Value>& values, Statement* statement) {
  for (const Value& value : values) statement->BindValue(value);
}

}  // namespace

bool SelectionRun::Work(size_t amount) {
  work_ += amount;
  if (work_ < kWorkBetweenChecks) return true;
  work_ = 0;
  return Check();
}

bool SelectionRun::Check() {
  if (check_ != nullptr && status_.ok()) status_ = check_();
  return status_.ok();
}

absl::Status SqliteSession::AddFunctions() {
  absl::Status status = db_.AddFunction("matches_wildcard", 2, MatchesWildcard, &run_);
  return status.ok() ? db_.AddFunction("possibly_within", 3, PossiblyWithin, &run_) : status;
}

// A page of many rows is found faster by walking the index of its order, past what does not match,
// than by sorting all that does. SQLite can't tell: it knows how common values are on average only.
absl::Status SqliteSession::ChoosePlan(SelectionSql* select) {
  const Selection& selection = select->selection();
  if (!select->HasIndexedOrder() || selection.heads.kind == Condition::Kind::kTrue ||
      selection.limit < 0 || selection.limit > kMostRowsOfAPage) {
    return absl::OkStatus();
  }
  auto from = select->From(false);
  if (!from.ok()) return from.status();
  auto prepared =
      db_.PrepareText(absl::StrCat("SELECT count(*) FROM (SELECT 1", from->text, " LIMIT ?)"));
  if (!prepared.ok()) return prepared.status();
  Statement rows(*prepared);
  Bind(from->values, &rows);
  const int64_t many = shared_->options.many_rows;
  auto row = rows.Bind(many).Step("read");
  if (!row.ok()) return row.status();
  if (rows.Int(0) >= many) select->WalkOrder();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Value>> SqliteSession::ValuesAfter(const SelectionSql& select) {
  const Selection& selection = select.selection();
  const Table& table = select.table();
  std::vector<Value> values;
  const std::vector<int> columns = AfterColumns(selection.order);
  std::string names = "1";  // where nothing else is needed, the index of names is enough
  for (const int column : columns) absl::StrAppend(&names, ", ", ColumnSql(column, table));
  for (const bool past : {false, true}) {
    if (past && select.newest()) break;
    auto prepared = db_.PrepareText(
        absl::StrCat("SELECT ", names, " FROM ", past ? "past_keys_" : "keys_", table.collection,
                     " AS k WHERE k.id = ?", select.newest() ? "" : " AND k.since <= ?",
                     past ? " ORDER BY k.since DESC LIMIT 1" : ""));
    if (!prepared.ok()) return prepared.status();
    Statement find(*prepared);
    find.Bind(selection.after);
    if (!select.newest()) find.Bind(selection.view.revision);
    auto row = find.Step("read");
    if (!row.ok()) return row.status();
    if (!*row) continue;
    for (size_t i = 0; i < columns.size(); ++i) {
      values.push_back(find.ReadValue(static_cast<int>(i) + 1));
    }
    return values;
  }
  return Error(absl::StatusCode::kNotFound, v1::RECORD_NOT_FOUND,
               absl::StrCat(table.collection, "/", selection.after, ": no such record at revision ",
                            selection.view.revision));
}

absl::Status SqliteSession::Selected(
    absl::string_view collection, const Selection& selection,
    absl::FunctionRef<absl::Status(const CollectionSql&, SelectionSql&)> read) {
  auto turn = ReadTurn();
  auto found = shared_->Find(collection);
  if (!found.ok()) return found.status();
  const CollectionSql& sql = **found;
  std::optional<Statement> state;  // open until the end: all that follows is of one state
  Revision newest;
  if (pinned_.has_value() && pinned_->derived == &sql) {
    newest = pinned_->newest;
  } else {
    auto prepared = db_.Prepare(sql.state.c_str());
    if (!prepared.ok()) return prepared.status();
    auto row = state.emplace(*prepared).Step("read");
    if (!row.ok()) return row.status();
    if (absl::Status s = CheckDerived(sql, *state); !s.ok()) return s;
    newest = state->Int(1);
    if (pinned_.has_value()) pinned_->derived = &sql;
  }
  // Where the view is of the newest revision, the heads are all it sees.
  SelectionSql select(sql.table, selection, selection.view.revision >= newest);
  const Watch watch(db_, run_, selection);
  return watch.Reason(read(sql, select));
}

absl::Status SqliteSession::EachPass(SelectionSql& select,
                                     absl::FunctionRef<absl::Status(const Sql&, int64_t*)> read) {
  const Selection& selection = select.selection();
  if (absl::Status s = ChoosePlan(&select); !s.ok()) return s;
  std::vector<Value> after;
  if (!selection.after.empty()) {
    auto values = ValuesAfter(select);
    if (!values.ok()) return values.status();
    after = *std::move(values);
  }
  int64_t left = selection.limit;
  for (const Pass pass : PassesOf(selection.order, select.table())) {
    if (left == 0) break;
    const Sql* keys = recent_keys_.Find(select, pass);
    if (keys == nullptr) {
      auto made = select.Keys(pass, after);
      if (!made.ok()) return made.status();
      if (!made->has_value()) continue;
      keys = recent_keys_.Keep(select, pass, **std::move(made));
    }
    if (absl::Status s = read(*keys, &left); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> SqliteSession::RowsText(const SelectionSql& select,
                                                    const std::string& keys) {
  if (!select.newest()) return keys;
  auto steps = db_.Once(absl::StrCat("EXPLAIN QUERY PLAN ", keys));
  if (!steps.ok()) return steps.status();
  while (true) {
    auto row = (*steps)->Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return select.Heads(keys, false);
    if (absl::StartsWith((*steps)->View(3), "USE TEMP B-TREE")) return select.Heads(keys, true);
  }
}

absl::Status SqliteSession::Select(absl::string_view collection, const Selection& selection,
                                   absl::FunctionRef<bool(const Row&)> visit) {
  return Selected(collection, selection, [&](const CollectionSql& sql, SelectionSql& select) {
    return EachPass(select, [&](const Sql& keys, int64_t* left) -> absl::Status {
      auto prepared = db_.PrepareText(keys.text, [&] { return RowsText(select, keys.text); });
      if (!prepared.ok()) return prepared.status();
      Statement rows(*prepared);
      Bind(keys.values, &rows);
      rows.Bind(*left);
      while (true) {
        auto row = rows.Step("read");
        if (!row.ok() || !*row) return row.status();
        if (*left > 0) --*left;
        bool go_on;
        if (select.newest()) {
          go_on = visit({rows.View(0), false});
        } else {
          const bool superseded = rows.Int(1) != 0;
          DETENTE_PREPARE(get, db_, (superseded ? sql.get_past_number : sql.get_number).c_str());
          row = get.Bind(rows.Int(0)).Step("read");
          if (!row.ok()) return row.status();
          if (!*row) return absl::DataLossError("a version is missing");
          go_on = visit({get.View(0), superseded});
        }
        if (go_on) continue;
        *left = 0;
        return absl::OkStatus();
      }
    });
  });
}

absl::Status SqliteSession::EachTable(const SelectionSql& select, const std::string& wanted,
                                      absl::FunctionRef<absl::Status(Statement&)> read) {
  for (const bool past : {false, true}) {
    if (past && select.newest()) break;
    auto text = select.From(past);
    if (!text.ok()) return text.status();
    auto prepared = db_.PrepareText(absl::StrCat("SELECT ", wanted, text->text));
    if (!prepared.ok()) return prepared.status();
    Statement rows(*prepared);
    Bind(text->values, &rows);
    if (absl::Status s = read(rows); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status SqliteSession::Scan(absl::string_view collection, const Selection& selection,
                                 absl::Span<const int> columns,
                                 absl::FunctionRef<bool(absl::Span<const Value>)> visit) {
  return Selected(collection, selection, [&](const CollectionSql& sql, SelectionSql& select) {
    std::vector<std::string> names;
    names.reserve(columns.size());
    for (const int column : columns) names.push_back(ColumnSql(column, sql.table));
    std::vector<Value> values(columns.size());
    int64_t left = selection.limit;
    return EachTable(select, names.empty() ? "1" : absl::StrJoin(names, ", "),
                     [&](Statement& rows) -> absl::Status {
                       while (left != 0) {
                         auto row = rows.Step("read");
                         if (!row.ok() || !*row) return row.status();
                         if (left > 0) --left;
                         for (size_t i = 0; i < values.size(); ++i) {
                           values[i] = rows.ReadValue(static_cast<int>(i));
                         }
                         if (!visit(values)) left = 0;
                       }
                       return absl::OkStatus();
                     });
  });
}

absl::StatusOr<int64_t> SqliteSession::CountRows(const Sql& from) {
  auto prepared = db_.PrepareText(absl::StrCat("SELECT count(*)", from.text));
  if (!prepared.ok()) return prepared.status();
  Statement rows(*prepared);
  Bind(from.values, &rows);
  auto row = rows.Step("read");
  if (!row.ok()) return row.status();
  return rows.Int(0);
}

// All that match, without a look at each one's delete_time; then those of the deleted ones, where
// these are few.
absl::StatusOr<std::optional<int64_t>> SqliteSession::CountByIndex(const Selection& selection,
                                                                   const SelectionSql& select) {
  const bool everything = selection.heads.kind == Condition::Kind::kTrue;
  const std::string& collection = select.table().collection;
  const std::string of_deleted =
      absl::StrCat(" FROM keys_", collection, " AS k INDEXED BY ",
                   Quoted(absl::StrCat(collection, ".delete_time")), " WHERE k.delete_time <> 0");
  if (!everything && !selection.show_deleted) {
    const int64_t many = shared_->options.many_rows;
    auto deleted = CountRows({absl::StrCat(" FROM (SELECT 1", of_deleted, " LIMIT ?)"), {many}});
    if (!deleted.ok()) return deleted.status();
    if (*deleted >= many) return std::nullopt;
  }
  auto condition = CompileCondition(selection.heads, select.table(), /*past=*/false);
  if (!condition.ok()) return condition.status();
  Sql all{absl::StrCat(" FROM keys_", collection, " AS k"), {}};
  // SQLite counts by the smallest index where there is no condition at all.
  if (!everything) {
    all.text += " WHERE ";
    all.Add(*condition);
  }
  auto count = CountRows(all);
  if (!count.ok()) return count.status();
  if (selection.show_deleted) return *count;
  // SQLite uses no index for what stands behind a plus.
  Sql gone{absl::StrCat(of_deleted, " AND +("), {}};
  gone.Add(*condition);
  gone.text += ')';
  auto deleted = CountRows(gone);
  if (!deleted.ok()) return deleted.status();
  return *count - *deleted;
}

absl::StatusOr<int64_t> SqliteSession::Count(absl::string_view collection,
                                             const Selection& selection) {
  int64_t count = 0;
  auto add = [&](const CollectionSql&, SelectionSql& select) -> absl::Status {
    if (select.newest()) {
      auto found = CountByIndex(selection, select);
      if (!found.ok()) return found.status();
      count = found->value_or(0);
      if (found->has_value()) return absl::OkStatus();
    }
    return EachTable(select, "count(*)", [&](Statement& rows) {
      auto row = rows.Step("read");
      if (row.ok()) count += rows.Int(0);
      return row.status();
    });
  };
  if (absl::Status s = Selected(collection, selection, add); !s.ok()) return s;
  return count;
}

absl::StatusOr<Plan> SqliteSession::Explain(absl::string_view collection,
                                            const Selection& selection) {
  Plan plan;
  auto explain = [&](const CollectionSql&, SelectionSql& select) {
    return EachPass(select, [&](const Sql& keys, int64_t*) -> absl::Status {
      auto text = RowsText(select, keys.text);
      if (!text.ok()) return text.status();
      auto steps = db_.Once(absl::StrCat("EXPLAIN QUERY PLAN ", *text));
      if (!steps.ok()) return steps.status();
      while (true) {
        auto row = (*steps)->Step("read");
        if (!row.ok() || !*row) return row.status();
        AddStep(collection, (*steps)->Text(3), &plan);
      }
    });
  };
  if (absl::Status s = Selected(collection, selection, explain); !s.ok()) return s;
  return plan;
}

// A line of SQLite's: "SEARCH k USING INDEX things.colour (colour=?)".
void SqliteSession::AddStep(absl::string_view collection, std::string step, Plan* plan) {
  const std::string prefix = absl::StrCat("INDEX ", collection, ".");
  std::string index;
  if (const size_t at = step.find(prefix); at != std::string::npos) {
    const size_t start = at + prefix.size();
    index = step.substr(start, step.find(' ', start) - start);
  } else if (absl::StrContains(step, "lists_") && absl::StrContains(step, "PRIMARY KEY")) {
    index = "lists";
  } else if (absl::StrContains(step, " refs ")) {
    index = "references";
  }
  if (!index.empty() &&
      std::find(plan->indexes.begin(), plan->indexes.end(), index) == plan->indexes.end()) {
    plan->indexes.push_back(index);
  }
  plan->steps.push_back(std::move(step));
}

}  // namespace detente::store
