#include "store/record.h"

#include <charconv>
#include <cstdint>
#include <cstring>

#include "values/wire.h"

namespace detente::store {
namespace {

// Fields with numbers below 16 have tags of one byte: the number, and how the value is written.
enum Tag : uint8_t {
  kName = 1 << 3 | 2,
  kUid = 2 << 3 | 2,
  kEtag = 3 << 3 | 2,
  kRevision = 4 << 3,
  kCreateTime = 5 << 3 | 2,
  kUpdateTime = 6 << 3 | 2,
  kDeleteTime = 7 << 3 | 2,
  kSeconds = 1 << 3,
  kNanos = 2 << 3,
};

constexpr int64_t kMicrosPerSecond = 1'000'000;
// Of fields 1 to 7, without the texts of names and ids: tags, lengths, numbers and times.
constexpr size_t kMostBesideTexts = 128;

char* PutNumber(Tag tag, int64_t number, char* out) {
  *out++ = static_cast<char>(tag);
  return values::PutVarint(static_cast<uint64_t>(number), out);
}

char* PutText(absl::string_view text, char* out) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* PutTime(Tag tag, int64_t micros, char* out) {
  int64_t seconds = micros / kMicrosPerSecond;
  int64_t nanos = micros % kMicrosPerSecond * 1000;
  if (nanos < 0) {
    seconds -= 1;
    nanos += 1'000'000'000;
  }
  char* const start = out = PutNumber(tag, 0, out);
  if (seconds != 0) out = PutNumber(kSeconds, seconds, out);
  if (nanos != 0) out = PutNumber(kNanos, nanos, out);
  start[-1] = static_cast<char>(out - start);  // less than 128: one byte
  return out;
}

// Takes fields from the front of bytes, in their order.
class FieldReader {
 public:
  explicit FieldReader(absl::string_view bytes) : bytes_(bytes) {}

  bool At(Tag tag) const { return !bytes_.empty() && static_cast<uint8_t>(bytes_[0]) == tag; }
  absl::string_view rest() const { return bytes_; }

  bool Number(Tag tag, int64_t* number) {
    if (!At(tag)) return false;
    bytes_.remove_prefix(1);
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(bytes_[0]);
      bytes_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        *number = static_cast<int64_t>(value);
        return true;
      }
    }
    return false;
  }

  bool Bytes(Tag tag, absl::string_view* text) {
    int64_t size = 0;
    if (!Number(tag, &size) || static_cast<uint64_t>(size) > bytes_.size()) return false;
    *text = bytes_.substr(0, static_cast<size_t>(size));
    bytes_.remove_prefix(static_cast<size_t>(size));
    return true;
  }

  bool Time(Tag tag, int64_t* micros) {
    absl::string_view bytes;
    if (!Bytes(tag, &bytes)) return false;
    FieldReader time(bytes);
    int64_t seconds = 0, nanos = 0;
    if (time.At(kSeconds) && !time.Number(kSeconds, &seconds)) return false;
    if (time.At(kNanos) && !time.Number(kNanos, &nanos)) return false;
    if (__builtin_mul_overflow(seconds, kMicrosPerSecond, micros)) return false;
    return !__builtin_add_overflow(*micros, nanos / 1000, micros) && time.rest().empty();
  }

 private:
  absl::string_view bytes_;
};

absl::string_view IdOfName(absl::string_view name) {
  const size_t slash = name.find('/');
  return slash == absl::string_view::npos ? absl::string_view() : name.substr(slash + 1);
}

void Assign(absl::string_view from, std::string* to) { to->assign(from.data(), from.size()); }

}  // namespace

void AppendRecord(absl::string_view collection, const Version& version, std::string* out) {
  const std::string& id = version.id;
  const std::string& uid = version.uid;
  const size_t start = out->size();
  const size_t most = kMostBesideTexts + collection.size() + id.size() + 2 * uid.size();
  if (out->capacity() < start + most + version.payload.size()) {
    out->reserve(start + most + version.payload.size());
  }
  out->resize(start + most);
  char* at = out->data() + start;
  at = PutNumber(kName, static_cast<int64_t>(collection.size() + 1 + id.size()), at);
  at = PutText(collection, at);
  *at++ = '/';
  at = PutText(id, at);
  at = PutNumber(kUid, static_cast<int64_t>(uid.size()), at);
  at = PutText(uid, at);
  char digits[20];
  const auto* end = std::to_chars(digits, digits + sizeof digits, version.since).ptr;
  const absl::string_view since(digits, end - digits);
  at = PutNumber(kEtag, static_cast<int64_t>(uid.size() + since.size() + 3), at);
  *at++ = '"';
  at = PutText(uid, at);
  *at++ = '-';
  at = PutText(since, at);
  *at++ = '"';
  at = PutNumber(kRevision, version.since, at);
  at = PutTime(kCreateTime, version.create_time, at);
  at = PutTime(kUpdateTime, version.update_time, at);
  if (version.delete_time != 0) at = PutTime(kDeleteTime, version.delete_time, at);
  out->resize(at - out->data());
  out->append(version.payload);
}

absl::Status ReadRecord(absl::string_view record, Version* version) {
  FieldReader reader(record);
  absl::string_view name, uid, etag;
  version->delete_time = 0;
  if (!reader.Bytes(kName, &name) || !reader.Bytes(kUid, &uid) || !reader.Bytes(kEtag, &etag) ||
      !reader.Number(kRevision, &version->since) ||
      !reader.Time(kCreateTime, &version->create_time) ||
      !reader.Time(kUpdateTime, &version->update_time) ||
      (reader.At(kDeleteTime) && !reader.Time(kDeleteTime, &version->delete_time))) {
    return absl::DataLossError("the bytes of a stored record can't be read");
  }
  Assign(IdOfName(name), &version->id);
  Assign(uid, &version->uid);
  Assign(reader.rest(), &version->payload);
  return absl::OkStatus();
}

absl::string_view IdOfRecord(absl::string_view record) {
  absl::string_view name;
  // Of most: a name of less than 128 bytes. Pages ask it of each row.
  if (record.size() > 2 && record[0] == kName && static_cast<size_t>(record[1]) < 0x80) {
    return IdOfName(record.substr(2, static_cast<size_t>(record[1])));
  }
  return FieldReader(record).Bytes(kName, &name) ? IdOfName(name) : absl::string_view();
}

}  // namespace detente::store
