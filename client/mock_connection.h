// A connection for tests of code that uses Client:
//
//   auto connection = std::make_shared<detente::MockConnection>();
//   EXPECT_CALL(*connection, Call(Eq("/detente.v1.ReleaseService/GetRelease"), _, _))
//       .WillOnce(Return(release.SerializeAsString()));
//   detente::Client client(connection);
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "detente/client/connection.h"
#include "gmock/gmock.h"

namespace detente {

class MockConnection : public Connection {
 public:
  MOCK_METHOD(absl::StatusOr<std::string>, Call,
              (absl::string_view method, absl::string_view request, const CallOptions& options),
              (override));
  MOCK_METHOD(std::function<void()>, Start,
              (absl::string_view method, absl::string_view request, const CallOptions& options,
               std::function<void(absl::StatusOr<std::string>)> done),
              (override));
  MOCK_METHOD(absl::StatusOr<std::unique_ptr<MessageStream>>, Stream,
              (absl::string_view method, absl::string_view request, const CallOptions& options),
              (override));
  MOCK_METHOD(absl::StatusOr<std::unique_ptr<MessageExchange>>, Exchange,
              (absl::string_view method, const CallOptions& options), (override));
  MOCK_METHOD(void, Close, (), (override));
  MOCK_METHOD(std::string, Target, (), (const, override));
};

}  // namespace detente
