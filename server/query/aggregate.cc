#include "query/aggregate.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "error/error.h"

namespace detente::query {
namespace {

using google::protobuf::Message;
using v1::AggregateRecordsRequest;
using Kind = Leaf::Kind;

absl::Status TooMany(absl::string_view what, absl::string_view advice) {
  return InvalidFields({{"group_paths", absl::StrCat(what, "; ", advice)}}, v1::LIMIT_EXCEEDED);
}

// A number as a key: equal numbers alike.
int64_t BitsOf(double number) { return std::bit_cast<int64_t>(number == 0 ? 0.0 : number); }

}  // namespace

absl::Status Grouping::TooManyCombinations() {
  return TooMany(
      absl::StrCat("a record has more than ", kMaxCombinations, " combinations of values"),
      "group by fewer lists at once, or by longer parts of dates");
}

int64_t Grouping::Texts::NumberOf(absl::string_view text) {
  const auto found = numbers.find(text);
  if (found != numbers.end()) return found->second;
  const auto number = static_cast<int64_t>(texts.size());
  texts.emplace_back(text);
  numbers.emplace(texts.back(), number);
  return number;
}

Grouping::Grouping(const Aggregation& aggregation, std::function<absl::Status()> check)
    : aggregation_(aggregation),
      check_(std::move(check)),
      unnest_(aggregation.Leaves(), aggregation.keys.size()),
      key_texts_(aggregation.keys.size()),
      unknown_dates_(aggregation.keys.size()),
      measure_texts_(aggregation.measures.size()),
      options_(aggregation.keys.size()),
      option_lists_(aggregation.keys.size()) {
  for (const Leaf& key : aggregation.keys) {
    key_dates_.emplace_back(key.part);
    cell_numbers_.emplace_back(key);
  }
  for (const Measure& measure : aggregation.measures) {
    measure_dates_.emplace_back(std::nullopt);
    measure_numbers_.emplace_back();
    const bool texts = measure.leaf.has_value() &&
                       (measure.leaf->kind == Kind::kText || measure.leaf->kind == Kind::kDate);
    if (texts) measure_numbers_.back().emplace(*measure.leaf);
  }
  // Without keys there is one group, of no records too.
  if (aggregation.keys.empty()) Find({}).IgnoreError();
}

void Grouping::Options(size_t key, const Datum& datum, std::vector<Option>* options) {
  options->clear();
  if (!datum.present) return options->push_back({kAbsent, 0, true});
  const Leaf& leaf = aggregation_.keys[key];
  switch (leaf.kind) {
    case Kind::kText:
      return options->push_back({kValue, key_texts_[key].NumberOf(datum.text), true});
    case Kind::kNumber:
      return options->push_back({kValue, BitsOf(datum.number), true});
    case Kind::kTime:
    case Kind::kDay: {
      const int64_t day = leaf.kind == Kind::kTime ? DayOfTime(datum.integer) : datum.integer;
      return options->push_back({kValue, BucketOf(*leaf.part, values::CivilFromDays(day)), true});
    }
    case Kind::kDate: {
      const DateCache::Entry& entry = key_dates_[key].Find(datum.text);
      if (!entry.buckets.has_value() || entry.buckets->empty()) {
        return options->push_back({kUnknown, 0, true, unknown_dates_[key].NumberOf(datum.text)});
      }
      for (const auto& [bucket, certain] : *entry.buckets) {
        options->push_back({kValue, bucket, certain});
      }
      return;
    }
    default:
      return options->push_back({kValue, datum.integer, true});
  }
}

absl::Status Grouping::CheckRoom() const {
  const size_t kept = groups_.size() + spread_.size();
  if (kept < kMaxGroupsInMemory && kept * aggregation_.measures.size() < kMaxValuesInMemory) {
    return absl::OkStatus();
  }
  return TooMany(
      absl::StrCat("more than ",
                   std::min(kMaxGroupsInMemory, kMaxValuesInMemory / aggregation_.measures.size()),
                   " groups"),
      "group by fewer fields or by longer parts of dates, ask for fewer measures, or narrow the "
      "filter");
}

absl::StatusOr<Grouping::Group*> Grouping::Find(const Key& key) {
  const auto [found, fresh] = group_numbers_.try_emplace(key, groups_.size());
  if (!fresh) return &groups_[found->second];
  if (absl::Status s = CheckRoom(); !s.ok()) return s;
  groups_.emplace_back();
  groups_.back().key = key;
  groups_.back().certain.resize(aggregation_.measures.size());
  return &groups_.back();
}

absl::StatusOr<Grouping::Totals*> Grouping::FindSpread(const Key& key) {
  const auto [found, fresh] = spread_.try_emplace(key);
  if (!fresh) return &found->second;
  if (absl::Status s = CheckRoom(); !s.ok()) return s;
  found->second.resize(aggregation_.measures.size());
  return &found->second;
}

Grouping::Totals* Grouping::PossibleOf(Group* group) {
  if (group->possible.empty()) group->possible.resize(aggregation_.measures.size());
  return &group->possible;
}

void Grouping::Feed(size_t measure, const Datum& datum, Total* total) {
  const Measure& one = aggregation_.measures[measure];
  const Kind kind = one.leaf->kind;
  auto entry = [&] { return &measure_dates_[measure].Find(datum.text); };
  switch (one.kind) {
    case AggregateRecordsRequest::Measure::DISTINCT: {
      int64_t value = datum.integer;
      if (kind == Kind::kText || kind == Kind::kDate) {
        value = measure_texts_[measure].NumberOf(datum.text);
      } else if (kind == Kind::kNumber) {
        value = BitsOf(datum.number);
      }
      if (total->distinct == nullptr) {
        total->distinct = std::make_unique<absl::flat_hash_set<int64_t>>();
      }
      if (total->distinct->insert(value).second) ++distinct_;
      return;
    }
    case AggregateRecordsRequest::Measure::MIN:
    case AggregateRecordsRequest::Measure::MAX: {
      const bool least = one.kind == AggregateRecordsRequest::Measure::MIN;
      auto better = [&](const auto& value, const auto& known) {
        return !total->has_extreme || (least ? value < known : known < value);
      };
      if (kind == Kind::kText) {
        if (better(datum.text, absl::string_view(total->extreme_text))) {
          total->extreme_text = std::string(datum.text);
        }
      } else if (kind == Kind::kNumber) {
        if (better(datum.number, total->extreme_number)) total->extreme_number = datum.number;
      } else {
        int64_t value = datum.integer;
        if (kind == Kind::kDate) {
          const auto& bound = least ? entry()->first : entry()->last;
          value = *bound;
        }
        if (better(value, total->extreme)) total->extreme = value;
      }
      total->has_extreme = true;
      return;
    }
    default:
      return;
  }
}

// `data` are all that one record has for the measure in one group, as often as there are such
// records; -1 takes them away again.
void Grouping::FeedRecord(size_t measure, absl::Span<const Datum> data, int64_t times,
                          Total* total) {
  const Measure& one = aggregation_.measures[measure];
  if (!one.leaf.has_value()) {
    total->integer += times;
    total->count += times;
    return;
  }
  bool any = false;
  for (const Datum& datum : data) {
    if (one.kind == AggregateRecordsRequest::Measure::SUM) {
      const bool bounded = datum.present && datum.bounds.high.has_value();
      if (one.leaf->kind == Kind::kEstimate && !bounded) total->unbounded += times;
    }
    if (!datum.present) continue;
    switch (one.kind) {
      case AggregateRecordsRequest::Measure::MIN:
      case AggregateRecordsRequest::Measure::MAX:
        if (one.leaf->kind == Kind::kNumber && std::isnan(datum.number)) continue;
        if (one.leaf->kind == Kind::kDate) {
          const auto& entry = measure_dates_[measure].Find(datum.text);
          const bool least = one.kind == AggregateRecordsRequest::Measure::MIN;
          if (!(least ? entry.first : entry.last).has_value()) continue;
        }
        break;
      case AggregateRecordsRequest::Measure::DISTINCT:
        if (one.leaf->kind == Kind::kDate && datum.text.empty()) continue;
        break;
      case AggregateRecordsRequest::Measure::SUM:
        if (one.leaf->kind == Kind::kEstimate) {
          total->low += times * absl::int128(datum.bounds.low);
          total->high += times * absl::int128(datum.bounds.high.value_or(0));
          total->best += times * absl::int128(datum.best.value_or(0));
          total->bests += datum.best.has_value() ? times : 0;
        } else {
          total->best += times * absl::int128(datum.integer);
          total->number += static_cast<double>(times) * datum.number;
          total->bests += times;
        }
        break;
      default:
        break;
    }
    any = true;
    total->count += times;
    // The others are the same however often they are told.
    if (times > 0) Feed(measure, datum, total);
  }
  if (one.kind == AggregateRecordsRequest::Measure::COUNT && any) total->integer += times;
}

absl::Status Grouping::CheckDistinct() const {
  if (distinct_ <= kMaxDistinct) return absl::OkStatus();
  return TooMany(absl::StrCat("more than ", kMaxDistinct, " different values to be told apart"),
                 "narrow the filter, or leave DISTINCT away");
}

absl::Status Grouping::ForEachKey(
    absl::FunctionRef<absl::Status(const Key&, const Key&, bool, bool)> visit) const {
  size_t combinations = 1;
  for (const auto& options : options_) combinations *= options.size();
  if (combinations > kMaxCombinations) return TooManyCombinations();
  for (size_t n = 0; n < combinations; ++n) {
    Key key;
    Key spread;
    bool certain = true;
    bool unknown = false;
    size_t rest = n;
    for (size_t k = 0; k < options_.size(); ++k) {
      const Option& option = options_[k][rest % options_[k].size()];
      rest /= options_[k].size();
      certain = certain && option.certain;
      unknown = unknown || option.state == kUnknown;
      key.values[k] = option.value;
      spread.values[k] = option.state == kUnknown ? option.unknown : option.value;
      key.states[k] = spread.states[k] = option.state;
    }
    if (absl::Status s = visit(key, spread, certain, unknown); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status Grouping::Add(const Message& record) {
  ++records_;
  absl::flat_hash_map<Key, Share> shares;
  absl::flat_hash_map<Key, Share> spread;
  absl::Status status;
  size_t combinations = 0;
  unnest_.Walk(record, [&](absl::Span<const std::vector<Slot>> slots) {
    for (size_t k = 0; k < options_.size(); ++k) {
      const bool there = !slots[k].empty() && slots[k][0].holder != nullptr;
      Options(
          k,
          there ? ReadDatum(aggregation_.keys[k], *slots[k][0].holder, slots[k][0].index) : Datum(),
          &options_[k]);
    }
    status = ForEachKey([&](const Key& key, const Key& text, bool certain, bool unknown) {
      if (++combinations > kMaxCombinations) return TooManyCombinations();
      auto take = [&](Share* share) {
        share->certain = share->certain || certain;
        share->slots.resize(aggregation_.measures.size());
        share->certain_slots.resize(aggregation_.measures.size());
        size_t at = options_.size();
        for (size_t m = 0; m < aggregation_.measures.size(); ++m) {
          if (!aggregation_.measures[m].leaf.has_value()) continue;
          share->slots[m].insert(share->slots[m].end(), slots[at].begin(), slots[at].end());
          if (certain) {
            share->certain_slots[m].insert(share->certain_slots[m].end(), slots[at].begin(),
                                           slots[at].end());
          }
          ++at;
        }
      };
      take(&shares[key]);
      if (unknown) take(&spread[text]);
      return absl::OkStatus();
    });
    return status.ok();
  });
  if (!status.ok()) return status;
  // Several elements whose dates say too little: together they can lie anywhere.
  for (size_t k = 0; k < options_.size() && !spread.empty(); ++k) {
    const Leaf& leaf = aggregation_.keys[k];
    if (leaf.kind == Kind::kDate && leaf.repeated()) spread = Joined(k, std::move(spread));
  }
  for (auto* some : {&shares, &spread}) {
    for (auto& [key, share] : *some) {
      for (auto* of_measures : {&share.slots, &share.certain_slots}) {
        for (auto& slots : *of_measures) {
          std::sort(slots.begin(), slots.end());
          slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
        }
      }
    }
  }
  return AddShares(shares, spread);
}

absl::flat_hash_map<Grouping::Key, Grouping::Share> Grouping::Joined(
    size_t date, absl::flat_hash_map<Key, Share> spread) {
  absl::flat_hash_map<Key, Share> joined;
  absl::flat_hash_map<Key, int64_t> first;  // the number of a text, by the rest of the key
  absl::flat_hash_map<Key, bool> several;
  for (const auto& [key, share] : spread) {
    Key rest = key;
    rest.values[date] = 0;
    several[rest] = !first.try_emplace(rest, key.values[date]).second;
  }
  for (auto& [key, share] : spread) {
    Key rest = key;
    rest.values[date] = 0;
    Key to = key;
    if (several[rest]) to.values[date] = unknown_dates_[date].NumberOf("");
    Share& whole = joined[to];
    whole.slots.resize(share.slots.size());
    for (size_t m = 0; m < share.slots.size(); ++m) {
      whole.slots[m].insert(whole.slots[m].end(), share.slots[m].begin(), share.slots[m].end());
    }
  }
  return joined;
}

std::vector<Datum> Grouping::DataOf(size_t measure, absl::Span<const Slot> slots) const {
  std::vector<Datum> data;
  for (const Slot& slot : slots) {
    data.push_back(slot.holder == nullptr
                       ? Datum()
                       : ReadDatum(*aggregation_.measures[measure].leaf, *slot.holder, slot.index));
  }
  return data;
}

absl::Status Grouping::AddShares(const absl::flat_hash_map<Key, Share>& shares,
                                 const absl::flat_hash_map<Key, Share>& spread) {
  auto feed = [&](const std::vector<std::vector<Slot>>& slots, Totals* totals) {
    for (size_t m = 0; m < slots.size(); ++m) {
      FeedRecord(m, DataOf(m, slots[m]), 1, &(*totals)[m]);
    }
  };
  for (const auto& [key, share] : shares) {
    auto group = Find(key);
    if (!group.ok()) return group.status();
    if (!share.certain) {
      feed(share.slots, PossibleOf(*group));
    } else {
      feed(share.certain_slots, &(*group)->certain);
      for (size_t m = 0; m < share.slots.size(); ++m) {
        if (share.slots[m].size() == share.certain_slots[m].size()) continue;
        FeedMore(m, share.certain_slots[m], share.slots[m], &(*PossibleOf(*group))[m]);
      }
    }
    // What is spread to this group later is not to be counted again.
    for (const auto& [from, other] : spread) {
      if (!Reaches(from, key)) continue;
      if ((*group)->doubled.empty()) (*group)->doubled.resize(aggregation_.measures.size());
      for (size_t m = 0; m < aggregation_.measures.size(); ++m) {
        FeedBoth(m, share.slots[m], other.slots[m], &(*group)->doubled[m]);
      }
    }
  }
  for (const auto& [key, share] : spread) {
    auto totals = FindSpread(key);
    if (!totals.ok()) return totals.status();
    feed(share.slots, *totals);
  }
  return CheckDistinct();
}

// What a record that is certainly in a group possibly gives to it beside what it certainly does.
void Grouping::FeedMore(size_t measure, absl::Span<const Slot> known, absl::Span<const Slot> all,
                        Total* total) {
  std::vector<Slot> more;
  std::set_difference(all.begin(), all.end(), known.begin(), known.end(), std::back_inserter(more));
  FeedRecord(measure, DataOf(measure, more), 1, total);
  if (aggregation_.measures[measure].kind != AggregateRecordsRequest::Measure::COUNT) return;
  if (HasValue(measure, known) && HasValue(measure, more)) --total->integer;
}

// What a record gives to one group by two ways: the values that are in both.
void Grouping::FeedBoth(size_t measure, absl::Span<const Slot> a, absl::Span<const Slot> b,
                        Total* total) {
  std::vector<Slot> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  FeedRecord(measure, DataOf(measure, both), 1, total);
  const Measure& one = aggregation_.measures[measure];
  if (!one.leaf.has_value() || one.kind != AggregateRecordsRequest::Measure::COUNT) return;
  // It counted as a record that has a value by either way.
  if (HasValue(measure, a) && HasValue(measure, b) && !HasValue(measure, both)) ++total->integer;
}

bool Grouping::HasValue(size_t measure, absl::Span<const Slot> slots) const {
  const std::vector<Datum> data = DataOf(measure, slots);
  return std::any_of(data.begin(), data.end(), [](const Datum& d) { return d.present; });
}

// Whether the records that are spread can be in the group: they are there where they have a key,
// and where a date of theirs says too little, the group has one that it can be.
bool Grouping::Reaches(const Key& spread, const Key& group) {
  bool anywhere = false;
  for (size_t k = 0; k < aggregation_.keys.size(); ++k) {
    if (spread.states[k] != kUnknown) {
      if (spread.states[k] != group.states[k] || spread.values[k] != group.values[k]) return false;
      continue;
    }
    if (group.states[k] == kAbsent) return false;
    if (group.states[k] == kUnknown) continue;
    anywhere = true;
    const std::string& text = unknown_dates_[k].texts[static_cast<size_t>(spread.values[k])];
    if (text.empty()) continue;
    const auto& date = key_dates_[k].Find(text).date;
    if (date && !PossiblyIn(*date, *aggregation_.keys[k].part, group.values[k])) return false;
  }
  return anywhere;  // otherwise it is their own group
}

}  // namespace detente::query
