// The cache of newest versions never answers with an older one than was acknowledged.
#include "engine/head_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detente/v1/person.pb.h"
#include "engine/engine.h"
#include "server/engine/testing.h"

namespace detente::engine {
namespace {

constexpr store::Revision kAll = INT64_MAX;

Bytes Of(absl::string_view text) { return std::make_shared<const std::string>(text); }

TEST(HeadCacheTest, FindsWhatWasPut) {
  HeadCache cache(1 << 20);
  EXPECT_EQ(cache.Find("persons/a", kAll), nullptr);
  cache.Put("persons/a", 1, Of("one"));
  EXPECT_EQ(*cache.Find("persons/a", kAll), "one");
  cache.Put("persons/a", 2, Of("two"));
  EXPECT_EQ(*cache.Find("persons/a", kAll), "two");
  EXPECT_EQ(cache.Find("persons/b", kAll), nullptr);
}

TEST(HeadCacheTest, WhatIsNotPublicYetIsNotFound) {
  HeadCache cache(1 << 20);
  cache.Put("persons/a", 5, Of("five"));
  EXPECT_EQ(cache.Find("persons/a", 4), nullptr);
  EXPECT_EQ(*cache.Find("persons/a", 5), "five");
}

TEST(HeadCacheTest, AFillThatTheWriterOvertookIsDropped) {
  HeadCache cache(1 << 20);
  cache.Put("persons/a", 5, Of("five"));
  cache.Fill("persons/a", 4, Of("four"));
  EXPECT_EQ(*cache.Find("persons/a", kAll), "five");
  cache.Fill("persons/a", 5, Of("five again"));
  EXPECT_EQ(*cache.Find("persons/a", kAll), "five again");
}

TEST(HeadCacheTest, WhatTheWriterPutOutOfTheCacheIsNotFilledWithOlder) {
  HeadCache cache(16 * 400);
  cache.Put("persons/a", 5, Of(std::string(10'000, 'x')));  // too large to keep
  EXPECT_EQ(cache.Find("persons/a", kAll), nullptr);
  cache.Fill("persons/a", 4, Of("four"));
  EXPECT_EQ(cache.Find("persons/a", kAll), nullptr);
}

TEST(HeadCacheTest, KeepsWithinItsBytesAndDropsTheLeastRecentlyUsed) {
  HeadCache cache(16 * 10'000);
  for (int i = 0; i < 5'000; ++i) {
    cache.Put(absl::StrCat("persons/", i), i + 1, Of(std::string(100, 'x')));
    cache.Find("persons/0", kAll);
  }
  EXPECT_NE(cache.Find("persons/0", kAll), nullptr);
  EXPECT_NE(cache.Find("persons/4999", kAll), nullptr);
  int kept = 0;
  for (int i = 0; i < 5'000; ++i) kept += cache.Find(absl::StrCat("persons/", i), kAll) != nullptr;
  EXPECT_LT(kept, 16 * 10'000 / 250);
  EXPECT_GT(kept, 16 * 10'000 / 300 / 2);
  HeadCache none(0);
  none.Put("persons/a", 1, Of("one"));
  EXPECT_EQ(none.Find("persons/a", kAll), nullptr);
}

// Writers that write and at once read what they wrote, beside readers that fill the cache and see
// that no record goes backwards. The cache holds a few records only, so that it fills all the time.
void Stress(const std::string& path, size_t cache_bytes) {
  auto engine = testing::OpenEngine(path, {}, {cache_bytes});
  const Resource& persons = testing::ResourceOf(v1::Person());
  constexpr int kRecords = 24;
  const int writes = path == ":memory:" ? 1'000 : 150;
  v1::Person person;
  std::array<std::atomic<store::Revision>, kRecords> acknowledged{};
  for (int i = 0; i < kRecords; ++i) {
    auto made = testing::WriteOf(*engine, testing::Create(person, absl::StrCat("p", i)));
    ASSERT_OK(made);
    acknowledged[static_cast<size_t>(i)] = made->revision;
  }
  auto revision_of = [&](int i) -> store::Revision {
    Bytes bytes = engine->Cached(absl::StrCat("persons/p", i));
    if (bytes == nullptr) {
      auto filled = engine->GetNewest(persons, absl::StrCat("p", i));
      if (!filled.ok()) return 0;
      bytes = *filled;
    }
    v1::Person read;
    return read.ParseFromString(*bytes) ? read.revision() : 0;
  };
  std::atomic<bool> done{false};
  std::atomic<int> stale{0};
  std::atomic<int64_t> reads{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < writes; ++i) {
        const int record = (i * 2 + t) % kRecords;
        v1::Person next;
        next.set_note(absl::StrCat(t, "-", i, std::string(200, 'x')));
        auto result = testing::WriteOf(*engine, testing::Update(next, absl::StrCat("p", record)));
        ASSERT_TRUE(result.ok()) << result.status();
        acknowledged[static_cast<size_t>(record)] = result->revision;
        stale += revision_of(record) < result->revision;
      }
      done = true;
    });
  }
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; !done; ++i) {
        const int record = i % kRecords;
        const store::Revision before = acknowledged[static_cast<size_t>(record)];
        stale += revision_of(record) < before;
        ++reads;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(stale, 0) << "of " << reads << " reads";
  EXPECT_GT(reads, 100);
}

TEST(HeadCacheStressTest, NothingStaleAfterAnAcknowledgedWrite) {
  testing::TempDir folder;
  Stress(folder.File(), size_t{1} << 20);
}

TEST(HeadCacheStressTest, NorFromACacheThatIsTooSmall) {
  testing::TempDir folder;
  Stress(folder.File(), 16 * 600);
}

TEST(HeadCacheStressTest, NorInMemory) { Stress(":memory:", 16 * 600); }

// What a caller saw of one record, it can ask for: a cached answer is not ahead of the newest
// revision that other reads know.
TEST(HeadCacheStressTest, ACachedAnswerIsNotAheadOfOtherReads) {
  auto engine = testing::OpenEngine();
  ASSERT_OK(testing::WriteOf(*engine, testing::Create(v1::Person(), "p")));
  std::atomic<bool> done{false};
  std::atomic<int> ahead{0};
  std::thread reader([&] {
    v1::Person read;
    while (!done) {
      Bytes bytes = engine->Cached("persons/p");
      if (bytes == nullptr || !read.ParseFromString(*bytes)) continue;
      ahead += read.revision() > engine->View(std::nullopt)->revision;
    }
  });
  for (int i = 0; i < 2'000; ++i) {
    v1::Person next;
    next.set_note(absl::StrCat(i));
    ASSERT_OK(testing::WriteOf(*engine, testing::Update(next, "p")));
  }
  done = true;
  reader.join();
  EXPECT_EQ(ahead, 0);
}

}  // namespace
}  // namespace detente::engine
