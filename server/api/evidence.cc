#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "api/method.h"
#include "api/page.h"
#include "api/request.h"
#include "api/told.h"
#include "detente/v1/record_service.pb.h"
#include "engine/validate.h"
#include "error/error.h"
#include "evidence/fields.h"
#include "query/nearest.h"

namespace detente::api {
namespace {

using engine::Resource;
using google::protobuf::Message;

constexpr size_t kMaxEvidenceBytes = 3 << 20;  // other clients take answers of 4 MiB
constexpr int kMaxFields = 200;

std::string DidYouMean(absl::string_view name, const engine::Registry& registry) {
  std::vector<absl::string_view> collections;
  for (const auto& resource : registry.resources()) collections.push_back(resource->collection);
  const std::string nearest = query::Nearest(name, collections);
  return nearest.empty() ? "" : absl::StrCat("; did you mean `", nearest, "`?");
}

// A record's name of any collection.
absl::StatusOr<const Resource*> ResourceOfName(const Call& call, const std::string& name,
                                               std::string* id) {
  const engine::Registry& registry = call.engine.registry();
  const absl::string_view collection = absl::string_view(name).substr(0, name.find('/'));
  const Resource* resource = registry.FindByCollection(collection);
  if (resource == nullptr && name.find('/') != std::string::npos) {
    return InvalidField(
        "name", absl::StrCat("`", name.substr(0, 128), "`: there is no collection `",
                             collection.substr(0, 64), "`", DidYouMean(collection, registry)));
  }
  if (resource == nullptr) resource = registry.resources()[0].get();  // for its example
  absl::Status status = ParseRecordName(*resource, name, "name", id);
  if (!status.ok()) return status;
  return resource;
}

absl::Status ParseFields(const google::protobuf::RepeatedPtrField<std::string>& texts,
                         const google::protobuf::Descriptor* type,
                         std::vector<query::Path>* paths) {
  if (texts.size() > kMaxFields) {
    return InvalidFields({{"fields", absl::StrCat("at most ", kMaxFields, ", got ", texts.size())}},
                         v1::LIMIT_EXCEEDED);
  }
  std::vector<Violation> violations;
  for (int i = 0; i < texts.size(); ++i) {
    auto path = query::ParsePath(texts[i], type);
    if (path.ok()) {
      paths->push_back(*std::move(path));
    } else {
      violations.push_back(
          {absl::StrCat("fields[", i, "]"),
           absl::StrCat("`", texts[i].substr(0, 256), "`: ", path.status().message())});
    }
  }
  return violations.empty() ? absl::OkStatus() : InvalidFields(violations);
}

absl::StatusOr<Bytes> GetEvidence(const Call& call) {
  const auto& request = static_cast<const v1::GetEvidenceRequest&>(call.request);
  std::string id;
  auto resource = ResourceOfName(call, request.name(), &id);
  if (!resource.ok()) return resource.status();
  std::vector<query::Path> fields;
  absl::Status status = ParseFields(request.fields(), (*resource)->type, &fields);
  if (!status.ok()) return status;
  auto view = ViewOf(call);
  if (!view.ok()) return view.status();
  auto version = call.engine.Get(**resource, id, *view);
  if (!version.ok()) return version.status();
  auto record = engine::ParsePayload(**resource, *version);
  if (!record.ok()) return record.status();
  SourceCache sources(call.engine, *view);
  const evidence::Dossier dossier(**resource, **record);
  auto evidence = evidence::EvidenceOf(
      dossier, fields, [&](absl::string_view name) { return sources.Find(name); },
      kMaxEvidenceBytes);
  if (!evidence.ok()) return evidence.status();
  evidence->set_name(request.name());
  evidence->set_revision(version->since);
  return std::make_shared<std::string>(engine::EncodePayload(*evidence));
}

absl::Status CollectionsOf(const Call& call, const v1::ListConflictsRequest& request,
                           std::vector<const Resource*>* out) {
  const engine::Registry& registry = call.engine.registry();
  std::vector<Violation> violations;
  for (int i = 0; i < request.collections_size(); ++i) {
    const std::string& name = request.collections(i);
    if (const Resource* resource = registry.FindByCollection(name)) {
      out->push_back(resource);
    } else {
      violations.push_back({absl::StrCat("collections[", i, "]"),
                            absl::StrCat("`", name.substr(0, 64), "`: there is no such collection",
                                         DidYouMean(name, registry))});
    }
  }
  if (!violations.empty()) return InvalidFields(violations);
  if (out->empty()) {
    for (const auto& resource : registry.resources()) out->push_back(resource.get());
  }
  std::sort(out->begin(), out->end(),
            [](const Resource* a, const Resource* b) { return a->collection < b->collection; });
  out->erase(std::unique(out->begin(), out->end()), out->end());
  return absl::OkStatus();
}

// Where a page of conflicts ended: the record, and the text of the field's path (empty = the record
// as a whole).
struct Position {
  std::string collection;
  std::string id;
  std::string path;
};

std::string Text(const Position& position) {
  return absl::StrCat(position.collection, "/", position.id, " ", position.path);
}

Position PositionOf(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(' ', 1));
  const std::pair<absl::string_view, absl::string_view> name =
      absl::StrSplit(parts.first, absl::MaxSplits('/', 1));
  return {std::string(name.first), std::string(name.second), std::string(parts.second)};
}

class ConflictLister {
 public:
  ConflictLister(const Call& call, const Page& page, const std::vector<query::Path>& fields,
                 PageFiller& filler)
      : fields_(fields), filler_(filler), sources_(call.engine, page.view) {}

