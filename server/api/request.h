// Fields of requests by name: the contract gives every resource's requests the same ones.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "api/handler_table.h"
#include "engine/registry.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/message.h"

namespace detente::api {

const google::protobuf::FieldDescriptor* FieldOf(const google::protobuf::Message& message,
                                                 absl::string_view name);
std::string GetString(const google::protobuf::Message& message, absl::string_view name);
bool GetBool(const google::protobuf::Message& message, absl::string_view name);
int32_t GetInt32(const google::protobuf::Message& message, absl::string_view name);
bool Has(const google::protobuf::Message& message, absl::string_view name);
const google::protobuf::FieldMask& GetMask(const google::protobuf::Message& message,
                                           absl::string_view name);

// The id in the name of a record of `resource`; `field` is the request's, for the violation.
absl::Status ParseRecordName(const engine::Resource& resource, absl::string_view name,
                             absl::string_view field, std::string* id);

// The resource and id of the name of a record of any resource.
absl::Status ParseAnyName(const engine::Registry& registry, absl::string_view name,
                          absl::string_view field, const engine::Resource** resource,
                          std::string* id);

// Not OK where the call is over: nobody waits for its answer.
absl::Status CheckCall(const CallContext& context);

// The resource whose collection the request names.
absl::Status FindCollection(const engine::Registry& registry, absl::string_view collection,
                            absl::string_view field, const engine::Resource** resource);

// The id in a name of `collection`: "snapshots/x".
absl::Status ParseId(absl::string_view collection, absl::string_view name, absl::string_view field,
                     std::string* id);

// The id for a new record, from the request's own field or the record's name; empty where neither
// is there.
absl::Status NewId(absl::string_view collection, absl::string_view id, absl::string_view name,
                   absl::string_view id_field, absl::string_view name_field, std::string* out);

}  // namespace detente::api
