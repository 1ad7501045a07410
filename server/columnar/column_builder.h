// Records, one after the other, as a column of Arrow: one for each field of the record.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "columnar/schema.h"
#include "google/protobuf/message.h"

namespace detente::columnar {

class ColumnBuilder {
 public:
  // `node` must outlive it.
  explicit ColumnBuilder(const Node& node);
  ~ColumnBuilder();
  ColumnBuilder(ColumnBuilder&&) = default;

  // The field's value in `record`. Once it has failed it does nothing more.
  void Append(const google::protobuf::Message& record);
  // What was appended, or the first failure. Starts again.
  absl::StatusOr<std::shared_ptr<arrow::Array>> Finish();

 private:
  // The builders of a node and of what is below it; owned by builder_.
  struct Cell {
    const Node* node;
    arrow::ArrayBuilder* list = nullptr;
    arrow::ArrayBuilder* value = nullptr;
    std::vector<Cell> below = {};
  };

  static Cell CellOf(const Node& node, arrow::ArrayBuilder* builder);
  arrow::Status Append(const Cell& cell, const google::protobuf::Message& message);
  arrow::Status AppendScalar(const Cell& cell, const google::protobuf::Message& message, int index);
  arrow::Status AppendMessage(const Cell& cell, const google::protobuf::Message& value);
  arrow::Status AppendMap(const Cell& cell, const google::protobuf::Message& message);

  std::unique_ptr<arrow::ArrayBuilder> builder_;
  Cell cell_;
  std::unique_ptr<arrow::Status> status_;
  std::string scratch_;
  std::vector<std::pair<std::string, std::string>> entries_;  // of a map
};

}  // namespace detente::columnar
