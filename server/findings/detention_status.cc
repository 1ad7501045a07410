// A detention against itself, and against the releases that name it.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
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

bool SaysHeld(Detention::Status status) {
  return status >= Detention::HELD_UNDER_INVESTIGATION && status <= Detention::HELD_ARBITRARILY;
}

bool SaysReleased(Detention::Status status) {
  return status >= Detention::RELEASED_UNDER_INVESTIGATION &&
         status <= Detention::RELEASED_SERVED_SENTENCE;
}

// There is a last day, known or not.
bool SaysEnded(const UncertainDate& end) {
  return end.state() == UncertainDate::VALUE || end.state() == UncertainDate::UNKNOWN;
}

class OfDetention {
 public:
  OfDetention(const std::string& name, const Detention& detention, std::vector<Finding>* found)
      : name_(name), detention_(detention), found_(found) {}

  void Check(int64_t today) {
    Status(today);
    End();
    for (const auto& placement : detention_.placements()) Stay(placement);
    for (const auto& proceeding : detention_.proceedings()) Step(proceeding);
  }

 private:
  void Say(Severity severity, std::string description, std::vector<std::string> paths) {
    Finding finding{severity, std::move(description), {}};
    for (std::string& path : paths) finding.locations.push_back({name_, std::move(path)});
    found_->push_back(std::move(finding));
  }

  void Status(int64_t today) {
    const Detention::Status status = detention_.status();
    if (status == Detention::STATUS_UNSPECIFIED) return;
    const std::string says = absl::StrCat("status is ", Detention::Status_Name(status));
    const UncertainDate& end = detention_.end_date();
    const Detention::EndReason reason = detention_.end_reason();
    const std::string ended_by = absl::StrCat("end_reason is ", Detention::EndReason_Name(reason));
    if (SaysHeld(status)) {
      const Days days = DaysOf(end);
      if (days.latest < today) {
        Say(Severity::kWarning,
            absl::StrCat(says, ", but the spell ended: end_date is ", ToText(end)),
            {"status", "end_date"});
      }
      // Another state may go on holding someone who was handed over to it.
      if (reason != Detention::END_REASON_UNSPECIFIED && reason != Detention::TRANSFERRED) {
        Say(Severity::kWarning, absl::StrCat(says, ", but ", ended_by), {"status", "end_reason"});
      }
      return;
    }
    if (end.state() == UncertainDate::ONGOING) {
      Say(Severity::kWarning, absl::StrCat(says, ", but end_date is ONGOING"),
          {"status", "end_date"});
    }
    const bool escaped = reason == Detention::ESCAPE;
    const bool not_released =
        escaped || reason == Detention::DIED || reason == Detention::TRANSFERRED;
    const bool open = reason == Detention::END_REASON_UNSPECIFIED || reason == Detention::OTHER ||
                      reason == Detention::UNKNOWN;
    if ((SaysReleased(status) && not_released) ||
        (status == Detention::ESCAPED && !escaped && !open)) {
      Say(Severity::kWarning, absl::StrCat(says, ", but ", ended_by), {"status", "end_reason"});
    }
  }

  void End() {
    const UncertainDate& start = detention_.start_date();
    const UncertainDate& end = detention_.end_date();
    if (CertainlyBefore(DaysOf(end), DaysOf(start))) {
      Say(Severity::kError,
          absl::StrCat("end_date ", ToText(end), " is before start_date ", ToText(start)),
          {"end_date", "start_date"});
    }
    if (detention_.end_reason() == Detention::END_REASON_UNSPECIFIED || SaysEnded(end)) return;
    Say(Severity::kWarning,
        absl::StrCat("end_reason is ", Detention::EndReason_Name(detention_.end_reason()),
                     ", but end_date is ", ToText(end)),
        {"end_reason", "end_date"});
  }

  void Stay(const Detention::Placement& placement) {
    const Days from = DaysOf(placement.start_date());
    const Days to = DaysOf(placement.end_date());
    const std::string what = placement.kind().empty() ? "a stay" : placement.kind();
    if (CertainlyBefore(to, from)) {
      Say(Severity::kError,
          absl::StrCat(what, " ends on ", ToText(placement.end_date()), ", before it starts on ",
                       ToText(placement.start_date())),
          {ElementPath("placements", placement.id(), "end_date"),
           ElementPath("placements", placement.id(), "start_date")});
    }
    for (const char* field : {"start_date", "end_date"}) {
      const bool first = absl::string_view(field) == "start_date";
      Within(Severity::kWarning, absl::StrCat(what, first ? " starts on " : " ends on "),
             first ? placement.start_date() : placement.end_date(),
             ElementPath("placements", placement.id(), field));
    }
  }

