#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "api/method.h"
#include "api/request.h"
#include "detente/v1/record_service.pb.h"
#include "engine/validate.h"
#include "error/error.h"
#include "query/page_token.h"

namespace detente::api {
namespace {

using engine::CommitRequest;
using engine::CommitResult;
using engine::Operation;
using google::protobuf::Message;

// What all writes carry beside their operations.
absl::StatusOr<CommitRequest> CommitRequestOf(const Call& call) {
  CommitRequest commit;
  commit.caller = call.context.caller;
  commit.method = call.method.descriptor->full_name();
  commit.request_id = GetString(call.request, "request_id");
  commit.reason = GetString(call.request, "reason");
  commit.validate_only = GetBool(call.request, "validate_only");
  commit.deadline = call.context.deadline;
  commit.cancelled = call.context.cancelled;
  if (!commit.request_id.empty()) {
    commit.request_hash = query::HashArguments(commit.method, engine::EncodePayload(call.request));
  }
  return commit;
}

absl::Status MaskOf(const google::protobuf::FieldMask& mask, const Message& record,
                    absl::string_view field, query::Mask* out) {
  if (mask.paths().empty()) {
    *out = query::Mask::OfSetFields(record);
    return absl::OkStatus();
  }
  auto parsed = query::Mask::Parse(mask, record.GetDescriptor(), field);
  if (!parsed.ok()) return parsed.status();
  *out = *std::move(parsed);
  return absl::OkStatus();
}

// Takes the record out of a create or update request.
absl::Status TakeRecord(const Call& call, Operation* operation) {
  const auto* field = FieldOf(call.request, call.method.resource->singular);
  if (!call.request.GetReflection()->HasField(call.request, field)) {
    return InvalidField(field->name(), "is required");
  }
  operation->record.reset(call.method.resource->prototype->New());
  operation->record->CopyFrom(call.request.GetReflection()->GetMessage(call.request, field));
  return absl::OkStatus();
}

void WriteOne(const Call& call, Done done,
              absl::Status (*fill)(const Call& call, Operation* operation)) {
  if (absl::Status s = engine::RejectUnknownFields(call.request, ""); !s.ok()) return done(s);
  Operation operation;
  operation.resource = call.method.resource;
  if (absl::Status s = fill(call, &operation); !s.ok()) return done(s);
  auto commit = CommitRequestOf(call);
  if (!commit.ok()) return done(commit.status());
  commit->operations.push_back(std::move(operation));
  call.engine.Write(
      *std::move(commit), [done = std::move(done)](absl::StatusOr<CommitResult> result) mutable {
        if (!result.ok()) return done(result.status());
        const engine::Written& written = result->records[0];
        done(std::make_shared<std::string>(engine::RecordOf(*written.resource, written.version)));
      });
}

// Of a write that names its record alone.
absl::Status FillNamed(const Call& call, Operation::Kind kind, Operation* operation) {
  operation->kind = kind;
  operation->field = "name";
  operation->etag = GetString(call.request, "etag");
  return ParseRecordName(*operation->resource, GetString(call.request, "name"), "name",
                         &operation->id);
}

// The record of a batch operation, by its Any.
absl::Status Unpack(const engine::Registry& registry, const google::protobuf::Any& any,
                    Operation* operation) {
  absl::string_view type = any.type_url();
  type = type.substr(type.rfind('/') == absl::string_view::npos ? 0 : type.rfind('/') + 1);
  operation->resource = registry.FindByType(type);
  if (operation->resource == nullptr) {
    return InvalidField(operation->field,
                        absl::StrCat("`", any.type_url().substr(0, 128),
                                     "` is no type of record; as an example, "
                                     "`type.googleapis.com/detente.v1.Release` is"));
  }
  operation->record.reset(operation->resource->prototype->New());
  if (operation->record->ParseFromString(any.value())) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, v1::MALFORMED_REQUEST,
               absl::StrCat(operation->field, ": the bytes are not a ", type));
}

absl::Status FillByName(const engine::Registry& registry, const std::string& name,
                        const std::string& field, Operation* operation) {
  operation->field = field;
  return ParseAnyName(registry, name, field, &operation->resource, &operation->id);
}

absl::Status FillFromBatch(const engine::Registry& registry,
                           const v1::BatchWriteRequest::Operation& in, const std::string& field,
                           Operation* operation) {
  switch (in.operation_case()) {
    case v1::BatchWriteRequest::Operation::kCreate: {
      operation->kind = Operation::Kind::kCreate;
      operation->field = field + ".create.record";
      absl::Status status = Unpack(registry, in.create().record(), operation);
      if (!status.ok()) return status;
      return NewId(operation->resource->collection, in.create().record_id(),
                   GetString(*operation->record, "name"), field + ".create.record_id",
                   operation->field + ".name", &operation->id);
    }
    case v1::BatchWriteRequest::Operation::kUpdate: {
      operation->kind = Operation::Kind::kUpdate;
      operation->field = field + ".update.record";
      operation->allow_missing = in.update().allow_missing();
      absl::Status status = Unpack(registry, in.update().record(), operation);
      if (!status.ok()) return status;
      operation->etag = GetString(*operation->record, "etag");
      operation->mask_field = field + ".update.update_mask";
      status = ParseRecordName(*operation->resource, GetString(*operation->record, "name"),
                               operation->field + ".name", &operation->id);
      Collect(MaskOf(in.update().update_mask(), *operation->record, operation->mask_field,
                     &operation->mask),
              &status);
      return status;
    }
    case v1::BatchWriteRequest::Operation::kSoftDelete:
      operation->kind = Operation::Kind::kDelete;
      operation->etag = in.soft_delete().etag();
      operation->force = in.soft_delete().force();
      return FillByName(registry, in.soft_delete().name(), field + ".soft_delete.name", operation);
    case v1::BatchWriteRequest::Operation::kUndelete:
      operation->kind = Operation::Kind::kUndelete;
      operation->etag = in.undelete().etag();
      return FillByName(registry, in.undelete().name(), field + ".undelete.name", operation);
    case v1::BatchWriteRequest::Operation::OPERATION_NOT_SET:
      break;
  }
  return InvalidField(field, "a create, update, soft_delete or undelete is required");
}

Bytes BatchWriteResponseOf(const CommitResult& result) {
  v1::BatchWriteResponse response;
  response.set_revision(result.revision);
  for (const engine::Written& written : result.records) {
    auto* out = response.add_results();
    out->set_name(written.resource->Name(written.version.id));
    out->set_uid(written.version.uid);
    out->set_etag(engine::Etag(written.version));
    out->set_revision(written.version.since);
    out->set_kind(static_cast<v1::RecordChange::Kind>(written.change));
  }
  return std::make_shared<std::string>(response.SerializeAsString());
}

}  // namespace

