#include "rpc/wire.h"

#include <string>

#include "error/error.h"

namespace detente::rpc {
namespace {

constexpr size_t kCopyBelow = 256;  // cheaper than a reference count and a heap block

}  // namespace

grpc::Slice SliceOf(const api::Bytes& bytes) {
  if (bytes->size() < kCopyBelow) return grpc::Slice(bytes->data(), bytes->size());
  auto* owner = new api::Bytes(bytes);
  return grpc::Slice(
      const_cast<char*>(bytes->data()), bytes->size(),
      [](void* data) { delete static_cast<api::Bytes*>(data); }, owner);
}

grpc::Slice SliceOf(const api::Piece& piece) {
  if (piece.bytes.size() < kCopyBelow) return grpc::Slice(piece.bytes.data(), piece.bytes.size());
  using Owner = std::shared_ptr<const void>;
  return grpc::Slice(
      const_cast<char*>(piece.bytes.data()), piece.bytes.size(),
      [](void* owner) { delete static_cast<Owner*>(owner); }, new Owner(piece.owner));
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
                      ToRpcStatus(status).SerializeAsString());
}

absl::Status Unreadable() {
  return Error(absl::StatusCode::kInvalidArgument, v1::MALFORMED_REQUEST,
               "the request could not be read");
}

absl::Status GoingDown() {
  return Error(absl::StatusCode::kUnavailable, v1::SHUTTING_DOWN, "the server is going down");
}

}  // namespace detente::rpc
