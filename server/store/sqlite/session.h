// One connection as a Reader, or as the Writer of its store.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

#include "store/sqlite/connection.h"
#include "store/sqlite/search.h"
#include "store/sqlite/selection_sql.h"
#include "store/store.h"

namespace detente::store {

// What a selection that runs is asked now and then.
class SelectionRun {
 public:
  void Start(const std::function<absl::Status()>& check) {
    check_ = check;
    status_ = absl::OkStatus();
    work_ = 0;
  }
  // False = end it; `status` says why.
  bool Check();
  // The same once enough work was done; `amount` in comparisons of bytes.
  bool Work(size_t amount);
  const absl::Status& status() const { return status_; }

 private:
  std::function<absl::Status()> check_;
  absl::Status status_;
  size_t work_ = 0;
};

class SqliteSession : public Writer {
 public:
  explicit SqliteSession(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  absl::Status Open(bool write);
  Connection& connection() { return db_; }
  absl::StatusOr<std::string> Meta(absl::string_view key);

  absl::StatusOr<struct Commit> Newest() override;
  absl::StatusOr<std::optional<Version>> Get(absl::string_view collection, absl::string_view id,
                                             const ReadView& view) override;
  absl::Status List(absl::string_view collection, absl::string_view after, const ReadView& view,
                    bool show_deleted, absl::FunctionRef<bool(Version&)> visit) override;
  absl::Status ListRows(absl::string_view collection, absl::string_view after, const ReadView& view,
                        bool show_deleted, absl::FunctionRef<bool(const Row&)> visit) override;
  absl::Status Revisions(absl::string_view collection, absl::string_view id, Revision before,
                         absl::FunctionRef<bool(Version&)> visit) override;

  // versions.cc
  absl::Status Versions(absl::string_view collection, const VersionRange& range,
                        absl::FunctionRef<bool(Version&, Revision)> visit) override;
  absl::Status Superseded(
      absl::string_view collection, Revision after, Revision to,
      absl::FunctionRef<void(absl::string_view, Revision, Revision)> visit) override;
  absl::StatusOr<std::vector<Revision>> SampleSince(absl::string_view collection,
                                                    int count) override;
  absl::StatusOr<Revision> LastErasure() override;

  // derived.cc
  absl::StatusOr<bool> IsDerived(absl::string_view collection) override;
  absl::Status BeginDeriving(absl::string_view collection) override;
  absl::Status Underived(absl::string_view collection,
                         absl::FunctionRef<bool(Version&)> visit) override;
  absl::Status PutDerived(absl::string_view collection, absl::string_view id, Revision since,
                          const Derived& derived) override;
  absl::Status EndDeriving(absl::string_view collection) override;
  // The tables for what is derived, of a collection that has no versions.
  absl::Status MakeDerived(const CollectionSql& sql);

  // select.cc
  absl::Status Select(absl::string_view collection, const Selection& selection,
                      absl::FunctionRef<bool(const Row&)> visit) override;
  absl::Status Scan(absl::string_view collection, const Selection& selection,
                    absl::Span<const int> columns,
                    absl::FunctionRef<bool(absl::Span<const Value>)> visit) override;
  absl::StatusOr<int64_t> Count(absl::string_view collection, const Selection& selection) override;
  absl::StatusOr<Plan> Explain(absl::string_view collection, const Selection& selection) override;

  // search.cc
  absl::StatusOr<SearchCounts> Search(const SearchQuery& query, SearchStatistics* statistics,
                                      absl::FunctionRef<bool(SearchHit&)> visit) override;

  absl::StatusOr<std::optional<struct Commit>> FindRequest(absl::string_view actor,
                                                           absl::string_view request_id) override;
  absl::StatusOr<std::vector<Touched>> Touches(Revision revision) override;
  absl::StatusOr<std::optional<Change>> ChangeOf(Revision revision, absl::string_view collection,
                                                 absl::string_view id) override;

  // references.cc
  absl::StatusOr<std::vector<std::string>> Referrers(absl::string_view name, int limit) override;
  absl::Status ReferrersAt(absl::string_view name, const ReadView& view, absl::string_view after,
                           absl::string_view before,
                           absl::FunctionRef<bool(const std::string&)> visit) override;
  absl::Status PutReferences(absl::string_view name, Revision since,
                             absl::Span<const std::string> removed,
                             absl::Span<const std::string> added) override;
  absl::Status ClearReferences() override;

  // history.cc
  absl::StatusOr<std::optional<struct Commit>> FindCommit(Revision revision) override;
  absl::StatusOr<Revision> RevisionAt(int64_t time) override;
  absl::Status Commits(const CommitFilter& filter, Revision before,
                       absl::FunctionRef<bool(struct Commit&)> visit) override;
  absl::Status Changed(Revision base, Revision target, const Touched& after,
                       absl::FunctionRef<bool(Touched&)> visit) override;
  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(absl::string_view id) override;
  absl::Status Snapshots(absl::string_view after,
                         absl::FunctionRef<bool(Snapshot&)> visit) override;
  absl::StatusOr<std::optional<std::string>> KeptLeaf(absl::string_view collection,
                                                      absl::string_view id,
                                                      Revision since) override;
  void Pin(int64_t stamp) override;
  void Unpin() override;
  void Interrupt() override { db_.Interrupt(); }

  absl::Status Begin() override;
  absl::Status BeginCommit() override;
  absl::Status Put(absl::string_view collection, const Version& version, const Derived& derived,
                   bool supersedes) override;
  absl::Status PutCommit(const struct Commit& commit, absl::Span<const Touched> touched) override;
  absl::Status EndCommit() override;
  absl::Status UndoCommit() override;
  absl::Status Commit() override;
  absl::Status Rollback() override;
  absl::Status SetMeta(absl::string_view key, absl::string_view value) override;
  absl::Status PutSnapshot(const Snapshot& snapshot) override;

  // erase.cc
  absl::Status Containing(absl::string_view collection, absl::Span<const std::string> texts,
                          absl::FunctionRef<bool(Version&)> visit) override;
  absl::Status Rewrite(absl::string_view collection, absl::string_view id, Revision since,
                       absl::string_view payload, const Derived& derived) override;
  absl::Status KeepLeaf(absl::string_view collection, absl::string_view id, Revision since,
                        absl::string_view leaf) override;
  absl::Status EraseRecord(absl::string_view collection, absl::string_view id,
                           absl::string_view new_id, absl::string_view new_uid, int64_t time,
                           absl::Span<const std::string> texts) override;
  absl::Status PutErasure(const Erasure& erasure, Revision revision) override;
  absl::Status Purge() override;
  absl::StatusOr<std::vector<Erasure>> Erasures();

 private:
  // search.cc
  // `number` is of a row of head_X, or of past_X.
  void IndexWords(const CollectionSql& sql, bool past, int64_t number, const Derived& derived);
  void SupersedeWords(const CollectionSql& sql, int64_t number, int64_t past_number);
  absl::Status WriteWords();
  absl::Status PurgeWords();
  // derived.cc
  // `state`: a row of sql.state.
  static absl::Status CheckDerived(const CollectionSql& sql, const Statement& state);
  absl::Status Derive(const CollectionSql& sql, bool past, int64_t number, const Derived& derived);
  absl::Status PutKeys(const CollectionSql& sql, int64_t number, const Version& version,
                       const Derived& derived);
  absl::Status SupersedeKeys(const CollectionSql& sql, int64_t number, int64_t past_number,
                             const Version& version, const Derived& derived);
  absl::Status DeriveLists(const CollectionSql& sql, int64_t number,
                           const std::vector<std::pair<int, Value>>& lists);
  absl::Status ChangeLists(const CollectionSql& sql, int64_t number,
                           const std::vector<std::pair<int, Value>>& gone,
                           const std::vector<std::pair<int, Value>>& added);
  absl::Status Analyze();
  absl::Status AnalyzeIfGrown();

  // A reader of a store in memory waits for the writer; the writer's own reads don't.
  std::shared_lock<std::shared_mutex> ReadTurn();
  void BeginPinned();
  absl::Status Run(const char* sql);
  // The version in the row `number` of head_X or past_X; with its `until`.
  absl::StatusOr<Version> GetNumbered(const CollectionSql& sql, bool past, int64_t number,
                                      Revision* until = nullptr);
  // erase.cc
  // Visits the rows of a record's versions; of one, where `since` is given.
  absl::Status EachNumbered(const CollectionSql& sql, absl::string_view id,
                            std::optional<Revision> since,
                            absl::FunctionRef<absl::Status(bool past, int64_t number)> visit);
  // In its place, with what is derived from it.
  absl::Status ReplaceRow(const CollectionSql& sql, bool past, int64_t number,
                          const Version& version, const Derived& derived);
  absl::Status Walk(
      absl::string_view collection, absl::string_view after, const ReadView& view,
      bool show_deleted,
      absl::FunctionRef<absl::StatusOr<bool>(const Statement&, bool superseded)> read);

  // select.cc
  absl::Status AddFunctions();
  // Reads a selection: all in one state of the store, and ended where its check says so.
  absl::Status Selected(absl::string_view collection, const Selection& selection,
                        absl::FunctionRef<absl::Status(const CollectionSql&, SelectionSql&)> read);
  // Within it. `read` counts the rows that are left down, and ends it with 0.
  absl::Status EachPass(SelectionSql& select,
                        absl::FunctionRef<absl::Status(const Sql& keys, int64_t* left)> read);
  // What reads the rows of these keys: of heads their records.
  absl::StatusOr<std::string> RowsText(const SelectionSql& select, const std::string& keys);
  // Within it: `wanted` of the newest versions, then of superseded ones.
  absl::Status EachTable(const SelectionSql& select, const std::string& wanted,
                         absl::FunctionRef<absl::Status(Statement&)> read);
  absl::Status ChoosePlan(SelectionSql* select);
  absl::StatusOr<std::vector<Value>> ValuesAfter(const SelectionSql& select);
  absl::StatusOr<int64_t> CountRows(const Sql& from);
  absl::StatusOr<std::optional<int64_t>> CountByIndex(const Selection& selection,
                                                      const SelectionSql& select);
  static void AddStep(absl::string_view collection, std::string step, Plan* plan);

  std::shared_ptr<Shared> shared_;
  Connection db_;
  bool writes_ = false;
  bool pins_ = false;
  int64_t stamp_ = 0;
  // The state that all reads are of, as long as its statement stands at its row.
  struct Pinned {
    explicit Pinned(sqlite3_stmt* prepared) : statement(prepared) {}
    Statement statement;
    Revision newest = 0;
    const CollectionSql* derived = nullptr;  // whose derived values were last seen to be there
  };
  std::optional<Pinned> pinned_;
  SelectionRun run_;
  RecentKeys recent_keys_;
  std::string record_;  // that is being written
  // What the transaction changes in the full-text index, in the order in which it does.
  std::vector<WordsChange> words_;
  size_t words_before_ = 0;  // of these, by commits before the one that is open
  int64_t inserted_ = 0;     // rows since the last analysis
  int64_t analyzed_ = -1;    // rows that there were then; -1 = not read yet
};

// The columns of a commit, in the order that SELECTs have them.
#define DETENTE_COMMIT_COLUMNS "revision, time, actor, reason, method, request_id, request_hash"
Commit ReadCommit(const Statement& row);

// The tables of references; what format 3 has beside those of format 2. In references.cc.
extern const char kReferenceTables[];

// For the scans of erasures; in erase.cc.
absl::Status AddHoldsOne(Connection& db);

}  // namespace detente::store
