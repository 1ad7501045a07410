#include "columnar/cache.h"

#include <arrow/array.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace detente::columnar {
namespace {

using engine::Resource;
using store::Revision;
using store::Version;

constexpr int kRowsBetweenChecks = 256;
// Over more revisions than that nobody is expected to read one in between.
constexpr Revision kLeap = 20'000;
constexpr auto kBetweenChecks = std::chrono::milliseconds(20);
// What a reader who can do without the cache takes upon itself: to wait for another thread, and to
// read versions.
constexpr int kPatience = 2;  // times kBetweenChecks
constexpr int64_t kFewVersions = 10'000;
constexpr size_t kMaxWanted = 16;

// How a thread says that columns don't fit: at all, or beside what others are making.
absl::Status TooLarge() { return absl::OutOfRangeError("more than the cache takes"); }
absl::Status NoRoom() { return absl::ResourceExhaustedError("no room in the cache"); }
// And that it is far behind.
absl::Status TooMuch() { return absl::UnavailableError("too many versions to read at once"); }

size_t BytesOf(const Columns& columns) {
  size_t bytes = 0;
  for (const auto& [id, array] : columns) bytes += columnar::BytesOf(*array);
  return bytes;
}

size_t BytesOf(const Chunk& chunk) { return chunk.bytes() + BytesOf(chunk.columns); }

size_t BytesOf(const std::vector<std::shared_ptr<Chunk>>& chunks) {
  size_t bytes = 0;
  for (const auto& chunk : chunks) bytes += BytesOf(*chunk);
  return bytes;
}

}  // namespace

Cache::Cache(engine::Engine& engine, size_t max_bytes) : engine_(engine), max_bytes_(max_bytes) {
  engine_.OnErasure([this] { DropAll(); });
}

Cache::~Cache() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wanted_changed_.notify_all();
  if (maker_.joinable()) maker_.join();
  engine_.OnErasure(nullptr);
}

const std::vector<Node>& Cache::NodesFor(const Resource& resource) {
  std::lock_guard lock(mutex_);
  auto& nodes = nodes_[&resource];
  if (nodes == nullptr) nodes = std::make_unique<const std::vector<Node>>(NodesOf(resource.type));
  return *nodes;
}

size_t Cache::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

absl::StatusOr<Revision> Cache::LastErasure() {
  auto reader = engine_.LeaseReader();
  if (!reader.ok()) return reader.status();
  return (*reader)->LastErasure();
}

void Cache::Drop(Collection* collection) {
  bytes_ -= collection->bytes;
  Collection empty;
  empty.too_large = std::move(collection->too_large);
  *collection = std::move(empty);
}

void Cache::DropColumn(Collection* collection, const ColumnId& id) {
  collection->columns.erase(id);
  for (const auto& chunk : collection->chunks) {
    const auto column = chunk->columns.find(id);
    const size_t bytes = columnar::BytesOf(*column->second);
    collection->bytes -= bytes;
    bytes_ -= bytes;
    chunk->columns.erase(column);
  }
  if (collection->columns.empty()) Drop(collection);
}

// The columns that were used least recently go, and a collection with its last column.
void Cache::Evict(size_t wanted) {
  while (bytes_ + wanted > max_bytes_) {
    Collection* oldest = nullptr;
    std::pair<uint64_t, ColumnId> use{UINT64_MAX, {}};
    for (auto& [resource, collection] : collections_) {
      if (collection.busy) continue;
      for (const auto& [id, used] : collection.columns) {
        if (std::pair(used, id) >= use) continue;
        use = {used, id};
        oldest = &collection;
      }
    }
    if (oldest == nullptr) return;
    DropColumn(oldest, use.second);
  }
}

absl::Status Cache::Reserve(Collection* collection, size_t bytes) {
  std::lock_guard lock(mutex_);
  if (collection->bytes + bytes > max_bytes_) return TooLarge();
  Evict(bytes);
  if (bytes_ + bytes > max_bytes_) return NoRoom();
  collection->bytes += bytes;
  bytes_ += bytes;
  return absl::OkStatus();
}

void Cache::Count(Collection* collection) {
  const size_t bytes = BytesOf(collection->chunks);
  std::lock_guard lock(mutex_);
  bytes_ += bytes - collection->bytes;
  collection->bytes = bytes;
}

