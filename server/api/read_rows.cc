// Records as columns: CreateReadSession and ReadRows. A stream's name is all that it is, sealed.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "api/method.h"
#include "api/page.h"
#include "api/request.h"
#include "api/selected.h"
#include "columnar/projection.h"
#include "columnar/row_stream.h"
#include "detente/v1/row_service.pb.h"
#include "engine/validate.h"
#include "error/error.h"
#include "google/protobuf/io/coded_stream.h"
#include "query/seal.h"

namespace detente::api {
namespace {

using google::protobuf::io::CodedOutputStream;
using Request = v1::CreateReadSessionRequest;

constexpr int kMaxStreams = 64;
constexpr int kSampleOfStream = 64;  // versions looked at for each, to part them evenly
constexpr size_t kMaxStreamName = size_t{1} << 20;
constexpr absl::string_view kRemedy = "begin anew with CreateReadSession";

// What CreateReadSession has checked, and ReadRows checks again.
struct Session {
  const engine::Resource* resource = nullptr;
  query::Filter filter;
  columnar::Projection projection;
  columnar::Compression compression = columnar::Compression::kNone;
};

absl::StatusOr<Session> Check(const Call& call, const Request& request) {
  Session session;
  absl::Status status =
      FindCollection(call.engine.registry(), request.collection(), "collection", &session.resource);
  if (session.resource != nullptr) {
    auto filter = query::Filter::Parse(request.filter(), session.resource->type);
    Collect(filter.status(), &status);
    if (filter.ok()) session.filter = *std::move(filter);
    auto projection = columnar::Projection::Parse(
        session.resource->type, call.columns.NodesFor(*session.resource),
        std::vector<const std::string*>(request.columns().pointer_begin(),
                                        request.columns().pointer_end()),
        request.flat());
    Collect(projection.status(), &status);
    if (projection.ok()) session.projection = *std::move(projection);
  }
  std::vector<Violation> violations;
  switch (request.compression()) {
    case Request::COMPRESSION_UNSPECIFIED:
    case Request::NONE:
      break;
    case Request::LZ4:
      session.compression = columnar::Compression::kLz4;
      break;
    case Request::ZSTD:
      session.compression = columnar::Compression::kZstd;
      break;
    default:
      violations.push_back(
          {"compression", absl::StrCat("NONE, LZ4 or ZSTD expected, got ", request.compression())});
  }
  if (request.max_stream_count() < 0) {
    violations.push_back(
        {"max_stream_count", absl::StrCat("from 0 on expected, got ", request.max_stream_count())});
  }
  if (request.row_limit() < 0) {
    violations.push_back(
        {"row_limit", absl::StrCat("from 0 on expected, got ", request.row_limit())});
  }
  if (request.row_limit() > 0 && request.max_stream_count() > 1) {
    violations.push_back({"row_limit", "goes with one stream only; leave max_stream_count out"});
  }
  if (!violations.empty()) Collect(InvalidFields(violations), &status);
  if (!status.ok()) return status;
  return session;
}

absl::StatusOr<columnar::RowFormat> FormatOf(const Call& call, const Session& session,
                                             const Request& request, store::Revision revision) {
  return columnar::RowFormat::Make(session.projection, call.columns.NodesFor(*session.resource),
                                   session.compression,
                                   {{"detente.collection", session.resource->collection},
                                    {"detente.revision", absl::StrCat(revision)},
                                    {"detente.filter", request.filter()}});
}

// A stream: the session's request, of one revision, and the part that is the stream's.
struct Part {
  store::Revision after = 0;
  store::Revision to = 0;
  store::Revision erasure = 0;  // the store's last one when the session began
};

std::string SealStream(const Call& call, const Request& request, const Part& part, absl::Time now) {
  std::string content;
  for (const int64_t number : {part.after, part.to, part.erasure}) {
    query::PutInt64(content, number);
  }
  content += request.SerializeAsString();
  return query::Seal(query::Sealed::kRowStream, content, call.engine.page_token_key(), now);
}

absl::Status OpenStream(const Call& call, const std::string& name, Request* request, Part* part) {
  if (name.empty()) return InvalidField("stream", "is required");
  if (name.size() > kMaxStreamName) return InvalidField("stream", "longer than any stream's name");
  auto content = query::Unseal(query::Sealed::kRowStream, name, call.engine.page_token_key(),
                               absl::Now(), "stream", kRemedy);
  if (!content.ok()) return content.status();
  size_t at = 0;
  for (int64_t* number : {&part->after, &part->to, &part->erasure}) {
    *number = query::GetInt64(absl::string_view(*content).substr(std::min(at, content->size())));
    at += sizeof *number;
  }
  if (content->size() < at || !request->ParseFromString(content->substr(at))) {
    return absl::InternalError("a sealed stream that can't be read");
  }
  return absl::OkStatus();
}

// Where one stream ends and the next begins: revisions, in order, without the first and last.
absl::StatusOr<std::vector<store::Revision>> Cuts(const Call& call,
                                                  const engine::Resource& resource,
                                                  store::Revision revision, int streams) {
  std::vector<store::Revision> cuts;
  if (streams <= 1) return cuts;
  auto reader = call.engine.LeaseReader();
  if (!reader.ok()) return reader.status();
  auto sample = (*reader)->SampleSince(resource.collection, streams * kSampleOfStream);
  if (!sample.ok()) return sample.status();
  sample->erase(std::upper_bound(sample->begin(), sample->end(), revision), sample->end());
  for (int i = 1; i < streams; ++i) {
    if (sample->empty()) break;
    const store::Revision cut = (*sample)[sample->size() * i / streams];
    if (cut < revision && (cuts.empty() || cut > cuts.back())) cuts.push_back(cut);
  }
  return cuts;
}

// -1 where only reading them could tell.
absl::StatusOr<int64_t> CountRows(const Call& call, const Session& session,
                                  const Selected& selected) {
  columnar::RowQuery query;
  query.resource = session.resource;
  query.filter = session.filter;
  query.show_deleted = selected.selection.show_deleted;
  query.view = selected.selection.view;
  query.check = selected.selection.check;
  auto cached = columnar::CountCached(call.engine, call.columns, query);
  if (!cached.ok()) return cached.status();
  if (cached->has_value()) return **cached;
  if (!selected.exact()) return -1;
  auto count = call.engine.Count(*session.resource, selected.selection);
  // Without the columns that it would count by the rows can still be read.
  if (ReasonOf(count.status()) == v1::STORE_READ_ONLY) return -1;
  return count;
}

absl::StatusOr<Bytes> CreateReadSession(const Call& call) {
  auto& request = static_cast<Request&>(call.request);
  auto session = Check(call, request);
  if (!session.ok()) return session.status();
  auto view = ViewOf(call);
  if (!view.ok()) return view.status();
  auto selected = SelectedOf(call, *session->resource);
  if (!selected.ok()) return selected.status();
  selected->selection.view = *view;

  v1::CreateReadSessionResponse response;
  response.set_revision(view->revision);
  const absl::Time now = absl::Now();
  *response.mutable_expire_time() = TimestampOf(absl::ToUnixMicros(now + query::kSealLifetime));
  auto format = FormatOf(call, *session, request, view->revision);
  if (!format.ok()) return format.status();
  response.set_arrow_schema(format->schema());

  Part part;
  {
    auto reader = call.engine.LeaseReader();
    if (!reader.ok()) return reader.status();
    auto erasure = (*reader)->LastErasure();
    if (!erasure.ok()) return erasure.status();
    part.erasure = *erasure;
  }
  bool none = view->revision == 0;
  if (request.return_row_count()) {
    auto count = CountRows(call, *session, *selected);
    if (!count.ok()) return count.status();
    if (*count >= 0) {
      response.set_row_count(request.row_limit() > 0 ? std::min(*count, request.row_limit())
                                                     : *count);
    }
    none = *count == 0;
  }
  if (!none) {
    auto cuts = Cuts(call, *session->resource, view->revision,
                     std::min(request.max_stream_count(), kMaxStreams));
    if (!cuts.ok()) return cuts.status();
    cuts->push_back(view->revision);
    request.mutable_at()->set_revision(view->revision);
    for (const store::Revision cut : *cuts) {
      part.to = cut;
      response.add_streams()->set_name(SealStream(call, request, part, now));
      part.after = cut;
    }
  }
  return std::make_shared<std::string>(response.SerializeAsString());
}

// The messages of ReadRows: the numbers, then the bytes of Arrow as they are.
class ReadRowsStream : public MessageStream {
 public:
  ReadRowsStream(engine::Engine& engine, columnar::Cache& cache, columnar::RowQuery query,
                 columnar::RowFormat format, store::Revision erasure)
      : rows_(engine, cache, std::move(query), std::move(format), erasure) {}

