// RecordService.ListFindings as the wire and the embedded mode call it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "api/handler_table.h"
#include "api/method.h"
#include "detente/v1/detention.pb.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/record_service.pb.h"
#include "server/engine/testing.h"

namespace detente::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ListFindingsTest : public ::testing::Test {
 protected:
  ListFindingsTest() { Put("a", v1::Person()); }

  void Put(const std::string& id, const google::protobuf::Message& record) {
    engine::Operation operation = testing::Update(record, id, {"*"});
    operation.allow_missing = true;
    auto result = testing::WriteOf(*engine_, std::move(operation));
    ASSERT_TRUE(result.ok()) << result.status();
  }
  // A spell with one finding of detention-status.
  void PutOdd(const std::string& id) {
    Put(id, testing::Proto<v1::Detention>("person: 'persons/a' end_reason: PARDON"));
  }

  absl::StatusOr<v1::ListFindingsResponse> List(const std::string& request,
                                                const CallContext& context = {}) {
    const Method* method = table_.Find("/detente.v1.RecordService/ListFindings");
    absl::StatusOr<Bytes> answer = absl::InternalError("not called");
    table_.Call(*method, testing::Proto<v1::ListFindingsRequest>(request).SerializeAsString(),
                context, [&](absl::StatusOr<Bytes> result) { answer = std::move(result); });
    if (!answer.ok()) return answer.status();
    v1::ListFindingsResponse response;
    EXPECT_TRUE(response.ParseFromString(**answer));
    return response;
  }

  static std::vector<std::string> Names(const v1::ListFindingsResponse& response) {
    std::vector<std::string> names;
    for (const auto& finding : response.findings()) names.push_back(finding.locations(0).name());
    return names;
  }

  std::unique_ptr<engine::Engine> engine_ = testing::OpenEngine();
  HandlerTable table_{*engine_};
};

TEST_F(ListFindingsTest, OneFinding) {
  auto none = List("");
  ASSERT_OK(none);
  EXPECT_THAT(none->findings(), IsEmpty());
  EXPECT_EQ(none->revision(), 1);
  PutOdd("d");
  auto found = List("");
  ASSERT_OK(found);
  EXPECT_EQ(found->ShortDebugString(),
            "findings { check: \"detention-status\" severity: WARNING description: \"end_reason is "
            "PARDON, but end_date is absent\" locations { name: \"detentions/d\" path: "
            "\"end_reason\" } locations { name: \"detentions/d\" path: \"end_date\" } } "
            "revision: 2");
  EXPECT_THAT(List("at { revision: 1 }")->findings(), IsEmpty());
  EXPECT_FAILS(List("at { revision: 3 }"), kInvalidArgument, REVISION_OUT_OF_RANGE);
}

TEST_F(ListFindingsTest, ChecksByName) {
  PutOdd("d");
  EXPECT_THAT(List("checks: 're-arrest-chain'")->findings(), IsEmpty());
  EXPECT_THAT(List("checks: 're-arrest-chain' checks: 'detention-status' "
                   "checks: 'detention-status'")
                  ->findings(),
              SizeIs(1));
  auto wrong =
      List("checks: 'detention-status' checks: 'detentions-status' checks: '' page_size: -1");
  EXPECT_FAILS(wrong, kInvalidArgument, INVALID_FIELD);
  EXPECT_THAT(testing::ViolatedFields(wrong.status()),
              ElementsAre("checks[1]", "checks[2]", "page_size"));
  EXPECT_THAT(testing::Violations(wrong.status())[0],
              HasSubstr("`detentions-status`: no such check; did you mean `detention-status`? "
                        "There are detention-status, re-arrest-chain, groups-do-not-sum, "
                        "tally-components, duplicate-external-ids, dangling-references, "
                        "overdue-commitments"));
}

TEST_F(ListFindingsTest, OfOneRecord) {
  for (const char* id : {"d", "e", "f"}) PutOdd(id);
  EXPECT_THAT(Names(*List("record: 'detentions/e'")), ElementsAre("detentions/e"));
  EXPECT_THAT(Names(*List("record: 'detentions/none'")), IsEmpty());
  for (const char* bad : {"detentions", "detentions/", "nothing/a", "detentions/A"}) {
    EXPECT_FAILS(List(absl::StrCat("record: '", bad, "'")), kInvalidArgument, INVALID_FIELD);
  }
}

TEST_F(ListFindingsTest, PagesStandStillWhileOthersWrite) {
  std::vector<std::string> expected;
  for (int i = 100; i < 130; ++i) {
    PutOdd(absl::StrCat("d", i));
    expected.push_back(absl::StrCat("detentions/d", i));
  }
  auto page = List("page_size: 7");
  ASSERT_OK(page);
  const int64_t revision = page->revision();
  std::vector<std::string> names = Names(*page);
  int pages = 1;
  while (!page->next_page_token().empty()) {
    // One that is told already, one that is to come, and one more.
    Put("d100", testing::Proto<v1::Detention>("person: 'persons/a'"));
    Put("d129", testing::Proto<v1::Detention>("person: 'persons/a'"));
    PutOdd(absl::StrCat("d110-", pages));
    ++pages;
    const std::string token = page->next_page_token();
    EXPECT_FAILS(List("checks: 're-arrest-chain' page_token: '" + token + "'"), kInvalidArgument,
                 INVALID_PAGE_TOKEN);
    page = List("page_size: 7 page_token: '" + token + "'");
    ASSERT_OK(page);
    EXPECT_EQ(page->revision(), revision);
    for (const std::string& name : Names(*page)) names.push_back(name);
  }
  EXPECT_EQ(pages, 5);
  EXPECT_EQ(names, expected);
  EXPECT_THAT(Names(*List("")), SizeIs(30 - 2 + 4));
}

TEST_F(ListFindingsTest, LongestNamesFitIntoAToken) {
  const std::string id(62, 'x');
  PutOdd(id + "1");
  PutOdd(id + "2");
  auto page = List("page_size: 1");
  ASSERT_OK(page);
  ASSERT_FALSE(page->next_page_token().empty());
  auto next = List("page_size: 1 page_token: '" + page->next_page_token() + "'");
  ASSERT_OK(next);
  EXPECT_THAT(Names(*next), ElementsAre("detentions/" + id + "2"));
  EXPECT_EQ(next->next_page_token(), "");
}

TEST_F(ListFindingsTest, StopsWhenTheCallerIsGone) {
  for (int i = 0; i < 200; ++i)
    Put(absl::StrCat("d", i), testing::Proto<v1::Detention>("person: 'persons/a'"));
  int asked = 0;
  CallContext context;
  context.cancelled = [&] { return ++asked > 2; };
  EXPECT_FAILS(List("", context), kCancelled, CALL_CANCELLED);
  EXPECT_EQ(asked, 3);
  context.cancelled = nullptr;
  context.deadline = absl::Now() - absl::Seconds(1);
  EXPECT_FAILS(List("", context), kDeadlineExceeded, DEADLINE_PASSED);
}

}  // namespace
}  // namespace detente::api
