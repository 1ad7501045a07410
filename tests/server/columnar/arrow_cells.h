// Cells of Arrow against fields of records.
#pragma once

#include <arrow/api.h>

#include <string>

#include "google/protobuf/message.h"

namespace detente::testing {

// What differs between a field of `message` and the cell at `row`; empty where nothing does.
std::string CellDifference(const arrow::Array& array, int64_t row,
                           const google::protobuf::Message& message,
                           const google::protobuf::FieldDescriptor* field);

// The same of a path; below an absent message the cell must be null.
std::string CellDifference(const arrow::Array& array, int64_t row,
                           const google::protobuf::Message& record, const std::string& path);

// The batch of a complete IPC stream, which must hold just one.
std::shared_ptr<arrow::RecordBatch> ReadIpcStream(const std::string& bytes);

}  // namespace detente::testing
