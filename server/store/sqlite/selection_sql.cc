#include "store/sqlite/selection_sql.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace detente::store {

bool SelectionSql::HasIndexedOrder() const {
  if (!newest_ || selection_.order.empty()) return false;
  const int first = selection_.order[0].column;
  if (first >= 0) return table_.columns[first].indexed;
  return first == kRowId || first == kRowCreateTime || first == kRowUpdateTime;
}

absl::StatusOr<Sql> SelectionSql::From(bool past) const {
  auto condition = CompileCondition(past ? selection_.past : selection_.heads, table_, past);
  if (!condition.ok()) return condition.status();
  Sql sql{absl::StrCat(" FROM ", past ? "past_keys_" : "keys_", table_.collection, " AS k WHERE "),
          {}};
  if (!selection_.show_deleted) sql.text += "k.delete_time = 0 AND ";
  if (past) sql.Add({"k.until > ? AND ", {selection_.view.revision}});
  if (past || !newest_) sql.Add({"k.since <= ? AND ", {selection_.view.revision}});
  // SQLite uses no index for what stands behind a plus.
  if (walks_) sql.text += "+(";
  sql.Add(*condition);
  if (walks_) sql.text += ')';
  return sql;
}

absl::StatusOr<std::optional<Sql>> SelectionSql::Keys(Pass pass,
                                                      const std::vector<Value>& after) const {
  const PassSql in = CompilePass(pass, selection_.order, table_);
  Sql sql;
  for (const bool past : {false, true}) {
    if (past && newest_) break;
    auto from = From(past);
    if (!from.ok()) return from.status();
    if (!in.has_value.empty()) absl::StrAppend(&from->text, " AND ", in.has_value);
    if (!selection_.after.empty()) {
      auto rest = CompileAfter(pass, selection_.order, table_, after, selection_.after);
      if (!rest.has_value()) return std::nullopt;
      from->text += " AND ";
      from->Add(*rest);
    }
    absl::StrAppend(&sql.text, past ? " UNION ALL " : "", "SELECT k.num AS num");
    if (!newest_) {
      sql.text += past ? ", 1" : ", 0";
      for (const std::string& key : in.keys) absl::StrAppend(&sql.text, ", ", key);
    }
    sql.Add(*from);
  }
  std::vector<std::string> orders;
  orders.reserve(in.keys.size());
  for (size_t i = 0; i < in.keys.size(); ++i) {
    // Those of both tables are told by their places.
    orders.push_back(newest_ ? absl::StrCat(in.keys[i], in.orders[i])
                             : absl::StrCat(i + 3, in.orders[i]));
  }
  absl::StrAppend(&sql.text, " ORDER BY ", absl::StrJoin(orders, ", "), " LIMIT ?");
  return sql;
}

std::string SelectionSql::Heads(const std::string& keys, bool sorts) const {
  if (!sorts) {
    return absl::StrCat("SELECT head.record FROM keys_", table_.collection,
                        " AS k CROSS JOIN head_", table_.collection, " AS head ON head.num = k.num",
                        keys.substr(keys.find(" WHERE ")));
  }
  return absl::StrCat("SELECT head.record FROM (", keys, ") AS found CROSS JOIN head_",
                      table_.collection, " AS head ON head.num = found.num");
}

bool RecentKeys::Kept::IsOf(const SelectionSql& select, Pass of) const {
  const Selection& selection = select.selection();
  return table == &select.table() && pass == of && goes_on == !selection.after.empty() &&
         show_deleted == selection.show_deleted && heads == selection.heads &&
         order == selection.order;
}

namespace {

// Its statement has no values but the conditions', and the id to go on after.
bool IsPlain(const SelectionSql& select) {
  return select.newest() && !select.walks() &&
         (select.selection().after.empty() || select.selection().order.empty());
}

}  // namespace

const Sql* RecentKeys::Find(const SelectionSql& select, Pass pass) {
  if (!IsPlain(select)) return nullptr;
  for (Kept& kept : kept_) {
    if (!kept.IsOf(select, pass)) continue;
    if (kept.goes_on) kept.keys.values.back() = select.selection().after;
    return &kept.keys;
  }
  return nullptr;
}

const Sql* RecentKeys::Keep(const SelectionSql& select, Pass pass, Sql keys) {
  constexpr size_t kMost = 16;
  constexpr size_t kMostValues = 16;  // longer ones take long to run, not to write
  if (!IsPlain(select) || keys.values.size() > kMostValues) {
    other_ = std::move(keys);
    return &other_;
  }
  const Selection& selection = select.selection();
  if (kept_.size() < kMost) kept_.emplace_back();
  Kept& kept = kept_[next_++ % kMost];
  kept = {&select.table(),          selection.show_deleted, selection.heads, selection.order, pass,
          !selection.after.empty(), std::move(keys)};
  return &kept.keys;
}

}  // namespace detente::store
