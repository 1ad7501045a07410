#include "detente/client/remote.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <mutex>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "access/actor.h"
#include "detente/client/fork.h"
#include "detente/client/live_calls.h"
#include "detente/client/remote_state.h"

namespace detente {
namespace {

constexpr int kMaxResponseBytes = 16 << 20;
// Requests up to the server's limit stay in memory until they need no retry.
constexpr int kRetryBufferBytes = 5 << 20;

bool IsUnixSocket(absl::string_view target) {
  return absl::StartsWith(target, "unix:") || absl::StartsWith(target, "unix-abstract:");
}

// What comes before the name itself: "dns:///" or "dns://authority/", "ipv4:".
absl::string_view WithoutScheme(absl::string_view target) {
  for (const absl::string_view scheme : {"dns:", "ipv4:", "ipv6:"}) {
    if (absl::ConsumePrefix(&target, scheme)) {
      if (absl::ConsumePrefix(&target, "//")) {
        const size_t slash = target.find('/');
        target.remove_prefix(slash == target.npos ? target.size() : slash + 1);
      }
      break;
    }
  }
  return target;
}

// "[::1]:7400" -> "::1"; "localhost:7400" -> "localhost".
absl::string_view HostOf(absl::string_view address) {
  if (absl::ConsumePrefix(&address, "[")) return address.substr(0, address.find(']'));
  return address.substr(0, address.rfind(':'));
}

absl::Status CheckTarget(absl::string_view target) {
  const auto invalid = [target](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("target \"", target, "\": ", what));
  };
  if (target.empty()) return invalid("host:port expected");
  for (const absl::string_view scheme : {"http://", "https://", "grpc://", "grpcs://"}) {
    if (absl::StartsWithIgnoreCase(target, scheme)) {
      return invalid(absl::StrCat("host:port expected, without ", scheme));
    }
  }
  if (IsUnixSocket(target) || absl::StrContains(target, "://")) {
    return absl::OkStatus();
  }
  const absl::string_view address = WithoutScheme(target);
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == address.npos || absl::EndsWith(address, "]")) {
    return invalid("no port; host:port expected");
  }
  if (colon == 0) return invalid("no host; host:port expected");
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return invalid("port 1..65535 expected behind the last colon");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return absl::NotFoundError(absl::StrCat("can't read ca_cert ", path));
  }
  return text.str();
}

std::string ServiceConfig(int attempts) {
  return absl::StrFormat(
      R"({"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": %d, "initialBackoff": "0.1s",)"
      R"( "maxBackoff": "2s", "backoffMultiplier": 3, "retryableStatusCodes": ["UNAVAILABLE"]}}]})",
      attempts);
}

grpc::ChannelArguments ChannelArguments(bool loopback, int attempts) {
  grpc::ChannelArguments arguments;
  arguments.SetUserAgentPrefix("detente");
  arguments.SetMaxReceiveMessageSize(kMaxResponseBytes);
  // A server that has vanished without a word is noticed within 80 s, and never while nothing is
  // asked of it.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  // One that is back after a restart is found soon.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  // Connections of different tokens, or of one that was just given up, share nothing.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, kRetryBufferBytes);
  if (attempts > 1) {
    arguments.SetServiceConfigJSON(ServiceConfig(attempts));
  } else {
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  }
  // $http_proxy is for what lies beyond this machine.
  if (loopback) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return arguments;
}

// Waits for the one operation under way, and says how it went; `cancelled` is set if the caller
// cancelled the call.
bool Await(grpc::CompletionQueue& queue, grpc::ClientContext& context, const CallOptions& options,
           bool* cancelled) {
  void* tag;
  bool ok = false;
  while (options.cancelled && !*cancelled) {
    const auto until = absl::ToChronoTime(absl::Now() + kCancelInterval);
    if (queue.AsyncNext(&tag, &ok, until) != grpc::CompletionQueue::TIMEOUT) return ok;
    if (options.cancelled()) {
      context.TryCancel();
      *cancelled = true;
    }
  }
  queue.Next(&tag, &ok);
  return ok;
}

