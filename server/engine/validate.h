// What every incoming record goes through: output-only fields are cleared, defaults, element ids
// and date bounds filled in, and everything that is wrong with it is reported, each with its path.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/registry.h"
#include "google/protobuf/message.h"
#include "query/value.h"

namespace detente::engine {

constexpr int kMaxRecordBytes = 1 << 20;
constexpr size_t kMaxRecordJson = 3 << 20;  // as answers of 4 MiB hold it
constexpr int kMaxRepeated = 10'000;
constexpr int kMaxViolations = 100;  // further ones are not reported

enum class Validate {
  kWhole,    // an incoming record: required fields must be there, unknown ones not
  kPartial,  // an incoming record of which a mask takes a part: required fields may be absent
  kMerged,   // a stored record with a part replaced: unknown fields that were stored stay
};

// `prefix` leads the paths of violations: the request's field that holds the record. Fields 1 to 7
// are cleared.
absl::Status ValidateRecord(const Resource& resource, Validate mode, absl::string_view prefix,
                            google::protobuf::Message* record);

// What a citation asserts of the field at `path` (values.proto), in the form that an incoming
// record is brought into. INVALID_ARGUMENT says why no source can assert it, or what is wrong with
// it.
absl::StatusOr<query::Value> ReadAsserted(const Resource& resource, const query::Path& path,
                                          absl::string_view json);

// INVALID_ARGUMENT where the message holds fields that this server does not know, at any depth.
absl::Status RejectUnknownFields(const google::protobuf::Message& message,
                                 absl::string_view prefix);

// Copies the unknown fields of a stored record into its replacement; elements of lists are matched
// by id.
void KeepUnknownFields(const google::protobuf::Message& stored,
                       google::protobuf::Message* replacement);

// The bytes that are stored: deterministic, so that equal records have equal payloads.
std::string EncodePayload(const google::protobuf::Message& record);

}  // namespace detente::engine
