#include "engine/references.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace detente::engine {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// The messages around the one that is walked, innermost first.
struct Around {
  const Around* parent;
  const Message* message;
};

// The text of the nearest field `name`, outwards.
std::string FieldAround(const Around* around, const std::string& name) {
  for (; around != nullptr; around = around->parent) {
    const auto* field = around->message->GetDescriptor()->FindFieldByName(name);
    if (field != nullptr) {
      return around->message->GetReflection()->GetString(*around->message, field);
    }
  }
  return "";
}

void Collect(const TypePlan& plan, const Around& around, const std::string& path,
             std::vector<Reference>* out) {
  const Message& message = *around.message;
  const Reflection* reflection = message.GetReflection();
  for (const FieldPlan& field : plan.fields) {
    const bool refers = !field.reference.empty() || !field.element_list.empty();
    if (!refers && (field.message == nullptr || !field.message->refers)) continue;
    const bool repeated = field.field->is_repeated();
    if (!repeated && !reflection->HasField(message, field.field)) continue;
    const int size = repeated ? reflection->FieldSize(message, field.field) : 1;
    if (size == 0) continue;
    const std::string base = absl::StrCat(path, path.empty() ? "" : ".", field.field->name());
    for (int i = 0; i < size; ++i) {
      if (!refers) {
        const Message& child = repeated ? reflection->GetRepeatedMessage(message, field.field, i)
                                        : reflection->GetMessage(message, field.field);
        std::string below = base;
        if (repeated && field.message->id != nullptr) {
          absl::StrAppend(&below, "[\"", child.GetReflection()->GetString(child, field.message->id),
                          "\"]");
        }
        Collect(*field.message, {&around, &child}, below, out);
        continue;
      }
      std::string value = repeated ? reflection->GetRepeatedString(message, field.field, i)
                                   : reflection->GetString(message, field.field);
      if (value.empty()) continue;
      if (!field.reference.empty()) {
        out->push_back({base, std::move(value), "", ""});
      } else {
        std::string record =
            field.element_record.empty() ? "" : FieldAround(&around, field.element_record);
        // An element of a record that is not named can't be found: left to fail on an empty list
        // name below.
        out->push_back({base, field.element_record.empty() || !record.empty() ? record : "?",
                        field.element_list, std::move(value)});
      }
    }
  }
}

}  // namespace

std::vector<Reference> References(const Resource& resource, const Message& record) {
  std::vector<Reference> found;
  Collect(*resource.plan, {nullptr, &record}, "", &found);
  return found;
}

std::vector<std::string> Targets(const std::vector<Reference>& references) {
  std::vector<std::string> names;
  for (const Reference& reference : references) {
    if (reference.list.empty()) names.push_back(reference.record);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

absl::flat_hash_set<std::string> ElementIds(const Message& record, absl::string_view list) {
  absl::flat_hash_set<std::string> ids;
  const FieldDescriptor* field = record.GetDescriptor()->FindFieldByName(std::string(list));
  if (field == nullptr || !field->is_repeated() || field->message_type() == nullptr) return ids;
  const FieldDescriptor* id_field = field->message_type()->FindFieldByName("id");
  const Reflection* reflection = record.GetReflection();
  for (int i = 0; i < reflection->FieldSize(record, field); ++i) {
    const Message& element = reflection->GetRepeatedMessage(record, field, i);
    ids.insert(element.GetReflection()->GetString(element, id_field));
  }
  return ids;
}

}  // namespace detente::engine
