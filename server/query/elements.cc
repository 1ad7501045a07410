#include "query/elements.h"

#include "google/protobuf/descriptor.pb.h"

namespace detente::query {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

const FieldDescriptor* KeyField(const Descriptor* element) {
  const FieldDescriptor* field =
      element->FindFieldByName(element->options().map_entry() ? "key" : "id");
  return field == nullptr || field->type() != FieldDescriptor::TYPE_STRING ? nullptr : field;
}

std::string ElementKey(const Message& element) {
  const FieldDescriptor* field = KeyField(element.GetDescriptor());
  return field == nullptr ? "" : element.GetReflection()->GetString(element, field);
}

int FindElement(const Message& message, const FieldDescriptor* field, absl::string_view key) {
  const Reflection* reflection = message.GetReflection();
  const FieldDescriptor* key_field = KeyField(field->message_type());
  if (key_field == nullptr) return -1;
  // Paths mostly come in the order of the list: from where the last one was found on, so that
  // thousands of them do not look through thousands of elements each.
  thread_local int last = 0;
  const int size = reflection->FieldSize(message, field);
  if (size == 0) return -1;
  const Reflection* of_element = reflection->GetRepeatedMessage(message, field, 0).GetReflection();
  std::string scratch;
  int i = last < size ? last : 0;
  for (int seen = 0; seen < size; ++seen) {
    const Message& element = reflection->GetRepeatedMessage(message, field, i);
    if (of_element->GetStringReference(element, key_field, &scratch) == key) return last = i;
    if (++i == size) i = 0;
  }
  return -1;
}

void RemoveElement(Message* message, const FieldDescriptor* field, int index) {
  const Reflection* reflection = message->GetReflection();
  int last = reflection->FieldSize(*message, field) - 1;
  for (int i = index; i < last; ++i) reflection->SwapElements(message, field, i, i + 1);
  reflection->RemoveLast(message, field);
}

}  // namespace detente::query
