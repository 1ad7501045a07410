#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "api/method.h"
#include "api/request.h"
#include "detente/v1/values.pb.h"
#include "engine/validate.h"
#include "error/error.h"
#include "google/protobuf/io/coded_stream.h"
#include "query/mask.h"
#include "query/page_token.h"

namespace detente::api {
namespace {

using engine::Resource;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::io::CodedOutputStream;
using store::Version;

constexpr int kRowsBetweenChecks = 64;

absl::StatusOr<store::ReadView> ViewOf(const Call& call) {
  const FieldDescriptor* field = FieldOf(call.request, "at");
  if (!call.request.GetReflection()->HasField(call.request, field)) {
    return call.engine.View(std::nullopt);
  }
  const auto& at = static_cast<const v1::ReadPoint&>(
      call.request.GetReflection()->GetMessage(call.request, field));
  switch (at.point_case()) {
    case v1::ReadPoint::kRevision:
      return call.engine.View(at.revision());
    case v1::ReadPoint::kReadTime:
      return NotServedYet("at.read_time");
    case v1::ReadPoint::kSnapshot:
      return NotServedYet("at.snapshot");
    case v1::ReadPoint::POINT_NOT_SET:
      break;
  }
  return call.engine.View(std::nullopt);
}

absl::StatusOr<query::Mask> ReadMaskOf(const Call& call) {
  const auto& mask = GetMask(call.request, "read_mask");
  if (mask.paths().empty()) return query::Mask();
  return query::Mask::Parse(mask, call.method.resource->type, "read_mask");
}

// The bytes of a record as the mask leaves it.
absl::StatusOr<std::string> Encode(const Resource& resource, const Version& version,
                                   const query::Mask& mask) {
  std::string bytes;
  engine::AppendRecord(resource, version, &bytes);
  if (mask.everything()) return bytes;
  std::unique_ptr<Message> record(resource.prototype->New());
  if (!record->ParseFromString(bytes)) {
    return absl::DataLossError(
        absl::StrCat(resource.Name(version.id), ": its stored bytes can't be read"));
  }
  mask.Project(record.get());
  return engine::EncodePayload(*record);
}

// A response written field by field: its records are bytes already.
class ResponseWriter {
 public:
  explicit ResponseWriter(const Call& call) : type_(call.method.descriptor->output_type()) {}

  void Add(absl::string_view field, absl::string_view bytes) {
    if (records_ == nullptr) records_ = type_->FindFieldByName(std::string(field));
    Tag(records_->number(), 2);
    Varint(bytes.size());
    out_.append(bytes.data(), bytes.size());
  }
  void SetText(absl::string_view field, absl::string_view text) {
    if (text.empty()) return;
    Tag(type_->FindFieldByName(std::string(field))->number(), 2);
    Varint(text.size());
    out_.append(text.data(), text.size());
  }
  void SetNumber(absl::string_view field, int64_t number) {
    if (number == 0) return;
    Tag(type_->FindFieldByName(std::string(field))->number(), 0);
    Varint(static_cast<uint64_t>(number));
  }
  size_t size() const { return out_.size(); }
  Bytes Take() { return std::make_shared<std::string>(std::move(out_)); }

 private:
  void Tag(int number, int wire_type) { Varint(static_cast<uint64_t>(number) << 3 | wire_type); }
  void Varint(uint64_t value) {
    uint8_t buffer[10];
    uint8_t* end = CodedOutputStream::WriteVarint64ToArray(value, buffer);
    out_.append(reinterpret_cast<char*>(buffer), end - buffer);
  }

  const google::protobuf::Descriptor* type_;
  const FieldDescriptor* records_ = nullptr;
  std::string out_;
};

// Where a listing goes on, and the hash that ties its token to its arguments.
struct Page {
  store::ReadView view;
  std::string last;
  std::string arguments;
  int size = 0;
};

// Reads and clears page_size and page_token; what stays of the request are the arguments of the
// listing.
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

// Takes records for a page until it is full.
class PageFiller {
 public:
  PageFiller(const Call& call, const Page& page, const query::Mask& mask)
      : call_(call), page_(page), mask_(mask), response_(call) {}

  // False = no more. `position` is where the next page would start after this record.
  bool Take(const Version& version, std::string position) {
    if (taken_ % kRowsBetweenChecks == kRowsBetweenChecks - 1) {
      if (call_.context.cancelled && call_.context.cancelled()) status_ = CallCancelled();
      if (call_.context.deadline <= absl::Now()) status_ = DeadlinePassed();
      if (!status_.ok()) return false;
    }
    if (taken_ == page_.size) {
      more_ = true;
      return false;
    }
    auto bytes = Encode(*call_.method.resource, version, mask_);
    if (!bytes.ok()) {
      status_ = bytes.status();
      return false;
    }
    if (taken_ > 0 && response_.size() + bytes->size() > kMaxPageBytes) {
      more_ = true;
      return false;
    }
    response_.Add(call_.method.resource->collection, *bytes);
    ++taken_;
    last_ = std::move(position);
    return true;
  }

  absl::Status status() const { return status_; }

  std::string NextPageToken() const {
    if (!more_) return "";
    return query::SealPageToken({page_.view, last_}, page_.arguments, call_.engine.page_token_key(),
                                absl::Now());
  }

