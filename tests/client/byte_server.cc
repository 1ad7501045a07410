#include "byte_server.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"

namespace detente {

class ByteServer::Reactor : public grpc::ServerGenericBidiReactor {
 public:
  Reactor(grpc::GenericCallbackServerContext* context, const Answer& answer) : answer_(answer) {
    call_.method = context->method();
    for (const auto& [key, value] : context->client_metadata()) {
      call_.metadata.emplace(std::string(key.data(), key.size()),
                             std::string(value.data(), value.size()));
    }
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (absl::EndsWith(call_.method, "/Hang")) return;
    std::vector<grpc::Slice> slices;
    if (!ok || !request_.Dump(&slices).ok())
      return Finish({grpc::StatusCode::INTERNAL, "no message"});
    for (const grpc::Slice& slice : slices) {
      call_.request.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    std::string response;
    const grpc::Status status = answer_(call_, &response);
    if (!status.ok()) return Finish(status);
    const grpc::Slice slice(response);
    response_ = grpc::ByteBuffer(&slice, 1);
    StartWriteAndFinish(&response_, {}, grpc::Status::OK);
  }

  void OnCancel() override {
    if (absl::EndsWith(call_.method, "/Hang")) Finish(grpc::Status::CANCELLED);
  }

  void OnDone() override { delete this; }

 private:
  const Answer& answer_;
  Call call_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
};

class ByteServer::Service : public grpc::CallbackGenericService {
 public:
  explicit Service(Answer answer) : answer_(std::move(answer)) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    return new Reactor(context, answer_);
  }

 private:
  const Answer answer_;
};

ByteServer::ByteServer(Answer answer, std::shared_ptr<grpc::ServerCredentials> credentials,
                       int port)
    : service_(std::make_unique<Service>(std::move(answer))) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("localhost:" + std::to_string(port), std::move(credentials), &port_);
  builder.RegisterCallbackGenericService(service_.get());
  server_ = builder.BuildAndStart();
}

ByteServer::~ByteServer() { server_->Shutdown(std::chrono::system_clock::now()); }

}  // namespace detente
