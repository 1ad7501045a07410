// Columns, lists and words of stored records, made anew at opening where they were derived by
// another contract, or by other rules.
#include <cstdio>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace detente::engine {
namespace {

// Of one transaction.
constexpr size_t kChunkVersions = 1'000;
constexpr size_t kChunkBytes = size_t{16} << 20;
constexpr int64_t kToldVersions = 50'000;  // between two lines about it

struct Chunk {
  std::vector<store::Version> versions;
  size_t bytes = 0;
};

absl::Status DeriveChunk(const Resource& resource, const Chunk& chunk, store::Writer* writer) {
  std::unique_ptr<google::protobuf::Message> record(resource.prototype->New());
  for (const store::Version& version : chunk.versions) {
    store::Derived derived;
    if (!version.payload.empty()) {  // not erased
      if (!record->ParseFromString(version.payload)) {
        return absl::DataLossError(resource.Name(version.id) + ": its stored bytes can't be read");
      }
      derived = resource.columns->Derive(*record);
    }
    absl::Status status =
        writer->PutDerived(resource.collection, version.id, version.since, derived);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Engine::DeriveColumns() {
  store::Writer* writer = writer_store_;
  for (const auto& resource : registry_->resources()) {
    auto derived = writer->IsDerived(resource->collection);
    if (!derived.ok()) return derived.status();
    if (*derived) continue;
    absl::Status status = writer->BeginDeriving(resource->collection);
    int64_t done = 0;
    while (status.ok()) {
      Chunk chunk;
      status = writer->Underived(resource->collection, [&](store::Version& version) {
        chunk.bytes += version.payload.size();
        chunk.versions.push_back(std::move(version));
        return chunk.versions.size() < kChunkVersions && chunk.bytes < kChunkBytes;
      });
      if (!status.ok() || chunk.versions.empty()) break;
      status = writer->Begin();
      if (!status.ok()) break;
      status = DeriveChunk(*resource, chunk, writer);
      if (status.ok()) status = writer->Commit();
      if (!status.ok()) writer->Rollback().IgnoreError();
      const int64_t before = done;
      done += static_cast<int64_t>(chunk.versions.size());
      if (done / kToldVersions != before / kToldVersions) {
        fprintf(stderr, "store: columns of %s: %lld versions done\n", resource->collection.c_str(),
                static_cast<long long>(done));
      }
    }
    if (status.ok()) status = writer->EndDeriving(resource->collection);
    if (!status.ok()) return status;
    if (done >= kToldVersions) {
      fprintf(stderr, "store: columns of %s: complete\n", resource->collection.c_str());
    }
  }
  return absl::OkStatus();
}

}  // namespace detente::engine
