#include "api/handler_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "api/method.h"
#include "api/request.h"
#include "error/error.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/io/coded_stream.h"

namespace detente::api {
namespace {

using google::protobuf::Arena;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

// The name in a request that holds nothing but field 1, as a plain Get's does; empty otherwise.
absl::string_view OnlyName(absl::string_view request) {
  if (request.size() < 2 || request[0] != (1 << 3 | 2)) return {};
  const auto length = static_cast<unsigned char>(request[1]);
  if (length >= 0x80 || request.size() != size_t{2} + length) return {};
  return request.substr(2);
}

// The methods of a resource are told by their names, which the contract fixes.
Handler HandlerOf(const MethodDescriptor* method, const engine::Resource* resource) {
  if (resource == nullptr) {
    static const auto* const across = new absl::flat_hash_map<absl::string_view, Handler>{
        {"BatchWrite", HandleBatchWrite},
        {"GetCommit", HandleGetCommit},
        {"ListCommits", HandleListCommits},
        {"DiffRevisions", HandleDiffRevisions},
        {"CreateSnapshot", HandleCreateSnapshot},
        {"GetSnapshot", HandleGetSnapshot},
        {"ListSnapshots", HandleListSnapshots},
        {"DeleteSnapshot", HandleDeleteSnapshot},
        {"ListSnapshotEntries", HandleListSnapshotEntries},
        {"EraseRecords", HandleEraseRecords},
        {"ListFindings", HandleListFindings},
        {"SearchRecords", HandleSearchRecords},
        {"GetEvidence", HandleGetEvidence},
        {"ListConflicts", HandleListConflicts},
        {"AggregateRecords", HandleAggregateRecords},
        {"ComputeStock", HandleComputeStock},
        {"FindNeighbors", HandleFindNeighbors},
        {"ExplainQuery", HandleExplainQuery},
        {"CreateReadSession", HandleCreateReadSession},
    };
    const auto found = across->find(method->name());
    return found == across->end() ? nullptr : found->second;
  }
  const std::string& one = resource->type->name();
  const std::string& name = method->name();
  if (name == "Get" + one) return HandleGet;
  if (name == "Create" + one) return HandleCreate;
  if (name == "Update" + one) return HandleUpdate;
  if (name == "Delete" + one) return HandleDelete;
  if (name == "Undelete" + one) return HandleUndelete;
  if (name == "Rollback" + one) return HandleRollback;
  if (name == absl::StrCat("List", one, "Revisions")) return HandleListRevisions;
  if (absl::StartsWith(name, "BatchGet")) return HandleBatchGet;
  if (absl::StartsWith(name, "List")) return HandleList;
  return nullptr;
}

StreamHandler StreamHandlerOf(const MethodDescriptor* method) {
  return method->name() == "ReadRows" ? OpenReadRows : nullptr;
}

ExchangeHandler ExchangeHandlerOf(const MethodDescriptor* method) {
  return method->name() == "WriteRows" ? OpenWriteRows : nullptr;
}

}  // namespace

HandlerTable::HandlerTable(engine::Engine& engine, size_t column_cache_bytes)
    : engine_(engine), columns_(std::make_unique<columnar::Cache>(engine, column_cache_bytes)) {
  const engine::Registry& registry = engine.registry();
  for (const auto* service : registry.services()) {
    const auto found = std::find_if(registry.resources().begin(), registry.resources().end(),
                                    [&](const auto& r) { return r->service == service; });
    const engine::Resource* resource = found == registry.resources().end() ? nullptr : found->get();
    for (int i = 0; i < service->method_count(); ++i) {
      const MethodDescriptor* descriptor = service->method(i);
      auto method = std::make_unique<Method>();
      method->descriptor = descriptor;
      method->resource = resource;
      method->request = google::protobuf::MessageFactory::generated_factory()->GetPrototype(
          descriptor->input_type());
      method->handle = HandlerOf(descriptor, resource);
      method->open = StreamHandlerOf(descriptor);
      method->exchange = ExchangeHandlerOf(descriptor);
      methods_.emplace(absl::StrCat("/", service->full_name(), "/", descriptor->name()),
                       std::move(method));
    }
  }
}

HandlerTable::~HandlerTable() = default;

const Method* HandlerTable::Find(absl::string_view path) const {
  auto found = methods_.find(path);
  return found == methods_.end() ? nullptr : found->second.get();
}

std::vector<std::string> HandlerTable::Paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, method] : methods_) paths.push_back(path);
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::optional<Bytes> HandlerTable::Cached(const Method& method, absl::string_view request) const {
  if (method.handle != HandleGet) return std::nullopt;
  absl::string_view name = OnlyName(request);
  if (!absl::StartsWith(name, method.resource->collection) ||
      name.substr(method.resource->collection.size(), 1) != "/") {
    return std::nullopt;
  }
  Bytes bytes = engine_.Cached(name);
  if (bytes == nullptr) return std::nullopt;
  return bytes;
}

