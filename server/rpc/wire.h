// What calls have in common: bytes, failures, and how many there are.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "api/stream.h"

namespace detente::rpc {

// A slice that keeps the shared bytes alive instead of copying them.
grpc::Slice SliceOf(const api::Bytes& bytes);
grpc::Slice SliceOf(const api::Piece& piece);

grpc::Status ToGrpc(const absl::Status& status);

// The calls that the executor or the writer have in hand.
struct CallsInFlight {
  std::atomic<int> count = 0;
  std::atomic<bool> draining = false;  // further calls are refused
};

// The bytes of a request: one slice as a rule.
class RequestBytes {
 public:
  // False where gRPC could not read them.
  bool Read(grpc::ByteBuffer* request) {
    if (!request->Valid()) return true;  // an absent message reads as an empty one
    if (request->TrySingleSlice(&slice_).ok()) return true;
    return request->DumpToSingleSlice(&slice_).ok();
  }
  absl::string_view view() const {
    return {reinterpret_cast<const char*>(slice_.begin()), slice_.size()};
  }

 private:
  grpc::Slice slice_;
};

absl::Status Unreadable();
absl::Status GoingDown();

}  // namespace detente::rpc
