// Readers that stay in a state between reads: nobody sees less for it, and the log is cut off.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detente/v1/person.pb.h"
#include "engine/engine.h"
#include "server/engine/testing.h"

namespace detente::engine {
namespace {

using testing::Create;
using testing::OpenEngine;
using testing::TempDir;
using testing::Update;
using testing::WriteOf;

const Resource& Persons() { return testing::ResourceOf(v1::Person()); }

v1::Person Note(absl::string_view note) {
  v1::Person person;
  person.set_note(std::string(note));
  return person;
}

int CountLive(Engine& engine) {
  int count = 0;
  const absl::Status status =
      engine.ListRows(Persons(), "", *engine.View(std::nullopt), false, [&](const store::Row&) {
        ++count;
        return true;
      });
  EXPECT_TRUE(status.ok()) << status;
  return count;
}

TEST(ReadersTest, EachSeesWhatWasAnsweredBefore) {
  const TempDir folder;
  auto engine = OpenEngine(folder.File());
  // Several readers, so that some lie idle for long.
  constexpr int kReaders = 4;
  std::atomic<int> written = 0;
  std::vector<std::thread> readers;
  readers.reserve(kReaders);
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      while (written < 200) {
        const int least = written;
        EXPECT_GE(CountLive(*engine), least);
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    ASSERT_OK(WriteOf(*engine, Create(Note("n"), absl::StrCat("p-", i))));
    ++written;
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(CountLive(*engine), 200);
}

// What is no commit of records, and has no revision of its own, is seen too.
TEST(ReadersTest, SnapshotsAreSeenAtOnce) {
  const TempDir folder;
  auto engine = OpenEngine(folder.File());
  ASSERT_OK(WriteOf(*engine, Create(Note("n"), "a")));
  for (int i = 0; i < 10; ++i) {
    const std::string id = absl::StrCat("s", i);
    EXPECT_EQ(CountLive(*engine), 1);
    EXPECT_FALSE(engine->ViewAtSnapshot(id).ok());
    SnapshotRequest request;
    request.id = id;
    request.title = "Made up";
    ASSERT_OK(engine->CreateSnapshot(request));
    EXPECT_TRUE(engine->ViewAtSnapshot(id).ok());
  }
}

TEST(ReadersTest, IdleOnesDoNotHoldTheLog) {
  const TempDir folder;
  store::SqliteOptions options;
  options.checkpoint_pages = 50;
  auto engine = OpenEngine(folder.File(), options);
  ASSERT_OK(WriteOf(*engine, Create(Note("n"), "a")));
  const std::string log = folder.File() + "-wal";
  const uintmax_t before = std::filesystem::file_size(log);  // with all tables, which were made
  // Two at once: one of them is taken again for each read, the other one lies under it.
  {
    auto first = engine->LeaseReader();
    auto second = engine->LeaseReader();
    for (auto* reader : {&first, &second}) {
      ASSERT_OK(*reader);
      ASSERT_OK((**reader)->Newest());
    }
  }
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(CountLive(*engine), 1);
    ASSERT_OK(WriteOf(*engine, Update(Note(absl::StrCat(i)), "a")));
  }
  // It is written from its start again; on its end it would be several times as long.
  EXPECT_LT(std::filesystem::file_size(log), before + before / 2);
}

}  // namespace
}  // namespace detente::engine