absl::StatusOr<Message*> HandlerTable::Parse(const Method& method, absl::string_view request,
                                             const CallContext& context, Arena* arena) const {
  if (absl::Status status = CheckCall(context); !status.ok()) return status;
  if (method.handle == nullptr && method.open == nullptr && method.exchange == nullptr) {
    return Error(absl::StatusCode::kUnimplemented, v1::METHOD_NOT_IMPLEMENTED,
                 absl::StrCat(method.descriptor->full_name(), " is not served yet"),
                 {{"feature", method.descriptor->full_name()}});
  }
  if (request.size() > kMaxRequestBytes) {
    return Error(
        absl::StatusCode::kInvalidArgument, v1::LIMIT_EXCEEDED,
        absl::StrCat("a request takes at most ", kMaxRequestBytes, " bytes, got ", request.size()));
  }
  Message* message = method.request->New(arena);
  if (!message->ParseFromArray(request.data(), static_cast<int>(request.size()))) {
    return Error(absl::StatusCode::kInvalidArgument, v1::MALFORMED_REQUEST,
                 absl::StrCat("the bytes are not a ", method.descriptor->input_type()->name(),
                              " (cut off, invalid UTF-8 in a string, or nested more than 100 "
                              "deep)"));
  }
  return message;
}

namespace {

// Its failures are fit to be seen.
Done Presenting(Done answer) {
  return [answer = std::move(answer)](absl::StatusOr<Bytes> result) mutable {
    if (!result.ok()) result = Presentable(result.status());
    answer(std::move(result));
  };
}

}  // namespace

void HandlerTable::Call(const Method& method, absl::string_view request, const CallContext& context,
                        Done answer) const {
  Done done = Presenting(std::move(answer));
  Arena arena;
  auto message = Parse(method, request, context, &arena);
  if (!message.ok()) return done(message.status());
  if (method.handle == nullptr) return done(absl::InternalError("a stream was called"));
  method.handle({engine_, *columns_, method, context, **message}, std::move(done));
}

namespace {

// Its failures are fit to be seen.
class PresentableStream : public MessageStream {
 public:
  explicit PresentableStream(std::unique_ptr<MessageStream> stream) : stream_(std::move(stream)) {}
  absl::StatusOr<std::optional<Pieces>> Next() override {
    auto next = stream_->Next();
    if (!next.ok()) return Presentable(next.status());
    return next;
  }

 private:
  std::unique_ptr<MessageStream> stream_;
};

class PresentableExchange : public ExchangeStream {
 public:
  explicit PresentableExchange(std::unique_ptr<ExchangeStream> stream)
      : stream_(std::move(stream)) {}
  void Take(absl::string_view message, Done done) override {
    stream_->Take(message, Presenting(std::move(done)));
  }

 private:
  std::unique_ptr<ExchangeStream> stream_;
};

}  // namespace

HandlerTable::Shape HandlerTable::ShapeOf(const Method& method) {
  if (!method.descriptor->server_streaming()) return Shape::kCall;
  return method.descriptor->client_streaming() ? Shape::kExchange : Shape::kStream;
}

absl::StatusOr<std::unique_ptr<MessageStream>> HandlerTable::Open(
    const Method& method, absl::string_view request, const CallContext& context) const {
  Arena arena;
  auto message = Parse(method, request, context, &arena);
  if (!message.ok()) return Presentable(message.status());
  auto stream = method.open({engine_, *columns_, method, context, **message});
  if (!stream.ok()) return Presentable(stream.status());
  return std::make_unique<PresentableStream>(*std::move(stream));
}

absl::StatusOr<std::unique_ptr<ExchangeStream>> HandlerTable::OpenExchange(
    const Method& method, absl::string_view first, const CallContext& context) const {
  Arena arena;
  auto message = Parse(method, first, context, &arena);
  if (!message.ok()) return Presentable(message.status());
  auto stream = method.exchange({engine_, *columns_, method, context, **message});
  if (!stream.ok()) return Presentable(stream.status());
  return std::make_unique<PresentableExchange>(*std::move(stream));
}

}  // namespace detente::api
