#include "api/request.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "error/error.h"
#include "query/nearest.h"

namespace detente::api {

using google::protobuf::FieldMask;
using google::protobuf::Message;

const google::protobuf::FieldDescriptor* FieldOf(const Message& message, absl::string_view name) {
  // Faster than by hash, which is of the whole name: a request has a few fields.
  const auto* type = message.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    if (type->field(i)->name() == name) return type->field(i);
  }
  return nullptr;
}

std::string GetString(const Message& message, absl::string_view name) {
  return message.GetReflection()->GetString(message, FieldOf(message, name));
}

bool GetBool(const Message& message, absl::string_view name) {
  return message.GetReflection()->GetBool(message, FieldOf(message, name));
}

int32_t GetInt32(const Message& message, absl::string_view name) {
  return message.GetReflection()->GetInt32(message, FieldOf(message, name));
}

bool Has(const Message& message, absl::string_view name) {
  return message.GetReflection()->HasField(message, FieldOf(message, name));
}

const FieldMask& GetMask(const Message& message, absl::string_view name) {
  return static_cast<const FieldMask&>(
      message.GetReflection()->GetMessage(message, FieldOf(message, name)));
}

absl::Status ParseRecordName(const engine::Resource& resource, absl::string_view name,
                             absl::string_view field, std::string* id) {
  return ParseId(resource.collection, name, field, id);
}

absl::Status ParseAnyName(const engine::Registry& registry, absl::string_view name,
                          absl::string_view field, const engine::Resource** resource,
                          std::string* id) {
  absl::string_view parsed;
  *resource = registry.ParseName(name, &parsed);
  if (*resource != nullptr) {
    *id = std::string(parsed);
    return absl::OkStatus();
  }
  return InvalidField(field, name.empty() ? std::string("is required")
                                          : absl::StrCat("`", name.substr(0, 128),
                                                         "`: the name of a record expected, as "
                                                         "`releases/{id}`"));
}

absl::Status CheckCall(const CallContext& context) {
  if (context.cancelled && context.cancelled()) return CallCancelled();
  return context.deadline <= absl::Now() ? DeadlinePassed() : absl::OkStatus();
}

absl::Status ParseId(absl::string_view collection, absl::string_view name, absl::string_view field,
                     std::string* id) {
  const size_t slash = name.find('/');
  if (slash != absl::string_view::npos && name.substr(0, slash) == collection &&
      engine::ValidId(name.substr(slash + 1))) {
    *id = std::string(name.substr(slash + 1));
    return absl::OkStatus();
  }
  return InvalidField(
      field, name.empty()
                 ? std::string("is required")
                 : absl::StrCat("`", name.substr(0, 128), "`: a name expected, as `", collection,
                                "/{id}`, the id of lower-case letters, digits and "
                                "hyphens, at most 63"));
}

absl::Status NewId(absl::string_view collection, absl::string_view id, absl::string_view name,
                   absl::string_view id_field, absl::string_view name_field, std::string* out) {
  if (!id.empty()) {
    if (!engine::ValidId(id)) {
      return InvalidField(id_field,
                          absl::StrCat("`", id.substr(0, 128),
                                       "`: lower-case letters, digits and hyphens expected, at "
                                       "most 63, without a hyphen at either end"));
    }
    *out = std::string(id);
  }
  if (name.empty()) return absl::OkStatus();
  std::string named;
  if (absl::Status s = ParseId(collection, name, name_field, &named); !s.ok()) return s;
  if (!out->empty() && *out != named) {
    return InvalidField(name_field,
                        absl::StrCat("`", name, "` and ", id_field, " `", *out, "` do not agree"));
  }
  *out = named;
  return absl::OkStatus();
}

absl::Status FindCollection(const engine::Registry& registry, absl::string_view collection,
                            absl::string_view field, const engine::Resource** resource) {
  *resource = registry.FindByCollection(collection);
  if (*resource != nullptr) return absl::OkStatus();
  std::vector<absl::string_view> known;
  for (const auto& one : registry.resources()) known.emplace_back(one->collection);
  const std::string nearest = query::Nearest(collection, known);
  return InvalidField(
      field, absl::StrCat("`", collection.substr(0, 64), "`: ",
                          nearest.empty()
                              ? absl::StrCat("one of ", absl::StrJoin(known, ", "), " expected")
                              : absl::StrCat("no collection; did you mean `", nearest, "`?")));
}

}  // namespace detente::api
