// What was found, in the order in which it is read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "store/search.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/scoring.h"

namespace detente::store {

class Ranking {
 public:
  // `collections`: in the order of their names. `newest`: the query's view is of the last commit.
  Ranking(Connection& db, const SearchQuery& query, bool newest,
          const std::vector<const CollectionSql*>& collections)
      : db_(db), query_(query), newest_(newest), collections_(collections) {}

  // Takes those of the rows that the view sees, live, and counts them. The rows are those of
  // search_heads or search_past that are of these collections.
  absl::Status Add(bool past, std::vector<ScoredRow> rows, SearchCounts* counts);

  // Visits them, the best first and equals by name, from query.after on, until `visit` says false.
  // Names are read of what is visited, and of its equals.
  absl::Status Visit(absl::FunctionRef<bool(SearchHit&)> visit);

 private:
  using Rows = std::vector<ScoredRow>;

  // Marks the rows of keys_X that the view does not see, or those of past_keys_X that it does.
  // False where this would read more than `most` rows.
  absl::StatusOr<bool> Mark(const CollectionSql& sql, bool past, size_t most,
                            std::vector<bool>* marked);
  absl::StatusOr<bool> MarkBy(Statement& read, bool past, size_t* most, std::vector<bool>* marked);
  // The id of a row that the view sees; none where it doesn't.
  absl::StatusOr<std::optional<std::string>> IdOf(const CollectionSql& sql, bool past,
                                                  int64_t number);
  // Of one score, in any order. False once `visit` said so.
  absl::StatusOr<bool> VisitEquals(Rows::iterator begin, Rows::iterator end,
                                   absl::FunctionRef<bool(SearchHit&)> visit);
  // Of one score and collection.
  absl::StatusOr<bool> VisitNames(const CollectionSql& sql, Rows::iterator begin,
                                  Rows::iterator end, absl::FunctionRef<bool(SearchHit&)> visit);
  absl::StatusOr<bool> WalkNames(const CollectionSql& sql, Rows::iterator begin, Rows::iterator end,
                                 absl::string_view after,
                                 absl::FunctionRef<bool(SearchHit&)> visit);
  // Now and then.
  absl::Status Check();

  Connection& db_;
  const SearchQuery& query_;
  const bool newest_;
  const std::vector<const CollectionSql*>& collections_;
  Rows rows_;
  int64_t work_ = 0;
};

}  // namespace detente::store
