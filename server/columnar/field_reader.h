// Cells of Arrow into the fields of messages.
#pragma once

#include <arrow/array.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "columnar/decode.h"
#include "engine/place.h"
#include "engine/registry.h"
#include "google/protobuf/message.h"

namespace detente::columnar {

// Where the rows are read to, and how much has come of them.
struct Reading {
  size_t row = 0;
  size_t text_bytes = 0;
  size_t elements = 0;
  std::vector<RowViolation>* violations;

  bool full() const { return text_bytes > kMaxBatchTextBytes || elements > kMaxBatchElements; }
  void Violate(const engine::Place& place, absl::string_view description) {
    violations->push_back({row, place.Text(), std::string(description)});
  }
};

// Of one field and one array.
class FieldReader {
 public:
  virtual ~FieldReader() = default;
  virtual bool IsNull(int64_t at) const = 0;
  // Sets the field of `message`, or adds to it where it is repeated. The cell is not null; `place`
  // is the field's.
  virtual void Read(int64_t at, const engine::Place& place, google::protobuf::Message* message,
                    Reading& reading) const = 0;
};

// None where all cells are null by their type. An error, without a reason yet, says at which `path`
// the array has other cells than the field takes.
absl::StatusOr<std::unique_ptr<FieldReader>> NewFieldReader(const engine::FieldPlan& field,
                                                            std::shared_ptr<arrow::Array> array,
                                                            const std::string& path);

}  // namespace detente::columnar
