#include "evidence/decide.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "values/messages.h"

namespace detente::evidence {
namespace {

using v1::Citation;
using v1::Evidence;
using v1::Source;
using Effect = Bearing::Effect;

// Lower is better. What is not judged stands between the third and the fourth grade.
int Grade(int judged) { return judged < 1 || judged > 6 ? 7 : 2 * judged; }

struct Vote {
  const Bearing* bearing;
  const Source* source;
  std::tuple<int, int, int> merit;   // rank, reliability, credibility; lower is better
  std::pair<int64_t, int64_t> date;  // the last day, then the first; later is better
  std::string date_text;
};

std::pair<int64_t, int64_t> DaysOf(const v1::UncertainDate* date) {
  constexpr int64_t kNever = std::numeric_limits<int64_t>::min();
  if (date == nullptr || (!date->has_earliest() && !date->has_latest())) return {kNever, kNever};
  return {date->has_latest() ? values::DaysOf(date->latest()) : std::numeric_limits<int64_t>::max(),
          date->has_earliest() ? values::DaysOf(date->earliest()) : kNever};
}

std::string NameOf(int rank, int reliability, int credibility, int which) {
  if (which == 0) return rank == Citation::PREFERRED ? "PREFERRED" : "NORMAL";
  if (which == 1) {
    return reliability == 0
               ? "not judged"
               : Source::Reliability_Name(static_cast<Source::Reliability>(reliability));
  }
  return credibility == 0
             ? "not judged"
             : Citation::Credibility_Name(static_cast<Citation::Credibility>(credibility));
}

std::string MeritText(const Vote& winner, const Vote& rival) {
  const char* const names[] = {"rank", "reliability", "credibility"};
  auto name = [](const Vote& vote, int which) {
    return NameOf(vote.bearing->claim->citation->rank(),
                  vote.source == nullptr ? 0 : vote.source->reliability(),
                  vote.bearing->claim->citation->credibility(), which);
  };
  int which = 2;
  if (std::get<0>(winner.merit) != std::get<0>(rival.merit)) {
    which = 0;
  } else if (std::get<1>(winner.merit) != std::get<1>(rival.merit)) {
    which = 1;
  }
  return absl::StrCat(names[which], " ", name(winner, which), " over ", name(rival, which));
}

// The best votes by `better`, and what they say against the best of the others.
template <typename Better, typename Text>
Decided ByBest(const std::vector<Vote>& votes, const std::optional<std::string>& own, Better better,
               Text text) {
  const Vote* winner = &votes[0];
  for (const Vote& vote : votes) {
    const bool tied = !better(vote, *winner) && !better(*winner, vote);
    if (better(vote, *winner) ||
        (tied && vote.bearing->value == own && winner->bearing->value != own)) {
      winner = &vote;
    }
  }
  const Vote* rival = nullptr;
  Decided decided;
  decided.value = winner->bearing->value;
  for (const Vote& vote : votes) {
    if (vote.bearing->value != decided.value) {
      if (rival == nullptr || better(vote, *rival)) rival = &vote;
    } else if (!better(*winner, vote)) {
      decided.claims.push_back(vote.bearing->claim);
    }
  }
  if (rival == nullptr) {
    decided.reason = "no citation has another";
  } else if (better(*winner, *rival)) {
    decided.reason = text(*winner, *rival);
  } else {
    decided.reason =
        decided.value == own ? "alike: the record's own stays" : "alike: the first cited";
  }
  return decided;
}

// Which group each source of the votes belongs to: a number for each, alike where they rest on one
// another.
class Groups {
 public:
  absl::Status Add(const std::string& name, FindSource find) {
    std::vector<std::string> waiting = {name};
    while (!waiting.empty() && static_cast<int>(seen_.size()) < kMaxBasedOn) {
      const std::string one = std::move(waiting.back());
      waiting.pop_back();
      if (!seen_.insert(one).second) continue;
      auto source = find(one);
      if (!source.ok()) return source.status();
      if (*source == nullptr) continue;
      for (const std::string& below : (*source)->based_on()) {
        Join(one, below);
        waiting.push_back(below);
      }
    }
    return absl::OkStatus();
  }

  std::string Of(std::string name) const {
    for (auto up = up_.find(name); up != up_.end(); up = up_.find(name)) name = up->second;
    return name;
  }

 private:
  void Join(const std::string& a, const std::string& b) {
    std::string x = Of(a);
    std::string y = Of(b);
    if (x != y) up_[x] = std::move(y);
  }

