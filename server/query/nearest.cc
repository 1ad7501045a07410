#include "query/nearest.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace detente::query {
namespace {

// How many letters differ; `limit` where it is that many or more. `row` is room to work in.
size_t EditDistance(absl::string_view a, absl::string_view b, size_t limit,
                    std::vector<size_t>& row) {
  const size_t longer = a.size() < b.size() ? b.size() - a.size() : a.size() - b.size();
  if (longer >= limit) return limit;
  row.resize(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    size_t least = row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
      least = std::min(least, row[j]);
    }
    if (least >= limit) return limit;
  }
  return row[b.size()];
}

}  // namespace

std::string Nearest(absl::string_view name, const std::vector<absl::string_view>& names) {
  std::string nearest;
  size_t best = 3;  // farther names are no help
  std::vector<size_t> row;
  for (absl::string_view one : names) {
    const size_t distance = EditDistance(name, one, best, row);
    if (distance < best) {
      best = distance;
      nearest = std::string(one);
    }
  }
  return nearest;
}

std::string NearestField(const google::protobuf::Descriptor* type, absl::string_view name) {
  std::vector<absl::string_view> names;
  names.reserve(type->field_count());
  for (int i = 0; i < type->field_count(); ++i) names.push_back(type->field(i)->name());
  return Nearest(name, names);
}

}  // namespace detente::query