// Either a stream, whose one request is sent at the first read, or an exchange.
class RemoteStream final : public MessageStream, public MessageExchange, public LiveCalls::Idle {
 public:
  RemoteStream(std::shared_ptr<RemoteState> state, absl::string_view method,
               std::optional<absl::string_view> request, const CallOptions& options)
      : state_(std::move(state)), options_(options) {
    if (request.has_value()) request_ = ToBuffer(*request);
    call_ = std::make_unique<Call>();
    SetUp(*state_, options.timeout, &call_->context);
    grpc::GenericStub stub(state_->Channel());
    call_->stream = stub.PrepareCall(&call_->context, std::string(method), &call_->queue);
  }

  ~RemoteStream() override {
    if (CheckEpoch(epoch_).ok()) {
      state_->calls.Remove(this);
      Drop();
    } else {
      Leak(std::move(state_));
      call_.release();  // NOLINT(bugprone-unused-return-value)
    }
  }

  absl::StatusOr<std::optional<std::string>> Next() override {
    if (absl::Status status = CheckEpoch(epoch_); !status.ok()) return status;
    const LiveCalls::Scope scope(state_->calls, [this] { call_->context.TryCancel(); });
    if (!scope.entered()) return ClosedDuring();
    if (call_ == nullptr) return StreamEnded();
    bool ok = Start();
    if (ok && request_.has_value()) {
      call_->stream->WriteLast(*request_, grpc::WriteOptions(), this);
      ok = Await(*call_);
      request_.reset();
    }
    if (ok) {
      grpc::ByteBuffer message;
      call_->stream->Read(&message, this);
      if (Await(*call_)) return ToString(message);
    }
    const grpc::Status result = End();
    if (result.ok()) return std::nullopt;
    return EndOf(*state_, result, cancelled_);
  }

  absl::StatusOr<bool> Send(absl::string_view message) override {
    return Write([&] { call_->stream->Write(ToBuffer(message), this); });
  }

  absl::Status Finish() override {
    return Write([&] { call_->stream->WritesDone(this); }).status();
  }

  void Drop() override {
    if (call_ == nullptr) return;
    call_->context.TryCancel();
    End();
  }

 private:
  struct Call {
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream;
    bool started = false;
  };

  // Whether the call goes on.
  bool Start() {
    if (call_->started) return true;
    call_->started = true;
    call_->stream->StartCall(this);
    return Await(*call_);
  }

  absl::StatusOr<bool> Write(absl::FunctionRef<void()> write) {
    if (absl::Status status = CheckEpoch(epoch_); !status.ok()) return status;
    const LiveCalls::Scope scope(state_->calls, [this] { call_->context.TryCancel(); });
    if (!scope.entered()) return ClosedDuring();
    if (call_ == nullptr) return StreamEnded();
    if (!Start()) return false;
    write();
    return Await(*call_);
  }

  bool Await(Call& call) { return detente::Await(call.queue, call.context, options_, &cancelled_); }

  grpc::Status End() {
    grpc::Status result;
    if (call_->started) {
      call_->stream->Finish(&result, this);
      Await(*call_);
    }
    call_->queue.Shutdown();
    void* tag;
    bool ok;
    while (call_->queue.Next(&tag, &ok)) {
    }
    call_ = nullptr;
    return result;
  }

  const int64_t epoch_ = ForkEpoch();
  std::shared_ptr<RemoteState> state_;
  const CallOptions options_;
  std::optional<grpc::ByteBuffer> request_;  // of a stream, until it is sent
  bool cancelled_ = false;
  std::unique_ptr<Call> call_;  // null once it is over
};

class RemoteConnection final : public Connection {
 public:
  RemoteConnection(absl::string_view target, std::shared_ptr<grpc::Channel> channel,
                   const ConnectOptions& options)
      : state_(std::make_shared<RemoteState>(target, std::move(channel), options)) {}

  ~RemoteConnection() override {
    if (CheckEpoch(epoch_).ok()) {
      Close();
    } else {
      Leak(std::move(state_));
    }
  }

