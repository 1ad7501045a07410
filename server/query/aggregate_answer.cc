// The groups once all records are in: what is spread, sorted, written.
#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <utility>

#include "query/aggregate.h"

namespace detente::query {
namespace {

using v1::AggregateRecordsRequest;
using v1::AggregateRecordsResponse;
using Kind = Leaf::Kind;

int64_t Clamp(absl::int128 value) {
  return static_cast<int64_t>(std::clamp<absl::int128>(value, std::numeric_limits<int64_t>::min(),
                                                       std::numeric_limits<int64_t>::max()));
}

template <typename T>
int Compare(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

}  // namespace

absl::Status Grouping::Spread() {
  if (spread_.empty()) return absl::OkStatus();
  // Groups by what they have where a date is known, for each pattern of dates that are not.
  auto without = [&](Key key, const Key& pattern) {
    for (size_t k = 0; k < aggregation_.keys.size(); ++k) {
      if (pattern.states[k] == kUnknown) key.values[k] = key.states[k] = 0;
    }
    return key;
  };
  std::map<std::array<bool, kMaxGroupPaths>, absl::flat_hash_map<Key, std::vector<size_t>>> known;
  for (const auto& [from, totals] : spread_) {
    std::array<bool, kMaxGroupPaths> pattern = {};
    for (size_t k = 0; k < pattern.size(); ++k) pattern[k] = from.states[k] == kUnknown;
    const auto [groups, fresh] = known.try_emplace(pattern);
    for (size_t i = 0; fresh && i < groups_.size(); ++i) {
      groups->second[without(groups_[i].key, from)].push_back(i);
    }
    for (size_t i : groups->second[without(from, from)]) {
      if (absl::Status s = Check(); !s.ok()) return s;
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
      if (has != (b.bests > 0)) return has ? -1 : 1;
      order =
          one.leaf->kind == Kind::kNumber ? Compare(a.number, b.number) : Compare(a.best, b.best);
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
        order =
            CompareTotals(one.index, (a.possible.empty() ? a.certain : a.possible)[one.index],
                          (b.possible.empty() ? b.certain : b.possible)[one.index], one.descending);
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
      out->set_integer(total.distinct == nullptr ? 0
                                                 : static_cast<int64_t>(total.distinct->size()));
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
    key->set_value(leaf.kind == Kind::kText     ? key_texts_[k].texts[static_cast<size_t>(value)]
                   : leaf.kind == Kind::kNumber ? TextOfNumber(std::bit_cast<double>(value))
                                                : TextOfInteger(leaf, value));
  }
  const Totals& possible = group.possible.empty() ? group.certain : group.possible;
  for (size_t m = 0; m < aggregation_.measures.size(); ++m) {
    WriteTotal(m, group.certain[m], out->add_certain_values());
    WriteTotal(m, possible[m], out->add_possible_values());
  }
}

absl::Status Grouping::Finish(AggregateRecordsResponse* response) {
  if (absl::Status s = Distribute(); !s.ok()) return s;
  if (absl::Status s = CheckDistinct(); !s.ok()) return s;
  if (absl::Status s = Spread(); !s.ok()) return s;
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
