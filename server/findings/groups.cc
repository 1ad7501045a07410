// Parts against the whole: breakdowns of releases and tallies, and those whom a release names.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/tally.pb.h"
#include "engine/validate.h"
#include "findings/context.h"
#include "values/interval.h"

namespace detente::findings {
namespace {

using google::protobuf::Message;
using v1::GroupCount;
using v1::Release;
using values::Interval;
using Key = GroupCount::Key;

// In these nobody is counted twice, or hardly anybody. Charges and conditions can be several.
bool Exclusive(Key::Dimension dimension) {
  return dimension == Key::NATIONALITY || dimension == Key::DESTINATION ||
         dimension == Key::GENDER || dimension == Key::TARGET_TYPE;
}

std::string CounterOf(const GroupCount& group) {
  v1::Actor actor = group.counted_by();
  actor.clear_id();
  return engine::EncodePayload(actor);
}

std::string CounterText(const v1::Actor& actor) {
  std::string who = actor.person();
  if (!actor.organization().empty()) who = actor.organization();
  if (who.empty()) who = actor.description();
  if (who.empty()) who = actor.on_behalf_of();
  return who.empty() ? "" : absl::StrCat(", counted by ", who, ",");
}

// The groups of one counter in one dimension.
struct Breakdown {
  Key::Dimension dimension;
  std::vector<const GroupCount*> groups;
  std::map<std::string, Interval> counts;  // by value
};

class Whole {
 public:
  Whole(const std::string& name, std::string path, const v1::Estimate& count, std::string region,
        const google::protobuf::RepeatedPtrField<GroupCount>& groups, std::vector<Finding>* found)
      : name_(name),
        path_(std::move(path)),
        count_(values::BoundsOf(count)),
        region_(std::move(region)),
        groups_(groups),
        found_(found) {}

  void Check() {
    std::map<std::pair<std::string, int>, Breakdown> breakdowns;
    for (const GroupCount& group : groups_) {
      if (group.keys_size() != 1) continue;
      const Key& key = group.keys(0);
      std::string counter = CounterOf(group);
      wider_[{counter, key.dimension(), key.value()}].push_back(&group);
      Breakdown& breakdown = breakdowns[{std::move(counter), key.dimension()}];
      breakdown.dimension = key.dimension();
      breakdown.groups.push_back(&group);
      const Interval count = values::BoundsOf(group.count());
      auto [slot, fresh] = breakdown.counts.emplace(key.value(), count);
      if (fresh) continue;
      // One counter gives two figures for the same group: either may be meant.
      slot->second.low = std::min(slot->second.low, count.low);
      if (!slot->second.high.has_value() || !count.high.has_value()) {
        slot->second.high.reset();
      } else {
        slot->second.high = std::max(*slot->second.high, *count.high);
      }
    }
    for (const auto& [key, breakdown] : breakdowns) {
      if (Exclusive(breakdown.dimension)) Sum(breakdown);
    }
    for (const GroupCount& group : groups_) Part(group);
  }

 private:
  std::string CountPath(const GroupCount& group) const {
    return ElementPath("group_counts", group.id(), "count");
  }

  void Sum(const Breakdown& breakdown) {
    Interval sum{0, 0};
    for (const auto& [value, count] : breakdown.counts) sum = sum + count;
    const bool more = values::CertainlyMore(sum, count_);
    const bool less = values::CertainlyMore(count_, sum) && LooksExhaustive(breakdown);
    if (!more && !less) return;
    Finding finding{
        more ? Severity::kWarning : Severity::kNote,
        absl::StrCat(breakdown.groups.size() == 1 ? "the group by " : "groups by ",
                     Key::Dimension_Name(breakdown.dimension),
                     CounterText(breakdown.groups.front()->counted_by()),
                     breakdown.groups.size() == 1 ? " is " : " sum to ", values::ToText(sum),
                     more ? ", more than the " : ", less than the ", path_, " of ",
                     values::ToText(count_)),
        {{name_, path_}}};
    for (const GroupCount* group : breakdown.groups) {
      finding.locations.push_back({name_, CountPath(*group)});
    }
    found_->push_back(std::move(finding));
  }

  // Counters often list only what matters to them: foreigners, or their own citizens.
  bool LooksExhaustive(const Breakdown& breakdown) const {
    switch (breakdown.dimension) {
      case Key::NATIONALITY:
        return !region_.empty() && breakdown.counts.contains(region_);
      case Key::GENDER:
        return breakdown.counts.contains("FEMALE") && breakdown.counts.contains("MALE");
      case Key::DESTINATION:
        return breakdown.counts.size() > 1;
      default:
        return false;
    }
  }

