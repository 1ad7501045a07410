// Fields that records are grouped and summed up by: named by a path of field names joined by dots,
// read from a message or from a store's columns, with the same result.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "query/cells.h"
#include "query/columns.h"
#include "query/date_part.h"
#include "store/table.h"
#include "values/interval.h"

namespace detente::query {

constexpr size_t kMaxLeafBytes = 256;

struct Leaf {
  enum class Kind {
    kText,
    kInteger,
    kNumber,
    kBool,
    kEnum,
    kTime,      // microseconds since 1970
    kDay,       // a whole date
    kDate,      // an uncertain one
    kEstimate,  // a count with its bounds
    kMessage,   // any other: it is there, or it is not
  };

  std::string text;                                            // as it was asked for
  std::vector<const google::protobuf::FieldDescriptor*> path;  // without the part of a date
  std::optional<std::string> map_key;  // the last field is a map: of this entry
  Kind kind = Kind::kText;
  std::optional<DatePart> part;  // of kTime, kDay and kDate

  // Whether a record can have several values here.
  bool repeated() const;
  // The field whose type tells the kind.
  const google::protobuf::FieldDescriptor* field() const;
};

// INVALID_ARGUMENT with a violation of `field`, and the nearest name.
absl::StatusOr<Leaf> ParseLeaf(absl::string_view text, const google::protobuf::Descriptor* type,
                               absl::string_view field);

// One value. What is not set (the empty text, the first value of an enum, a date of NONE or
// ONGOING, an estimate without any number) is absent; bools and numbers without presence are not.
struct Datum {
  bool present = false;
  // kInteger, kBool, kEnum, kTime; of kDay, days since 1970-01-01; of kDate its state, where it is
  // absent too.
  int64_t integer = 0;
  double number = 0;       // kNumber
  absl::string_view text;  // kText; of kDate the EDTF text, empty = nobody knows
  values::Interval bounds;
  std::optional<int64_t> best;
};

// The field of `holder` that the leaf ends at; `index` of a list. It lives as long as the message.
Datum ReadDatum(const Leaf& leaf, const google::protobuf::Message& holder, int index);

// The columns that hold it, in the order that ReadColumns takes; none where it is not all in
// columns.
std::optional<std::vector<int>> ColumnsOf(const Leaf& leaf, const Columns& columns);
Datum ReadColumns(const Leaf& leaf, absl::Span<const store::Value> values);
Datum ReadColumns(const Leaf& leaf, const LeafCells& cells, size_t row);

// Since 1970-01-01, of a time in microseconds.
int64_t DayOfTime(int64_t micros);

// As a filter writes it.
std::string TextOfInteger(const Leaf& leaf, int64_t value);
std::string TextOfNumber(double number);
std::string TextOfTime(int64_t micros);

// What uncertain dates of one leaf mean, each text read once.
class DateCache {
 public:
  struct Entry {
    std::optional<values::EdtfDate> date;  // none of what nobody knows
    std::optional<int64_t> first;          // days since 1970-01-01; absent = unbounded
    std::optional<int64_t> last;
    std::optional<Buckets> buckets;  // of the part
  };

  explicit DateCache(std::optional<DatePart> part) : part_(part) {}
  // Lives until the next call.
  const Entry& Find(absl::string_view edtf);

 private:
  const std::optional<DatePart> part_;
  absl::flat_hash_map<std::string, Entry> entries_;
};

}  // namespace detente::query
