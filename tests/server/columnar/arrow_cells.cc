#include "server/columnar/arrow_cells.h"

#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/type/date.pb.h"
#include "values/civil_date.h"

namespace detente::testing {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string Differs(const std::string& expected, const std::string& got) {
  return expected == got ? "" : absl::StrCat("expected ", expected, ", got ", got);
}

// One value as text, by reflection; "null" where a column has none. Not of messages.
std::string ScalarText(const Message& message, const FieldDescriptor* field, int index) {
  const auto& of = *message.GetReflection();
  const bool one = index < 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number =
          one ? of.GetEnumValue(message, field) : of.GetRepeatedEnumValue(message, field, index);
      const auto* value = field->enum_type()->FindValueByNumber(number);
      return number == 0 || value == nullptr ? "null" : value->name();
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return one ? of.GetString(message, field) : of.GetRepeatedString(message, field, index);
    case FieldDescriptor::CPPTYPE_BOOL:
      return (one ? of.GetBool(message, field) : of.GetRepeatedBool(message, field, index))
                 ? "true"
                 : "false";
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(one ? of.GetInt32(message, field)
                              : of.GetRepeatedInt32(message, field, index));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(one ? of.GetInt64(message, field)
                              : of.GetRepeatedInt64(message, field, index));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return absl::StrCat(one ? of.GetDouble(message, field)
                              : of.GetRepeatedDouble(message, field, index));
    default:
      return absl::StrCat("no text for ", field->full_name());
  }
}

std::string CellText(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return "null";
  switch (array.type_id()) {
    case arrow::Type::DICTIONARY: {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
      return CellText(*coded.dictionary(), coded.GetValueIndex(row));
    }
    case arrow::Type::STRING:
      return static_cast<const arrow::StringArray&>(array).GetString(row);
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true" : "false";
    case arrow::Type::INT32:
      return absl::StrCat(static_cast<const arrow::Int32Array&>(array).Value(row));
    case arrow::Type::INT64:
      return absl::StrCat(static_cast<const arrow::Int64Array&>(array).Value(row));
    case arrow::Type::TIMESTAMP:
      return absl::StrCat(static_cast<const arrow::TimestampArray&>(array).Value(row));
    case arrow::Type::DATE32:
      return absl::StrCat(static_cast<const arrow::Date32Array&>(array).Value(row));
    case arrow::Type::DOUBLE:
      return absl::StrCat(static_cast<const arrow::DoubleArray&>(array).Value(row));
    default:
      return absl::StrCat("no text for ", array.type()->ToString());
  }
}

std::string MessageDifference(const arrow::Array& array, int64_t row, const Message& value) {
  const std::string& type = value.GetDescriptor()->full_name();
  if (type == "google.protobuf.Timestamp") {
    const auto& time = static_cast<const google::protobuf::Timestamp&>(value);
    return Differs(absl::StrCat(time.seconds() * 1'000'000 + time.nanos() / 1'000),
                   CellText(array, row));
  }
  if (type == "google.type.Date") {
    const auto& date = static_cast<const google::type::Date&>(value);
    return Differs(absl::StrCat(values::DaysFromCivil({date.year(), date.month(), date.day()})),
                   CellText(array, row));
  }
  if (array.IsNull(row)) return "a null for a message";
  const auto& below = static_cast<const arrow::StructArray&>(array);
  if (below.num_fields() != value.GetDescriptor()->field_count()) return "another number of fields";
  for (int i = 0; i < below.num_fields(); ++i) {
    const FieldDescriptor* field = value.GetDescriptor()->field(i);
    if (below.struct_type()->field(i)->name() != field->name()) return "fields in another order";
    const std::string difference = CellDifference(*below.field(i), row, value, field);
    if (!difference.empty()) return absl::StrCat(field->name(), ": ", difference);
  }
  return "";
}

}  // namespace

std::string CellDifference(const arrow::Array& array, int64_t row, const Message& message,
                           const FieldDescriptor* field) {
  const auto& of = *message.GetReflection();
  const bool is_message = field->message_type() != nullptr;
  if (field->is_map()) {
    std::map<std::string, std::string> expected, got;
    for (int i = 0; i < of.FieldSize(message, field); ++i) {
      const Message& entry = of.GetRepeatedMessage(message, field, i);
      expected[ScalarText(entry, field->message_type()->map_key(), -1)] =
          ScalarText(entry, field->message_type()->map_value(), -1);
    }
    const auto& map = static_cast<const arrow::MapArray&>(array);
    for (int64_t i = map.value_offset(row); i < map.value_offset(row + 1); ++i) {
      got[CellText(*map.keys(), i)] = CellText(*map.items(), i);
    }
    return expected == got && !map.IsNull(row) ? "" : "another map";
  }
  if (field->is_repeated()) {
    const auto& list = static_cast<const arrow::ListArray&>(array);
    if (list.IsNull(row)) return "a null for a list";
    if (list.value_length(row) != of.FieldSize(message, field)) {
      return absl::StrCat(list.value_length(row), " elements, expected ",
                          of.FieldSize(message, field));
    }
    for (int i = 0; i < list.value_length(row); ++i) {
      const int64_t at = list.value_offset(row) + i;
      const std::string difference =
          is_message
              ? MessageDifference(*list.values(), at, of.GetRepeatedMessage(message, field, i))
              : Differs(ScalarText(message, field, i), CellText(*list.values(), at));
      if (!difference.empty()) return absl::StrCat("[", i, "]: ", difference);
    }
    return "";
  }
  if (field->has_presence() && !of.HasField(message, field)) {
    return array.IsNull(row) ? "" : "a value for what is absent";
  }
  return is_message ? MessageDifference(array, row, of.GetMessage(message, field))
                    : Differs(ScalarText(message, field, -1), CellText(array, row));
}

std::string CellDifference(const arrow::Array& array, int64_t row, const Message& record,
                           const std::string& path) {
  const Message* message = &record;
  const FieldDescriptor* field = nullptr;
  for (const std::string& name : std::vector<std::string>(absl::StrSplit(path, '.'))) {
    if (field != nullptr) {
      const auto& of = *message->GetReflection();
      if (!of.HasField(*message, field)) {
        return array.IsNull(row) ? "" : "a value below an absent message";
      }
      message = &of.GetMessage(*message, field);
    }
    field = message->GetDescriptor()->FindFieldByName(name);
    if (field == nullptr) return absl::StrCat("no field ", name);
  }
  return CellDifference(array, row, *message, field);
}

std::shared_ptr<arrow::RecordBatch> ReadIpcStream(const std::string& bytes) {
  auto input = std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(bytes));
  auto reader = arrow::ipc::RecordBatchStreamReader::Open(input);
  EXPECT_TRUE(reader.ok()) << reader.status().ToString();
  std::shared_ptr<arrow::RecordBatch> batch, more;
  EXPECT_TRUE((*reader)->ReadNext(&batch).ok());
  EXPECT_TRUE((*reader)->ReadNext(&more).ok());
  EXPECT_EQ(more, nullptr);
  EXPECT_TRUE(batch != nullptr && batch->ValidateFull().ok());
  return batch;
}

}  // namespace detente::testing
