#include "query/value.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/util/json_util.h"
#include "query/elements.h"
#include "query/json_syntax.h"

namespace detente::query {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kMaxNames = 12;        // of an enum or a message, in an error
constexpr size_t kMaxReaderText = 240;  // of the reader's own words, in an error

bool IsSet(const Message& message, const FieldDescriptor* field) {
  const Reflection* reflection = message.GetReflection();
  return field->is_repeated() ? reflection->FieldSize(message, field) > 0
                              : reflection->HasField(message, field);
}

void Collect(const Message& message, const Path& path, size_t at, values::JsonOf which,
             std::vector<std::string>* found) {
  const Step& step = path[at];
  const Reflection* reflection = message.GetReflection();
  const bool last = at + 1 == path.size();
  if (step.select == Step::Select::kWhole) {
    if (!IsSet(message, step.field)) return;
    if (last) {
      found->push_back(values::FieldToJson(message, step.field, which));
    } else {
      Collect(reflection->GetMessage(message, step.field), path, at + 1, which, found);
    }
    return;
  }
  auto element = [&](int index) {
    const Message& one = reflection->GetRepeatedMessage(message, step.field, index);
    if (!last) return Collect(one, path, at + 1, which, found);
    found->push_back(step.field->is_map()
                         ? values::FieldToJson(one, step.field->message_type()->map_value(), which)
                         : values::ElementToJson(message, step.field, index, which));
  };
  if (step.select == Step::Select::kElement) {
    const int index = FindElement(message, step.field, step.key);
    if (index >= 0) element(index);
    return;
  }
  for (int i = 0; i < reflection->FieldSize(message, step.field); ++i) element(i);
}

std::string NamesOf(const FieldDescriptor* field) {
  std::vector<std::string> names;
  const auto* values = field->enum_type();
  const auto* fields = field->message_type();
  const int count = values != nullptr ? values->value_count() : fields->field_count();
  for (int i = 0; i < count && names.size() < kMaxNames; ++i) {
    if (values != nullptr && values->value(i)->number() == 0) continue;
    names.push_back(values != nullptr ? values->value(i)->name() : fields->field(i)->name());
  }
  if (static_cast<size_t>(count) > kMaxNames + 1) names.emplace_back("…");
  return absl::StrJoin(names, ", ");
}

// What a value of the field, or of one of its elements, looks like.
std::string Expected(const FieldDescriptor* field, bool one) {
  if (field->is_map()) {
    const FieldDescriptor* value = field->message_type()->map_value();
    return one ? Expected(value, true)
               : absl::StrCat("an object whose values are each ", Expected(value, true));
  }
  if (field->is_repeated() && !one) return absl::StrCat("a list, each ", Expected(field, true));
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (field->message_type()->full_name() == "google.protobuf.Timestamp") {
        return "a time, as \"2025-12-13T09:30:00Z\"";
      }
      return absl::StrCat("an object of ", field->message_type()->name(), " (", NamesOf(field),
                          ")");
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("one of ", NamesOf(field), ", in quotes");
    case FieldDescriptor::CPPTYPE_STRING:
      return field->type() == FieldDescriptor::TYPE_BYTES ? "base64 in quotes" : "a text in quotes";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "a number";
    default:
      return "a whole number";
  }
}

bool IsNull(absl::string_view json) {
  const size_t start = json.find_first_not_of(" \t\r\n");
  return start != absl::string_view::npos && json.substr(start, 4) == "null" &&
         json.find_first_not_of(" \t\r\n", start + 4) == absl::string_view::npos;
}

// The reader takes an element for a list of one, and a list for its element.
bool HasShape(const Step& step, absl::string_view json) {
  const char first = json.front();
  const FieldDescriptor* field = step.field;
  const bool list =
      field->is_repeated() && !field->is_map() && step.select != Step::Select::kElement;
  if (field->is_map()) return true;
  const bool object = !list && field->message_type() != nullptr &&
                      field->message_type()->file()->package() != "google.protobuf";
  return list == (first == '[') && (!object || first == '{');
}

