// Reads of the past by time, rollback, and the moves of review.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "detente/v1/detention.pb.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/release.pb.h"
#include "engine/engine.h"
#include "server/engine/testing.h"

namespace detente::engine {
namespace {

using testing::Create;
using testing::Delete;
using testing::OpenEngine;
using testing::Proto;
using testing::Read;
using testing::Request;
using testing::Undelete;
using testing::Update;
using testing::Write;
using testing::WriteOf;
using State = v1::Record;

v1::Person Note(absl::string_view note) {
  v1::Person person;
  person.set_note(std::string(note));
  return person;
}

store::Commit CommitOf(Engine& engine, store::Revision revision) {
  auto reader = engine.LeaseReader();
  return **(*reader)->FindCommit(revision);
}

std::vector<store::Change> ChangesOf(Engine& engine, store::Revision revision) {
  auto reader = engine.LeaseReader();
  std::vector<store::Change> changes;
  const auto touched = (*reader)->Touches(revision);
  for (const store::Touched& record : *touched) changes.push_back(record.change);
  return changes;
}

// --- time ---------------------------------------------------------------------------------------

TEST(TimeTest, PicksTheLastCommitAtOrBefore) {
  auto engine = OpenEngine();
  for (int i = 1; i <= 9; ++i) {
    ASSERT_OK(WriteOf(*engine, Create(Note("n"), absl::StrCat("p", i))));
  }
  for (int i = 1; i <= 9; ++i) {
    const absl::Time made = absl::FromUnixMicros(CommitOf(*engine, i).time);
    EXPECT_EQ(engine->ViewAtTime(made)->revision, i);
    EXPECT_EQ(engine->ViewAtTime(made + absl::Nanoseconds(999))->revision, i);
    if (i > 1) {
      EXPECT_EQ(engine->ViewAtTime(made - absl::Microseconds(1))->revision, i - 1);
    }
  }
  EXPECT_EQ(engine->ViewAtTime(absl::Now())->revision, 9);
}

TEST(TimeTest, LaterThanTheClockOrBeforeTheFirstCommit) {
  auto engine = OpenEngine();
  EXPECT_FAILS(engine->ViewAtTime(absl::Now()), kInvalidArgument, READ_TIME_OUT_OF_RANGE);
  ASSERT_OK(WriteOf(*engine, Create(Note("n"), "a")));
  EXPECT_FAILS(engine->ViewAtTime(absl::Now() + absl::Minutes(1)), kInvalidArgument,
               READ_TIME_OUT_OF_RANGE);
  EXPECT_FAILS(engine->ViewAtTime(absl::InfiniteFuture()), kInvalidArgument,
               READ_TIME_OUT_OF_RANGE);
  EXPECT_FAILS(engine->ViewAtTime(absl::FromUnixSeconds(1)), kInvalidArgument,
               READ_TIME_OUT_OF_RANGE);
  EXPECT_FAILS(engine->ViewAtTime(absl::InfinitePast()), kInvalidArgument, READ_TIME_OUT_OF_RANGE);
}

// What a time answers once, it answers for ever: also beside writers.
TEST(TimeTest, TheSameForEver) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("0"), "a")));
  std::atomic<bool> stop = false;
  std::vector<std::thread> writers;
  for (int w = 0; w < 2; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; !stop; ++i) {
        (void)WriteOf(*engine, Create(Note("n"), absl::StrCat("w", w, "-", i)));
      }
    });
  }
  std::vector<std::pair<absl::Time, store::Revision>> told;
  // Until there were enough commits to be caught by.
  for (int i = 0; i < 2'000 || told.back().second < 200; ++i) {
    const absl::Time now = absl::Now();
    auto view = engine->ViewAtTime(now);
    ASSERT_OK(view);
    told.emplace_back(now, view->revision);
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  for (const auto& [time, revision] : told) {
    EXPECT_EQ(engine->ViewAtTime(time)->revision, revision);
  }
  EXPECT_GT(told.back().second, told.front().second);
}

