// Records that have one value at most of each leaf. Those that belong to the same groups, for
// certain or possibly, are totalled first, and these totals then belong where each of them does:
// what that means is told once, by Options and ForEachKey, and not asked again for each record.
#include <algorithm>
#include <utility>

#include "query/aggregate.h"

namespace detente::query {
namespace {

constexpr int kStepsBetweenChecks = 1'024;
constexpr size_t kRowsAtOnce = 65'536;
// What is kept before it goes to the groups.
constexpr size_t kMaxKeptOptions = 1'000'000;
constexpr size_t kMaxKeptTotals = 50'000;
constexpr size_t kMaxTable = size_t{1} << 18;
constexpr uint32_t kNone = UINT32_MAX;

}  // namespace

absl::Status Grouping::Check() {
  return ++steps_ % kStepsBetweenChecks == 0 && check_ ? check_() : absl::OkStatus();
}

uint32_t Grouping::NumberOfOptions(size_t key, const Datum& datum) {
  OptionLists& known = option_lists_[key];
  Options(key, datum, &options_[key]);
  const auto [found, fresh] =
      known.numbers.try_emplace(options_[key], static_cast<uint32_t>(known.lists.size()));
  if (fresh) {
    known.lists.push_back(&found->first);
    kept_options_ += found->first.size();
  }
  return found->second;
}

absl::StatusOr<uint32_t> Grouping::CombinationOf(const ListNumbers& lists) {
  const auto next = static_cast<uint32_t>(combinations_.size());
  if (const auto found = combination_numbers_.find(lists); found != combination_numbers_.end()) {
    return found->second;
  }
  Combination one{lists, 0, {}};
  size_t groups = 1;
  bool certain = true;
  for (size_t k = 0; k < options_.size(); ++k) {
    options_[k] = *option_lists_[k].lists[lists[k]];
    groups *= options_[k].size();
    if (groups > kMaxCombinations) return TooManyCombinations();
    certain = certain && options_[k][0].certain && options_[k][0].state != kUnknown;
  }
  if (groups == 1 && certain) {
    absl::Status status = ForEachKey([&](const Key& key, const Key&, bool, bool) {
      auto group = Find(key);
      if (group.ok()) one.group = static_cast<size_t>(*group - groups_.data());
      return group.status();
    });
    if (!status.ok()) return status;
  } else {
    one.kept.resize(aggregation_.measures.size());
    kept_totals_ += one.kept.size();
  }
  combinations_.push_back(std::move(one));
  combination_numbers_.emplace(lists, next);
  return next;
}

Grouping::Totals* Grouping::TotalsOf(uint32_t combination) {
  Combination& one = combinations_[combination];
  return one.kept.empty() ? &groups_[one.group].certain : &one.kept;
}

bool Grouping::KeepsMuch() const {
  return kept_options_ > kMaxKeptOptions || kept_totals_ > kMaxKeptTotals;
}

absl::Status Grouping::Settle() {
  // What is kept may be different values that groups have already.
  if (KeepsMuch() || distinct_ > kMaxDistinct) {
    if (absl::Status s = Distribute(); !s.ok()) return s;
  }
  return CheckDistinct();
}

// Gives what is kept to the groups that it belongs to.
absl::Status Grouping::Distribute() {
  for (const Combination& one : combinations_) {
    for (const Total& total : one.kept) {
      if (total.distinct != nullptr) distinct_ -= total.distinct->size();
    }
  }
  for (const Combination& one : combinations_) {
    if (one.kept.empty()) continue;
    for (size_t k = 0; k < options_.size(); ++k) {
      options_[k] = *option_lists_[k].lists[one.lists[k]];
    }
    absl::Status status =
        ForEachKey([&](const Key& key, const Key& spread, bool certain, bool unknown) {
          if (absl::Status s = Check(); !s.ok()) return s;
          auto group = Find(key);
          if (!group.ok()) return group.status();
          Merge(one.kept, 1, certain ? &(*group)->certain : PossibleOf(*group));
          if (!unknown) return CheckDistinct();
          auto totals = FindSpread(spread);
          if (!totals.ok()) return totals.status();
          Merge(one.kept, 1, *totals);
          return CheckDistinct();
        });
    if (!status.ok()) return status;
  }
  combinations_.clear();
  combination_numbers_.clear();
  combination_table_.clear();
  table_sizes_.clear();
  kept_totals_ = 0;
  for (size_t k = 0; k < option_lists_.size(); ++k) {
    option_lists_[k] = {};
    cell_numbers_[k].clear();
  }
  kept_options_ = 0;
  return absl::OkStatus();
}

absl::Status Grouping::Add(absl::Span<const Datum> values) {
  ++records_;
  const size_t keys = aggregation_.keys.size();
  ListNumbers lists = {};
  for (size_t k = 0; k < keys; ++k) {
    lists[k] = cell_numbers_[k].Number(values[k], [&] { return NumberOfOptions(k, values[k]); });
  }
  const auto combination = CombinationOf(lists);
  if (!combination.ok()) return combination.status();
  Totals& totals = *TotalsOf(*combination);
  size_t at = keys;
  for (size_t m = 0; m < aggregation_.measures.size(); ++m) {
    const size_t size = aggregation_.measures[m].leaf.has_value() ? 1 : 0;
    FeedRecord(m, values.subspan(at, size), 1, &totals[m]);
    at += size;
  }
  return Settle();
}

absl::Status Grouping::Add(absl::Span<const LeafCells> leaves, absl::Span<const int32_t> rows) {
  while (!rows.empty()) {
    auto added = AddSome(leaves, rows.first(std::min(rows.size(), kRowsAtOnce)));
    if (!added.ok()) return added.status();
    rows.remove_prefix(*added);
    if (absl::Status s = Settle(); !s.ok()) return s;
  }
  return absl::OkStatus();
}

// The first rows, at least one, until too much is kept; how many.
absl::StatusOr<size_t> Grouping::AddSome(absl::Span<const LeafCells> leaves,
                                         absl::Span<const int32_t> rows) {
  const size_t keys = aggregation_.keys.size();
  std::array<std::vector<uint32_t>, kMaxGroupPaths> numbers;
  const auto first = static_cast<size_t>(rows[0]);
  for (size_t k = 0; k < keys; ++k) {
    numbers[k].resize(rows.size());
    const size_t count = cell_numbers_[k].Number(
        leaves[k], rows,
        [&](size_t row) {
          return row != first && KeepsMuch()
                     ? CellNumbers::kNoNumber
                     : NumberOfOptions(k, ReadColumns(aggregation_.keys[k], leaves[k], row));
        },
        numbers[k].data());
    rows = rows.first(count);
  }
  std::vector<uint32_t> combinations(rows.size());
  if (absl::Status s = Combine(numbers, &combinations); !s.ok()) return s;
  records_ += static_cast<int64_t>(rows.size());
  size_t at = keys;
  for (size_t m = 0; m < aggregation_.measures.size(); ++m) {
    const bool of_records = !aggregation_.measures[m].leaf.has_value();
    FeedRows(m, of_records ? LeafCells() : leaves[at], rows, combinations);
    at += of_records ? 0 : 1;
  }
  return rows.size();
}

void Grouping::FeedRows(size_t measure, const LeafCells& cells, absl::Span<const int32_t> rows,
                        absl::Span<const uint32_t> combinations) {
  const std::optional<Leaf>& leaf = aggregation_.measures[measure].leaf;
  auto feed = [&](uint32_t combination, int32_t row, int64_t times) {
    const Datum datum = ReadColumns(*leaf, cells, static_cast<size_t>(row));
    FeedRecord(measure, absl::MakeConstSpan(&datum, 1), times, &(*TotalsOf(combination))[measure]);
  };
  if (!leaf.has_value()) {
    for (const uint32_t combination : combinations) {
      FeedRecord(measure, {}, 1, &(*TotalsOf(combination))[measure]);
    }
  } else if (!measure_numbers_[measure].has_value()) {
    for (size_t i = 0; i < rows.size(); ++i) feed(combinations[i], rows[i], 1);
  } else {
    // Each text once.
    std::vector<uint32_t> numbers(rows.size());
    measure_numbers_[measure]->Number(
        cells, rows, [&](size_t) { return next_number_++; }, numbers.data());
    struct Alike {
      int32_t row;
      int64_t times = 0;
    };
    absl::flat_hash_map<std::pair<uint32_t, uint32_t>, Alike> all;
    for (size_t i = 0; i < rows.size(); ++i) {
      ++all.try_emplace({combinations[i], numbers[i]}, Alike{rows[i]}).first->second.times;
    }
    for (const auto& [key, alike] : all) feed(key.first, alike.row, alike.times);
  }
}

absl::Status Grouping::Combine(const std::array<std::vector<uint32_t>, kMaxGroupPaths>& numbers,
                               std::vector<uint32_t>* combinations) {
  const size_t keys = option_lists_.size();
  std::vector<size_t> sizes;
  size_t all = 1;
  for (const OptionLists& lists : option_lists_) {
    sizes.push_back(lists.lists.size());
    all = std::min(all * sizes.back(), kMaxTable + 1);
  }
  const bool table = all <= kMaxTable;
  if (table && (combination_table_.empty() || sizes != table_sizes_)) {
    combination_table_.assign(all, kNone);
    table_sizes_ = sizes;
  }
  for (size_t i = 0; i < combinations->size(); ++i) {
    uint32_t* known = &(*combinations)[i];
    if (table) {
      size_t place = 0;
      for (size_t k = 0; k < keys; ++k) place = place * sizes[k] + numbers[k][i];
      known = &combination_table_[place];
    }
    if (!table || *known == kNone) {
      ListNumbers lists = {};
      for (size_t k = 0; k < keys; ++k) lists[k] = numbers[k][i];
      const auto combination = CombinationOf(lists);
      if (!combination.ok()) return combination.status();
      *known = *combination;
    }
    (*combinations)[i] = *known;
  }
  return absl::OkStatus();
}

}  // namespace detente::query
