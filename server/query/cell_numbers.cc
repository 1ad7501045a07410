#include "query/cell_numbers.h"

#include <bit>

#include "detente/v1/values.pb.h"

namespace detente::query {
namespace {

using Kind = Leaf::Kind;

constexpr size_t kMaxKept = 100'000;

}  // namespace

CellNumbers::CellNumbers(const Leaf& leaf) : leaf_(&leaf) { small_.fill(kNoNumber); }

void CellNumbers::clear() { *this = CellNumbers(*leaf_); }

void CellNumbers::Tidy() {
  if (texts_.size() >= kMaxKept) texts_.clear();
  if (integers_.size() >= kMaxKept) integers_.clear();
}

uint32_t CellNumbers::OfInteger(int64_t value, absl::FunctionRef<uint32_t()> make) {
  const bool is_small = value >= 0 && value < static_cast<int64_t>(kSmall);
  uint32_t& number = is_small ? small_[static_cast<size_t>(value)]
                              : integers_.try_emplace(value, kNoNumber).first->second;
  if (number == kNoNumber) number = make();
  return number;
}

uint32_t CellNumbers::Number(const Datum& datum, absl::FunctionRef<uint32_t()> make) {
  Tidy();
  if (!datum.present) {
    if (absent_ == kNoNumber) absent_ = make();
    return absent_;
  }
  switch (leaf_->kind) {
    case Kind::kText:
    case Kind::kDate:
      return datum.text.empty() ? make() : texts_.Find(datum.text, make);
    case Kind::kNumber:
      return OfInteger(std::bit_cast<int64_t>(datum.number), make);
    case Kind::kTime:
      return OfInteger(DayOfTime(datum.integer), make);
    default:
      return OfInteger(datum.integer, make);
  }
}

size_t CellNumbers::Number(const LeafCells& cells, absl::Span<const int32_t> rows, Make make,
                           uint32_t* numbers) {
  Tidy();
  const bool date = leaf_->kind == Kind::kDate;
  const CellColumn* texts = date ? &cells[1] : leaf_->kind == Kind::kText ? cells.data() : nullptr;
  const CellColumn* others = leaf_->kind == Kind::kText ? nullptr : cells.data();
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<size_t>(rows[i]);
    auto make_this = [&] { return make(row); };
    const bool other = others != nullptr && others->Has(row);
    uint32_t& number = numbers[i];
    if (texts != nullptr && texts->Has(row) && !texts->Text(row).empty()) {
      // Only one state of a date goes with a text, unless nobody has checked the record.
      const bool usual = !date || (other && others->integers[row] == v1::UncertainDate::VALUE);
      number = usual ? texts_.Find(texts->Text(row), make_this) : make(row);
    } else if (!other) {
      if (absent_ == kNoNumber) absent_ = make(row);
      number = absent_;
    } else if (leaf_->kind == Kind::kNumber) {
      number = OfInteger(std::bit_cast<int64_t>(others->numbers[row]), make_this);
    } else if (leaf_->kind != Kind::kTime) {
      number = OfInteger(others->integers[row], make_this);
    } else {
      // A time of 0 may be one that is not set.
      const int64_t time = others->integers[row];
      number = time == 0 ? make(row) : OfInteger(DayOfTime(time), make_this);
    }
    if (number == kNoNumber) return i;
  }
  return rows.size();
}

}  // namespace detente::query
