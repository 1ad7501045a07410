// What is odd across records, computed when it is asked for and stored nowhere. A check is a
// function with a name; it reads the records of one state of the store and hands on what it finds,
// in the order of the records that the findings are mainly about.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/engine.h"
#include "store/store.h"

namespace detente::findings {

// By the numbers of v1::Finding.Severity.
enum class Severity { kNote = 1, kWarning = 2, kError = 3 };

constexpr size_t kMaxLocations = 20;  // of one finding; further ones are left out

// A field of a record; an empty path = the record as a whole.
struct Location {
  std::string name;
  std::string path;
  auto operator<=>(const Location&) const = default;
};

struct Finding {
  Severity severity;
  std::string description;
  std::vector<Location> locations;  // the record that it is mainly about first
};

class Run;

struct Check {
  absl::string_view name;
  Severity worst;  // of its findings
  absl::string_view description;
  void (*run)(Run& run);
};

// In the order that they run in, which is for ever: page tokens name the check they stand at.
absl::Span<const Check> Checks();
// Null where there is none.
const Check* FindCheck(absl::string_view name);
// The check's name that is spelled most like it.
absl::string_view NearestCheck(absl::string_view name);

// Where a listing stands: so many findings of `check` that are mainly about `record` are out, and
// all that come before them.
struct Position {
  std::string check;
  std::string record;
  size_t taken = 0;

  std::string Encode() const;
  static Position Decode(absl::string_view text);
};

struct Query {
  store::ReadView view;
  std::vector<const Check*> checks;  // in the order of Checks()
  std::string record;                // that findings must be about; empty = any
  Position after;                    // empty = from the start
};

// Hands on findings check by check, those of a check by the name of the first location, then by its
// path, then by description, until `take` says false. `position` is where to go on after it.
// `go_on` is asked now and then, and ends the search with its status.
//
// Records are read in batches and let go; what is kept for the time of the call is, for
// re-arrest-chain, the dates and the id of each spell of detention; for duplicate-external-ids, 8
// bytes for each external id, and the names of those that claim one twice; and a cache of a few
// MiB.
absl::Status Find(
    engine::Engine& engine, const Query& query, absl::FunctionRef<absl::Status()> go_on,
    absl::FunctionRef<bool(const Check&, const Finding&, const Position& position)> take);

}  // namespace detente::findings
