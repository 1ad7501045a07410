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
#include "query/page_token.h"
#include "store/record.h"
#include "values/wire.h"

namespace detente::api {
namespace {

using google::protobuf::FieldDescriptor;

constexpr int kRowsBetweenChecks = 64;
// The room that a page gets before it is filled.
constexpr int kUsualRecordBytes = 512;
constexpr int kMostReserved = 64 << 10;

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

int ResponseWriter::Find(absl::string_view field) const {
  return type_->FindFieldByName(std::string(field))->number();
}

void ResponseWriter::Add(int field, absl::string_view bytes) {
  values::AppendBytes(field, bytes, &out_);
}

void ResponseWriter::SetText(absl::string_view field, absl::string_view text) {
  if (!text.empty()) values::AppendBytes(Find(field), text, &out_);
}

void ResponseWriter::SetNumber(absl::string_view field, int64_t number) {
  if (number != 0) values::AppendNumber(Find(field), number, &out_);
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

PageFiller::PageFiller(const Call& call, const Page& page, absl::string_view field)
    : call_(call), page_(page), response_(call), field_(response_.Find(field)) {
  response_.Reserve(std::min(page.size * kUsualRecordBytes, kMostReserved));
}

bool PageFiller::HasRoom(size_t bytes) {
  if (!GoOn()) return false;
  if (taken_ == page_.size || (taken_ > 0 && response_.size() + bytes > kMaxPageBytes)) {
    more_ = true;
    return false;
  }
  ++taken_;
  return true;
}

bool PageFiller::Take(absl::string_view bytes, absl::string_view position) {
  if (!HasRoom(bytes.size())) return false;
  response_.Add(field_, bytes);
  last_.assign(position.data(), position.size());
  return true;
}

bool PageFiller::TakeRecord(absl::string_view bytes) {
  if (!HasRoom(bytes.size())) return false;
  response_.Add(field_, bytes);
  last_record_ = bytes.size();
  return true;
}

std::string PageFiller::NextPageToken() const {
  if (!more_) return "";
  std::string last = last_;
  if (last_record_ > 0) last = std::string(store::IdOfRecord(response_.Tail(last_record_)));
  return query::SealPageToken({page_.view, std::move(last)}, page_.arguments,
                              call_.engine.page_token_key(), absl::Now());
}

}  // namespace detente::api
