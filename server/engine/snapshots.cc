#include "engine/snapshots.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/engine.h"
#include "error/error.h"
#include "values/json.h"
#include "values/sha256.h"

namespace detente::engine {
namespace {

constexpr size_t kBatch = 500;
constexpr size_t kMaxTitleBytes = 1'024;

std::vector<const Resource*> ByCollection(const Registry& registry) {
  std::vector<const Resource*> resources;
  for (const auto& resource : registry.resources()) resources.push_back(resource.get());
  std::sort(resources.begin(), resources.end(),
            [](const Resource* a, const Resource* b) { return a->collection < b->collection; });
  return resources;
}

// False where the version is no part of a snapshot: deleted, and not by an erasure.
absl::StatusOr<bool> FillEntry(store::Reader& reader, const Resource& resource,
                               const store::Version& version, SnapshotEntry* entry) {
  auto kept = reader.KeptLeaf(resource.collection, version.id, version.since);
  if (!kept.ok()) return kept.status();
  if (version.delete_time != 0 && !kept->has_value()) return false;
  entry->name = resource.Name(version.id);
  entry->revision = version.since;
  entry->salt = version.salt;
  entry->erased = kept->has_value();
  entry->json.clear();
  if (!version.payload.empty()) {
    auto leaf = LeafOf(resource, version, &entry->json);
    if (!leaf.ok()) return leaf.status();
    entry->leaf = *std::move(leaf);
  }
  if (kept->has_value()) entry->leaf = **std::move(kept);
  return true;
}

}  // namespace

absl::StatusOr<std::string> LeafOf(const Resource& resource, const store::Version& version,
                                   std::string* json) {
  auto record = ParseRecord(resource, version);
  if (!record.ok()) return record.status();
  *json = values::ToJson(**record, values::JsonOf::kContent);
  return values::Sha256().Add(version.salt).Add(*json).Hex();
}

absl::Status VisitEntries(store::Reader& reader, const Registry& registry,
                          const store::ReadView& view, absl::string_view after,
                          absl::FunctionRef<bool(SnapshotEntry&)> visit) {
  const size_t slash = after.find('/');
  const absl::string_view first = after.substr(0, slash);
  for (const Resource* resource : ByCollection(registry)) {
    if (resource->collection < first) continue;
    std::string last;
    if (resource->collection == first && slash != absl::string_view::npos) {
      last = std::string(after.substr(slash + 1));
    }
    while (true) {
      // The listing is over before its rows are looked up in other tables.
      std::vector<store::Version> versions;
      absl::Status status =
          reader.List(resource->collection, last, view, true, [&](store::Version& version) {
            versions.push_back(std::move(version));
            return versions.size() < kBatch;
          });
      if (!status.ok()) return status;
      if (versions.empty()) break;
      for (const store::Version& version : versions) {
        SnapshotEntry entry;
        auto part = FillEntry(reader, *resource, version, &entry);
        if (!part.ok()) return part.status();
        if (*part && !visit(entry)) return absl::OkStatus();
      }
      last = versions.back().id;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Checksum> ChecksumOf(store::Reader& reader, const Registry& registry,
                                    const store::ReadView& view, absl::FunctionRef<bool()> go_on) {
  Checksum checksum;
  values::Sha256 sha;
  bool cancelled = false;
  absl::Status status = VisitEntries(reader, registry, view, "", [&](SnapshotEntry& entry) {
    sha.Add(absl::StrCat(entry.name, " ", entry.revision, " ", entry.leaf, "\n"));
    ++checksum.record_count;
    checksum.erased_count += entry.erased ? 1 : 0;
    cancelled = checksum.record_count % 256 == 0 && !go_on();
    return !cancelled;
  });
  if (!status.ok()) return status;
  if (cancelled) return CallCancelled();
  checksum.digits = sha.Hex();
  return checksum;
}

absl::StatusOr<store::Snapshot> Engine::GetSnapshot(absl::string_view id) {
  auto reader = LeaseReader();
  if (!reader.ok()) return reader.status();
  auto snapshot = (*reader)->FindSnapshot(id);
  if (!snapshot.ok()) return snapshot.status();
  if (snapshot->has_value()) return **std::move(snapshot);
  const std::string name = absl::StrCat("snapshots/", id);
  return Error(absl::StatusCode::kNotFound, v1::RECORD_NOT_FOUND,
               absl::StrCat(name, ": no such snapshot"), {{"name", name}});
}

absl::StatusOr<store::Snapshot> Engine::CreateSnapshot(const SnapshotRequest& request) {
  if (request.title.size() > kMaxTitleBytes) {
    return InvalidFields({{"snapshot.title", absl::StrCat("at most ", kMaxTitleBytes,
                                                          " bytes, got ", request.title.size())}},
                         v1::LIMIT_EXCEEDED);
  }
  if (read_only()) return ReadOnly();
  auto view = View(request.revision);
  if (!view.ok()) return view.status();
  const std::string name = absl::StrCat("snapshots/", request.id);
  auto taken = [&](const store::Snapshot& other) {
    const std::string state = other.delete_time != 0 ? "deleted" : "live";
    return Error(absl::StatusCode::kAlreadyExists, v1::RECORD_EXISTS,
                 absl::StrCat(name, ": the id is taken by a snapshot that is ", state,
                              "; an id is never given again"),
                 {{"name", name}, {"state", state}});
  };
  store::Snapshot snapshot;
  snapshot.id = request.id;
  snapshot.revision = view->revision;
  snapshot.title = request.title;
  snapshot.actor = request.caller;

  const int64_t erasures = erasures_;
  bool late = false;
  auto go_on = [&] {
    late = request.deadline <= absl::Now();
    return !late && !(request.cancelled && request.cancelled());
  };
  absl::StatusOr<Checksum> checksum = Checksum();
  {
    auto reader = LeaseReader();
    if (!reader.ok()) return reader.status();
    auto other = (*reader)->FindSnapshot(request.id);
    if (!other.ok()) return other.status();
    if (other->has_value()) return taken(**other);
    checksum = ChecksumOf(**reader, *registry_, *view, go_on);
  }
  if (!checksum.ok()) return late ? DeadlinePassed() : checksum.status();
  absl::Status status = RunAlone([&]() -> absl::Status {
    store::Writer* writer = writer_store_;
    auto other = writer->FindSnapshot(request.id);
    if (!other.ok()) return other.status();
    if (other->has_value()) return taken(**other);
    if (erasures != erasures_) {  // what was summed up is gone
      checksum = ChecksumOf(*writer, *registry_, *view, [] { return true; });
      if (!checksum.ok()) return checksum.status();
    }
    snapshot.create_time = absl::ToUnixMicros(absl::Now());
    snapshot.checksum = snapshot.current_checksum = checksum->digits;
    snapshot.record_count = checksum->record_count;
    snapshot.erased_count = checksum->erased_count;
    return WriteSnapshot(snapshot);
  });
  if (!status.ok()) return status;
  return snapshot;
}

absl::StatusOr<store::Snapshot> Engine::DeleteSnapshot(absl::string_view id) {
  absl::StatusOr<store::Snapshot> snapshot = GetSnapshot(id);
  if (!snapshot.ok()) return snapshot.status();
  absl::Status status = RunAlone([&]() -> absl::Status {
    auto now = writer_store_->FindSnapshot(id);
    if (!now.ok()) return now.status();
    if (!now->has_value() || (*now)->delete_time != 0) {
      const std::string name = absl::StrCat("snapshots/", id);
      return Error(absl::StatusCode::kNotFound, v1::SNAPSHOT_DELETED,
                   absl::StrCat(name, ": is deleted already"), {{"name", name}});
    }
    snapshot = **std::move(now);
    snapshot->delete_time = absl::ToUnixMicros(absl::Now());
    return WriteSnapshot(*snapshot);
  });
  if (!status.ok()) return status;
  return snapshot;
}

absl::Status Engine::WriteSnapshot(const store::Snapshot& snapshot) {
  store::Writer* writer = writer_store_;
  absl::Status status = writer->Begin();
  if (!status.ok()) return status;
  status = writer->PutSnapshot(snapshot);
  if (status.ok()) status = CommitStore();
  if (!status.ok()) writer->Rollback().IgnoreError();
  return status;
}

}  // namespace detente::engine
