#include "engine/references.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/engine.h"

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

constexpr size_t kRecordsAtOnce = 4'096;

// What one version of a record refers to; a deleted one, or an erased one, to nothing.
absl::StatusOr<std::vector<std::string>> TargetsOf(const Resource& resource,
                                                   const store::Version& version) {
  if (version.delete_time != 0 || version.payload.empty()) return std::vector<std::string>();
  auto record = ParsePayload(resource, version);
  if (!record.ok()) return record.status();
  return Targets(References(resource, **record));
}

// What a record refers to from a revision on.
struct Since {
  store::Revision since;
  std::vector<std::string> targets;
};

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

TargetChange TargetChangeOf(const std::vector<std::string>& before,
                            const std::vector<std::string>& after) {
  TargetChange change;
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(),
                      std::back_inserter(change.removed));
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                      std::back_inserter(change.added));
  return change;
}

absl::Status DeriveReferences(const Resource& resource, store::Writer* writer) {
  std::string after;
  while (true) {
    std::vector<std::pair<std::string, std::vector<Since>>> records;
    absl::Status inner;
    absl::Status status =
        writer->List(resource.collection, after, {INT64_MAX}, true, [&](store::Version& version) {
          auto targets = TargetsOf(resource, version);
          inner = targets.status();
          if (!inner.ok()) return false;
          records.push_back({version.id, {}});
          // One that has not changed since it was made has no other version.
          if (version.create_time == version.update_time) {
            records.back().second.push_back({version.since, *std::move(targets)});
          }
          return records.size() < kRecordsAtOnce;
        });
    if (status.ok()) status = inner;
    for (auto& [id, history] : records) {
      if (!status.ok()) return status;
      if (history.empty()) {
        status = writer->Revisions(resource.collection, id, INT64_MAX, [&](store::Version& v) {
          auto targets = TargetsOf(resource, v);
          inner = targets.status();
          if (inner.ok()) history.push_back({v.since, *std::move(targets)});
          return inner.ok();
        });
        if (status.ok()) status = inner;
      }
      std::vector<std::string> before;
      for (auto at = history.rbegin(); at != history.rend() && status.ok(); ++at) {
        const TargetChange change = TargetChangeOf(before, at->targets);
        status = writer->PutReferences(resource.Name(id), at->since, change.removed, change.added);
        before = std::move(at->targets);
      }
    }
    if (!status.ok() || records.size() < kRecordsAtOnce) return status;
    after = records.back().first;
  }
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
