// Snapshots, and what their checksums are made of.
#include "engine/snapshots.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "api/method.h"
#include "api/page.h"
#include "api/request.h"
#include "detente/v1/snapshot_service.pb.h"
#include "engine/validate.h"
#include "error/error.h"

namespace detente::api {
namespace {

v1::Snapshot MessageOf(const store::Snapshot& snapshot) {
  v1::Snapshot out;
  out.set_name("snapshots/" + snapshot.id);
  out.set_revision(snapshot.revision);
  out.set_title(snapshot.title);
  *out.mutable_create_time() = TimestampOf(snapshot.create_time);
  out.set_actor(snapshot.actor);
  out.set_checksum(snapshot.checksum);
  out.set_record_count(snapshot.record_count);
  out.set_erased_count(snapshot.erased_count);
  out.set_current_checksum(snapshot.current_checksum);
  if (snapshot.delete_time != 0) *out.mutable_delete_time() = TimestampOf(snapshot.delete_time);
  return out;
}

absl::StatusOr<Bytes> Answer(const absl::StatusOr<store::Snapshot>& snapshot) {
  if (!snapshot.ok()) return snapshot.status();
  return std::make_shared<std::string>(MessageOf(*snapshot).SerializeAsString());
}

absl::StatusOr<Bytes> CreateSnapshot(const Call& call) {
  if (absl::Status s = engine::RejectUnknownFields(call.request, ""); !s.ok()) return s;
  const auto& request = static_cast<const v1::CreateSnapshotRequest&>(call.request);
  engine::SnapshotRequest snapshot;
  absl::Status status = NewId("snapshots", request.snapshot_id(), request.snapshot().name(),
                              "snapshot_id", "snapshot.name", &snapshot.id);
  if (status.ok() && snapshot.id.empty()) {
    status = InvalidField("snapshot_id", "is required: a snapshot is cited by it");
  }
  if (!status.ok()) return status;
  if (request.snapshot().revision() != 0) snapshot.revision = request.snapshot().revision();
  snapshot.title = request.snapshot().title();
  snapshot.caller = call.context.caller;
  snapshot.deadline = call.context.deadline;
  snapshot.cancelled = call.context.cancelled;
  return Answer(call.engine.CreateSnapshot(snapshot));
}

absl::StatusOr<Bytes> GetSnapshot(const Call& call) {
  std::string id;
  absl::Status status = ParseId("snapshots", GetString(call.request, "name"), "name", &id);
  return status.ok() ? Answer(call.engine.GetSnapshot(id)) : status;
}

absl::StatusOr<Bytes> DeleteSnapshot(const Call& call) {
  if (absl::Status s = engine::RejectUnknownFields(call.request, ""); !s.ok()) return s;
  std::string id;
  absl::Status status = ParseId("snapshots", GetString(call.request, "name"), "name", &id);
  return status.ok() ? Answer(call.engine.DeleteSnapshot(id)) : status;
}

absl::StatusOr<Bytes> ListSnapshots(const Call& call) {
  const bool show_deleted = GetBool(call.request, "show_deleted");
  auto page = PageOf(call);
  if (!page.ok()) return page.status();
  auto reader = call.engine.LeaseReader();
  if (!reader.ok()) return reader.status();
  PageFiller filler(call, *page, "snapshots");
  absl::Status status = (*reader)->Snapshots(page->last, [&](store::Snapshot& snapshot) {
    if (snapshot.delete_time != 0 && !show_deleted) return filler.GoOn();
    return filler.Take(MessageOf(snapshot).SerializeAsString(), snapshot.id);
  });
  if (status.ok()) status = filler.status();
  if (!status.ok()) return status;
  filler.response().SetText("next_page_token", filler.NextPageToken());
  return filler.response().Take();
}

absl::StatusOr<Bytes> ListSnapshotEntries(const Call& call) {
  std::string id;
  absl::Status status = ParseId("snapshots", GetString(call.request, "name"), "name", &id);
  auto page = PageOf(call);
  Collect(page.status(), &status);
  if (!status.ok()) return status;
  auto view = call.engine.ViewAtSnapshot(id);
  if (!view.ok()) return view.status();
  auto reader = call.engine.LeaseReader();
  if (!reader.ok()) return reader.status();
  PageFiller filler(call, *page, "entries");
  status = engine::VisitEntries(**reader, call.engine.registry(), *view, page->last,
                                [&](engine::SnapshotEntry& entry) {
                                  v1::SnapshotEntry out;
                                  out.set_name(entry.name);
                                  out.set_revision(entry.revision);
                                  out.set_salt(absl::BytesToHexString(entry.salt));
                                  out.set_json(std::move(entry.json));
                                  out.set_leaf(entry.leaf);
                                  out.set_erased(entry.erased);
                                  return filler.Take(out.SerializeAsString(), entry.name);
                                });
  if (status.ok()) status = filler.status();
  if (!status.ok()) return status;
  filler.response().SetText("next_page_token", filler.NextPageToken());
  return filler.response().Take();
}

}  // namespace

void HandleCreateSnapshot(const Call& call, Done done) { done(CreateSnapshot(call)); }
void HandleGetSnapshot(const Call& call, Done done) { done(GetSnapshot(call)); }
void HandleListSnapshots(const Call& call, Done done) { done(ListSnapshots(call)); }
void HandleDeleteSnapshot(const Call& call, Done done) { done(DeleteSnapshot(call)); }
void HandleListSnapshotEntries(const Call& call, Done done) { done(ListSnapshotEntries(call)); }

}  // namespace detente::api
