// A gRPC server whose answers a test writes as a function of method and bytes: what servers do that
// ours does not.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace detente {

class ByteServer {
 public:
  struct Call {
    std::string method;
    std::multimap<std::string, std::string> metadata;
    std::string request;
  };
  // Fills `response`, which is sent if the status is OK. Runs on gRPC's threads, several at a time.
  using Answer = std::function<grpc::Status(const Call& call, std::string* response)>;

  // Calls of methods that end in "/Hang" get none. Port 0 = any that is free.
  explicit ByteServer(
      Answer answer,
      std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials(),
      int port = 0);
  ~ByteServer();

  int port() const { return port_; }
  std::string target() const { return "localhost:" + std::to_string(port_); }

 private:
  class Service;
  class Reactor;
  std::unique_ptr<Service> service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace detente
