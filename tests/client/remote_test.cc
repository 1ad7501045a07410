#include "detente/client/remote.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "byte_server.h"
#include "error/error.h"
#include "gmock/gmock.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"

namespace detente {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kEcho[] = "/test.Bytes/Echo";
constexpr char kHang[] = "/test.Bytes/Hang";

grpc::Status Echo(const ByteServer::Call& call, std::string* response) {
  *response = call.request;
  return grpc::Status::OK;
}

std::unique_ptr<Connection> ConnectOrDie(absl::string_view target,
                                         const ConnectOptions& options = {}) {
  absl::StatusOr<std::unique_ptr<Connection>> connection = Connect(target, options);
  EXPECT_TRUE(connection.ok()) << connection.status();
  return *std::move(connection);
}

TEST(RemoteTest, BytesGoThereAndBack) {
  ByteServer server(Echo);
  const auto connection = ConnectOrDie(server.target());
  EXPECT_EQ(connection->Target(), server.target());
  for (const size_t size : {0, 1, 600, 4 << 20, 15 << 20}) {
    const std::string bytes(size, 'x');
    const absl::StatusOr<std::string> response = connection->Call(kEcho, bytes, {});
    if (size > (4 << 20)) {  // more than a server of ours takes
      EXPECT_EQ(response.status().code(), absl::StatusCode::kResourceExhausted);
    } else {
      ASSERT_TRUE(response.ok()) << response.status();
      EXPECT_TRUE(*response == bytes);
    }
  }
}

TEST(RemoteTest, TakesAnswersUpTo16MiB) {
  ByteServer server([](const ByteServer::Call&, std::string* response) {
    *response = std::string((16 << 20) - 16, 'x');
    return grpc::Status::OK;
  });
  const auto connection = ConnectOrDie(server.target());
  const absl::StatusOr<std::string> response = connection->Call(kEcho, "", {});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->size(), size_t{(16 << 20) - 16});
}

TEST(RemoteTest, DetailsOfAFailureArePayloads) {
  const absl::Status failure = Error(absl::StatusCode::kNotFound, v1::RECORD_NOT_FOUND,
                                     "releases/x: no such record", {{"name", "releases/x"}});
  ByteServer server([&](const ByteServer::Call&, std::string*) {
    const google::rpc::Status status = ToRpcStatus(failure);
    return grpc::Status(grpc::StatusCode::NOT_FOUND, status.message(), status.SerializeAsString());
  });
  const auto connection = ConnectOrDie(server.target());
  EXPECT_EQ(connection->Call(kEcho, "", {}).status(), failure);
}

TEST(RemoteTest, AFailureWithoutDetailsNamesTheTarget) {
  ByteServer server([&](const ByteServer::Call&, std::string*) {
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "no", "not a status");
  });
  const auto connection = ConnectOrDie(server.target());
  EXPECT_EQ(connection->Call(kEcho, "", {}).status(),
            absl::PermissionDeniedError(absl::StrCat(server.target(), ": no")));
}

