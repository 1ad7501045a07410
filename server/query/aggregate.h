// Records in groups by what their fields have in common, counted and summed up. A date that can lie
// in several years, months ... is possibly in each of these groups; certainly in one only where it
// can lie nowhere else.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/node_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "detente/v1/query_service.pb.h"
#include "query/cell_numbers.h"
#include "query/leaf.h"
#include "query/unnest.h"

namespace detente::query {

constexpr int kMaxGroupPaths = 5;
constexpr int kMaxMeasures = 10;
constexpr size_t kMaxGroupsInMemory = 100'000;
constexpr size_t kMaxValuesInMemory = 500'000;  // groups times measures
constexpr size_t kMaxDistinct = 1'000'000;      // different values, of all groups together
constexpr size_t kMaxCombinations = 100'000;    // of elements of one record's lists
constexpr int kDefaultGroups = 1'000;
constexpr int kMaxGroups = 10'000;

using MeasureKind = v1::AggregateRecordsRequest::Measure::Kind;

struct Measure {
  MeasureKind kind;
  std::optional<Leaf> leaf;  // none: of records
  std::string text;          // as `order_by` names it: `count`, `sum(headcount)`
};

struct GroupOrder {
  bool by_measure = false;
  size_t index = 0;  // among the group paths, or the measures
  bool descending = false;
};

// What is asked for, checked against a resource.
struct Aggregation {
  std::vector<Leaf> keys;
  std::vector<Measure> measures;
  std::vector<GroupOrder> order;
  size_t max_groups = kDefaultGroups;

  // Keys, then those of the measures that have one.
  std::vector<const Leaf*> Leaves() const;
};

// A leaf that records can be grouped by.
absl::StatusOr<Leaf> ParseKey(absl::string_view text, const google::protobuf::Descriptor* type,
                              absl::string_view field);

// INVALID_ARGUMENT with all that is wrong with the request's paths, measures and order.
absl::StatusOr<Aggregation> ParseAggregation(const v1::AggregateRecordsRequest& request,
                                             const google::protobuf::Descriptor* type);

class Grouping {
 public:
  // `aggregation` must outlive it. `check` is asked now and then in what takes long: an error ends
  // it.
  explicit Grouping(const Aggregation& aggregation, std::function<absl::Status()> check = nullptr);

  // One record. LIMIT_EXCEEDED where too much would have to be kept; such an error is final.
  absl::Status Add(const google::protobuf::Message& record);
  // The same of its values, one for each of aggregation.Leaves(), where no leaf is repeated.
  absl::Status Add(absl::Span<const Datum> values);
  // Of many records, the rows that are named, by the columns of each of these leaves.
  absl::Status Add(absl::Span<const LeafCells> leaves, absl::Span<const int32_t> rows);

  // The groups, `total_groups` and `record_count`.
  absl::Status Finish(v1::AggregateRecordsResponse* response);

 private:
  // A key: absent, or there though nobody knows where (value 0; while dates are spread, the number
  // of the text), or a value: a number, or that of a text.
  enum State : uint8_t { kAbsent, kUnknown, kValue };
  struct Key {
    std::array<int64_t, kMaxGroupPaths> values = {};
    std::array<uint8_t, kMaxGroupPaths> states = {};
    bool operator==(const Key&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.values, key.states);
    }
  };
  // Where one record may belong by one key.
  struct Option {
    State state;
    int64_t value;
    bool certain;
    int64_t unknown = 0;  // the number of the text
    bool operator==(const Option&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Option& option) {
      return H::combine(std::move(h), option.state, option.value, option.certain, option.unknown);
    }
  };
  // Sums are kept wide, so that what is there twice can be taken away again.
  struct Total {
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
  using Totals = std::vector<Total>;  // one for each measure
  struct Group {
    Key key;
    Totals certain;
    Totals possible;  // of what is not certain; empty until there is some
    Totals doubled;   // of what is spread to it, and is here already
  };
  // What one record gives to one group.
  struct Share {
    bool certain = false;
    std::vector<std::vector<Slot>> slots;          // of each measure
    std::vector<std::vector<Slot>> certain_slots;  // those among them that certainly belong there
  };
  // Where records may belong by one key, by number.
  struct OptionLists {
    absl::node_hash_map<std::vector<Option>, uint32_t> numbers;
    std::vector<const std::vector<Option>*> lists;
  };
  // Of each key the number of a list: records of the same numbers belong to the same groups.
  using ListNumbers = std::array<uint32_t, kMaxGroupPaths>;
  // What such records give: to their group at once where it is certainly this one, otherwise kept
  // for all groups that it can be.
  struct Combination {
    ListNumbers lists;
    size_t group;
    Totals kept;  // empty: it is that of the group
  };
  // Texts of a key or a measure by number.
  struct Texts {
    absl::flat_hash_map<std::string, int64_t> numbers;
    std::vector<std::string> texts;
    int64_t NumberOf(absl::string_view text);
  };

