// Commits, and what differs between revisions.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "api/method.h"
#include "api/page.h"
#include "api/request.h"
#include "detente/v1/commit_service.pb.h"
#include "error/error.h"
#include "query/diff.h"

namespace detente::api {
namespace {

using engine::Resource;
using google::protobuf::Message;
using google::protobuf::Timestamp;
using MaybeVersion = std::optional<store::Version>;

int64_t MicrosOf(const Timestamp& time) {
  const int64_t micros =
      absl::ToUnixMicros(absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos()));
  return std::max(micros, INT64_MIN + 1);  // one less is a time, too
}

absl::StatusOr<std::unique_ptr<Message>> Parse(const Resource& resource,
                                               const MaybeVersion& version) {
  // An absent record and a deleted one have no content.
  if (!version.has_value() || version->delete_time != 0) {
    return std::unique_ptr<Message>(resource.prototype->New());
  }
  return engine::ParsePayload(resource, *version);
}

// So that it fits into an answer.
void Shorten(v1::RecordChange* change) {
  constexpr size_t kMostBytes = 3 << 20;
  constexpr size_t kLargeValue = 4 << 10;
  size_t bytes = change->ByteSizeLong();
  if (bytes <= kMostBytes) return;
  change->set_shortened(true);
  std::vector<std::pair<size_t, v1::FieldChange*>> large;
  for (v1::FieldChange& field : *change->mutable_fields()) {
    const size_t values = field.old_value().size() + field.new_value().size();
    if (values > kLargeValue) large.emplace_back(values, &field);
  }
  std::sort(large.rbegin(), large.rend());
  for (const auto& [values, field] : large) {
    if (bytes <= kMostBytes) return;
    field->clear_old_value();
    field->clear_new_value();
    bytes -= values;
  }
  while (bytes > kMostBytes && change->fields_size() > 0) {
    bytes -= std::min(bytes, change->fields().rbegin()->ByteSizeLong());
    change->mutable_fields()->RemoveLast();
  }
}

// What differs between two states of a record; without a kind where nothing does.
absl::StatusOr<v1::RecordChange> ChangeBetween(const Resource& resource, const std::string& id,
                                               const MaybeVersion& before,
                                               const MaybeVersion& after) {
  v1::RecordChange change;
  const bool was = before.has_value() && before->delete_time == 0;
  const bool is = after.has_value() && after->delete_time == 0;
  const bool erased = after.has_value() && after->payload.empty();
  if (!was && !is && !erased) return change;
  auto old_record = Parse(resource, before);
  if (!old_record.ok()) return old_record.status();
  auto new_record = Parse(resource, after);
  if (!new_record.ok()) return new_record.status();
  query::Diff(**old_record, **new_record, change.mutable_fields());
  Shorten(&change);
  if (was && is && change.fields().empty()) return change;
  change.set_name(resource.Name(id));
  change.set_kind(erased                     ? v1::RecordChange::ERASED
                  : was && is                ? v1::RecordChange::UPDATED
                  : is && before.has_value() ? v1::RecordChange::UNDELETED
                  : is                       ? v1::RecordChange::CREATED
                                             : v1::RecordChange::DELETED);
  return change;
}

void Fill(const store::Commit& commit, v1::Commit* out) {
  out->set_name(absl::StrCat("commits/", commit.revision));
  out->set_revision(commit.revision);
  *out->mutable_create_time() = TimestampOf(commit.time);
  out->set_actor(commit.actor);
  out->set_reason(commit.reason);
  out->set_method(commit.method);
}

absl::Status FillChanges(store::Reader& reader, v1::Commit* out) {
  auto touched = reader.Touches(out->revision());
  if (!touched.ok()) return touched.status();
  for (const store::Touched& record : *touched) {
    auto* change = out->add_changes();
    change->set_name(absl::StrCat(record.collection, "/", record.id));
    change->set_kind(static_cast<v1::RecordChange::Kind>(record.change));
  }
  return absl::OkStatus();
}

absl::StatusOr<Bytes> GetCommit(const Call& call) {
  const std::string name = GetString(call.request, "name");
  std::string id;
  if (absl::Status s = ParseId("commits", name, "name", &id); !s.ok()) return s;
  store::Revision revision = 0;
  auto reader = call.engine.LeaseReader();
  if (!reader.ok()) return reader.status();
  std::optional<store::Commit> commit;
  if (absl::SimpleAtoi(id, &revision) && id == absl::StrCat(revision)) {
    auto found = (*reader)->FindCommit(revision);
    if (!found.ok()) return found.status();
    commit = *std::move(found);
  }
  if (!commit.has_value()) {
    return Error(absl::StatusCode::kNotFound, v1::RECORD_NOT_FOUND,
                 absl::StrCat(name, ": no such commit; they are named by their revisions"),
                 {{"name", name}});
  }
  v1::Commit out;
  Fill(*commit, &out);
  if (absl::Status s = FillChanges(**reader, &out); !s.ok()) return s;
  return std::make_shared<std::string>(out.SerializeAsString());
}

// The commits that changed one record, from its versions.
absl::Status FillWithRecord(store::Reader& reader, const Resource& resource, const std::string& id,
                            const store::CommitFilter& filter, store::Revision before,
                            PageFiller* filler) {
  // Each version beside the one before it: the listing is over before other tables are read.
  std::vector<store::Version> versions;
  constexpr size_t kBatch = 64;
  while (true) {
    versions.clear();
    absl::Status status =
        reader.Revisions(resource.collection, id, before, [&](store::Version& version) {
          versions.push_back(std::move(version));
          return versions.size() <= kBatch;
        });
    if (!status.ok()) return status;
    const size_t whole = std::min(versions.size(), kBatch);
    for (size_t i = 0; i < whole; ++i) {
      if (!filler->GoOn()) return filler->status();
      auto commit = reader.FindCommit(versions[i].since);
      if (!commit.ok()) return commit.status();
      if (!commit->has_value()) return absl::DataLossError("a version without a commit");
      if ((*commit)->time < filter.start_time) return absl::OkStatus();
      if ((*commit)->time >= filter.end_time ||
          (!filter.actor.empty() && (*commit)->actor != filter.actor)) {
        continue;
      }
      v1::Commit out;
      Fill(**commit, &out);
      auto change = ChangeBetween(
          resource, id, i + 1 < versions.size() ? MaybeVersion(versions[i + 1]) : std::nullopt,
          versions[i]);
      if (!change.ok()) return change.status();
      change->set_name(resource.Name(id));
      auto kind = reader.ChangeOf(out.revision(), resource.collection, id);
      if (!kind.ok()) return kind.status();
      // Commits of the first format do not say: then it is what the two versions tell.
      if (kind->value_or(store::Change::kUnknown) != store::Change::kUnknown) {
        change->set_kind(static_cast<v1::RecordChange::Kind>(**kind));
      }
      *out.add_changes() = *std::move(change);
      if (!filler->Take(out.SerializeAsString(), absl::StrCat(out.revision()))) {
        return filler->status();
      }
    }
    if (versions.size() <= kBatch) return absl::OkStatus();
    before = versions[kBatch - 1].since;
  }
}

absl::StatusOr<Bytes> ListCommits(const Call& call) {
  const auto& request = static_cast<const v1::ListCommitsRequest&>(call.request);
  const Resource* resource = nullptr;
  std::string id;
  absl::Status status;
  if (!request.record().empty()) {
    status = ParseAnyName(call.engine.registry(), request.record(), "record", &resource, &id);
  }
  store::CommitFilter filter;
  filter.actor = request.actor();
  if (request.has_start_time()) filter.start_time = MicrosOf(request.start_time());
  if (request.has_end_time()) filter.end_time = MicrosOf(request.end_time());
  if (filter.start_time > filter.end_time) {
    Collect(InvalidField("end_time", "not before start_time expected"), &status);
  }
  auto page = PageOf(call);
  Collect(page.status(), &status);
  if (!status.ok()) return status;
  store::Revision before = page->view.revision + 1;
  if (!page->last.empty() && !absl::SimpleAtoi(page->last, &before)) {
    return absl::InternalError("a sealed page token holds no revision");
  }
  auto reader = call.engine.LeaseReader();
  if (!reader.ok()) return reader.status();
  PageFiller filler(call, *page, "commits");
  if (resource != nullptr) {
    auto version = call.engine.Get(*resource, id, page->view);
    if (!version.ok()) return version.status();
    status = FillWithRecord(**reader, *resource, id, filter, before, &filler);
  } else {
    // One page's worth is read before its changes are looked up.
    std::vector<store::Commit> commits;
    status = (*reader)->Commits(filter, before, [&](store::Commit& commit) {
      commits.push_back(std::move(commit));
      return commits.size() <= static_cast<size_t>(page->size);
    });
    for (size_t i = 0; status.ok() && i < commits.size(); ++i) {
      v1::Commit out;
      Fill(commits[i], &out);
      status = FillChanges(**reader, &out);
      if (status.ok() && !filler.Take(out.SerializeAsString(), absl::StrCat(out.revision()))) break;
    }
  }
  if (status.ok()) status = filler.status();
  if (!status.ok()) return status;
  filler.response().SetText("next_page_token", filler.NextPageToken());
  filler.response().SetNumber("revision", page->view.revision);
  return filler.response().Take();
}

// One record, or the next ones that changed between the two.
absl::Status FillDiff(const Call& call, store::Reader& reader, const Resource* only,
                      const std::string& only_id, store::Revision base, store::Revision target,
                      const std::string& last, PageFiller* filler) {
  const engine::Registry& registry = call.engine.registry();
  auto take = [&](const Resource& resource, const std::string& id) -> absl::StatusOr<bool> {
    if (!filler->GoOn()) return false;
    auto before = reader.Get(resource.collection, id, {base});
    if (!before.ok()) return before.status();
    auto after = reader.Get(resource.collection, id, {target});
    if (!after.ok()) return after.status();
    if (!before->has_value() && !after->has_value() && only != nullptr) {
      const std::string name = resource.Name(id);
      return Error(absl::StatusCode::kNotFound, v1::RECORD_NOT_FOUND,
                   absl::StrCat(name, ": no such record at either revision"), {{"name", name}});
    }
    auto change = ChangeBetween(resource, id, *before, *after);
    if (!change.ok()) return change.status();
    if (change->kind() == v1::RecordChange::KIND_UNSPECIFIED) return true;
    return filler->Take(change->SerializeAsString(), change->name());
  };
  if (only != nullptr) return take(*only, only_id).status();
  const size_t slash = last.find('/');
  store::Touched after;
  if (slash != std::string::npos) after = {last.substr(0, slash), last.substr(slash + 1)};
  constexpr size_t kBatch = 256;
  while (true) {
    std::vector<store::Touched> names;
    absl::Status status = reader.Changed(std::min(base, target), std::max(base, target), after,
                                         [&](store::Touched& touched) {
                                           names.push_back(std::move(touched));
                                           return names.size() < kBatch;
                                         });
    if (!status.ok() || names.empty()) return status;
    for (const store::Touched& record : names) {
      const Resource* resource = registry.FindByCollection(record.collection);
      if (resource == nullptr) continue;
      auto more = take(*resource, record.id);
      if (!more.ok() || !*more) return more.status();
    }
    after = names.back();
  }
}

absl::StatusOr<Bytes> DiffRevisions(const Call& call) {
  const auto& request = static_cast<const v1::DiffRevisionsRequest&>(call.request);
  const Resource* resource = nullptr;
  std::string id;
  absl::Status status;
  if (!request.record().empty()) {
    status = ParseAnyName(call.engine.registry(), request.record(), "record", &resource, &id);
  }
  auto base = request.has_base() ? ViewOf(call, "base") : store::ReadView{0};
  Collect(base.status(), &status);
  auto target = ViewOf(call, "target");
  Collect(target.status(), &status);
  auto page = PageOf(call);
  Collect(page.status(), &status);
  if (!status.ok()) return status;
  // Without a target, the newest state: of the first page.
  if (!request.has_target()) *target = page->view;
  auto reader = call.engine.LeaseReader();
  if (!reader.ok()) return reader.status();
  PageFiller filler(call, *page, "changes");
  status =
      FillDiff(call, **reader, resource, id, base->revision, target->revision, page->last, &filler);
  if (status.ok()) status = filler.status();
  if (!status.ok()) return status;
  filler.response().SetText("next_page_token", filler.NextPageToken());
  filler.response().SetNumber("base_revision", base->revision);
  filler.response().SetNumber("target_revision", target->revision);
  return filler.response().Take();
}

}  // namespace

void HandleGetCommit(const Call& call, Done done) { done(GetCommit(call)); }
void HandleListCommits(const Call& call, Done done) { done(ListCommits(call)); }
void HandleDiffRevisions(const Call& call, Done done) { done(DiffRevisions(call)); }

}  // namespace detente::api
