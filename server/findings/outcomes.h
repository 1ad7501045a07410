// What became of a participant of a release, for the checks that compare it with detentions.
#pragma once

#include "detente/v1/release.pb.h"

namespace detente::findings {

// The last outcome of the kind; null where there is none.
inline const v1::Release::Participant::Outcome* LastOutcome(
    const v1::Release::Participant& participant, v1::Release::Participant::Outcome::Kind kind) {
  const v1::Release::Participant::Outcome* last = nullptr;
  for (const auto& outcome : participant.outcomes()) {
    if (outcome.kind() == kind) last = &outcome;
  }
  return last;
}

inline const v1::Release::Participant::Outcome* FreedOutcome(
    const v1::Release::Participant& participant) {
  return LastOutcome(participant, v1::Release::Participant::Outcome::FREED);
}

// Freed, and by no outcome said not to be after all. An arrest later on is another spell.
inline bool EndsFree(const v1::Release::Participant& participant) {
  using Outcome = v1::Release::Participant::Outcome;
  for (const Outcome::Kind kind :
       {Outcome::DECLINED_RELEASE, Outcome::RETURNED_TO_CUSTODY, Outcome::REPORTED_IN_ERROR}) {
    if (LastOutcome(participant, kind) != nullptr) return false;
  }
  return FreedOutcome(participant) != nullptr;
}

}  // namespace detente::findings
