// The spells of detention of one person, and what followed a release.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "detente/v1/detention.pb.h"
#include "detente/v1/release.pb.h"
#include "findings/context.h"
#include "findings/days.h"
#include "findings/outcomes.h"

namespace detente::findings {
namespace {

using google::protobuf::Message;
using v1::Detention;
using v1::Release;
using v1::UncertainDate;
using Outcome = Release::Participant::Outcome;

struct Spell {
  std::string name;
  std::string previous;
  Days start, end;  // of one that goes on, the end is after all days
};

// In the order of their names.
using Spells = std::vector<Spell>;
using SpellsByPerson = absl::flat_hash_map<std::string, Spells>;

Spell SpellOf(const std::string& name, const Detention& detention) {
  Spell spell{name, detention.previous(), DaysOf(detention.start_date()),
              DaysOf(detention.end_date())};
  if (detention.end_date().state() == UncertainDate::ONGOING) spell.end = {kAfter, kAfter};
  return spell;
}

const Spell* FindSpell(const Spells& spells, const std::string& name) {
  const auto found = std::lower_bound(
      spells.begin(), spells.end(), name,
      [](const Spell& spell, const std::string& wanted) { return spell.name < wanted; });
  return found != spells.end() && found->name == name ? &*found : nullptr;
}

// There is a time at which both last. A spell of which only the start is known lasts at its start.
bool CertainlyOverlap(const Spell& a, const Spell& b) {
  if (a.end.latest < a.start.earliest || b.end.latest < b.start.earliest) return false;
  auto begun = [](const Spell& s) { return std::min(s.start.latest, s.end.latest); };
  auto lasts = [](const Spell& s) { return std::max(s.start.earliest, s.end.earliest); };
  return begun(a) < lasts(b) && begun(b) < lasts(a);
}

class OfSpell {
 public:
  OfSpell(Context& context, const std::string& person, const Spells& spells, const Spell& spell,
          std::vector<Finding>* found)
      : context_(context), person_(person), spells_(spells), spell_(spell), found_(found) {}

  void Check() {
    for (const Spell& other : spells_) {
      if (!context_.GoOn()) return;
      // Told once, of the two at the lesser name.
      if (spell_.name < other.name && CertainlyOverlap(spell_, other)) {
        Say(Severity::kWarning,
            absl::StrCat(person_, " is held in two spells at one time: ", spell_.name, " and ",
                         other.name),
            {{spell_.name, ""}, {other.name, ""}});
      }
    }
    if (spell_.previous.empty()) {
      Unlinked();
    } else if (const Spell* previous = FindSpell(spells_, spell_.previous); previous != nullptr) {
      Linked(*previous);
    } else if (const auto other = context_.LiveOf<Detention>(spell_.previous);
               other != nullptr && other->person() != person_) {
      Say(Severity::kError,
          absl::StrCat("previous is ", spell_.previous, ", a spell of ", other->person(),
                       ", but this one is of ", person_),
          {{spell_.name, "previous"}, {spell_.previous, "person"}});
    }
  }

 private:
  void Say(Severity severity, std::string description, std::vector<Location> locations) {
    found_->push_back({severity, std::move(description), std::move(locations)});
  }

  // The last of the spells that certainly start before this one, and after `after`.
  const Spell* LastBefore(const Spell* after) const {
    const Spell* last = nullptr;
    for (const Spell& other : spells_) {
      if (!CertainlyBefore(other.start, spell_.start)) continue;
      if (after != nullptr && !CertainlyBefore(after->start, other.start)) continue;
      if (last == nullptr || other.start.latest > last->start.latest) last = &other;
    }
    return last;
  }

  void Unlinked() {
    const Spell* last = LastBefore(nullptr);
    if (last == nullptr) return;
    Say(Severity::kWarning,
        absl::StrCat(person_, " was held before, in ", last->name, ", but previous is empty"),
        {{spell_.name, "previous"}, {last->name, "start_date"}});
  }

  void Linked(const Spell& previous) {
    if (Cycle()) return;
    if (CertainlyBefore(spell_.start, previous.start)) {
      return Say(Severity::kError,
                 absl::StrCat("previous is ", previous.name, ", which starts later"),
                 {{spell_.name, "previous"}, {previous.name, "start_date"}});
    }
    const Spell* between = LastBefore(&previous);
    if (between == nullptr) return;
    Say(Severity::kWarning,
        absl::StrCat("previous is ", previous.name, ", but ", between->name, " lies between"),
        {{spell_.name, "previous"}, {between->name, "start_date"}});
  }

