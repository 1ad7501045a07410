// Elements of repeated messages and entries of maps, by the keys that paths name them by.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace detente::query {

// The field that names an element: a map entry's key, or its id; null where the type has neither as
// a text.
const google::protobuf::FieldDescriptor* KeyField(const google::protobuf::Descriptor* element);
std::string ElementKey(const google::protobuf::Message& element);

// -1 where there is none.
int FindElement(const google::protobuf::Message& message,
                const google::protobuf::FieldDescriptor* field, absl::string_view key);

// Drops element `index`; the order of the others stays.
void RemoveElement(google::protobuf::Message* message,
                   const google::protobuf::FieldDescriptor* field, int index);

}  // namespace detente::query