  // A group that is no part of a sum is still a part of the whole, and one with several keys of the
  // same counter's groups with fewer.
  void Part(const GroupCount& group) {
    const Interval count = values::BoundsOf(group.count());
    const bool summed = group.keys_size() == 1 && Exclusive(group.keys(0).dimension());
    if (!summed && values::CertainlyMore(count, count_)) {
      found_->push_back(
          {Severity::kWarning,
           absl::StrCat("a group", CounterText(group.counted_by()), " is ", values::ToText(count),
                        ", more than the ", path_, " of ", values::ToText(count_)),
           {{name_, CountPath(group)}, {name_, path_}}});
    }
    if (group.keys_size() < 2) return;
    const std::string counter = CounterOf(group);
    std::set<std::pair<int, absl::string_view>> seen;
    for (const Key& key : group.keys()) {
      if (!seen.emplace(key.dimension(), key.value()).second) continue;
      const auto found = wider_.find({counter, key.dimension(), key.value()});
      if (found == wider_.end()) continue;
      for (const GroupCount* wider : found->second) {
        const Interval whole = values::BoundsOf(wider->count());
        if (!values::CertainlyMore(count, whole)) continue;
        found_->push_back(
            {Severity::kWarning,
             absl::StrCat("a group", CounterText(group.counted_by()), " is ", values::ToText(count),
                          ", more than the ", values::ToText(whole), " of the wider group `",
                          wider->id(), "`"),
             {{name_, CountPath(group)}, {name_, CountPath(*wider)}}});
      }
    }
  }

  const std::string& name_;
  const std::string path_;
  const Interval count_;
  const std::string region_;
  const google::protobuf::RepeatedPtrField<GroupCount>& groups_;
  std::vector<Finding>* found_;
  // Groups of one key, by counter, dimension and value.
  std::map<std::tuple<std::string, int, absl::string_view>, std::vector<const GroupCount*>> wider_;
};

// How many more there certainly are than was said; 0 = maybe none.
int64_t Excess(const v1::Estimate& remainder) {
  const Interval bounds = values::BoundsOf(remainder);
  return bounds.high.has_value() && *bounds.high < 0 ? -*bounds.high : 0;
}

std::string Participants(int64_t count) {
  return absl::StrCat(count, count == 1 ? " participant" : " participants");
}

void CheckNamed(const std::string& name, const Release& release, std::vector<Finding>* found) {
  if (const int64_t excess = Excess(release.unnamed_remainder().total()); excess > 0) {
    found->push_back({Severity::kWarning,
                      absl::StrCat(Participants(excess), " more named than the headcount of ",
                                   values::ToText(values::BoundsOf(release.headcount()))),
                      {{name, "participants"}, {name, "headcount"}}});
  }
  for (const auto& remainder : release.unnamed_remainder().groups()) {
    const int64_t excess = Excess(remainder.count());
    if (excess == 0) continue;
    const auto group = std::find_if(release.group_counts().begin(), release.group_counts().end(),
                                    [&](const GroupCount& g) { return g.id() == remainder.id(); });
    if (group == release.group_counts().end()) continue;
    found->push_back(
        {Severity::kWarning,
         absl::StrCat(Participants(excess), " more belong to the group `", remainder.id(),
                      "` than its count of ", values::ToText(values::BoundsOf(group->count()))),
         {{name, ElementPath("group_counts", remainder.id(), "count")}, {name, "participants"}}});
  }
  std::map<absl::string_view, const Release::Participant*> seen;
  for (const auto& participant : release.participants()) {
    const auto [first, fresh] = seen.emplace(participant.person(), &participant);
    if (fresh) continue;
    found->push_back(
        {Severity::kWarning,
         absl::StrCat(participant.person(), " is named more than once among the participants"),
         {{name, ElementPath("participants", participant.id(), "person")},
          {name, ElementPath("participants", first->second->id(), "person")}}});
  }
}

}  // namespace

void CheckGroups(Run& run) {
  run.ForEach({"releases", "tallies"}, [&](const std::string& name, const Message& record,
                                           std::vector<Finding>* found) {
    if (record.GetDescriptor() == Release::descriptor()) {
      const auto& release = static_cast<const Release&>(record);
      Whole(name, "headcount", release.headcount(), release.region_code(), release.group_counts(),
            found)
          .Check();
      CheckNamed(name, release, found);
      return;
    }
    const auto& tally = static_cast<const v1::Tally&>(record);
    Whole(name, "count", tally.count(), tally.region_code(), tally.group_counts(), found).Check();
  });
}

}  // namespace detente::findings
