// Short forms of what tests of the engine do all the time.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/engine.h"
#include "engine/registry.h"
#include "error/error.h"
#include "google/protobuf/text_format.h"
#include "google/rpc/error_details.pb.h"
#include "store/sqlite/sqlite_store.h"

namespace detente::testing {

// A folder that goes with its object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  std::string File(absl::string_view name = "store.db") const;

 private:
  std::string path_;
};

// Of the whole contract.
const engine::Registry& TestRegistry();

// Fail the test where the store can't be opened.
std::unique_ptr<store::Store> OpenStore(const std::string& path, store::SqliteOptions options = {});
std::unique_ptr<engine::Engine> OpenEngine(const std::string& path = ":memory:",
                                           store::SqliteOptions options = {},
                                           engine::EngineOptions engine_options = {});

template <typename T>
T Proto(const std::string& text) {
  T message;
  if (!google::protobuf::TextFormat::ParseFromString(text, &message)) std::abort();
  return message;
}

const engine::Resource& ResourceOf(const google::protobuf::Message& record);

engine::Operation Create(const google::protobuf::Message& record, absl::string_view id);
// Without paths: the fields that are set.
engine::Operation Update(const google::protobuf::Message& record, absl::string_view id,
                         const std::vector<std::string>& paths = {});
engine::Operation Delete(absl::string_view name, bool force = false);
engine::Operation Undelete(absl::string_view name);

template <typename... Operations>
engine::CommitRequest Request(Operations... operations) {
  engine::CommitRequest request;
  request.method = "test";
  (request.operations.push_back(std::move(operations)), ...);
  return request;
}

// Waits for the answer.
absl::StatusOr<engine::CommitResult> Write(engine::Engine& engine, engine::CommitRequest request);
std::future<absl::StatusOr<engine::CommitResult>> WriteLater(engine::Engine& engine,
                                                             engine::CommitRequest request);
template <typename... Operations>
absl::StatusOr<engine::CommitResult> WriteOf(engine::Engine& engine, Operations... operations) {
  return Write(engine, Request(std::move(operations)...));
}

// The record at a revision, the newest where none is named, with fields 1 to 7; a default one
// where there is none.
void ReadInto(engine::Engine& engine, absl::string_view id, std::optional<store::Revision> revision,
              google::protobuf::Message* out);
template <typename T>
T Read(engine::Engine& engine, absl::string_view id,
       std::optional<store::Revision> revision = std::nullopt) {
  T record;
  ReadInto(engine, id, revision, &record);
  return record;
}

// What a failure says of fields, as "field: description" lines.
std::vector<std::string> Violations(const absl::Status& status);
// The fields alone.
std::vector<std::string> ViolatedFields(const absl::Status& status);
// Subjects of a PreconditionFailure.
std::vector<std::string> PreconditionSubjects(const absl::Status& status);

}  // namespace detente::testing

// "OK" or the code and reason, which a failed comparison shows.
#define EXPECT_FAILS(status, code_, reason_)                             \
  do {                                                                   \
    const absl::Status got = ::detente::testing::StatusOf(status);       \
    EXPECT_EQ(got.code(), absl::StatusCode::code_) << got;               \
    EXPECT_EQ(::detente::v1::ErrorReason_Name(::detente::ReasonOf(got)), \
              ::detente::v1::ErrorReason_Name(::detente::v1::reason_))   \
        << got;                                                          \
  } while (false)

#define ASSERT_OK(expression)                                          \
  do {                                                                 \
    const absl::Status got = ::detente::testing::StatusOf(expression); \
    ASSERT_TRUE(got.ok()) << got;                                      \
  } while (false)

namespace detente::testing {

inline absl::Status StatusOf(const absl::Status& status) { return status; }
template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace detente::testing
