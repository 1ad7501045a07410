// A selection's conditions and orders as SQL over the rows of keys_X or past_keys_X, whose alias is
// `k`. Values are bound, never written into the text.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "store/selection.h"
#include "store/table.h"

namespace detente::store {

// What one statement may be given at most.
constexpr size_t kMaxBoundValues = 30'000;

// A text with its values, in the order of their marks.
struct Sql {
  std::string text;
  std::vector<Value> values;

  void Add(const Sql& other);
};

// True where the condition is true; false or NULL otherwise. `past`: of past_keys_X, which has no
// lists.
absl::StatusOr<Sql> CompileCondition(const Condition& condition, const Table& table, bool past);

// Orders fall apart in two passes: over the rows that have a value for the first key, by its index,
// and then over those that have none.
enum class Pass { kOnly, kWithValue, kWithoutValue };
std::vector<Pass> PassesOf(const std::vector<Order>& order, const Table& table);

// One pass over the rows.
struct PassSql {
  std::string has_value;            // the condition that makes the pass; may be empty
  std::vector<std::string> keys;    // expressions to order by, the id last
  std::vector<std::string> orders;  // each with DESC where it is so
};
PassSql CompilePass(Pass pass, const std::vector<Order>& order, const Table& table);

// The columns that CompileAfter needs of the row to go on after: one for each key of the order.
std::vector<int> AfterColumns(const std::vector<Order>& order);

// True of the rows that come after a row with these values of the order's columns, and this id.
// Nullopt: none of this pass.
std::optional<Sql> CompileAfter(Pass pass, const std::vector<Order>& order, const Table& table,
                                const std::vector<Value>& values, const std::string& id);

// The name of a column in SQL, with its alias.
std::string ColumnSql(int column, const Table& table);

}  // namespace detente::store
