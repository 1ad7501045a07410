// What the engine asks of a store: row versions, each valid over [since, until) of one global,
// gapless, growing revision number. A store knows no protobuf: collections are names, payloads
// bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "store/search.h"
#include "store/selection.h"
#include "store/table.h"

namespace detente::store {

// One version of a record. Times are microseconds since 1970, UTC.
struct Version {
  std::string id;
  std::string uid;
  Revision since = 0;
  int64_t create_time = 0;
  int64_t update_time = 0;
  int64_t delete_time = 0;  // 0 = live
  std::string payload;      // the message without its fields 1 to 7; empty = erased
  std::string salt;         // of the record's checksums; random, the same in all its versions
};

// A version that a read visits, as it is kept. Lives as long as the visit.
struct Row {
  absl::string_view record;  // as callers get it; see record.h
  bool superseded = false;   // there is a newer one
};

// One commit, as it is written.
struct Commit {
  Revision revision = 0;
  int64_t time = 0;
  std::string actor;
  std::string reason;
  std::string method;
  std::string request_id;    // with `actor` unique, where not empty
  std::string request_hash;  // of the request's content
};

// What an operation did to its record; by the numbers of RecordChange.Kind.
enum class Change {
  kUnknown = 0,
  kCreated = 1,
  kUpdated = 2,
  kDeleted = 3,
  kUndeleted = 4,
  kRolledBack = 5,
  kErased = 6,
  kUnchanged = 7,
};

// The record that one operation of a commit was about.
struct Touched {
  std::string collection;
  std::string id;
  Change change = Change::kUnknown;
};

struct CommitFilter {
  std::string actor;               // empty = any
  int64_t start_time = INT64_MIN;  // at or after
  int64_t end_time = INT64_MAX;    // before
};

// A named revision. Times as in Version.
struct Snapshot {
  std::string id;
  Revision revision = 0;
  std::string title;
  int64_t create_time = 0;
  std::string actor;
  std::string checksum;
  std::string current_checksum;  // differs once an erasure has changed what it holds
  int64_t record_count = 0;
  int64_t erased_count = 0;
  int64_t delete_time = 0;  // 0 = it can be read
};

// An erased record, as the ledger beside the store keeps it: nothing of what it was.
struct Erasure {
  std::string uid_hash;  // SHA-256 of the uid that it had, hexadecimal digits
  std::string id;        // its new id
};

// Versions in the order of (since, id): those after (`after`, `after_id`), up to the revision `to`.
struct VersionRange {
  Revision after = 0;
  std::string after_id = {};  // empty = after all versions of `after`
  Revision to = 0;
  // Only what this revision sees, deleted ones too; 0 = superseded ones as well.
  Revision seen_at = 0;
};

// How a selection would be read.
struct Plan {
  std::vector<std::string> steps;
  std::vector<std::string> indexes;
};

// Reads committed state. One thread at a time; any number of readers beside each other and beside
// the writer.
class Reader {
 public:
  virtual ~Reader() = default;

  // The newest commit; revision 0 where there is none.
  virtual absl::StatusOr<Commit> Newest() = 0;

  // The version of a record that the view sees, deleted ones too; none where it did not exist.
  virtual absl::StatusOr<std::optional<Version>> Get(absl::string_view collection,
                                                     absl::string_view id,
                                                     const ReadView& view) = 0;

  // Visits the versions that the view sees, in the order of their ids, after `after` (empty = from
  // the start), until `visit` says false. Costs what is visited, plus the records that came after
  // the view.
  virtual absl::Status List(absl::string_view collection, absl::string_view after,
                            const ReadView& view, bool show_deleted,
                            absl::FunctionRef<bool(Version&)> visit) = 0;
  // The same, as rows.
  virtual absl::Status ListRows(absl::string_view collection, absl::string_view after,
                                const ReadView& view, bool show_deleted,
                                absl::FunctionRef<bool(const Row&)> visit) = 0;

  // Visits the versions of a range in its order, each with the revision at which it was superseded
  // (INT64_MAX for a newest one), until `visit` says false. Costs what is visited, and with seen_at
  // a look at the others' keys.
  virtual absl::Status Versions(absl::string_view collection, const VersionRange& range,
                                absl::FunctionRef<bool(Version&, Revision)> visit) = 0;
  // Visits id, since and until of the versions that were superseded after `after` and up to `to`,
  // in no order.
  virtual absl::Status Superseded(
      absl::string_view collection, Revision after, Revision to,
      absl::FunctionRef<void(absl::string_view, Revision, Revision)> visit) = 0;
  // The `since` of about `count` newest versions, evenly picked, in order.
  virtual absl::StatusOr<std::vector<Revision>> SampleSince(absl::string_view collection,
                                                            int count) = 0;
  // The revision of the last erasure, which has changed versions in their place; 0 = there is none.
  virtual absl::StatusOr<Revision> LastErasure() = 0;

