#include "query/leaf.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "detente/v1/values.pb.h"
#include "error/error.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/type/date.pb.h"
#include "query/field.h"
#include "query/nearest.h"
#include "store/selection.h"
#include "values/messages.h"

namespace detente::query {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Kind = Leaf::Kind;

// Dates that are read anew once so many have been kept.
constexpr size_t kMaxCachedDates = 100'000;
// Days that a google.type.Date can be. Columns of an uncertain date's bounds hold others too, where
// the field is absent.
constexpr int64_t kFirstDay = -719'162;  // 0001-01-01
constexpr int64_t kLastDay = 2'932'896;  // 9999-12-31
constexpr int64_t kMicrosPerDay = int64_t{86'400} * 1'000'000;
constexpr size_t kMaxLeafColumns = 4;  // of an estimate
// Fields up to this number are the row's, not the payload's.
constexpr int kLastRowField = 7;

Kind LeafKindOf(const FieldDescriptor* field) {
  switch (KindOf(field)) {
    case ValueKind::kText:
    case ValueKind::kBytes:
      return Kind::kText;
    case ValueKind::kBool:
      return Kind::kBool;
    case ValueKind::kEnum:
      return Kind::kEnum;
    case ValueKind::kReal:
      return Kind::kNumber;
    case ValueKind::kWhole:
    case ValueKind::kNatural:
      return Kind::kInteger;
    case ValueKind::kDate:
      return Kind::kDate;
    case ValueKind::kDay:
      return Kind::kDay;
    case ValueKind::kTime:
      return Kind::kTime;
    case ValueKind::kDuration:
    case ValueKind::kMessage:
      break;
  }
  return field->message_type() == v1::Estimate::descriptor() ? Kind::kEstimate : Kind::kMessage;
}

bool HasParts(Kind kind) {
  return kind == Kind::kDate || kind == Kind::kDay || kind == Kind::kTime;
}

std::string NoSuchField(const Descriptor* type, absl::string_view name, size_t position) {
  const std::string nearest = NearestField(type, name);
  return absl::StrCat(type->name(), " has no field `", name, "`",
                      nearest.empty() ? "" : absl::StrCat("; did you mean `", nearest, "`?"),
                      " at position ", position);
}

// What is unsigned and has no place in an integer is the most that has one.
int64_t Saturated(const FieldDescriptor* field, int64_t whole) {
  const bool beyond = whole < 0 && field->cpp_type() == FieldDescriptor::CPPTYPE_UINT64;
  return beyond ? std::numeric_limits<int64_t>::max() : whole;
}

inline void ReadEstimate(std::optional<int64_t> low, std::optional<int64_t> best,
                         std::optional<int64_t> high, bool approximate, Datum* datum) {
  datum->present = low.has_value() || best.has_value() || high.has_value();
  if (!datum->present) return;
  datum->bounds = values::BoundsOf(low, best, high, approximate);
  datum->best = best;
}

void ReadDate(int state, absl::string_view edtf, Datum* datum) {
  datum->present =
      state == v1::UncertainDate::UNKNOWN || (state == v1::UncertainDate::VALUE && !edtf.empty());
  datum->integer = state;
  if (state == v1::UncertainDate::VALUE) datum->text = edtf;
}

void ReadMessage(Kind kind, const Message& message, Datum* datum) {
  switch (kind) {
    case Kind::kDate: {
      const auto& date = static_cast<const v1::UncertainDate&>(message);
      return ReadDate(date.state(), date.edtf(), datum);
    }
    case Kind::kEstimate: {
      const auto& estimate = static_cast<const v1::Estimate&>(message);
      std::optional<int64_t> low, best, high;
      if (estimate.has_low()) low = estimate.low();
      if (estimate.has_best()) best = estimate.best();
      if (estimate.has_high()) high = estimate.high();
      return ReadEstimate(low, best, high, estimate.approximate(), datum);
    }
    case Kind::kDay: {
      const auto& date = static_cast<const google::type::Date&>(message);
      datum->present = values::IsCivil({date.year(), date.month(), date.day()});
      if (datum->present) datum->integer = values::DaysOf(date);
      return;
    }
    case Kind::kTime: {
      const auto& time = static_cast<const google::protobuf::Timestamp&>(message);
      datum->present = true;
      datum->integer = values::MicrosOf(time.seconds(), time.nanos());
      return;
    }
    default:
      datum->present = true;
  }
}

Datum ReadMapEntry(const Leaf& leaf, const Message& holder) {
  const FieldDescriptor* map = leaf.path.back();
  const FieldDescriptor* key = map->message_type()->map_key();
  const Reflection* reflection = holder.GetReflection();
  for (int i = 0; i < reflection->FieldSize(holder, map); ++i) {
    const Message& entry = reflection->GetRepeatedMessage(holder, map, i);
    std::string scratch;
    if (entry.GetReflection()->GetStringReference(entry, key, &scratch) != *leaf.map_key) continue;
    Leaf value;
    value.path = {map->message_type()->map_value()};
    value.kind = leaf.kind;
    return ReadDatum(value, entry, -1);
  }
  return {};
}

int64_t IntegerOf(const Cell& value, int64_t otherwise = 0) {
  const auto* integer = std::get_if<int64_t>(&value);
  return integer == nullptr ? otherwise : *integer;
}

Datum ReadCells(const Leaf& leaf, absl::Span<const Cell> values) {
  Datum datum;
  switch (leaf.kind) {
    case Kind::kText:
      if (const auto* text = std::get_if<absl::string_view>(&values[0])) {
        datum.present = !text->empty();
        datum.text = *text;
      }
      break;
    case Kind::kNumber:
      if (const auto* number = std::get_if<double>(&values[0])) {
        datum.present = true;
        datum.number = *number;
      }
      break;
    case Kind::kDate: {
      const auto* text = std::get_if<absl::string_view>(&values[1]);
      ReadDate(static_cast<int>(IntegerOf(values[0])),
               text == nullptr ? absl::string_view() : *text, &datum);
      break;
    }
    case Kind::kEstimate: {
      std::array<std::optional<int64_t>, 3> numbers;
      for (size_t i = 0; i < numbers.size(); ++i) {
        if (const auto* number = std::get_if<int64_t>(&values[i])) numbers[i] = *number;
      }
      ReadEstimate(numbers[0], numbers[1], numbers[2], IntegerOf(values[3]) != 0, &datum);
      break;
    }
    default:
      if (const auto* integer = std::get_if<int64_t>(&values[0])) {
        // The row's times are 0 where they are not set.
        const bool of_row = leaf.kind == Kind::kTime && leaf.path.size() == 1 &&
                            leaf.path[0]->number() <= kLastRowField;
        const bool zero_is_unset = leaf.kind == Kind::kEnum || of_row;
        datum.integer = Saturated(leaf.field(), *integer);
        datum.present = *integer != 0 || !zero_is_unset;
        if (leaf.kind == Kind::kDay && (*integer < kFirstDay || *integer > kLastDay)) datum = {};
      }
  }
  return datum;
}

}  // namespace

bool Leaf::repeated() const {
  return std::any_of(path.begin(), path.end(), [](const FieldDescriptor* field) {
    return field->is_repeated() && !field->is_map();
  });
}

const FieldDescriptor* Leaf::field() const {
  return map_key.has_value() ? path.back()->message_type()->map_value() : path.back();
}

absl::StatusOr<Leaf> ParseLeaf(absl::string_view text, const Descriptor* type,
                               absl::string_view field) {
  if (text.empty()) return InvalidField(field, "is required: the path of a field");
  if (text.size() > kMaxLeafBytes) {
    return InvalidField(field, absl::StrCat("longer than ", kMaxLeafBytes, " bytes"));
  }
  Leaf leaf;
  leaf.text = std::string(text);
  size_t position = 0;
  for (absl::string_view name : absl::StrSplit(text, '.')) {
    auto fail = [&](absl::string_view what) {
      return InvalidField(field, absl::StrCat("`", text, "`: ", what));
    };
    if (!leaf.path.empty()) {
      const FieldDescriptor* last = leaf.path.back();
      if (leaf.part.has_value() || leaf.map_key.has_value()) {
        return fail(absl::StrCat("nothing follows `", leaf.text.substr(0, position - 1), "`"));
      }
      if (last->is_map()) {
        if (last->message_type()->map_key()->type() != FieldDescriptor::TYPE_STRING ||
            LeafKindOf(last->message_type()->map_value()) == Kind::kMessage || name.empty()) {
          return fail(absl::StrCat("the key of an entry of ", last->name(), " expected"));
        }
        leaf.map_key = std::string(name);
        leaf.kind = LeafKindOf(last->message_type()->map_value());
        position += name.size() + 1;
        continue;
      }
      if (HasParts(leaf.kind)) leaf.part = ParseDatePart(name);
      if (leaf.part.has_value()) {
        position += name.size() + 1;
        continue;
      }
      if (last->message_type() == nullptr || leaf.kind == Kind::kTime) {
        return fail(absl::StrCat(last->name(), HasParts(leaf.kind)
                                                   ? " has the parts year, quarter, month, day"
                                                   : " has no fields"));
      }
      type = last->message_type();
    }
    const FieldDescriptor* next = type->FindFieldByName(std::string(name));
    if (next == nullptr) return fail(NoSuchField(type, name, position));
    leaf.path.push_back(next);
    leaf.kind = next->is_map() ? Kind::kMessage : LeafKindOf(next);
    position += name.size() + 1;
  }
  return leaf;
}

Datum ReadDatum(const Leaf& leaf, const Message& holder, int index) {
  Datum datum;
  if (leaf.map_key.has_value()) return ReadMapEntry(leaf, holder);
  const FieldDescriptor* field = leaf.path.back();
  const Reflection* reflection = holder.GetReflection();
  if (index < 0 && field->has_presence() && !reflection->HasField(holder, field)) return datum;
  switch (leaf.kind) {
    case Kind::kText: {
      // Messages of generated code give their own string.
      std::string scratch;
      const std::string& text =
          index < 0 ? reflection->GetStringReference(holder, field, &scratch)
                    : reflection->GetRepeatedStringReference(holder, field, index, &scratch);
      datum.present = !text.empty();
      datum.text = text;
      break;
    }
    case Kind::kInteger:
    case Kind::kBool:
    case Kind::kEnum:
      datum.integer = Saturated(field, WholeOf(holder, field, index));
      datum.present = leaf.kind != Kind::kEnum || datum.integer != 0;
      break;
    case Kind::kNumber:
      datum.number = RealOf(holder, field, index);
      datum.present = true;
      break;
    default:
      ReadMessage(leaf.kind,
                  index < 0 ? reflection->GetMessage(holder, field)
                            : reflection->GetRepeatedMessage(holder, field, index),
                  &datum);
  }
  return datum;
}

std::optional<std::vector<int>> ColumnsOf(const Leaf& leaf, const Columns& columns) {
  if (leaf.repeated() || leaf.map_key.has_value() || leaf.kind == Kind::kMessage) {
    return std::nullopt;
  }
  std::vector<std::string> below;
  if (leaf.kind == Kind::kDate) below = {"state", "edtf"};
  if (leaf.kind == Kind::kEstimate) below = {"low", "best", "high", "approximate"};
  std::vector<int> found;
  auto path = leaf.path;
  if (below.empty()) {
    const auto column = columns.FindColumn(path);
    // Of a name, the column has the id alone.
    if (!column.has_value() || *column == store::kRowId) return std::nullopt;
    return std::vector<int>{*column};
  }
  for (const std::string& name : below) {
    path.push_back(leaf.path.back()->message_type()->FindFieldByName(name));
    const auto column = columns.FindColumn(path);
    if (!column.has_value()) return std::nullopt;
    found.push_back(*column);
    path.pop_back();
  }
  return found;
}

Datum ReadColumns(const Leaf& leaf, absl::Span<const store::Value> values) {
  std::array<Cell, kMaxLeafColumns> cells;
  for (size_t i = 0; i < values.size(); ++i) cells[i] = CellOf(values[i]);
  return ReadCells(leaf, absl::MakeConstSpan(cells.data(), values.size()));
}

Datum ReadColumns(const Leaf& leaf, const LeafCells& cells, size_t row) {
  if (leaf.kind == Kind::kEstimate) {
    // What sums are made of, without a detour.
    auto at = [&](size_t i) {
      return cells[i].Has(row) ? std::optional(cells[i].integers[row]) : std::nullopt;
    };
    Datum datum;
    ReadEstimate(at(0), at(1), at(2), at(3).value_or(0) != 0, &datum);
    return datum;
  }
  std::array<Cell, kMaxLeafColumns> values;
  for (size_t i = 0; i < cells.size(); ++i) values[i] = cells[i].At(row);
  return ReadCells(leaf, absl::MakeConstSpan(values.data(), cells.size()));
}

int64_t DayOfTime(int64_t micros) {
  return micros >= 0 ? micros / kMicrosPerDay : -((-micros + kMicrosPerDay - 1) / kMicrosPerDay);
}

std::string TextOfNumber(double number) {
  std::string text = absl::StrFormat("%.15g", number);
  if (std::strtod(text.c_str(), nullptr) != number) text = absl::StrFormat("%.17g", number);
  return text;
}

std::string TextOfTime(int64_t micros) {
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E*SZ", absl::FromUnixMicros(micros),
                          absl::UTCTimeZone());
}

