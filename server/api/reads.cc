#include <memory>
#include <optional>
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
#include "query/mask.h"
#include "store/record.h"

namespace detente::api {
namespace {

using engine::Resource;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
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

// Of a record that a source does not speak of: its identity, or nothing.
enum class Untold { kBare, kNothing };

// Records as a call returns them.
class Encoder {
 public:
  // `call` and `shape` outlive it.
  Encoder(const Call& call, const Shape& shape, const store::ReadView& view, Untold untold)
      : resource_(*call.method.resource),
        mask_(shape.mask),
        teller_(call, shape.telling, view),
        untold_(untold) {}

  // Records are returned as they are kept.
  bool plain() const { return mask_.everything() && teller_.telling().plain(); }

  // INVALID_ARGUMENT where the source that tells is not there.
  absl::Status Check() { return teller_.Check(); }

  // `record`: where it was parsed before. What is returned lives as long as `bytes`, until the next
  // call.
  absl::StatusOr<std::optional<absl::string_view>> Encode(
      absl::string_view bytes, std::unique_ptr<Message> record = nullptr) {
    if (plain()) return bytes;
    if (record == nullptr) {
      auto parsed = engine::ParseRecord(resource_, bytes);
      if (!parsed.ok()) return parsed.status();
      record = *std::move(parsed);
    }
    if (!teller_.telling().plain()) {
      auto told = teller_.Tell(resource_, *record);
      if (!told.ok()) return told.status();
      if (*told == nullptr && untold_ == Untold::kNothing) return std::nullopt;
      record = *told == nullptr ? Teller::Bare(resource_, *record) : *std::move(told);
    }
    mask_.Project(record.get());
    bytes_ = engine::EncodePayload(*record);
    return absl::string_view(bytes_);
  }

 private:
  const Resource& resource_;
  const query::Mask& mask_;
  Teller teller_;
  const Untold untold_;
  std::string bytes_;
};

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
  Encoder encoder(call, *shape, *view, Untold::kBare);
  if (status = encoder.Check(); !status.ok()) return status;
  auto version = call.engine.Get(resource, id, *view);
  if (!version.ok()) return version.status();
  const std::string record = engine::RecordOf(resource, *version);
  auto bytes = encoder.Encode(record);
  if (!bytes.ok()) return bytes.status();
  return std::make_shared<std::string>(**bytes);
}

// Visits the rows of a page. `plain`: they are all that is read.
absl::Status VisitPage(const Call& call, const Page& page, bool plain, Selected* selected,
                       RecordVisitor take) {
  const Resource& resource = *call.method.resource;
  auto take_row = [&](const store::Row& row) { return take(row.record, nullptr); };
  absl::Status status;
  if (selected->everything()) {
    if (!page.last.empty()) status = call.engine.Get(resource, page.last, page.view).status();
    if (status.ok()) {
      status = call.engine.ListRows(resource, page.last, page.view,
                                    selected->selection.show_deleted, take_row);
    }
  } else {
    selected->selection.after = page.last;
    selected->selection.limit = page.size + 1;
    // Where nothing is read beside them the rows need not be held.
    status = plain && selected->exact()
                 ? call.engine.Select(resource, selected->selection, take_row)
                 : VisitSelected(call, resource, *selected, page.size + 1, take);
  }
  if (ReasonOf(status) != v1::RECORD_NOT_FOUND) return status;
  // A record's row is there for ever, under its name, unless it is erased.
  return Error(absl::StatusCode::kAborted, v1::PAGE_TOKEN_EXPIRED,
               "page_token: the last record of the page before has been erased; list again");
}

// How many a listing returns on all its pages.
absl::StatusOr<int64_t> TotalSize(const Call& call, const Selected& selected, const Shape& shape,
                                  const store::ReadView& view) {
  const Resource& resource = *call.method.resource;
  if (shape.telling.as_told_by.empty()) return CountSelected(call, resource, selected);
  const Shape whole{query::Mask(), shape.telling};
  Encoder encoder(call, whole, view, Untold::kNothing);
  int64_t count = 0;
  absl::Status failure;
  Selected unordered = selected;
  unordered.selection.order.clear();
  unordered.selection.after.clear();
  absl::Status status = VisitSelected(call, resource, unordered, kMaxPageSize,
                                      [&](absl::string_view row, std::unique_ptr<Message> record) {
                                        auto bytes = encoder.Encode(row, std::move(record));
                                        failure = bytes.status();
                                        if (bytes.ok() && bytes->has_value()) ++count;
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
  Encoder encoder(call, *shape, page->view, Untold::kNothing);
  if (status = encoder.Check(); !status.ok()) return status;
  selected->selection.view = page->view;
  if (reviewed_only) OnlyReviewed(resource, &*selected);
  PageFiller filler(call, *page, resource.collection);
  auto take = [&](absl::string_view row, std::unique_ptr<Message> record) {
    if (encoder.plain()) return filler.TakeRecord(row);
    auto bytes = encoder.Encode(row, std::move(record));
    if (!bytes.ok()) return filler.Fail(bytes.status());
    return bytes->has_value() ? filler.Take(**bytes, store::IdOfRecord(row)) : filler.GoOn();
  };
  status = VisitPage(call, *page, shape->telling.plain(), &*selected, take);
  if (status.ok()) status = filler.status();
  if (!status.ok()) return status;
  filler.response().SetText("next_page_token", filler.NextPageToken());
  if (with_total) {
    auto total = TotalSize(call, *selected, *shape, page->view);
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
  const Shape shape{*std::move(mask), {}};
  Encoder encoder(call, shape, page->view, Untold::kBare);
  PageFiller filler(call, *page, resource.collection);
  status = call.engine.Revisions(resource, id, before, [&](Version& version) {
    const std::string record = engine::RecordOf(resource, version);
    auto bytes = encoder.Encode(record);
    if (!bytes.ok()) return filler.Fail(bytes.status());
    return filler.Take(**bytes, absl::StrCat(version.since));
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
  Encoder encoder(call, *shape, *view, Untold::kBare);
  if (status = encoder.Check(); !status.ok()) return status;
  ResponseWriter response(call);
  const int field = response.Find(resource.collection);
  for (const std::string& id : ids) {
    auto version = call.engine.Get(resource, id, *view);
    if (!version.ok()) return version.status();
    const std::string record = engine::RecordOf(resource, *version);
    auto bytes = encoder.Encode(record);
    if (!bytes.ok()) return bytes.status();
    if (response.size() + (*bytes)->size() > kMaxBatchGetBytes) {
      return InvalidFields(
          {{"names", absl::StrCat("the records together take more than ", kMaxBatchGetBytes,
                                  " bytes; ask for fewer, or for fewer fields")}},
          v1::LIMIT_EXCEEDED);
    }
    response.Add(field, **bytes);
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