  // The conflicts of a record, after that of `after` where it is given. False where the page is
  // full or has failed.
  bool Take(const Resource& resource, const store::Version& version, const std::string* after) {
    if (!filler_.GoOn()) return false;
    auto record = engine::ParsePayload(resource, version);
    if (!record.ok()) return filler_.Fail(record.status());
    const evidence::Dossier dossier(resource, **record);
    bool passed = after == nullptr;
    auto find = [&](absl::string_view name) { return sources_.Find(name); };
    if (fields_.empty() && dossier.IsWholeDisputed()) {
      if (passed &&
          !Add(resource, version, **record, "", evidence::WholeEvidenceOf(dossier, find))) {
        return false;
      }
      passed = passed || after->empty();
    }
    for (const evidence::CitedPath& cited : dossier.cited()) {
      const bool asked =
          fields_.empty() || std::any_of(fields_.begin(), fields_.end(), [&](const auto& path) {
            return query::Covers(path, cited.path);
          });
      if (!asked || !dossier.IsDisputed(cited)) continue;
      if (passed && !Add(resource, version, **record, cited.text,
                         evidence::FieldEvidenceOf(dossier, cited.path, find))) {
        return false;
      }
      passed = passed || cited.text == *after;
    }
    return true;
  }

 private:
  bool Add(const Resource& resource, const store::Version& version, const Message& record,
           const std::string& path, absl::StatusOr<v1::Evidence::FieldEvidence> evidence) {
    if (!evidence.ok()) return filler_.Fail(evidence.status());
    v1::Conflict conflict;
    conflict.set_name(resource.Name(version.id));
    conflict.set_revision(version.since);
    conflict.set_display_name(GetString(record, "display_name"));
    *conflict.mutable_evidence() = *std::move(evidence);
    return filler_.Take(engine::EncodePayload(conflict),
                        Text({resource.collection, version.id, path}));
  }

  const std::vector<query::Path>& fields_;
  PageFiller& filler_;
  SourceCache sources_;
};

absl::StatusOr<Bytes> ListConflicts(const Call& call) {
  const auto& request = static_cast<const v1::ListConflictsRequest&>(call.request);
  std::vector<const Resource*> resources;
  absl::Status status = CollectionsOf(call, request, &resources);
  std::vector<query::Path> fields;
  if (status.ok() && request.fields_size() > 0) {
    if (resources.size() != 1) {
      status = InvalidField("fields", "go with the one collection that has them, in `collections`");
    } else {
      status = ParseFields(request.fields(), resources[0]->type, &fields);
    }
  }
  auto page = PageOf(call);
  Collect(page.status(), &status);
  if (!status.ok()) return status;

  PageFiller filler(call, *page, "conflicts");
  ConflictLister lister(call, *page, fields, filler);
  const Position last = PositionOf(page->last);
  bool full = false;
  for (const Resource* resource : resources) {
    if (full || !status.ok() || resource->collection < last.collection) continue;
    const bool resumes = resource->collection == last.collection;
    if (resumes) {  // the record that the page before ended in may have more
      auto version = call.engine.Get(*resource, last.id, page->view);
      if (version.ok()) full = !lister.Take(*resource, *version, &last.path);
      if (!version.ok() && version.status().code() != absl::StatusCode::kNotFound) {
        return version.status();
      }
      if (full) break;
    }
    status = call.engine.List(*resource, resumes ? last.id : "", page->view,
                              /*show_deleted=*/false, [&](store::Version& version) {
                                full = !lister.Take(*resource, version, nullptr);
                                return !full;
                              });
  }
  if (status.ok()) status = filler.status();
  if (!status.ok()) return status;
  filler.response().SetText("next_page_token", filler.NextPageToken());
  filler.response().SetNumber("revision", page->view.revision);
  return filler.response().Take();
}

}  // namespace

void HandleGetEvidence(const Call& call, Done done) { done(GetEvidence(call)); }
void HandleListConflicts(const Call& call, Done done) { done(ListConflicts(call)); }

}  // namespace detente::api
