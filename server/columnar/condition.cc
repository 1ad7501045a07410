#include "columnar/condition.h"

#include <arrow/array.h>

#include <algorithm>
#include <variant>

#include "absl/strings/string_view.h"
#include "values/edtf.h"
#include "values/wildcard.h"

namespace detente::columnar {
namespace {

using store::Condition;
using Kind = Condition::Kind;
using Operator = Condition::Operator;
using Mask = std::vector<uint8_t>;

// Between checks, in comparisons of bytes; of a date as many as it takes about.
constexpr size_t kWorkBetweenChecks = size_t{4} << 20;
constexpr size_t kWorkOfADate = 2'000;

// Calls `with` with a function of two values, which is the operator.
template <typename With>
void Apply(Operator op, With with) {
  switch (op) {
    case Operator::kEqual:
      return with([](const auto& a, const auto& b) { return a == b; });
    case Operator::kNotEqual:
      return with([](const auto& a, const auto& b) { return a != b; });
    case Operator::kLess:
      return with([](const auto& a, const auto& b) { return a < b; });
    case Operator::kLessOrEqual:
      return with([](const auto& a, const auto& b) { return a <= b; });
    case Operator::kGreater:
      return with([](const auto& a, const auto& b) { return a > b; });
    case Operator::kGreaterOrEqual:
      return with([](const auto& a, const auto& b) { return a >= b; });
  }
}

absl::string_view TextAt(const arrow::Array& column, int64_t row) {
  const auto view = static_cast<const arrow::StringArray&>(column).GetView(row);
  return {view.data(), view.size()};
}

void DropNulls(const arrow::Array& column, Mask* mask) {
  if (column.null_count() == 0) return;
  for (size_t i = 0; i < mask->size(); ++i) {
    (*mask)[i] &= static_cast<uint8_t>(column.IsValid(static_cast<int64_t>(i)));
  }
}

template <typename T, typename U>
void CompareNumbers(const T* values, Operator op, U value, Mask* mask) {
  Apply(op, [&](auto holds) {
    uint8_t* out = mask->data();
    const size_t size = mask->size();
    for (size_t i = 0; i < size; ++i) out[i] &= static_cast<uint8_t>(holds(values[i], value));
  });
}

// The same text, or not, of all rows: short texts, as codes and enums are, are compared in place.
void CompareShort(const arrow::StringArray& column, bool equal, absl::string_view value,
                  Mask* mask) {
  const int32_t* offsets = column.raw_value_offsets();
  const uint8_t* bytes = column.value_data()->data();
  const auto* wanted = reinterpret_cast<const uint8_t*>(value.data());
  const auto size = static_cast<int32_t>(value.size());
  for (size_t i = 0; i < mask->size(); ++i) {
    bool same = offsets[i + 1] - offsets[i] == size;
    if (same) {
      unsigned difference = 0;
      const uint8_t* text = bytes + offsets[i];
      for (int32_t k = 0; k < size; ++k) difference |= text[k] ^ wanted[k];
      same = difference == 0;
    }
    (*mask)[i] &= static_cast<uint8_t>(same == equal);
  }
}

void CompareTexts(const arrow::Array& column, Operator op, absl::string_view value, Mask* mask) {
  constexpr size_t kShort = 16;
  if (value.size() <= kShort && (op == Operator::kEqual || op == Operator::kNotEqual)) {
    return CompareShort(static_cast<const arrow::StringArray&>(column), op == Operator::kEqual,
                        value, mask);
  }
  Apply(op, [&](auto holds) {
    for (size_t i = 0; i < mask->size(); ++i) {
      uint8_t& out = (*mask)[i];
      if (out != 0)
        out = static_cast<uint8_t>(holds(TextAt(column, static_cast<int64_t>(i)), value));
    }
  });
}

class Evaluation {
 public:
  Evaluation(const Columns& columns, const std::function<absl::Status()>& check)
      : columns_(columns), check_(check) {}

  absl::Status Restrict(const Condition& condition, Mask* mask) {
    switch (condition.kind) {
      case Kind::kTrue:
        return absl::OkStatus();
      case Kind::kFalse:
        mask->assign(mask->size(), 0);
        return absl::OkStatus();
      case Kind::kAnd:
        for (const Condition& child : condition.children) {
          if (absl::Status s = Restrict(child, mask); !s.ok()) return s;
        }
        return absl::OkStatus();
      case Kind::kOr: {
        // Each child is asked of the rows that none before it took.
        Mask left = *mask;
        for (const Condition& child : condition.children) {
          Mask taken = left;
          if (absl::Status s = Restrict(child, &taken); !s.ok()) return s;
          for (size_t i = 0; i < left.size(); ++i) left[i] &= static_cast<uint8_t>(taken[i] ^ 1);
        }
        for (size_t i = 0; i < left.size(); ++i) (*mask)[i] &= static_cast<uint8_t>(left[i] ^ 1);
        return absl::OkStatus();
      }
      case Kind::kNot: {
        Mask taken = *mask;
        if (absl::Status s = Restrict(condition.children[0], &taken); !s.ok()) return s;
        for (size_t i = 0; i < taken.size(); ++i) (*mask)[i] &= static_cast<uint8_t>(taken[i] ^ 1);
        return absl::OkStatus();
      }
      case Kind::kPresent:
        DropNulls(ColumnOf(condition.column), mask);
        return absl::OkStatus();
      case Kind::kCompare:
        return Compare(condition, mask);
      case Kind::kLike:
        return Like(condition, mask);
      case Kind::kPossibly:
        return Possibly(condition, mask);
      default:
        return absl::InternalError("a condition that columns can't be asked");
    }
  }

