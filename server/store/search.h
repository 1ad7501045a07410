// What a search by words looks for, and how what it finds is scored: BM25, with the statistics of
// the newest versions whatever state is read, so that a record scores the same as of any revision.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "store/selection.h"

namespace detente::store {

struct SearchTerm {
  // Folded, see values/words.h; several stand one behind the other. In names or texts.
  std::vector<std::string> words;
  bool prefix = false;  // the last one is a beginning
  std::string sound;    // a name that has this among its sounds will do, too; empty = none will

  bool operator==(const SearchTerm&) const = default;
};

struct SearchNode {
  enum class Kind {
    kTerm,
    kAnd,     // children, two at least
    kOr,      // children, two at least
    kExcept,  // the first child, and not the second
  };
  Kind kind = Kind::kTerm;
  SearchTerm term = {};
  std::vector<SearchNode> children = {};

  bool operator==(const SearchNode&) const = default;
};

// Counted over the newest versions of all collections, deleted ones too.
struct SearchStatistics {
  int64_t documents = 0;
  int64_t words = 0;  // names, sounds and texts of all of them
  // How many have the words of a term, and then, where it has one, the sound: term by term, without
  // those below the second child of a kExcept.
  std::vector<int64_t> frequencies;
};

struct SearchHit {
  std::string collection;
  std::string id;
  // The sum over the words and sounds of all terms that it has, without those that are excluded:
  //   ln(1 + (documents - frequency + 0.5) / (frequency + 0.5)) * count * 2.2 /
  //   (count + 1.2 * (0.25 + 0.75 * size * documents / words))
  // `size` is the number of words that the record has, `count` that of the places: one in a name
  // counts as 10, a sound as 5, one in a text as 1.
  double score = 0;
};

struct SearchQuery {
  ReadView view;
  std::vector<std::string> collections;  // none = all
  SearchNode root;
  // One that was found: what comes behind it. Scored with the statistics of this search.
  std::optional<SearchHit> after = {};
  // Asked now and then: anything but OK ends the search with it. May be empty.
  std::function<absl::Status()> check = {};
};

// How many records were found in each collection that has some.
using SearchCounts = std::map<std::string, int64_t>;

}  // namespace detente::store
