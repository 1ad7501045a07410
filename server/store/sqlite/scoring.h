// Which rows of the full-text index match, and how well.
#pragma once

#include <bitset>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "store/search.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/postings.h"
#include "store/sqlite/search.h"

namespace detente::store {

struct ScoredRow {
  int64_t row;  // of search_heads, or search_past; see SearchRow
  double score = 0;
  int32_t size = 0;  // in words; not of what is excluded
  bool past = false;
  bool matches = true;
};

class Scorer {
 public:
  // Takes the statistics where they have no frequencies. `collections`: by their ordinals.
  Scorer(Connection& db, const SearchCheck& check, std::bitset<kMaxCollections + 1> collections,
         SearchStatistics* statistics)
      : db_(db), check_(check), collections_(collections), statistics_(statistics) {}

  // All rows of search_heads that match, in order, whether a view sees them or not; with `past`,
  // those of search_past, which heads must have been asked for before.
  absl::StatusOr<std::vector<ScoredRow>> Find(bool past, const SearchNode& root);

 private:
  // What is asked of a part of the search.
  struct Part {
    bool scored = true;  // not excluded
    // Rows that do not match are wanted too, with what they have: what is around the part may match
    // them, and every word of the search counts then.
    bool loose = false;
    const std::vector<ScoredRow>* among = nullptr;  // no others are wanted; null = all are
  };
  absl::StatusOr<std::vector<ScoredRow>> FindNode(const SearchNode& node, const Part& part);
  absl::StatusOr<std::vector<ScoredRow>> FindTerm(const SearchTerm& term, const Part& part);
  // The weight of the next phrase.
  absl::StatusOr<double> NextWeight(int64_t found);

  Connection& db_;
  const SearchCheck& check_;
  const std::bitset<kMaxCollections + 1> collections_;
  SearchStatistics* const statistics_;
  bool counted_ = false;  // the statistics are whole
  bool past_ = false;
  size_t phrase_ = 0;  // those before this one are done
};

}  // namespace detente::store
