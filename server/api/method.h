// One method of the table, and the handlers that serve all resources. A handler has three moves:
// take the request apart and report everything that is wrong with it, one engine call, the answer.
#pragma once

#include "api/handler_table.h"
#include "api/stream.h"
#include "columnar/cache.h"
#include "engine/engine.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace detente::api {

constexpr size_t kMaxRequestBytes = 4 << 20;
constexpr int kDefaultPageSize = 50;
constexpr int kMaxPageSize = 1'000;
constexpr size_t kMaxPageBytes = 2 << 20;  // a page ends before it, but holds at least one record
constexpr int kMaxBatchGetNames = 100;
constexpr size_t kMaxBatchGetBytes = 3 << 20;

constexpr size_t kMaxAnswerBytes = 4'000'000;  // of what is not sent in pages

// A call in the handler's hands. The request is gone when the handler returns.
struct Call {
  engine::Engine& engine;
  columnar::Cache& columns;
  const Method& method;
  const CallContext& context;
  google::protobuf::Message& request;
};

using Handler = void (*)(const Call& call, Done done);
// Of a method that streams: checks the whole request; what it returns reads the records.
using StreamHandler = absl::StatusOr<std::unique_ptr<MessageStream>> (*)(const Call& call);
// Of a method that streams both ways: `call` has the first message.
using ExchangeHandler = absl::StatusOr<std::unique_ptr<ExchangeStream>> (*)(const Call& call);

class Method {
 public:
  const google::protobuf::MethodDescriptor* descriptor;
  const engine::Resource* resource;  // null for a service across resources
  const google::protobuf::Message* request;
  Handler handle;      // null: in the contract, not served yet
  StreamHandler open;  // in its place, of methods that stream
  ExchangeHandler exchange;
};

// reads.cc
void HandleGet(const Call& call, Done done);
void HandleList(const Call& call, Done done);
void HandleBatchGet(const Call& call, Done done);
void HandleListRevisions(const Call& call, Done done);

// explain.cc
void HandleExplainQuery(const Call& call, Done done);

// findings.cc
void HandleListFindings(const Call& call, Done done);

// search.cc
void HandleSearchRecords(const Call& call, Done done);

// evidence.cc
void HandleGetEvidence(const Call& call, Done done);
void HandleListConflicts(const Call& call, Done done);

// aggregate.cc
void HandleAggregateRecords(const Call& call, Done done);
void HandleComputeStock(const Call& call, Done done);

// read_rows.cc
void HandleCreateReadSession(const Call& call, Done done);
absl::StatusOr<std::unique_ptr<MessageStream>> OpenReadRows(const Call& call);

// neighbors.cc
void HandleFindNeighbors(const Call& call, Done done);

// writes.cc
void HandleCreate(const Call& call, Done done);
void HandleUpdate(const Call& call, Done done);
void HandleDelete(const Call& call, Done done);
void HandleUndelete(const Call& call, Done done);
void HandleRollback(const Call& call, Done done);
void HandleBatchWrite(const Call& call, Done done);

// write_rows.cc
absl::StatusOr<std::unique_ptr<ExchangeStream>> OpenWriteRows(const Call& call);

// history.cc
void HandleGetCommit(const Call& call, Done done);
void HandleListCommits(const Call& call, Done done);
void HandleDiffRevisions(const Call& call, Done done);

// snapshots.cc
void HandleCreateSnapshot(const Call& call, Done done);
void HandleGetSnapshot(const Call& call, Done done);
void HandleListSnapshots(const Call& call, Done done);
void HandleDeleteSnapshot(const Call& call, Done done);
void HandleListSnapshotEntries(const Call& call, Done done);

// erase.cc
void HandleEraseRecords(const Call& call, Done done);

}  // namespace detente::api
