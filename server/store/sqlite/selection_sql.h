// The statement that reads a selection's rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "store/selection.h"
#include "store/sqlite/compile.h"
#include "store/table.h"

namespace detente::store {

// One collection's rows as a selection sees them. Made within the read transaction that the
// statements then run in.
class SelectionSql {
 public:
  // `newest`: the selection sees all heads and nothing else.
  SelectionSql(const Table& table, const Selection& selection, bool newest)
      : table_(table), selection_(selection), newest_(newest) {}

  const Table& table() const { return table_; }
  const Selection& selection() const { return selection_; }
  bool newest() const { return newest_; }
  bool walks() const { return walks_; }

  // Whether its rows can be read in their order by an index.
  bool HasIndexedOrder() const;
  // The order's index is used, and no other.
  void WalkOrder() { walks_ = true; }

  // What the rows are found by; `past`: those of superseded versions.
  absl::StatusOr<Sql> From(bool past) const;

  // num of the rows; where they are not all heads, whether it is of a past version, and the keys of
  // the order. How many at most is to be bound behind the values. Nullopt: none of this pass.
  absl::StatusOr<std::optional<Sql>> Keys(Pass pass, const std::vector<Value>& after) const;

  // The records themselves, where they are all heads. A sorter never holds them; where there is
  // none, they are read with the keys.
  std::string Heads(const std::string& keys, bool sorts) const;

 private:
  const Table& table_;
  const Selection& selection_;
  const bool newest_;
  bool walks_ = false;
};

// The keys of the last selections of the newest state: services ask for the same ones again and
// again, and a short page is read as fast as its statement is written. Not for two threads at once.
class RecentKeys {
 public:
  // Null where it was not kept. Lives until the next call.
  const Sql* Find(const SelectionSql& select, Pass pass);
  const Sql* Keep(const SelectionSql& select, Pass pass, Sql keys);

 private:
  // Whatever else a statement of the newest state depends on.
  struct Kept {
    const Table* table;
    bool show_deleted;
    Condition heads;
    std::vector<Order> order;
    Pass pass;
    bool goes_on;  // then its last value is the id that it goes on after
    Sql keys;

    bool IsOf(const SelectionSql& select, Pass pass) const;
  };

  std::vector<Kept> kept_;
  size_t next_ = 0;
  Sql other_;
};

}  // namespace detente::store