  ResponseWriter& response() { return response_; }

 private:
  const Call& call_;
  const Page& page_;
  const query::Mask& mask_;
  ResponseWriter response_;
  absl::Status status_;
  int taken_ = 0;
  bool more_ = false;
  std::string last_;
};

absl::StatusOr<Bytes> Get(const Call& call) {
  const Resource& resource = *call.method.resource;
  std::string id;
  absl::Status status = ParseRecordName(resource, GetString(call.request, "name"), "name", &id);
  if (status.ok() && !Has(call.request, "at") && !Has(call.request, "read_mask")) {
    return call.engine.GetNewest(resource, id);
  }
  auto mask = ReadMaskOf(call);
  Collect(mask.status(), &status);
  if (!status.ok()) return status;
  auto view = ViewOf(call);
  if (!view.ok()) return view.status();
  auto version = call.engine.Get(resource, id, *view);
  if (!version.ok()) return version.status();
  auto bytes = Encode(resource, *version, *mask);
  if (!bytes.ok()) return bytes.status();
  return std::make_shared<std::string>(*std::move(bytes));
}

absl::StatusOr<Bytes> List(const Call& call) {
  if (!GetString(call.request, "filter").empty()) return NotServedYet("filter");
  if (!GetString(call.request, "order_by").empty()) return NotServedYet("order_by");
  if (GetBool(call.request, "return_total_size")) return NotServedYet("return_total_size");
  auto mask = ReadMaskOf(call);
  absl::Status status = mask.status();
  const bool show_deleted = GetBool(call.request, "show_deleted");
  auto page = PageOf(call);
  Collect(page.status(), &status);
  if (!status.ok()) return status;
  PageFiller filler(call, *page, *mask);
  status = call.engine.List(*call.method.resource, page->last, page->view, show_deleted,
                            [&](Version& version) { return filler.Take(version, version.id); });
  if (status.ok()) status = filler.status();
  if (!status.ok()) return status;
  filler.response().SetText("next_page_token", filler.NextPageToken());
  filler.response().SetNumber("revision", page->view.revision);
  return filler.response().Take();
}

absl::StatusOr<Bytes> ListRevisions(const Call& call) {
  const Resource& resource = *call.method.resource;
  std::string id;
  absl::Status status = ParseRecordName(resource, GetString(call.request, "name"), "name", &id);
  auto mask = ReadMaskOf(call);
  Collect(mask.status(), &status);
  auto page = PageOf(call);
  Collect(page.status(), &status);
  if (!status.ok()) return status;
  if (auto newest = call.engine.Get(resource, id, page->view); !newest.ok()) {
    return newest.status();
  }
  store::Revision before = page->view.revision + 1;
  if (!page->last.empty() && !absl::SimpleAtoi(page->last, &before)) {
    return absl::InternalError("a sealed page token holds no revision");
  }
  PageFiller filler(call, *page, *mask);
  status = call.engine.Revisions(resource, id, before, [&](Version& version) {
    return filler.Take(version, absl::StrCat(version.since));
  });
  if (status.ok()) status = filler.status();
  if (!status.ok()) return status;
  filler.response().SetText("next_page_token", filler.NextPageToken());
  return filler.response().Take();
}

absl::StatusOr<Bytes> BatchGet(const Call& call) {
  const Resource& resource = *call.method.resource;
  const auto* reflection = call.request.GetReflection();
  const FieldDescriptor* names = FieldOf(call.request, "names");
  const int count = reflection->FieldSize(call.request, names);
  if (count == 0) return InvalidField("names", "at least one is required");
  if (count > kMaxBatchGetNames) {
    return InvalidFields({{"names", absl::StrCat("at most ", kMaxBatchGetNames, ", got ", count)}},
                         v1::LIMIT_EXCEEDED);
  }
  absl::Status status;
  std::vector<std::string> ids(count);
  for (int i = 0; i < count; ++i) {
    Collect(ParseRecordName(resource, reflection->GetRepeatedString(call.request, names, i),
                            absl::StrCat("names[", i, "]"), &ids[i]),
            &status);
  }
  auto mask = ReadMaskOf(call);
  Collect(mask.status(), &status);
  if (!status.ok()) return status;
  auto view = ViewOf(call);
  if (!view.ok()) return view.status();
  ResponseWriter response(call);
  for (const std::string& id : ids) {
    auto version = call.engine.Get(resource, id, *view);
    if (!version.ok()) return version.status();
    auto bytes = Encode(resource, *version, *mask);
    if (!bytes.ok()) return bytes.status();
    if (response.size() + bytes->size() > kMaxBatchGetBytes) {
      return InvalidFields(
          {{"names", absl::StrCat("the records together take more than ", kMaxBatchGetBytes,
                                  " bytes; ask for fewer, or for fewer fields")}},
          v1::LIMIT_EXCEEDED);
    }
    response.Add(resource.collection, *bytes);
  }
  response.SetNumber("revision", view->revision);
  return response.Take();
}

}  // namespace

void HandleGet(const Call& call, Done done) { done(Get(call)); }
void HandleList(const Call& call, Done done) { done(List(call)); }
void HandleListRevisions(const Call& call, Done done) { done(ListRevisions(call)); }
void HandleBatchGet(const Call& call, Done done) { done(BatchGet(call)); }

}  // namespace detente::api
