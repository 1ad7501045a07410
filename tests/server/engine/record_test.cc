// The bytes of a record, as its message would be written.
#include "store/record.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "detente/v1/release.pb.h"
#include "engine/engine.h"
#include "server/engine/testing.h"

namespace detente::engine {
namespace {

v1::Release ReleaseOf(const store::Version& version) {
  v1::Release release;
  EXPECT_TRUE(release.ParseFromString(version.payload));
  release.set_name(absl::StrCat("releases/", version.id));
  release.set_uid(version.uid);
  release.set_etag(absl::StrCat("\"", version.uid, "-", version.since, "\""));
  release.set_revision(version.since);
  auto set = [](int64_t micros, google::protobuf::Timestamp* time) {
    const int64_t seconds = micros / 1'000'000 - (micros % 1'000'000 < 0 ? 1 : 0);
    time->set_seconds(seconds);
    time->set_nanos(static_cast<int32_t>(micros - seconds * 1'000'000) * 1'000);
  };
  set(version.create_time, release.mutable_create_time());
  set(version.update_time, release.mutable_update_time());
  if (version.delete_time != 0) set(version.delete_time, release.mutable_delete_time());
  return release;
}

TEST(RecordTest, IsWrittenAsItsMessageIs) {
  const v1::Release payload =
      testing::Proto<v1::Release>("display_name: 'Invented release 17' region_code: 'XA'");
  store::Version version;
  version.payload = payload.SerializeAsString();
  for (const auto& [id, uid] : {std::pair<std::string, std::string>{"r", "u"},
                                {std::string(63, 'a'), std::string(36, 'f')},
                                {std::string(200, 'a'), std::string(20'000, 'f')}}) {
    for (const int64_t since : {int64_t{1}, int64_t{300}, INT64_MAX}) {
      for (const int64_t time :
           {int64_t{0}, int64_t{1}, int64_t{5'000'000}, int64_t{-1}, int64_t{-2'000'000},
            int64_t{1'765'584'000'000'001}, int64_t{253'402'300'799'999'999}}) {
        version.id = id;
        version.uid = uid;
        version.since = since;
        version.create_time = version.update_time = time;
        version.delete_time = time % 2 == 0 ? 0 : time;
        std::string bytes = "before";
        store::AppendRecord("releases", version, &bytes);
        EXPECT_EQ(bytes, "before" + ReleaseOf(version).SerializeAsString())
            << id << " " << since << " " << time;
        const std::string record = bytes.substr(6);
        EXPECT_EQ(store::IdOfRecord(record), id);
        store::Version read;
        read.delete_time = 7;
        ASSERT_TRUE(store::ReadRecord(record, &read).ok());
        EXPECT_EQ(std::tie(read.id, read.uid, read.since, read.create_time, read.update_time,
                           read.delete_time, read.payload),
                  std::tie(version.id, version.uid, version.since, version.create_time,
                           version.update_time, version.delete_time, version.payload));
      }
    }
  }
}

// Whatever the bytes are: none is read beyond, and nothing is made up.
TEST(RecordTest, OtherBytesAreRefused) {
  store::Version version;
  version.id = "r";
  version.uid = "u";
  version.since = 300;
  version.create_time = version.update_time = 5'000'001;
  std::string record;
  store::AppendRecord("releases", version, &record);
  store::Version read;
  ASSERT_TRUE(store::ReadRecord(record, &read).ok());
  for (size_t size = 0; size < record.size(); ++size) {
    EXPECT_EQ(store::ReadRecord(record.substr(0, size), &read).code(), absl::StatusCode::kDataLoss)
        << size;
  }
  for (size_t i = 0; i < record.size(); ++i) {
    for (const char other : {'\0', '\x0a', '\x7f', '\x80', '\xff'}) {
      std::string changed = record;
      changed[i] = other;
      const absl::Status status = store::ReadRecord(changed, &read);
      EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kDataLoss);
      EXPECT_LE(store::IdOfRecord(changed).size(), record.size());
    }
  }
}

}  // namespace
}  // namespace detente::engine
