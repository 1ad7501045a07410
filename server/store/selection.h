// Which records of a collection a read is of, in which order: conditions over the columns, lists
// and words of table.h, without a name of any field or a word of SQL.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "store/table.h"

namespace detente::store {

using Revision = int64_t;  // of the whole store; the first commit is 1, an empty store is at 0

// Which rows a read may see. Until roles exist every reader sees the full projection.
enum class Projection { kFull };

// The state that a read is of. Every read takes one.
struct ReadView {
  Revision revision = 0;
  Projection projection = Projection::kFull;
};

// What the row itself has, as columns too. Times are microseconds since 1970.
enum RowColumn : int {
  kRowId = -1,
  kRowUid = -2,
  kRowRevision = -3,
  kRowCreateTime = -4,
  kRowUpdateTime = -5,
  kRowDeleteTime = -6,  // 0 = live, which conditions and orders take for absent
};

// True or false of every row, never neither. Comparisons with an absent value are false.
struct Condition {
  enum class Kind {
    kTrue,
    kFalse,
    kAnd,       // children; none = true
    kOr,        // children; none = false
    kNot,       // one child
    kPresent,   // column
    kCompare,   // column, operator, value (not absent)
    kLike,      // column, value: a text with wildcards, see values/wildcard.h
    kPossibly,  // column: kReadings, the EDTF text of an uncertain date; from, to: days. Some
                // reading of it lies there; its bounds need no conditions of their own. Where they
                // are there and the text is empty nobody knows the date: it can lie anywhere
    kListHas,   // column: a list; value. One of its values is this one. Heads alone have lists
    kRefersTo,  // value: a name. A head that is live refers to it in some field
    kNamed,     // value: a folded word. Among the words of its names
    kSounds,    // value: a sound. Among the sounds of its names
  };
  enum class Operator { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

  Kind kind = Kind::kTrue;
  std::vector<Condition> children = {};
  int column = 0;
  Operator op = Operator::kEqual;
  Value value = {};
  std::optional<int64_t> from = {};  // absent = unbounded
  std::optional<int64_t> to = {};

  bool operator==(const Condition&) const = default;
};

struct Order {
  int column;
  bool descending = false;
  std::optional<int64_t> none =
      {};  // of a bound: the value that stands for no bound, which is none
  bool operator==(const Order&) const = default;
};

struct Selection {
  ReadView view = {};
  bool show_deleted = false;
  Condition heads = {};  // of newest versions
  Condition past = {};   // of superseded ones: no kListHas, no kRefersTo
  // Then by id. Rows without a value come last, in either direction.
  std::vector<Order> order = {};
  // The id of a record that the view sees: what comes after it; empty = all. Where there is none,
  // as once it was erased, the read fails with NOT_FOUND (RECORD_NOT_FOUND).
  std::string after = {};
  int64_t limit = -1;  // at most so many rows; -1 = all
  // Asked now and then: anything but OK ends the read with it. May be empty.
  std::function<absl::Status()> check = {};
};

}  // namespace detente::store
