// Records over a store: every change is a commit, every read is at a revision. Knows no gRPC and no
// SQL.
//
// Threads: reads run in the caller's thread, each on a reader of its own from a pool. All writes
// run in one writer thread, which takes the commits that wait as one durable transaction and then
// answers them in order.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/head_cache.h"
#include "engine/references.h"
#include "engine/registry.h"
#include "google/protobuf/message.h"
#include "query/mask.h"
#include "store/store.h"

namespace detente::engine {

constexpr store::ReadView kNewest{INT64_MAX};
constexpr size_t kMaxOperations = 1'000;               // of one commit
constexpr size_t kMaxWaitingCommits = 4'096;           // further ones get RESOURCE_EXHAUSTED
constexpr size_t kMaxWaitingBytes = size_t{64} << 20;  // of their records; the same
constexpr size_t kMaxRequestIdBytes = 64;
constexpr size_t kMaxReasonBytes = 4'096;

// What a record is stored as when it is new. It needs no store.
struct Creation {
  std::unique_ptr<google::protobuf::Message> record;  // of an update with a mask: the whole
  std::string payload;
  std::vector<Reference> references;
  store::Derived derived;
};

struct Operation {
  enum class Kind { kCreate, kUpdate, kDelete, kUndelete, kRollback };
  Kind kind;
  const Resource* resource;
  std::string id;                                     // of a create, empty = made by the engine
  std::unique_ptr<google::protobuf::Message> record;  // of a create or update
  query::Mask mask;                                   // of an update
  bool allow_missing = false;                         // of an update: create it
  bool force = false;            // of a delete: although live records refer to it
  store::Revision revision = 0;  // of a rollback: the state to go back to
  std::string etag;              // checked if not empty
  std::string field;  // the request's field that holds the record or name, for violations
  std::string mask_field = "update_mask";  // the one that holds the mask
  // Made ahead by the caller's thread where the record is new, as far as it can see; the writer
  // makes it where it is missing.
  std::unique_ptr<Creation> creation;
};

absl::Status PrepareCreation(Operation& operation);

struct CommitRequest {
  std::vector<Operation> operations;
  std::string caller;
  std::string method;
  std::string request_id;
  std::string request_hash;  // of the request's content
  std::string reason;
  bool validate_only = false;
  absl::Time deadline = absl::InfiniteFuture();
  std::function<bool()> cancelled;  // may be empty
  // Told of the operations that are wrong, by their index, each as often as something is wrong with
  // it, before the commit fails; from the thread that finds it. Empty: the first ends the commit.
  std::function<void(size_t, const absl::Status&)> wrong;
};

struct Written {
  const Resource* resource;
  store::Version version;
  store::Change change = store::Change::kUnknown;
};

struct CommitResult {
  store::Revision revision = 0;  // of the commit, or the newest where nothing changed
  std::vector<Written> records;  // one for each operation
};

// What an erasure is asked for. Names are of records that exist.
struct EraseRequest {
  std::vector<std::pair<const Resource*, std::string>> records;  // resource and id
  std::string caller;
  std::string method;
  std::string request_id;
  std::string reason;
  bool validate_only = false;
};

struct Mention {
  std::string name;
  std::vector<store::Revision> revisions;
};

struct EraseResult {
  store::Revision revision = 0;
  std::vector<std::string> names;  // the new ones, in the order of the request
  std::vector<Mention> mentions;   // other records whose text still speaks of them
  int64_t rewritten = 0;           // versions of other records
};

struct SnapshotRequest {
  std::string id;
  std::optional<store::Revision> revision;  // absent = the newest
  std::string title;
  std::string caller;
  absl::Time deadline = absl::InfiniteFuture();
  std::function<bool()> cancelled;  // may be empty
};

struct EngineOptions {
  size_t head_cache_bytes = size_t{256} << 20;
};

class Engine {
 public:
  // A reader from the pool, given back when it goes out of scope. An erasure waits for it, and ends
  // what it is reading.
  class Lease {
   public:
    Lease(Engine* engine, std::unique_ptr<store::Reader> reader)
        : engine_(engine), reader_(std::move(reader)) {}
    Lease(Lease&&) = default;
    ~Lease();
    store::Reader* operator->() { return reader_.get(); }
    store::Reader& operator*() { return *reader_; }

