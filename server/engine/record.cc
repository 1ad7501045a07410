// A record's bytes as callers get them.
#include <charconv>

#include "absl/strings/str_cat.h"
#include "engine/engine.h"
#include "google/protobuf/io/coded_stream.h"

namespace detente::engine {
namespace {

using google::protobuf::io::CodedOutputStream;

constexpr int64_t kMicrosPerSecond = 1'000'000;
// Of fields 1 to 7, without the texts of names and ids: tags, lengths, numbers and times.
constexpr size_t kMostBesideTexts = 128;

uint8_t* PutNumber(int field, int64_t number, uint8_t* out) {
  out = CodedOutputStream::WriteTagToArray(field << 3, out);
  return CodedOutputStream::WriteVarint64ToArray(static_cast<uint64_t>(number), out);
}

uint8_t* PutLength(int field, size_t length, uint8_t* out) {
  out = CodedOutputStream::WriteTagToArray(field << 3 | 2, out);
  return CodedOutputStream::WriteVarint64ToArray(length, out);
}

uint8_t* PutText(absl::string_view text, uint8_t* out) {
  return CodedOutputStream::WriteRawToArray(text.data(), static_cast<int>(text.size()), out);
}

uint8_t* PutTime(int field, int64_t micros, uint8_t* out) {
  if (micros == 0) return out;
  int64_t seconds = micros / kMicrosPerSecond;
  int64_t nanos = micros % kMicrosPerSecond * 1000;
  if (nanos < 0) {
    seconds -= 1;
    nanos += 1'000'000'000;
  }
  uint8_t* const start = out = PutLength(field, 0, out);
  if (seconds != 0) out = PutNumber(1, seconds, out);
  if (nanos != 0) out = PutNumber(2, nanos, out);
  start[-1] = static_cast<uint8_t>(out - start);  // less than 128: one byte
  return out;
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
  const std::string& id = version.id;
  const std::string& uid = version.uid;
  const std::string& collection = resource.collection;
  const size_t start = out->size();
  const size_t most = kMostBesideTexts + collection.size() + id.size() + 2 * uid.size();
  if (out->capacity() < start + most + version.payload.size()) {
    out->reserve(start + most + version.payload.size());
  }
  out->resize(start + most);
  auto* const begin = reinterpret_cast<uint8_t*>(out->data());
  uint8_t* at = begin + start;
  at = PutLength(kName, collection.size() + 1 + id.size(), at);
  at = PutText(collection, at);
  *at++ = '/';
  at = PutText(id, at);
  at = PutLength(kUid, uid.size(), at);
  at = PutText(uid, at);
  char digits[20];
  const auto* end = std::to_chars(digits, digits + sizeof digits, version.since).ptr;
  const absl::string_view since(digits, end - digits);
  at = PutLength(kEtag, uid.size() + since.size() + 3, at);
  *at++ = '"';
  at = PutText(uid, at);
  *at++ = '-';
  at = PutText(since, at);
  *at++ = '"';
  at = PutNumber(kRevision, version.since, at);
  at = PutTime(kCreateTime, version.create_time, at);
  at = PutTime(kUpdateTime, version.update_time, at);
  at = PutTime(kDeleteTime, version.delete_time, at);
  out->resize(at - begin);
  out->append(version.payload);
}

}  // namespace detente::engine
