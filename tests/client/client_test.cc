#include "detente/client/client.h"

#include <string>
#include <vector>

#include "detente/client/mock_connection.h"
#include "detente/v1/commit_service.pb.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/person_service.pb.h"
#include "detente/v1/record_service.pb.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/release_service.pb.h"
#include "detente/v1/tally.pb.h"
#include "detente/v1/tally_service.pb.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace detente {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::_;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::Field;
using ::testing::MatchesRegex;
using ::testing::Optional;
using ::testing::Return;

constexpr char kUuid[] = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

// The bytes are a request that equals `expected`.
MATCHER_P(IsRequest, expected, expected.ShortDebugString()) {
  auto actual = expected;
  if (!actual.ParseFromString(std::string(arg))) return false;
  *result_listener << actual.ShortDebugString();
  return MessageDifferencer::Equals(actual, expected);
}

v1::Release ReleaseNamed(const std::string& name) {
  v1::Release release;
  release.set_name(name);
  release.set_display_name("123 freed");
  return release;
}

class ClientTest : public testing::Test {
 protected:
  std::shared_ptr<testing::StrictMock<MockConnection>> connection_ =
      std::make_shared<testing::StrictMock<MockConnection>>();
  Client client_{connection_};
};

TEST_F(ClientTest, GetCompletesAnId) {
  v1::GetReleaseRequest request;
  request.set_name("releases/by-2025-12-13");
  const v1::Release release = ReleaseNamed(request.name());
  EXPECT_CALL(*connection_,
              Call(Eq("/detente.v1.ReleaseService/GetRelease"), IsRequest(request), _))
      .Times(2)
      .WillRepeatedly(Return(release.SerializeAsString()));
  for (const char* name : {"by-2025-12-13", "releases/by-2025-12-13"}) {
    const absl::StatusOr<v1::Release> got = client_.Get<v1::Release>(name);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(MessageDifferencer::Equals(*got, release));
  }
}

TEST_F(ClientTest, GetSendsItsOptions) {
  v1::GetPersonRequest request;
  request.set_name("persons/ales-bialiatski");
  request.mutable_at()->set_revision(12);
  request.mutable_read_mask()->add_paths("display_name");
  EXPECT_CALL(*connection_, Call(Eq("/detente.v1.PersonService/GetPerson"), IsRequest(request),
                                 Field(&CallOptions::timeout, Optional(absl::Seconds(3)))))
      .WillOnce(Return(""));
  EXPECT_TRUE(client_
                  .Get<v1::Person>("ales-bialiatski", {.at = 12,
                                                       .read_mask = {"display_name"},
                                                       .call = {.timeout = absl::Seconds(3)}})
                  .ok());
}

TEST_F(ClientTest, ReadsAtATimeOrASnapshot) {
  v1::GetReleaseRequest at_time;
  at_time.set_name("releases/x");
  at_time.mutable_at()->mutable_read_time()->set_seconds(1765584000);
  at_time.mutable_at()->mutable_read_time()->set_nanos(500000);
  v1::GetReleaseRequest at_snapshot;
  at_snapshot.set_name("releases/x");
  at_snapshot.mutable_at()->set_snapshot("snapshots/paper-2026");
  EXPECT_CALL(*connection_, Call(_, IsRequest(at_time), _)).WillOnce(Return(""));
  EXPECT_CALL(*connection_, Call(_, IsRequest(at_snapshot), _)).WillOnce(Return(""));
  const absl::Time time = absl::FromUnixSeconds(1765584000) + absl::Microseconds(500);
  EXPECT_TRUE(client_.Get<v1::Release>("x", {.at = time}).ok());
  EXPECT_TRUE(client_.Get<v1::Release>("x", {.at = "snapshots/paper-2026"}).ok());
}

