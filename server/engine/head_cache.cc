#include "engine/head_cache.h"

#include <utility>

#include "absl/hash/hash.h"

namespace detente::engine {
namespace {

// A list node, a hash slot and the string's own header.
constexpr size_t kEntryOverhead = 160;

}  // namespace

HeadCache::HeadCache(size_t max_bytes) : max_shard_bytes_(max_bytes / kShards) {}

HeadCache::Shard& HeadCache::ShardOf(absl::string_view name) {
  return shards_[absl::HashOf(name) % kShards];
}

Bytes HeadCache::Find(absl::string_view name, store::Revision newest) {
  Shard& shard = ShardOf(name);
  std::lock_guard lock(shard.mutex);
  auto found = shard.by_name.find(name);
  if (found == shard.by_name.end() || found->second->public_since > newest) return nullptr;
  shard.entries.splice(shard.entries.begin(), shard.entries, found->second);
  return found->second->bytes;
}

void HeadCache::Put(absl::string_view name, store::Revision revision, Bytes bytes) {
  Shard& shard = ShardOf(name);
  std::lock_guard lock(shard.mutex);
  shard.written = revision;
  Insert(shard, name, revision, std::move(bytes));
}

void HeadCache::Fill(absl::string_view name, store::Revision read_at, Bytes bytes) {
  Shard& shard = ShardOf(name);
  std::lock_guard lock(shard.mutex);
  if (shard.written > read_at) return;
  Insert(shard, name, read_at, std::move(bytes));
}

void HeadCache::Clear(store::Revision newest) {
  for (Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    shard.written = newest;
    shard.by_name.clear();
    shard.entries.clear();
    shard.bytes = 0;
  }
}

void HeadCache::Insert(Shard& shard, absl::string_view name, store::Revision public_since,
                       Bytes bytes) {
  auto found = shard.by_name.find(name);
  if (found != shard.by_name.end()) {
    auto entry = found->second;
    shard.bytes -= entry->bytes->size() + entry->name.size() + kEntryOverhead;
    shard.by_name.erase(found);
    shard.entries.erase(entry);
  }
  shard.bytes += bytes->size() + name.size() + kEntryOverhead;
  shard.entries.push_front({std::string(name), public_since, std::move(bytes)});
  shard.by_name.emplace(shard.entries.front().name, shard.entries.begin());
  while (shard.bytes > max_shard_bytes_ && !shard.entries.empty()) {
    const Entry& last = shard.entries.back();
    shard.bytes -= last.bytes->size() + last.name.size() + kEntryOverhead;
    shard.by_name.erase(last.name);
    shard.entries.pop_back();
  }
}

}  // namespace detente::engine
