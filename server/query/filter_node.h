// What a filter says of a resource, with the fields that it speaks of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "query/field.h"
#include "query/filter.h"
#include "query/filter_syntax.h"
#include "store/selection.h"

namespace detente::query {

struct FieldStep {
  const google::protobuf::FieldDescriptor* field;
  std::optional<std::string> key = std::nullopt;  // the entry of a map
};
// Through repeated fields: to every value there is.
using FilterPath = std::vector<FieldStep>;

// What a field is compared with.
struct Literal {
  ValueKind kind = ValueKind::kText;
  std::string text = {};  // kText: a pattern where `wildcard`, the text itself otherwise
  bool wildcard = false;
  int64_t whole = 0;     // kWhole; kBool; kEnum; kTime and kDuration: seconds; kDay: since 1970
  uint64_t natural = 0;  // kNatural
  double real = 0;       // kReal; of a float, rounded to one
  int32_t nanos = 0;     // kTime and kDuration; of the sign of the seconds
  std::optional<int64_t> from = {};  // kDate: the window's days; absent = unbounded
  std::optional<int64_t> to = {};
  std::string written = {};  // as a filter has it
};

struct Filter::Node {
  enum class Kind {
    kAnd,
    kOr,
    kNot,
    kPresent,
    kCompare,
    kPossibly,   // literal: the window
    kCertainly,  // literal: the window
    kAny,        // the child is true of one of the messages
    kNamed,      // words
    kSounds,     // words: sounds, or folded words that have none; a child: as they may be, too
    kCites,      // text: a name
    kRefersTo,   // text: a name
  };
  Kind kind = Kind::kAnd;
  std::vector<Node> children = {};
  FilterPath path = {};
  Comparator comparator = Comparator::kEqual;
  Literal literal = {};
  std::vector<std::string> words = {};
  std::string text = {};  // as written
};

std::string ToText(const Filter::Node& node);

// The value that a member is, right of a comparator or as an argument.
struct Operand {
  std::string value;
  std::string pattern;
  bool quoted = false;
  size_t position = 0;
  std::vector<size_t> places = {};
};

// Reads it as a value of the field. False: what is wrong is in `fault`.
bool ReadLiteral(const google::protobuf::FieldDescriptor* field, const Operand& operand,
                 Literal* literal, Fault* fault);
bool ReadWindow(const Operand& operand, Literal* literal, Fault* fault);
// Whether the field can have that value: a name without its collection, as in `name = "by-2025"`,
// stands in no field that holds names of one kind of record.
bool CheckName(const google::protobuf::FieldDescriptor* field, const Operand& operand,
               Fault* fault);

}  // namespace detente::query
