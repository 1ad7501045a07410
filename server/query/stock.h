// How many records go on at the end of each of a row of days: those that had begun by then and had
// not ended. Uncertain dates leave bounds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "detente/v1/query_service.pb.h"
#include "query/leaf.h"
#include "query/unnest.h"

namespace detente::query {

constexpr size_t kMaxStockDays = 10'000;
constexpr size_t kMaxStockPoints = 150'000;  // of all series together

// What is asked for, checked against a resource.
struct StockQuery {
  Leaf start;
  Leaf end;
  std::optional<Leaf> group;
  std::vector<int64_t> days;  // since 1970-01-01, ascending

  // Group, where there is one, start, end.
  std::vector<const Leaf*> Leaves() const;
};

// INVALID_ARGUMENT with all that is wrong with the request's paths and days.
absl::StatusOr<StockQuery> ParseStockQuery(const v1::ComputeStockRequest& request,
                                           const google::protobuf::Descriptor* type);

class Stock {
 public:
  // `query` must outlive it.
  explicit Stock(const StockQuery& query);

  // One record. LIMIT_EXCEEDED where there are too many series; such an error is final.
  absl::Status Add(const google::protobuf::Message& record);
  // The same of its values, one for each of query.Leaves(), where no leaf is repeated.
  absl::Status Add(absl::Span<const Datum> values);
  // Of many records, the rows that are named, by the columns of each of these leaves.
  absl::Status Add(absl::Span<const LeafCells> leaves, absl::Span<const int32_t> rows);

  // The series and `record_count`.
  void Write(v1::ComputeStockResponse* response) const;

 private:
  // Days by their place in the row, from the first to the one before the second.
  struct Stretch {
    size_t from = 0;
    size_t to = 0;
  };
  struct Spell {
    Stretch certain;
    Stretch possible;
  };
  struct Series {
    Datum key;
    std::string text;              // of the key
    std::vector<int64_t> certain;  // how many more than on the day before
    std::vector<int64_t> possible;
  };

  // None where the record has no beginning.
  std::optional<Spell> SpellOf(const Datum& start, const Datum& end);
  size_t PlaceOf(int64_t day) const;
  absl::StatusOr<Series*> Find(const Datum& key);
  static void Count(const Spell& spell, Series* series);

  const StockQuery& query_;
  const Unnest unnest_;
  DateCache starts_{std::nullopt};
  DateCache ends_{std::nullopt};
  std::vector<Series> series_;
  absl::flat_hash_map<std::string, size_t> by_text_;
  absl::flat_hash_map<int64_t, size_t> by_number_;
  std::optional<size_t> without_;  // the series of records that have no value
  int64_t records_ = 0;
};

}  // namespace detente::query
