#include "store/sqlite/ranking.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "store/sqlite/search.h"

namespace detente::store {
namespace {

// To look a row up takes as long as to read so many one after the other.
constexpr size_t kRowsOfALookup = 8;
constexpr size_t kFirstSorted = 128;  // of those with the best scores; each time more
constexpr size_t kGrowth = 8;

bool IsMarked(const std::vector<bool>& marked, int64_t number) {
  const auto at = static_cast<size_t>(number);
  return at < marked.size() && marked[at];
}

void MarkOne(int64_t number, std::vector<bool>* marked) {
  const auto at = static_cast<size_t>(number);
  if (at >= marked->size()) marked->resize(std::max(at + 1, 2 * marked->size()));
  (*marked)[at] = true;
}

int64_t NumberOf(const ScoredRow& row) { return row.row >> 8; }
size_t OrdinalOf(const ScoredRow& row) { return static_cast<size_t>(row.row & kMaxCollections); }

}  // namespace

absl::Status Ranking::Add(bool past, Rows rows, SearchCounts* counts) {
  std::array<size_t, kMaxCollections + 1> found = {}, seen = {};
  std::array<bool, kMaxCollections + 1> is_marked = {};
  std::array<std::vector<bool>, kMaxCollections + 1> marked;
  std::array<const CollectionSql*, kMaxCollections + 1> by_ordinal = {};
  for (const ScoredRow& row : rows) ++found[OrdinalOf(row)];
  for (const CollectionSql* sql : collections_) {
    const auto ordinal = static_cast<size_t>(sql->ordinal);
    by_ordinal[ordinal] = sql;
    if (found[ordinal] == 0) continue;
    auto all = Mark(*sql, past, kRowsOfALookup * found[ordinal], &marked[ordinal]);
    if (!all.ok()) return all.status();
    is_marked[ordinal] = *all;
  }
  auto kept = rows.begin();
  for (const ScoredRow& row : rows) {
    if (absl::Status s = Check(); !s.ok()) return s;
    const int64_t number = NumberOf(row);
    const size_t ordinal = OrdinalOf(row);
    if (is_marked[ordinal]) {
      if (IsMarked(marked[ordinal], number) != past) continue;
    } else {
      auto id = IdOf(*by_ordinal[ordinal], past, number);
      if (!id.ok()) return id.status();
      if (!id->has_value()) continue;
    }
    ++seen[ordinal];
    if (query_.after.has_value() && row.score > query_.after->score) continue;
    *kept++ = row;
  }
  rows.erase(kept, rows.end());
  for (const CollectionSql* sql : collections_) {
    const size_t count = seen[static_cast<size_t>(sql->ordinal)];
    if (count > 0) (*counts)[sql->table.collection] += static_cast<int64_t>(count);
  }
  if (rows_.empty()) {
    rows_ = std::move(rows);
  } else {
    rows_.insert(rows_.end(), rows.begin(), rows.end());
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Ranking::Mark(const CollectionSql& sql, bool past, size_t most,
                                   std::vector<bool>* marked) {
  if (past) {
    DETENTE_PREPARE(superseded, db_, sql.superseded_later.c_str());
    superseded.Bind(query_.view.revision);
    return MarkBy(superseded, past, &most, marked);
  }
  if (!newest_) {
    DETENTE_PREPARE(newer, db_, sql.newer.c_str());
    newer.Bind(query_.view.revision);
    auto all = MarkBy(newer, past, &most, marked);
    if (!all.ok() || !*all) return all;
  }
  DETENTE_PREPARE(deleted, db_, sql.deleted.c_str());
  return MarkBy(deleted, past, &most, marked);
}

absl::StatusOr<bool> Ranking::MarkBy(Statement& read, bool past, size_t* most,
                                     std::vector<bool>* marked) {
  while (true) {
    auto row = read.Step("read");
    if (!row.ok()) return row.status();
    if (!*row) return true;
    if ((*most)-- == 0) return false;
    if (!past || read.Int(1) != 0) MarkOne(read.Int(0), marked);
    if (absl::Status s = Check(); !s.ok()) return s;
  }
}

absl::StatusOr<std::optional<std::string>> Ranking::IdOf(const CollectionSql& sql, bool past,
                                                         int64_t number) {
  DETENTE_PREPARE(seen, db_, (past ? sql.seen_past : sql.seen).c_str());
  auto row = seen.Bind(number).Bind(query_.view.revision).Step("read");
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  return seen.Text(0);
}

absl::Status Ranking::Visit(absl::FunctionRef<bool(SearchHit&)> visit) {
  const auto better = [](const ScoredRow& a, const ScoredRow& b) { return a.score > b.score; };
  auto begin = rows_.begin();
  for (size_t size = kFirstSorted; begin != rows_.end(); size *= kGrowth) {
    // The best `size` rows, and all equals of the last one.
    auto equals = rows_.end(), end = rows_.end();
    if (size < static_cast<size_t>(rows_.end() - begin)) {
      const auto nth = begin + static_cast<Rows::difference_type>(size);
      std::nth_element(begin, nth, rows_.end(), better);
      const double last = nth->score;
      end =
          std::partition(nth, rows_.end(), [&](const ScoredRow& row) { return row.score == last; });
      equals = std::partition(begin, end, [&](const ScoredRow& row) { return row.score > last; });
    }
    std::sort(begin, equals, better);
    while (begin != end) {
      const auto next =
          begin >= equals ? end : std::find_if(begin, equals, [&](const ScoredRow& row) {
            return row.score != begin->score;
          });
      auto go_on = VisitEquals(begin, next, visit);
      if (!go_on.ok() || !*go_on) return go_on.status();
      begin = next;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Ranking::VisitEquals(Rows::iterator begin, Rows::iterator end,
                                          absl::FunctionRef<bool(SearchHit&)> visit) {
  std::array<int64_t, kMaxCollections + 1> counts = {};
  for (auto row = begin; row != end; ++row) ++counts[OrdinalOf(*row)];
  for (const CollectionSql* sql : collections_) {
    const auto ordinal = static_cast<size_t>(sql->ordinal);
    const int64_t count = counts[ordinal];
    if (count == 0) continue;
    auto next = end;
    if (count < end - begin) {
      next = std::partition(begin, end,
                            [&](const ScoredRow& row) { return OrdinalOf(row) == ordinal; });
    }
    auto go_on = VisitNames(*sql, begin, next, visit);
    if (!go_on.ok() || !*go_on) return go_on;
    begin = next;
  }
  return true;
}

absl::StatusOr<bool> Ranking::VisitNames(const CollectionSql& sql, Rows::iterator begin,
                                         Rows::iterator end,
                                         absl::FunctionRef<bool(SearchHit&)> visit) {
  const double score = begin->score;
  absl::string_view after;
  if (query_.after.has_value() && query_.after->score == score) {
    if (sql.table.collection < query_.after->collection) return true;
    if (sql.table.collection == query_.after->collection) after = query_.after->id;
  }
  const auto by_number = [](const ScoredRow& a, const ScoredRow& b) { return a.row < b.row; };
  const auto count = static_cast<size_t>(end - begin);
  const int64_t last = NumberOf(*std::max_element(begin, end, by_number));
  if (count * kRowsOfALookup > static_cast<size_t>(last)) {
    return WalkNames(sql, begin, end, after, visit);
  }
  std::sort(begin, end, by_number);  // near each other in the file
  std::vector<std::string> ids;
  for (auto row = begin; row != end; ++row) {
    if (absl::Status s = Check(); !s.ok()) return s;
    auto id = IdOf(sql, row->past, NumberOf(*row));
    if (!id.ok()) return id.status();
    if (!id->has_value()) return absl::InternalError("a row that was found is gone");
    if (**id > after) ids.push_back(*std::move(*id));
  }
  std::sort(ids.begin(), ids.end());
  for (std::string& id : ids) {
    SearchHit hit{sql.table.collection, std::move(id), score};
    if (!visit(hit)) return false;
  }
  return true;
}

absl::StatusOr<bool> Ranking::WalkNames(const CollectionSql& sql, Rows::iterator begin,
                                        Rows::iterator end, absl::string_view after,
                                        absl::FunctionRef<bool(SearchHit&)> visit) {
  std::vector<bool> wanted[2];
  for (auto row = begin; row != end; ++row) MarkOne(NumberOf(*row), &wanted[row->past]);
  DETENTE_PREPARE(names, db_, (wanted[1].empty() ? sql.names : sql.all_names).c_str());
  names.Bind(after);
  for (auto left = end - begin; left > 0;) {
    auto row = names.Step("read");
    if (!row.ok()) return row.status();
    if (!*row) break;  // the others come before `after`
    if (absl::Status s = Check(); !s.ok()) return s;
    if (!IsMarked(wanted[names.Int(2)], names.Int(1))) continue;
    --left;
    SearchHit hit{sql.table.collection, names.Text(0), begin->score};
    if (!visit(hit)) return false;
  }
  return true;
}

absl::Status Ranking::Check() {
  if (++work_ % kRowsBetweenChecks != 0 || query_.check == nullptr) return absl::OkStatus();
  return query_.check();
}

}  // namespace detente::store
