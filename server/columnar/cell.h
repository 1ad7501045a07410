// The cells of one Arrow array as the values that fields have, whatever widths and encodings they
// come in.
#pragma once

#include <arrow/array.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/timestamp.pb.h"

namespace detente::columnar {

// What all cells of an array are.
enum class CellKind { kNull, kText, kInteger, kReal, kBool, kDay, kTime, kStruct, kList, kOther };

class Cells {
 public:
  // A dictionary is looked through.
  explicit Cells(std::shared_ptr<arrow::Array> array);

  CellKind kind() const { return kind_; }
  bool IsNull(int64_t at) const;

  // Of cells that are not null, of the kinds named. Errors say what is wrong with the value.
  absl::string_view Text(int64_t at) const;                            // kText
  absl::StatusOr<int64_t> Integer(int64_t at) const;                   // kInteger, kReal
  double Real(int64_t at) const;                                       // kInteger, kReal
  bool Bool(int64_t at) const;                                         // kBool
  absl::StatusOr<std::string> Day(int64_t at) const;                   // kDay, kTime: YYYY-MM-DD
  absl::StatusOr<google::protobuf::Timestamp> Time(int64_t at) const;  // kDay, kTime

  // kStruct, kList: the array itself.
  const std::shared_ptr<arrow::Array>& array() const { return array_; }

 private:
  int64_t Place(int64_t at) const;

  std::shared_ptr<arrow::Array> array_;
  const arrow::DictionaryArray* dictionary_ = nullptr;
  std::shared_ptr<arrow::Array> values_;  // the array, or the dictionary's
  CellKind kind_;
};

}  // namespace detente::columnar