  void Options(size_t key, const Datum& datum, std::vector<Option>* options);
  absl::StatusOr<Group*> Find(const Key& key);
  absl::StatusOr<Totals*> FindSpread(const Key& key);
  absl::Status CheckRoom() const;
  Totals* PossibleOf(Group* group);
  void Feed(size_t measure, const Datum& datum, Total* total);
  void FeedRecord(size_t measure, absl::Span<const Datum> data, int64_t times, Total* total);
  void FeedMore(size_t measure, absl::Span<const Slot> known, absl::Span<const Slot> all,
                Total* total);
  void FeedBoth(size_t measure, absl::Span<const Slot> a, absl::Span<const Slot> b, Total* total);
  std::vector<Datum> DataOf(size_t measure, absl::Span<const Slot> slots) const;
  bool HasValue(size_t measure, absl::Span<const Slot> slots) const;
  absl::Status CheckDistinct() const;
  static absl::Status TooManyCombinations();
  // Calls `visit` for each combination of options_: the key, the one with texts of dates, whether
  // it is certain, whether there are such texts.
  absl::Status ForEachKey(
      absl::FunctionRef<absl::Status(const Key&, const Key&, bool, bool)> visit) const;
  // aggregate_rows.cc
  uint32_t NumberOfOptions(size_t key, const Datum& datum);
  absl::StatusOr<uint32_t> CombinationOf(const ListNumbers& lists);
  Totals* TotalsOf(uint32_t combination);
  absl::StatusOr<size_t> AddSome(absl::Span<const LeafCells> leaves,
                                 absl::Span<const int32_t> rows);
  absl::Status Combine(const std::array<std::vector<uint32_t>, kMaxGroupPaths>& numbers,
                       std::vector<uint32_t>* combinations);
  void FeedRows(size_t measure, const LeafCells& cells, absl::Span<const int32_t> rows,
                absl::Span<const uint32_t> combinations);
  bool KeepsMuch() const;
  absl::Status Settle();
  absl::Status Distribute();

  absl::flat_hash_map<Key, Share> Joined(size_t date, absl::flat_hash_map<Key, Share> spread);
  absl::Status AddShares(const absl::flat_hash_map<Key, Share>& shares,
                         const absl::flat_hash_map<Key, Share>& spread);
  bool Reaches(const Key& spread, const Key& group);
  absl::Status Check();
  absl::Status Spread();
  void Merge(const Totals& from, int sign, Totals* to);
  int CompareExtremes(size_t measure, const Total& a, const Total& b) const;
  // Below 0: the first comes first.
  int CompareKeys(size_t key, const Group& a, const Group& b, bool descending) const;
  int CompareTotals(size_t measure, const Total& a, const Total& b, bool descending) const;
  bool Less(const Group& a, const Group& b) const;
  void WriteTotal(size_t measure, const Total& total,
                  v1::AggregateRecordsResponse::Value* out) const;
  void Write(const Group& group, v1::AggregateRecordsResponse::Group* out) const;

  const Aggregation& aggregation_;
  const std::function<absl::Status()> check_;
  int64_t steps_ = 0;
  const Unnest unnest_;
  std::vector<DateCache> key_dates_;
  std::vector<DateCache> measure_dates_;
  std::vector<Texts> key_texts_;
  std::vector<Texts> unknown_dates_;  // of each key: the texts that say too little
  std::vector<Texts> measure_texts_;
  std::vector<std::vector<Option>> options_;
  std::vector<CellNumbers> cell_numbers_;                    // of each key: of its lists of options
  std::vector<std::optional<CellNumbers>> measure_numbers_;  // of those of texts and dates
  uint32_t next_number_ = 0;
  std::vector<OptionLists> option_lists_;  // of each key
  size_t kept_options_ = 0;                // in all lists
  absl::flat_hash_map<ListNumbers, uint32_t> combination_numbers_;
  std::vector<Combination> combinations_;
  size_t kept_totals_ = 0;                   // of combinations
  std::vector<uint32_t> combination_table_;  // by all lists' numbers, where they are few
  std::vector<size_t> table_sizes_;          // how many lists there were of each key
  absl::flat_hash_map<Key, size_t> group_numbers_;
  std::vector<Group> groups_;
  absl::flat_hash_map<Key, Totals> spread_;
  size_t distinct_ = 0;
  int64_t records_ = 0;
};

}  // namespace detente::query
