#include "query/field.h"

#include "detente/v1/values.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/type/date.pb.h"

namespace detente::query {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

ValueKind KindOf(const FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return field->type() == FieldDescriptor::TYPE_BYTES ? ValueKind::kBytes : ValueKind::kText;
    case FieldDescriptor::CPPTYPE_BOOL:
      return ValueKind::kBool;
    case FieldDescriptor::CPPTYPE_ENUM:
      return ValueKind::kEnum;
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return ValueKind::kWhole;
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return ValueKind::kNatural;
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return ValueKind::kReal;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  const auto* type = field->message_type();
  if (type == google::protobuf::Timestamp::descriptor()) return ValueKind::kTime;
  if (type == google::protobuf::Duration::descriptor()) return ValueKind::kDuration;
  if (type == google::type::Date::descriptor()) return ValueKind::kDay;
  if (type == v1::UncertainDate::descriptor()) return ValueKind::kDate;
  return ValueKind::kMessage;
}

int64_t WholeOf(const Message& message, const FieldDescriptor* field, int index) {
  const auto& of = *message.GetReflection();
  const bool one = index < 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return one ? of.GetBool(message, field) : of.GetRepeatedBool(message, field, index);
    case FieldDescriptor::CPPTYPE_ENUM:
      return one ? of.GetEnumValue(message, field) : of.GetRepeatedEnumValue(message, field, index);
    case FieldDescriptor::CPPTYPE_INT32:
      return one ? of.GetInt32(message, field) : of.GetRepeatedInt32(message, field, index);
    case FieldDescriptor::CPPTYPE_UINT32:
      return one ? of.GetUInt32(message, field) : of.GetRepeatedUInt32(message, field, index);
    case FieldDescriptor::CPPTYPE_UINT64:
      return static_cast<int64_t>(one ? of.GetUInt64(message, field)
                                      : of.GetRepeatedUInt64(message, field, index));
    default:
      return one ? of.GetInt64(message, field) : of.GetRepeatedInt64(message, field, index);
  }
}

double RealOf(const Message& message, const FieldDescriptor* field, int index) {
  const auto& of = *message.GetReflection();
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_FLOAT) {
    return index < 0 ? of.GetFloat(message, field) : of.GetRepeatedFloat(message, field, index);
  }
  return index < 0 ? of.GetDouble(message, field) : of.GetRepeatedDouble(message, field, index);
}

}  // namespace detente::query
