#include "columnar/schema.h"

#include <arrow/array/builder_binary.h>
#include <arrow/type.h>

#include <algorithm>
#include <string>
#include <utility>

#include "columnar/arrow_status.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/type/date.pb.h"

namespace detente::columnar {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr int kMostOfInt8 = 127;

Node::Kind KindOf(const FieldDescriptor* field) {
  if (field->is_map()) return Node::Kind::kMap;
  if (field->type() == FieldDescriptor::TYPE_ENUM) return Node::Kind::kEnum;
  if (field->message_type() == nullptr) return Node::Kind::kScalar;
  const std::string& type = field->message_type()->full_name();
  if (type == google::type::Date::descriptor()->full_name()) return Node::Kind::kDay;
  if (type == google::protobuf::Timestamp::descriptor()->full_name()) return Node::Kind::kTime;
  if (type == google::protobuf::Duration::descriptor()->full_name()) return Node::Kind::kDuration;
  return Node::Kind::kStruct;
}

std::shared_ptr<arrow::DataType> ScalarType(const FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return arrow::int32();
    case FieldDescriptor::CPPTYPE_INT64:
      return arrow::int64();
    case FieldDescriptor::CPPTYPE_UINT32:
      return arrow::uint32();
    case FieldDescriptor::CPPTYPE_UINT64:
      return arrow::uint64();
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return arrow::float64();
    case FieldDescriptor::CPPTYPE_FLOAT:
      return arrow::float32();
    case FieldDescriptor::CPPTYPE_BOOL:
      return arrow::boolean();
    default:
      return field->type() == FieldDescriptor::TYPE_BYTES ? arrow::binary() : arrow::utf8();
  }
}

void SetEnum(Node* node) {
  arrow::StringBuilder names;
  const auto* type = node->field->enum_type();
  for (int i = 0; i < type->value_count(); ++i) {
    const int number = type->value(i)->number();
    if (number == 0 || !node->places.emplace(number, names.length()).second) continue;
    Check(names.Append(type->value(i)->name()));
  }
  node->built = type->value_count() > kMostOfInt8 ? arrow::int16() : arrow::int8();
  node->names = Check(names.Finish());
  node->value = arrow::dictionary(node->built, arrow::utf8());
}

std::vector<Node> Walk(const Descriptor* type, std::vector<const Descriptor*>* around);

Node NodeOf(const FieldDescriptor* field, std::vector<const Descriptor*>* around) {
  Node node;
  node.field = field;
  node.kind = KindOf(field);
  node.list = field->is_repeated() && node.kind != Node::Kind::kMap;
  bool nullable = !node.list && field->has_presence();
  switch (node.kind) {
    case Node::Kind::kScalar:
      node.value = ScalarType(field);
      break;
    case Node::Kind::kEnum:
      SetEnum(&node);
      nullable = true;
      break;
    case Node::Kind::kDay:
      node.value = arrow::date32();
      nullable = true;
      break;
    case Node::Kind::kTime:
      node.value = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
      break;
    case Node::Kind::kDuration:
      node.value = arrow::duration(arrow::TimeUnit::MICRO);
      break;
    case Node::Kind::kStruct: {
      node.children = Walk(field->message_type(), around);
      arrow::FieldVector fields, built;
      for (const Node& child : node.children) {
        fields.push_back(child.arrow);
        built.push_back(
            arrow::field(child.arrow->name(), child.list ? arrow::list(child.built) : child.built));
      }
      node.value = arrow::struct_(fields);
      node.built = arrow::struct_(built);
      break;
    }
    case Node::Kind::kMap:
      node.value = arrow::map(ScalarType(field->message_type()->map_key()),
                              arrow::field("value", ScalarType(field->message_type()->map_value()),
                                           /*nullable=*/false));
      break;
  }
  if (node.built == nullptr) node.built = node.value;
  std::shared_ptr<arrow::DataType> whole = node.value;
  if (node.list) whole = arrow::list(arrow::field("item", node.value, nullable));
  node.arrow = arrow::field(field->name(), std::move(whole), nullable && !node.list);
  return node;
}

std::vector<Node> Walk(const Descriptor* type, std::vector<const Descriptor*>* around) {
  std::vector<Node> nodes;
  around->push_back(type);
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->message_type() != nullptr &&
        std::find(around->begin(), around->end(), field->message_type()) != around->end()) {
      continue;
    }
    nodes.push_back(NodeOf(field, around));
  }
  around->pop_back();
  return nodes;
}

}  // namespace

std::vector<Node> NodesOf(const Descriptor* type) {
  std::vector<const Descriptor*> around;
  return Walk(type, &around);
}

}  // namespace detente::columnar
