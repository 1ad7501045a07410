// The evidence for a record, field by field, as callers get it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "evidence/decide.h"
#include "evidence/dossier.h"

namespace detente::evidence {

// The evidence for one field, with its decisions where a live citation contradicts it.
absl::StatusOr<v1::Evidence::FieldEvidence> FieldEvidenceOf(const Dossier& dossier,
                                                            const query::Path& path,
                                                            FindSource find);
// For the record as a whole: its value is left empty, and nothing is decided.
absl::StatusOr<v1::Evidence::FieldEvidence> WholeEvidenceOf(const Dossier& dossier,
                                                            FindSource find);

// Of each of the `fields`, and of each cited path below one of them; of no fields: of each cited
// path, and first of the record as a whole where it is cited so. In the record's order. Without
// name and revision. LIMIT_EXCEEDED where it would take more than `max_bytes`.
absl::StatusOr<v1::Evidence> EvidenceOf(const Dossier& dossier,
                                        const std::vector<query::Path>& fields, FindSource find,
                                        size_t max_bytes);

// Fields of the resource's own that are set and that no citation names; of a message or a list, of
// which only a part is named, the parts that are not. Computed fields and ids need no citation.
std::vector<std::string> UncitedFields(const Dossier& dossier);

}  // namespace detente::evidence
