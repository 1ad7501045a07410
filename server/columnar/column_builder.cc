#include "columnar/column_builder.h"

#include <arrow/array.h>
#include <arrow/builder.h>

#include <algorithm>

#include "columnar/arrow_status.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/type/date.pb.h"
#include "values/civil_date.h"

namespace detente::columnar {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int64_t kMicros = 1'000'000;

// Gives the enums of what was built their dictionaries.
void SetType(const Node& node, arrow::ArrayData* data) {
  data->type = node.arrow->type();
  arrow::ArrayData* value = node.list ? data->child_data[0].get() : data;
  value->type = node.value;
  if (node.kind == Node::Kind::kEnum) value->dictionary = node.names->data();
  for (size_t i = 0; i < node.children.size(); ++i) {
    SetType(node.children[i], value->child_data[i].get());
  }
}

int64_t FloorMicros(int64_t seconds, int32_t nanos) { return seconds * kMicros + nanos / 1'000; }

template <typename Builder>
Builder& As(arrow::ArrayBuilder* builder) {
  return static_cast<Builder&>(*builder);
}

std::string TextOf(const Message& message, const FieldDescriptor* field) {
  return message.GetReflection()->GetString(message, field);
}

}  // namespace

ColumnBuilder::ColumnBuilder(const Node& node)
    : builder_(Check(arrow::MakeBuilder(node.list ? arrow::list(node.built) : node.built))),
      cell_(CellOf(node, builder_.get())),
      status_(std::make_unique<arrow::Status>()) {}

ColumnBuilder::~ColumnBuilder() = default;

ColumnBuilder::Cell ColumnBuilder::CellOf(const Node& node, arrow::ArrayBuilder* builder) {
  Cell cell{&node};
  cell.value = builder;
  if (node.list) {
    cell.list = builder;
    cell.value = As<arrow::ListBuilder>(builder).value_builder();
  }
  for (size_t i = 0; i < node.children.size(); ++i) {
    cell.below.push_back(CellOf(
        node.children[i], As<arrow::StructBuilder>(cell.value).field_builder(static_cast<int>(i))));
  }
  return cell;
}

void ColumnBuilder::Append(const Message& record) {
  if (status_->ok()) *status_ = Append(cell_, record);
}

absl::StatusOr<std::shared_ptr<arrow::Array>> ColumnBuilder::Finish() {
  DETENTE_ARROW_RETURN(*status_);
  std::shared_ptr<arrow::ArrayData> data;
  DETENTE_ARROW_RETURN(builder_->FinishInternal(&data));
  SetType(*cell_.node, data.get());
  return arrow::MakeArray(data);
}

arrow::Status ColumnBuilder::Append(const Cell& cell, const Message& message) {
  const FieldDescriptor* field = cell.node->field;
  const Reflection& of = *message.GetReflection();
  if (cell.node->kind == Node::Kind::kMap) return AppendMap(cell, message);
  const bool is_message = field->message_type() != nullptr;
  if (cell.list == nullptr) {
    if (field->has_presence() && !of.HasField(message, field)) return cell.value->AppendNull();
    return is_message ? AppendMessage(cell, of.GetMessage(message, field))
                      : AppendScalar(cell, message, -1);
  }
  ARROW_RETURN_NOT_OK(As<arrow::ListBuilder>(cell.list).Append());
  const int size = of.FieldSize(message, field);
  for (int i = 0; i < size; ++i) {
    ARROW_RETURN_NOT_OK(is_message ? AppendMessage(cell, of.GetRepeatedMessage(message, field, i))
                                   : AppendScalar(cell, message, i));
  }
  return arrow::Status::OK();
}

arrow::Status ColumnBuilder::AppendMessage(const Cell& cell, const Message& value) {
  switch (cell.node->kind) {
    case Node::Kind::kDay: {
      const auto& date = static_cast<const google::type::Date&>(value);
      const values::CivilDate day{date.year(), date.month(), date.day()};
      auto& days = As<arrow::Date32Builder>(cell.value);
      if (!values::IsCivil(day)) return days.AppendNull();
      return days.Append(static_cast<int32_t>(values::DaysFromCivil(day)));
    }
    case Node::Kind::kTime: {
      const auto& time = static_cast<const google::protobuf::Timestamp&>(value);
      return As<arrow::TimestampBuilder>(cell.value)
          .Append(FloorMicros(time.seconds(), time.nanos()));
    }
    case Node::Kind::kDuration: {
      const auto& duration = static_cast<const google::protobuf::Duration&>(value);
      return As<arrow::DurationBuilder>(cell.value)
          .Append(FloorMicros(duration.seconds(), duration.nanos()));
    }
    default:
      break;
  }
  ARROW_RETURN_NOT_OK(As<arrow::StructBuilder>(cell.value).Append());
  for (const Cell& below : cell.below) ARROW_RETURN_NOT_OK(Append(below, value));
  return arrow::Status::OK();
}

// `index` of a repeated field; -1 = it is none.
arrow::Status ColumnBuilder::AppendScalar(const Cell& cell, const Message& message, int index) {
  const FieldDescriptor* field = cell.node->field;
  const Reflection& of = *message.GetReflection();
  const bool one = index < 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return As<arrow::BooleanBuilder>(cell.value)
          .Append(one ? of.GetBool(message, field) : of.GetRepeatedBool(message, field, index));
    case FieldDescriptor::CPPTYPE_INT32:
      return As<arrow::Int32Builder>(cell.value)
          .Append(one ? of.GetInt32(message, field) : of.GetRepeatedInt32(message, field, index));
    case FieldDescriptor::CPPTYPE_INT64:
      return As<arrow::Int64Builder>(cell.value)
          .Append(one ? of.GetInt64(message, field) : of.GetRepeatedInt64(message, field, index));
    case FieldDescriptor::CPPTYPE_UINT32:
      return As<arrow::UInt32Builder>(cell.value)
          .Append(one ? of.GetUInt32(message, field) : of.GetRepeatedUInt32(message, field, index));
    case FieldDescriptor::CPPTYPE_UINT64:
      return As<arrow::UInt64Builder>(cell.value)
          .Append(one ? of.GetUInt64(message, field) : of.GetRepeatedUInt64(message, field, index));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return As<arrow::DoubleBuilder>(cell.value)
          .Append(one ? of.GetDouble(message, field) : of.GetRepeatedDouble(message, field, index));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return As<arrow::FloatBuilder>(cell.value)
          .Append(one ? of.GetFloat(message, field) : of.GetRepeatedFloat(message, field, index));
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto place = cell.node->places.find(
          one ? of.GetEnumValue(message, field) : of.GetRepeatedEnumValue(message, field, index));
      if (place == cell.node->places.end()) return cell.value->AppendNull();
      if (cell.node->built->id() == arrow::Type::INT8) {
        return As<arrow::Int8Builder>(cell.value).Append(static_cast<int8_t>(place->second));
      }
      return As<arrow::Int16Builder>(cell.value).Append(static_cast<int16_t>(place->second));
    }
    default: {
      const std::string& text =
          one ? of.GetStringReference(message, field, &scratch_)
              : of.GetRepeatedStringReference(message, field, index, &scratch_);
      return As<arrow::BinaryBuilder>(cell.value).Append(text);
    }
  }
}

// Of texts, in the order of the keys.
arrow::Status ColumnBuilder::AppendMap(const Cell& cell, const Message& message) {
  const FieldDescriptor* field = cell.node->field;
  const Reflection& of = *message.GetReflection();
  const FieldDescriptor* key = field->message_type()->map_key();
  const FieldDescriptor* value = field->message_type()->map_value();
  entries_.clear();
  for (int i = 0; i < of.FieldSize(message, field); ++i) {
    const Message& entry = of.GetRepeatedMessage(message, field, i);
    entries_.emplace_back(TextOf(entry, key), TextOf(entry, value));
  }
  std::sort(entries_.begin(), entries_.end());
  auto& map = As<arrow::MapBuilder>(cell.value);
  ARROW_RETURN_NOT_OK(map.Append());
  for (const auto& [name, text] : entries_) {
    ARROW_RETURN_NOT_OK(As<arrow::StringBuilder>(map.key_builder()).Append(name));
    ARROW_RETURN_NOT_OK(As<arrow::StringBuilder>(map.item_builder()).Append(text));
  }
  return arrow::Status::OK();
}

}  // namespace detente::columnar
