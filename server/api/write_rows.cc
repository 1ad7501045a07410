// RowService.WriteRows: batches of rows, each a commit.
#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "api/method.h"
#include "api/request.h"
#include "columnar/decode.h"
#include "detente/v1/row_service.pb.h"
#include "engine/validate.h"
#include "error/error.h"
#include "query/page_token.h"
#include "values/utf8.h"

namespace detente::api {
namespace {

using engine::CommitRequest;
using engine::CommitResult;
using engine::Operation;

constexpr size_t kMaxWriteIdBytes = 44;  // with `/` and a number, a request id
constexpr size_t kMaxErrorsOfRow = 5;
constexpr size_t kMaxErrorBytes = 400;  // of a path or a description: 1,000 rows fit in an answer

// Answers in the order of the messages, whichever is ready first.
class InOrder {
 public:
  // What to call in place of `done`.
  static Done Behind(const std::shared_ptr<InOrder>& order, Done done) {
    const std::lock_guard lock(order->mutex_);
    const size_t number = order->answered_ + order->waiting_.size();
    order->waiting_.push_back({std::move(done), std::nullopt});
    return [order, number](absl::StatusOr<Bytes> result) {
      const std::lock_guard lock(order->mutex_);
      order->waiting_[number - order->answered_].result = std::move(result);
      while (!order->waiting_.empty() && order->waiting_.front().result.has_value()) {
        Waiting first = std::move(order->waiting_.front());
        order->waiting_.pop_front();
        ++order->answered_;
        first.done(*std::move(first.result));
      }
    };
  }

 private:
  struct Waiting {
    Done done;
    std::optional<absl::StatusOr<Bytes>> result;
  };
  std::mutex mutex_;  // guards the rest
  size_t answered_ = 0;
  std::deque<Waiting> waiting_;
};

// What is wrong with the rows of a batch: found by the thread that takes it, then by the writer.
class RowErrors {
 public:
  // The rows that are left, by operation.
  std::vector<size_t> rows;

  bool empty() const { return errors_.empty(); }
  void Add(columnar::RowViolation error) { errors_[error.row].push_back(std::move(error)); }

  // `field` is the operation's, which leads the paths.
  void AddAll(size_t row, absl::string_view field, const absl::Status& status) {
    const std::vector<Violation> violations = ViolationsOf(status);
    for (const Violation& violation : violations) {
      absl::string_view path = violation.field;
      absl::ConsumePrefix(&path, field);
      absl::ConsumePrefix(&path, ".");
      Add({row, std::string(path), violation.description});
    }
    if (violations.empty()) Add({row, "", std::string(status.message())});
  }

  void Tell(v1::WriteRowsResponse* response) const {
    response->set_error_row_count(static_cast<int32_t>(errors_.size()));
    for (const auto& [row, errors] : errors_) {
      for (size_t i = 0; i < std::min(errors.size(), kMaxErrorsOfRow); ++i) {
        auto* error = response->add_errors();
        error->set_row(static_cast<int32_t>(row));
        error->set_field(values::Readable(errors[i].field, kMaxErrorBytes));
        error->set_description(values::Readable(errors[i].description, kMaxErrorBytes));
      }
    }
  }

 private:
  std::map<size_t, std::vector<columnar::RowViolation>> errors_;  // by row
};

std::string FieldOfRow(size_t row) { return absl::StrCat("rows[", row, "]"); }

// `nameless` are the operations of rows that had no name.
Bytes ResponseOf(int64_t number, const RowErrors& errors, const CommitResult& result,
                 const std::vector<size_t>& nameless) {
  v1::WriteRowsResponse response;
  response.set_number(number);
  errors.Tell(&response);
  if (errors.empty()) {
    response.set_revision(result.revision);
    int created = 0;
    int updated = 0;
    for (const engine::Written& written : result.records) {
      created += written.change == store::Change::kCreated ? 1 : 0;
      updated += written.change == store::Change::kUpdated ? 1 : 0;
    }
    response.set_created_count(created);
    response.set_updated_count(updated);
    response.set_unchanged_count(static_cast<int>(result.records.size()) - created - updated);
    for (size_t operation : nameless) {
      const engine::Written& written = result.records[operation];
      response.add_assigned_names(written.resource->Name(written.version.id));
    }
  }
  return std::make_shared<std::string>(response.SerializeAsString());
}

class RowWriter : public ExchangeStream {
 public:
  RowWriter(const Call& call, const engine::Resource& resource, const v1::WriteRowsRequest& request)
      : engine_(call.engine),
        context_(call.context),
        method_(call.method.descriptor->full_name()),
        resource_(resource),
        start_(request.start()),
        columns_(start_.columns().begin(), start_.columns().end()),
        start_hash_(query::HashArguments(method_, engine::EncodePayload(start_))),
        order_(std::make_shared<InOrder>()) {}

  void Take(absl::string_view message, Done answer) override {
    Done done = InOrder::Behind(order_, std::move(answer));
    v1::WriteRowsRequest request;
    if (absl::Status status = Parse(message, &request); !status.ok()) return done(status);
    const v1::WriteRowsRequest::Batch& batch = request.batch();
    auto rows = columnar::DecodeRows(resource_, batch.arrow_stream(), columns_);
    if (!rows.ok()) return done(rows.status());
    auto errors = std::make_shared<RowErrors>();
    CommitRequest commit = CommitOf(batch, *std::move(rows), errors);
    // What is left of the rows is looked at all the same, so that all errors are told at once.
    if (!errors->empty()) commit.validate_only = true;
    if (commit.operations.empty() && !errors->empty()) {
      return done(ResponseOf(batch.number(), *errors, {}, {}));
    }
    std::vector<size_t> nameless;
    for (size_t i = 0; i < commit.operations.size() && !commit.validate_only; ++i) {
      if (commit.operations[i].id.empty()) nameless.push_back(i);
    }
    engine_.Write(std::move(commit), [done = std::move(done), errors, number = batch.number(),
                                      nameless = std::move(nameless)](
                                         absl::StatusOr<CommitResult> result) mutable {
      if (!result.ok() && errors->empty()) return done(result.status());
      done(ResponseOf(number, *errors, result.ok() ? *result : CommitResult(), nameless));
    });
  }

