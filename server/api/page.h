// Pages of a listing, and responses whose records are bytes already.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "api/method.h"
#include "google/protobuf/timestamp.pb.h"
#include "store/store.h"

namespace detente::api {

google::protobuf::Timestamp TimestampOf(int64_t micros);

// The state that the request's ReadPoint `field` names; the newest where it is absent.
absl::StatusOr<store::ReadView> ViewOf(const Call& call, absl::string_view field = "at");

// A response written field by field.
class ResponseWriter {
 public:
  explicit ResponseWriter(const Call& call) : type_(call.method.descriptor->output_type()) {}

  // The number of a field.
  int Find(absl::string_view field) const;
  // One more element of a list of messages.
  void Add(int field, absl::string_view bytes);
  void Add(absl::string_view field, absl::string_view bytes) { Add(Find(field), bytes); }
  void SetText(absl::string_view field, absl::string_view text);
  void SetNumber(absl::string_view field, int64_t number);
  void Reserve(size_t bytes) { out_.reserve(bytes); }
  size_t size() const { return out_.size(); }
  // The last bytes that were written.
  absl::string_view Tail(size_t size) const {
    return absl::string_view(out_).substr(out_.size() - size);
  }
  Bytes Take() { return std::make_shared<std::string>(std::move(out_)); }

 private:
  const google::protobuf::Descriptor* type_;
  std::string out_;
};

// Where a listing goes on, and the hash that ties its token to its arguments.
struct Page {
  store::ReadView view;
  std::string last;
  std::string arguments;
  int size = 0;
};

// Reads and clears page_size and page_token; what stays of the request are the arguments of the
// listing.
absl::StatusOr<Page> PageOf(const Call& call);

// Takes what a page holds until it is full.
class PageFiller {
 public:
  // `field`: the response's list.
  PageFiller(const Call& call, const Page& page, absl::string_view field);

  // False = no more. `bytes` is the encoded element; `position` is where the next page would start
  // after it.
  bool Take(absl::string_view bytes, absl::string_view position);
  // Of a whole record, whose id is the position.
  bool TakeRecord(absl::string_view bytes);
  // Of a long way without a row to take: false where the call is over.
  bool GoOn();

  absl::Status status() const { return status_; }
  // Ends the page with a failure: false.
  bool Fail(absl::Status status) {
    status_ = std::move(status);
    return false;
  }
  std::string NextPageToken() const;
  ResponseWriter& response() { return response_; }

 private:
  // Counts one more in, where the page is not full.
  bool HasRoom(size_t bytes);

  const Call& call_;
  const Page& page_;
  ResponseWriter response_;
  const int field_;
  absl::Status status_;
  int seen_ = 0;
  int taken_ = 0;
  bool more_ = false;
  std::string last_;
  size_t last_record_ = 0;  // how many of the response's last bytes are a record that was taken
};

}  // namespace detente::api
