// A record as one source has it, or with the values that a policy takes.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "evidence/decide.h"
#include "evidence/dossier.h"

namespace detente::evidence {

// Whether the source has any citation of the record.
bool SpeaksOf(const Dossier& dossier, absl::string_view source);

// As `source` has it:
// - the identity stays: fields 1 to 7 and display_name; of the citations, the source's own;
// - what it supports has the record's value, what it asserts its own; all else is absent, also what
//   it only mentions, denies, or contradicts without a value;
// - of its citations the narrower path goes before the wider, of one path an assertion before
//   support before a contradiction without a value, then the preferred, then the later. A
//   deprecated one counts only where no other of the source speaks;
// - what is computed follows from the values that are there, unless the source speaks of it.
std::unique_ptr<google::protobuf::Message> AsToldBy(const Dossier& dossier,
                                                    absl::string_view source);

// With the value that `policy` takes of each field that a source contradicts by name; a field below
// one whose value was replaced is left as that has it. Null where nothing changes.
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> UnderPolicy(
    const Dossier& dossier, v1::Evidence::ValuePolicy policy, FindSource find);

}  // namespace detente::evidence
