#include "store/sqlite/compile.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "error/error.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/search.h"
#include "values/wildcard.h"

namespace detente::store {
namespace {

const char* OperatorSql(Condition::Operator op) {
  switch (op) {
    case Condition::Operator::kEqual:
      return " = ?";
    case Condition::Operator::kNotEqual:
      return " <> ?";
    case Condition::Operator::kLess:
      return " < ?";
    case Condition::Operator::kLessOrEqual:
      return " <= ?";
    case Condition::Operator::kGreater:
      return " > ?";
    case Condition::Operator::kGreaterOrEqual:
      return " >= ?";
  }
  return "";
}

// What a comparison may say beside itself: that the value is set, as the column's index says it.
bool ImpliesSet(const Value& value, Condition::Operator op) {
  using Operator = Condition::Operator;
  if (op == Operator::kNotEqual || op == Operator::kLess || op == Operator::kLessOrEqual) {
    return false;
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return op == Operator::kGreater || !text->empty();
  }
  const auto* number = std::get_if<int64_t>(&value);
  if (number == nullptr) return false;
  return op == Operator::kEqual ? *number != 0
                                : *number > 0 || (op == Operator::kGreater && *number == 0);
}

// The least text that is greater than all that begin with the prefix; nullopt where there is none.
std::optional<std::string> PrefixEnd(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (prefix.empty()) return std::nullopt;
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

// A condition whose NOTs stand at its leaves and in which no AND has an AND, nor an OR an OR.
// SQLite's parser has a stack of 100 and takes expressions of a depth of 1,000: the child that
// needs most of the stack stands first, where it needs least.
struct Node {
  Condition::Kind kind = Condition::Kind::kTrue;
  const Condition* leaf = nullptr;
  bool negated = false;
  int height = 0;
  size_t place = 0;  // among its parent's
  std::vector<Node> children;
};

constexpr size_t kGroup = 16;       // of children side by side
constexpr int kMaxHeight = 80;      // places in the stack; the whole statement needs some itself
constexpr int kMaxNesting = 1'000;  // of conditions, with NOTs

absl::Status TooDeep() {
  return Error(absl::StatusCode::kInvalidArgument, v1::LIMIT_EXCEEDED,
               "the conditions of a selection are nested too deep");
}

absl::Status Arrange(const Condition& condition, bool negated, int depth, Node* node) {
  using Kind = Condition::Kind;
  if (depth > kMaxNesting) return TooDeep();
  if (condition.kind == Kind::kNot) {
    if (condition.children.size() != 1) return absl::InternalError("a NOT of not one condition");
    return Arrange(condition.children[0], !negated, depth + 1, node);
  }
  if (condition.kind != Kind::kAnd && condition.kind != Kind::kOr) {
    node->kind = condition.kind;
    node->leaf = &condition;
    node->negated = negated;
    return absl::OkStatus();
  }
  node->kind = (condition.kind == Kind::kAnd) != negated ? Kind::kAnd : Kind::kOr;
  for (const Condition& child : condition.children) {
    Node below;
    if (absl::Status s = Arrange(child, negated, depth + 1, &below); !s.ok()) return s;
    if (below.leaf == nullptr && below.kind == node->kind) {
      std::move(below.children.begin(), below.children.end(), std::back_inserter(node->children));
    } else {
      node->children.push_back(std::move(below));
    }
  }
  for (size_t i = 0; i < node->children.size(); ++i) node->children[i].place = i;
  std::sort(node->children.begin(), node->children.end(), [](const Node& a, const Node& b) {
    return std::tie(b.height, a.place) < std::tie(a.height, b.place);
  });
  for (size_t i = 0; i < node->children.size(); ++i) {
    const int more = i == 0 ? 1 : 3;
    node->height = std::max(node->height, node->children[i].height + more);
  }
  return absl::OkStatus();
}

class Compiler {
 public:
  Compiler(const Table& table, bool past) : table_(table), past_(past) {}

  absl::Status Add(const Condition& condition) {
    Node node;
    absl::Status status = Arrange(condition, false, 0, &node);
    if (status.ok() && node.height > kMaxHeight) status = TooDeep();
    return status.ok() ? Add(node) : status;
  }

  Sql Take() { return std::move(sql_); }

 private:
  absl::Status Add(const Node& node) {
    if (node.leaf == nullptr) {
      const bool all = node.kind == Condition::Kind::kAnd;
      return Join(node.children, all ? " AND " : " OR ", all ? "1" : "0");
    }
    if (sql_.values.size() > kMaxBoundValues) {
      return Error(absl::StatusCode::kInvalidArgument, v1::LIMIT_EXCEEDED,
                   absl::StrCat("a selection takes at most ", kMaxBoundValues, " values"));
    }
    if (!node.negated) return Leaf(*node.leaf);
    Text("((").IgnoreError();
    absl::Status status = Leaf(*node.leaf);
    // Whatever is neither true nor false is not true.
    return status.ok() ? Text(") IS NOT TRUE)") : status;
  }

  absl::Status Leaf(const Condition& condition) {
    using Kind = Condition::Kind;
    switch (condition.kind) {
      case Kind::kTrue:
        return Text("1");
      case Kind::kFalse:
        return Text("0");
      case Kind::kAnd:
      case Kind::kOr:
      case Kind::kNot:
        break;
      case Kind::kPresent:
        if (condition.column == kRowDeleteTime) return Text("k.delete_time <> 0");
        return Text(absl::StrCat(ColumnSql(condition.column, table_), " IS NOT NULL"));
      case Kind::kCompare:
        return Compare(condition);
      case Kind::kLike:
        return Like(condition);
      case Kind::kPossibly:
        return Possibly(condition);
      case Kind::kListHas:
        if (past_) return absl::InternalError("a condition on a list of past versions");
        return Text(absl::StrCat("k.num IN (SELECT num FROM lists_", table_.collection,
                                 " WHERE list = ? AND value = ?)"),
                    {int64_t{condition.column}, condition.value});
      case Kind::kRefersTo: {
        if (past_) return absl::InternalError("a condition on references of past versions");
        // A name is the collection, `/` and the id; `0` comes after `/`.
        const std::string& collection = table_.collection;
        return Text(
            "k.id IN (SELECT substr(referrer, ?) FROM refs WHERE target = ? AND "
            "referrer > ? AND referrer < ?)",
            {static_cast<int64_t>(collection.size()) + 2, condition.value,
             absl::StrCat(collection, "/"), absl::StrCat(collection, "0")});
      }
      case Kind::kNamed:
      case Kind::kSounds:
        return Named(condition);
    }
    return absl::InternalError("no such condition");
  }

  absl::Status Text(absl::string_view text, std::vector<Value> values = {}) {
    absl::StrAppend(&sql_.text, text);
    for (Value& value : values) sql_.values.push_back(std::move(value));
    return absl::OkStatus();
  }

  absl::Status Join(absl::Span<const Node> children, const char* with, const char* none) {
    if (children.empty()) return Text(none);
    if (children.size() == 1) return Add(children[0]);
    size_t size = 1;  // of a group's part
    while (size * kGroup < children.size()) size *= kGroup;
    Text("(").IgnoreError();
    for (size_t i = 0; i < children.size(); i += size) {
      if (i > 0) Text(with).IgnoreError();
      absl::Status status = Join(children.subspan(i, size), with, none);
      if (!status.ok()) return status;
    }
    return Text(")");
  }

  absl::Status Compare(const Condition& condition) {
    const std::string name = ColumnSql(condition.column, table_);
    const std::string compare = absl::StrCat(name, OperatorSql(condition.op));
    if (condition.column == kRowDeleteTime) {
      return Text(absl::StrCat("(k.delete_time <> 0 AND ", compare, ")"), {condition.value});
    }
    if (condition.column >= 0) {
      const Column& column = table_.columns[condition.column];
      if (column.indexed && column.default_is_unset && ImpliesSet(condition.value, condition.op)) {
        return Text(absl::StrCat("(", HasValue(column, name), " AND ", compare, ")"),
                    {condition.value});
      }
    }
    return Text(compare, {condition.value});
  }

  absl::Status Like(const Condition& condition) {
    const auto* pattern = std::get_if<std::string>(&condition.value);
    if (pattern == nullptr) return absl::InternalError("a pattern that is no text");
    const std::string name = ColumnSql(condition.column, table_);
    const std::string prefix = values::WildcardPrefix(*pattern);
    Text("(").IgnoreError();
    if (!prefix.empty()) {
      if (condition.column >= 0 && table_.columns[condition.column].default_is_unset) {
        Text(absl::StrCat(HasValue(table_.columns[condition.column], name), " AND ")).IgnoreError();
      }
      Text(absl::StrCat(name, " >= ? AND "), {prefix}).IgnoreError();
      if (const auto end = PrefixEnd(prefix)) {
        Text(absl::StrCat(name, " < ? AND "), {*end}).IgnoreError();
      }
    }
    return Text(absl::StrCat("matches_wildcard(?, ", name, "))"), {*pattern});
  }

  absl::Status Possibly(const Condition& condition) {
    const int edtf = condition.column;
    if (edtf < 2 || table_.columns[edtf].role != Column::Role::kReadings) {
      return absl::InternalError("no column of a date's readings");
    }
    const std::string earliest = ColumnSql(edtf - 2, table_);
    const std::string latest = ColumnSql(edtf - 1, table_);
    const auto& from = condition.from;
    const auto& to = condition.to;
    if (!from && !to) return Text(absl::StrCat(earliest, " IS NOT NULL"));
    // First by the bounds: dates that begin in the window, and those that reach into it. Each part
    // has an index, so that a narrow window is found without a look at all that came before.
    const auto first = from.value_or(0), last = to.value_or(0);
    if (from && to) {
      Text(absl::StrCat("(", earliest, " BETWEEN ? AND ? OR (", latest, " > ", earliest, " AND ",
                        latest, " >= ? AND ", earliest, " < ?))"),
           {first, last, first, first})
          .IgnoreError();
    } else if (from) {
      Text(absl::StrCat("(", earliest, " >= ? OR (", latest, " > ", earliest, " AND ", latest,
                        " >= ? AND ", earliest, " < ?))"),
           {first, first, first})
          .IgnoreError();
    } else {
      Text(absl::StrCat(earliest, " <= ?"), {last}).IgnoreError();
    }
    // A date that lies in the window as a whole needs no closer look.
    Text(" AND (").IgnoreError();
    if (from) Text(absl::StrCat(earliest, " >= ?"), {first}).IgnoreError();
    if (from && to) Text(" AND ").IgnoreError();
    if (to) Text(absl::StrCat(latest, " <= ?"), {last}).IgnoreError();
    const Value none;
    return Text(absl::StrCat(" OR possibly_within(", ColumnSql(edtf, table_), ", ?, ?))"),
                {from ? Value(first) : none, to ? Value(last) : none});
  }

  absl::Status Named(const Condition& condition) {
    const std::string* word = std::get_if<std::string>(&condition.value);
    if (word == nullptr) return absl::InternalError("a word that is no text");
    const bool sounds = condition.kind == Condition::Kind::kSounds;
    return Text(NamedCondition(table_.collection, past_),
                {NamedMatch(sounds ? NamedBy::kSound : NamedBy::kWord, *word)});
  }

  const Table& table_;
  const bool past_;
  Sql sql_;
};

// The second bound of a date after the first: both are absent at once.
bool IsSecondBound(const std::vector<Order>& order, size_t at, const Table& table) {
  if (at == 0 || order[at].column < 1 || order[at].none) return false;
  return table.columns[order[at].column].role == Column::Role::kLatest &&
         order[at - 1].column == order[at].column - 1;
}

// Whether a row may have no value there; zero and the empty text are none where they say so.
bool MayLack(int column, const Table& table) {
  if (column == kRowDeleteTime) return true;
  if (column < 0) return false;
  const Column& of = table.columns[column];
  return of.default_is_unset || std::holds_alternative<std::monostate>(of.empty);
}

std::string HasValueSql(const Order& order, const Table& table) {
  if (order.column == kRowDeleteTime) return "k.delete_time <> 0";
  const Column& column = table.columns[order.column];
  const std::string name = ColumnSql(order.column, table);
  if (!order.none) return HasValue(column, name);
  const bool first = column.role == Column::Role::kEarliest;  // no bound is before, or behind, all
  return absl::StrCat(name, first ? " > " : " < ", *order.none);
}

std::string LacksValueSql(const Order& order, const Table& table) {
  return absl::StrCat("((", HasValueSql(order, table), ") IS NOT TRUE)");
}

bool Lacks(const Value& value, const Order& order, const Table& table) {
  const int column = order.column;
  if (std::holds_alternative<std::monostate>(value)) return true;
  if (order.none && value == Value(*order.none)) return true;
  if (column != kRowDeleteTime && (column < 0 || !table.columns[column].default_is_unset)) {
    return false;
  }
  if (const auto* text = std::get_if<std::string>(&value)) return text->empty();
  const auto* number = std::get_if<int64_t>(&value);
  return number != nullptr && *number == 0;
}

// The orders that a pass still has: in the rows that lack the first key, those after it.
size_t FirstOf(Pass pass, const std::vector<Order>& order, const Table& table) {
  if (pass != Pass::kWithoutValue) return 0;
  return order.size() > 1 && IsSecondBound(order, 1, table) ? 2 : 1;
}

// A key that no row of the pass lacks.
bool IsPlain(Pass pass, const std::vector<Order>& order, size_t at, const Table& table) {
  if (at == 0) return true;
  if (IsSecondBound(order, at, table) && at == 1 && pass != Pass::kWithoutValue) return true;
  return !MayLack(order[at].column, table);
}

}  // namespace

void Sql::Add(const Sql& other) {
  absl::StrAppend(&text, other.text);
  values.insert(values.end(), other.values.begin(), other.values.end());
}

std::string ColumnSql(int column, const Table& table) {
  switch (column) {
    case kRowId:
      return "k.id";
    case kRowUid:
      return "k.uid";
    case kRowRevision:
      return "k.since";
    case kRowCreateTime:
      return "k.create_time";
    case kRowUpdateTime:
      return "k.update_time";
    case kRowDeleteTime:
      return "k.delete_time";
    default:
      return absl::StrCat("k.", Quoted(table.columns[column].name));
  }
}

absl::StatusOr<Sql> CompileCondition(const Condition& condition, const Table& table, bool past) {
  Compiler compiler(table, past);
  if (absl::Status s = compiler.Add(condition); !s.ok()) return s;
  return compiler.Take();
}

std::vector<Pass> PassesOf(const std::vector<Order>& order, const Table& table) {
  if (order.empty() || !MayLack(order[0].column, table)) return {Pass::kOnly};
  return {Pass::kWithValue, Pass::kWithoutValue};
}

PassSql CompilePass(Pass pass, const std::vector<Order>& order, const Table& table) {
  PassSql sql;
  if (pass == Pass::kWithValue) sql.has_value = HasValueSql(order[0], table);
  if (pass == Pass::kWithoutValue) sql.has_value = LacksValueSql(order[0], table);
  for (size_t i = FirstOf(pass, order, table); i < order.size(); ++i) {
    const std::string name = ColumnSql(order[i].column, table);
    const char* const direction = order[i].descending ? " DESC" : "";
    if (IsPlain(pass, order, i, table)) {
      sql.keys.push_back(name);
      sql.orders.push_back(direction);
      continue;
    }
    sql.keys.push_back(LacksValueSql(order[i], table));
    sql.orders.emplace_back("");
    // Zero and NULL are equals among the rows without a value.
    sql.keys.push_back(absl::StrCat("iif(", HasValueSql(order[i], table), ", ", name, ", NULL)"));
    sql.orders.push_back(direction);
  }
  sql.keys.emplace_back("k.id");
  sql.orders.emplace_back("");
  return sql;
}

std::vector<int> AfterColumns(const std::vector<Order>& order) {
  std::vector<int> columns;
  columns.reserve(order.size());
  for (const Order& key : order) columns.push_back(key.column);
  return columns;
}

std::optional<Sql> CompileAfter(Pass pass, const std::vector<Order>& order, const Table& table,
                                const std::vector<Value>& values, const std::string& id) {
  const bool lacks = !order.empty() && Lacks(values[0], order[0], table);
  if (pass == Pass::kWithValue && lacks) return std::nullopt;
  if (pass == Pass::kWithoutValue && !lacks) return Sql{"1", {}};
  const size_t first = FirstOf(pass, order, table);
  bool ascending = true;
  for (size_t i = first; i < order.size(); ++i) {
    ascending = ascending && !order[i].descending && IsPlain(pass, order, i, table);
  }
  if (ascending) {
    std::string names, marks;
    Sql sql;
    for (size_t i = first; i < order.size(); ++i) {
      absl::StrAppend(&names, ColumnSql(order[i].column, table), ", ");
      absl::StrAppend(&marks, "?, ");
      sql.values.push_back(values[i]);
    }
    sql.text = absl::StrCat("(", names, "k.id) > (", marks, "?)");
    sql.values.emplace_back(id);
    return sql;
  }
  // after(i) = beyond(i) OR equal(i) AND after(i + 1), from the last key to the first.
  Sql sql{"k.id > ?", {id}};
  for (size_t i = order.size(); i-- > first;) {
    const std::string name = ColumnSql(order[i].column, table);
    const bool plain = IsPlain(pass, order, i, table);
    Sql beyond, equal;
    if (!plain && Lacks(values[i], order[i], table)) {
      equal.text = LacksValueSql(order[i], table);
    } else {
      beyond.text = absl::StrCat(name, order[i].descending ? " < ?" : " > ?");
      if (!plain)
        beyond.text = absl::StrCat("(", beyond.text, " OR ", LacksValueSql(order[i], table), ")");
      beyond.values.push_back(values[i]);
      equal = {absl::StrCat(name, " = ?"), {values[i]}};
    }
    Sql both;
    both.text = "(";
    if (!beyond.text.empty()) {
      both.Add(beyond);
      both.text += " OR (";
    }
    both.Add(equal);
    both.text += " AND ";
    both.Add(sql);
    absl::StrAppend(&both.text, beyond.text.empty() ? ")" : "))");
    if (i == first && plain) {
      // So that the index is entered at the right place.
      Sql range{absl::StrCat("(", name, order[i].descending ? " <= ?" : " >= ?", " AND "),
                {values[i]}};
      range.Add(both);
      range.text += ')';
      both = std::move(range);
    }
    sql = std::move(both);
  }
  return sql;
}

}  // namespace detente::store