std::string TextOfInteger(const Leaf& leaf, int64_t value) {
  if (leaf.part.has_value()) return BucketText(*leaf.part, value);
  switch (leaf.kind) {
    case Kind::kBool:
      return value != 0 ? "true" : "false";
    case Kind::kEnum: {
      const auto* named = leaf.field()->enum_type()->FindValueByNumber(static_cast<int>(value));
      return named == nullptr ? absl::StrCat(value) : named->name();
    }
    case Kind::kTime:
      return TextOfTime(value);
    case Kind::kDay:
    case Kind::kDate:
      return BucketText(DatePart::kDay, value);
    default:
      return absl::StrCat(value);
  }
}

const DateCache::Entry& DateCache::Find(absl::string_view edtf) {
  const auto found = entries_.find(edtf);
  if (found != entries_.end()) return found->second;
  if (entries_.size() >= kMaxCachedDates) entries_.clear();
  Entry entry;
  if (auto date = values::ParseEdtf(edtf); date.ok()) {
    if (date->earliest) entry.first = values::DaysFromCivil(*date->earliest);
    if (date->latest) entry.last = values::DaysFromCivil(*date->latest);
    if (part_.has_value()) entry.buckets = BucketsOf(*date, *part_);
    entry.date = *std::move(date);
  }
  return entries_.emplace(std::string(edtf), std::move(entry)).first->second;
}

}  // namespace detente::query
