#include "csv.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cmath>
#include <cstdint>
#include <cstdio>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "values/civil_date.h"
#include "values/json.h"

namespace detente {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;

template <typename Array>
const Array& As(const arrow::Array& array) {
  return static_cast<const Array&>(array);
}

void AppendDay(int64_t days, std::string* out) {
  const values::CivilDate day = values::CivilFromDays(days);
  char text[48];
  const int size =
      snprintf(text, sizeof text, "%04d-%02d-%02d", static_cast<int>(day.year), day.month, day.day);
  out->append(text, size);
}

void AppendTime(int64_t micros, std::string* out) {
  int64_t day = micros / kMicrosPerDay;
  int64_t rest = micros % kMicrosPerDay;
  if (rest < 0) {
    --day;
    rest += kMicrosPerDay;
  }
  AppendDay(day, out);
  const auto second = static_cast<int>(rest / kMicrosPerSecond);
  const auto fraction = static_cast<int>(rest % kMicrosPerSecond);
  char text[32];
  int size =
      snprintf(text, sizeof text, "T%02d:%02d:%02d", second / 3600, second / 60 % 60, second % 60);
  out->append(text, size);
  if (fraction != 0) {
    size = snprintf(text, sizeof text, ".%06d", fraction);
    out->append(text, size);
  }
  out->push_back('Z');
}

// Writes cells of Arrow as text, and what is in lists as JSON.
class Writer {
 public:
  explicit Writer(std::string* out) : out_(out) {}

  // Of a column that is no list.
  absl::Status Plain(const arrow::Array& array, int64_t at) {
    switch (array.type_id()) {
      case arrow::Type::BOOL:
        out_->append(As<arrow::BooleanArray>(array).Value(at) ? "true" : "false");
        break;
      case arrow::Type::INT32:
        absl::StrAppend(out_, As<arrow::Int32Array>(array).Value(at));
        break;
      case arrow::Type::INT64:
        absl::StrAppend(out_, As<arrow::Int64Array>(array).Value(at));
        break;
      case arrow::Type::UINT32:
        absl::StrAppend(out_, As<arrow::UInt32Array>(array).Value(at));
        break;
      case arrow::Type::UINT64:
        absl::StrAppend(out_, As<arrow::UInt64Array>(array).Value(at));
        break;
      case arrow::Type::FLOAT:
        Real(As<arrow::FloatArray>(array).Value(at));
        break;
      case arrow::Type::DOUBLE:
        Real(As<arrow::DoubleArray>(array).Value(at));
        break;
      case arrow::Type::STRING:
      case arrow::Type::DICTIONARY:
        absl::StrAppend(out_, Text(array, at));
        break;
      case arrow::Type::DATE32:
        AppendDay(As<arrow::Date32Array>(array).Value(at), out_);
        break;
      case arrow::Type::TIMESTAMP:
        AppendTime(As<arrow::TimestampArray>(array).Value(at), out_);
        break;
      default:
        return absl::InternalError(
            absl::StrCat("CSV has no text for Arrow's ", array.type()->ToString()));
    }
    return absl::OkStatus();
  }

  absl::Status Json(const arrow::Array& array, int64_t at) {
    if (array.IsNull(at)) {
      out_->append("null");
      return absl::OkStatus();
    }
    switch (array.type_id()) {
      case arrow::Type::STRUCT:
        return Object(As<arrow::StructArray>(array), at);
      case arrow::Type::LIST:
        return List(As<arrow::ListArray>(array), at);
      case arrow::Type::MAP:
        return Map(As<arrow::MapArray>(array), at);
      case arrow::Type::STRING:
      case arrow::Type::DICTIONARY:
        values::AppendJsonString(Text(array, at), out_);
        return absl::OkStatus();
      case arrow::Type::DATE32:
      case arrow::Type::TIMESTAMP: {
        out_->push_back('"');
        const absl::Status status = Plain(array, at);
        out_->push_back('"');
        return status;
      }
      default:
        return Plain(array, at);
    }
  }