  // Whether what is derived of the collection is there, by the Table that the store was opened
  // with. Where it isn't, the five below fail with FAILED_PRECONDITION (STORE_READ_ONLY).
  virtual absl::StatusOr<bool> IsDerived(absl::string_view collection) = 0;
  // Visits the versions that are selected, in the selection's order, until `visit` says false.
  virtual absl::Status Select(absl::string_view collection, const Selection& selection,
                              absl::FunctionRef<bool(const Row&)> visit) = 0;
  // Visits chosen columns of the rows that are selected, in no order; those of a row live as long
  // as the call. `columns` may hold RowColumns.
  virtual absl::Status Scan(absl::string_view collection, const Selection& selection,
                            absl::Span<const int> columns,
                            absl::FunctionRef<bool(absl::Span<const Value>)> visit) = 0;
  virtual absl::StatusOr<int64_t> Count(absl::string_view collection,
                                        const Selection& selection) = 0;
  // How Select would run, in the store's own words; and the indexes that it would use.
  virtual absl::StatusOr<Plan> Explain(absl::string_view collection,
                                       const Selection& selection) = 0;

  // Visits the live records that the view sees and the words match, the best first and equals in
  // the order of their names, behind query.after, until `visit` says false; and counts all of them,
  // visited or not. Takes the statistics where they have no frequencies; those of another search of
  // the same words make its scores, bit by bit.
  virtual absl::StatusOr<SearchCounts> Search(const SearchQuery& query,
                                              SearchStatistics* statistics,
                                              absl::FunctionRef<bool(SearchHit&)> visit) = 0;

  // Visits the versions of one record with since < before, newest first.
  virtual absl::Status Revisions(absl::string_view collection, absl::string_view id,
                                 Revision before, absl::FunctionRef<bool(Version&)> visit) = 0;

  // The commit that a caller's request id made.
  virtual absl::StatusOr<std::optional<Commit>> FindRequest(absl::string_view actor,
                                                            absl::string_view request_id) = 0;
  // What that commit's operations were about, in order.
  virtual absl::StatusOr<std::vector<Touched>> Touches(Revision revision) = 0;
  // What that commit did to one record; none where it was not about it.
  virtual absl::StatusOr<std::optional<Change>> ChangeOf(Revision revision,
                                                         absl::string_view collection,
                                                         absl::string_view id) = 0;

  // One commit; none where there is no such revision.
  virtual absl::StatusOr<std::optional<Commit>> FindCommit(Revision revision) = 0;
  // The last revision whose commit was made at or before `time`; 0 where there is none.
  virtual absl::StatusOr<Revision> RevisionAt(int64_t time) = 0;
  // Visits the commits with revision < before, newest first.
  virtual absl::Status Commits(const CommitFilter& filter, Revision before,
                               absl::FunctionRef<bool(struct Commit&)> visit) = 0;
  // Visits the records that commits after `base` and up to `target` changed, in the order of their
  // names, each once, after the record `after` (empty = from the start).
  virtual absl::Status Changed(Revision base, Revision target, const Touched& after,
                               absl::FunctionRef<bool(Touched&)> visit) = 0;

  virtual absl::StatusOr<std::optional<Snapshot>> FindSnapshot(absl::string_view id) = 0;
  // Visits snapshots in the order of their ids, after `after`, deleted ones too.
  virtual absl::Status Snapshots(absl::string_view after,
                                 absl::FunctionRef<bool(Snapshot&)> visit) = 0;
  // The leaf that a version had before an erasure changed it; none where it can be computed.
  virtual absl::StatusOr<std::optional<std::string>> KeptLeaf(absl::string_view collection,
                                                              absl::string_view id,
                                                              Revision since) = 0;

  // From now on all reads are of one state, the one that the first of them finds, until Unpin: a
  // short read takes a sixth longer when it begins a state of its own. What was pinned under a
  // smaller `stamp` is let go. A store in memory, and its writer, pin nothing.
  virtual void Pin(int64_t /*stamp*/) {}
  // The log can't be cut off behind a state that is held.
  virtual void Unpin() {}

  // Ends the statement that runs: its reads fail with ABORTED (ERASED). From any thread.
  virtual void Interrupt() = 0;

