// The baseline of the benchmarks: the least that a C++ gRPC server can do. Answers every call of
// /bench.Echo/Get with the same bytes, those of --answer or --size made up, on gRPC's own threads;
// what our server costs beyond it is ours. Serves health and reflection as well. Stops at SIGINT or
// SIGTERM.
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/codegen/service_type.h>
#include <signal.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/synchronization/mutex.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:7401", "address and port, or unix:/path");
ABSL_FLAG(std::string, answer, "", "a file with the bytes of every answer");
ABSL_FLAG(int32_t, size, 600, "how many bytes every answer has, where no file is given");

namespace {

class EchoService : public grpc::Service {
 public:
  explicit EchoService(const std::string& answer) : answer_(MakeAnswer(answer)) {
    AddMethod(new grpc::internal::RpcServiceMethod("/bench.Echo/Get",
                                                   grpc::internal::RpcMethod::NORMAL_RPC, nullptr));
    MarkMethodRawCallback(
        0, new grpc::internal::CallbackUnaryHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
               [this](grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                      grpc::ByteBuffer* response) {
                 grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
                 if (request->Valid()) {
                   *response = answer_;
                   reactor->Finish(grpc::Status::OK);
                 } else {
                   // A call without a message; to read it would abort the process.
                   reactor->Finish({grpc::StatusCode::INTERNAL, "no request message"});
                 }
                 return reactor;
               }));
  }

 private:
  static grpc::ByteBuffer MakeAnswer(const std::string& answer) {
    const grpc::Slice slice(answer);
    return grpc::ByteBuffer(&slice, 1);
  }

  const grpc::ByteBuffer answer_;
};

std::string AnswerOfFlags() {
  const std::string path = absl::GetFlag(FLAGS_answer);
  if (path.empty()) return std::string(absl::GetFlag(FLAGS_size), 'x');
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("bare gRPC server that the benchmarks compare with");
  absl::ParseCommandLine(argc, argv);
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // as our server

  // Before any thread starts, so that all of them leave the signals to sigwait below.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);

  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  EchoService service(AnswerOfFlags());
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(absl::GetFlag(FLAGS_listen), grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::cerr << "cannot listen on " << absl::GetFlag(FLAGS_listen) << "\n";
    return 1;
  }
  std::cout << "listening on port " << port << std::endl;

  int signal = 0;
  sigwait(&stop, &signal);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  return 0;
}
