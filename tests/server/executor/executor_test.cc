#include "executor/executor.h"

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "gtest/gtest.h"

namespace detente::rpc {
namespace {

bool Submit(Executor& executor, absl::AnyInvocable<void()> task) { return executor.Submit(task); }

// Threads fall asleep and are woken all the time; none may sleep while a task waits.
TEST(ExecutorTest, NoTaskIsForgotten) {
  constexpr int kSubmitters = 3;
  constexpr int kRounds = 2'000;
  Executor executor(4, 1'000);
  std::vector<std::thread> submitters;
  submitters.reserve(kSubmitters);
  for (int s = 0; s < kSubmitters; ++s) {
    submitters.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        auto done = std::make_shared<std::promise<void>>();  // the task may outlive the round
        auto left = std::make_shared<std::atomic<int>>(3);
        for (int i = 0; i < 3; ++i) {
          ASSERT_TRUE(Submit(executor, [done, left] {
            if (--*left == 0) done->set_value();
          }));
        }
        done->get_future().wait();  // for ever, and the test with it, where a task is forgotten
      }
    });
  }
  for (std::thread& submitter : submitters) submitter.join();
}

TEST(ExecutorTest, AllThreadsWorkAtOnce) {
  constexpr int kThreads = 4;
  Executor executor(kThreads, 1'000);
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> here = 0;
    auto all = std::make_shared<std::promise<void>>();
    std::shared_future<void> together = all->get_future().share();
    std::vector<std::future<void>> ended;
    for (int i = 0; i < kThreads; ++i) {
      std::promise<void> end;
      ended.push_back(end.get_future());
      ASSERT_TRUE(Submit(executor, [&here, all, together, end = std::move(end)]() mutable {
        if (++here == kThreads) all->set_value();
        together.wait();
        end.set_value();
      }));
    }
    for (auto& end : ended) end.wait();
  }
}

TEST(ExecutorTest, RefusesWhatDoesNotFitAndRunsTheRest) {
  std::atomic<int> ran = 0;
  std::promise<void> go;
  {
    std::promise<void> running;
    Executor executor(1, 2);
    ASSERT_TRUE(Submit(executor, [&] {
      running.set_value();
      go.get_future().wait();
      ++ran;
    }));
    running.get_future().wait();
    EXPECT_TRUE(Submit(executor, [&] { ++ran; }));
    EXPECT_TRUE(Submit(executor, [&] { ++ran; }));
    EXPECT_FALSE(Submit(executor, [&] { ++ran; }));
    go.set_value();
  }
  EXPECT_EQ(ran, 3);
}

}  // namespace
}  // namespace detente::rpc