// The reader's words, without its code and what it says of the wrapping.
std::string ReaderText(absl::string_view text) {
  if (absl::StartsWith(text, "(")) {
    const size_t end = text.find(") ");
    if (end != absl::string_view::npos) text.remove_prefix(end + 2);
  }
  if (text.size() > kMaxReaderText) {
    size_t end = kMaxReaderText;  // not within a character
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text = text.substr(0, end);
  }
  return std::string(text);
}

absl::Status Misfit(const Step& step, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat(Expected(step.field, step.select == Step::Select::kElement), " expected",
                   why.empty() ? "" : ": ", why));
}

// The plain cases, without the reader, which makes itself a picture of the whole type first. False
// leaves the rest, and all that is wrong, to it.
bool ReadPlain(const FieldDescriptor* field, absl::string_view json, Message* value) {
  const Reflection* reflection = value->GetReflection();
  if (field->is_repeated()) return false;
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
    if (json.size() > 2 && json.front() == '"') json = json.substr(1, json.size() - 2);
    int64_t number = 0;
    if (json.size() > 18 || json.find_first_not_of("0123456789") != absl::string_view::npos ||
        !absl::SimpleAtoi(json, &number)) {
      return false;
    }
    reflection->SetInt64(value, field, number);
    return true;
  }
  if (json.size() < 2 || json.front() != '"' || json.find('\\') != absl::string_view::npos) {
    return false;
  }
  const std::string text(json.substr(1, json.size() - 2));
  if (field->type() == FieldDescriptor::TYPE_STRING) {
    reflection->SetString(value, field, text);
    return true;
  }
  if (field->type() != FieldDescriptor::TYPE_ENUM) return false;
  const auto* named = field->enum_type()->FindValueByName(text);
  if (named == nullptr) return false;
  reflection->SetEnum(value, field, named);
  return true;
}

absl::Status ReadMessage(const Step& step, absl::string_view json, Message* message) {
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(json.data(), json.size()), message);
  if (status.ok()) return absl::OkStatus();
  return Misfit(step,
                ReaderText(absl::string_view(status.message().data(), status.message().size())));
}

absl::Status WithId(const Step& step, Message* element) {
  const FieldDescriptor* key = KeyField(element->GetDescriptor());
  if (key == nullptr) return absl::OkStatus();
  const std::string id = element->GetReflection()->GetString(*element, key);
  if (!id.empty() && id != step.key) {
    return absl::InvalidArgumentError(
        absl::StrCat("its id is `", id.substr(0, 64), "`, but the path names `", step.key, "`"));
  }
  element->GetReflection()->SetString(element, key, step.key);
  return absl::OkStatus();
}

// The element `key` of the list, made if it is not there.
Message* MakeElement(Message* message, const FieldDescriptor* field, const std::string& key) {
  const Reflection* reflection = message->GetReflection();
  const int index = FindElement(*message, field, key);
  if (index >= 0) return reflection->MutableRepeatedMessage(message, field, index);
  Message* element = reflection->AddMessage(message, field);
  if (const FieldDescriptor* key_field = KeyField(field->message_type())) {
    element->GetReflection()->SetString(element, key_field, key);
  }
  return element;
}

