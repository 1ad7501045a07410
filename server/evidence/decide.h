// Which value stands where sources disagree.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "detente/v1/evidence.pb.h"
#include "detente/v1/source.pb.h"
#include "evidence/dossier.h"

namespace detente::evidence {

// A source by its name, null where it is gone; the pointers stay good for the whole call.
using FindSource = absl::FunctionRef<absl::StatusOr<const v1::Source*>(absl::string_view name)>;

constexpr int kMaxBasedOn = 1'000;  // sources that are looked through for what rests on what

struct Decided {
  std::optional<std::string> value;  // nothing = absent
  std::vector<const Claim*> claims;  // that decided
  std::string reason;
};

// The date of a citation: when it was asserted, else when its source was published; null = neither.
const v1::UncertainDate* DateOf(const v1::Citation& citation, const v1::Source* source);

// The value of a field whose own value is `own` under a policy, by live bearings that support or
// contradict it (evidence.proto). A contradiction without a value speaks for absence. Where the
// best are alike, the record's own value stays if it is among them, else the first cited is taken.
//
// By MAJORITY, each group of sources that are connected through Source.based_on (over sources that
// do not cite the record, too) has one vote, for the value that most of its sources have.
absl::StatusOr<Decided> Decide(v1::Evidence::ValuePolicy policy,
                               const std::optional<std::string>& own,
                               const std::vector<Bearing>& bearings, FindSource find);

}  // namespace detente::evidence
