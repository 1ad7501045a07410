// Which columns a read is of, and how they follow from a record's fields.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "columnar/schema.h"

namespace detente::columnar {

constexpr size_t kMaxColumns = 1'000;

class Projection {
 public:
  // `columns`: paths of fields, each a column of that name; none = all fields. `flat`: messages are
  // taken apart, a column for each path that leads to no message. INVALID_ARGUMENT with a violation
  // of `columns[i]` for each path that leads nowhere, into a list, or is there already.
  // `nodes`, the resource's, must outlive it.
  static absl::StatusOr<Projection> Parse(const google::protobuf::Descriptor* type,
                                          const std::vector<Node>& nodes,
                                          absl::Span<const std::string* const> columns, bool flat);

  // The record's fields that it takes: places in `nodes`, each once.
  const std::vector<int>& fields() const { return fields_; }
  const arrow::FieldVector& columns() const { return types_; }

  // The columns of `rows` records, from those of fields(), in their order.
  absl::StatusOr<std::vector<std::shared_ptr<arrow::Array>>> Project(
      absl::Span<const std::shared_ptr<arrow::Array>> fields) const;

 private:
  struct Column {
    size_t field;            // in fields_
    std::vector<int> below;  // the children that lead to it
  };

  void Add(int field, std::vector<int> below, std::shared_ptr<arrow::Field> type);

  std::vector<int> fields_;
  std::vector<Column> columns_;
  arrow::FieldVector types_;
};

}  // namespace detente::columnar
