// Typed access to the records:
//
//   absl::StatusOr<std::unique_ptr<Connection>> connection = detente::Connect("localhost:7400");
//   detente::Client client(*std::move(connection));
//   absl::StatusOr<v1::Release> release = client.Get<v1::Release>("by-2025-12-13");
//   for (absl::StatusOr<v1::Release>& r : client.List<v1::Release>({.filter = "region_code = BY"}))
//   …
//
// R is any resource of the contract; its methods are found through its descriptor. Where a name is
// asked for, an id does too ("by-2025-12-13" for "releases/by-2025-12-13"). Failures are those of
// Connection::Call. What spans resources has no methods of its own here: Call and Pages take the
// contract's requests as they are.
//
//   v1::GetEvidenceRequest request;
//   request.set_name("releases/by-2025-12-13");
//   absl::StatusOr<v1::Evidence> evidence = client.Call<v1::Evidence>(request);
#pragma once

#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "detente/client/connection.h"
#include "detente/v1/record_service.pb.h"
#include "google/protobuf/message.h"

namespace detente {

// The state of the store to read: the newest, the one after a revision, the last at or before a
// time, or a snapshot
// ("snapshots/paper-2026").
using ReadPoint = std::variant<std::monostate, int64_t, absl::Time, std::string>;

struct ReadOptions {
  ReadPoint at = {};
  std::vector<std::string> read_mask = {};  // paths of the fields to return; empty = all
  // As this source has it ("sources/x", or its id): its values in place, what it does not speak of
  // absent; empty = as we do.
  std::string as_told_by = {};
  // Which value to take where sources disagree; not with `as_told_by`.
  v1::Evidence::ValuePolicy value_policy = v1::Evidence::VALUE_POLICY_UNSPECIFIED;
  CallOptions call = {};
};

struct ListOptions {
  std::string filter = {};    // empty = all
  std::string order_by = {};  // empty = by name
  bool show_deleted = false;
  ReadPoint at = {};
  std::vector<std::string> read_mask = {};
  std::string as_told_by = {};
  v1::Evidence::ValuePolicy value_policy = v1::Evidence::VALUE_POLICY_UNSPECIFIED;
  bool reviewed_only = false;  // only those whose state of review is REVIEWED
  int32_t page_size = 0;       // records fetched by one call; 0 = as the server likes
  CallOptions call = {};       // of each page
};

struct RevisionsOptions {
  std::vector<std::string> read_mask = {};
  int32_t page_size = 0;
  CallOptions call = {};
};

// Of all writes: `reason` is kept on the commit; `validate_only` checks everything and writes
// nothing; a repeat under the same `request_id` (at most 64 characters; empty = a new UUID) is
// answered and not applied again.
struct CreateOptions {
  std::string id = {};  // empty = from the record's name, or made by the server
  std::string reason = {};
  bool validate_only = false;
  std::string request_id = {};
  CallOptions call = {};
};

struct UpdateOptions {
  // Paths to write; "*" = all; empty = all mutable fields that are set.
  std::vector<std::string> update_mask = {};
  bool allow_missing = false;  // create it if there is none
  std::string reason = {};
  bool validate_only = false;
  std::string request_id = {};
  CallOptions call = {};
};

struct DeleteOptions {
  std::string etag = {};  // checked if set
  bool force = false;     // although live records refer to it
  std::string reason = {};
  bool validate_only = false;
  std::string request_id = {};
  CallOptions call = {};
};

struct UndeleteOptions {
  std::string etag = {};
  std::string reason = {};
  bool validate_only = false;
  std::string request_id = {};
  CallOptions call = {};
};

struct RollbackOptions {
  std::string etag = {};
  std::string reason = {};
  bool validate_only = false;
  std::string request_id = {};
  CallOptions call = {};
};

struct BatchWriteOptions {
  std::string reason = {};
  bool validate_only = false;
  std::string request_id = {};
  CallOptions call = {};
};

// Writes of any resources, in order, that become one commit or none. Names are full here.
class Batch {
 public:
  Batch& Create(const google::protobuf::Message& record, absl::string_view id = "");
  Batch& Update(const google::protobuf::Message& record,
                const std::vector<std::string>& update_mask = {}, bool allow_missing = false);
  Batch& Delete(absl::string_view name, absl::string_view etag = "", bool force = false);
  Batch& Undelete(absl::string_view name, absl::string_view etag = "");

  const v1::BatchWriteRequest& request() const { return request_; }

 private:
  v1::BatchWriteRequest request_;
};

namespace internal {

// One page of a list; its messages are of the resource asked for.
struct Page {
  std::vector<std::unique_ptr<google::protobuf::Message>> records;
  std::string next_page_token;
};

using FetchPage = std::function<absl::StatusOr<Page>(absl::string_view page_token)>;

template <typename R>
R&& Take(google::protobuf::Message& record) {
  return static_cast<R&&>(record);
}

}  // namespace internal

// A list that is fetched page by page while it is walked, all of it as of one revision. Every
// begin() asks anew. A failure is the last element. It may outlive the Client.
template <typename R>
class Records {
 public:
  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = absl::StatusOr<R>;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    absl::StatusOr<R>& operator*() const { return *current_; }
    absl::StatusOr<R>* operator->() const { return &*current_; }
    Iterator& operator++() {
      Advance();
      return *this;
    }
    void operator++(int) { Advance(); }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) {
      return !it.current_.has_value();
    }

   private:
    friend class Records;
    explicit Iterator(internal::FetchPage fetch) : fetch_(std::move(fetch)) {
      Fetch("");
      Advance();
    }

    void Fetch(absl::string_view token) {
      page_ = fetch_(token);
      next_ = 0;
    }

