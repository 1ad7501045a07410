// Record batches as bytes of Arrow's IPC format, without a copy of what they hold.
#pragma once

#include <arrow/ipc/type_fwd.h>
#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace detente::columnar {

enum class Compression { kNone, kLz4, kZstd };

// A part of the bytes, and what keeps them.
struct Part {
  absl::string_view bytes;
  std::shared_ptr<const void> owner;
};

struct Encoded {
  std::vector<Part> parts;  // one after the other
  size_t bytes = 0;

  void Add(absl::string_view bytes, std::shared_ptr<const void> owner);
};

// Each batch becomes a stream by itself: schema, dictionaries, the batch, the end.
class Encoder {
 public:
  // `empty`: a batch without rows, for the schema and the dictionaries, which all batches share.
  static absl::StatusOr<Encoder> Make(const arrow::RecordBatch& empty, Compression compression);

  absl::StatusOr<Encoded> Encode(const arrow::RecordBatch& batch) const;
  // The schema as a message of its own.
  const std::string& schema() const { return schema_; }

 private:
  std::shared_ptr<arrow::ipc::IpcWriteOptions> options_;
  std::string schema_;
  std::shared_ptr<const std::string> start_;  // schema and dictionaries
};

}  // namespace detente::columnar