 private:
  const arrow::Array& ColumnOf(int column) { return *columns_.at({true, column}); }

  absl::Status Work(size_t amount) {
    work_ += amount;
    if (work_ < kWorkBetweenChecks || check_ == nullptr) return absl::OkStatus();
    work_ = 0;
    return check_();
  }

  absl::Status Compare(const Condition& condition, Mask* mask) {
    const arrow::Array& column = ColumnOf(condition.column);
    DropNulls(column, mask);
    const auto* whole = std::get_if<int64_t>(&condition.value);
    const auto* real = std::get_if<double>(&condition.value);
    const auto* text = std::get_if<std::string>(&condition.value);
    if (text != nullptr && column.type_id() == arrow::Type::STRING) {
      CompareTexts(column, condition.op, *text, mask);
      return absl::OkStatus();
    }
    if (column.type_id() == arrow::Type::INT64) {
      const int64_t* values = static_cast<const arrow::Int64Array&>(column).raw_values();
      if (whole != nullptr) CompareNumbers(values, condition.op, *whole, mask);
      if (whole != nullptr) return absl::OkStatus();
    }
    if (column.type_id() == arrow::Type::DOUBLE) {
      const double* values = static_cast<const arrow::DoubleArray&>(column).raw_values();
      if (real != nullptr) CompareNumbers(values, condition.op, *real, mask);
      if (whole != nullptr) CompareNumbers(values, condition.op, static_cast<double>(*whole), mask);
      if (real != nullptr || whole != nullptr) return absl::OkStatus();
    }
    return absl::InternalError("a column is compared with a value of another type");
  }

  absl::Status Like(const Condition& condition, Mask* mask) {
    const auto* pattern = std::get_if<std::string>(&condition.value);
    if (pattern == nullptr) return absl::InternalError("a pattern that is no text");
    const arrow::Array& column = ColumnOf(condition.column);
    DropNulls(column, mask);
    for (size_t i = 0; i < mask->size(); ++i) {
      if ((*mask)[i] == 0) continue;
      const absl::string_view text = TextAt(column, static_cast<int64_t>(i));
      if (absl::Status s = Work(pattern->size() * (text.size() + 1)); !s.ok()) return s;
      (*mask)[i] = values::MatchesWildcard(*pattern, text) ? 1 : 0;
    }
    return absl::OkStatus();
  }

  absl::Status Possibly(const Condition& condition, Mask* mask) {
    const arrow::Array& text = ColumnOf(condition.column);
    const auto& earliest = static_cast<const arrow::Int64Array&>(ColumnOf(condition.column - 2));
    const auto& latest = static_cast<const arrow::Int64Array&>(ColumnOf(condition.column - 1));
    DropNulls(earliest, mask);
    values::DateWindow window;
    if (condition.from) window.from = values::CivilFromDays(*condition.from);
    if (condition.to) window.to = values::CivilFromDays(*condition.to);
    const int64_t from = condition.from.value_or(INT64_MIN);
    const int64_t to = condition.to.value_or(INT64_MAX);
    for (size_t i = 0; i < mask->size(); ++i) {
      if ((*mask)[i] == 0) continue;
      const auto row = static_cast<int64_t>(i);
      const int64_t first = earliest.Value(row), last = latest.Value(row);
      if (first > to || last < from) {
        (*mask)[i] = 0;
      } else if (first < from || last > to) {
        const absl::string_view edtf = text.IsNull(row) ? "" : TextAt(text, row);
        if (edtf.empty()) continue;  // nobody knows the date
        if (absl::Status s = Work(kWorkOfADate); !s.ok()) return s;
        const auto date = values::ParseEdtf(edtf);
        const bool possibly =
            date.ok() && values::Possibly(*date, values::DateRelation::kWithin, window);
        (*mask)[i] = possibly ? 1 : 0;
      }
    }
    return absl::OkStatus();
  }

  const Columns& columns_;
  const std::function<absl::Status()>& check_;
  size_t work_ = 0;
};

}  // namespace

bool AddKeys(const Condition& condition, std::set<ColumnId>* keys) {
  switch (condition.kind) {
    case Kind::kTrue:
    case Kind::kFalse:
    case Kind::kAnd:
    case Kind::kOr:
    case Kind::kNot:
      return std::all_of(condition.children.begin(), condition.children.end(),
                         [&](const Condition& child) { return AddKeys(child, keys); });
    case Kind::kPossibly:
      keys->insert({true, condition.column - 2});
      keys->insert({true, condition.column - 1});
      [[fallthrough]];
    case Kind::kPresent:
    case Kind::kCompare:
    case Kind::kLike:
      keys->insert({true, condition.column});
      return true;
    default:
      return false;
  }
}

absl::Status Restrict(const Condition& condition, const Columns& columns,
                      const std::function<absl::Status()>& check, std::vector<uint8_t>* mask) {
  return Evaluation(columns, check).Restrict(condition, mask);
}

}  // namespace detente::columnar
