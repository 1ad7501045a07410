// Calls of the handler table with requests as text.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "api/handler_table.h"
#include "api/method.h"
#include "server/engine/testing.h"

namespace detente::api {

template <typename Request, typename Response>
absl::StatusOr<Response> Ask(const HandlerTable& table, const std::string& method,
                             const std::string& request, const CallContext& context = {}) {
  absl::StatusOr<Bytes> answer = absl::InternalError("not called");
  table.Call(*table.Find("/detente.v1." + method),
             testing::Proto<Request>(request).SerializeAsString(), context,
             [&](absl::StatusOr<Bytes> result) { answer = std::move(result); });
  if (!answer.ok()) return answer.status();
  Response response;
  EXPECT_TRUE(response.ParseFromString(**answer));
  return response;
}

// Makes or replaces a record.
inline void Put(engine::Engine& engine, const std::string& id,
                const google::protobuf::Message& record) {
  engine::Operation operation = testing::Update(record, id, {"*"});
  operation.allow_missing = true;
  auto result = testing::WriteOf(engine, std::move(operation));
  ASSERT_TRUE(result.ok()) << result.status();
}

}  // namespace detente::api