  // Names of live records that refer to `name` in their newest version, at most `limit`.
  virtual absl::StatusOr<std::vector<std::string>> Referrers(absl::string_view name, int limit) = 0;
  // Visits the names of the records that the view sees alive and that refer to `name` there, itself
  // too, in their order, after `after` and before `before` (empty = to the end), until `visit` says
  // false. Costs what is visited, plus what refers to `name` at other revisions.
  virtual absl::Status ReferrersAt(absl::string_view name, const ReadView& view,
                                   absl::string_view after, absl::string_view before,
                                   absl::FunctionRef<bool(const std::string&)> visit) = 0;
};

// The one writer. Its reads see what it has written, but searches by words see what is committed. A
// group of commits is one durable transaction;
// each commit in it can be undone alone. Any error of Begin or Commit leaves the store as it was at
// the last Commit.
class Writer : public Reader {
 public:
  virtual absl::Status Begin() = 0;
  virtual absl::Status BeginCommit() = 0;
  // Makes `version` the record's newest. `supersedes` says that there is one before, which ends at
  // version.since.
  virtual absl::Status Put(absl::string_view collection, const Version& version,
                           const Derived& derived, bool supersedes) = 0;
  // The names that a live record's newest version, of `since`, refers to: those gone, those new.
  virtual absl::Status PutReferences(absl::string_view name, Revision since,
                                     absl::Span<const std::string> removed,
                                     absl::Span<const std::string> added) = 0;
  virtual absl::Status PutCommit(const Commit& commit, absl::Span<const Touched> touched) = 0;
  virtual absl::Status EndCommit() = 0;
  virtual absl::Status UndoCommit() = 0;
  // Durable when it returns OK.
  virtual absl::Status Commit() = 0;
  virtual absl::Status Rollback() = 0;
  virtual absl::Status PutSnapshot(const Snapshot& snapshot) = 0;

  // For erasures. Visits all versions, superseded ones too, whose payload or id holds one of the
  // texts; of many texts, some twice.
  virtual absl::Status Containing(absl::string_view collection, absl::Span<const std::string> texts,
                                  absl::FunctionRef<bool(Version&)> visit) = 0;
  // Replaces the payload of one version in its place, and what is derived from it.
  virtual absl::Status Rewrite(absl::string_view collection, absl::string_view id, Revision since,
                               absl::string_view payload, const Derived& derived) = 0;
  virtual absl::Status KeepLeaf(absl::string_view collection, absl::string_view id, Revision since,
                                absl::string_view leaf) = 0;
  // Gives a record another id and uid wherever it stands, deletes it in all its versions as of
  // `time`, and clears their payloads and salts. Clears the reasons and request hashes of its
  // commits, and the reasons of others that hold one of the texts.
  virtual absl::Status EraseRecord(absl::string_view collection, absl::string_view id,
                                   absl::string_view new_id, absl::string_view new_uid,
                                   int64_t time, absl::Span<const std::string> texts) = 0;
  virtual absl::Status PutErasure(const Erasure& erasure, Revision revision) = 0;
  // Rewrites the files, so that nothing is left in them of what was erased, and the ledger. Fails
  // with UNAVAILABLE (ERASURE_INCOMPLETE) while another process reads older state; what is
  // left to do is done when the store is next opened. Not within Begin and Commit.
  virtual absl::Status Purge() = 0;

  // Forgets all references, before they are derived anew.
  virtual absl::Status ClearReferences() = 0;

  // Makes what is derived of a collection anew, by the Table that the store was opened with: after
  // Begin, Put takes the versions that Underived visits, in that order, in as many transactions as
  // one likes; after End, and not before, selections find them. What a crash has ended goes on
  // where it was. Begin and End are transactions of their own.
  virtual absl::Status BeginDeriving(absl::string_view collection) = 0;
  virtual absl::Status Underived(absl::string_view collection,
                                 absl::FunctionRef<bool(Version&)> visit) = 0;
  virtual absl::Status PutDerived(absl::string_view collection, absl::string_view id,
                                  Revision since, const Derived& derived) = 0;
  virtual absl::Status EndDeriving(absl::string_view collection) = 0;
  virtual absl::Status SetMeta(absl::string_view key, absl::string_view value) = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  virtual absl::StatusOr<std::unique_ptr<Reader>> NewReader() = 0;
  // Null where the store is open for reading only. Owned by the store.
  virtual Writer* writer() = 0;
  // A value kept beside the records; empty where there is none.
  virtual absl::StatusOr<std::string> Meta(absl::string_view key) = 0;
  // Erasures that the ledger beside the store lists and the store has not made: it was restored
  // from a backup.
  virtual absl::StatusOr<std::vector<Erasure>> MissingErasures() = 0;
};

}  // namespace detente::store
