#include "query/texts.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "detente/v1/options.pb.h"
#include "detente/v1/values.pb.h"
#include "google/api/resource.pb.h"
#include "query/elements.h"
#include "query/path.h"

namespace detente::query {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kLastRowField = 7;  // fields 1 to 7 are the row's

bool IsText(const FieldDescriptor* field) { return field->type() == FieldDescriptor::TYPE_STRING; }

bool IsTitle(const FieldDescriptor* field) {
  return IsText(field) && !field->is_repeated() &&
         (field->name() == "display_name" || field->name() == "title");
}

bool IsNames(const FieldDescriptor* field) {
  return field->name() == "names" && field->message_type() == v1::Name::descriptor();
}

bool IsProse(const FieldDescriptor* field) {
  if (!IsText(field) || field->options().HasExtension(google::api::resource_reference) ||
      field->options().HasExtension(v1::element_reference)) {
    return false;
  }
  const std::string& name = field->name();
  return name != "id" && !absl::EndsWith(name, "_id") && !absl::EndsWith(name, "_code") &&
         name != "nationalities" && name != "url" && !absl::EndsWith(name, "_url") &&
         !absl::EndsWith(name, "_sha256") && name != "edtf" && name != "asserted_value" &&
         name != "restricted_fields" && name != "fields";
}

void VisitField(const Message& message, const FieldDescriptor* field, const TextPlace* around,
                bool name, TextVisitor visit) {
  const Reflection* reflection = message.GetReflection();
  const TextPlace place{around, field, nullptr};
  std::string scratch;
  if (!field->is_repeated()) {
    const std::string& text = reflection->GetStringReference(message, field, &scratch);
    if (!text.empty()) visit(text, place, name);
    return;
  }
  const int size = reflection->FieldSize(message, field);
  for (int i = 0; i < size; ++i) {
    visit(reflection->GetRepeatedStringReference(message, field, i, &scratch), place, name);
  }
}

void VisitProse(const Message& message, const TextPlace* around, TextVisitor visit);

void VisitElements(const Message& message, const FieldDescriptor* field, const TextPlace* around,
                   TextVisitor visit) {
  const Reflection* reflection = message.GetReflection();
  std::vector<const Message*> elements;
  const int size = reflection->FieldSize(message, field);
  elements.reserve(size);
  for (int i = 0; i < size; ++i) {
    elements.push_back(&reflection->GetRepeatedMessage(message, field, i));
  }
  if (!field->is_map()) {
    for (const Message* element : elements) {
      const TextPlace place{around, field, element};
      VisitProse(*element, &place, visit);
    }
    return;
  }
  const FieldDescriptor* value = field->message_type()->map_value();
  if (!IsText(value)) return;
  // In no order of its own: sorted, so that the same record has the same words.
  std::sort(elements.begin(), elements.end(),
            [](const Message* a, const Message* b) { return ElementKey(*a) < ElementKey(*b); });
  for (const Message* element : elements) {
    const TextPlace place{around, field, element};
    visit(element->GetReflection()->GetString(*element, value), place, false);
  }
}

void VisitProse(const Message& message, const TextPlace* around, TextVisitor visit) {
  const Reflection* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  const bool record = around == nullptr;
  for (const FieldDescriptor* field : fields) {
    if (record && (field->number() <= kLastRowField || IsNames(field) || IsTitle(field))) continue;
    if (field->message_type() == nullptr) {
      if (IsProse(field)) VisitField(message, field, around, false, visit);
    } else if (field->is_repeated()) {
      VisitElements(message, field, around, visit);
    } else {
      const TextPlace place{around, field, nullptr};
      VisitProse(reflection->GetMessage(message, field), &place, visit);
    }
  }
}

void AppendStep(const TextPlace& place, Path* path) {
  if (place.around != nullptr) AppendStep(*place.around, path);
  Step step{place.field, Step::Select::kWhole, ""};
  if (place.element != nullptr && KeyField(place.element->GetDescriptor()) != nullptr) {
    step.select = Step::Select::kElement;
    step.key = ElementKey(*place.element);
  }
  path->push_back(std::move(step));
}

}  // namespace

std::string TextPlace::Path() const {
  query::Path path;
  AppendStep(*this, &path);
  return FormatPath(path);
}

void VisitNames(const Message& record, TextVisitor visit) {
  const Descriptor* type = record.GetDescriptor();
  const Reflection* reflection = record.GetReflection();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (IsTitle(field)) VisitField(record, field, nullptr, true, visit);
    if (!IsNames(field)) continue;
    const int size = reflection->FieldSize(record, field);
    for (int j = 0; j < size; ++j) {
      const Message& name = reflection->GetRepeatedMessage(record, field, j);
      const TextPlace place{nullptr, field, &name};
      for (const char* part : {"full", "given", "patronymic", "family"}) {
        VisitField(name, v1::Name::descriptor()->FindFieldByName(part), &place, true, visit);
      }
    }
  }
}

void VisitTexts(const Message& record, TextVisitor visit) {
  VisitNames(record, visit);
  VisitProse(record, nullptr, visit);
}

}  // namespace detente::query
