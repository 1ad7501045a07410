// Many writers at once: commits are grouped, and nobody can tell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/source.pb.h"
#include "engine/engine.h"
#include "server/engine/testing.h"

namespace detente::engine {
namespace {

using testing::Create;
using testing::OpenEngine;
using testing::Request;
using ::testing::SizeIs;
using testing::Update;
using testing::Write;
using testing::WriteLater;
using testing::WriteOf;

v1::Person Note(absl::string_view note) {
  v1::Person person;
  person.set_note(std::string(note));
  return person;
}

// Holds the engine's writer thread in the answer to a write, until it is told to go on.
class HeldWriter {
 public:
  explicit HeldWriter(Engine& engine) {
    std::promise<void> held;
    engine.Write(Request(Create(Note("holds"), "")), [this, &held](auto result) {
      EXPECT_TRUE(result.ok());
      held.set_value();
      go_on_.get_future().wait();
    });
    held.get_future().wait();
  }
  void GoOn() { go_on_.set_value(); }

 private:
  std::promise<void> go_on_;
};

TEST(GroupCommitTest, ThreadsTogether) {
  testing::TempDir folder;
  auto engine = OpenEngine(folder.File());
  constexpr int kThreads = 8;
  constexpr int kWrites = 60;
  ASSERT_OK(WriteOf(*engine, Create(Note("0"), "shared")));
  std::vector<std::vector<store::Revision>> acknowledged(kThreads);
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kWrites; ++i) {
        if (i % 10 == 9) {  // each fails alone
          auto bad = WriteOf(*engine, Create(Note("x"), absl::StrCat("half-", t, "-", i)),
                             Update(Note("x"), "no-such-person"));
          EXPECT_FAILS(bad, kNotFound, RECORD_NOT_FOUND);
          ++refused;
          continue;
        }
        auto result = WriteOf(*engine, Create(Note(absl::StrCat(i)), absl::StrCat("p-", t, "-", i)),
                              Update(Note(absl::StrCat(t, "-", i)), "shared"));
        ASSERT_TRUE(result.ok()) << result.status();
        acknowledged[static_cast<size_t>(t)].push_back(result->revision);
        // Acknowledged is visible at once, to this thread's own reads.
        EXPECT_GE(engine->View(std::nullopt)->revision, result->revision);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  std::set<store::Revision> revisions;
  for (const auto& list : acknowledged) {
    EXPECT_TRUE(std::is_sorted(list.begin(), list.end()));
    revisions.insert(list.begin(), list.end());
  }
  const store::Revision newest = engine->View(std::nullopt)->revision;
  EXPECT_THAT(revisions, SizeIs(kThreads * kWrites - refused)) << "none given twice";
  EXPECT_EQ(newest, 1 + kThreads * kWrites - refused) << "no gap";

  // Of the one record that all of them changed: every revision, times that strictly increase.
  int64_t later = INT64_MAX;
  store::Revision expected = newest;
  ASSERT_OK(engine->Revisions(testing::ResourceOf(v1::Person()), "shared", newest + 1,
                              [&](store::Version& version) {
                                EXPECT_EQ(version.since, expected--);
                                EXPECT_LT(version.update_time, later);
                                later = version.update_time;
                                return true;
                              }));
  EXPECT_EQ(expected, 0);
  int halves = 0;
  ASSERT_OK(engine->List(testing::ResourceOf(v1::Person()), "", {newest}, true,
                         [&](store::Version& version) {
                           halves += version.id.starts_with("half-") ? 1 : 0;
                           return true;
                         }));
  EXPECT_EQ(halves, 0);
}

TEST(GroupCommitTest, OneBadCommitFailsAlone) {
  auto engine = OpenEngine();
  HeldWriter held(*engine);
  std::vector<std::future<absl::StatusOr<CommitResult>>> answers;
  for (int i = 0; i < 30; ++i) {
    answers.push_back(WriteLater(
        *engine, i % 3 == 1 ? Request(Create(Note("half"), absl::StrCat("half", i)),
                                      Update(Note("x"), "no-such-person"))
                            : Request(Create(Note(absl::StrCat(i)), absl::StrCat("p", i)))));
  }
  held.GoOn();
  store::Revision revision = 1;
  int64_t time = 0;
  for (int i = 0; i < 30; ++i) {
    auto result = answers[static_cast<size_t>(i)].get();
    if (i % 3 == 1) {
      EXPECT_FAILS(result, kNotFound, RECORD_NOT_FOUND);
      EXPECT_EQ(testing::Read<v1::Person>(*engine, absl::StrCat("half", i)).name(), "");
      EXPECT_EQ(engine->Cached(absl::StrCat("persons/half", i)), nullptr);
      continue;
    }
    ASSERT_OK(result);
    EXPECT_EQ(result->revision, ++revision) << "in the order of the calls";
    EXPECT_GT(result->records[0].version.update_time, time);
    time = result->records[0].version.update_time;
  }
}

// Later commits of a group see those before them.
TEST(GroupCommitTest, CommitsOfAGroupFollowEachOther) {
  auto engine = OpenEngine();
  HeldWriter held(*engine);
  auto create = WriteLater(*engine, Request(Create(Note("1"), "a")));
  auto again = WriteLater(*engine, Request(Create(Note("1"), "a")));
  auto update = WriteLater(*engine, Request(Update(Note("2"), "a")));
  CommitRequest first = Request(Update(Note("3"), "a"));
  first.request_id = "r";
  CommitRequest repeat = Request(Update(Note("3"), "a"));
  repeat.request_id = "r";
  auto with_id = WriteLater(*engine, std::move(first));
  auto repeated = WriteLater(*engine, std::move(repeat));
  held.GoOn();
  ASSERT_OK(create.get());
  EXPECT_FAILS(again.get(), kAlreadyExists, RECORD_EXISTS);
  ASSERT_OK(update.get());
  EXPECT_EQ(with_id.get()->revision, 4);
  EXPECT_EQ(repeated.get()->revision, 4);
  EXPECT_EQ(testing::Read<v1::Person>(*engine, "a").note(), "3");
  EXPECT_EQ(testing::Read<v1::Person>(*engine, "a", 3).note(), "2");
}

TEST(QueueTest, FullOnesRefuse) {
  auto engine = OpenEngine();
  HeldWriter held(*engine);
  std::atomic<size_t> answered{0};
  for (size_t i = 0; i < kMaxWaitingCommits; ++i) {
    engine->Write(Request(Update(Note("x"), "none")), [&](auto) { ++answered; });
  }
  EXPECT_EQ(answered, 0U);
  auto refused = WriteOf(*engine, Update(Note("x"), "none"));
  EXPECT_FAILS(refused, kResourceExhausted, QUEUE_FULL);
  EXPECT_TRUE(refused.status().GetPayload("type.googleapis.com/google.rpc.RetryInfo").has_value());
  held.GoOn();
  while (answered < kMaxWaitingCommits) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_FAILS(WriteOf(*engine, Update(Note("x"), "none")), kNotFound, RECORD_NOT_FOUND);
}

TEST(QueueTest, OnesFullOfBytesRefuse) {
  auto engine = OpenEngine();
  HeldWriter held(*engine);
  const auto large = [] {
    v1::Source source;
    source.set_text(std::string(size_t{512} << 10, 'x'));
    CommitRequest request;
    for (int i = 0; i < 7; ++i) {
      request.operations.push_back(Update(source, absl::StrCat("none", i), {"text"}));
    }
    return request;
  };
  const size_t most = kMaxWaitingBytes / (7 * (size_t{512} << 10));
  std::atomic<size_t> refused{0};
  std::atomic<size_t> answered{0};
  size_t taken = 0;
  while (refused == 0 && taken <= most) {
    engine->Write(large(), [&](const absl::StatusOr<CommitResult>& result) {
      if (ReasonOf(result.status()) == v1::QUEUE_FULL) {
        ++refused;
      } else {
        ++answered;
      }
    });
    if (refused == 0) ++taken;
  }
  EXPECT_LE(taken, most);
  EXPECT_GE(taken, most - 1) << "little is counted beside the texts";
  auto small = WriteLater(*engine, Request(Update(Note("x"), "none")));  // still has room
  auto no_room = Write(*engine, large());
  EXPECT_FAILS(no_room, kResourceExhausted, QUEUE_FULL);
  EXPECT_TRUE(no_room.status().GetPayload("type.googleapis.com/google.rpc.RetryInfo").has_value());
  EXPECT_EQ(answered, 0U);
  held.GoOn();
  EXPECT_FAILS(small.get(), kNotFound, RECORD_NOT_FOUND);
  EXPECT_EQ(answered, taken);
  EXPECT_FAILS(Write(*engine, large()), kNotFound, RECORD_NOT_FOUND);
}

TEST(QueueTest, ClosingAnswersThoseThatWait) {
  testing::TempDir folder;
  auto engine = OpenEngine(folder.File());
  HeldWriter held(*engine);
  std::vector<std::future<absl::StatusOr<CommitResult>>> waiting;
  for (int i = 0; i < 20; ++i)
    waiting.push_back(WriteLater(*engine, Request(Create(Note("x"), ""))));
  Engine* closing = engine.get();
  std::thread closer([&] { engine.reset(); });
  // It is closing when it takes no more.
  std::vector<std::future<absl::StatusOr<CommitResult>>> late;
  while (true) {
    late.push_back(WriteLater(*closing, Request(Create(Note("x"), ""))));
    if (late.back().wait_for(std::chrono::milliseconds(1)) == std::future_status::ready) break;
  }
  held.GoOn();
  closer.join();
  for (auto& answer : waiting) EXPECT_FAILS(answer.get(), kUnavailable, SHUTTING_DOWN);
  for (auto& answer : late) EXPECT_FAILS(answer.get(), kUnavailable, SHUTTING_DOWN);
  EXPECT_EQ(OpenEngine(folder.File())->View(std::nullopt)->revision, 1);
}

TEST(QueueTest, DeadlinesAndCancellationOfThoseThatWait) {
  auto engine = OpenEngine();
  HeldWriter held(*engine);
  CommitRequest late = Request(Create(Note("x"), "late"));
  late.deadline = absl::Now() + absl::Milliseconds(20);
  auto late_answer = WriteLater(*engine, std::move(late));
  std::atomic<bool> cancelled{false};
  CommitRequest gone = Request(Create(Note("x"), "gone"));
  gone.cancelled = [&] { return cancelled.load(); };
  auto gone_answer = WriteLater(*engine, std::move(gone));
  CommitRequest in_time = Request(Create(Note("x"), "in-time"));
  in_time.deadline = absl::Now() + absl::Hours(1);
  in_time.cancelled = [] { return false; };
  auto in_time_answer = WriteLater(*engine, std::move(in_time));
  absl::SleepFor(absl::Milliseconds(40));
  cancelled = true;
  held.GoOn();
  EXPECT_FAILS(late_answer.get(), kDeadlineExceeded, DEADLINE_PASSED);
  EXPECT_FAILS(gone_answer.get(), kCancelled, CALL_CANCELLED);
  EXPECT_EQ(in_time_answer.get()->revision, 2);
  EXPECT_EQ(testing::Read<v1::Person>(*engine, "late").name(), "");
  EXPECT_EQ(testing::Read<v1::Person>(*engine, "gone").name(), "");
}

}  // namespace
}  // namespace detente::engine
