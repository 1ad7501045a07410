#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "api/method.h"
#include "api/page.h"
#include "api/request.h"
#include "api/selected.h"
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

// Adds it to what the store looks for.
void OnlyReviewed(const Resource& resource, Selected* selected) {
  const auto column =
      resource.columns->FindColumn({resource.type->FindFieldByNumber(engine::kReviewState)});
  store::Condition reviewed;
  reviewed.kind = store::Condition::Kind::kCompare;
  reviewed.column = column.value_or(0);
  reviewed.value = int64_t{v1::Record::REVIEWED};
  for (store::Condition* condition : {&selected->selection.heads, &selected->selection.past}) {
    store::Condition both;
    both.kind = store::Condition::Kind::kAnd;
    both.children = {reviewed, std::move(*condition)};
    *condition = std::move(both);
  }
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

// The row of `last`, after which a page goes on.
absl::Status CheckLast(const Call& call, const std::string& last) {
  if (last.empty()) return absl::OkStatus();
  // A record's row is there for ever, under its name, unless it is erased.
  auto found = call.engine.Get(*call.method.resource, last, {INT64_MAX});
  if (ReasonOf(found.status()) == v1::RECORD_NOT_FOUND) {
    return Error(absl::StatusCode::kAborted, v1::PAGE_TOKEN_EXPIRED,
                 "page_token: the last record of the page before has been erased; list again");
  }
  return found.status();
}

// How many a listing returns on all its pages.
absl::StatusOr<int64_t> TotalSize(const Call& call, const Selected& selected, Teller* teller) {
  const Resource& resource = *call.method.resource;
  if (teller->telling().as_told_by.empty()) return CountSelected(call, resource, selected);
  int64_t count = 0;
  absl::Status failure;
  Selected unordered = selected;
  unordered.selection.order.clear();
  absl::Status status =
      VisitSelected(call, resource, unordered, kMaxPageSize, [&](Version& version) {
        auto bytes = Encode(resource, version, query::Mask(), teller, /*only_spoken_of=*/true);
        failure = bytes.status();
        if (bytes.ok() && !bytes->empty()) ++count;
        return failure.ok();
      });
  Collect(failure, &status);
  if (!status.ok()) return status;
  return count;
}

absl::StatusOr<Bytes> List(const Call& call) {
  const Resource& resource = *call.method.resource;
  const bool reviewed_only = GetBool(call.request, "reviewed_only");
  const bool with_total = GetBool(call.request, "return_total_size");
  auto shape = ShapeOf(call);
  absl::Status status = shape.status();
  auto selected = SelectedOf(call, resource);
  Collect(selected.status(), &status);
  auto page = PageOf(call);
  Collect(page.status(), &status);
  if (!status.ok()) return status;
  Teller teller(call, shape->telling, page->view);
  if (status = teller.Check(); !status.ok()) return status;
  const bool plain = selected->everything();
  selected->selection.view = page->view;
  if (reviewed_only) OnlyReviewed(resource, &*selected);
  PageFiller filler(call, *page, resource.collection);
  auto take = [&](Version& version) {
    auto bytes = Encode(resource, version, shape->mask, &teller, /*only_spoken_of=*/true);
    if (bytes.ok() && bytes->empty() && !shape->telling.plain()) return filler.GoOn();
    return filler.Take(bytes, version.id);
  };
  if (plain) {
    if (status = CheckLast(call, page->last); !status.ok()) return status;
    status = call.engine.List(
        resource, page->last, page->view, selected->selection.show_deleted, [&](Version& version) {
          return reviewed_only && !IsReviewed(version.payload) ? filler.GoOn() : take(version);
        });
  } else if (Selected rest = *selected; selected->exact() && shape->telling.plain()) {
    // Nothing is read beside, so the rows need not be held.
    rest.selection.after = page->last;
    rest.selection.limit = page->size + 1;
    status = call.engine.Select(resource, rest.selection, take);
  } else {
    rest.selection.after = page->last;
    status = VisitSelected(call, resource, rest, page->size + 1, take);
  }
  if (status.ok()) status = filler.status();
  if (!status.ok()) return status;
  filler.response().SetText("next_page_token", filler.NextPageToken());
  if (with_total) {
    auto total = TotalSize(call, *selected, &teller);
    if (!total.ok()) return total.status();
    filler.response().SetNumber("total_size", *total);
  }
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
