// The encoded newest versions of records, for Gets that must not wait. Filled by the writer at
// commit and by reads that missed; entries are immutable and shared, the least recently used go
// first.
#pragma once

#include <array>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "store/store.h"

namespace detente::engine {

using Bytes = std::shared_ptr<const std::string>;

// Thread-safe: sharded by name, a mutex for each shard.
class HeadCache {
 public:
  explicit HeadCache(size_t max_bytes);

  // Null where the version at hand is not public yet: later than `newest`.
  Bytes Find(absl::string_view name, store::Revision newest);
  // By the writer, before the commit is made public.
  void Put(absl::string_view name, store::Revision revision, Bytes bytes);
  // By a reader that saw `bytes` as the newest at `read_at`; dropped if the writer has touched the
  // shard since.
  void Fill(absl::string_view name, store::Revision read_at, Bytes bytes);
  // By the writer, before `newest` is made public: nothing that was read earlier is filled in.
  void Clear(store::Revision newest);

 private:
  static constexpr size_t kShards = 16;
  struct Entry {
    std::string name;
    store::Revision public_since;
    Bytes bytes;
  };
  // `mutex` guards the rest. (std, not absl: ThreadSanitizer must see it.)
  struct Shard {
    std::mutex mutex;
    std::list<Entry> entries;  // most recently used first
    absl::flat_hash_map<absl::string_view, std::list<Entry>::iterator> by_name;
    size_t bytes = 0;
    store::Revision written = 0;
  };

  Shard& ShardOf(absl::string_view name);
  // Under the shard's mutex.
  void Insert(Shard& shard, absl::string_view name, store::Revision public_since, Bytes bytes);

  const size_t max_shard_bytes_;
  std::array<Shard, kShards> shards_;
};

}  // namespace detente::engine
