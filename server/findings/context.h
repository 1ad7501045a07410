// What a check reads of the store, at one view.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/engine.h"
#include "findings/findings.h"
#include "google/protobuf/message.h"
#include "store/store.h"

namespace detente::findings {

// What a resource name leads to.
enum class State { kMissing, kErased, kDeleted, kLive };

// Reads fail once and for all: after a failure everything looks missing, scans end, and status()
// tells. So checks need not ask after each read.
class Context {
 public:
  Context(engine::Engine& engine, const store::ReadView& view,
          absl::FunctionRef<absl::Status()> go_on);

  const engine::Registry& registry() const { return engine_.registry(); }
  bool ok() const { return status_.ok(); }
  const absl::Status& status() const { return status_; }
  // Asks whether the call is still wanted.
  bool GoOn();

  // The day, in UTC, of the commit that the view shows, in days since 1970: what is past is past as
  // of then, so that the view answers the same for ever.
  int64_t Today();

  // Visits live records in the order of their ids, `from` (an id; empty = the first) among them,
  // until `visit` says false. The record has neither its name nor the other fields 1 to 7, and is
  // gone when `visit` returns. No read of the store is open while `visit` runs.
  void Scan(
      const engine::Resource& resource, absl::string_view from,
      absl::FunctionRef<bool(const std::string& name, const google::protobuf::Message& record)>
          visit);

  State StateOf(const std::string& name);
  // The live record, without its fields 1 to 7; null where there is none.
  std::shared_ptr<const google::protobuf::Message> Live(const std::string& name);
  // The same of type T; null where it is of another type.
  template <typename T>
  std::shared_ptr<const T> LiveOf(const std::string& name) {
    auto record = Live(name);
    if (record == nullptr || record->GetDescriptor() != T::descriptor()) return nullptr;
    return std::static_pointer_cast<const T>(record);
  }

 private:
  bool Parse(const engine::Resource& resource, const store::Version& version,
             google::protobuf::Message* out);

  engine::Engine& engine_;
  const store::ReadView view_;
  absl::FunctionRef<absl::Status()> go_on_;
  absl::Status status_;
  std::optional<int64_t> today_;
  // Emptied when full: what is asked for again is asked for soon.
  absl::flat_hash_map<std::string, State> states_;
  absl::flat_hash_map<std::string, std::shared_ptr<const google::protobuf::Message>> records_;
  size_t cached_bytes_ = 0;
};

// One check at work.
class Run {
 public:
  // `start` is where the check goes on; `take` says false when no more is wanted.
  Run(Context& context, const Position& start,
      absl::FunctionRef<bool(Finding&, const std::string& record, size_t ordinal)> take)
      : context_(context), start_(start), take_(take) {}

  Context& context() { return context_; }

  // Visits the live records of the collections, those named in the order of the alphabet, and hands
  // on what `visit` finds with each as the main record.
  void ForEach(
      absl::Span<const absl::string_view> collections,
      absl::FunctionRef<void(const std::string& name, const google::protobuf::Message& record,
                             std::vector<Finding>* found)>
          visit);

  // Of one record, in any order, after those of lesser names. False = no more is wanted.
  bool Deliver(const std::string& name, std::vector<Finding> found);
  // The record to start at; findings of lesser names are out already.
  const std::string& from() const { return start_.record; }

 private:
  Context& context_;
  const Position& start_;
  absl::FunctionRef<bool(Finding&, const std::string&, size_t)> take_;
};

// `list["id"]`, and a field below it.
std::string ElementPath(absl::string_view list, absl::string_view id, absl::string_view field = "");

// checks
void CheckDetentionStatus(Run& run);
void CheckReArrestChain(Run& run);
void CheckGroups(Run& run);
void CheckTallyComponents(Run& run);
void CheckDuplicateExternalIds(Run& run);
void CheckDanglingReferences(Run& run);
void CheckOverdueCommitments(Run& run);

}  // namespace detente::findings