void Cache::DropAll() {
  std::lock_guard lock(mutex_);
  for (auto& [resource, collection] : collections_) {
    if (collection.busy) {
      collection.stale = true;
    } else {
      Drop(&collection);
    }
  }
}

void Cache::MakeLater(const Resource& resource, const std::vector<ColumnId>& columns) {
  std::pair wish{&resource, columns};
  if (wanted_.size() >= kMaxWanted ||
      std::find(wanted_.begin(), wanted_.end(), wish) != wanted_.end()) {
    return;
  }
  wanted_.push_back(std::move(wish));
  if (!maker_.joinable()) maker_ = std::thread([this] { RunMaker(); });
  wanted_changed_.notify_all();
}

void Cache::RunMaker() {
  std::unique_lock lock(mutex_);
  while (true) {
    wanted_changed_.wait(lock, [this] { return ending_ || !wanted_.empty(); });
    if (ending_) return;
    const auto [resource, columns] = wanted_.front();
    lock.unlock();
    // Where it fails, those who want the columns see why when they read the store.
    if (const auto view = engine_.View(std::nullopt, ""); view.ok()) {
      Find(*resource, view->revision, columns, Make::kNow, [this] {
        return ending_ ? absl::CancelledError("the store is being closed") : absl::OkStatus();
      }).IgnoreError();
    }
    lock.lock();
    wanted_.pop_front();
  }
}

absl::StatusOr<std::optional<Snapshot>> Cache::Find(const Resource& resource, Revision revision,
                                                    const std::vector<ColumnId>& columns, Make make,
                                                    const Check& check) {
  // An erasure by another process is seen here too.
  const auto erasure = LastErasure();
  if (!erasure.ok()) return erasure.status();
  std::unique_lock lock(mutex_);
  Collection& collection = collections_[&resource];
  const bool now = make == Make::kNow;
  for (int waited = 0; collection.busy; ++waited) {
    if (!now && (!collection.made || waited >= kPatience)) return std::nullopt;
    changed_.wait_for(lock, kBetweenChecks);
    lock.unlock();
    if (absl::Status s = check(); !s.ok()) return s;
    lock.lock();
  }
  if (collection.erasure != *erasure) {
    Drop(&collection);
    collection.erasure = *erasure;
  }
  const bool there = collection.made && std::all_of(columns.begin(), columns.end(), [&](auto& id) {
                       return collection.columns.contains(id);
                     });
  if ((collection.made && revision < collection.floor) ||
      (!there && collection.too_large.contains(columns))) {
    return std::nullopt;
  }
  if (!there && !now) {
    // A collection that is asked once is not asked again as a rule; and without a column there is
    // nothing to be made.
    if (make == Make::kLater && collection.asked && !columns.empty()) MakeLater(resource, columns);
    collection.asked |= make == Make::kLater;
    return std::nullopt;
  }
  if (!there || revision > collection.top) {
    collection.busy = true;
    lock.unlock();
    absl::Status status =
        Bring(resource, &collection, revision, columns, now ? INT64_MAX : kFewVersions, check);
    // What was erased meanwhile may have been read before.
    const auto after = LastErasure();
    lock.lock();
    collection.busy = false;
    changed_.notify_all();
    if (collection.stale || !after.ok() || *after != *erasure) {
      Drop(&collection);
      if (!status.ok()) return status;
      return std::nullopt;
    }
    if (status == TooLarge()) {
      collection.too_large.insert(columns);
      if (there) Drop(&collection);  // it has grown
    }
    if (status == TooMuch() && make == Make::kLater) MakeLater(resource, columns);
    if (status == TooLarge() || status == NoRoom() || status == TooMuch()) return std::nullopt;
    if (!status.ok()) return status;
  }
  ++uses_;
  for (const ColumnId& id : columns) collection.columns[id] = uses_;
  Snapshot snapshot;
  snapshot.parts.reserve(collection.chunks.size());
  for (const auto& chunk : collection.chunks) {
    Snapshot::Part& part = snapshot.parts.emplace_back();
    part.chunk = chunk;
    for (const ColumnId& id : columns) part.columns[id] = chunk->columns.at(id);
  }
  Evict(0);
  return snapshot;
}