void HandleCreate(const Call& call, Done done) {
  WriteOne(call, std::move(done), [](const Call& call, Operation* operation) -> absl::Status {
    const std::string& singular = call.method.resource->singular;
    operation->kind = Operation::Kind::kCreate;
    operation->field = singular;
    if (absl::Status s = TakeRecord(call, operation); !s.ok()) return s;
    return NewId(operation->resource->collection, GetString(call.request, singular + "_id"),
                 GetString(*operation->record, "name"), singular + "_id", singular + ".name",
                 &operation->id);
  });
}

void HandleUpdate(const Call& call, Done done) {
  WriteOne(call, std::move(done), [](const Call& call, Operation* operation) -> absl::Status {
    const std::string& singular = call.method.resource->singular;
    operation->kind = Operation::Kind::kUpdate;
    operation->field = singular;
    if (absl::Status s = TakeRecord(call, operation); !s.ok()) return s;
    operation->allow_missing = GetBool(call.request, "allow_missing");
    operation->etag = GetString(*operation->record, "etag");
    absl::Status status =
        ParseRecordName(*operation->resource, GetString(*operation->record, "name"),
                        singular + ".name", &operation->id);
    Collect(MaskOf(GetMask(call.request, "update_mask"), *operation->record, operation->mask_field,
                   &operation->mask),
            &status);
    return status;
  });
}

void HandleDelete(const Call& call, Done done) {
  WriteOne(call, std::move(done), [](const Call& call, Operation* operation) -> absl::Status {
    operation->force = GetBool(call.request, "force");
    return FillNamed(call, Operation::Kind::kDelete, operation);
  });
}

void HandleUndelete(const Call& call, Done done) {
  WriteOne(call, std::move(done), [](const Call& call, Operation* operation) -> absl::Status {
    return FillNamed(call, Operation::Kind::kUndelete, operation);
  });
}

void HandleRollback(const Call& call, Done done) {
  WriteOne(call, std::move(done), [](const Call& call, Operation* operation) -> absl::Status {
    operation->revision =
        call.request.GetReflection()->GetInt64(call.request, FieldOf(call.request, "revision"));
    return FillNamed(call, Operation::Kind::kRollback, operation);
  });
}

void HandleBatchWrite(const Call& call, Done done) {
  if (absl::Status s = engine::RejectUnknownFields(call.request, ""); !s.ok()) return done(s);
  const auto& request = static_cast<const v1::BatchWriteRequest&>(call.request);
  if (request.operations().empty()) {
    return done(InvalidField("operations", "at least one is required"));
  }
  if (static_cast<size_t>(request.operations_size()) > engine::kMaxOperations) {
    return done(InvalidFields({{"operations", absl::StrCat("at most ", engine::kMaxOperations,
                                                           ", got ", request.operations_size())}},
                              v1::LIMIT_EXCEEDED));
  }
  auto commit = CommitRequestOf(call);
  if (!commit.ok()) return done(commit.status());
  absl::Status status;
  for (int i = 0; i < request.operations_size(); ++i) {
    Operation operation;
    Collect(FillFromBatch(call.engine.registry(), request.operations(i),
                          absl::StrCat("operations[", i, "]"), &operation),
            &status);
    commit->operations.push_back(std::move(operation));
  }
  if (!status.ok()) return done(status);
  call.engine.Write(*std::move(commit),
                    [done = std::move(done)](absl::StatusOr<CommitResult> result) mutable {
                      if (!result.ok()) return done(result.status());
                      done(BatchWriteResponseOf(*result));
                    });
}

}  // namespace detente::api
