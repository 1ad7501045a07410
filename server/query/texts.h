// The texts of a record that people read, in the order that words are kept in: its names first.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace detente::query {

// Where a text stands: a field, of an element or an entry of what is around it.
struct TextPlace {
  const TextPlace* around;  // null = it is the record's own
  const google::protobuf::FieldDescriptor* field;
  const google::protobuf::Message* element;  // the one of a repeated message; null = no such

  std::string Path() const;
};

// `name`: the record is named by it, see NamesOf. Paths of repeated texts are those of the field.
using TextVisitor =
    absl::FunctionRef<void(absl::string_view text, const TextPlace& place, bool name)>;

// Not: references, codes, ids, addresses of pages, checksums, and fields 1 to 7.
void VisitTexts(const google::protobuf::Message& record, TextVisitor visit);
// The names alone.
void VisitNames(const google::protobuf::Message& record, TextVisitor visit);

}  // namespace detente::query
