#include "api/request.h"

#include "absl/strings/str_cat.h"
#include "error/error.h"

namespace detente::api {

using google::protobuf::FieldMask;
using google::protobuf::Message;

const google::protobuf::FieldDescriptor* FieldOf(const Message& message, absl::string_view name) {
  return message.GetDescriptor()->FindFieldByName(std::string(name));
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
  const size_t slash = name.find('/');
  if (slash != absl::string_view::npos && name.substr(0, slash) == resource.collection &&
      engine::ValidId(name.substr(slash + 1))) {
    *id = std::string(name.substr(slash + 1));
    return absl::OkStatus();
  }
  return InvalidField(
      field, name.empty() ? std::string("is required")
                          : absl::StrCat("`", name.substr(0, 128), "`: a name expected, as `",
                                         resource.collection, "/{", resource.singular,
                                         "}`, the id of lower-case letters, digits and "
                                         "hyphens, at most 63"));
}

absl::Status NotServedYet(absl::string_view feature) {
  return Error(absl::StatusCode::kUnimplemented, v1::METHOD_NOT_IMPLEMENTED,
               absl::StrCat(feature, ": is in the contract, but this server does not serve it yet"),
               {{"feature", std::string(feature)}});
}

}  // namespace detente::api