    void Advance() {
      if (current_.has_value() && !current_->ok()) return current_.reset();
      while (page_.ok()) {
        if (next_ < page_->records.size()) {
          current_.emplace(internal::Take<R>(*page_->records[next_++]));
          return;
        }
        if (page_->next_page_token.empty()) return current_.reset();
        Fetch(std::string(page_->next_page_token));
      }
      current_.emplace(page_.status());
    }

    internal::FetchPage fetch_;
    absl::StatusOr<internal::Page> page_ = internal::Page();
    size_t next_ = 0;
    mutable std::optional<absl::StatusOr<R>> current_;
  };

  explicit Records(internal::FetchPage fetch) : fetch_(std::move(fetch)) {}

  Iterator begin() const { return Iterator(fetch_); }
  std::default_sentinel_t end() const { return {}; }

 private:
  internal::FetchPage fetch_;
};

// Thread-safe, and cheap to copy: copies share the connection.
class Client {
 public:
  explicit Client(std::shared_ptr<Connection> connection);

  // Also a deleted record, with its delete_time.
  template <typename R>
  absl::StatusOr<R> Get(absl::string_view name, const ReadOptions& options = {}) const {
    return Answer<R>([&](R& out) { return Get(name, options, out); });
  }

  template <typename R>
  Records<R> List(const ListOptions& options = {}) const {
    return Records<R>(List(R::descriptor(), options));
  }

  // In the order of the names, all at one revision; at most 100.
  template <typename R>
  absl::StatusOr<std::vector<R>> BatchGet(const std::vector<std::string>& names,
                                          const ReadOptions& options = {}) const {
    absl::StatusOr<internal::Page> page = BatchGet(R::descriptor(), names, options);
    if (!page.ok()) return page.status();
    std::vector<R> records;
    records.reserve(page->records.size());
    for (auto& record : page->records) records.push_back(internal::Take<R>(*record));
    return records;
  }

  // The states that a record has had, newest first; their `revision` tells them apart.
  template <typename R>
  Records<R> Revisions(absl::string_view name, const RevisionsOptions& options = {}) const {
    return Records<R>(Revisions(R::descriptor(), name, options));
  }

  // The writes return the record as it is now.
  template <typename R>
  absl::StatusOr<R> Create(const R& record, const CreateOptions& options = {}) const {
    return Answer<R>([&](R& out) { return Create(record, options, out); });
  }

  // The record has its name; its etag is checked if set.
  template <typename R>
  absl::StatusOr<R> Update(const R& record, const UpdateOptions& options = {}) const {
    return Answer<R>([&](R& out) { return Update(record, options, out); });
  }

  template <typename R>
  absl::StatusOr<R> Delete(absl::string_view name, const DeleteOptions& options = {}) const {
    return Answer<R>([&](R& out) { return Delete(name, options, out); });
  }

  template <typename R>
  absl::StatusOr<R> Undelete(absl::string_view name, const UndeleteOptions& options = {}) const {
    return Answer<R>([&](R& out) { return Undelete(name, options, out); });
  }

  // Brings a record back to the content that it had at a revision of the store, as a new commit.
  template <typename R>
  absl::StatusOr<R> Rollback(absl::string_view name, int64_t revision,
                             const RollbackOptions& options = {}) const {
    return Answer<R>([&](R& out) { return Rollback(name, revision, options, out); });
  }

  // Calls the method that takes this request; an empty request id becomes a new UUID. A Response
  // that is not the method's is INVALID_ARGUMENT.
  template <typename Response, typename Request>
  absl::StatusOr<Response> Call(const Request& request, const CallOptions& options = {}) const {
    return Answer<Response>([&](Response& out) { return Call(request, options, out); });
  }

  // The responses, page by page, of a method whose request has a `page_token`.
  template <typename Response, typename Request>
  Records<Response> Pages(const Request& request, const CallOptions& options = {}) const {
    return Records<Response>(
        Pages(std::make_shared<Request>(request), Response::descriptor(), options));
  }

  absl::StatusOr<v1::BatchWriteResponse> BatchWrite(const Batch& batch,
                                                    const BatchWriteOptions& options = {}) const;

  Connection& connection() const { return *connection_; }

 private:
  using Message = google::protobuf::Message;
  using Descriptor = google::protobuf::Descriptor;

  template <typename R, typename F>
  static absl::StatusOr<R> Answer(const F& call) {
    R out;
    absl::Status status = call(out);
    if (!status.ok()) return status;
    return out;
  }

  absl::Status Get(absl::string_view name, const ReadOptions& options, Message& out) const;
  internal::FetchPage List(const Descriptor* resource, const ListOptions& options) const;
  absl::StatusOr<internal::Page> BatchGet(const Descriptor* resource,
                                          const std::vector<std::string>& names,
                                          const ReadOptions& options) const;
  internal::FetchPage Revisions(const Descriptor* resource, absl::string_view name,
                                const RevisionsOptions& options) const;
  absl::Status Create(const Message& record, const CreateOptions& options, Message& out) const;
  absl::Status Update(const Message& record, const UpdateOptions& options, Message& out) const;
  absl::Status Delete(absl::string_view name, const DeleteOptions& options, Message& out) const;
  absl::Status Undelete(absl::string_view name, const UndeleteOptions& options, Message& out) const;
  absl::Status Rollback(absl::string_view name, int64_t revision, const RollbackOptions& options,
                        Message& out) const;
  absl::Status Call(const Message& request, const CallOptions& options, Message& out) const;
  internal::FetchPage Pages(std::shared_ptr<const Message> request, const Descriptor* response,
                            const CallOptions& options) const;

  std::shared_ptr<Connection> connection_;
};

}  // namespace detente
