#include "rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/codegen/rpc_service_method.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/codegen/service_type.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <list>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "access/actor.h"
#include "error/error.h"
#include "rpc/executor.h"

namespace detente::rpc {
namespace {

using grpc::ByteBuffer;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

// A slice that keeps the shared bytes alive instead of copying them.
grpc::Slice SliceOf(const api::Bytes& bytes) {
  constexpr size_t kCopyBelow = 256;  // cheaper than a reference count and a heap block
  if (bytes->size() < kCopyBelow) return grpc::Slice(bytes->data(), bytes->size());
  auto* owner = new api::Bytes(bytes);
  return grpc::Slice(
      const_cast<char*>(bytes->data()), bytes->size(),
      [](void* data) { delete static_cast<api::Bytes*>(data); }, owner);
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
                      ToRpcStatus(status).SerializeAsString());
}

// gRPC's own deadline where it has one.
absl::Time DeadlineOf(const CallbackServerContext& context) {
  return context.deadline() == std::chrono::system_clock::time_point::max()
             ? absl::InfiniteFuture()
             : absl::FromChrono(context.deadline());
}

// Who is calling, as it says.
absl::StatusOr<std::string> CallerOf(const CallbackServerContext& context) {
  const auto [first, last] = context.client_metadata().equal_range(access::kActorMetadata);
  if (first == last) return "";
  if (std::next(first) != last) return InvalidField(access::kActorMetadata, "is given twice");
  return access::DecodeActor({first->second.data(), first->second.size()});
}

// The calls that the executor or the writer have in hand.
struct CallsInFlight {
  std::atomic<int> count = 0;
  std::atomic<bool> draining = false;  // further calls are refused
};

// One call. Freed when gRPC and the handler are both done with it; `cancelled` outlives the
// reactor, for the writer's look at it.
class UnaryCall : public ServerUnaryReactor {
 public:
  explicit UnaryCall(CallsInFlight& calls)
      : calls_(calls), cancelled_(std::make_shared<std::atomic<bool>>(false)) {
    ++calls_.count;
  }

  void OnCancel() override { cancelled_->store(true, std::memory_order_relaxed); }
  void OnDone() override {
    --calls_.count;
    delete this;
  }
  // Neither of the two above waits, so gRPC need not call them in a thread of their own.
  bool InternalInlineable() override { return true; }

  const std::shared_ptr<std::atomic<bool>>& cancelled() const { return cancelled_; }

 private:
  CallsInFlight& calls_;
  std::shared_ptr<std::atomic<bool>> cancelled_;
};

void Answer(ServerUnaryReactor* reactor, ByteBuffer* response, absl::StatusOr<api::Bytes> result) {
  if (result.ok()) {
    grpc::Slice slice = SliceOf(*result);
    ByteBuffer(&slice, 1).Swap(response);
  }
  reactor->Finish(ToGrpc(result.status()));
}

// The bytes of a request: one slice as a rule.
class RequestBytes {
 public:
  // False where gRPC could not read them.
  bool Read(ByteBuffer* request) {
    if (!request->Valid()) return true;  // an absent message reads as an empty one
    if (request->TrySingleSlice(&slice_).ok()) return true;
    return request->DumpToSingleSlice(&slice_).ok();
  }
  absl::string_view view() const {
    return {reinterpret_cast<const char*>(slice_.begin()), slice_.size()};
  }

 private:
  grpc::Slice slice_;
};

// Serves every method of one service of the contract as bytes.
class RawService : public grpc::Service {
 public:
  RawService(const google::protobuf::ServiceDescriptor* descriptor,
             const api::HandlerTable& handlers, Executor& executor, CallsInFlight& calls)
      : handlers_(handlers), executor_(executor), calls_(calls) {
    for (int i = 0; i < descriptor->method_count(); ++i) {
      paths_.push_back(
          absl::StrCat("/", descriptor->full_name(), "/", descriptor->method(i)->name()));
      const api::Method* method = handlers.Find(paths_.back());
      AddMethod(new grpc::internal::RpcServiceMethod(
          paths_.back().c_str(), grpc::internal::RpcMethod::NORMAL_RPC, nullptr));
      MarkMethodRawCallback(i, new grpc::internal::CallbackUnaryHandler<ByteBuffer, ByteBuffer>(
                                   [this, method](CallbackServerContext* context,
                                                  const ByteBuffer* request, ByteBuffer* response) {
                                     return Handle(*method, context,
                                                   const_cast<ByteBuffer*>(request), response);
                                   }));
    }
  }

