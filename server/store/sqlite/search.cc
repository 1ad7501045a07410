#include "store/sqlite/search.h"

#include <algorithm>
#include <bitset>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "store/sqlite/ranking.h"
#include "store/sqlite/scoring.h"
#include "store/sqlite/session.h"

namespace detente::store {
namespace {

// Ends the transaction that a reader's search is in.
class ReadTransaction {
 public:
  explicit ReadTransaction(Connection& db) : db_(db) {}
  ~ReadTransaction() {
    if (begun_) db_.Execute("ROLLBACK").IgnoreError();
  }
  ReadTransaction(const ReadTransaction&) = delete;

  // One state for all statements; a writer sees what it writes in any case.
  absl::Status Begin() {
    if (sqlite3_get_autocommit(db_.db()) == 0) return absl::OkStatus();
    absl::Status status = db_.Execute("BEGIN");
    begun_ = status.ok();
    return status;
  }

 private:
  Connection& db_;
  bool begun_ = false;
};

}  // namespace

const char kSearchTables[] = R"sql(
CREATE TABLE IF NOT EXISTS search_collections (ordinal INTEGER PRIMARY KEY, collection TEXT UNIQUE);
CREATE VIRTUAL TABLE IF NOT EXISTS search_heads USING fts5(names, sounds, texts, tokenize = 'ascii');
CREATE VIRTUAL TABLE IF NOT EXISTS search_past USING fts5(names, sounds, texts, tokenize = 'ascii');
)sql";

std::string QuoteWords(absl::string_view words) {
  return absl::StrCat("\"", absl::StrReplaceAll(words, {{"\"", "\"\""}}), "\"");
}

std::string NamedCondition(absl::string_view collection, bool past) {
  const absl::string_view table = past ? "search_past" : "search_heads";
  return absl::StrCat("k.num IN (SELECT rowid >> 8 FROM ", table, " WHERE ", table,
                      " MATCH ? AND rowid & 255 = (SELECT ordinal FROM search_collections WHERE "
                      "collection = '",
                      collection, "'))");
}

std::string NamedMatch(NamedBy by, absl::string_view word) {
  return absl::StrCat(by == NamedBy::kWord ? "names : " : "sounds : ", QuoteWords(word));
}

absl::StatusOr<SearchCounts> SqliteSession::Search(const SearchQuery& query,
                                                   SearchStatistics* statistics,
                                                   absl::FunctionRef<bool(SearchHit&)> visit) {
  auto turn = ReadTurn();
  ReadTransaction transaction(db_);
  if (!pinned_.has_value()) {
    if (absl::Status s = transaction.Begin(); !s.ok()) return s;
  }
  Revision newest = 0;
  std::vector<const CollectionSql*> collections;
  std::bitset<kMaxCollections + 1> ordinals;
  for (const auto& [name, sql] : shared_->collections) {
    if (!query.collections.empty() && std::find(query.collections.begin(), query.collections.end(),
                                                name) == query.collections.end()) {
      continue;
    }
    DETENTE_PREPARE(state, db_, sql.state.c_str());
    if (auto row = state.Step("read"); !row.ok()) return row.status();
    if (absl::Status s = CheckDerived(sql, state); !s.ok()) return s;
    newest = state.Int(1);
    collections.push_back(&sql);
    ordinals.set(static_cast<size_t>(sql.ordinal));
  }
  // The newest state has heads alone.
  const bool has_past = query.view.revision < newest;
  Scorer scorer(db_, query.check, ordinals, statistics);
  Ranking ranking(db_, query, !has_past, collections);
  SearchCounts counts;
  for (const bool past : {false, true}) {
    if (past && !has_past) continue;
    auto found = scorer.Find(past, query.root);
    if (!found.ok()) return found.status();
    if (absl::Status s = ranking.Add(past, *std::move(found), &counts); !s.ok()) return s;
  }
  if (absl::Status s = ranking.Visit(visit); !s.ok()) return s;
  return counts;
}

void SqliteSession::IndexWords(const CollectionSql& sql, bool past, int64_t number,
                               const Derived& derived) {
  words_.push_back(
      {past, SearchRow(number, sql.ordinal), 0, derived.names, derived.sounds, derived.texts});
}

void SqliteSession::SupersedeWords(const CollectionSql& sql, int64_t number, int64_t past_number) {
  words_.push_back(
      {true, SearchRow(past_number, sql.ordinal), SearchRow(number, sql.ordinal), "", "", ""});
}

// At the end of a transaction, row by row: FTS5 writes out what it has gathered at each savepoint,
// and whenever a row comes that is not behind the last one.
absl::Status SqliteSession::WriteWords() {
  std::map<std::pair<bool, int64_t>, WordsChange> rows;
  std::map<int64_t, WordsChange> heads;  // as they are in the file
  for (WordsChange& change : words_) {
    if (change.copied != 0) {
      auto head = rows.find({false, change.copied});
      if (head == rows.end()) {
        WordsChange& stored = heads[change.copied];
        DETENTE_PREPARE(get, db_, "SELECT names, sounds, texts FROM search_heads WHERE rowid = ?1");
        auto row = get.Bind(change.copied).Step("read");
        if (!row.ok()) return row.status();
        if (*row) stored = {false, change.copied, 0, get.Text(0), get.Text(1), get.Text(2)};
        change.names = stored.names, change.sounds = stored.sounds, change.texts = stored.texts;
      } else {
        const WordsChange& now = head->second;
        change.names = now.names, change.sounds = now.sounds, change.texts = now.texts;
      }
    }
    rows[{change.past, change.row}] = std::move(change);
  }
  words_.clear();
  words_before_ = 0;
  for (const auto& [key, row] : rows) {
    if (const auto head = heads.find(row.row);
        !row.past && head != heads.end() && head->second.names == row.names &&
        head->second.sounds == row.sounds && head->second.texts == row.texts) {
      continue;
    }
    if (row.names.empty() && row.texts.empty()) {
      DETENTE_PREPARE(remove, db_,
                      row.past ? "DELETE FROM search_past WHERE rowid = ?1"
                               : "DELETE FROM search_heads WHERE rowid = ?1");
      if (absl::Status s = remove.Bind(row.row).Run(); !s.ok()) return s;
      continue;
    }
    DETENTE_PREPARE(put, db_,
                    row.past ? "INSERT OR REPLACE INTO search_past (rowid, names, sounds, texts) "
                               "VALUES (?1, ?2, ?3, ?4)"
                             : "INSERT OR REPLACE INTO search_heads (rowid, names, sounds, texts) "
                               "VALUES (?1, ?2, ?3, ?4)");
    if (absl::Status s = put.Bind(row.row).Bind(row.names).Bind(row.sounds).Bind(row.texts).Run();
        !s.ok()) {
      return s;
    }
  }
  return absl::OkStatus();
}

// Merges the index into one piece, in which nothing is left of the rows that are gone.
absl::Status SqliteSession::PurgeWords() {
  for (const char* sql : {"INSERT INTO search_heads (search_heads) VALUES ('optimize')",
                          "INSERT INTO search_past (search_past) VALUES ('optimize')"}) {
    if (absl::Status s = db_.Execute(sql); !s.ok()) return s;
  }
  return absl::OkStatus();
}

}  // namespace detente::store