// --- what commits say ---------------------------------------------------------------------------

TEST(RevisionTest, OfAStoreWithoutAny) {
  auto engine = OpenEngine();
  EXPECT_EQ(engine->View(1, "at").status().message(),
            "at.revision: the store has no revision yet, got 1");
}

TEST(CommitsTest, SayWhatBecameOfEachRecord) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("1"), "a"), Create(Note("1"), "b")));
  auto upsert = Update(Note("1"), "c");
  upsert.allow_missing = true;
  ASSERT_OK(WriteOf(*engine, Update(Note("2"), "a"), Update(Note("1"), "b"), std::move(upsert)));
  ASSERT_OK(WriteOf(*engine, Delete("persons/a")));
  ASSERT_OK(WriteOf(*engine, Undelete("persons/a")));
  using enum store::Change;
  using ::testing::ElementsAre;
  EXPECT_THAT(ChangesOf(*engine, 1), ElementsAre(kCreated, kCreated));
  EXPECT_THAT(ChangesOf(*engine, 2), ElementsAre(kUpdated, kUnchanged, kCreated));
  EXPECT_THAT(ChangesOf(*engine, 3), ElementsAre(kDeleted));
  EXPECT_THAT(ChangesOf(*engine, 4), ElementsAre(kUndeleted));
}

// --- rollback -----------------------------------------------------------------------------------

Operation Rollback(absl::string_view id, store::Revision revision) {
  Operation operation = Delete(absl::StrCat("persons/", id));
  operation.kind = Operation::Kind::kRollback;
  operation.revision = revision;
  return operation;
}

TEST(RollbackTest, BringsTheContentBackAsANewCommit) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("1"), "a")));
  ASSERT_OK(WriteOf(*engine, Update(Note("2"), "a")));
  ASSERT_OK(WriteOf(*engine, Rollback("a", 1)));
  auto person = Read<v1::Person>(*engine, "a");
  EXPECT_EQ(person.note(), "1");
  EXPECT_EQ(person.revision(), 3);
  EXPECT_EQ(person.uid(), Read<v1::Person>(*engine, "a", 1).uid());
  EXPECT_EQ(Read<v1::Person>(*engine, "a", 2).note(), "2");
  EXPECT_THAT(ChangesOf(*engine, 3), ::testing::ElementsAre(store::Change::kRolledBack));
  // As it is already: no commit.
  auto again = WriteOf(*engine, Rollback("a", 3));
  ASSERT_OK(again);
  EXPECT_EQ(again->revision, 3);
  EXPECT_EQ(engine->View(std::nullopt)->revision, 3);
}

TEST(RollbackTest, ChecksNoReferences) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("1"), "a")));
  auto detention = Proto<v1::Detention>("person: 'persons/a' note: '1'");
  ASSERT_OK(WriteOf(*engine, Create(detention, "d")));
  ASSERT_OK(WriteOf(*engine, Create(Note("1"), "b")));
  detention.set_person("persons/b");
  ASSERT_OK(WriteOf(*engine, Update(detention, "d")));
  ASSERT_OK(WriteOf(*engine, Delete("persons/a")));
  Operation back = Rollback("d", 2);
  back.resource = &testing::ResourceOf(detention);
  ASSERT_OK(WriteOf(*engine, std::move(back)));
  EXPECT_EQ(Read<v1::Detention>(*engine, "d").person(), "persons/a");
  // The references are those of the record as it is now.
  auto reader = engine->LeaseReader();
  EXPECT_EQ(*(*reader)->Referrers("persons/b", 9), std::vector<std::string>{});
  EXPECT_EQ(*(*reader)->Referrers("persons/a", 9), std::vector<std::string>{"detentions/d"});
}