   private:
    Engine* engine_;
    std::unique_ptr<store::Reader> reader_;
  };

  // Derives anew what the store derived by an older contract. A store without a writer is followed.
  static absl::StatusOr<std::unique_ptr<Engine>> Open(std::unique_ptr<store::Store> store,
                                                      const Registry* registry,
                                                      const EngineOptions& options);
  // Ends the commits that wait with UNAVAILABLE (SHUTTING_DOWN), then closes.
  ~Engine();

  const Registry& registry() const { return *registry_; }
  // The store was opened for reading, or a newer version has written it.
  bool read_only() const { return writer_store_ == nullptr; }
  const std::string& page_token_key() const { return page_token_key_; }

  // Waits while an erasure clears the files.
  absl::StatusOr<Lease> LeaseReader();

  // The newest state, or an older one; INVALID_ARGUMENT where there is no such revision.
  // `field` is the request's, for the message.
  absl::StatusOr<store::ReadView> View(std::optional<store::Revision> revision,
                                       absl::string_view field = "at");
  // After the last commit at or before `time`, for ever the same one; INVALID_ARGUMENT where it is
  // before the first commit, or later than the clock.
  absl::StatusOr<store::ReadView> ViewAtTime(absl::Time time, absl::string_view field = "at");
  // NOT_FOUND where there is no such snapshot, or it was deleted.
  absl::StatusOr<store::ReadView> ViewAtSnapshot(absl::string_view id);

  // When the commit was made that the view shows, in microseconds; 0 for a store without commits.
  absl::StatusOr<int64_t> CommitTime(const store::ReadView& view);

  // NOT_FOUND where the record did not exist.
  absl::StatusOr<store::Version> Get(const Resource& resource, absl::string_view id,
                                     const store::ReadView& view);
  // The encoded newest version if it is at hand. Never waits.
  Bytes Cached(absl::string_view name);
  // The encoded newest version, kept for the next call.
  absl::StatusOr<Bytes> GetNewest(const Resource& resource, absl::string_view id);

  absl::Status List(const Resource& resource, absl::string_view after, const store::ReadView& view,
                    bool show_deleted, absl::FunctionRef<bool(store::Version&)> visit);
  absl::Status ListRows(const Resource& resource, absl::string_view after,
                        const store::ReadView& view, bool show_deleted,
                        absl::FunctionRef<bool(const store::Row&)> visit);
  absl::Status Revisions(const Resource& resource, absl::string_view id, store::Revision before,
                         absl::FunctionRef<bool(store::Version&)> visit);

  // As store::Reader has them.
  absl::Status Select(const Resource& resource, const store::Selection& selection,
                      absl::FunctionRef<bool(const store::Row&)> visit);
  absl::Status Scan(const Resource& resource, const store::Selection& selection,
                    absl::Span<const int> columns,
                    absl::FunctionRef<bool(absl::Span<const store::Value>)> visit);
  absl::StatusOr<int64_t> Count(const Resource& resource, const store::Selection& selection);
  absl::StatusOr<store::Plan> Explain(const Resource& resource, const store::Selection& selection);

  // Checks what can be checked without the store, then queues. `done` is called once: from this
  // thread or from the writer's, where it must not block.
  using Done = absl::AnyInvocable<void(absl::StatusOr<CommitResult>)>;
  void Write(CommitRequest request, Done done);

  // Computes the checksum in the caller's thread.
  absl::StatusOr<store::Snapshot> CreateSnapshot(const SnapshotRequest& request);
  absl::StatusOr<store::Snapshot> GetSnapshot(absl::string_view id);
  absl::StatusOr<store::Snapshot> DeleteSnapshot(absl::string_view id);

  // Takes the records out of every revision; see RecordService.EraseRecords. Returns when nothing
  // is left of them in the store's files.
  absl::StatusOr<EraseResult> Erase(const EraseRequest& request);
  // Called by the writer thread after each erasure, to forget what was read before; null = no more.
  void OnErasure(std::function<void()> forget);