TEST_F(ClientTest, ReadsSayWhoseValuesTheyWant) {
  v1::GetReleaseRequest get;
  get.set_name("releases/x");
  get.set_as_told_by("sources/bbc");
  EXPECT_CALL(*connection_, Call(_, IsRequest(get), _)).Times(2).WillRepeatedly(Return(""));
  EXPECT_TRUE(client_.Get<v1::Release>("x", {.as_told_by = "bbc"}).ok());
  EXPECT_TRUE(client_.Get<v1::Release>("x", {.as_told_by = "sources/bbc"}).ok());

  v1::BatchGetReleasesRequest batch;
  batch.add_names("releases/x");
  batch.set_value_policy(v1::Evidence::LATEST);
  EXPECT_CALL(*connection_, Call(_, IsRequest(batch), _)).WillOnce(Return(""));
  EXPECT_TRUE(client_.BatchGet<v1::Release>({"x"}, {.value_policy = v1::Evidence::LATEST}).ok());

  v1::ListReleasesRequest list;
  list.set_as_told_by("sources/bbc");
  list.set_value_policy(v1::Evidence::MAJORITY);
  list.set_reviewed_only(true);
  EXPECT_CALL(*connection_, Call(_, IsRequest(list), _)).WillOnce(Return(""));
  const auto releases = client_.List<v1::Release>(
      {.as_told_by = "bbc", .value_policy = v1::Evidence::MAJORITY, .reviewed_only = true});
  EXPECT_TRUE(releases.begin() == releases.end());
}

