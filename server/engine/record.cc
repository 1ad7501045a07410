#include "absl/strings/str_cat.h"
#include "engine/engine.h"
#include "google/protobuf/io/coded_stream.h"

namespace detente::engine {
namespace {

using google::protobuf::io::CodedOutputStream;

constexpr int64_t kMicrosPerSecond = 1'000'000;

void AppendVarint(uint64_t value, std::string* out) {
  uint8_t buffer[10];
  uint8_t* end = CodedOutputStream::WriteVarint64ToArray(value, buffer);
  out->append(reinterpret_cast<char*>(buffer), end - buffer);
}

void AppendString(int field, absl::string_view text, std::string* out) {
  AppendVarint(field << 3 | 2, out);
  AppendVarint(text.size(), out);
  out->append(text.data(), text.size());
}

void AppendTime(int field, int64_t micros, std::string* out) {
  if (micros == 0) return;
  int64_t seconds = micros / kMicrosPerSecond;
  int64_t nanos = micros % kMicrosPerSecond * 1000;
  if (nanos < 0) {
    seconds -= 1;
    nanos += 1'000'000'000;
  }
  std::string timestamp;
  AppendVarint(1 << 3, &timestamp);
  AppendVarint(static_cast<uint64_t>(seconds), &timestamp);
  if (nanos != 0) {
    AppendVarint(2 << 3, &timestamp);
    AppendVarint(nanos, &timestamp);
  }
  AppendString(field, timestamp, out);
}

absl::StatusOr<std::unique_ptr<google::protobuf::Message>> Parse(const Resource& resource,
                                                                 const store::Version& version,
                                                                 const std::string& bytes) {
  std::unique_ptr<google::protobuf::Message> record(resource.prototype->New());
  if (record->ParseFromString(bytes)) return record;
  return absl::DataLossError(
      absl::StrCat(resource.Name(version.id), ": its stored bytes can't be read"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ParsePayload(
    const Resource& resource, const store::Version& version) {
  return Parse(resource, version, version.payload);
}

absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ParseRecord(
    const Resource& resource, const store::Version& version) {
  std::string bytes;
  AppendRecord(resource, version, &bytes);
  return Parse(resource, version, bytes);
}

std::string Etag(const store::Version& version) {
  return absl::StrCat("\"", version.uid, "-", version.since, "\"");
}

void AppendRecord(const Resource& resource, const store::Version& version, std::string* out) {
  constexpr size_t kMostOfFields1To7 = 320;  // names, ids and times have bounds
  if (out->empty()) out->reserve(version.payload.size() + kMostOfFields1To7);
  AppendVarint(kName << 3 | 2, out);
  AppendVarint(resource.collection.size() + 1 + version.id.size(), out);
  absl::StrAppend(out, resource.collection, "/", version.id);
  AppendString(kUid, version.uid, out);
  AppendString(kEtag, Etag(version), out);
  AppendVarint(kRevision << 3, out);
  AppendVarint(version.since, out);
  AppendTime(kCreateTime, version.create_time, out);
  AppendTime(kUpdateTime, version.update_time, out);
  AppendTime(kDeleteTime, version.delete_time, out);
  out->append(version.payload);
}

}  // namespace detente::engine