 private:
  struct Waiting {
    CommitRequest request;
    Done done;
    size_t bytes = 0;  // of the request's records
    // Instead of a commit: what the writer thread does alone, between transactions. Called with
    // false where the engine closes.
    absl::AnyInvocable<void(bool)> alone;
  };
  struct Answer;

  Engine(std::unique_ptr<store::Store> store, const Registry* registry,
         const EngineOptions& options);
  absl::Status Prepare(CommitRequest& request);
  void PrepareCreations(CommitRequest& request);
  absl::Status DeriveReferences();
  // backfill.cc
  absl::Status DeriveColumns();
  // Runs `work` in the writer thread, alone, and waits for it.
  absl::Status RunAlone(absl::FunctionRef<absl::Status()> work);

  absl::Status WriteSnapshot(const store::Snapshot& snapshot);
  // erase.cc: in the writer thread.
  absl::Status EraseAlone(const EraseRequest& request, EraseResult* result);
  absl::Status Purge();
  absl::Status RestoreErasures();

  // While commits are made: which times they may get.
  class GroupTime {
   public:
    explicit GroupTime(Engine* engine);
    ~GroupTime();
    GroupTime(const GroupTime&) = delete;
    int64_t floor() const { return floor_; }  // all get a later one

   private:
    Engine* engine_;
    int64_t floor_;
  };

  void RunWriter();
  void WriteGroup(std::vector<Waiting> group);
  // The writer's commit. No idle reader holds on to a state before it.
  absl::Status CommitStore();
  absl::StatusOr<CommitResult> Apply(CommitRequest& request, store::Revision revision, int64_t time,
                                     bool* committed);
  absl::StatusOr<CommitResult> Repeat(const CommitRequest& request, const store::Commit& commit);

  std::unique_ptr<store::Store> store_;
  store::Writer* writer_store_ = nullptr;  // the writer thread's own
  const Registry* registry_;
  std::string page_token_key_;
  HeadCache cache_;
  std::atomic<store::Revision> newest_{0};  // published by the writer after the commit is durable
  std::atomic<int64_t> changes_{0};         // of the store's file, so far

  std::mutex readers_mutex_;  // guards the four below
  std::condition_variable readers_changed_;
  std::vector<std::unique_ptr<store::Reader>> readers_;  // idle
  absl::flat_hash_set<store::Reader*> leased_;
  bool purging_ = false;  // no reader is leased

  std::mutex queue_mutex_;  // guards the four below
  std::condition_variable queue_changed_;
  std::deque<Waiting> queue_;
  size_t waiting_bytes_ = 0;  // of all in queue_
  bool closing_ = false;

  int64_t last_time_ = 0;  // of the newest commit; the writer's own

  std::mutex time_mutex_;  // guards the two below
  std::condition_variable group_written_;
  int64_t promised_time_ = 0;  // a read has told what the state was then: commits come later
  int64_t groups_ = 0;         // begun by the writer; one is being written while it is odd

  std::atomic<int64_t> erasures_{0};  // made since the start
  std::mutex forget_mutex_;           // guards forget_, also while it runs
  std::function<void()> forget_;
  std::thread writer_;
};

absl::Status ReadOnly();

// What is too long of the texts that a commit keeps.
absl::Status CheckCommitTexts(absl::string_view request_id, absl::string_view reason);

// A record as callers get it: fields 1 to 7 from the row, then the stored bytes as they are.
std::string RecordOf(const Resource& resource, const store::Version& version);

// The message in a stored payload, without fields 1 to 7; with them. Bytes that can't be read are a
// defect of the store (DATA_LOSS).
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ParsePayload(
    const Resource& resource, const store::Version& version);
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ParseRecord(
    const Resource& resource, const store::Version& version);
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ParseRecord(const Resource& resource,
                                                                       absl::string_view record);

// The quoted string of uid and revision.
std::string Etag(const store::Version& version);

}  // namespace detente::engine
