#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "api/method.h"
#include "api/page.h"
#include "api/request.h"
#include "api/told.h"
#include "detente/v1/values.pb.h"
#include "engine/validate.h"
#include "error/error.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "query/mask.h"

namespace detente::api {
namespace {

using engine::Resource;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::internal::WireFormatLite;
using store::Version;

absl::StatusOr<query::Mask> ReadMaskOf(const Call& call) {
  const auto& mask = GetMask(call.request, "read_mask");
  if (mask.paths().empty()) return query::Mask();
  return query::Mask::Parse(mask, call.method.resource->type, "read_mask");
}

// What a read returns of each record.
struct Shape {
  query::Mask mask;
  Telling telling;
};

absl::StatusOr<Shape> ShapeOf(const Call& call) {
  auto mask = ReadMaskOf(call);
  auto telling = TellingOf(call);
  absl::Status status = mask.status();
  Collect(telling.status(), &status);
  if (!status.ok()) return status;
  return Shape{*std::move(mask), *std::move(telling)};
}

// The bytes of a record as the mask leaves it, told so where there is a teller. Empty where a
// source does not speak of it and `only_spoken_of`.
absl::StatusOr<std::string> Encode(const Resource& resource, const Version& version,
                                   const query::Mask& mask, Teller* teller = nullptr,
                                   bool only_spoken_of = false) {
  if (teller != nullptr && teller->telling().plain()) teller = nullptr;
  if (mask.everything() && teller == nullptr) {
    std::string bytes;
    engine::AppendRecord(resource, version, &bytes);
    return bytes;
  }
  auto parsed = engine::ParseRecord(resource, version);
  if (!parsed.ok()) return parsed.status();
  std::unique_ptr<Message> record = *std::move(parsed);
  if (teller != nullptr) {
    auto told = teller->Tell(resource, *record);
    if (!told.ok()) return told.status();
    if (*told == nullptr && only_spoken_of) return std::string();
    record = *told == nullptr ? Teller::Bare(resource, *record) : *std::move(told);
  }
  mask.Project(record.get());
  return engine::EncodePayload(*record);
}

// Told without a look at the whole record: payloads have their fields in the order of the numbers.
bool IsReviewed(const std::string& payload) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(payload.data()),
                                            static_cast<int>(payload.size()));
  constexpr int kVarint = 0;
  while (const uint32_t tag = in.ReadTag()) {
    const int number = WireFormatLite::GetTagFieldNumber(tag);
    if (number > engine::kReviewState) return false;
    uint64_t state = 0;
    if (number == engine::kReviewState && (tag & 7) == kVarint) {
      return in.ReadVarint64(&state) && state == v1::Record::REVIEWED;
    }
    if (!WireFormatLite::SkipField(&in, tag)) return false;
  }
  return false;
}

absl::StatusOr<Bytes> Get(const Call& call) {
  const Resource& resource = *call.method.resource;
  std::string id;
  absl::Status status = ParseRecordName(resource, GetString(call.request, "name"), "name", &id);
  auto shape = ShapeOf(call);
  if (status.ok() && shape.ok() && shape->telling.plain() && !Has(call.request, "at") &&
      !Has(call.request, "read_mask")) {
    return call.engine.GetNewest(resource, id);
  }
  Collect(shape.status(), &status);
  if (!status.ok()) return status;
  auto view = ViewOf(call);
  if (!view.ok()) return view.status();
  Teller teller(call, shape->telling, *view);
  if (status = teller.Check(); !status.ok()) return status;
  auto version = call.engine.Get(resource, id, *view);
  if (!version.ok()) return version.status();
  auto bytes = Encode(resource, *version, shape->mask, &teller);
  if (!bytes.ok()) return bytes.status();
  return std::make_shared<std::string>(*std::move(bytes));
}

absl::StatusOr<Bytes> List(const Call& call) {
  if (!GetString(call.request, "filter").empty()) return NotServedYet("filter");
  if (!GetString(call.request, "order_by").empty()) return NotServedYet("order_by");
  if (GetBool(call.request, "return_total_size")) return NotServedYet("return_total_size");
  auto shape = ShapeOf(call);
  absl::Status status = shape.status();
  const bool show_deleted = GetBool(call.request, "show_deleted");
  const bool reviewed_only = GetBool(call.request, "reviewed_only");
  auto page = PageOf(call);
  Collect(page.status(), &status);
  if (!status.ok()) return status;
  Teller teller(call, shape->telling, page->view);
  if (status = teller.Check(); !status.ok()) return status;
  const Resource& resource = *call.method.resource;
  if (!page->last.empty()) {
    // A record's row is there for ever, under its name, unless it is erased.
    auto last = call.engine.Get(resource, page->last, {INT64_MAX});
    if (ReasonOf(last.status()) == v1::RECORD_NOT_FOUND) {
      return Error(absl::StatusCode::kAborted, v1::PAGE_TOKEN_EXPIRED,
                   "page_token: the last record of the page before has been erased; list again");
    }
    if (!last.ok()) return last.status();
  }
  PageFiller filler(call, *page, resource.collection);
  status = call.engine.List(resource, page->last, page->view, show_deleted, [&](Version& version) {
    if (reviewed_only && !IsReviewed(version.payload)) return filler.GoOn();
    auto bytes = Encode(resource, version, shape->mask, &teller, /*only_spoken_of=*/true);
    if (bytes.ok() && bytes->empty() && !shape->telling.plain()) return filler.GoOn();
    return filler.Take(bytes, version.id);
  });
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
  PageFiller filler(call, *page, resource.collection);
  status = call.engine.Revisions(resource, id, before, [&](Version& version) {
    return filler.Take(Encode(resource, version, *mask), absl::StrCat(version.since));
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
  auto shape = ShapeOf(call);
  Collect(shape.status(), &status);
  if (!status.ok()) return status;
  auto view = ViewOf(call);
  if (!view.ok()) return view.status();
  Teller teller(call, shape->telling, *view);
  if (status = teller.Check(); !status.ok()) return status;
  ResponseWriter response(call);
  for (const std::string& id : ids) {
    auto version = call.engine.Get(resource, id, *view);
    if (!version.ok()) return version.status();
    auto bytes = Encode(resource, *version, shape->mask, &teller);
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
