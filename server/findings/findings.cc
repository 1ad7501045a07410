#include "findings/findings.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "findings/context.h"

namespace detente::findings {
namespace {

constexpr std::array<Check, 7> kChecks = {{
    {"detention-status", Severity::kError,
     "a detention's status, dates, stays and proceedings against each other and against releases",
     CheckDetentionStatus},
    {"re-arrest-chain", Severity::kError,
     "the spells of one person against each other and against what followed a release",
     CheckReArrestChain},
    {"groups-do-not-sum", Severity::kWarning,
     "breakdowns and named participants against the whole that they are parts of", CheckGroups},
    {"tally-components", Severity::kError, "a tally against the sum of what it adds up",
     CheckTallyComponents},
    {"duplicate-external-ids", Severity::kWarning, "one external id that several records claim",
     CheckDuplicateExternalIds},
    {"dangling-references", Severity::kError, "references to what is missing, deleted or erased",
     CheckDanglingReferences},
    {"overdue-commitments", Severity::kNote,
     "commitments past their due date of which nobody says what became", CheckOverdueCommitments},
}};

size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

absl::Span<const Check> Checks() { return kChecks; }

const Check* FindCheck(absl::string_view name) {
  for (const Check& check : kChecks) {
    if (check.name == name) return &check;
  }
  return nullptr;
}

absl::string_view NearestCheck(absl::string_view name) {
  const absl::string_view start = name.substr(0, 64);
  return std::min_element(kChecks.begin(), kChecks.end(),
                          [&](const Check& a, const Check& b) {
                            return Distance(a.name, start) < Distance(b.name, start);
                          })
      ->name;
}

std::string Position::Encode() const { return absl::StrCat(check, "\n", record, "\n", taken); }

Position Position::Decode(absl::string_view text) {
  Position position;
  const std::vector<std::string> parts = absl::StrSplit(text, '\n');
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[2], &position.taken)) return {};
  position.check = parts[0];
  position.record = parts[1];
  return position;
}

absl::Status Find(engine::Engine& engine, const Query& query,
                  absl::FunctionRef<absl::Status()> go_on,
                  absl::FunctionRef<bool(const Check&, const Finding&, const Position&)> take) {
  Context context(engine, query.view, go_on);
  bool started = query.after.check.empty();
  bool more = true;
  for (const Check* check : query.checks) {
    Position start;
    if (!started) {
      if (check->name != query.after.check) continue;
      started = true;
      start = query.after;
    }
    auto hand_on = [&](Finding& finding, const std::string& record, size_t ordinal) {
      auto& locations = finding.locations;
      const auto wanted =
          query.record.empty()
              ? locations.begin()
              : std::find_if(locations.begin(), locations.end(), [&](const Location& location) {
                  return location.name == query.record;
                });
      if (wanted == locations.end()) return context.GoOn();
      if (locations.size() > kMaxLocations) {
        // The record that is asked for is named in any case.
        if (wanted - locations.begin() >= static_cast<ptrdiff_t>(kMaxLocations)) {
          locations[kMaxLocations - 1] = *wanted;
        }
        locations.resize(kMaxLocations);
      }
      more = take(*check, finding, {std::string(check->name), record, ordinal + 1});
      return more;
    };
    Run run(context, start, hand_on);
    check->run(run);
    if (!context.ok()) return context.status();
    if (!more) break;
  }
  return absl::OkStatus();
}

}  // namespace detente::findings
