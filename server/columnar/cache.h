// Collections as chunks of columns in memory, made when they are first asked for and kept up with
// the commits since then.
//
// Threads: any, and one of its own. The directory has one mutex. One thread at a time makes or
// catches up a collection, without the mutex, while others that want it wait. What Find returns
// stays as it is, whatever happens to the cache; its chunks' `until` may still be set to later
// revisions than the one asked for.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "columnar/chunk.h"
#include "columnar/schema.h"
#include "engine/engine.h"

namespace detente::columnar {

constexpr size_t kDefaultCacheBytes = size_t{512} << 20;

// The versions of a collection, those that a revision sees among them.
struct Snapshot {
  struct Part {
    std::shared_ptr<const Chunk> chunk;
    Columns columns;  // those that were asked for
  };
  std::vector<Part> parts;  // in the order of (since, id)
};

// What is to be done about columns that the cache does not hold, or is far behind with.
enum class Make {
  kNever,
  kNow,    // they are made, whatever it takes
  kLater,  // for those who come later, where the collection was asked so before: once is no reason
};

class Cache {
 public:
  // `engine` must outlive it. Columns that reads in flight hold come on top of `max_bytes`.
  Cache(engine::Engine& engine, size_t max_bytes);
  ~Cache();

  using Check = std::function<absl::Status()>;

  // None where the cache doesn't hold the revision or the columns and, with kNow, can't: it is
  // older than what is held, or more than fits. With kNow it may wait and read for long, otherwise
  // for the blink of an eye. `check` is asked now and then.
  absl::StatusOr<std::optional<Snapshot>> Find(const engine::Resource& resource,
                                               store::Revision revision,
                                               const std::vector<ColumnId>& columns, Make make,
                                               const Check& check);

  const std::vector<Node>& NodesFor(const engine::Resource& resource);
  size_t bytes() const;

 private:
  struct Collection {
    bool made = false;
    bool busy = false;   // a thread is at it: it alone touches what follows, but for `stale`
    bool stale = false;  // to be dropped when that thread is done
    bool asked = false;  // with kLater, in vain
    store::Revision erasure = 0;
    store::Revision floor = 0;  // revisions from here ...
    store::Revision top = 0;    // ... to here are held
    std::vector<std::shared_ptr<Chunk>> chunks;
    std::map<ColumnId, uint64_t> columns;  // when they were last used
    size_t bytes = 0;
    std::set<std::vector<ColumnId>> too_large;  // more than the whole cache takes
  };
  // What a busy thread does; catching up with more than `max_versions` is too much.
  absl::Status Bring(const engine::Resource& resource, Collection* collection,
                     store::Revision revision, const std::vector<ColumnId>& columns,
                     int64_t max_versions, const Check& check);
  absl::Status Read(const engine::Resource& resource, Collection* collection,
                    store::VersionRange range, const std::vector<ColumnId>& columns,
                    int64_t max_versions, const Check& check,
                    std::vector<std::shared_ptr<Chunk>>* chunks);
  absl::Status Fill(const engine::Resource& resource, Collection* collection,
                    const std::vector<ColumnId>& columns, const Check& check);
  absl::StatusOr<Columns> ReadColumns(const engine::Resource& resource, const Chunk& chunk,
                                      const std::vector<ColumnId>& columns, const Check& check);
  absl::Status Close(const engine::Resource& resource, Collection* collection,
                     store::Revision revision);
  static absl::Status Tidy(Collection* collection);
  absl::Status CheckRoom(const engine::Resource& resource, store::Revision revision,
                         const Chunk& first);
  absl::Status Reserve(Collection* collection, size_t bytes);
  // Counts the collection's bytes anew.
  void Count(Collection* collection);

  // Under the mutex.
  void Evict(size_t wanted);
  void DropColumn(Collection* collection, const ColumnId& id);
  void Drop(Collection* collection);
  void MakeLater(const engine::Resource& resource, const std::vector<ColumnId>& columns);

  void RunMaker();
  void DropAll();
  absl::StatusOr<store::Revision> LastErasure();

  engine::Engine& engine_;
  const size_t max_bytes_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::map<const engine::Resource*, Collection> collections_;
  std::map<const engine::Resource*, std::unique_ptr<const std::vector<Node>>> nodes_;
  size_t bytes_ = 0;  // of all collections
  uint64_t uses_ = 0;
  // What is to be made, the first one by maker_ now.
  std::deque<std::pair<const engine::Resource*, std::vector<ColumnId>>> wanted_;
  std::condition_variable wanted_changed_;
  std::atomic<bool> ending_ = false;
  std::thread maker_;  // runs from the first wish on
};

}  // namespace detente::columnar
