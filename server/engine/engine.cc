#include "engine/engine.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/references.h"
#include "error/error.h"

namespace detente::engine {
namespace {

constexpr size_t kMaxIdleReaders = 32;
constexpr absl::string_view kFingerprintKey = "fingerprint";
constexpr absl::string_view kContractSizeKey = "contract_size";

// Of any engine, held by this thread.
thread_local int leases_held = 0;

}  // namespace

absl::Status ReadOnly() {
  return Error(absl::StatusCode::kFailedPrecondition, v1::STORE_READ_ONLY,
               "the store was opened for reading only");
}

Engine::Lease::~Lease() {
  if (reader_ == nullptr) return;
  std::lock_guard lock(engine_->readers_mutex_);
  --leases_held;
  engine_->leased_.erase(reader_.get());
  if (engine_->purging_) engine_->readers_changed_.notify_all();
  if (engine_->readers_.size() < kMaxIdleReaders) engine_->readers_.push_back(std::move(reader_));
}

absl::StatusOr<Engine::Lease> Engine::LeaseReader() {
  std::unique_lock lock(readers_mutex_);
  // The erasure waits for the reader that this thread has already.
  if (purging_ && leases_held > 0) {
    return EndedByErasure();
  }
  while (true) {
    readers_changed_.wait(lock, [this] { return !purging_; });
    if (!readers_.empty()) break;
    lock.unlock();
    auto reader = store_->NewReader();
    if (!reader.ok()) return reader.status();
    lock.lock();
    // An erasure that began meanwhile has counted its readers.
    if (!purging_) readers_.push_back(*std::move(reader));
    if (purging_ && leases_held > 0) return EndedByErasure();
  }
  ++leases_held;
  leased_.insert(readers_.back().get());
  Lease lease(this, std::move(readers_.back()));
  readers_.pop_back();
  // Another process may write, which this one hears nothing of.
  if (!read_only()) lease->Pin(changes_.load(std::memory_order_acquire));
  return lease;
}

Engine::Engine(std::unique_ptr<store::Store> store, const Registry* registry,
               const EngineOptions& options)
    : store_(std::move(store)), registry_(registry), cache_(options.head_cache_bytes) {}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Open(std::unique_ptr<store::Store> store,
                                                     const Registry* registry,
                                                     const EngineOptions& options) {
  std::unique_ptr<Engine> engine(new Engine(std::move(store), registry, options));
  auto key = engine->store_->Meta("page_token_key");
  if (!key.ok()) return key.status();
  engine->page_token_key_ = *std::move(key);
  auto contract_size = engine->store_->Meta(kContractSizeKey);
  if (!contract_size.ok()) return contract_size.status();
  int64_t size = 0;
  if (absl::SimpleAtoi(*contract_size, &size) && size > registry->contract_size()) {
    fprintf(stderr, "store: written by a newer version of Détente; opened for reading only\n");
  } else {
    engine->writer_store_ = engine->store_->writer();
  }
  if (engine->read_only()) return engine;
  auto newest = engine->writer_store_->Newest();
  if (!newest.ok()) return newest.status();
  engine->newest_ = newest->revision;
  engine->last_time_ = newest->time;
  if (absl::Status s = engine->DeriveReferences(); !s.ok()) return s;
  if (absl::Status s = engine->DeriveColumns(); !s.ok()) return s;
  if (absl::Status s = engine->RestoreErasures(); !s.ok()) return s;
  engine->writer_ = std::thread([e = engine.get()] { e->RunWriter(); });
  return engine;
}

Engine::~Engine() {
  {
    std::lock_guard lock(queue_mutex_);
    closing_ = true;
  }
  queue_changed_.notify_one();
  if (writer_.joinable()) writer_.join();
}

absl::Status Engine::DeriveReferences() {
  auto fingerprint = store_->Meta(kFingerprintKey);
  if (!fingerprint.ok()) return fingerprint.status();
  if (*fingerprint == registry_->fingerprint()) return absl::OkStatus();
  store::Writer* writer = writer_store_;
  absl::Status status = writer->Begin();
  if (!status.ok()) return status;
  status = writer->ClearReferences();
  for (const auto& resource : registry_->resources()) {
    if (status.ok()) status = engine::DeriveReferences(*resource, writer);
  }
  if (status.ok()) status = writer->SetMeta(kFingerprintKey, registry_->fingerprint());
  if (status.ok()) {
    status = writer->SetMeta(kContractSizeKey, absl::StrCat(registry_->contract_size()));
  }
  if (status.ok()) status = writer->Commit();
  if (!status.ok()) writer->Rollback().IgnoreError();
  return status;
}

absl::StatusOr<store::ReadView> Engine::View(std::optional<store::Revision> revision,
                                             absl::string_view field) {
  store::Revision newest = newest_.load(std::memory_order_acquire);
  if (read_only()) {
    auto reader = LeaseReader();
    if (!reader.ok()) return reader.status();
    auto commit = (*reader)->Newest();
    if (!commit.ok()) return commit.status();
    newest = commit->revision;
  }
  if (!revision.has_value()) return store::ReadView{newest};
  if (*revision < 1 || *revision > newest) {
    return Error(
        absl::StatusCode::kInvalidArgument, v1::REVISION_OUT_OF_RANGE,
        absl::StrCat(field, ".revision: the store has ",
                     newest == 0 ? "no revision yet" : absl::StrCat("the revisions 1 to ", newest),
                     ", got ", *revision),
        {{"revision", absl::StrCat(*revision)}, {"newest_revision", absl::StrCat(newest)}});
  }
  return store::ReadView{*revision};
}

absl::StatusOr<store::ReadView> Engine::ViewAtTime(absl::Time time, absl::string_view field) {
  const absl::Time now = absl::Now();
  auto out_of_range = [&](absl::string_view what, absl::string_view key, absl::Time limit) {
    return Error(
        absl::StatusCode::kInvalidArgument, v1::READ_TIME_OUT_OF_RANGE,
        absl::StrCat(field, ".read_time: ", what, " ", absl::FormatTime(limit, absl::UTCTimeZone()),
                     ", got ", absl::FormatTime(time, absl::UTCTimeZone())),
        {{"read_time", absl::FormatTime(time, absl::UTCTimeZone())},
         {key, absl::FormatTime(limit, absl::UTCTimeZone())}});
  };
  if (time > now)
    return out_of_range("not later than the server's clock expected, it is", "now", now);
  const int64_t micros = absl::ToUnixMicros(time);
  if (!read_only()) {
    // The writer either sees the promise, or is waited for: a commit that it has in hand may get an
    // earlier time.
    std::unique_lock lock(time_mutex_);
    promised_time_ = std::max(promised_time_, micros);
    if (const int64_t group = groups_; group % 2 != 0) {
      group_written_.wait(lock, [&] { return groups_ != group; });
    }
  }
  auto reader = LeaseReader();
  if (!reader.ok()) return reader.status();
  auto revision = (*reader)->RevisionAt(micros);
  if (!revision.ok()) return revision.status();
  if (*revision > 0) return store::ReadView{*revision};
  auto first = (*reader)->FindCommit(1);
  if (!first.ok()) return first.status();
  if (first->has_value()) {
    return out_of_range("at or after the first commit expected, of", "first_commit_time",
                        absl::FromUnixMicros((*first)->time));
  }
  return Error(absl::StatusCode::kInvalidArgument, v1::READ_TIME_OUT_OF_RANGE,
               absl::StrCat(field, ".read_time: the store has no commit yet"));
}

absl::StatusOr<store::ReadView> Engine::ViewAtSnapshot(absl::string_view id) {
  auto snapshot = GetSnapshot(id);
  if (!snapshot.ok()) return snapshot.status();
  if (snapshot->delete_time == 0) return store::ReadView{snapshot->revision};
  const std::string name = absl::StrCat("snapshots/", id);
  const std::string when =
      absl::FormatTime(absl::FromUnixMicros(snapshot->delete_time), absl::UTCTimeZone());
  return Error(absl::StatusCode::kNotFound, v1::SNAPSHOT_DELETED,
               absl::StrCat(name, ": was deleted on ", when),
               {{"name", name}, {"delete_time", when}});
}

absl::StatusOr<int64_t> Engine::CommitTime(const store::ReadView& view) {
  auto reader = LeaseReader();
  if (!reader.ok()) return reader.status();
  auto commit = (*reader)->FindCommit(view.revision);
  if (!commit.ok()) return commit.status();
  return commit->has_value() ? (*commit)->time : 0;
}

absl::StatusOr<store::Version> Engine::Get(const Resource& resource, absl::string_view id,
                                           const store::ReadView& view) {
  auto reader = LeaseReader();
  if (!reader.ok()) return reader.status();
  auto version = (*reader)->Get(resource.collection, id, view);
  if (!version.ok()) return version.status();
  if (!version->has_value()) {
    std::string name = resource.Name(id);
    return Error(absl::StatusCode::kNotFound, v1::RECORD_NOT_FOUND,
                 absl::StrCat(name, ": no such record at revision ", view.revision),
                 {{"name", name}});
  }
  return **std::move(version);
}

Bytes Engine::Cached(absl::string_view name) {
  return read_only() ? nullptr : cache_.Find(name, newest_.load(std::memory_order_acquire));
}

absl::StatusOr<Bytes> Engine::GetNewest(const Resource& resource, absl::string_view id) {
  auto view = View(std::nullopt);
  if (!view.ok()) return view.status();
  auto version = Get(resource, id, *view);
  if (!version.ok()) return version.status();
  auto bytes = std::make_shared<std::string>(RecordOf(resource, *version));
  if (!read_only()) cache_.Fill(resource.Name(id), view->revision, bytes);
  return bytes;
}

absl::Status Engine::List(const Resource& resource, absl::string_view after,
                          const store::ReadView& view, bool show_deleted,
                          absl::FunctionRef<bool(store::Version&)> visit) {
  auto reader = LeaseReader();
  if (!reader.ok()) return reader.status();
  return (*reader)->List(resource.collection, after, view, show_deleted, visit);
}

absl::Status Engine::ListRows(const Resource& resource, absl::string_view after,
                              const store::ReadView& view, bool show_deleted,
                              absl::FunctionRef<bool(const store::Row&)> visit) {
  auto reader = LeaseReader();
  if (!reader.ok()) return reader.status();
  return (*reader)->ListRows(resource.collection, after, view, show_deleted, visit);
}

absl::Status Engine::Revisions(const Resource& resource, absl::string_view id,
                               store::Revision before,
                               absl::FunctionRef<bool(store::Version&)> visit) {
  auto reader = LeaseReader();
  if (!reader.ok()) return reader.status();
  return (*reader)->Revisions(resource.collection, id, before, visit);
}

absl::Status Engine::Select(const Resource& resource, const store::Selection& selection,
                            absl::FunctionRef<bool(const store::Row&)> visit) {
  auto reader = LeaseReader();
  if (!reader.ok()) return reader.status();
  return (*reader)->Select(resource.collection, selection, visit);
}

absl::Status Engine::Scan(const Resource& resource, const store::Selection& selection,
                          absl::Span<const int> columns,
                          absl::FunctionRef<bool(absl::Span<const store::Value>)> visit) {
  auto reader = LeaseReader();
  if (!reader.ok()) return reader.status();
  return (*reader)->Scan(resource.collection, selection, columns, visit);
}

absl::StatusOr<int64_t> Engine::Count(const Resource& resource, const store::Selection& selection) {
  auto reader = LeaseReader();
  if (!reader.ok()) return reader.status();
  return (*reader)->Count(resource.collection, selection);
}

absl::StatusOr<store::Plan> Engine::Explain(const Resource& resource,
                                            const store::Selection& selection) {
  auto reader = LeaseReader();
  if (!reader.ok()) return reader.status();
  return (*reader)->Explain(resource.collection, selection);
}

}  // namespace detente::engine