  absl::StatusOr<std::string> Call(absl::string_view method, absl::string_view request,
                                   const CallOptions& options) override {
    if (absl::Status status = CheckEpoch(epoch_); !status.ok()) return status;
    RemoteState& state = *state_;
    grpc::ClientContext context;
    SetUp(state, options.timeout.value_or(state.timeout), &context);
    const LiveCalls::Scope scope(state.calls, [&context] { context.TryCancel(); });
    if (!scope.entered()) return ClosedBefore();
    grpc::GenericStub stub(state.Channel());

    grpc::ByteBuffer response;
    grpc::Status result;
    bool cancelled = false;
    {
      grpc::CompletionQueue queue;
      const auto reader =
          stub.PrepareUnaryCall(&context, std::string(method), ToBuffer(request), &queue);
      reader->StartCall();
      reader->Finish(&response, &result, this);
      Await(queue, context, options, &cancelled);
      queue.Shutdown();
      void* tag;
      bool ok;
      while (queue.Next(&tag, &ok)) {
      }
    }
    if (result.ok()) return ToString(response);
    return EndOf(state, result, cancelled);
  }

  std::function<void()> Start(absl::string_view method, absl::string_view request,
                              const CallOptions& options,
                              std::function<void(absl::StatusOr<std::string>)> done) override {
    if (absl::Status status = CheckEpoch(epoch_); !status.ok()) {
      done(status);
      return [] {};
    }
    return StartCall(state_, method, request, options, std::move(done));
  }

  absl::StatusOr<std::unique_ptr<MessageStream>> Stream(absl::string_view method,
                                                        absl::string_view request,
                                                        const CallOptions& options) override {
    return Opened(method, request, options);
  }

  absl::StatusOr<std::unique_ptr<MessageExchange>> Exchange(absl::string_view method,
                                                            const CallOptions& options) override {
    return Opened(method, std::nullopt, options);
  }

  void Close() override {
    if (!CheckEpoch(epoch_).ok()) return;
    state_->calls.Close();
    state_->Disconnect();
  }

  std::string Target() const override { return state_->target; }

 private:
  absl::StatusOr<std::unique_ptr<RemoteStream>> Opened(absl::string_view method,
                                                       std::optional<absl::string_view> request,
                                                       const CallOptions& options) {
    if (absl::Status status = CheckEpoch(epoch_); !status.ok()) return status;
    const LiveCalls::Scope scope(state_->calls, [] {});
    if (!scope.entered()) return ClosedBefore();
    auto stream = std::make_unique<RemoteStream>(state_, method, request, options);
    if (!state_->calls.Add(stream.get())) return ClosedDuring();
    return stream;
  }

  const int64_t epoch_ = ForkEpoch();
  std::shared_ptr<RemoteState> state_;
};

constinit OneProcess grpc_process("has connected to a server");

}  // namespace

bool IsLoopback(absl::string_view target) {
  if (IsUnixSocket(target)) return true;
  const std::string host = absl::AsciiStrToLower(HostOf(WithoutScheme(target)));
  return host == "localhost" || host == "::1" ||
         (absl::StartsWith(host, "127.") &&
          host.find_first_not_of("0123456789.") == std::string::npos);
}

absl::StatusOr<std::unique_ptr<Connection>> Connect(absl::string_view target,
                                                    const ConnectOptions& options) {
  if (absl::Status status = CheckTarget(target); !status.ok()) return status;
  if (absl::Status status = access::CheckActor(options.actor); !status.ok()) return status;
  if (options.attempts < 1 || options.attempts > 5) {
    return absl::InvalidArgumentError(
        absl::StrCat("attempts: 1..5 expected, got ", options.attempts));
  }
  const bool loopback = IsLoopback(target);
  const bool tls = options.tls == Tls::kOn || (options.tls == Tls::kAuto && !loopback);
  if (!tls && !options.ca_cert.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("ca_cert goes with TLS, which is off for ", target, "; turn it on"));
  }
  grpc::SslCredentialsOptions ssl;
  if (!options.ca_cert.empty()) {
    absl::StatusOr<std::string> pem = ReadFile(options.ca_cert);
    if (!pem.ok()) return pem.status();
    ssl.pem_root_certs = *std::move(pem);
  }
  if (absl::Status status = grpc_process.Claim(); !status.ok()) return status;
  auto channel = grpc::CreateCustomChannel(
      std::string(target), tls ? grpc::SslCredentials(ssl) : grpc::InsecureChannelCredentials(),
      ChannelArguments(loopback, options.attempts));
  return std::make_unique<RemoteConnection>(target, std::move(channel), options);
}

}  // namespace detente
