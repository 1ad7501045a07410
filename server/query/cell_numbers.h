// A number for what each of many records has in one field, told by its cells without a closer look
// at those that were there before.
#pragma once

#include <array>
#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "query/cells.h"
#include "query/leaf.h"
#include "query/text_numbers.h"

namespace detente::query {

class CellNumbers {
 public:
  // `leaf`, which is neither an estimate nor a message, must outlive it.
  explicit CellNumbers(const Leaf& leaf);

  // The number of what a row has: the same for the same value, of times for the same day. kNoNumber
  // = not this row, nor those after it.
  static constexpr uint32_t kNoNumber = TextNumbers::kNone;
  using Make = absl::FunctionRef<uint32_t(size_t row)>;
  // Writes the numbers of `rows`, as far as `make` has them; how many that are.
  size_t Number(const LeafCells& cells, absl::Span<const int32_t> rows, Make make,
                uint32_t* numbers);
  // The same of one value that was read.
  uint32_t Number(const Datum& datum, absl::FunctionRef<uint32_t()> make);
  void clear();

 private:
  static constexpr size_t kSmall = 256;

  // Once so many values have been kept, it begins anew.
  void Tidy();
  uint32_t OfInteger(int64_t value, absl::FunctionRef<uint32_t()> make);

  const Leaf* leaf_;
  TextNumbers texts_;
  std::array<uint32_t, kSmall> small_;  // of 0, 1, ...
  absl::flat_hash_map<int64_t, uint32_t> integers_;
  uint32_t absent_ = kNoNumber;
};

}  // namespace detente::query
