#include "columnar/cell.h"

#include <cmath>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "values/civil_date.h"

namespace detente::columnar {
namespace {

using google::protobuf::Timestamp;

constexpr int64_t kDaySeconds = 86'400;
// What a Timestamp and a date of the contract hold: the years 1 to 9999.
constexpr int64_t kFirstSecond = -62'135'596'800;
constexpr int64_t kLastSecond = 253'402'300'799;

CellKind KindOf(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::NA:
      return CellKind::kNull;
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
      return CellKind::kText;
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::UINT8:
    case arrow::Type::UINT16:
    case arrow::Type::UINT32:
    case arrow::Type::UINT64:
      return CellKind::kInteger;
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
      return CellKind::kReal;
    case arrow::Type::BOOL:
      return CellKind::kBool;
    case arrow::Type::DATE32:
      return CellKind::kDay;
    case arrow::Type::DATE64:
    case arrow::Type::TIMESTAMP:
      return CellKind::kTime;
    case arrow::Type::STRUCT:
      return CellKind::kStruct;
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::MAP:
      return CellKind::kList;
    default:
      return CellKind::kOther;
  }
}

template <typename Array>
auto Value(const arrow::Array& array, int64_t at) {
  return static_cast<const Array&>(array).Value(at);
}

int64_t UnitsPerSecond(const arrow::DataType& type) {
  if (type.id() == arrow::Type::DATE64) return 1'000;
  switch (static_cast<const arrow::TimestampType&>(type).unit()) {
    case arrow::TimeUnit::SECOND:
      return 1;
    case arrow::TimeUnit::MILLI:
      return 1'000;
    case arrow::TimeUnit::MICRO:
      return 1'000'000;
    case arrow::TimeUnit::NANO:
      return 1'000'000'000;
  }
  return 1;
}

}  // namespace

Cells::Cells(std::shared_ptr<arrow::Array> array) : array_(std::move(array)), values_(array_) {
  if (array_->type_id() == arrow::Type::DICTIONARY) {
    dictionary_ = static_cast<const arrow::DictionaryArray*>(array_.get());
    values_ = dictionary_->dictionary();
  }
  kind_ = KindOf(*values_->type());
  if (dictionary_ != nullptr && (kind_ == CellKind::kStruct || kind_ == CellKind::kList)) {
    kind_ = CellKind::kOther;
  }
}

int64_t Cells::Place(int64_t at) const {
  return dictionary_ == nullptr ? at : dictionary_->GetValueIndex(at);
}

bool Cells::IsNull(int64_t at) const {
  if (kind_ == CellKind::kNull || array_->IsNull(at)) return true;
  if (dictionary_ != nullptr && values_->IsNull(Place(at))) return true;
  // As pandas writes what is missing.
  return kind_ == CellKind::kReal && std::isnan(Real(at));
}

absl::string_view Cells::Text(int64_t at) const {
  std::string_view text;
  switch (values_->type_id()) {
    case arrow::Type::STRING:
      text = static_cast<const arrow::StringArray&>(*values_).GetView(Place(at));
      break;
    case arrow::Type::LARGE_STRING:
      text = static_cast<const arrow::LargeStringArray&>(*values_).GetView(Place(at));
      break;
    default:
      text = static_cast<const arrow::StringViewArray&>(*values_).GetView(Place(at));
  }
  return {text.data(), text.size()};
}

absl::StatusOr<int64_t> Cells::Integer(int64_t at) const {
  const int64_t place = Place(at);
  switch (values_->type_id()) {
    case arrow::Type::INT8:
      return Value<arrow::Int8Array>(*values_, place);
    case arrow::Type::INT16:
      return Value<arrow::Int16Array>(*values_, place);
    case arrow::Type::INT32:
      return Value<arrow::Int32Array>(*values_, place);
    case arrow::Type::INT64:
      return Value<arrow::Int64Array>(*values_, place);
    case arrow::Type::UINT8:
      return Value<arrow::UInt8Array>(*values_, place);
    case arrow::Type::UINT16:
      return Value<arrow::UInt16Array>(*values_, place);
    case arrow::Type::UINT32:
      return Value<arrow::UInt32Array>(*values_, place);
    case arrow::Type::UINT64: {
      const uint64_t value = Value<arrow::UInt64Array>(*values_, place);
      if (value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return static_cast<int64_t>(value);
      }
      return absl::InvalidArgumentError(absl::StrCat("`", value, "`: a smaller number expected"));
    }
    default: {
      // Beyond 2^53 a double no longer tells whole numbers apart.
      constexpr double kLimit = 9'007'199'254'740'992;
      const double value = Real(at);
      if (std::abs(value) <= kLimit && std::trunc(value) == value) {
        return static_cast<int64_t>(value);
      }
      return absl::InvalidArgumentError(
          absl::StrCat("`", value, "`: a whole number of at most 2^53 expected"));
    }
  }
}

double Cells::Real(int64_t at) const {
  switch (values_->type_id()) {
    case arrow::Type::FLOAT:
      return Value<arrow::FloatArray>(*values_, Place(at));
    case arrow::Type::DOUBLE:
      return Value<arrow::DoubleArray>(*values_, Place(at));
    default:
      return static_cast<double>(Integer(at).value_or(std::numeric_limits<int64_t>::max()));
  }
}

bool Cells::Bool(int64_t at) const { return Value<arrow::BooleanArray>(*values_, Place(at)); }

absl::StatusOr<Timestamp> Cells::Time(int64_t at) const {
  int64_t units = 1;
  int64_t value = 0;
  const int64_t place = Place(at);
  if (values_->type_id() == arrow::Type::DATE32) {
    value = Value<arrow::Date32Array>(*values_, place) * kDaySeconds;
  } else {
    value = values_->type_id() == arrow::Type::DATE64
                ? Value<arrow::Date64Array>(*values_, place)
                : Value<arrow::TimestampArray>(*values_, place);
    units = UnitsPerSecond(*values_->type());
  }
  int64_t seconds = value / units;
  int64_t rest = value % units;
  if (rest < 0) {
    --seconds;
    rest += units;
  }
  if (seconds < kFirstSecond || seconds > kLastSecond) {
    return absl::InvalidArgumentError(
        absl::StrCat("a time of the years 1 to 9999 expected, got ", seconds, " s from 1970"));
  }
  Timestamp time;
  time.set_seconds(seconds);
  time.set_nanos(static_cast<int32_t>(rest * (1'000'000'000 / units)));
  return time;
}

absl::StatusOr<std::string> Cells::Day(int64_t at) const {
  const absl::StatusOr<Timestamp> time = Time(at);
  if (!time.ok()) return time.status();
  const int64_t second = ((time->seconds() % kDaySeconds) + kDaySeconds) % kDaySeconds;
  const values::CivilDate date = values::CivilFromDays((time->seconds() - second) / kDaySeconds);
  std::string day = absl::StrFormat("%04d-%02d-%02d", date.year, date.month, date.day);
  if (second == 0 && time->nanos() == 0) return day;
  return absl::InvalidArgumentError(
      absl::StrFormat("a day expected, got a time of it: %sT%02d:%02d:%02dZ", day, second / 3600,
                      second / 60 % 60, second % 60));
}

}  // namespace detente::columnar