absl::Status Cache::Bring(const Resource& resource, Collection* collection, Revision revision,
                          const std::vector<ColumnId>& columns, int64_t max_versions,
                          const Check& check) {
  absl::Status status;
  if (!collection->made) {
    status = Read(resource, collection, {.to = revision, .seen_at = revision}, columns,
                  max_versions, check, &collection->chunks);
    if (status.ok()) {
      collection->made = true;
      collection->floor = collection->top = revision;
      for (const ColumnId& id : columns) collection->columns[id] = 0;
    } else {
      collection->chunks.clear();
    }
    Count(collection);
    return status;
  }
  std::vector<ColumnId> missing;
  std::copy_if(columns.begin(), columns.end(), std::back_inserter(missing),
               [&](const ColumnId& id) { return !collection->columns.contains(id); });
  if (!missing.empty()) {
    status = Fill(resource, collection, missing, check);
    if (status == TooLarge()) {
      // Without those that nobody asks for now.
      {
        std::lock_guard lock(mutex_);
        std::vector<ColumnId> others;
        others.reserve(collection->columns.size());
        for (const auto& [id, used] : collection->columns) others.push_back(id);
        for (const ColumnId& id : others) {
          const bool wanted = std::find(columns.begin(), columns.end(), id) != columns.end();
          if (!wanted && collection->columns.size() > 1) DropColumn(collection, id);
        }
      }
      status = Fill(resource, collection, missing, check);
    }
  }
  if (status.ok() && revision > collection->top) {
    std::vector<ColumnId> all;
    all.reserve(collection->columns.size());
    for (const auto& [id, used] : collection->columns) all.push_back(id);
    store::VersionRange range{.after = collection->top, .to = revision};
    const bool leap = revision - collection->top > kLeap;
    if (leap) range.seen_at = revision;
    std::vector<std::shared_ptr<Chunk>> fresh;
    status = Read(resource, collection, range, all, max_versions, check, &fresh);
    if (status.ok()) {
      if (leap) collection->floor = revision;
      std::move(fresh.begin(), fresh.end(), std::back_inserter(collection->chunks));
      status = Close(resource, collection, revision);
    }
  }
  Count(collection);
  return status;
}

// Columns of a chunk's size for all rows must not fill the cache before it turns out that they
// don't fit.
absl::Status Cache::CheckRoom(const Resource& resource, Revision revision, const Chunk& first) {
  store::Selection all;
  all.view.revision = revision;
  auto rows = engine_.Count(resource, all);
  if (!rows.ok()) return absl::OkStatus();  // it will be seen
  const double bytes = static_cast<double>(BytesOf(first)) / static_cast<double>(first.rows()) *
                       static_cast<double>(*rows);
  return bytes > static_cast<double>(max_bytes_) ? TooLarge() : absl::OkStatus();
}

absl::Status Cache::Read(const Resource& resource, Collection* collection,
                         store::VersionRange range, const std::vector<ColumnId>& columns,
                         int64_t max_versions, const Check& check,
                         std::vector<std::shared_ptr<Chunk>>* chunks) {
  ChunkBuilder builder(resource, NodesFor(resource), columns);
  int64_t read = 0;
  for (bool more = true; more;) {
    more = false;
    absl::Status inner;
    {
      // Chunk by chunk, so that no state of the store is held for long.
      auto reader = engine_.LeaseReader();
      if (!reader.ok()) return reader.status();
      absl::Status status = (*reader)->Versions(resource.collection, range,
                                                [&](const Version& version, Revision until) {
                                                  if (builder.rows() % kRowsBetweenChecks == 0)
                                                    inner = check();
                                                  if (++read > max_versions) inner = TooMuch();
                                                  if (inner.ok()) inner = builder.Load(version);
                                                  if (inner.ok()) inner = builder.Append(until);
                                                  range.after = version.since;
                                                  range.after_id = version.id;
                                                  more = builder.full();
                                                  return inner.ok() && !more;
                                                });
      if (!inner.ok()) return inner;
      if (!status.ok()) return status;
    }
    if (builder.rows() == 0) break;
    auto chunk = builder.Finish();
    if (!chunk.ok()) return chunk.status();
    if (more && chunks->empty() && !collection->made) {
      absl::Status room = CheckRoom(resource, range.to, **chunk);
      if (!room.ok()) return room;
    }
    if (absl::Status s = Reserve(collection, BytesOf(**chunk)); !s.ok()) return s;
    chunks->push_back(*std::move(chunk));
  }
  return absl::OkStatus();
}