  absl::StatusOr<std::optional<Pieces>> Next() override {
    auto next = rows_.Next();
    if (!next.ok()) return next.status();
    if (!next->has_value()) return std::nullopt;
    columnar::Rows& rows = **next;
    v1::ReadRowsResponse numbers;
    numbers.set_offset(rows.offset);
    numbers.set_row_count(rows.count);
    auto head = std::make_shared<std::string>(numbers.SerializeAsString());
    AppendVarint(v1::ReadRowsResponse::kArrowStreamFieldNumber << 3 | 2, head.get());
    AppendVarint(rows.stream.bytes, head.get());
    Pieces pieces;
    pieces.reserve(rows.stream.parts.size() + 1);
    pieces.push_back({*head, head});
    for (columnar::Part& part : rows.stream.parts) {
      pieces.push_back({part.bytes, std::move(part.owner)});
    }
    return pieces;
  }

 private:
  static void AppendVarint(uint64_t value, std::string* out) {
    uint8_t buffer[10];
    uint8_t* end = CodedOutputStream::WriteVarint64ToArray(value, buffer);
    out->append(reinterpret_cast<char*>(buffer), end - buffer);
  }

  columnar::RowStream rows_;
};

}  // namespace

void HandleCreateReadSession(const Call& call, Done done) { done(CreateReadSession(call)); }

absl::StatusOr<std::unique_ptr<MessageStream>> OpenReadRows(const Call& call) {
  const auto& request = static_cast<const v1::ReadRowsRequest&>(call.request);
  Request of;
  Part part;
  absl::Status status = OpenStream(call, request.stream(), &of, &part);
  if (request.offset() < 0) {
    Collect(InvalidField("offset", absl::StrCat("from 0 on expected, got ", request.offset())),
            &status);
  }
  if (!status.ok()) return status;
  auto session = Check(call, of);
  if (!session.ok()) return session.status();
  const store::Revision revision = of.at().revision();
  auto format = FormatOf(call, *session, of, revision);
  if (!format.ok()) return format.status();
  columnar::RowQuery query;
  query.resource = session->resource;
  query.filter = session->filter;
  query.show_deleted = of.show_deleted();
  query.view.revision = revision;
  query.after = part.after;
  query.to = part.to;
  query.offset = request.offset();
  query.row_limit = of.row_limit();
  query.check = [context = call.context] { return CheckCall(context); };
  return std::make_unique<ReadRowsStream>(call.engine, call.columns, std::move(query),
                                          *std::move(format), part.erasure);
}

}  // namespace detente::api
