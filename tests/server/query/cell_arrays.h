// Records as the columns that hold some leaves, in the layout that LeafCells names.
#pragma once

#include <cstdint>
#include <numeric>
#include <string>
#include <variant>
#include <vector>

#include "query/cells.h"
#include "query/columns.h"
#include "query/leaf.h"

namespace detente::testing {

class CellArrays {
 public:
  // Leaves that are all in `columns`, which must outlive it.
  CellArrays(const query::Columns& columns, const std::vector<const query::Leaf*>& leaves)
      : columns_(columns) {
    for (const query::Leaf* leaf : leaves) {
      const std::vector<int> found = query::ColumnsOf(*leaf, columns).value();
      sizes_.push_back(found.size());
      for (const int column : found) {
        arrays_.push_back({column, columns.table().columns[size_t(column)].type});
      }
    }
  }

  void Append(const google::protobuf::Message& record) {
    const store::Derived derived = columns_.Derive(record);
    for (Array& array : arrays_) {
      const store::Value& value = derived.columns[size_t(array.column)];
      if (rows_ % 8 == 0) array.valid.push_back(0);
      if (value.index() != 0) array.valid.back() |= uint8_t(1 << rows_ % 8);
      const auto* integer = std::get_if<int64_t>(&value);
      const auto* number = std::get_if<double>(&value);
      const auto* text = std::get_if<std::string>(&value);
      array.integers.push_back(integer == nullptr ? -1 : *integer);
      array.numbers.push_back(number == nullptr ? -1 : *number);
      if (text != nullptr) array.texts += *text;
      array.offsets.push_back(static_cast<int32_t>(array.texts.size()));
    }
    ++rows_;
  }

  std::vector<int32_t> rows() const {
    std::vector<int32_t> rows(rows_);
    std::iota(rows.begin(), rows.end(), 0);
    return rows;
  }

  // For each leaf; they live until the next record.
  std::vector<query::LeafCells> cells() const {
    std::vector<query::LeafCells> cells;
    size_t at = 0;
    for (const size_t size : sizes_) {
      cells.emplace_back();
      for (size_t n = size; n > 0; --n) {
        const Array& array = arrays_[at++];
        query::CellColumn& column = cells.back().emplace_back();
        column.valid = array.valid.data();
        switch (array.type) {
          case store::Column::Type::kInteger:
            column.integers = array.integers.data();
            break;
          case store::Column::Type::kReal:
            column.numbers = array.numbers.data();
            break;
          case store::Column::Type::kText:
            column.texts = array.texts.data();
            column.offsets = array.offsets.data();
        }
      }
    }
    return cells;
  }

 private:
  struct Array {
    int column;
    store::Column::Type type;
    std::vector<uint8_t> valid = {};
    std::vector<int64_t> integers = {};
    std::vector<double> numbers = {};
    std::string texts = {};
    std::vector<int32_t> offsets = {0};
  };

  const query::Columns& columns_;
  std::vector<size_t> sizes_;  // columns of each leaf
  std::vector<Array> arrays_;
  size_t rows_ = 0;
};

}  // namespace detente::testing
