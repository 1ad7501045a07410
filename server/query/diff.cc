#include "query/diff.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/api/field_behavior.pb.h"
#include "query/path.h"
#include "values/json.h"

namespace detente::query {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using values::JsonOf;
using Changes = google::protobuf::RepeatedPtrField<v1::FieldChange>;

constexpr int kLastOfRow = 7;  // fields 1 to 7 of a record come from its row

bool IsComputed(const FieldDescriptor* field) {
  const auto& options = field->options();
  for (int i = 0; i < options.ExtensionSize(google::api::field_behavior); ++i) {
    if (options.GetExtension(google::api::field_behavior, i) == google::api::OUTPUT_ONLY) {
      return true;
    }
  }
  return false;
}

// Has no paths into it: its fields are one value.
bool IsWhole(const Descriptor* type) { return absl::StartsWith(type->full_name(), "google."); }

class Differ {
 public:
  explicit Differ(Changes* changes) : changes_(changes) {}

  void Compare(const Message& before, const Message& after, bool root) {
    const Descriptor* type = before.GetDescriptor();
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      if ((root && field->number() <= kLastOfRow) || IsComputed(field)) continue;
      path_.push_back({field, Step::Select::kWhole, ""});
      if (!field->is_repeated()) {
        CompareSingular(before, after, field);
      } else if (field->is_map() || (field->message_type() != nullptr &&
                                     field->message_type()->FindFieldByName("id") != nullptr)) {
        CompareElements(before, after, field);
      } else {
        CompareLists(before, after, field);
      }
      path_.pop_back();
    }
  }

 private:
  void Add(v1::FieldChange::Kind kind, std::string old_value, std::string new_value) {
    v1::FieldChange* change = changes_->Add();
    change->set_path(FormatPath(path_));
    change->set_kind(kind);
    change->set_old_value(std::move(old_value));
    change->set_new_value(std::move(new_value));
  }

  // `old_value` and `new_value`, empty where absent, if they differ.
  void AddValues(std::string old_value, std::string new_value) {
    if (old_value == new_value) return;
    const v1::FieldChange::Kind kind = old_value.empty()   ? v1::FieldChange::ADDED
                                       : new_value.empty() ? v1::FieldChange::REMOVED
                                                           : v1::FieldChange::CHANGED;
    Add(kind, std::move(old_value), std::move(new_value));
  }

  static std::string Value(const Message& message, const FieldDescriptor* field) {
    return message.GetReflection()->HasField(message, field)
               ? values::FieldToJson(message, field, JsonOf::kContent)
               : "";
  }

  void CompareSingular(const Message& before, const Message& after, const FieldDescriptor* field) {
    const Reflection* reflection = before.GetReflection();
    if (field->message_type() != nullptr && !IsWhole(field->message_type()) &&
        reflection->HasField(before, field) && reflection->HasField(after, field)) {
      Compare(reflection->GetMessage(before, field), reflection->GetMessage(after, field), false);
    } else {
      AddValues(Value(before, field), Value(after, field));
    }
  }

  void CompareLists(const Message& before, const Message& after, const FieldDescriptor* field) {
    const Reflection* reflection = before.GetReflection();
    auto value = [&](const Message& message) {
      return reflection->FieldSize(message, field) == 0
                 ? std::string()
                 : values::FieldToJson(message, field, JsonOf::kContent);
    };
    AddValues(value(before), value(after));
  }

  struct Element {
    int index;
    const Message* message;
  };

  // Elements by id or key; the keys in the order of the list.
  static std::map<std::string, Element> Index(const Message& message, const FieldDescriptor* field,
                                              std::vector<std::string>* keys) {
    std::map<std::string, Element> elements;
    const Reflection* reflection = message.GetReflection();
    const FieldDescriptor* key_field =
        field->message_type()->FindFieldByName(field->is_map() ? "key" : "id");
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      const Message& element = reflection->GetRepeatedMessage(message, field, i);
      std::string key = element.GetReflection()->GetString(element, key_field);
      keys->push_back(key);
      elements.emplace(std::move(key), Element{i, &element});
    }
    if (field->is_map()) std::sort(keys->begin(), keys->end());  // a map has no order
    return elements;
  }

  static std::string ElementValue(const Message& message, const FieldDescriptor* field,
                                  const Element& element) {
    return field->is_map()
               ? values::FieldToJson(*element.message, field->message_type()->map_value(),
                                     JsonOf::kContent)
               : values::ElementToJson(message, field, element.index, JsonOf::kContent);
  }

  void CompareElements(const Message& before, const Message& after, const FieldDescriptor* field) {
    std::vector<std::string> old_keys, new_keys;
    const auto olds = Index(before, field, &old_keys);
    const auto news = Index(after, field, &new_keys);
    if (olds.empty() && news.empty()) return;
    std::vector<std::string> applied;  // the order that the changes below lead to
    path_.back().select = Step::Select::kElement;
    for (const std::string& key : old_keys) {
      path_.back().key = key;
      const Element& old_element = olds.at(key);
      const auto found = news.find(key);
      if (found == news.end()) {
        AddValues(ElementValue(before, field, old_element), "");
        continue;
      }
      applied.push_back(key);
      if (field->is_map()) {
        AddValues(ElementValue(before, field, old_element),
                  ElementValue(after, field, found->second));
      } else {
        Compare(*old_element.message, *found->second.message, false);
      }
    }
    for (const std::string& key : new_keys) {
      if (olds.contains(key)) continue;
      path_.back().key = key;
      applied.push_back(key);
      AddValues("", ElementValue(after, field, news.at(key)));
    }
    path_.back() = {field, Step::Select::kWhole, ""};
    if (field->is_map() || applied == new_keys) return;
    Add(v1::FieldChange::REORDERED, Ids(old_keys), Ids(new_keys));
  }

  static std::string Ids(const std::vector<std::string>& ids) {
    std::string json = "[";
    for (const std::string& id : ids) {
      if (json.size() > 1) json.push_back(',');
      values::AppendJsonString(id, &json);
    }
    json.push_back(']');
    return json;
  }

  Changes* changes_;
  Path path_;
};

}  // namespace

void Diff(const Message& before, const Message& after, Changes* changes) {
  Differ(changes).Compare(before, after, true);
}

}  // namespace detente::query
