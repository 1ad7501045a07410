// What a store finds records by, beside their names: typed columns, values of lists and words, all
// derived from the payload. A store knows what they are for no more than it knows protobuf.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace detente::store {

// Absent, a whole number, a number, a text.
using Value = std::variant<std::monostate, int64_t, double, std::string>;

struct Column {
  enum class Type { kInteger, kReal, kText };
  // An uncertain date has three columns in a row: its bounds, as days since 1970-01-01, and its
  // EDTF text. The bounds are absent at once: then it can be no day, whatever the text is.
  enum class Role { kPlain, kEarliest, kLatest, kReadings };
  std::string name = {};  // the field's path
  Type type = Type::kText;
  Role role = Role::kPlain;
  bool indexed = false;
  // Zero, or the empty text, says that the field is not set: indexes leave it out, and orders have
  // it last, as they have an absent value.
  bool default_is_unset = false;
  Value empty = {};  // what a version has from which nothing is derived
};

// One collection. The position in `columns` and `lists` is what conditions and values name.
struct Table {
  std::string collection = {};
  std::vector<Column> columns = {};
  std::vector<std::string> lists =
      {};                        // the paths of repeated fields whose values are kept, indexed
  std::string fingerprint = {};  // changes with anything that derived values depend on
};

// What is derived from one version; of an erased one, nothing.
struct Derived {
  std::vector<Value> columns;                // one for each column; or none: Column::empty
  std::vector<std::pair<int, Value>> lists;  // list and value, sorted, each once
  std::string names;   // folded words of the names and titles, in order, with a space between
  std::string sounds;  // how each of these words sounds
  std::string texts;   // folded words of the other texts
};

}  // namespace detente::store