 private:
  ServerUnaryReactor* Handle(const api::Method& method, CallbackServerContext* context,
                             ByteBuffer* request, ByteBuffer* response) {
    RequestBytes bytes;
    if (!bytes.Read(request)) {
      ServerUnaryReactor* reactor = context->DefaultReactor();
      reactor->Finish(ToGrpc(Error(absl::StatusCode::kInvalidArgument, v1::MALFORMED_REQUEST,
                                   "the request could not be read")));
      return reactor;
    }
    if (auto cached = handlers_.Cached(method, bytes.view())) {
      ServerUnaryReactor* reactor = context->DefaultReactor();
      Answer(reactor, response, *std::move(cached));
      return reactor;
    }
    auto* call = new UnaryCall(calls_);
    if (calls_.draining) {
      Answer(call, response,
             Error(absl::StatusCode::kUnavailable, v1::SHUTTING_DOWN, "the server is going down"));
      return call;
    }
    absl::StatusOr<std::string> caller = CallerOf(*context);
    if (!caller.ok()) {
      Answer(call, response, caller.status());
      return call;
    }
    api::CallContext call_context;
    call_context.caller = *std::move(caller);
    call_context.deadline = DeadlineOf(*context);
    call_context.cancelled = [cancelled = call->cancelled()] {
      return cancelled->load(std::memory_order_relaxed);
    };
    absl::AnyInvocable<void()> task = [this, &method, call, response, bytes = std::move(bytes),
                                       call_context = std::move(call_context)] {
      handlers_.Call(method, bytes.view(), call_context,
                     [call, response](absl::StatusOr<api::Bytes> result) {
                       Answer(call, response, std::move(result));
                     });
    };
    if (!executor_.Submit(task)) {
      Answer(call, response, QueueFull("store", absl::Milliseconds(100)));
    }
    return call;
  }

  const api::HandlerTable& handlers_;
  Executor& executor_;
  CallsInFlight& calls_;
  std::list<std::string> paths_;  // gRPC keeps pointers to them
};

class GrpcServer : public Server {
 public:
  absl::Status Start(api::Instance& instance, const ServerOptions& options) {
    executor_ = std::make_unique<Executor>(options.threads, options.max_waiting_calls);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    int port = -1;
    builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(), &port);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // Clients ask every minute whether the server is still there.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 30'000);
    // A little above the contract's limit, so that the contract's own error is the one that callers
    // see.
    builder.SetMaxReceiveMessageSize(5 << 20);
    for (const auto* service : instance.registry().services()) {
      services_.push_back(
          std::make_unique<RawService>(service, instance.handlers(), *executor_, calls_));
      builder.RegisterService(services_.back().get());
    }
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port < 0 ||
        (port == 0 && !absl::StartsWith(options.listen, "unix:"))) {
      return absl::UnavailableError(
          absl::StrCat("can't listen on ", options.listen,
                       ": the address is taken, not this machine's, or not host:port"));
    }
    if (auto* health = server_->GetHealthCheckService()) {
      for (const auto* service : instance.registry().services()) {
        health->SetServingStatus(service->full_name(), true);
      }
    }
    address_ = port <= 1
                   ? options.listen
                   : absl::StrCat(options.listen.substr(0, options.listen.rfind(':')), ":", port);
    return absl::OkStatus();
  }

  ~GrpcServer() override { Drain(absl::ZeroDuration()); }

  const std::string& address() const override { return address_; }

  void Drain(absl::Duration grace) override {
    if (server_ == nullptr) return;
    if (auto* health = server_->GetHealthCheckService()) health->Shutdown();
    // Shutdown(deadline) would wait for idle clients too: one that makes no call does not see that
    // it is asked to leave.
    calls_.draining = true;
    const absl::Time until = absl::Now() + grace;
    while (calls_.count > 0 && absl::Now() < until) absl::SleepFor(absl::Milliseconds(5));
    server_->Shutdown(absl::ToChronoTime(absl::Now()));
    server_->Wait();
    executor_.reset();
    server_.reset();
  }

 private:
  std::string address_;
  CallsInFlight calls_;
  std::unique_ptr<Executor> executor_;
  std::vector<std::unique_ptr<RawService>> services_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> StartServer(api::Instance& instance,
                                                    const ServerOptions& options) {
  auto server = std::make_unique<GrpcServer>();
  if (absl::Status s = server->Start(instance, options); !s.ok()) return s;
  return server;
}

}  // namespace detente::rpc
