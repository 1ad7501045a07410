// Records as messages.
#include "store/record.h"

#include "absl/strings/str_cat.h"
#include "engine/engine.h"

namespace detente::engine {

namespace {

absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ParseBytes(const Resource& resource,
                                                                      absl::string_view bytes,
                                                                      absl::string_view id) {
  std::unique_ptr<google::protobuf::Message> record(resource.prototype->New());
  if (record->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return record;
  return absl::DataLossError(absl::StrCat(resource.Name(id), ": its stored bytes can't be read"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ParsePayload(
    const Resource& resource, const store::Version& version) {
  return ParseBytes(resource, version.payload, version.id);
}

absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ParseRecord(
    const Resource& resource, const store::Version& version) {
  return ParseBytes(resource, RecordOf(resource, version), version.id);
}

absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ParseRecord(const Resource& resource,
                                                                       absl::string_view record) {
  return ParseBytes(resource, record, store::IdOfRecord(record));
}

std::string Etag(const store::Version& version) {
  return absl::StrCat("\"", version.uid, "-", version.since, "\"");
}

std::string RecordOf(const Resource& resource, const store::Version& version) {
  std::string bytes;
  store::AppendRecord(resource.collection, version, &bytes);
  return bytes;
}

}  // namespace detente::engine
