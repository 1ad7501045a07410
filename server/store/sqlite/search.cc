#include "store/sqlite/search.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "error/error.h"
#include "store/sqlite/session.h"

namespace detente::store {
namespace {

constexpr double kNameWeight = 10;
constexpr double kSoundWeight = 5;
constexpr double kTextWeight = 1;
constexpr double kSaturation = 1.2;     // BM25's k1
constexpr double kLengthWeight = 0.75;  // its b
constexpr int kRowsBetweenChecks = 256;

double Weight(int column) {
  return column == 0 ? kNameWeight : column == 1 ? kSoundWeight : kTextWeight;
}

// detente_places(search_heads), of a query of one phrase: where it stands, weighted.
void Places(const Fts5ExtensionApi* api, Fts5Context* row, sqlite3_context* context, int,
            sqlite3_value**) {
  double places = 0;
  Fts5PhraseIter iterator;
  int column = 0, offset = 0;
  const int code = api->xPhraseFirst(row, 0, &iterator, &column, &offset);
  if (code != SQLITE_OK) return sqlite3_result_error_code(context, code);
  for (; column >= 0; api->xPhraseNext(row, &iterator, &column, &offset)) {
    places += Weight(column);
  }
  sqlite3_result_double(context, places);
}

// detente_size(search_heads): how many words the row has.
void Size(const Fts5ExtensionApi* api, Fts5Context* row, sqlite3_context* context, int,
          sqlite3_value**) {
  int size = 0;
  const int code = api->xColumnSize(row, -1, &size);
  if (code != SQLITE_OK) return sqlite3_result_error_code(context, code);
  sqlite3_result_int(context, size);
}

// detente_statistics(search_heads): how many documents there are, and how many words.
void Statistics(const Fts5ExtensionApi* api, Fts5Context* row, sqlite3_context* context, int,
                sqlite3_value**) {
  sqlite3_int64 documents = 0, words = 0;
  int code = api->xRowCount(row, &documents);
  if (code == SQLITE_OK) code = api->xColumnTotalSize(row, -1, &words);
  if (code != SQLITE_OK) return sqlite3_result_error_code(context, code);
  const std::string text = absl::StrCat(documents, " ", words);
  sqlite3_result_text(context, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

std::string Quote(absl::string_view words) {
  return absl::StrCat("\"", absl::StrReplaceAll(words, {{"\"", "\"\""}}), "\"");
}

void Compile(const SearchNode& node, bool scored, SearchMatch* match) {
  if (node.kind == SearchNode::Kind::kTerm) {
    const SearchTerm& term = node.term;
    auto add = [&](std::string phrase) {
      match->text += phrase;
      if (scored) match->phrases.push_back(std::move(phrase));
    };
    match->text += '(';
    add(absl::StrCat("{names texts} : ", Quote(absl::StrJoin(term.words, " ")),
                     term.prefix ? " *" : ""));
    if (!term.sound.empty()) {
      match->text += " OR ";
      add(absl::StrCat("sounds : ", Quote(term.sound)));
    }
    match->text += ')';
    return;
  }
  const absl::string_view joint = node.kind == SearchNode::Kind::kAnd  ? " AND "
                                  : node.kind == SearchNode::Kind::kOr ? " OR "
                                                                       : " NOT ";
  for (size_t i = 0; i < node.children.size(); ++i) {
    match->text.append(i == 0 ? "(" : joint.data(), i == 0 ? 1 : joint.size());
    const bool excluded = node.kind == SearchNode::Kind::kExcept && i > 0;
    Compile(node.children[i], scored && !excluded, match);
  }
  match->text += ')';
}

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

std::string NamedCondition(absl::string_view collection, bool past) {
  const absl::string_view table = past ? "search_past" : "search_heads";
  return absl::StrCat("k.num IN (SELECT rowid >> 8 FROM ", table, " WHERE ", table,
                      " MATCH ? AND rowid & 255 = (SELECT ordinal FROM search_collections WHERE "
                      "collection = '",
                      collection, "'))");
}

std::string NamedMatch(NamedBy by, absl::string_view word) {
  return absl::StrCat(by == NamedBy::kWord ? "names : " : "sounds : ", Quote(word));
}

SearchMatch CompileSearch(const SearchNode& root) {
  SearchMatch match;
  Compile(root, true, &match);
  return match;
}

absl::Status AddSearchFunctions(Connection& db) {
  fts5_api* api = nullptr;
  {
    auto get = db.Once("SELECT fts5(?1)");
    if (!get.ok()) return get.status();
    (*get)->BindPointer(static_cast<void*>(&api), "fts5_api_ptr");
    if (auto row = (*get)->Step("read"); !row.ok()) return row.status();
  }
  if (api == nullptr) return absl::InternalError("SQLite has no FTS5");
  for (const auto& [name, function] :
       {std::pair("detente_places", &Places), std::pair("detente_size", &Size),
        std::pair("detente_statistics", &Statistics)}) {
    const int code = api->xCreateFunction(api, name, nullptr, function, nullptr);
    if (code != SQLITE_OK) return StoreError(code, "read", db.db());
  }
  return absl::OkStatus();
}

absl::Status SqliteSession::CountWords(SearchStatistics* statistics) {
  DETENTE_PREPARE(count, db_, "SELECT detente_statistics(search_heads) FROM search_heads LIMIT 1");
  auto row = count.Step("read");
  if (!row.ok() || !*row) return row.status();
  const std::vector<std::string> numbers = absl::StrSplit(count.Text(0), ' ');
  if (numbers.size() != 2 || !absl::SimpleAtoi(numbers[0], &statistics->documents) ||
      !absl::SimpleAtoi(numbers[1], &statistics->words)) {
    return absl::InternalError("no statistics of the full-text index");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SqliteSession::ScoredRow>> SqliteSession::FindWords(
    bool past, const SearchMatch& match, const std::function<absl::Status()>& check) {
  DETENTE_PREPARE(find, db_,
                  past ? "SELECT rowid, detente_size(search_past) FROM search_past "
                         "WHERE search_past MATCH ?1 ORDER BY rowid"
                       : "SELECT rowid, detente_size(search_heads) FROM search_heads "
                         "WHERE search_heads MATCH ?1 ORDER BY rowid");
  find.Bind(match.text);
  std::vector<ScoredRow> rows;
  while (true) {
    auto row = find.Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return rows;
    rows.push_back({find.Int(0), static_cast<double>(find.Int(1))});
    if (rows.size() % kRowsBetweenChecks != 0 || check == nullptr) continue;
    if (absl::Status s = check(); !s.ok()) return s;
  }
}

absl::StatusOr<int64_t> SqliteSession::PlacesOf(bool past, const std::string& phrase,
                                                const std::function<absl::Status()>& check,
                                                std::vector<ScoredRow>* rows) {
  DETENTE_PREPARE(find, db_,
                  past ? "SELECT rowid, detente_places(search_past) FROM search_past "
                         "WHERE search_past MATCH ?1 ORDER BY rowid"
                       : "SELECT rowid, detente_places(search_heads) FROM search_heads "
                         "WHERE search_heads MATCH ?1 ORDER BY rowid");
  find.Bind(phrase);
  for (ScoredRow& row : *rows) row.places = 0;
  auto at = rows->begin();
  for (int64_t count = 0;; ++count) {
    auto row = find.Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return count;
    while (at != rows->end() && at->row < find.Int(0)) ++at;
    if (at != rows->end() && at->row == find.Int(0)) at->places = find.Real(1);
    if (count % kRowsBetweenChecks != 0 || check == nullptr) continue;
    if (absl::Status s = check(); !s.ok()) return s;
  }
}

absl::Status SqliteSession::Search(const SearchQuery& query, SearchStatistics* statistics,
                                   absl::FunctionRef<bool(SearchHit&)> visit) {
  auto turn = ReadTurn();
  ReadTransaction transaction(db_);
  if (absl::Status s = transaction.Begin(); !s.ok()) return s;
  std::map<int64_t, const CollectionSql*> collections;
  for (const auto& [name, sql] : shared_->collections) {
    if (!query.collections.empty() && std::find(query.collections.begin(), query.collections.end(),
                                                name) == query.collections.end()) {
      continue;
    }
    DETENTE_PREPARE(state, db_, sql.state.c_str());
    if (auto row = state.Step("read"); !row.ok()) return row.status();
    if (absl::Status s = CheckDerived(sql, state); !s.ok()) return s;
    collections.emplace(sql.ordinal, &sql);
  }

  const SearchMatch match = CompileSearch(query.root);
  const bool count = statistics->frequencies.empty();
  if (count) {
    if (absl::Status s = CountWords(statistics); !s.ok()) return s;
  } else if (statistics->frequencies.size() != match.phrases.size()) {
    return absl::InternalError("statistics of another search");
  }
  auto newest = db_.Number("SELECT coalesce(max(revision), 0) FROM commits");
  if (!newest.ok()) return newest.status();
  // The newest state has heads alone.
  std::vector<bool> tables = {false};
  if (query.view.revision < *newest) tables.push_back(true);
  std::vector<ScoredRow> rows[2];
  for (const bool past : tables) {
    auto found = FindWords(past, match, query.check);
    if (!found.ok()) return found.status();
    rows[past] = *std::move(found);
  }
  for (size_t i = 0; i < match.phrases.size(); ++i) {
    auto frequency = PlacesOf(false, match.phrases[i], query.check, &rows[0]);
    if (!frequency.ok()) return frequency.status();
    if (count) statistics->frequencies.push_back(*frequency);
    for (const bool past : tables) {
      if (past) {
        auto places = PlacesOf(true, match.phrases[i], query.check, &rows[1]);
        if (!places.ok()) return places.status();
      }
      AddScores(*statistics, statistics->frequencies[i], &rows[past]);
    }
  }
  for (const bool past : tables) {
    int64_t visited = 0;
    for (const ScoredRow& row : rows[past]) {
      if (++visited % kRowsBetweenChecks == 0 && query.check != nullptr) {
        if (absl::Status s = query.check(); !s.ok()) return s;
      }
      const auto collection = collections.find(row.row & kMaxCollections);
      if (collection == collections.end()) continue;
      const CollectionSql& sql = *collection->second;
      DETENTE_PREPARE(seen, db_, (past ? sql.seen_past : sql.seen).c_str());
      auto visible = seen.Bind(row.row >> 8).Bind(query.view.revision).Step("read");
      if (!visible.ok()) return visible.status();
      if (!*visible) continue;
      SearchHit hit{sql.table.collection, seen.Text(0), row.score};
      if (!visit(hit)) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

void SqliteSession::AddScores(const SearchStatistics& statistics, int64_t frequency,
                              std::vector<ScoredRow>* rows) {
  const auto documents = static_cast<double>(statistics.documents);
  const auto words = static_cast<double>(statistics.words);
  const auto having = static_cast<double>(frequency);
  const double weight = std::log1p((documents - having + 0.5) / (having + 0.5));
  const double shrink = words > 0 ? documents / words : 1;
  for (ScoredRow& row : *rows) {
    if (row.places == 0) continue;
    const double length = 1 - kLengthWeight + kLengthWeight * row.size * shrink;
    row.score += weight * row.places * (kSaturation + 1) / (row.places + kSaturation * length);
  }
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
