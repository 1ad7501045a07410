// The queue of commits and the thread that writes them.
#include <algorithm>
#include <cstdio>
#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/derived/derived.h"
#include "engine/engine.h"
#include "engine/validate.h"
#include "error/error.h"

namespace detente::engine {
namespace {

constexpr size_t kMaxGroup = 256;  // commits in one durable transaction

absl::Status ShuttingDown() {
  return Error(absl::StatusCode::kUnavailable, v1::SHUTTING_DOWN,
               "the server is going down; the write was not applied");
}

// What its records take encoded, and its operations. In memory records take several times that, but
// to ask how much would cost more than to encode them.
size_t BytesOf(const CommitRequest& request) {
  size_t bytes = 0;
  for (const Operation& operation : request.operations) {
    bytes += sizeof(operation);
    if (operation.record != nullptr) bytes += operation.record->ByteSizeLong();
  }
  return bytes;
}

}  // namespace

absl::Status CheckCommitTexts(absl::string_view request_id, absl::string_view reason) {
  std::vector<Violation> violations;
  if (request_id.size() > kMaxRequestIdBytes) {
    violations.push_back(
        {"request_id", absl::StrCat("at most ", kMaxRequestIdBytes, " characters")});
  }
  if (reason.size() > kMaxReasonBytes) {
    violations.push_back({"reason", absl::StrCat("at most ", kMaxReasonBytes, " bytes")});
  }
  return violations.empty() ? absl::OkStatus() : InvalidFields(violations);
}

// What needs no store: outside the writer thread, so that it holds nobody up.
absl::Status Engine::Prepare(CommitRequest& request) {
  absl::Status status = CheckCommitTexts(request.request_id, request.reason);
  std::vector<Violation> violations;
  absl::flat_hash_set<std::string> names;
  for (size_t i = 0; i < request.operations.size(); ++i) {
    Operation& operation = request.operations[i];
    if (operation.id.empty() && operation.kind == Operation::Kind::kCreate) {
      operation.id = NewUuid();
    }
    if (!names.insert(operation.resource->Name(operation.id)).second) {
      violations.push_back({operation.field, absl::StrCat(operation.resource->Name(operation.id),
                                                          ": named twice in one commit")});
      if (request.wrong) request.wrong(i, InvalidFields({violations.back()}));
    }
  }
  if (!violations.empty()) Collect(InvalidFields(violations), &status);
  for (size_t i = 0; i < request.operations.size(); ++i) {
    Operation& operation = request.operations[i];
    if (operation.record == nullptr) continue;
    const bool whole = operation.kind == Operation::Kind::kCreate || operation.mask.everything();
    absl::Status wrong =
        ValidateRecord(*operation.resource, whole ? Validate::kWhole : Validate::kPartial,
                       operation.field, operation.record.get());
    if (wrong.ok() && whole) Derive(operation.record.get());
    if (!wrong.ok() && request.wrong) request.wrong(i, wrong);
    Collect(wrong, &status);
  }
  if (status.ok()) PrepareCreations(request);
  return status;
}

// Most of what a new record costs but for the store. Whether it is new is asked again by the
// writer.
void Engine::PrepareCreations(CommitRequest& request) {
  std::optional<Lease> reader;
  for (Operation& operation : request.operations) {
    bool is_new = operation.kind == Operation::Kind::kCreate;
    if (operation.kind == Operation::Kind::kUpdate && operation.allow_missing) {
      if (!reader.has_value()) {
        auto leased = LeaseReader();
        if (!leased.ok()) return;  // then the writer makes them
        reader.emplace(*std::move(leased));
      }
      auto stored = (*reader)->Get(operation.resource->collection, operation.id, kNewest);
      is_new = stored.ok() && !stored->has_value();
    }
    // What is wrong with it is told by the writer, if it is new then.
    if (is_new) PrepareCreation(operation).IgnoreError();
  }
}

void Engine::Write(CommitRequest request, Done done) {
  if (read_only()) return done(ReadOnly());
  if (absl::Status status = Prepare(request); !status.ok()) return done(status);
  const size_t bytes = BytesOf(request);
  std::unique_lock lock(queue_mutex_);
  // A commit alone may be of any size.
  const bool full = queue_.size() >= kMaxWaitingCommits ||
                    (waiting_bytes_ > 0 && waiting_bytes_ + bytes > kMaxWaitingBytes);
  if (closing_ || full) {
    const bool closing = closing_;
    lock.unlock();
    return done(closing ? ShuttingDown() : QueueFull("writer", absl::Milliseconds(100)));
  }
  waiting_bytes_ += bytes;
  queue_.push_back({std::move(request), std::move(done), bytes, nullptr});
  lock.unlock();
  queue_changed_.notify_one();
}

absl::Status Engine::RunAlone(absl::FunctionRef<absl::Status()> work) {
  if (read_only()) return ReadOnly();
  std::promise<absl::Status> promise;
  auto done = promise.get_future();
  {
    std::lock_guard lock(queue_mutex_);
    if (closing_) return ShuttingDown();
    if (queue_.size() >= kMaxWaitingCommits) return QueueFull("writer", absl::Milliseconds(100));
    Waiting waiting;
    waiting.alone = [&](bool open) { promise.set_value(open ? work() : ShuttingDown()); };
    queue_.push_back(std::move(waiting));
  }
  queue_changed_.notify_one();
  return done.get();
}

void Engine::RunWriter() {
  while (true) {
    std::vector<Waiting> group;
    bool closing;
    {
      std::unique_lock lock(queue_mutex_);
      queue_changed_.wait(lock, [this] { return closing_ || !queue_.empty(); });
      closing = closing_;
      while (!queue_.empty() && group.size() < kMaxGroup) {
        if (queue_.front().alone != nullptr && !group.empty()) break;
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
        waiting_bytes_ -= group.back().bytes;
        if (group.back().alone != nullptr) break;
      }
    }
    if (group.empty() && closing) return;
    if (group[0].alone != nullptr) {
      group[0].alone(!closing);
    } else if (closing) {
      for (Waiting& waiting : group) waiting.done(ShuttingDown());
    } else {
      WriteGroup(std::move(group));
    }
  }
}

struct Engine::Answer {
  absl::StatusOr<CommitResult> result;
  bool committed = false;
};

Engine::GroupTime::GroupTime(Engine* engine) : engine_(engine) {
  std::lock_guard lock(engine_->time_mutex_);
  ++engine_->groups_;
  floor_ = std::max(engine_->last_time_, engine_->promised_time_);
}

Engine::GroupTime::~GroupTime() {
  {
    std::lock_guard lock(engine_->time_mutex_);
    ++engine_->groups_;
  }
  engine_->group_written_.notify_all();
}

absl::Status Engine::CommitStore() {
  {
    std::lock_guard lock(readers_mutex_);
    for (const auto& reader : readers_) reader->Unpin();
  }
  absl::Status status = writer_store_->Commit();
  changes_.fetch_add(1, std::memory_order_release);
  return status;
}

void Engine::WriteGroup(std::vector<Waiting> group) {
  store::Writer* writer = writer_store_;
  std::vector<Answer> answers;
  absl::Status status = writer->Begin();
  const bool begun = status.ok();
  store::Revision revision = newest_.load(std::memory_order_relaxed);
  const GroupTime group_time(this);
  int64_t time = group_time.floor();
  for (Waiting& waiting : group) {
    if (!status.ok()) break;
    CommitRequest& request = waiting.request;
    if (request.cancelled && request.cancelled()) {
      answers.push_back({CallCancelled()});
      continue;
    }
    if (request.deadline <= absl::Now()) {
      answers.push_back({DeadlinePassed()});
      continue;
    }
    int64_t now = absl::ToUnixMicros(absl::Now());
    if (now + absl::ToInt64Microseconds(absl::Seconds(1)) < time) {
      fprintf(stderr, "clock: stepped back by %lld us; commit times go on from the last one\n",
              static_cast<long long>(time - now));
    }
    status = writer->BeginCommit();
    if (!status.ok()) break;
    Answer answer;
    answer.result = Apply(request, revision + 1, std::max(now, time + 1), &answer.committed);
    status = answer.committed ? writer->EndCommit() : writer->UndoCommit();
    // After some errors SQLite has rolled back by itself: then the first error is the one to tell.
    const v1::ErrorReason reason = ReasonOf(answer.result.status());
    if (!status.ok() && (reason == v1::STORE_UNAVAILABLE || reason == v1::STORE_FULL)) {
      status = answer.result.status();
    }
    if (answer.committed) {
      ++revision;
      time = std::max(now, time + 1);
    }
    answers.push_back(std::move(answer));
  }
  if (status.ok()) status = CommitStore();
  if (!status.ok()) {
    if (begun) writer->Rollback().IgnoreError();
    for (Waiting& waiting : group) waiting.done(status);
    return;
  }
  last_time_ = time;
  for (const Answer& answer : answers) {
    if (!answer.committed) continue;
    for (const Written& written : answer.result->records) {
      if (written.version.since != answer.result->revision) continue;  // unchanged
      auto bytes = std::make_shared<std::string>(RecordOf(*written.resource, written.version));
      cache_.Put(written.resource->Name(written.version.id), written.version.since, bytes);
    }
  }
  newest_.store(revision, std::memory_order_release);
  for (size_t i = 0; i < group.size(); ++i) group[i].done(std::move(answers[i].result));
}

}  // namespace detente::engine