  // Whether the spell is its own predecessor; told of the one with the least name.
  bool Cycle() {
    std::vector<Location> way;
    const Spell* at = &spell_;
    bool least = true;
    do {
      way.push_back({at->name, "previous"});
      at = FindSpell(spells_, at->previous);
      if (at == nullptr || way.size() > spells_.size() || !context_.GoOn()) return false;
      least = least && at->name >= spell_.name;
    } while (at != &spell_);
    if (!least) return true;
    const size_t size = way.size();
    Say(Severity::kError,
        size == 1 ? std::string("previous is the spell itself")
                  : absl::StrCat("previous leads round in a circle of ", size, " spells"),
        std::move(way));
    return true;
  }

  Context& context_;
  const std::string& person_;
  const Spells& spells_;
  const Spell& spell_;
  std::vector<Finding>* found_;
};

const UncertainDate& DateOf(const Outcome& outcome, const Release& release) {
  return outcome.date().state() == UncertainDate::VALUE ? outcome.date() : release.effective_date();
}

std::string On(const UncertainDate& date) {
  return date.state() == UncertainDate::VALUE ? absl::StrCat(" on ", date.edtf()) : "";
}

void CheckParticipant(const std::string& name, const Release& release,
                      const Release::Participant& participant, const Spells& spells,
                      std::vector<Finding>* found) {
  const std::string path = ElementPath("participants", participant.id());
  for (const Outcome& outcome : participant.outcomes()) {
    const UncertainDate& date = DateOf(outcome, release);
    const int64_t since = DaysOf(date).earliest;
    bool held = true;
    if (outcome.kind() == Outcome::REARRESTED) {
      held = std::any_of(spells.begin(), spells.end(), [&](const Spell& spell) {
        return spell.name != participant.detention() && spell.start.latest >= since;
      });
    } else if (outcome.kind() == Outcome::RETURNED_TO_CUSTODY) {
      held = std::any_of(spells.begin(), spells.end(),
                         [&](const Spell& spell) { return spell.end.latest >= since; });
    }
    if (held) continue;
    found->push_back(
        {Severity::kWarning,
         absl::StrCat(participant.person(), " was ", Outcome::Kind_Name(outcome.kind()), On(date),
                      ", but no spell of detention ",
                      outcome.kind() == Outcome::REARRESTED ? "starts" : "lasts", " then or later"),
         {{name, absl::StrCat(path, ".", ElementPath("outcomes", outcome.id(), "kind"))},
          {participant.person(), ""}}});
  }
  if (!EndsFree(participant) || LastOutcome(participant, Outcome::REARRESTED) != nullptr) return;
  const UncertainDate& freed = DateOf(*FreedOutcome(participant), release);
  const Spell* next = nullptr;
  for (const Spell& spell : spells) {
    if (spell.name == participant.detention() || !CertainlyBefore(DaysOf(freed), spell.start)) {
      continue;
    }
    if (next == nullptr || spell.start.earliest < next->start.earliest) next = &spell;
  }
  if (next == nullptr) return;
  found->push_back(
      {Severity::kNote,
       absl::StrCat(participant.person(), " was freed", On(freed), " and held again later, in ",
                    next->name, "; no outcome says REARRESTED"),
       {{name, path + ".outcomes"}, {next->name, "start_date"}}});
}

}  // namespace

void CheckReArrestChain(Run& run) {
  Context& context = run.context();
  SpellsByPerson by_person;
  context.Scan(*context.registry().FindByCollection("detentions"), "",
               [&](const std::string& name, const Message& record) {
                 const auto& detention = static_cast<const Detention&>(record);
                 by_person[detention.person()].push_back(SpellOf(name, detention));
                 return true;
               });
  if (!context.ok()) return;
  const Spells none;
  auto spells_of = [&](const std::string& person) -> const Spells& {
    const auto found = by_person.find(person);
    return found == by_person.end() ? none : found->second;
  };
  run.ForEach({"detentions", "releases"}, [&](const std::string& name, const Message& record,
                                              std::vector<Finding>* found) {
    if (record.GetDescriptor() == Detention::descriptor()) {
      const auto& detention = static_cast<const Detention&>(record);
      const Spells& spells = spells_of(detention.person());
      if (const Spell* spell = FindSpell(spells, name); spell != nullptr) {
        OfSpell(context, detention.person(), spells, *spell, found).Check();
      }
      return;
    }
    const auto& release = static_cast<const Release&>(record);
    for (const auto& participant : release.participants()) {
      CheckParticipant(name, release, participant, spells_of(participant.person()), found);
    }
  });
}

}  // namespace detente::findings