  absl::flat_hash_map<std::string, std::string> up_;
  absl::flat_hash_set<std::string> seen_;
};

// Values with the number of those that have each, in the order in which they came.
class Count {
 public:
  void Add(const std::optional<std::string>& value) {
    for (auto& [counted, count] : counts_) {
      if (counted == value) {
        ++count;
        return;
      }
    }
    counts_.emplace_back(value, 1);
  }

  // The most frequent; of several, the record's own, else the first.
  std::optional<std::string> Winner(const std::optional<std::string>& own) const {
    size_t best = 0;
    for (size_t i = 1; i < counts_.size(); ++i) {
      if (counts_[i].second > counts_[best].second ||
          (counts_[i].second == counts_[best].second && counts_[i].first == own)) {
        best = i;
      }
    }
    return counts_[best].first;
  }

  std::string Reason(const std::optional<std::string>& winner,
                     const std::optional<std::string>& own) const {
    int most = 0;
    int next = 0;
    for (const auto& [value, count] : counts_) {
      int& slot = value == winner ? most : next;
      slot = std::max(slot, count);
    }
    const std::string sources = absl::StrCat(most, most == 1 ? " source" : " sources");
    if (most > next) return absl::StrCat(sources, " over ", next);
    return absl::StrCat(sources,
                        " each: ", winner == own ? "the record's own stays" : "the first cited");
  }

 private:
  std::vector<std::pair<std::optional<std::string>, int>> counts_;
};

absl::StatusOr<Decided> ByMajority(const std::vector<Vote>& votes,
                                   const std::optional<std::string>& own, FindSource find) {
  Groups groups;
  for (const Vote& vote : votes) {
    if (absl::Status s = groups.Add(vote.bearing->claim->citation->source(), find); !s.ok()) {
      return s;
    }
  }
  std::vector<std::string> order;
  absl::flat_hash_map<std::string, Count> within;
  absl::flat_hash_set<std::pair<std::string, std::string>> counted;  // each source's value once
  for (const Vote& vote : votes) {
    const std::string& source = vote.bearing->claim->citation->source();
    if (!counted.insert({source, vote.bearing->value.value_or("")}).second) continue;
    std::string group = groups.Of(source);
    if (!within.contains(group)) order.push_back(group);
    within[group].Add(vote.bearing->value);
  }
  Count count;
  for (const std::string& group : order) count.Add(within[group].Winner(own));
  Decided decided;
  decided.value = count.Winner(own);
  decided.reason = count.Reason(decided.value, own);
  for (const Vote& vote : votes) {
    if (vote.bearing->value == decided.value) decided.claims.push_back(vote.bearing->claim);
  }
  return decided;
}

}  // namespace

const v1::UncertainDate* DateOf(const Citation& citation, const Source* source) {
  if (citation.has_assert_date()) return &citation.assert_date();
  return source != nullptr && source->has_publish_date() ? &source->publish_date() : nullptr;
}

absl::StatusOr<Decided> Decide(Evidence::ValuePolicy policy, const std::optional<std::string>& own,
                               const std::vector<Bearing>& bearings, FindSource find) {
  std::vector<Vote> votes;
  bool disputed = false;
  for (const Bearing& bearing : bearings) {
    if (!bearing.claim->live || bearing.effect == Effect::kMentions) continue;
    disputed |= bearing.effect == Effect::kContradicts;
    const Citation& citation = *bearing.claim->citation;
    auto source = find(citation.source());
    if (!source.ok()) return source.status();
    const v1::UncertainDate* date = DateOf(citation, *source);
    votes.push_back(
        {&bearing,
         *source,
         {citation.rank() == Citation::PREFERRED ? 0 : 1,
          Grade(*source == nullptr ? 0 : (*source)->reliability()), Grade(citation.credibility())},
         DaysOf(date),
         date == nullptr || date->edtf().empty() ? "no date" : date->edtf()});
  }
  if (!disputed || policy == Evidence::VALUE_POLICY_UNSPECIFIED) return Decided{own, {}, ""};
  switch (policy) {
    case Evidence::MOST_RELIABLE:
      return ByBest(
          votes, own, [](const Vote& a, const Vote& b) { return a.merit < b.merit; }, MeritText);
    case Evidence::LATEST:
      return ByBest(
          votes, own, [](const Vote& a, const Vote& b) { return a.date > b.date; },
          [](const Vote& winner, const Vote& rival) {
            return absl::StrCat(winner.date_text, " over ", rival.date_text);
          });
    default:
      return ByMajority(votes, own, find);
  }
}

}  // namespace detente::evidence
