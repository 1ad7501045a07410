#include "query/aggregate.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <map>
#include <utility>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "error/error.h"

namespace detente::query {
namespace {

using google::protobuf::Message;
using v1::AggregateRecordsRequest;
using v1::AggregateRecordsResponse;
using Kind = Leaf::Kind;

constexpr int64_t kMicrosPerDay = int64_t{86'400} * 1'000'000;
constexpr int kStepsBetweenChecks = 1'024;

absl::Status TooMany(absl::string_view what, absl::string_view advice) {
  return InvalidFields({{"group_paths", absl::StrCat(what, "; ", advice)}}, v1::LIMIT_EXCEEDED);
}

absl::Status TooManyCombinations() {
  return TooMany(absl::StrCat("a record has more than ", kMaxCombinations,
                              " combinations of values"),
                 "group by fewer lists at once, or by longer parts of dates");
}

int64_t Clamp(absl::int128 value) {
  return static_cast<int64_t>(std::clamp<absl::int128>(value, std::numeric_limits<int64_t>::min(),
                                                       std::numeric_limits<int64_t>::max()));
}

int64_t DayOfTime(int64_t micros) {
  return micros >= 0 ? micros / kMicrosPerDay : -((-micros + kMicrosPerDay - 1) / kMicrosPerDay);
}

// A number as a key: equal numbers alike.
int64_t BitsOf(double number) { return std::bit_cast<int64_t>(number == 0 ? 0.0 : number); }

template <typename T>
int Compare(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

std::string TextOfNumber(double number) {
  std::string text = absl::StrFormat("%.15g", number);
  if (std::strtod(text.c_str(), nullptr) != number) text = absl::StrFormat("%.17g", number);
  return text;
}

}  // namespace

// Sums are kept wide, so that what is there twice can be taken away again.
struct Grouping::Total {
  int64_t count = 0;
  int64_t integer = 0;
  absl::int128 low = 0;
  absl::int128 high = 0;
  absl::int128 best = 0;
  int64_t bests = 0;      // how many have one
  int64_t unbounded = 0;  // how many set no upper bound
  double number = 0;
  bool has_extreme = false;  // of MIN and MAX
  int64_t extreme = 0;
  double extreme_number = 0;
  std::string extreme_text;
  std::unique_ptr<absl::flat_hash_set<int64_t>> distinct;
};

Grouping::~Grouping() = default;

int64_t Grouping::Texts::NumberOf(absl::string_view text) {
  const auto found = numbers.find(text);
  if (found != numbers.end()) return found->second;
  const auto number = static_cast<int64_t>(texts.size());
  texts.emplace_back(text);
  numbers.emplace(texts.back(), number);
  return number;
}

Grouping::Grouping(const Aggregation& aggregation)
    : aggregation_(aggregation),
      unnest_(aggregation.Leaves(), aggregation.keys.size()),
      key_texts_(aggregation.keys.size()),
      unknown_dates_(aggregation.keys.size()),
      measure_texts_(aggregation.measures.size()),
      options_(aggregation.keys.size()) {
  for (const Leaf& key : aggregation.keys) key_dates_.emplace_back(key.part);
  for (size_t i = 0; i < aggregation.measures.size(); ++i) measure_dates_.emplace_back(std::nullopt);
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
      return options->push_back(
          {kValue, BucketOf(*leaf.part, values::CivilFromDays(day)), true});
    }
    case Kind::kDate: {
      const DateCache::Entry& entry = key_dates_[key].Find(datum.text);
      if (!entry.buckets.has_value() || entry.buckets->empty()) {
        return options->push_back(
            {kUnknown, 0, true, unknown_dates_[key].NumberOf(datum.text)});
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
  if (kept < kMaxGroupsInMemory &&
      kept * aggregation_.measures.size() < kMaxValuesInMemory) {
    return absl::OkStatus();
  }
  return TooMany(
      absl::StrCat("more than ", std::min(kMaxGroupsInMemory,
                                          kMaxValuesInMemory / aggregation_.measures.size()),
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

// `data` are all that one record has for the measure in one group; sign -1 takes them away again.
void Grouping::FeedRecord(size_t measure, absl::Span<const Datum> data, int sign, Total* total) {
  const Measure& one = aggregation_.measures[measure];
  if (!one.leaf.has_value()) {
    total->integer += sign;
    total->count += sign;
    return;
  }
  bool any = false;
  for (const Datum& datum : data) {
    if (one.kind == AggregateRecordsRequest::Measure::SUM) {
      const bool bounded = datum.present && datum.bounds.high.has_value();
      if (one.leaf->kind == Kind::kEstimate && !bounded) total->unbounded += sign;
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
      case AggregateRecordsRequest::Measure::SUM:
        if (one.leaf->kind == Kind::kEstimate) {
          total->low += sign * absl::int128(datum.bounds.low);
          total->high += sign * absl::int128(datum.bounds.high.value_or(0));
          total->best += sign * absl::int128(datum.best.value_or(0));
          total->bests += datum.best.has_value() ? sign : 0;
        } else {
          total->best += sign * absl::int128(datum.integer);
          total->number += sign * datum.number;
          total->bests += sign;
        }
        break;
      default:
        break;
    }
    any = true;
    total->count += sign;
    // The others are the same however often they are told.
    if (sign > 0) Feed(measure, datum, total);
  }
  if (one.kind == AggregateRecordsRequest::Measure::COUNT && any) total->integer += sign;
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

absl::Status Grouping::Add(absl::Span<const Datum> values) {
  ++records_;
  const size_t keys = aggregation_.keys.size();
  for (size_t k = 0; k < keys; ++k) Options(k, values[k], &options_[k]);
  auto feed = [&](Totals* totals) {
    size_t at = keys;
    for (size_t m = 0; m < aggregation_.measures.size(); ++m) {
      const size_t size = aggregation_.measures[m].leaf.has_value() ? 1 : 0;
      FeedRecord(m, values.subspan(at, size), 1, &(*totals)[m]);
      at += size;
    }
  };
  absl::Status status =
      ForEachKey([&](const Key& key, const Key& spread, bool certain, bool unknown) {
        auto group = Find(key);
        if (!group.ok()) return group.status();
        feed(certain ? &(*group)->certain : PossibleOf(*group));
        if (!unknown) return absl::OkStatus();
        auto totals = FindSpread(spread);
        if (!totals.ok()) return totals.status();
        feed(*totals);
        return absl::OkStatus();
      });
  return status.ok() ? CheckDistinct() : status;
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
      Options(k,
              there ? ReadDatum(aggregation_.keys[k], *slots[k][0].holder, slots[k][0].index)
                    : Datum(),
              &options_[k]);
    }
    status = ForEachKey([&](const Key& key, const Key& text, bool certain, bool unknown) {
      if (++combinations > kMaxCombinations) return TooManyCombinations();
      auto take = [&](Share* share) {
        share->certain = share->certain || certain;
        share->slots.resize(aggregation_.measures.size());
        size_t at = options_.size();
        for (size_t m = 0; m < aggregation_.measures.size(); ++m) {
          if (!aggregation_.measures[m].leaf.has_value()) continue;
          share->slots[m].insert(share->slots[m].end(), slots[at].begin(), slots[at].end());
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
      for (auto& slots : share.slots) {
        std::sort(slots.begin(), slots.end());
        slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
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
    data.push_back(slot.holder == nullptr ? Datum()
                                          : ReadDatum(*aggregation_.measures[measure].leaf,
                                                      *slot.holder, slot.index));
  }
  return data;
}

absl::Status Grouping::AddShares(const absl::flat_hash_map<Key, Share>& shares,
                                 const absl::flat_hash_map<Key, Share>& spread) {
  auto feed = [&](const Share& share, Totals* totals) {
    for (size_t m = 0; m < aggregation_.measures.size(); ++m) {
      FeedRecord(m, DataOf(m, share.slots[m]), 1, &(*totals)[m]);
    }
  };
  for (const auto& [key, share] : shares) {
    auto group = Find(key);
    if (!group.ok()) return group.status();
    feed(share, share.certain ? &(*group)->certain : PossibleOf(*group));
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
    feed(share, *totals);
  }
  return CheckDistinct();
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
  auto has = [&](absl::Span<const Slot> slots) {
    const std::vector<Datum> data = DataOf(measure, slots);
    return std::any_of(data.begin(), data.end(), [](const Datum& d) { return d.present; });
  };
  if (has(a) && has(b) && !has(both)) ++total->integer;
}

// Whether the records that are spread can be in the group: they are there where they have a key,
// and where a date of theirs says too little, the group has one that it can be.
bool Grouping::Reaches(const Key& spread, const Key& group) const {
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
    const auto date = values::ParseEdtf(text);
    if (date.ok() && !PossiblyIn(*date, *aggregation_.keys[k].part, group.values[k])) return false;
  }
  return anywhere;  // otherwise it is their own group
}

absl::Status Grouping::Spread(const std::function<absl::Status()>& check) {
  if (spread_.empty()) return absl::OkStatus();
  // Groups by what they have where a date is known, for each pattern of dates that are not.
  auto without = [&](Key key, const Key& pattern) {
    for (size_t k = 0; k < aggregation_.keys.size(); ++k) {
      if (pattern.states[k] == kUnknown) key.values[k] = key.states[k] = 0;
    }
    return key;
  };
  std::map<std::array<bool, kMaxGroupPaths>, absl::flat_hash_map<Key, std::vector<size_t>>> known;
  int64_t steps = 0;
  for (const auto& [from, totals] : spread_) {
    std::array<bool, kMaxGroupPaths> pattern = {};
    for (size_t k = 0; k < pattern.size(); ++k) pattern[k] = from.states[k] == kUnknown;
    const auto [groups, fresh] = known.try_emplace(pattern);
    for (size_t i = 0; fresh && i < groups_.size(); ++i) {
      groups->second[without(groups_[i].key, from)].push_back(i);
    }
    for (size_t i : groups->second[without(from, from)]) {
      if (++steps % kStepsBetweenChecks == 0 && check) {
        if (absl::Status s = check(); !s.ok()) return s;
      }
      if (!Reaches(from, groups_[i].key)) continue;
      Merge(totals, 1, PossibleOf(&groups_[i]));
      if (absl::Status s = CheckDistinct(); !s.ok()) return s;
    }
  }
  return absl::OkStatus();
}

void Grouping::Merge(const Totals& from, int sign, Totals* to) {
  for (size_t m = 0; m < from.size(); ++m) {
    const Total& a = from[m];
    Total& b = (*to)[m];
    b.count += sign * a.count;
    b.integer += sign * a.integer;
    b.low += sign * a.low;
    b.high += sign * a.high;
    b.best += sign * a.best;
    b.bests += sign * a.bests;
    b.unbounded += sign * a.unbounded;
    b.number += sign * a.number;
    if (sign < 0) continue;
    if (a.distinct != nullptr) {
      if (b.distinct == nullptr) b.distinct = std::make_unique<absl::flat_hash_set<int64_t>>();
      for (int64_t value : *a.distinct) {
        if (b.distinct->insert(value).second) ++distinct_;
      }
    }
    if (!a.has_extreme) continue;
    const int sense =
        aggregation_.measures[m].kind == AggregateRecordsRequest::Measure::MIN ? 1 : -1;
    if (!b.has_extreme || sense * CompareExtremes(m, a, b) < 0) {
      b.extreme = a.extreme;
      b.extreme_number = a.extreme_number;
      b.extreme_text = a.extreme_text;
      b.has_extreme = true;
    }
  }
}

int Grouping::CompareExtremes(size_t measure, const Total& a, const Total& b) const {
  switch (aggregation_.measures[measure].leaf->kind) {
    case Kind::kText:
      return Compare(a.extreme_text, b.extreme_text);
    case Kind::kNumber:
      return Compare(a.extreme_number, b.extreme_number);
    default:
      return Compare(a.extreme, b.extreme);
  }
}

int Grouping::CompareKeys(size_t key, const Group& a, const Group& b, bool descending) const {
  const uint8_t state = a.key.states[key];
  // Known ones, then unknown, then absent, in either direction.
  if (state != b.key.states[key]) return Compare(b.key.states[key], state);
  if (state != kValue) return 0;
  const int64_t x = a.key.values[key];
  const int64_t y = b.key.values[key];
  int order = 0;
  switch (aggregation_.keys[key].kind) {
    case Kind::kText:
      order = Compare(key_texts_[key].texts[static_cast<size_t>(x)],
                      key_texts_[key].texts[static_cast<size_t>(y)]);
      break;
    case Kind::kNumber:
      order = Compare(std::bit_cast<double>(x), std::bit_cast<double>(y));
      break;
    default:
      order = Compare(x, y);
  }
  return descending ? -order : order;
}

int Grouping::CompareTotals(size_t measure, const Total& a, const Total& b, bool descending) const {
  const Measure& one = aggregation_.measures[measure];
  int order = 0;
  switch (one.kind) {
    case AggregateRecordsRequest::Measure::DISTINCT: {
      auto size = [](const Total& t) { return t.distinct == nullptr ? 0 : t.distinct->size(); };
      order = Compare(size(a), size(b));
      break;
    }
    case AggregateRecordsRequest::Measure::SUM: {
      const bool has = a.bests > 0;
      if (has != b.bests > 0) return has ? -1 : 1;
      order = one.leaf->kind == Kind::kNumber ? Compare(a.number, b.number)
                                              : Compare(a.best, b.best);
      if (order == 0) order = Compare(a.low, b.low);
      break;
    }
    case AggregateRecordsRequest::Measure::MIN:
    case AggregateRecordsRequest::Measure::MAX:
      if (a.has_extreme != b.has_extreme) return a.has_extreme ? -1 : 1;
      if (a.has_extreme) order = CompareExtremes(measure, a, b);
      break;
    default:
      order = Compare(a.integer, b.integer);
  }
  return descending ? -order : order;
}

bool Grouping::Less(const Group& a, const Group& b) const {
  for (const GroupOrder& one : aggregation_.order) {
    int order = 0;
    if (!one.by_measure) {
      order = CompareKeys(one.index, a, b, one.descending);
    } else {
      order = CompareTotals(one.index, a.certain[one.index], b.certain[one.index], one.descending);
      if (order == 0) {
        order = CompareTotals(one.index, (a.possible.empty() ? a.certain : a.possible)[one.index],
                              (b.possible.empty() ? b.certain : b.possible)[one.index],
                              one.descending);
      }
    }
    if (order != 0) return order < 0;
  }
  for (size_t k = 0; k < aggregation_.keys.size(); ++k) {
    if (const int order = CompareKeys(k, a, b, false); order != 0) return order < 0;
  }
  return false;
}

void Grouping::WriteTotal(size_t measure, const Total& total,
                          AggregateRecordsResponse::Value* out) const {
  const Measure& one = aggregation_.measures[measure];
  out->set_count(total.count);
  switch (one.kind) {
    case AggregateRecordsRequest::Measure::DISTINCT:
      out->set_integer(
          total.distinct == nullptr ? 0 : static_cast<int64_t>(total.distinct->size()));
      return;
    case AggregateRecordsRequest::Measure::SUM:
      if (one.leaf->kind == Kind::kNumber) return out->set_number(total.number);
      if (total.count == 0) return;
      if (total.bests > 0) out->mutable_sum()->set_best(Clamp(total.best));
      if (one.leaf->kind != Kind::kEstimate) return;
      out->mutable_sum()->set_low(Clamp(total.low));
      if (total.unbounded == 0) out->mutable_sum()->set_high(Clamp(total.high));
      return;
    case AggregateRecordsRequest::Measure::MIN:
    case AggregateRecordsRequest::Measure::MAX:
      if (!total.has_extreme) return;
      if (one.leaf->kind == Kind::kText) return out->set_text(total.extreme_text);
      out->set_text(one.leaf->kind == Kind::kNumber ? TextOfNumber(total.extreme_number)
                                                    : TextOfInteger(*one.leaf, total.extreme));
      return;
    default:
      out->set_integer(total.integer);
  }
}

void Grouping::Write(const Group& group, AggregateRecordsResponse::Group* out) const {
  for (size_t k = 0; k < aggregation_.keys.size(); ++k) {
    auto* key = out->add_keys();
    const Leaf& leaf = aggregation_.keys[k];
    const int64_t value = group.key.values[k];
    key->set_present(group.key.states[k] != kAbsent);
    key->set_unknown(group.key.states[k] == kUnknown);
    if (group.key.states[k] != kValue) continue;
    key->set_value(leaf.kind == Kind::kText ? key_texts_[k].texts[static_cast<size_t>(value)]
                   : leaf.kind == Kind::kNumber ? TextOfNumber(std::bit_cast<double>(value))
                                                : TextOfInteger(leaf, value));
  }
  const Totals& possible = group.possible.empty() ? group.certain : group.possible;
  for (size_t m = 0; m < aggregation_.measures.size(); ++m) {
    WriteTotal(m, group.certain[m], out->add_certain_values());
    WriteTotal(m, possible[m], out->add_possible_values());
  }
}

absl::Status Grouping::Finish(const std::function<absl::Status()>& check,
                              AggregateRecordsResponse* response) {
  if (absl::Status s = Spread(check); !s.ok()) return s;
  for (Group& group : groups_) {
    if (group.possible.empty()) continue;
    Merge(group.certain, 1, &group.possible);
    if (!group.doubled.empty()) Merge(group.doubled, -1, &group.possible);
  }
  std::vector<const Group*> sorted;
  sorted.reserve(groups_.size());
  for (const Group& group : groups_) sorted.push_back(&group);
  const size_t shown = std::min(sorted.size(), aggregation_.max_groups);
  std::partial_sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(shown),
                    sorted.end(), [&](const Group* a, const Group* b) { return Less(*a, *b); });
  for (size_t i = 0; i < shown; ++i) Write(*sorted[i], response->add_groups());
  response->set_total_groups(static_cast<int32_t>(groups_.size()));
  response->set_record_count(records_);
  return absl::OkStatus();
}

}  // namespace detente::query