  void Step(const Detention::Proceeding& proceeding) {
    using P = Detention::Proceeding;
    // Being taken is a part of being held; a court may sit while the accused is free.
    const bool taken = proceeding.stage() == P::ABDUCTED ||
                       proceeding.stage() == P::TAKEN_INTO_CUSTODY ||
                       proceeding.stage() == P::ARRESTED;
    Within(taken ? Severity::kWarning : Severity::kNote,
           absl::StrCat(P::Stage_Name(proceeding.stage()), " is dated "), proceeding.date(),
           ElementPath("proceedings", proceeding.id(), "date"));
  }

  void Within(Severity severity, absl::string_view what, const UncertainDate& date,
              const std::string& path) {
    const UncertainDate& start = detention_.start_date();
    const UncertainDate& end = detention_.end_date();
    if (CertainlyBefore(DaysOf(date), DaysOf(start))) {
      Say(severity,
          absl::StrCat(what, ToText(date), ", before the spell starts on ", ToText(start)),
          {path, "start_date"});
    }
    if (CertainlyBefore(DaysOf(end), DaysOf(date))) {
      Say(severity, absl::StrCat(what, ToText(date), ", after the spell ended on ", ToText(end)),
          {path, "end_date"});
    }
  }

  const std::string& name_;
  const Detention& detention_;
  std::vector<Finding>* found_;
};

void CheckParticipant(Context& context, const std::string& name, const Release& release,
                      const Release::Participant& participant, std::vector<Finding>* found) {
  const auto detention = context.LiveOf<Detention>(participant.detention());
  if (detention == nullptr) return;  // dangling-references tells
  const std::string& spell = participant.detention();
  const std::string path = ElementPath("participants", participant.id());
  if (detention->person() != participant.person()) {
    found->push_back({Severity::kError,
                      absl::StrCat(participant.person(), " is said to be freed from ", spell,
                                   ", which is a spell of ", detention->person()),
                      {{name, path + ".detention"}, {spell, "person"}}});
    return;
  }
  if (!EndsFree(participant)) return;
  const UncertainDate& end = detention->end_date();
  const auto* freed = FreedOutcome(participant);
  const std::string outcome = absl::StrCat(path, ".", ElementPath("outcomes", freed->id(), "kind"));
  if (end.state() != UncertainDate::VALUE &&
      (end.state() != UncertainDate::UNKNOWN || SaysHeld(detention->status()))) {
    found->push_back({Severity::kWarning,
                      absl::StrCat(participant.person(), " was freed, but ", spell,
                                   " is still open: end_date is ", ToText(end)),
                      {{name, outcome}, {spell, "end_date"}}});
  }
  const bool own_date = freed->date().state() == UncertainDate::VALUE;
  const UncertainDate& date = own_date ? freed->date() : release.effective_date();
  if (CertainlyDiffer(DaysOf(end), DaysOf(date))) {
    found->push_back(
        {Severity::kWarning,
         absl::StrCat(participant.person(), " was freed on ", ToText(date), ", but ", spell,
                      " ended on ", ToText(end)),
         {{name, own_date ? absl::StrCat(path, ".", ElementPath("outcomes", freed->id(), "date"))
                          : "effective_date"},
          {spell, "end_date"}}});
  }
  // The names of mechanisms are those of end reasons.
  const bool own = participant.mechanism() != Release::MECHANISM_UNSPECIFIED;
  const Release::Mechanism mechanism = own ? participant.mechanism() : release.mechanism();
  const bool vague = mechanism == Release::MECHANISM_UNSPECIFIED || mechanism == Release::OTHER ||
                     mechanism == Release::UNKNOWN ||
                     detention->end_reason() == Detention::END_REASON_UNSPECIFIED ||
                     detention->end_reason() == Detention::OTHER ||
                     detention->end_reason() == Detention::UNKNOWN;
  if (!vague &&
      Release::Mechanism_Name(mechanism) != Detention::EndReason_Name(detention->end_reason())) {
    found->push_back(
        {Severity::kNote,
         absl::StrCat(participant.person(), " was freed by ", Release::Mechanism_Name(mechanism),
                      ", but ", spell, " ended by ",
                      Detention::EndReason_Name(detention->end_reason())),
         {{name, own ? path + ".mechanism" : "mechanism"}, {spell, "end_reason"}}});
  }
}

}  // namespace

void CheckDetentionStatus(Run& run) {
  run.ForEach({"detentions", "releases"}, [&](const std::string& name, const Message& record,
                                              std::vector<Finding>* found) {
    if (record.GetDescriptor() == Detention::descriptor()) {
      OfDetention(name, static_cast<const Detention&>(record), found).Check(run.context().Today());
      return;
    }
    const auto& release = static_cast<const Release&>(record);
    for (const auto& participant : release.participants()) {
      CheckParticipant(run.context(), name, release, participant, found);
    }
  });
}

}  // namespace detente::findings
