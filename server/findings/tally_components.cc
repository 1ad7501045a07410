// A tally against the tallies and releases that it adds up.
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/tally.pb.h"
#include "findings/context.h"
#include "findings/days.h"
#include "values/interval.h"

namespace detente::findings {
namespace {

using v1::Release;
using v1::Tally;
using values::Interval;

// What two tallies or a tally and a release can differ in.
struct Component {
  Interval count;
  std::string region;
  std::string measure;  // empty = not known
  Days first, last;     // all that is counted lies between them
};

std::string MeasureOf(Release::Mechanism mechanism) {
  switch (mechanism) {
    case Release::MECHANISM_UNSPECIFIED:
    case Release::UNKNOWN:
      return "";
    case Release::PARDON:
      return "PARDONED";
    case Release::EXPULSION:
      return "EXPELLED";
    default:
      return "RELEASED";
  }
}

class Adder {
 public:
  Adder(Context& context, const std::string& name, const Tally& tally, std::vector<Finding>* found)
      : context_(context), name_(name), tally_(tally), found_(found) {}

  void Check() {
    Interval sum{0, 0};
    Finding whole{Severity::kWarning, "", {{name_, "count"}}};
    absl::flat_hash_set<absl::string_view> seen;
    bool complete = true;
    for (const std::string& component : tally_.components()) {
      if (component == name_) {
        Say(Severity::kError, component, "is the tally itself");
        complete = false;
        continue;
      }
      if (!seen.insert(component).second) {
        Say(Severity::kWarning, component, "is added twice");
        complete = false;
        continue;
      }
      // One that is not there is a dangling reference; the sum can't be made without it.
      const bool known = Add(component, &sum);
      complete = complete && known;
      whole.locations.push_back(
          {component, component.starts_with("tallies/") ? "count" : "headcount"});
    }
    const Interval count = values::BoundsOf(tally_.count());
    const bool more = values::CertainlyMore(sum, count);
    if (!complete || seen.empty() || (!more && !values::CertainlyMore(count, sum))) return;
    whole.description =
        absl::StrCat("components sum to ", values::ToText(sum), more ? ", more" : ", less",
                     " than the count of ", values::ToText(count));
    found_->push_back(std::move(whole));
  }

 private:
  void Say(Severity severity, const std::string& component, absl::string_view what) {
    found_->push_back({severity,
                       absl::StrCat("component ", component, " ", what),
                       {{name_, "components"}, {component, ""}}});
  }

  bool Add(const std::string& name, Interval* sum) {
    Component part;
    if (auto tally = context_.LiveOf<Tally>(name); tally != nullptr) {
      part = {values::BoundsOf(tally->count()), tally->region_code(),
              tally->measure() == Tally::MEASURE_UNSPECIFIED
                  ? ""
                  : Tally::Measure_Name(tally->measure()),
              DaysOf(tally->has_as_of_date() ? tally->as_of_date() : tally->start_date()),
              DaysOf(tally->has_as_of_date() ? tally->as_of_date() : tally->end_date())};
    } else if (auto release = context_.LiveOf<Release>(name); release != nullptr) {
      part = {values::BoundsOf(release->headcount()), release->region_code(),
              MeasureOf(release->mechanism()), DaysOf(release->effective_date()),
              DaysOf(release->effective_date())};
    } else {
      return false;
    }
    *sum = *sum + part.count;
    Compare(name, part);
    return true;
  }

  void Compare(const std::string& name, const Component& part) {
    if (!part.region.empty() && !tally_.region_code().empty() &&
        part.region != tally_.region_code()) {
      Say(Severity::kNote, name,
          absl::StrCat("is of region ", part.region, ", the tally of ", tally_.region_code()));
    }
    // Those pardoned or expelled are released. Whether those released were expelled, a release says
    // as a condition.
    const std::string measure = Tally::Measure_Name(tally_.measure());
    const bool freed = tally_.measure() == Tally::RELEASED &&
                       (part.measure == "PARDONED" || part.measure == "EXPELLED");
    const bool expelled = tally_.measure() == Tally::EXPELLED &&
                          (part.measure == "PARDONED" || part.measure == "RELEASED");
    if (tally_.measure() != Tally::MEASURE_UNSPECIFIED && !part.measure.empty() &&
        part.measure != measure && !freed && !expelled) {
      Say(Severity::kNote, name,
          absl::StrCat("counts those ", part.measure, ", the tally those ", measure));
    }
    if (tally_.has_as_of_date()) {
      if (CertainlyDiffer(part.last, DaysOf(tally_.as_of_date()))) {
        Say(Severity::kNote, name,
            absl::StrCat("is of another day than ", ToText(tally_.as_of_date())));
      }
      return;
    }
    if (CertainlyBefore(part.first, DaysOf(tally_.start_date()))) {
      Say(Severity::kNote, name,
          absl::StrCat("begins before the tally's start_date ", ToText(tally_.start_date())));
    }
    if (CertainlyBefore(DaysOf(tally_.end_date()), part.last)) {
      Say(Severity::kNote, name,
          absl::StrCat("ends after the tally's end_date ", ToText(tally_.end_date())));
    }
  }

  Context& context_;
  const std::string& name_;
  const Tally& tally_;
  std::vector<Finding>* found_;
};

}  // namespace

void CheckTallyComponents(Run& run) {
  run.ForEach({"tallies"}, [&](const std::string& name, const google::protobuf::Message& record,
                               std::vector<Finding>* found) {
    Adder(run.context(), name, static_cast<const Tally&>(record), found).Check();
  });
}

}  // namespace detente::findings