// More columns for the chunks that are there.
absl::Status Cache::Fill(const Resource& resource, Collection* collection,
                         const std::vector<ColumnId>& columns, const Check& check) {
  std::vector<Columns> filled;
  for (const auto& chunk : collection->chunks) {
    auto read = ReadColumns(resource, *chunk, columns, check);
    if (!read.ok()) return read.status();
    const size_t bytes = BytesOf(*read);
    if (filled.empty() && bytes * collection->chunks.size() > max_bytes_) return TooLarge();
    if (absl::Status s = Reserve(collection, bytes); !s.ok()) return s;
    filled.push_back(*std::move(read));
  }
  for (size_t i = 0; i < filled.size(); ++i) collection->chunks[i]->columns.merge(filled[i]);
  for (const ColumnId& id : columns) collection->columns[id] = 0;
  return absl::OkStatus();
}

absl::StatusOr<Columns> Cache::ReadColumns(const Resource& resource, const Chunk& chunk,
                                           const std::vector<ColumnId>& columns,
                                           const Check& check) {
  ChunkBuilder builder(resource, NodesFor(resource), columns);
  const store::VersionRange range{.after = chunk.since.front() - 1, .to = chunk.since.back()};
  auto reader = engine_.LeaseReader();
  if (!reader.ok()) return reader.status();
  int64_t row = 0;
  absl::Status inner;
  absl::Status status =
      (*reader)->Versions(resource.collection, range, [&](const Version& version, Revision until) {
        // Versions that were superseded before the chunk was made are not in it.
        if (version.since != chunk.since[row] || version.id != chunk.id(row)) return true;
        if (row % kRowsBetweenChecks == 0) inner = check();
        if (inner.ok()) inner = builder.Load(version);
        if (inner.ok()) inner = builder.Append(until);
        return inner.ok() && ++row < chunk.rows();
      });
  if (!inner.ok()) return inner;
  if (!status.ok()) return status;
  if (row < chunk.rows()) {
    return absl::AbortedError(
        absl::StrCat("a version of ", resource.collection, " is gone from the store"));
  }
  return builder.FinishColumns();
}

// Sets when versions were superseded, up to `revision`; then puts small chunks together and takes
// dead rows out of others.
absl::Status Cache::Close(const Resource& resource, Collection* collection, Revision revision) {
  std::vector<std::shared_ptr<Chunk>>& chunks = collection->chunks;
  {
    auto reader = engine_.LeaseReader();
    if (!reader.ok()) return reader.status();
    absl::Status status = (*reader)->Superseded(
        resource.collection, collection->top, revision,
        [&](absl::string_view id, Revision since, Revision until) {
          // The chunks that hold `since` follow each other.
          auto chunk = std::partition_point(chunks.begin(), chunks.end(),
                                            [&](const auto& c) { return c->since.back() < since; });
          for (; chunk != chunks.end() && (*chunk)->since.front() <= since; ++chunk) {
            const int64_t row = (*chunk)->Find(since, id);
            if (row < 0) continue;
            if ((*chunk)->until[row].exchange(until) == INT64_MAX) ++(*chunk)->dead;
            break;
          }
        });
    if (!status.ok()) return status;
  }
  collection->top = revision;
  return Tidy(collection);
}

absl::Status Cache::Tidy(Collection* collection) {
  std::vector<std::shared_ptr<Chunk>> tidy;
  for (std::shared_ptr<Chunk>& chunk : collection->chunks) {
    if (chunk->dead * 2 > chunk->rows()) {
      // Revisions before this one are the store's from now on.
      collection->floor = collection->top;
      auto living = Merge({chunk}, collection->top);
      if (!living.ok()) return living.status();
      if ((*living)->rows() == 0) continue;
      chunk = *std::move(living);
    }
    tidy.push_back(std::move(chunk));
    // What commits add is put together by and by: a chunk is more than twice as large as the next.
    while (tidy.size() > 1) {
      const auto& last = tidy.back();
      const auto& before = tidy[tidy.size() - 2];
      if (before->rows() > 2 * last->rows() || before->rows() + last->rows() > kChunkRows ||
          BytesOf(*before) + BytesOf(*last) > kChunkBytes) {
        break;
      }
      auto both = Merge({before, last}, 0);
      if (!both.ok()) return both.status();
      tidy.pop_back();
      tidy.back() = *std::move(both);
    }
  }
  collection->chunks = std::move(tidy);
  return absl::OkStatus();
}

}  // namespace detente::columnar
