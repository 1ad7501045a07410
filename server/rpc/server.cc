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
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "access/actor.h"
#include "error/error.h"
#include "executor/executor.h"
#include "rpc/exchange_call.h"
#include "rpc/wire.h"

namespace detente::rpc {
namespace {

using grpc::ByteBuffer;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

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

// One call that sends a stream. A message is made by the executor while gRPC writes the one before;
// no more are held, however slowly they are read. Freed when nothing is being made or written.
class StreamCall : public grpc::ServerWriteReactor<ByteBuffer> {
 public:
  StreamCall(const api::HandlerTable& handlers, const api::Method& method, Executor& executor,
             CallsInFlight& calls)
      : handlers_(handlers), method_(method), executor_(executor), calls_(calls) {
    ++calls_.count;
  }

  // Fails at once, before Start.
  void Refuse(const absl::Status& status) { Finish(ToGrpc(status)); }

  void Start(RequestBytes request, api::CallContext context) {
    request_ = std::move(request);
    context_ = std::move(context);
    context_.cancelled = [this] { return cancelled_.load(std::memory_order_relaxed); };
    Step([this] { Make(); });
  }

  void OnCancel() override { cancelled_.store(true, std::memory_order_relaxed); }
  void OnWriteDone(bool ok) override {
    Step([&] {
      writing_ = false;
      if (!ok) broken_ = true;
    });
  }
  void OnDone() override {
    --calls_.count;
    delete this;
  }

 private:
  using Message = absl::StatusOr<std::optional<api::Pieces>>;

  // One change of the state, and what follows from it. This may be gone when it returns.
  void Step(absl::FunctionRef<void()> change) {
    std::optional<grpc::Status> end;
    {
      const std::lock_guard lock(mutex_);
      change();
      end = GoOn();
    }
    if (end.has_value()) Finish(*end);
  }

  // Under mutex_, as GoOn.
  void Make() {
    making_ = true;
    absl::AnyInvocable<void()> task = [this] {
      Message made = Next();
      Step([&] {
        made_ = std::move(made);
        making_ = false;
      });
    };
    if (executor_.Submit(task)) return;
    made_ = QueueFull("store", absl::Milliseconds(100));
    making_ = false;
  }

  // How the call ends, where it does.
  std::optional<grpc::Status> GoOn() {
    if (making_ || writing_) return std::nullopt;
    if (broken_) return grpc::Status::CANCELLED;
    if (!made_.ok()) return ToGrpc(made_.status());
    if (!made_->has_value()) return grpc::Status::OK;
    std::vector<grpc::Slice> slices;
    slices.reserve((*made_)->size());
    for (const api::Piece& piece : **made_) slices.push_back(SliceOf(piece));
    ByteBuffer(slices.data(), slices.size()).Swap(&buffer_);
    made_ = std::nullopt;
    writing_ = true;
    StartWrite(&buffer_);
    Make();
    return std::nullopt;
  }

  // By the executor, without the mutex.
  Message Next() {
    if (stream_ == nullptr) {
      auto opened = handlers_.Open(method_, request_.view(), context_);
      if (!opened.ok()) return opened.status();
      stream_ = *std::move(opened);
    }
    return stream_->Next();
  }

  const api::HandlerTable& handlers_;
  const api::Method& method_;
  Executor& executor_;
  CallsInFlight& calls_;
  std::atomic<bool> cancelled_ = false;
  RequestBytes request_;
  api::CallContext context_;
  std::unique_ptr<api::MessageStream> stream_;  // of the task that makes the next message

  std::mutex mutex_;
  bool making_ = false;
  bool writing_ = false;
  bool broken_ = false;  // gRPC could not write
  Message made_ = std::nullopt;
  ByteBuffer buffer_;  // gRPC's while it writes
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
      const auto shape = api::HandlerTable::ShapeOf(*method);
      if (shape == api::HandlerTable::Shape::kExchange) {
        AddMethod(new grpc::internal::RpcServiceMethod(
            paths_.back().c_str(), grpc::internal::RpcMethod::BIDI_STREAMING, nullptr));
        MarkMethodRawCallback(i, new grpc::internal::CallbackBidiHandler<ByteBuffer, ByteBuffer>(
                                     [this, method](CallbackServerContext* context) {
                                       return HandleExchange(*method, context);
                                     }));
        continue;
      }
      if (shape == api::HandlerTable::Shape::kStream) {
        AddMethod(new grpc::internal::RpcServiceMethod(
            paths_.back().c_str(), grpc::internal::RpcMethod::SERVER_STREAMING, nullptr));
        MarkMethodRawCallback(
            i, new grpc::internal::CallbackServerStreamingHandler<ByteBuffer, ByteBuffer>(
                   [this, method](CallbackServerContext* context, const ByteBuffer* request) {
                     return HandleStream(*method, context, const_cast<ByteBuffer*>(request));
                   }));
        continue;
      }
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
      reactor->Finish(ToGrpc(Unreadable()));
      return reactor;
    }
    if (auto cached = handlers_.Cached(method, bytes.view())) {
      ServerUnaryReactor* reactor = context->DefaultReactor();
      Answer(reactor, response, *std::move(cached));
      return reactor;
    }
    auto* call = new UnaryCall(calls_);
    absl::StatusOr<api::CallContext> admitted = Admit(*context);
    if (!admitted.ok()) {
      Answer(call, response, admitted.status());
      return call;
    }
    api::CallContext call_context = *std::move(admitted);
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

  grpc::ServerWriteReactor<ByteBuffer>* HandleStream(const api::Method& method,
                                                     CallbackServerContext* context,
                                                     ByteBuffer* request) {
    auto* call = new StreamCall(handlers_, method, executor_, calls_);
    RequestBytes bytes;
    absl::StatusOr<api::CallContext> admitted = Admit(*context);
    if (!bytes.Read(request)) {
      call->Refuse(Unreadable());
    } else if (!admitted.ok()) {
      call->Refuse(admitted.status());
    } else {
      call->Start(std::move(bytes), *std::move(admitted));
    }
    return call;
  }

  grpc::ServerBidiReactor<ByteBuffer, ByteBuffer>* HandleExchange(const api::Method& method,
                                                                  CallbackServerContext* context) {
    auto* call = new ExchangeCall(handlers_, method, executor_, calls_);
    absl::StatusOr<api::CallContext> admitted = Admit(*context);
    if (admitted.ok()) {
      call->Start(*std::move(admitted));
    } else {
      call->Refuse(admitted.status());
    }
    return call;
  }

  // Who is calling, and until when.
  absl::StatusOr<api::CallContext> Admit(const CallbackServerContext& context) const {
    if (calls_.draining) return GoingDown();
    absl::StatusOr<std::string> caller = CallerOf(context);
    if (!caller.ok()) return caller.status();
    api::CallContext call;
    call.caller = *std::move(caller);
    call.deadline = DeadlineOf(context);
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
