#include "engine/derived/derived.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "detente/v1/commitment.pb.h"
#include "detente/v1/detention.pb.h"
#include "detente/v1/release.pb.h"
#include "engine/validate.h"
#include "values/messages.h"

namespace detente::engine {
namespace {

// Counted against the headcount: all but those who were never freed by this release.
bool Counts(const v1::Release::Participant& participant) {
  using Outcome = v1::Release::Participant::Outcome;
  for (const Outcome& outcome : participant.outcomes()) {
    if (outcome.kind() == Outcome::DECLINED_RELEASE ||
        outcome.kind() == Outcome::REPORTED_IN_ERROR) {
      return false;
    }
  }
  return true;
}

// Whether a participant belongs to a group; nothing where a key is about something that
// participants do not carry.
std::optional<bool> Belongs(const v1::Release::Participant& participant,
                            const v1::GroupCount& group) {
  using Key = v1::GroupCount::Key;
  using Condition = v1::Release::Participant::Condition;
  using Outcome = v1::Release::Participant::Outcome;
  bool belongs = true;
  for (const Key& key : group.keys()) {
    bool found = false;
    if (key.dimension() == Key::CONDITION) {
      Condition::Kind kind;
      if (!Condition::Kind_Parse(key.value(), &kind)) return std::nullopt;
      for (const Condition& condition : participant.conditions()) {
        found |= condition.kind() == kind;
      }
    } else if (key.dimension() == Key::OUTCOME) {
      Outcome::Kind kind;
      if (!Outcome::Kind_Parse(key.value(), &kind)) return std::nullopt;
      for (const Outcome& outcome : participant.outcomes()) found |= outcome.kind() == kind;
    } else {
      return std::nullopt;
    }
    belongs &= found;
  }
  return belongs;
}

void Subtract(const v1::Estimate& from, int64_t count, v1::Estimate* out) {
  if (from.has_low()) out->set_low(from.low() - count);
  if (from.has_best()) out->set_best(from.best() - count);
  if (from.has_high()) out->set_high(from.high() - count);
  out->set_approximate(from.approximate());
}

bool HasNumber(const v1::Estimate& estimate) {
  return estimate.has_low() || estimate.has_best() || estimate.has_high();
}

void DeriveRelease(google::protobuf::Message* message) {
  auto* release = static_cast<v1::Release*>(message);
  release->clear_unnamed_remainder();
  if (HasNumber(release->headcount())) {
    int64_t named = 0;
    for (const auto& participant : release->participants()) named += Counts(participant);
    Subtract(release->headcount(), named, release->mutable_unnamed_remainder()->mutable_total());
  }
  for (const v1::GroupCount& group : release->group_counts()) {
    if (!HasNumber(group.count()) || group.keys().empty()) continue;
    // Whether the keys are ones that participants carry does not hang on the participant.
    if (!Belongs(v1::Release::Participant(), group).has_value()) continue;
    // Who was never freed by this release shares none of its conditions; a group of outcomes is
    // about just such things.
    const bool of_outcomes = std::any_of(
        group.keys().begin(), group.keys().end(),
        [](const auto& key) { return key.dimension() == v1::GroupCount::Key::OUTCOME; });
    int64_t named = 0;
    for (const auto& participant : release->participants()) {
      const bool counts = of_outcomes || Counts(participant);
      named += counts && *Belongs(participant, group) ? 1 : 0;
    }
    auto* out = release->mutable_unnamed_remainder()->add_groups();
    out->set_id(group.id());
    Subtract(group.count(), named, out->mutable_count());
  }
}

void DeriveCommitment(google::protobuf::Message* message) {
  using Assessment = v1::Commitment::Assessment;
  auto* commitment = static_cast<v1::Commitment*>(message);
  commitment->clear_current_status();
  // By assessor, the finding that is last by its date's latest day, then its earliest, then its
  // place in the list. A finding without a date comes before all others; one whose latest day is
  // open, after.
  using When = std::tuple<int64_t, int64_t, int>;
  std::map<std::string, std::pair<When, Assessment::Status>> latest;
  for (int i = 0; i < commitment->assessments_size(); ++i) {
    const Assessment& assessment = commitment->assessments(i);
    const v1::UncertainDate& date = assessment.date();
    const bool dated = date.state() == v1::UncertainDate::VALUE;
    When when{date.has_latest() ? values::DaysOf(date.latest())
              : dated           ? INT64_MAX
                                : INT64_MIN,
              date.has_earliest() ? values::DaysOf(date.earliest()) : INT64_MIN, i};
    v1::Actor assessor = assessment.assessor();
    assessor.clear_id();
    auto& slot = latest[EncodePayload(assessor)];
    if (slot.second == Assessment::STATUS_UNSPECIFIED || when > slot.first) {
      slot = {when, assessment.status()};
    }
  }
  std::set<Assessment::Status> statuses;
  for (const auto& [assessor, finding] : latest) statuses.insert(finding.second);
  if (statuses.size() > 1) {
    commitment->set_current_status(Assessment::CONTESTED);
  } else if (!statuses.empty()) {
    commitment->set_current_status(*statuses.begin());
  }
}

void DeriveDetention(google::protobuf::Message* message) {
  auto* detention = static_cast<v1::Detention*>(message);
  detention->clear_days_held();
  const v1::UncertainDate& start = detention->start_date();
  const v1::UncertainDate& end = detention->end_date();
  if (end.state() != v1::UncertainDate::VALUE) return;
  v1::Estimate days;
  if (start.has_latest() && end.has_earliest()) {
    int64_t low = values::DaysOf(end.earliest()) - values::DaysOf(start.latest());
    days.set_low(low < 0 ? 0 : low);
  }
  if (start.has_earliest() && end.has_latest()) {
    int64_t high = values::DaysOf(end.latest()) - values::DaysOf(start.earliest());
    if (high < 0) return;  // ends before it starts: nothing to say
    days.set_high(high);
  }
  if (days.has_low() && days.has_high() && days.low() == days.high()) days.set_best(days.low());
  // The bounds of a date that is "about" a day are those of the day: what is made of them is about.
  days.set_approximate(start.approximate() || end.approximate());
  if (days.has_low() || days.has_high()) *detention->mutable_days_held() = std::move(days);
}

}  // namespace

void Derive(google::protobuf::Message* record) {
  static const auto* derivations = new absl::flat_hash_map<const google::protobuf::Descriptor*,
                                                           void (*)(google::protobuf::Message*)>{
      {v1::Release::descriptor(), DeriveRelease},
      {v1::Commitment::descriptor(), DeriveCommitment},
      {v1::Detention::descriptor(), DeriveDetention},
  };
  auto found = derivations->find(record->GetDescriptor());
  if (found != derivations->end()) found->second(record);
}

}  // namespace detente::engine
