#include "store/sqlite/postings.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace detente::store {
namespace {

constexpr int kNameWeight = 10;
constexpr int kSoundWeight = 5;
constexpr int kTextWeight = 1;
// To pass over so many rows of a table takes as long as to seek one.
constexpr int kRowsOfASeek = 16;
constexpr char kScan[] = "detente_scan";

int Weight(int column) {
  return column == 0 ? kNameWeight : column == 1 ? kSoundWeight : kTextWeight;
}

struct Scan {
  Connection* db;
  const SearchCheck* check;
  absl::FunctionRef<bool(int64_t)> wanted;
  size_t kind;
  std::vector<Posting>* postings;
  size_t at = 0;  // those before are passed over
  std::vector<Posting> more = {};
  int64_t count = 0;
  absl::Status status = absl::OkStatus();
};

int TakeRow(const Fts5ExtensionApi* api, Fts5Context* context, int64_t row, Scan* scan) {
  int32_t places = 0;
  Fts5PhraseIter iterator;
  int column = 0, offset = 0;
  const int code = api->xPhraseFirst(context, 0, &iterator, &column, &offset);
  if (code != SQLITE_OK) return code;
  for (; column >= 0; api->xPhraseNext(context, &iterator, &column, &offset)) {
    places += Weight(column);
  }
  std::vector<Posting>& known = *scan->postings;
  while (scan->at < known.size() && known[scan->at].row < row) ++scan->at;
  const bool is_known = scan->at < known.size() && known[scan->at].row == row;
  Posting& posting = is_known ? known[scan->at] : scan->more.emplace_back(Posting{row});
  posting.places[scan->kind] = places;
  return SQLITE_OK;
}

int ScanRow(const Fts5ExtensionApi* api, Fts5Context* context, void* data) {
  Scan& scan = *static_cast<Scan*>(data);
  const int64_t row = api->xRowid(context);
  if (scan.wanted(row)) {
    const int code = TakeRow(api, context, row, &scan);
    if (code != SQLITE_OK) return code;
  }
  if (++scan.count % kRowsBetweenChecks != 0) return SQLITE_OK;
  if (scan.db->interrupted()) return SQLITE_INTERRUPT;  // FTS5 does not look
  if (*scan.check != nullptr) scan.status = (*scan.check)();
  return scan.status.ok() ? SQLITE_OK : SQLITE_DONE;
}

// Both in order.
void Merge(std::vector<Posting> more, std::vector<Posting>* all) {
  if (!more.empty() && !all->empty()) {
    std::vector<Posting> merged;
    merged.reserve(all->size() + more.size());
    std::merge(all->begin(), all->end(), more.begin(), more.end(), std::back_inserter(merged),
               [](const Posting& a, const Posting& b) { return a.row < b.row; });
    more = std::move(merged);
  }
  if (!more.empty()) *all = std::move(more);
}

// detente_scan(search_heads, scan), of a query of one phrase, in its first row: FTS5 runs through
// all of them several times faster than a statement does, which leaves it at each.
void ScanAll(const Fts5ExtensionApi* api, Fts5Context* row, sqlite3_context* context, int,
             sqlite3_value** arguments) {
  auto* scan = static_cast<Scan*>(sqlite3_value_pointer(arguments[0], kScan));
  if (scan == nullptr) return sqlite3_result_error_code(context, SQLITE_MISUSE);
  const int code = api->xQueryPhrase(row, 0, scan, &ScanRow);
  if (code != SQLITE_OK) sqlite3_result_error_code(context, code);
}

// detente_statistics(search_heads)
void Statistics(const Fts5ExtensionApi* api, Fts5Context* row, sqlite3_context* context, int,
                sqlite3_value**) {
  sqlite3_int64 documents = 0, words = 0;
  int code = api->xRowCount(row, &documents);
  if (code == SQLITE_OK) code = api->xColumnTotalSize(row, -1, &words);
  if (code != SQLITE_OK) return sqlite3_result_error_code(context, code);
  const std::string text = absl::StrCat(documents, " ", words);
  sqlite3_result_text(context, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

// Of a row of search_X_docsize: a varint for each column.
int32_t SizeOf(absl::string_view columns) {
  int32_t size = 0, value = 0;
  for (const char byte : columns) {
    value = value << 7 | (byte & 0x7F);
    if ((byte & 0x80) != 0) continue;
    size += value;
    value = 0;
  }
  return size;
}

}  // namespace

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
       {std::pair(kScan, &ScanAll), std::pair("detente_statistics", &Statistics)}) {
    const int code = api->xCreateFunction(api, name, nullptr, function, nullptr);
    if (code != SQLITE_OK) return StoreError(code, "read", db.db());
  }
  return absl::OkStatus();
}

absl::Status CountWords(Connection& db, SearchStatistics* statistics) {
  DETENTE_PREPARE(count, db, "SELECT detente_statistics(search_heads) FROM search_heads LIMIT 1");
  auto row = count.Step("read");
  if (!row.ok() || !*row) return row.status();
  const std::vector<std::string> numbers = absl::StrSplit(count.Text(0), ' ');
  if (numbers.size() != 2 || !absl::SimpleAtoi(numbers[0], &statistics->documents) ||
      !absl::SimpleAtoi(numbers[1], &statistics->words)) {
    return absl::InternalError("no statistics of the full-text index");
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> FindPhrase(Connection& db, bool past, const std::string& phrase,
                                   size_t kind, absl::FunctionRef<bool(int64_t row)> wanted,
                                   const SearchCheck& check, std::vector<Posting>* postings) {
  DETENTE_PREPARE(find, db,
                  past ? "SELECT detente_scan(search_past, ?2) FROM search_past "
                         "WHERE search_past MATCH ?1 LIMIT 1"
                       : "SELECT detente_scan(search_heads, ?2) FROM search_heads "
                         "WHERE search_heads MATCH ?1 LIMIT 1");
  Scan scan{&db, &check, wanted, kind, postings};
  auto row = find.Bind(phrase).BindPointer(&scan, kScan).Step("read");
  if (!scan.status.ok()) return scan.status;
  if (!row.ok()) return row.status();
  Merge(std::move(scan.more), postings);
  return scan.count;
}

absl::Status ReadSizes(Connection& db, bool past, const std::vector<Posting>& postings,
                       const SearchCheck& check,
                       absl::FunctionRef<void(const Posting& posting, int32_t size)> visit) {
  auto prepared =
      db.Prepare(past ? "SELECT id, sz FROM search_past_docsize WHERE id >= ?1 ORDER BY id"
                      : "SELECT id, sz FROM search_heads_docsize WHERE id >= ?1 ORDER BY id");
  if (!prepared.ok()) return prepared.status();
  std::optional<Statement> read;
  int64_t at = INT64_MIN, count = 0;
  for (const Posting& posting : postings) {
    for (int steps = 0; at < posting.row; ++steps) {
      if (!read.has_value() || steps == kRowsOfASeek) {
        read.reset();  // before there is another one
        read.emplace(*prepared).Bind(posting.row);
      }
      auto row = read->Step("read");
      if (!row.ok()) return row.status();
      at = *row ? read->Int(0) : INT64_MAX;
    }
    if (at != posting.row) return absl::InternalError("no size of a row of the full-text index");
    visit(posting, SizeOf(read->View(1)));
    if (++count % kRowsBetweenChecks != 0 || check == nullptr) continue;
    if (absl::Status s = check(); !s.ok()) return s;
  }
  return absl::OkStatus();
}

}  // namespace detente::store
