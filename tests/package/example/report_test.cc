#include "report.h"

#include <memory>

#include "detente/client/mock_connection.h"
#include "detente/v1/release_service.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

using ::testing::_;
using ::testing::Eq;
using ::testing::Return;

TEST(ReportTest, HasALineForEachRelease) {
  detente::v1::ListReleasesResponse page;
  detente::v1::Release* release = page.add_releases();
  release->set_name("releases/xa-1");
  release->mutable_effective_date()->set_edtf("2025-12~");
  release->mutable_headcount()->set_best(17);
  auto connection = std::make_shared<detente::MockConnection>();
  EXPECT_CALL(*connection, Call(Eq("/detente.v1.ReleaseService/ListReleases"), _, _))
      .WillOnce(Return(page.SerializeAsString()));

  const absl::StatusOr<std::string> report = Report(detente::Client(connection), "");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(*report, "releases/xa-1 on 2025-12~: 17\n");
}

TEST(ReportTest, TellsAFailure) {
  auto connection = std::make_shared<detente::MockConnection>();
  EXPECT_CALL(*connection, Call).WillOnce(Return(absl::UnavailableError("no server")));
  EXPECT_EQ(Report(detente::Client(connection), "").status(), absl::UnavailableError("no server"));
}
