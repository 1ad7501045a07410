// What the full-text index says of a phrase: the rows that have it, how often, and how long they
// are.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "store/search.h"
#include "store/sqlite/connection.h"

namespace detente::store {

// Asked every so many rows, where there is one.
using SearchCheck = std::function<absl::Status()>;
constexpr int kRowsBetweenChecks = 256;

// A row that has a term's words or its sound: at how many places each, weighted.
struct Posting {
  int64_t row;  // see SearchRow
  std::array<int32_t, 2> places = {};
};

// The functions of FTS5 that these need.
absl::Status AddSearchFunctions(Connection& db);

// How many documents there are, and how many words.
absl::Status CountWords(Connection& db, SearchStatistics* statistics);

// Puts the rows that have a phrase, and that are `wanted`, among the others, all in order; their
// places are the `kind`th. How many have it, wanted or not.
absl::StatusOr<int64_t> FindPhrase(Connection& db, bool past, const std::string& phrase,
                                   size_t kind, absl::FunctionRef<bool(int64_t row)> wanted,
                                   const SearchCheck& check, std::vector<Posting>* postings);

// Visits rows, which are in order, with the number of words that each has.
absl::Status ReadSizes(Connection& db, bool past, const std::vector<Posting>& postings,
                       const SearchCheck& check,
                       absl::FunctionRef<void(const Posting& posting, int32_t size)> visit);

}  // namespace detente::store