TEST(RemoteTest, TriesAgainWhileUnavailable) {
  std::atomic<int> calls = 0;
  ByteServer server([&](const ByteServer::Call& call, std::string* response) {
    if (++calls < 4) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "going down");
    return Echo(call, response);
  });
  const std::string request(1 << 20, 'x');
  const auto patient = ConnectOrDie(server.target());
  const absl::StatusOr<std::string> response = patient->Call(kEcho, request, {});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(*response == request);
  EXPECT_EQ(calls, 4);

  calls = 0;
  const auto once = ConnectOrDie(server.target(), {.attempts = 1});
  EXPECT_EQ(once->Call(kEcho, "", {}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(calls, 1);
}

TEST(RemoteTest, TriesNothingElseAgain) {
  std::atomic<int> calls = 0;
  ByteServer server([&](const ByteServer::Call&, std::string*) {
    ++calls;
    return grpc::Status(grpc::StatusCode::ABORTED, "stale etag");
  });
  const auto connection = ConnectOrDie(server.target());
  EXPECT_EQ(connection->Call(kEcho, "", {}).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(calls, 1);
}

TEST(RemoteTest, NobodyListensIsUnavailable) {
  std::string target;
  {
    ByteServer server(Echo);
    target = server.target();
  }
  const auto connection = ConnectOrDie(target);
  const absl::Status status = connection->Call(kEcho, "", {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), StartsWith(target));
}

TEST(RemoteTest, FindsAServerThatIsBack) {
  auto server = std::make_unique<ByteServer>(Echo);
  const int port = server->port();
  const auto connection = ConnectOrDie(server->target());
  EXPECT_TRUE(connection->Call(kEcho, "", {}).ok());

  server.reset();
  EXPECT_EQ(connection->Call(kEcho, "", {}).status().code(), absl::StatusCode::kUnavailable);

  std::thread restart([&] {
    absl::SleepFor(absl::Milliseconds(100));
    server = std::make_unique<ByteServer>(Echo, grpc::InsecureServerCredentials(), port);
  });
  const absl::Time start = absl::Now();
  while (!connection->Call(kEcho, "", {}).ok() && absl::Now() - start < absl::Seconds(10)) {
  }
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  restart.join();
}

TEST(RemoteTest, TheTokenGoesWithEveryCall) {
  ByteServer server([](const ByteServer::Call& call, std::string* response) {
    const auto it = call.metadata.find("authorization");
    *response = it == call.metadata.end() ? "none" : it->second;
    return grpc::Status::OK;
  });
  const auto with = ConnectOrDie(server.target(), {.token = "secret"});
  EXPECT_EQ(*with->Call(kEcho, "", {}), "Bearer secret");
  const auto without = ConnectOrDie(server.target());
  EXPECT_EQ(*without->Call(kEcho, "", {}), "none");
}

TEST(RemoteTest, TheActorGoesWithEveryCall) {
  ByteServer server([](const ByteServer::Call& call, std::string* response) {
    const auto it = call.metadata.find("detente-actor");
    *response = it == call.metadata.end() ? "none" : it->second;
    return grpc::Status::OK;
  });
  const auto with = ConnectOrDie(server.target(), {.actor = "Ada Ł. 100%"});
  EXPECT_EQ(*with->Call(kEcho, "", {}), "Ada%20%C5%81.%20100%25");
  const auto without = ConnectOrDie(server.target());
  EXPECT_EQ(*without->Call(kEcho, "", {}), "none");
  for (const std::string& bad : {std::string(257, 'a'), std::string("\xff")}) {
    EXPECT_EQ(Connect(server.target(), {.actor = bad}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(RemoteTest, ACallEndsAtItsTimeout) {
  ByteServer server(Echo);
  const auto connection = ConnectOrDie(server.target(), {.timeout = absl::Milliseconds(100)});
  const absl::Time start = absl::Now();
  EXPECT_EQ(connection->Call(kHang, "", {}).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(connection->Call(kHang, "", {.timeout = absl::Milliseconds(200)}).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  const absl::Duration took = absl::Now() - start;
  EXPECT_GE(took, absl::Milliseconds(290));
  EXPECT_LT(took, absl::Seconds(5));
}

TEST(RemoteTest, ItsCallerCancelsACall) {
  ByteServer server(Echo);
  const auto connection = ConnectOrDie(server.target());
  int asked = 0;
  const absl::Status status =
      connection->Call(kHang, "", {.cancelled = [&] { return ++asked == 3; }}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(status.message()), HasSubstr("caller"));
  EXPECT_EQ(asked, 3);
}

TEST(RemoteTest, AFastCallIsNeverAskedWhetherItIsCancelled) {
  ByteServer server(Echo);
  const auto connection = ConnectOrDie(server.target());
  ASSERT_TRUE(connection->Call(kEcho, "", {}).ok());
  int asked = 0;
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(connection->Call(kEcho, "", {.cancelled = [&] { return ++asked > 0; }}).ok());
  }
  EXPECT_EQ(asked, 0);
}

TEST(RemoteTest, CloseEndsTheCallsOfOtherThreads) {
  ByteServer server(Echo);
  const auto connection = ConnectOrDie(server.target());
  std::atomic<int> ended = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const absl::Status status = connection->Call(kHang, "", {}).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
      EXPECT_THAT(std::string(status.message()), HasSubstr("closed"));
      ++ended;
    });
  }
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_EQ(ended, 0);
  connection->Close();
  connection->Close();
  EXPECT_EQ(connection->Call(kEcho, "", {}).status().code(), absl::StatusCode::kFailedPrecondition);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ended, 8);
}

TEST(RemoteTest, AStartedCallEndsOnce) {
  ByteServer server(Echo);
  const auto connection = ConnectOrDie(server.target());
  std::mutex mutex;
  std::map<std::string, std::vector<absl::StatusOr<std::string>>> ended;
  const auto start = [&](const char* what, const char* method, const CallOptions& options) {
    return connection->Start(method, what, options, [&, what](absl::StatusOr<std::string> result) {
      const std::lock_guard lock(mutex);
      ended[what].push_back(std::move(result));
    });
  };
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return ended.size();
  };
  const std::function<void()> echoed = start("echo", kEcho, {});
  start("late", kHang, {.timeout = absl::Milliseconds(50)});
  const std::function<void()> cancel = start("cancelled", kHang, {});
  cancel();
  cancel();
  while (count() < 3) absl::SleepFor(absl::Milliseconds(1));
  echoed();  // it has ended
  start("closed", kHang, {});
  connection->Close();
  start("after", kEcho, {});
  ASSERT_EQ(ended["echo"].size(), 1);
  EXPECT_EQ(ended["echo"][0].value(), "echo");
  for (const auto& [what, code, text] :
       std::vector<std::tuple<const char*, absl::StatusCode, const char*>>{
           {"late", absl::StatusCode::kDeadlineExceeded, ""},
           {"cancelled", absl::StatusCode::kCancelled, "caller"},
           {"closed", absl::StatusCode::kCancelled, "was closed"},
           {"after", absl::StatusCode::kFailedPrecondition, "closed"}}) {
    ASSERT_EQ(ended[what].size(), 1) << what;
    const absl::Status status = ended[what][0].status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }
}

TEST(RemoteTest, ClosedFromWithinACall) {
  ByteServer server(Echo);
  const auto connection = ConnectOrDie(server.target());
  const absl::Status status = connection
                                  ->Call(kHang, "",
                                         {.cancelled =
                                              [&] {
                                                connection->Close();
                                                return false;
                                              }})
                                  .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
}

TEST(RemoteTest, RefusesOptionsThatCannotBeRight) {
  const auto code = [](absl::string_view target, const ConnectOptions& options = {}) {
    return Connect(target, options).status().code();
  };
  for (const char* target :
       {"", "localhost", "[::1]", ":7400", "localhost:", "localhost:http", "localhost:0",
        "localhost:70000", "https://example.org:443", "grpc://localhost:7400", "dns:example.org"}) {
    EXPECT_EQ(code(target), absl::StatusCode::kInvalidArgument) << target;
  }
  for (const char* target : {"localhost:7400", "[::1]:7400", "unix:/run/detente.sock",
                             "dns:///example.org:443", "ipv4:127.0.0.1:7400"}) {
    EXPECT_EQ(code(target), absl::StatusCode::kOk) << target;
  }
  EXPECT_EQ(code("localhost:7400", {.attempts = 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("localhost:7400", {.ca_cert = "x.pem"}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("example.org:443", {.ca_cert = "/no/such.pem"}), absl::StatusCode::kNotFound);
}

TEST(RemoteTest, Loopback) {
  for (const char* target :
       {"localhost:7400", "LOCALHOST:7400", "127.0.0.1:7400", "127.1.2.3:1", "[::1]:7400",
        "unix:/run/detente.sock", "unix-abstract:detente", "dns:///localhost:7400",
        "ipv4:127.0.0.1:7400", "ipv6:[::1]:7400", "dns://8.8.8.8/localhost:7400"}) {
    EXPECT_TRUE(IsLoopback(target)) << target;
  }
  for (const char* target :
       {"example.org:443", "localhost.example.org:443", "127.0.0.1.example.org:443",
        "10.0.0.1:7400", "[::2]:7400", "unixhost:7400", "dns:///example.org:443",
        "dns://127.0.0.1/example.org:443", "0.0.0.0:7400"}) {
    EXPECT_FALSE(IsLoopback(target)) << target;
  }
}

// A key and a certificate of "localhost" that signs itself, in PEM.
struct Identity {
  std::string key;
  std::string certificate;
};

std::string Pem(const std::function<void(BIO*)>& write) {
  BIO* bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio, &data);
  std::string pem(data, size);
  BIO_free(bio);
  return pem;
}

Identity NewIdentity() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, &context, NID_subject_alt_name, "DNS:localhost");
  X509_add_ext(certificate, names, -1);
  X509_sign(certificate, key, EVP_sha256());
  Identity identity = {
      .key = Pem([&](BIO* bio) {
        PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
      }),
      .certificate = Pem([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); }),
  };
  X509_EXTENSION_free(names);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return identity;
}

TEST(RemoteTest, TlsTrustsTheGivenAuthorityAlone) {
  const Identity identity = NewIdentity();
  grpc::SslServerCredentialsOptions ssl;
  ssl.pem_key_cert_pairs.push_back({identity.key, identity.certificate});
  ByteServer server(Echo, grpc::SslServerCredentials(ssl));
  const std::string path = absl::StrCat(testing::TempDir(), "/remote_test_ca.", getpid(), ".pem");
  std::ofstream(path) << identity.certificate;

  const auto trusting = ConnectOrDie(server.target(), {.tls = Tls::kOn, .ca_cert = path});
  const absl::StatusOr<std::string> response = trusting->Call(kEcho, "x", {});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(*response, "x");
  const auto wary = ConnectOrDie(server.target(), {.tls = Tls::kOn, .attempts = 1});
  EXPECT_EQ(wary->Call(kEcho, "x", {}).status().code(), absl::StatusCode::kUnavailable);
  const auto plain = ConnectOrDie(server.target(), {.attempts = 1});
  EXPECT_EQ(plain->Call(kEcho, "x", {}).status().code(), absl::StatusCode::kUnavailable);
  unlink(path.c_str());
}

TEST(RemoteTest, AForkedChildIsToldSo) {
  ByteServer server(Echo);
  auto connection = ConnectOrDie(server.target());
  ASSERT_TRUE(connection->Call(kEcho, "", {}).ok());
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    const bool told = absl::IsFailedPrecondition(connection->Call(kEcho, "", {}).status()) &&
                      absl::IsFailedPrecondition(Connect(server.target()).status());
    connection->Close();
    connection.reset();
    _exit(told ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(connection->Call(kEcho, "", {}).ok());
}

}  // namespace
}  // namespace detente