 private:
  absl::Status Parse(absl::string_view message, v1::WriteRowsRequest* request) {
    if (absl::Status status = CheckCall(context_); !status.ok()) return status;
    if (message.size() > kMaxRequestBytes) {
      return Error(absl::StatusCode::kInvalidArgument, v1::LIMIT_EXCEEDED,
                   absl::StrCat("a message takes at most ", kMaxRequestBytes, " bytes, got ",
                                message.size()));
    }
    if (!request->ParseFromArray(message.data(), static_cast<int>(message.size()))) {
      return Error(absl::StatusCode::kInvalidArgument, v1::MALFORMED_REQUEST,
                   "the bytes are not a WriteRowsRequest");
    }
    if (absl::Status s = engine::RejectUnknownFields(*request, ""); !s.ok()) return s;
    if (!request->has_batch()) {
      return InvalidField(
          "batch", request->has_start() ? "expected: the stream has begun already" : "is required");
    }
    const int64_t number = request->batch().number();
    if (number < 0) return InvalidField("batch.number", "from 0 on expected");
    if (next_.has_value() && number != *next_) {
      return InvalidField("batch.number", absl::StrCat(*next_, " expected, got ", number));
    }
    next_ = number + 1;
    return absl::OkStatus();
  }

  CommitRequest CommitOf(const v1::WriteRowsRequest::Batch& batch, columnar::DecodedRows rows,
                         const std::shared_ptr<RowErrors>& errors) const {
    CommitRequest commit;
    commit.caller = context_.caller;
    commit.method = method_;
    commit.request_id = absl::StrCat(start_.write_id(), "/", batch.number());
    commit.request_hash = query::HashArguments(start_hash_, batch.arrow_stream());
    commit.reason = start_.reason();
    commit.validate_only = start_.validate_only();
    commit.deadline = context_.deadline;
    commit.cancelled = context_.cancelled;
    commit.wrong = [errors](size_t operation, const absl::Status& status) {
      const size_t row = errors->rows[operation];
      errors->AddAll(row, FieldOfRow(row), status);
    };
    size_t wrong = 0;  // in the violations, which are in the order of rows
    for (size_t i = 0; i < rows.rows.size(); ++i) {
      const bool sound = wrong == rows.violations.size() || rows.violations[wrong].row != i;
      while (wrong < rows.violations.size() && rows.violations[wrong].row == i) {
        errors->Add(std::move(rows.violations[wrong++]));
      }
      if (!sound) continue;
      columnar::DecodedRow& row = rows.rows[i];
      Operation operation;
      operation.resource = &resource_;
      operation.field = FieldOfRow(i);
      const absl::Status status =
          NewId(resource_.collection, row.id, row.name, "id", "name", &operation.id);
      if (!status.ok()) {
        errors->AddAll(i, "", status);
        continue;
      }
      operation.kind = operation.id.empty() ? Operation::Kind::kCreate : Operation::Kind::kUpdate;
      operation.record = std::move(row.record);
      operation.mask = rows.mask;
      operation.mask_field = "columns";
      operation.allow_missing = true;
      errors->rows.push_back(i);
      commit.operations.push_back(std::move(operation));
    }
    return commit;
  }

  engine::Engine& engine_;
  const CallContext context_;
  const std::string method_;
  const engine::Resource& resource_;
  const v1::WriteRowsRequest::Start start_;
  const std::vector<std::string> columns_;
  const std::string start_hash_;
  std::optional<int64_t> next_;  // the number of the next batch; absent = any
  std::shared_ptr<InOrder> order_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ExchangeStream>> OpenWriteRows(const Call& call) {
  if (absl::Status s = engine::RejectUnknownFields(call.request, ""); !s.ok()) return s;
  const auto& request = static_cast<const v1::WriteRowsRequest&>(call.request);
  if (!request.has_start()) {
    return InvalidField("start", "is required: the first message of a stream has it");
  }
  if (call.engine.read_only()) return engine::ReadOnly();
  const v1::WriteRowsRequest::Start& start = request.start();
  const engine::Resource* resource = nullptr;
  absl::Status status =
      FindCollection(call.engine.registry(), start.collection(), "start.collection", &resource);
  if (start.write_id().empty() || start.write_id().size() > kMaxWriteIdBytes) {
    Collect(InvalidField("start.write_id", absl::StrCat("a UUID or other text of 1 to ",
                                                        kMaxWriteIdBytes, " bytes expected")),
            &status);
  }
  if (start.columns_size() > columnar::kMaxBatchColumns) {
    Collect(InvalidFields({{"start.columns", absl::StrCat("at most ", columnar::kMaxBatchColumns)}},
                          v1::LIMIT_EXCEEDED),
            &status);
  }
  Collect(engine::CheckCommitTexts("", start.reason()), &status);
  if (!status.ok()) return status;
  return std::make_unique<RowWriter>(call, *resource, request);
}

}  // namespace detente::api
