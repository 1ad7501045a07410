// What the cache makes for those who did not wait for it, and when.
#include "columnar/cache.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detente/v1/organization.pb.h"
#include "detente/v1/person.pb.h"
#include "server/engine/testing.h"

namespace detente::columnar {
namespace {

using testing::OpenEngine;
using testing::ResourceOf;

const std::vector<ColumnId> kColumns = {{true, store::kRowId}, {true, store::kRowCreateTime}};

absl::Status Check() { return absl::OkStatus(); }

// In commits of a thousand.
void WritePersons(engine::Engine& engine, int first, int count) {
  for (int begin = first; begin < first + count; begin += 1'000) {
    engine::CommitRequest request = testing::Request();
    for (int i = begin; i < std::min(begin + 1'000, first + count); ++i) {
      v1::Person person;
      person.set_display_name(absl::StrCat("Test Person ", i));
      request.operations.push_back(testing::Create(person, absl::StrCat("p", i)));
    }
    ASSERT_OK(testing::Write(engine, std::move(request)));
  }
}

store::Revision Newest(engine::Engine& engine) { return engine.View(std::nullopt, "")->revision; }

class CacheTest : public ::testing::Test {
 protected:
  bool Held(const engine::Resource& resource, Make make) {
    auto found = cache_->Find(resource, Newest(*engine_), kColumns, make, Check);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() && found->has_value();
  }
  bool SoonHeld(const engine::Resource& resource) {
    for (int i = 0; i < 1'000; ++i) {
      if (Held(resource, Make::kNever)) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  std::unique_ptr<engine::Engine> engine_ = OpenEngine();
  std::unique_ptr<Cache> cache_ = std::make_unique<Cache>(*engine_, kDefaultCacheBytes);
  const engine::Resource& persons_ = ResourceOf(v1::Person());
  const engine::Resource& organizations_ = ResourceOf(v1::Organization());
};

TEST_F(CacheTest, WhatIsAskedTwiceIsMadeMeanwhile) {
  WritePersons(*engine_, 0, 10);
  EXPECT_FALSE(Held(organizations_, Make::kLater));
  EXPECT_FALSE(Held(persons_, Make::kLater));
  EXPECT_FALSE(Held(persons_, Make::kLater));
  EXPECT_TRUE(SoonHeld(persons_));
  EXPECT_FALSE(Held(organizations_, Make::kNever)) << "once is no reason";
  EXPECT_FALSE(Held(organizations_, Make::kLater));
  EXPECT_TRUE(SoonHeld(organizations_));
}

TEST_F(CacheTest, WithoutColumnsNothingIsMade) {
  WritePersons(*engine_, 0, 10);
  for (int i = 0; i < 3; ++i) {
    auto found = cache_->Find(persons_, Newest(*engine_), {}, Make::kLater, Check);
    ASSERT_OK(found);
    EXPECT_FALSE(found->has_value());
  }
  EXPECT_EQ(cache_->bytes(), 0);
}

TEST_F(CacheTest, WhatIsFarBehindIsBroughtUpMeanwhile) {
  WritePersons(*engine_, 0, 10);
  EXPECT_TRUE(Held(persons_, Make::kNow));
  WritePersons(*engine_, 10, 9'000);
  EXPECT_TRUE(Held(persons_, Make::kNever)) << "that is not far";
  WritePersons(*engine_, 10'000, 10'001);
  EXPECT_FALSE(Held(persons_, Make::kNever));
  EXPECT_FALSE(Held(persons_, Make::kLater)) << "nobody waits";
  ASSERT_TRUE(SoonHeld(persons_));
  auto found = cache_->Find(persons_, Newest(*engine_), kColumns, Make::kNever, Check);
  int64_t rows = 0;
  for (const Snapshot::Part& part : (*found)->parts) rows += part.chunk->rows();
  EXPECT_EQ(rows, 10 + 9'000 + 10'001);
}

TEST_F(CacheTest, ItEndsWhileItMakes) {
  WritePersons(*engine_, 0, 20'000);
  EXPECT_FALSE(Held(persons_, Make::kLater));
  EXPECT_FALSE(Held(persons_, Make::kLater));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto start = std::chrono::steady_clock::now();
  cache_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST_F(CacheTest, WhatDoesNotFitIsNotTriedAgainAndAgain) {
  cache_ = nullptr;
  cache_ = std::make_unique<Cache>(*engine_, 100);
  WritePersons(*engine_, 0, 50);
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(Held(persons_, Make::kLater));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_LE(cache_->bytes(), 100);
}

}  // namespace
}  // namespace detente::columnar