absl::Status PutBelow(const Path& path, size_t at, const Message* value, Message* message) {
  const Step& step = path[at];
  const Reflection* reflection = message->GetReflection();
  const bool last = at + 1 == path.size();
  if (step.select == Step::Select::kEvery) {
    if (value != nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat(FormatPath(path), ": `[*]` names no single value"));
    }
    if (last) reflection->ClearField(message, step.field);
    for (int i = 0; i < reflection->FieldSize(*message, step.field); ++i) {
      Message* element = reflection->MutableRepeatedMessage(message, step.field, i);
      if (absl::Status s = PutBelow(path, at + 1, value, element); !s.ok()) return s;
    }
    return absl::OkStatus();
  }
  if (step.select == Step::Select::kElement) {
    const int index = FindElement(*message, step.field, step.key);
    if (value == nullptr) {
      if (index < 0) return absl::OkStatus();
      if (!last) {
        return PutBelow(path, at + 1, value,
                        reflection->MutableRepeatedMessage(message, step.field, index));
      }
      RemoveElement(message, step.field, index);
      return absl::OkStatus();
    }
    Message* element = MakeElement(message, step.field, step.key);
    if (!last) return PutBelow(path, at + 1, value, element);
    if (value->GetReflection()->FieldSize(*value, step.field) != 1) {
      return absl::FailedPreconditionError(
          absl::StrCat(FormatPath(path), ": the value is not one element"));
    }
    element->CopyFrom(value->GetReflection()->GetRepeatedMessage(*value, step.field, 0));
    return absl::OkStatus();
  }
  if (!last) {
    if (value == nullptr && !reflection->HasField(*message, step.field)) return absl::OkStatus();
    return PutBelow(path, at + 1, value, reflection->MutableMessage(message, step.field));
  }
  reflection->ClearField(message, step.field);
  if (value != nullptr) message->MergeFrom(*value);  // the one field that it has
  return absl::OkStatus();
}

}  // namespace

std::optional<std::string> ValueAt(const Message& record, const Path& path, values::JsonOf which) {
  std::vector<std::string> found;
  Collect(record, path, 0, which, &found);
  if (found.empty()) return std::nullopt;
  if (IsConcrete(path)) return std::move(found[0]);
  return absl::StrCat("[", absl::StrJoin(found, ","), "]");
}

absl::StatusOr<Value> ReadValue(const Path& path, absl::string_view json) {
  if (!IsConcrete(path)) return absl::InvalidArgumentError("`[*]` names no single value");
  const Step& step = path.back();
  const bool element = step.select == Step::Select::kElement;
  if (absl::Status s = CheckJson(json); !s.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("not JSON: ", s.message()));
  }
  if (IsNull(json)) return Value();
  json = absl::StripAsciiWhitespace(json);
  if (!HasShape(step, json)) return Misfit(step, "");
  Value value(google::protobuf::MessageFactory::generated_factory()
                  ->GetPrototype(step.field->containing_type())
                  ->New());
  Message* holder = value.get();
  const Reflection* reflection = holder->GetReflection();
  if (ReadPlain(step.field, json, holder)) return value;
  // A message is read by itself; for all else the reader needs one around it.
  const bool message = step.field->message_type() != nullptr && !step.field->is_map() &&
                       step.field->message_type()->file()->package() != "google.protobuf";
  if (message && element) {
    Message* one = reflection->AddMessage(holder, step.field);
    absl::Status status = ReadMessage(step, json, one);
    if (status.ok()) status = WithId(step, one);
    if (!status.ok()) return status;
    return value;
  }
  if (message && !step.field->is_repeated()) {
    absl::Status status = ReadMessage(step, json, reflection->MutableMessage(holder, step.field));
    if (!status.ok()) return status;
    return value;
  }
  std::string wrapped = absl::StrCat("{\"", step.field->name(), "\":");
  if (element && step.field->is_map()) {
    wrapped.push_back('{');
    values::AppendJsonString(step.key, &wrapped);
    absl::StrAppend(&wrapped, ":", json, "}");
  } else {
    absl::StrAppend(&wrapped, json);
  }
  wrapped.push_back('}');
  if (absl::Status s = ReadMessage(step, wrapped, holder); !s.ok()) return s;
  return value;
}

absl::Status PutValue(const Path& path, const Message* value, Message* record) {
  return PutBelow(path, 0, value, record);
}

absl::Status SetValue(const Path& path, absl::string_view json, Message* record) {
  auto value = ReadValue(path, json);
  if (!value.ok()) return value.status();
  return PutValue(path, value->get(), record);
}

}  // namespace detente::query
