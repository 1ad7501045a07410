// Values of many records side by side, in the layout of Arrow's arrays, which own them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "store/table.h"

namespace detente::query {

// A store::Value that lives elsewhere.
using Cell = std::variant<std::monostate, int64_t, double, absl::string_view>;

inline Cell CellOf(const store::Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* text = std::get_if<std::string>(&value)) return absl::string_view(*text);
  return {};
}

// One of `integers`, `numbers` and `texts` is there.
struct CellColumn {
  const uint8_t* valid =
      nullptr;  // a bit for each row, from bit `first` on; null = all have values
  int64_t first = 0;
  const int64_t* integers = nullptr;
  const double* numbers = nullptr;
  const char* texts = nullptr;
  const int32_t* offsets = nullptr;  // in `texts`: where each row's begins, and the last one's end

  bool Has(size_t row) const {
    const auto bit = static_cast<size_t>(first) + row;
    return valid == nullptr || (valid[bit / 8] >> (bit % 8) & 1) != 0;
  }
  absl::string_view Text(size_t row) const {
    return {texts + offsets[row], static_cast<size_t>(offsets[row + 1] - offsets[row])};
  }
  Cell At(size_t row) const {
    if (!Has(row)) return {};
    if (integers != nullptr) return integers[row];
    if (numbers != nullptr) return numbers[row];
    return Text(row);
  }
};

// The columns that hold a leaf, as ColumnsOf names them.
using LeafCells = std::vector<CellColumn>;

}  // namespace detente::query
