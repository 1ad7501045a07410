#include "server/findings/testing.h"

#include "absl/strings/str_cat.h"

namespace detente::findings {

FindingsTest::FindingsTest() {
  for (const char* id : {"a", "b", "c"}) Put<v1::Person>(id, "");
}

void FindingsTest::PutRecord(const std::string& id, const google::protobuf::Message& record) {
  engine::Operation operation = testing::Update(record, id, {"*"});
  operation.allow_missing = true;
  auto result = testing::WriteOf(*engine_, std::move(operation));
  ASSERT_TRUE(result.ok()) << result.status();
}

void FindingsTest::Delete(const std::string& name) {
  auto result = testing::WriteOf(*engine_, testing::Delete(name, true));
  ASSERT_TRUE(result.ok()) << result.status();
}

std::vector<std::string> FindingsTest::Found(const std::string& check,
                                             std::optional<store::Revision> revision,
                                             const std::string& record) {
  std::vector<std::string> lines;
  Query query;
  query.view = *engine_->View(revision);
  query.checks = {FindCheck(check)};
  query.record = record;
  const absl::Status status = Find(
      *engine_, query, [] { return absl::OkStatus(); },
      [&](const Check& which, const Finding& finding, const Position&) {
        EXPECT_EQ(which.name, check);
        EXPECT_LE(finding.severity, which.worst) << finding.description;
        lines.push_back(ToLine(finding));
        return true;
      });
  EXPECT_TRUE(status.ok()) << status;
  return lines;
}

std::string ToLine(const Finding& finding) {
  constexpr const char* kSeverities[] = {"", "NOTE", "WARNING", "ERROR"};
  std::string line =
      absl::StrCat(kSeverities[static_cast<int>(finding.severity)], " ", finding.description, " @");
  for (const Location& location : finding.locations) {
    absl::StrAppend(&line, &location == finding.locations.data() ? " " : ", ", location.name,
                    location.path.empty() ? "" : " ", location.path);
  }
  return line;
}

}  // namespace detente::findings