TEST_F(ClientTest, AnyRequestFindsItsMethod) {
  v1::GetEvidenceRequest request;
  request.set_name("releases/x");
  request.add_fields("headcount");
  v1::Evidence evidence;
  evidence.set_revision(7);
  EXPECT_CALL(*connection_, Call(Eq("/detente.v1.RecordService/GetEvidence"), IsRequest(request),
                                 Field(&CallOptions::timeout, Optional(absl::Seconds(3)))))
      .WillOnce(Return(evidence.SerializeAsString()));
  const auto got = client_.Call<v1::Evidence>(request, {.timeout = absl::Seconds(3)});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->revision(), 7);

  EXPECT_EQ(client_.Call<v1::Conflict>(request).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(client_.Call<v1::Evidence>(v1::Person()).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST_F(ClientTest, PagesAreResponses) {
  v1::ListCommitsRequest first;
  first.set_record("releases/x");
  v1::ListCommitsRequest second = first;
  second.set_page_token("more");
  v1::ListCommitsResponse page1;
  page1.add_commits()->set_revision(9);
  page1.set_next_page_token("more");
  v1::ListCommitsResponse page2;
  page2.add_commits()->set_revision(3);
  const std::string path = "/detente.v1.CommitService/ListCommits";
  EXPECT_CALL(*connection_, Call(Eq(path), IsRequest(first), _))
      .WillOnce(Return(page1.SerializeAsString()));
  EXPECT_CALL(*connection_, Call(Eq(path), IsRequest(second), _))
      .WillOnce(Return(page2.SerializeAsString()));
  std::vector<int64_t> revisions;
  for (auto& page : client_.Pages<v1::ListCommitsResponse>(first)) {
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::Commit& commit : page->commits()) revisions.push_back(commit.revision());
  }
  EXPECT_THAT(revisions, ElementsAre(9, 3));

  const auto none = client_.Pages<v1::Commit>(v1::GetCommitRequest());
  EXPECT_EQ(none.begin()->status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ClientTest, FailuresComeThrough) {
  absl::Status failure = absl::NotFoundError("releases/x: no such record");
  failure.SetPayload("type.googleapis.com/google.rpc.ErrorInfo", absl::Cord("details"));
  EXPECT_CALL(*connection_, Call).WillOnce(Return(failure));
  EXPECT_EQ(client_.Get<v1::Release>("x").status(), failure);
}

TEST_F(ClientTest, AnAnswerThatIsNoMessageIsInternal) {
  EXPECT_CALL(*connection_, Call).WillOnce(Return("\xff\xff"));
  EXPECT_EQ(client_.Get<v1::Release>("x").status().code(), absl::StatusCode::kInternal);
}

TEST_F(ClientTest, ListFetchesPagesAsTheyAreNeeded) {
  v1::ListReleasesRequest first;
  first.set_filter("region_code = BY");
  first.set_order_by("effective_date desc");
  first.set_page_size(2);
  first.set_show_deleted(true);
  v1::ListReleasesRequest second = first;
  second.set_page_token("more");
  v1::ListReleasesResponse page1;
  *page1.add_releases() = ReleaseNamed("releases/a");
  *page1.add_releases() = ReleaseNamed("releases/b");
  page1.set_next_page_token("more");
  v1::ListReleasesResponse page2;
  *page2.add_releases() = ReleaseNamed("releases/c");

  const Records<v1::Release> releases =
      client_.List<v1::Release>({.filter = "region_code = BY",
                                 .order_by = "effective_date desc",
                                 .show_deleted = true,
                                 .page_size = 2});
  for (int walk = 0; walk < 2; ++walk) {  // each begins anew
    EXPECT_CALL(*connection_,
                Call(Eq("/detente.v1.ReleaseService/ListReleases"), IsRequest(first), _))
        .WillOnce(Return(page1.SerializeAsString()));
    auto it = releases.begin();
    EXPECT_EQ((*it)->name(), "releases/a");
    EXPECT_EQ((*++it)->name(), "releases/b");
    testing::Mock::VerifyAndClearExpectations(connection_.get());
    EXPECT_CALL(*connection_, Call(_, IsRequest(second), _))
        .WillOnce(Return(page2.SerializeAsString()));
    EXPECT_EQ((*++it)->name(), "releases/c");
    EXPECT_TRUE(++it == releases.end());
  }
}

TEST_F(ClientTest, ListPassesOverAnEmptyPage) {
  v1::ListReleasesResponse empty;
  empty.set_next_page_token("more");
  v1::ListReleasesResponse last;
  *last.add_releases() = ReleaseNamed("releases/a");
  EXPECT_CALL(*connection_, Call)
      .WillOnce(Return(empty.SerializeAsString()))
      .WillOnce(Return(last.SerializeAsString()));
  std::vector<std::string> names;
  for (absl::StatusOr<v1::Release>& release : client_.List<v1::Release>()) {
    names.push_back(release->name());
  }
  EXPECT_THAT(names, ElementsAre("releases/a"));
}

TEST_F(ClientTest, AListEndsWithItsFailure) {
  v1::ListReleasesResponse page;
  *page.add_releases() = ReleaseNamed("releases/a");
  page.set_next_page_token("more");
  EXPECT_CALL(*connection_, Call)
      .WillOnce(Return(page.SerializeAsString()))
      .WillOnce(Return(absl::AbortedError("the page token has expired")));
  std::vector<absl::StatusCode> codes;
  for (absl::StatusOr<v1::Release>& release : client_.List<v1::Release>()) {
    codes.push_back(release.status().code());
  }
  EXPECT_THAT(codes, ElementsAre(absl::StatusCode::kOk, absl::StatusCode::kAborted));
}

TEST_F(ClientTest, AListOutlivesItsClient) {
  v1::ListReleasesResponse page;
  *page.add_releases() = ReleaseNamed("releases/a");
  EXPECT_CALL(*connection_, Call).WillOnce(Return(page.SerializeAsString()));
  auto client = std::make_unique<Client>(connection_);
  const auto releases = client->List<v1::Release>();
  client.reset();
  EXPECT_EQ((*releases.begin())->name(), "releases/a");
}

static_assert(std::input_iterator<Records<v1::Release>::Iterator>);
static_assert(std::ranges::input_range<const Records<v1::Release>>);

TEST_F(ClientTest, RevisionsAreAList) {
  v1::ListReleaseRevisionsRequest request;
  request.set_name("releases/a");
  request.mutable_read_mask()->add_paths("note");
  v1::ListReleaseRevisionsResponse page;
  page.add_releases()->set_revision(7);
  page.add_releases()->set_revision(3);
  EXPECT_CALL(*connection_,
              Call(Eq("/detente.v1.ReleaseService/ListReleaseRevisions"), IsRequest(request), _))
      .WillOnce(Return(page.SerializeAsString()));
  std::vector<int64_t> revisions;
  for (auto& release : client_.Revisions<v1::Release>("a", {.read_mask = {"note"}})) {
    revisions.push_back(release->revision());
  }
  EXPECT_THAT(revisions, ElementsAre(7, 3));
}

TEST_F(ClientTest, BatchGetKeepsTheOrder) {
  v1::BatchGetTalliesRequest request;
  request.add_names("tallies/b");
  request.add_names("tallies/a");
  v1::BatchGetTalliesResponse response;
  response.add_tallies()->set_name("tallies/b");
  response.add_tallies()->set_name("tallies/a");
  EXPECT_CALL(*connection_,
              Call(Eq("/detente.v1.TallyService/BatchGetTallies"), IsRequest(request), _))
      .WillOnce(Return(response.SerializeAsString()));
  const auto tallies = client_.BatchGet<v1::Tally>({"b", "tallies/a"});
  ASSERT_TRUE(tallies.ok()) << tallies.status();
  ASSERT_EQ(tallies->size(), 2u);
  EXPECT_EQ((*tallies)[0].name(), "tallies/b");
  EXPECT_EQ((*tallies)[1].name(), "tallies/a");
}

TEST_F(ClientTest, WritesCarryTheirOptions) {
  const v1::Release release = ReleaseNamed("releases/a");
  {
    v1::CreateReleaseRequest request;
    *request.mutable_release() = release;
    request.set_release_id("a");
    request.set_reason("first report");
    request.set_validate_only(true);
    request.set_request_id("mine");
    EXPECT_CALL(*connection_,
                Call(Eq("/detente.v1.ReleaseService/CreateRelease"), IsRequest(request), _))
        .WillOnce(Return(release.SerializeAsString()));
    EXPECT_TRUE(
        client_
            .Create(
                release,
                {.id = "a", .reason = "first report", .validate_only = true, .request_id = "mine"})
            .ok());
  }
  {
    v1::UpdateReleaseRequest request;
    *request.mutable_release() = release;
    request.mutable_update_mask()->add_paths("note");
    request.set_allow_missing(true);
    request.set_request_id("mine");
    EXPECT_CALL(*connection_,
                Call(Eq("/detente.v1.ReleaseService/UpdateRelease"), IsRequest(request), _))
        .WillOnce(Return(release.SerializeAsString()));
    EXPECT_TRUE(
        client_
            .Update(release, {.update_mask = {"note"}, .allow_missing = true, .request_id = "mine"})
            .ok());
  }
  {
    v1::DeleteReleaseRequest request;
    request.set_name("releases/a");
    request.set_etag("\"e\"");
    request.set_force(true);
    request.set_request_id("mine");
    EXPECT_CALL(*connection_,
                Call(Eq("/detente.v1.ReleaseService/DeleteRelease"), IsRequest(request), _))
        .WillOnce(Return(release.SerializeAsString()));
    EXPECT_TRUE(
        client_.Delete<v1::Release>("a", {.etag = "\"e\"", .force = true, .request_id = "mine"})
            .ok());
  }
  {
    v1::UndeleteReleaseRequest request;
    request.set_name("releases/a");
    request.set_etag("\"e\"");
    request.set_request_id("mine");
    EXPECT_CALL(*connection_,
                Call(Eq("/detente.v1.ReleaseService/UndeleteRelease"), IsRequest(request), _))
        .WillOnce(Return(release.SerializeAsString()));
    EXPECT_TRUE(client_.Undelete<v1::Release>("a", {.etag = "\"e\"", .request_id = "mine"}).ok());
  }
  {
    v1::RollbackReleaseRequest request;
    request.set_name("releases/a");
    request.set_revision(4);
    request.set_etag("\"e\"");
    request.set_validate_only(true);
    request.set_reason("vandalism");
    request.set_request_id("mine");
    EXPECT_CALL(*connection_,
                Call(Eq("/detente.v1.ReleaseService/RollbackRelease"), IsRequest(request), _))
        .WillOnce(Return(release.SerializeAsString()));
    EXPECT_TRUE(client_
                    .Rollback<v1::Release>("a", 4,
                                           {.etag = "\"e\"",
                                            .reason = "vandalism",
                                            .validate_only = true,
                                            .request_id = "mine"})
                    .ok());
  }
}

TEST_F(ClientTest, EveryWriteHasARequestIdOfItsOwn) {
  std::vector<std::string> ids;
  EXPECT_CALL(*connection_, Call)
      .Times(4)
      .WillRepeatedly([&](absl::string_view method, absl::string_view bytes, const CallOptions&) {
        std::string id;
        if (method == "/detente.v1.ReleaseService/CreateRelease") {
          v1::CreateReleaseRequest request;
          EXPECT_TRUE(request.ParseFromString(std::string(bytes)));
          id = request.request_id();
        } else if (method == "/detente.v1.RecordService/EraseRecords") {
          v1::EraseRecordsRequest request;
          EXPECT_TRUE(request.ParseFromString(std::string(bytes)));
          id = request.request_id();
        } else {
          v1::BatchWriteRequest request;
          EXPECT_TRUE(request.ParseFromString(std::string(bytes)));
          id = request.request_id();
        }
        EXPECT_THAT(id, MatchesRegex(kUuid));
        ids.push_back(id);
        return "";
      });
  EXPECT_TRUE(client_.Create(v1::Release()).ok());
  EXPECT_TRUE(client_.Create(v1::Release()).ok());
  EXPECT_TRUE(client_.BatchWrite(Batch()).ok());
  EXPECT_TRUE(client_.Call<v1::EraseRecordsResponse>(v1::EraseRecordsRequest()).ok());
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_NE(ids[1], ids[2]);
}

TEST_F(ClientTest, ABatchIsOneRequest) {
  const v1::Release release = ReleaseNamed("releases/a");
  v1::BatchWriteRequest request;
  auto* create = request.add_operations()->mutable_create();
  create->mutable_record()->PackFrom(release);
  create->set_record_id("a");
  auto* update = request.add_operations()->mutable_update();
  update->mutable_record()->PackFrom(release);
  update->mutable_update_mask()->add_paths("note");
  auto* soft_delete = request.add_operations()->mutable_soft_delete();
  soft_delete->set_name("persons/b");
  soft_delete->set_force(true);
  request.add_operations()->mutable_undelete()->set_name("persons/c");
  request.set_reason("merge of two lists");
  request.set_request_id("mine");
  v1::BatchWriteResponse response;
  response.set_revision(8);
  EXPECT_CALL(*connection_, Call(Eq("/detente.v1.RecordService/BatchWrite"), IsRequest(request), _))
      .WillOnce(Return(response.SerializeAsString()));

  Batch batch;
  batch.Create(release, "a")
      .Update(release, {"note"})
      .Delete("persons/b", "", /*force=*/true)
      .Undelete("persons/c");
  const auto written =
      client_.BatchWrite(batch, {.reason = "merge of two lists", .request_id = "mine"});
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->revision(), 8);
}

TEST_F(ClientTest, OnlyResourcesHaveMethods) {
  EXPECT_EQ(client_.Get<v1::Citation>("x").status().code(), absl::StatusCode::kUnimplemented);
  const auto list = client_.List<v1::Citation>();
  EXPECT_EQ(list.begin()->status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace detente
