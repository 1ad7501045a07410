#include "api/page.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "api/request.h"
#include "detente/v1/values.pb.h"
#include "engine/validate.h"
#include "error/error.h"
#include "google/protobuf/io/coded_stream.h"
#include "query/page_token.h"

namespace detente::api {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::io::CodedOutputStream;

constexpr int kRowsBetweenChecks = 64;

}  // namespace

google::protobuf::Timestamp TimestampOf(int64_t micros) {
  google::protobuf::Timestamp time;
  const timespec spec = absl::ToTimespec(absl::FromUnixMicros(micros));
  time.set_seconds(spec.tv_sec);
  time.set_nanos(static_cast<int32_t>(spec.tv_nsec));
  return time;
}

absl::StatusOr<store::ReadView> ViewOf(const Call& call, absl::string_view name) {
  const FieldDescriptor* field = FieldOf(call.request, name);
  if (!call.request.GetReflection()->HasField(call.request, field)) {
    return call.engine.View(std::nullopt);
  }
  const auto& at = static_cast<const v1::ReadPoint&>(
      call.request.GetReflection()->GetMessage(call.request, field));
  switch (at.point_case()) {
    case v1::ReadPoint::kRevision:
      return call.engine.View(at.revision(), name);
    case v1::ReadPoint::kReadTime:
      return call.engine.ViewAtTime(absl::FromUnixSeconds(at.read_time().seconds()) +
                                        absl::Nanoseconds(at.read_time().nanos()),
                                    name);
    case v1::ReadPoint::kSnapshot: {
      std::string id;
      absl::Status status =
          ParseId("snapshots", at.snapshot(), absl::StrCat(name, ".snapshot"), &id);
      if (!status.ok()) return status;
      return call.engine.ViewAtSnapshot(id);
    }
    case v1::ReadPoint::POINT_NOT_SET:
      break;
  }
  return call.engine.View(std::nullopt);
}

void ResponseWriter::Add(absl::string_view field, absl::string_view bytes) {
  Tag(field, 2);
  Varint(bytes.size());
  out_.append(bytes.data(), bytes.size());
}

void ResponseWriter::SetText(absl::string_view field, absl::string_view text) {
  if (!text.empty()) Add(field, text);
}

void ResponseWriter::SetNumber(absl::string_view field, int64_t number) {
  if (number == 0) return;
  Tag(field, 0);
  Varint(static_cast<uint64_t>(number));
}

void ResponseWriter::Tag(absl::string_view field, int wire_type) {
  const int number = type_->FindFieldByName(std::string(field))->number();
  Varint(static_cast<uint64_t>(number) << 3 | static_cast<uint64_t>(wire_type));
}

void ResponseWriter::Varint(uint64_t value) {
  uint8_t buffer[10];
  uint8_t* end = CodedOutputStream::WriteVarint64ToArray(value, buffer);
  out_.append(reinterpret_cast<char*>(buffer), end - buffer);
}

absl::StatusOr<Page> PageOf(const Call& call) {
  Page page;
  page.size = GetInt32(call.request, "page_size");
  if (page.size < 0) {
    return InvalidField("page_size", absl::StrCat("from 0 on expected, got ", page.size));
  }
  page.size = page.size == 0 ? kDefaultPageSize : std::min(page.size, kMaxPageSize);
  const std::string token = GetString(call.request, "page_token");
  auto* reflection = call.request.GetReflection();
  reflection->ClearField(&call.request, FieldOf(call.request, "page_size"));
  reflection->ClearField(&call.request, FieldOf(call.request, "page_token"));
  page.arguments = query::HashArguments(call.method.descriptor->full_name(),
                                        engine::EncodePayload(call.request));
  if (token.empty()) {
    auto view =
        FieldOf(call.request, "at") != nullptr ? ViewOf(call) : call.engine.View(std::nullopt);
    if (!view.ok()) return view.status();
    page.view = *view;
    return page;
  }
  auto opened =
      query::OpenPageToken(token, page.arguments, call.engine.page_token_key(), absl::Now());
  if (!opened.ok()) return opened.status();
  page.view = opened->view;
  page.last = std::move(opened->last);
  return page;
}

bool PageFiller::GoOn() {
  if (++seen_ % kRowsBetweenChecks != 0) return true;
  status_ = CheckCall(call_.context);
  return status_.ok();
}

bool PageFiller::Take(const absl::StatusOr<std::string>& bytes, std::string position) {
  if (!GoOn()) return false;
  if (!bytes.ok()) {
    status_ = bytes.status();
    return false;
  }
  if (taken_ == page_.size || (taken_ > 0 && response_.size() + bytes->size() > kMaxPageBytes)) {
    more_ = true;
    return false;
  }
  response_.Add(field_, *bytes);
  ++taken_;
  last_ = std::move(position);
  return true;
}

std::string PageFiller::NextPageToken() const {
  if (!more_) return "";
  return query::SealPageToken({page_.view, last_}, page_.arguments, call_.engine.page_token_key(),
                              absl::Now());
}

}  // namespace detente::api
