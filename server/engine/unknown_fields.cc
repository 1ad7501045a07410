#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "engine/place.h"
#include "engine/validate.h"
#include "error/error.h"
#include "google/protobuf/unknown_field_set.h"

namespace detente::engine {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void FindUnknownFields(const Message& message, const Place& place,
                       std::vector<Violation>* violations) {
  if (violations->size() >= kMaxViolations) return;
  const Reflection* reflection = message.GetReflection();
  if (const auto& unknown = reflection->GetUnknownFields(message); !unknown.empty()) {
    violations->push_back(
        {place.Text(), absl::StrCat("this server knows no field ", unknown.field(0).number(),
                                    " of ", message.GetDescriptor()->name())});
  }
  std::vector<const FieldDescriptor*> set;
  reflection->ListFields(message, &set);
  for (const FieldDescriptor* field : set) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      FindUnknownFields(reflection->GetMessage(message, field), {&place, field->name()},
                        violations);
      continue;
    }
    const FieldDescriptor* id = field->message_type()->FindFieldByName("id");
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      const Message& element = reflection->GetRepeatedMessage(message, field, i);
      std::string key = id == nullptr ? "" : element.GetReflection()->GetString(element, id);
      FindUnknownFields(element, {&place, field->name(), &key, i}, violations);
    }
  }
}

}  // namespace

absl::Status RejectUnknownFields(const Message& message, absl::string_view prefix) {
  std::vector<Violation> violations;
  FindUnknownFields(message, {nullptr, prefix}, &violations);
  return violations.empty() ? absl::OkStatus() : InvalidFields(violations, v1::UNKNOWN_FIELD);
}

void KeepUnknownFields(const Message& stored, Message* replacement) {
  const Reflection* reflection = stored.GetReflection();
  // What a mask left as it was has them still.
  if (const auto& unknown = reflection->GetUnknownFields(stored);
      !unknown.empty() && reflection->GetUnknownFields(*replacement).empty()) {
    reflection->MutableUnknownFields(replacement)->MergeFrom(unknown);
  }
  std::vector<const FieldDescriptor*> set;
  reflection->ListFields(stored, &set);
  for (const FieldDescriptor* field : set) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    if (!field->is_repeated()) {
      if (reflection->HasField(*replacement, field)) {
        KeepUnknownFields(reflection->GetMessage(stored, field),
                          reflection->MutableMessage(replacement, field));
      }
      continue;
    }
    const FieldDescriptor* id = field->message_type()->FindFieldByName("id");
    if (id == nullptr) continue;
    absl::flat_hash_map<std::string, Message*> by_id;
    for (int i = 0; i < reflection->FieldSize(*replacement, field); ++i) {
      Message* element = reflection->MutableRepeatedMessage(replacement, field, i);
      by_id.emplace(element->GetReflection()->GetString(*element, id), element);
    }
    for (int i = 0; i < reflection->FieldSize(stored, field); ++i) {
      const Message& element = reflection->GetRepeatedMessage(stored, field, i);
      const auto other = by_id.find(element.GetReflection()->GetString(element, id));
      if (other != by_id.end()) KeepUnknownFields(element, other->second);
    }
  }
}

}  // namespace detente::engine