TEST(RollbackTest, Refusals) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("1"), "a")));
  ASSERT_OK(WriteOf(*engine, Create(Note("1"), "b")));
  ASSERT_OK(WriteOf(*engine, Delete("persons/b")));
  EXPECT_FAILS(WriteOf(*engine, Rollback("c", 1)), kNotFound, RECORD_NOT_FOUND);
  EXPECT_FAILS(WriteOf(*engine, Rollback("b", 2)), kNotFound, RECORD_NOT_FOUND);
  ASSERT_OK(WriteOf(*engine, Undelete("persons/b")));
  EXPECT_FAILS(WriteOf(*engine, Rollback("b", 1)), kNotFound, RECORD_NOT_FOUND);
  EXPECT_FAILS(WriteOf(*engine, Rollback("b", 3)), kNotFound, RECORD_NOT_FOUND);
  for (store::Revision revision : {int64_t{0}, int64_t{-1}, int64_t{5}, INT64_MAX, INT64_MIN}) {
    EXPECT_FAILS(WriteOf(*engine, Rollback("a", revision)), kInvalidArgument,
                 REVISION_OUT_OF_RANGE);
  }
  Operation stale = Rollback("a", 1);
  stale.etag = "\"other\"";
  EXPECT_FAILS(WriteOf(*engine, std::move(stale)), kAborted, ETAG_MISMATCH);
}

// --- review -------------------------------------------------------------------------------------

absl::Status Move(Engine& engine, v1::Record::ReviewState to, absl::string_view reason = "",
                  absl::string_view note = "") {
  v1::Person person;
  person.set_review_state(to);
  if (!note.empty()) person.set_note(std::string(note));
  CommitRequest request = Request(Update(person, "a"));
  request.reason = std::string(reason);
  return Write(engine, std::move(request)).status();
}

TEST(ReviewTest, MovesAreChecked) {
  const std::vector<v1::Record::ReviewState> states = {State::DRAFT, State::SUBMITTED,
                                                       State::REVIEWED, State::DISPUTED};
  // By from and to; a dispute has its reason here.
  const bool allowed[4][4] = {{true, true, false, true},
                              {true, true, true, true},
                              {true, true, true, true},
                              {true, true, false, true}};
  for (int from = 0; from < 4; ++from) {
    for (int to = 0; to < 4; ++to) {
      auto engine = OpenEngine();
      auto person = Note("n");
      person.set_review_state(states[from]);
      ASSERT_OK(WriteOf(*engine, Create(person, "a")));
      const absl::Status status = Move(*engine, states[to], "why");
      if (allowed[from][to]) {
        EXPECT_TRUE(status.ok()) << from << to << status;
        EXPECT_EQ(Read<v1::Person>(*engine, "a").review_state(), states[to]);
      } else {
        EXPECT_FAILS(status, kFailedPrecondition, REVIEW_MOVE_NOT_ALLOWED);
        EXPECT_EQ(Read<v1::Person>(*engine, "a").review_state(), states[from]);
      }
    }
  }
}

TEST(ReviewTest, ADisputeNeedsAReason) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("n"), "a")));
  EXPECT_FAILS(Move(*engine, State::DISPUTED), kFailedPrecondition, REVIEW_MOVE_NOT_ALLOWED);
  ASSERT_OK(Move(*engine, State::DISPUTED, "another source has it otherwise"));
}

TEST(ReviewTest, WhatWasReviewedStaysAsItIs) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("n"), "a")));
  ASSERT_OK(Move(*engine, State::SUBMITTED));
  ASSERT_OK(Move(*engine, State::REVIEWED));
  EXPECT_FAILS(WriteOf(*engine, Update(Note("other"), "a")), kFailedPrecondition,
               REVIEW_MOVE_NOT_ALLOWED);
  EXPECT_EQ(Read<v1::Person>(*engine, "a").note(), "n");
  ASSERT_OK(WriteOf(*engine, Update(Note("n"), "a")));  // changes nothing
  ASSERT_OK(Move(*engine, State::DRAFT, "", "other"));
  EXPECT_EQ(Read<v1::Person>(*engine, "a").note(), "other");
}

}  // namespace
}  // namespace detente::engine