 private:
  // What is no number as XML Schema has it, and thereby CSVW.
  void Real(double value) {
    if (std::isfinite(value)) return values::AppendReal(value, out_);
    out_->append(std::isnan(value) ? "NaN" : value < 0 ? "-INF" : "INF");
  }

  static absl::string_view Text(const arrow::Array& array, int64_t at) {
    const arrow::Array* texts = &array;
    if (array.type_id() == arrow::Type::DICTIONARY) {
      const auto& coded = As<arrow::DictionaryArray>(array);
      texts = coded.dictionary().get();
      at = coded.GetValueIndex(at);
    }
    const auto text = As<arrow::StringArray>(*texts).GetView(at);
    return {text.data(), text.size()};
  }

  // Without what is not set. A number always is: 0 says something.
  absl::Status Object(const arrow::StructArray& array, int64_t at) {
    out_->push_back('{');
    const size_t start = out_->size();
    for (int i = 0; i < array.num_fields(); ++i) {
      const arrow::Array& field = *array.field(i);
      if (field.IsNull(at)) continue;
      const size_t before = out_->size();
      if (before > start) out_->push_back(',');
      values::AppendJsonString(array.type()->field(i)->name(), out_);
      out_->push_back(':');
      const size_t value = out_->size();
      if (absl::Status status = Json(field, at); !status.ok()) return status;
      const absl::string_view written = absl::string_view(*out_).substr(value);
      if (written == "false" || written == "\"\"" || written == "[]" || written == "{}") {
        out_->resize(before);
      }
    }
    out_->push_back('}');
    return absl::OkStatus();
  }

  absl::Status List(const arrow::ListArray& array, int64_t at) {
    out_->push_back('[');
    for (int64_t i = array.value_offset(at); i < array.value_offset(at + 1); ++i) {
      if (i > array.value_offset(at)) out_->push_back(',');
      if (absl::Status status = Json(*array.values(), i); !status.ok()) return status;
    }
    out_->push_back(']');
    return absl::OkStatus();
  }

  absl::Status Map(const arrow::MapArray& array, int64_t at) {
    out_->push_back('{');
    for (int64_t i = array.value_offset(at); i < array.value_offset(at + 1); ++i) {
      if (i > array.value_offset(at)) out_->push_back(',');
      if (absl::Status status = Json(*array.keys(), i); !status.ok()) return status;
      out_->push_back(':');
      if (absl::Status status = Json(*array.items(), i); !status.ok()) return status;
    }
    out_->push_back('}');
    return absl::OkStatus();
  }

  std::string* out_;
};

// What a column has in a row; empty where there is nothing, or a list without elements.
absl::Status AppendCell(const arrow::Array& array, int64_t at, std::string* out) {
  if (array.IsNull(at)) return absl::OkStatus();
  Writer writer(out);
  const bool is_map = array.type_id() == arrow::Type::MAP;
  if (!is_map && array.type_id() != arrow::Type::LIST) return writer.Plain(array, at);
  if (As<arrow::ListArray>(array).value_length(at) == 0) return absl::OkStatus();
  return writer.Json(array, at);
}

// Puts the cell that begins at `start` in quotes, where it needs them.
void Quote(size_t start, std::string* line) {
  if (line->find_first_of(",\"\r\n", start) == std::string::npos) return;
  std::string quoted = "\"";
  for (size_t i = start; i < line->size(); ++i) {
    if ((*line)[i] == '"') quoted.push_back('"');
    quoted.push_back((*line)[i]);
  }
  quoted.push_back('"');
  line->replace(start, std::string::npos, quoted);
}

}  // namespace

absl::StatusOr<std::string> ToCsv(const arrow::RecordBatch& batch) {
  std::string lines;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    for (int i = 0; i < batch.num_columns(); ++i) {
      if (i > 0) lines.push_back(',');
      const size_t start = lines.size();
      absl::Status status = AppendCell(*batch.column(i), row, &lines);
      if (!status.ok()) return status;
      Quote(start, &lines);
      // An empty line would be no row.
      if (batch.num_columns() == 1 && lines.size() == start) lines.append("\"\"");
    }
    lines.push_back('\n');
  }
  return lines;
}

}  // namespace detente
