// Writes one at a time: what each operation does, refuses, and leaves behind.
#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "detente/v1/commitment.pb.h"
#include "detente/v1/detention.pb.h"
#include "detente/v1/negotiation.pb.h"
#include "detente/v1/organization.pb.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/release.pb.h"
#include "server/engine/testing.h"

namespace detente::engine {
namespace {

using testing::Create;
using testing::Delete;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::OpenEngine;
using testing::Proto;
using testing::Read;
using testing::Request;
using ::testing::SizeIs;
using testing::Undelete;
using testing::Update;
using testing::Write;
using testing::WriteOf;

store::Revision Newest(Engine& engine) { return engine.View(std::nullopt)->revision; }

v1::Person Note(absl::string_view note) {
  v1::Person person;
  person.set_note(std::string(note));
  return person;
}

// --- create, update, delete, undelete -----------------------------------------------------------

TEST(WriteTest, Create) {
  auto engine = OpenEngine();
  const absl::Time before = absl::Now();
  auto result = WriteOf(*engine, Create(Note("n"), "a"));
  ASSERT_OK(result);
  EXPECT_EQ(result->revision, 1);
  auto person = Read<v1::Person>(*engine, "a");
  EXPECT_EQ(person.name(), "persons/a");
  EXPECT_EQ(person.note(), "n");
  EXPECT_EQ(person.revision(), 1);
  EXPECT_EQ(person.uid().size(), 36);
  EXPECT_EQ(person.etag(), absl::StrCat("\"", person.uid(), "-1\""));
  EXPECT_GE(person.create_time().seconds(), absl::ToUnixSeconds(before));
  EXPECT_EQ(person.create_time().SerializeAsString(), person.update_time().SerializeAsString());
  EXPECT_FALSE(person.has_delete_time());
  // The answer is what a read gives.
  const Written& written = result->records[0];
  EXPECT_EQ(RecordOf(*written.resource, written.version),
            **engine->GetNewest(testing::ResourceOf(person), "a"));
}

TEST(WriteTest, CreateMakesIds) {
  auto engine = OpenEngine();
  auto first = WriteOf(*engine, Create(Note("1"), ""));
  auto second = WriteOf(*engine, Create(Note("2"), ""));
  ASSERT_OK(first);
  ASSERT_OK(second);
  EXPECT_TRUE(ValidId(first->records[0].version.id));
  EXPECT_NE(first->records[0].version.id, second->records[0].version.id);
  EXPECT_NE(first->records[0].version.uid, first->records[0].version.id);
}

TEST(WriteTest, AnIdIsNeverGivenAgain) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("n"), "a")));
  auto again = WriteOf(*engine, Create(Note("n"), "a"));
  EXPECT_FAILS(again, kAlreadyExists, RECORD_EXISTS);
  EXPECT_THAT(std::string(again.status().message()), HasSubstr("live"));
  ASSERT_OK(WriteOf(*engine, Delete("persons/a")));
  again = WriteOf(*engine, Create(Note("n"), "a"));
  EXPECT_FAILS(again, kAlreadyExists, RECORD_EXISTS);
  EXPECT_THAT(std::string(again.status().message()), HasSubstr("deleted"));
  Operation missing = Update(Note("n"), "a", {"*"});
  missing.allow_missing = true;
  EXPECT_FAILS(WriteOf(*engine, std::move(missing)), kAlreadyExists, RECORD_EXISTS);
  EXPECT_EQ(Newest(*engine), 2);
}

TEST(WriteTest, UpdateByMask) {
  auto engine = OpenEngine();
  ASSERT_OK(
      WriteOf(*engine, Create(Proto<v1::Person>("note: 'n' health: 'h' religion: 'r'"), "a")));
  ASSERT_OK(WriteOf(*engine,
                    Update(Proto<v1::Person>("note: 'm' health: 'i'"), "a", {"note", "religion"})));
  auto person = Read<v1::Person>(*engine, "a");
  EXPECT_EQ(person.note() + "," + person.health() + "," + person.religion(), "m,h,");
  // Without a mask: what is set.
  ASSERT_OK(WriteOf(*engine, Update(Proto<v1::Person>("health: 'j'"), "a")));
  person = Read<v1::Person>(*engine, "a");
  EXPECT_EQ(person.note() + "," + person.health(), "m,j");
  // `*`: everything.
  ASSERT_OK(WriteOf(*engine, Update(Proto<v1::Person>("health: 'k'"), "a", {"*"})));
  person = Read<v1::Person>(*engine, "a");
  EXPECT_EQ(person.note() + "," + person.health(), ",k");
  EXPECT_EQ(person.revision(), 4);
  EXPECT_EQ(Read<v1::Person>(*engine, "a", 1).religion(), "r");
  EXPECT_EQ(Read<v1::Person>(*engine, "a", 2).religion(), "");
  EXPECT_EQ(Read<v1::Person>(*engine, "a", 1).uid(), person.uid());
}

TEST(WriteTest, UpdateOfOneElement) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("x"), "p")));
  auto release = Proto<v1::Release>(
      "headcount { best: 5 } participants { id: 'a' person: 'persons/p' } "
      "participants { id: 'b' person: 'persons/p' }");
  ASSERT_OK(WriteOf(*engine, Create(release, "r")));
  // The person of the element, which is required, is not sent.
  ASSERT_OK(
      WriteOf(*engine, Update(Proto<v1::Release>("participants { id: 'b' outcomes { id: 'o' kind: "
                                                 "DECLINED_RELEASE } }"),
                              "r", {"participants[\"b\"].outcomes"})));
  auto read = Read<v1::Release>(*engine, "r");
  EXPECT_EQ(read.participants(1).person(), "persons/p");
  EXPECT_EQ(read.participants(1).outcomes_size(), 1);
  EXPECT_EQ(read.unnamed_remainder().total().best(), 4) << "derived of the whole record";
  // What comes out must be a whole record.
  EXPECT_THAT(testing::ViolatedFields(
                  WriteOf(*engine, Update(Proto<v1::Release>("participants { id: 'a' }"), "r",
                                          {"participants[\"a\"].person"}))
                      .status()),
              ElementsAre("release.participants[\"a\"].person"));
  EXPECT_FAILS(WriteOf(*engine, Update(v1::Release(), "r", {"participants[\"z\"].person"})),
               kInvalidArgument, INVALID_FIELD);
}

TEST(WriteTest, EveryElementAtOnce) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Proto<v1::Person>("names { id: 'a' full: 'A' } "
                                                      "names { id: 'b' full: 'B' }"),
                                    "p")));
  ASSERT_OK(WriteOf(*engine, Update(Proto<v1::Person>("names { id: 'b' given: 'Y' full: '-' } "
                                                      "names { id: 'a' given: 'X' full: '-' }"),
                                    "p", {"names[*].given"})));
  auto person = Read<v1::Person>(*engine, "p");
  EXPECT_EQ(person.names(0).full() + person.names(0).given(), "AX");
  EXPECT_EQ(person.names(1).full() + person.names(1).given(), "BY");
  // The elements themselves: the list.
  ASSERT_OK(WriteOf(*engine,
                    Update(Proto<v1::Person>("names { id: 'c' full: 'C' }"), "p", {"names[*]"})));
  EXPECT_THAT(Read<v1::Person>(*engine, "p").names(), SizeIs(1));
}

TEST(WriteTest, AllowMissingChecksWhatTheMaskLeavesOut) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("x"), "p")));
  Operation missing =
      Update(Proto<v1::Detention>("region_code: 'BY' person: 'persons/p'"), "d", {"region_code"});
  missing.allow_missing = true;
  EXPECT_THAT(testing::ViolatedFields(WriteOf(*engine, std::move(missing)).status()),
              ElementsAre("detention.person"));
  missing = Update(Proto<v1::Detention>("region_code: 'BY' person: 'persons/p'"), "d",
                   {"region_code", "person"});
  missing.allow_missing = true;
  ASSERT_OK(WriteOf(*engine, std::move(missing)));
  EXPECT_EQ(Read<v1::Detention>(*engine, "d").review_state(), v1::Record::DRAFT);
}

TEST(WriteTest, DeleteIsSoft) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("n"), "a")));
  ASSERT_OK(WriteOf(*engine, Delete("persons/a")));
  auto person = Read<v1::Person>(*engine, "a");
  EXPECT_EQ(person.note(), "n");
  EXPECT_TRUE(person.has_delete_time());
  EXPECT_EQ(person.delete_time().nanos(), person.update_time().nanos());
  EXPECT_FALSE(Read<v1::Person>(*engine, "a", 1).has_delete_time());
  EXPECT_FAILS(WriteOf(*engine, Delete("persons/a")), kNotFound, RECORD_NOT_FOUND);
  EXPECT_FAILS(WriteOf(*engine, Update(Note("m"), "a")), kNotFound, RECORD_NOT_FOUND);

  ASSERT_OK(WriteOf(*engine, Undelete("persons/a")));
  person = Read<v1::Person>(*engine, "a");
  EXPECT_FALSE(person.has_delete_time());
  EXPECT_EQ(person.revision(), 3);
  EXPECT_FAILS(WriteOf(*engine, Undelete("persons/a")), kAlreadyExists, RECORD_NOT_DELETED);
  EXPECT_FAILS(WriteOf(*engine, Undelete("persons/b")), kNotFound, RECORD_NOT_FOUND);
  EXPECT_FAILS(WriteOf(*engine, Delete("persons/b")), kNotFound, RECORD_NOT_FOUND);
  EXPECT_FAILS(WriteOf(*engine, Update(Note("m"), "b")), kNotFound, RECORD_NOT_FOUND);
  EXPECT_EQ(Newest(*engine), 3);
}

TEST(WriteTest, ManyOperationsAreOneCommitOrNone) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("a"), "a"), Create(Note("b"), "b")));
  EXPECT_EQ(Newest(*engine), 1);
  EXPECT_FAILS(WriteOf(*engine, Update(Note("a2"), "a"), Delete("persons/b"),
                       Create(Note("c"), "c"), Delete("persons/none")),
               kNotFound, RECORD_NOT_FOUND);
  EXPECT_EQ(Newest(*engine), 1);
  EXPECT_EQ(Read<v1::Person>(*engine, "a").note(), "a");
  EXPECT_FALSE(Read<v1::Person>(*engine, "b").has_delete_time());
  EXPECT_EQ(Read<v1::Person>(*engine, "c").name(), "");
  EXPECT_THAT(
      testing::Violations(WriteOf(*engine, Update(Note("a2"), "a"), Delete("persons/a")).status()),
      ElementsAre("name: persons/a: named twice in one commit"));
}

TEST(WriteTest, WhatChangesNothingMakesNoCommit) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("n"), "a")));
  auto result = WriteOf(*engine, Update(Note("n"), "a"));
  ASSERT_OK(result);
  EXPECT_EQ(result->revision, 1);
  EXPECT_EQ(result->records[0].version.since, 1);
  EXPECT_EQ(Newest(*engine), 1);
  // Beside an operation that changes something.
  result = WriteOf(*engine, Update(Note("n"), "a"), Create(Note("b"), "b"));
  ASSERT_OK(result);
  EXPECT_EQ(result->revision, 2);
  EXPECT_EQ(result->records[0].version.since, 1);
  EXPECT_EQ(result->records[1].version.since, 2);
  EXPECT_EQ(Read<v1::Person>(*engine, "a").revision(), 1);
}

TEST(WriteTest, ValidateOnlyChecksAndLeavesNothing) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("n"), "a")));
  CommitRequest request = Request(Update(Note("m"), "a"), Create(Note("b"), "b"));
  request.validate_only = true;
  request.request_id = "id";
  auto result = Write(*engine, std::move(request));
  ASSERT_OK(result);
  EXPECT_THAT(result->records[0].version.payload, HasSubstr("m"));
  EXPECT_EQ(Newest(*engine), 1);
  EXPECT_EQ(Read<v1::Person>(*engine, "a").note(), "n");
  EXPECT_EQ(engine->Cached("persons/b"), nullptr);
  request = Request(Delete("persons/b"));
  request.validate_only = true;
  EXPECT_FAILS(Write(*engine, std::move(request)), kNotFound, RECORD_NOT_FOUND);
  // Its request id was not taken.
  request = Request(Create(Note("b"), "b"));
  request.request_id = "id";
  ASSERT_OK(Write(*engine, std::move(request)));
}

TEST(WriteTest, LimitsOfTheCommit) {
  auto engine = OpenEngine();
  CommitRequest request = Request(Create(Note("n"), "a"));
  request.request_id = std::string(kMaxRequestIdBytes + 1, 'x');
  request.reason = std::string(kMaxReasonBytes + 1, 'x');
  EXPECT_THAT(testing::ViolatedFields(Write(*engine, std::move(request)).status()),
              ElementsAre("request_id", "reason"));
}

TEST(WriteTest, ReadsAtRevisions) {
  auto engine = OpenEngine();
  EXPECT_EQ(Newest(*engine), 0);
  EXPECT_FAILS(engine->View(0), kInvalidArgument, REVISION_OUT_OF_RANGE);
  EXPECT_FAILS(engine->View(1), kInvalidArgument, REVISION_OUT_OF_RANGE);
  ASSERT_OK(WriteOf(*engine, Create(Note("n"), "a")));
  EXPECT_TRUE(engine->View(1).ok());
  EXPECT_FAILS(engine->View(2), kInvalidArgument, REVISION_OUT_OF_RANGE);
  EXPECT_FAILS(engine->View(-1), kInvalidArgument, REVISION_OUT_OF_RANGE);
  const Resource& persons = testing::ResourceOf(v1::Person());
  ASSERT_OK(WriteOf(*engine, Create(Note("n"), "b")));
  EXPECT_FAILS(engine->Get(persons, "b", *engine->View(1)), kNotFound, RECORD_NOT_FOUND);
  EXPECT_TRUE(engine->Get(persons, "b", *engine->View(2)).ok());
}

// --- etags --------------------------------------------------------------------------------------

TEST(EtagTest, StaleOnesAreRefused) {
  auto engine = OpenEngine();
  ASSERT_OK(WriteOf(*engine, Create(Note("1"), "a")));
  const std::string first = Read<v1::Person>(*engine, "a").etag();
  auto with = [](Operation operation, const std::string& etag) {
    operation.etag = etag;
    return operation;
  };
  ASSERT_OK(WriteOf(*engine, with(Update(Note("2"), "a"), first)));
  const std::string second = Read<v1::Person>(*engine, "a").etag();
  EXPECT_NE(first, second);
  auto stale = WriteOf(*engine, with(Update(Note("3"), "a"), first));
  EXPECT_FAILS(stale, kAborted, ETAG_MISMATCH);
  EXPECT_FAILS(WriteOf(*engine, with(Delete("persons/a"), first)), kAborted, ETAG_MISMATCH);
  EXPECT_FAILS(WriteOf(*engine, with(Delete("persons/a"), "\"nonsense\"")), kAborted,
               ETAG_MISMATCH);
  ASSERT_OK(WriteOf(*engine, with(Delete("persons/a"), second)));
  EXPECT_FAILS(WriteOf(*engine, with(Undelete("persons/a"), second)), kAborted, ETAG_MISMATCH);
  ASSERT_OK(WriteOf(*engine, with(Undelete("persons/a"), Read<v1::Person>(*engine, "a").etag())));
}

// --- request ids --------------------------------------------------------------------------------

CommitRequest WithId(CommitRequest request, const std::string& id, const std::string& hash = "h") {
  request.caller = "me";
  request.request_id = id;
  request.request_hash = hash;
  return request;
}

TEST(RequestIdTest, TheRepeatIsAnsweredByTheCommit) {
  testing::TempDir folder;
  auto engine = OpenEngine(folder.File());
  auto first = Write(*engine, WithId(Request(Create(Note("1"), "a"), Create(Note("b"), "b")), "r"));
  ASSERT_OK(first);
  ASSERT_OK(WriteOf(*engine, Update(Note("2"), "a")));
  ASSERT_OK(WriteOf(*engine, Delete("persons/b")));
  for (int round = 0; round < 2; ++round) {
    auto repeat =
        Write(*engine, WithId(Request(Create(Note("1"), "a"), Create(Note("b"), "b")), "r"));
    ASSERT_OK(repeat);
    EXPECT_EQ(repeat->revision, 1);
    ASSERT_THAT(repeat->records, SizeIs(2));
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(repeat->records[i].version.payload, first->records[i].version.payload);
      EXPECT_EQ(repeat->records[i].version.uid, first->records[i].version.uid);
      EXPECT_EQ(repeat->records[i].version.since, 1);
      EXPECT_EQ(repeat->records[i].version.delete_time, 0);
    }
    EXPECT_EQ(Newest(*engine), 3);
    // The second time across a restart.
    engine.reset();
    engine = OpenEngine(folder.File());
  }
}

TEST(RequestIdTest, MadeIdsAreTheSameInTheRepeat) {
  auto engine = OpenEngine();
  auto first = Write(*engine, WithId(Request(Create(Note("1"), "")), "r"));
  auto repeat = Write(*engine, WithId(Request(Create(Note("1"), "")), "r"));
  ASSERT_OK(first);
  ASSERT_OK(repeat);
  EXPECT_EQ(first->records[0].version.id, repeat->records[0].version.id);
}

TEST(RequestIdTest, OtherContentIsRefused) {
  auto engine = OpenEngine();
  ASSERT_OK(Write(*engine, WithId(Request(Create(Note("1"), "a")), "r")));
  EXPECT_FAILS(Write(*engine, WithId(Request(Create(Note("1"), "b")), "r", "other")),
               kInvalidArgument, REQUEST_ID_REUSED);
  CommitRequest method = WithId(Request(Create(Note("1"), "b")), "r");
  method.method = "other";
  EXPECT_FAILS(Write(*engine, std::move(method)), kInvalidArgument, REQUEST_ID_REUSED);
  // Another caller's ids are its own.
  CommitRequest caller = WithId(Request(Create(Note("1"), "b")), "r");
  caller.caller = "you";
  ASSERT_OK(Write(*engine, std::move(caller)));
}

TEST(RequestIdTest, FailuresAreNotKept) {
  auto engine = OpenEngine();
  EXPECT_FAILS(Write(*engine, WithId(Request(Update(Note("1"), "a")), "r")), kNotFound,
               RECORD_NOT_FOUND);
  ASSERT_OK(WriteOf(*engine, Create(Note("0"), "a")));
  ASSERT_OK(Write(*engine, WithId(Request(Update(Note("1"), "a")), "r")));
  EXPECT_EQ(Read<v1::Person>(*engine, "a").note(), "1");
}

// --- references ---------------------------------------------------------------------------------

class ReferenceTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(WriteOf(*engine_, Create(Note("p"), "p"))); }

  absl::Status Missing(Operation operation) {
    absl::Status status = WriteOf(*engine_, std::move(operation)).status();
    EXPECT_FAILS(status, kFailedPrecondition, REFERENCE_NOT_FOUND);
    return status;
  }

  std::unique_ptr<Engine> engine_ = OpenEngine();
};

TEST_F(ReferenceTest, MustLeadToLiveRecords) {
  EXPECT_THAT(testing::PreconditionSubjects(Missing(
                  Create(Proto<v1::Release>("participants { id: 'a' person: 'persons/p' } "
                                            "participants { id: 'b' person: 'persons/q' } "
                                            "announced_by { organization: 'organizations/o' }"),
                         "r"))),
              ::testing::UnorderedElementsAre("release.participants[\"b\"].person",
                                              "release.announced_by.organization"));
  ASSERT_OK(WriteOf(*engine_, Create(Note("q"), "q")));
  ASSERT_OK(WriteOf(*engine_, Delete("persons/q")));
  absl::Status status = Missing(Create(Proto<v1::Detention>("person: 'persons/q'"), "d"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("deleted"));
  EXPECT_THAT(
      std::string(
          Missing(Create(Proto<v1::Commitment>("conditional_on: 'nothings/x'"), "c")).message()),
      HasSubstr("no such collection"));
}

TEST_F(ReferenceTest, BothEndsInOneCommit) {
  ASSERT_OK(WriteOf(*engine_, Create(Proto<v1::Person>("relations { person: 'persons/b' }"), "a"),
                    Create(Proto<v1::Person>("relations { person: 'persons/a' }"), "b")));
  // Deleted in one commit, too, although they refer to each other.
  ASSERT_OK(WriteOf(*engine_, Delete("persons/a"), Delete("persons/b")));
}

TEST_F(ReferenceTest, ACommitMayNotLeaveWhatItDeletesReferredTo) {
  ASSERT_OK(WriteOf(*engine_, Create(Note("q"), "q")));
  EXPECT_FALSE(WriteOf(*engine_, Delete("persons/q"),
                       Create(Proto<v1::Detention>("person: 'persons/q'"), "d"))
                   .ok());
  EXPECT_FALSE(WriteOf(*engine_, Create(Proto<v1::Detention>("person: 'persons/q'"), "d"),
                       Delete("persons/q", true))
                   .ok());
  EXPECT_EQ(Newest(*engine_), 2);
}

TEST_F(ReferenceTest, WhatIsReferredToIsNotDeleted) {
  ASSERT_OK(WriteOf(*engine_, Create(Proto<v1::Detention>("person: 'persons/p'"), "d")));
  auto refused = WriteOf(*engine_, Delete("persons/p"));
  EXPECT_FAILS(refused, kFailedPrecondition, RECORD_REFERENCED);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("detentions/d"));
  ASSERT_OK(WriteOf(*engine_, Delete("persons/p", true)));
}

TEST_F(ReferenceTest, OldVersionsAndDeletedRecordsDoNotHold) {
  ASSERT_OK(WriteOf(*engine_, Create(Note("q"), "q")));
  ASSERT_OK(WriteOf(*engine_, Create(Proto<v1::Detention>("person: 'persons/p'"), "d")));
  ASSERT_OK(WriteOf(*engine_, Update(Proto<v1::Detention>("person: 'persons/q'"), "d")));
  ASSERT_OK(WriteOf(*engine_, Delete("persons/p")));
  EXPECT_FAILS(WriteOf(*engine_, Delete("persons/q")), kFailedPrecondition, RECORD_REFERENCED);
  ASSERT_OK(WriteOf(*engine_, Delete("detentions/d")));
  ASSERT_OK(WriteOf(*engine_, Delete("persons/q")));
  // Undeleting brings the reference back, and checks nothing.
  ASSERT_OK(WriteOf(*engine_, Undelete("detentions/d")));
  ASSERT_OK(WriteOf(*engine_, Undelete("persons/q")));
  EXPECT_FAILS(WriteOf(*engine_, Delete("persons/q")), kFailedPrecondition, RECORD_REFERENCED);
}

TEST_F(ReferenceTest, ToItself) {
  ASSERT_OK(
      WriteOf(*engine_, Create(Proto<v1::Person>("relations { person: 'persons/self' }"), "self")));
  ASSERT_OK(WriteOf(*engine_, Delete("persons/self")));
}

TEST_F(ReferenceTest, UnchangedOnesToWhatIsGoneStayLegal) {
  ASSERT_OK(WriteOf(*engine_, Create(Note("q"), "q")));
  const auto detention = Proto<v1::Detention>(
      "person: 'persons/p' officials { id: 'o' person: "
      "'persons/q' }");
  ASSERT_OK(WriteOf(*engine_, Create(detention, "d")));
  ASSERT_OK(WriteOf(*engine_, Delete("persons/p", true)));
  ASSERT_OK(WriteOf(*engine_, Update(Proto<v1::Detention>("note: 'x'"), "d")));
  auto whole = detention;
  whole.set_note("y");
  ASSERT_OK(WriteOf(*engine_, Update(whole, "d", {"*"})));
  // The same name at another place is a new reference.
  whole.mutable_officials(0)->set_person("persons/p");
  EXPECT_THAT(testing::PreconditionSubjects(Missing(Update(whole, "d", {"*"}))),
              ElementsAre("detention.officials[\"o\"].person"));
}

TEST_F(ReferenceTest, ToElementsOfTheOwnList) {
  EXPECT_THAT(testing::PreconditionSubjects(Missing(
                  Create(Proto<v1::Negotiation>("parties { id: 'us' } parties { id: 'by' } "
                                                "terms { id: 't' obligor_party_id: 'us' "
                                                "beneficiary_party_id: 'ru' } "
                                                "rounds { id: 'r' party_ids: ['us', 'xx'] }"),
                         "n"))),
              ::testing::UnorderedElementsAre("negotiation.terms[\"t\"].beneficiary_party_id",
                                              "negotiation.rounds[\"r\"].party_ids"));
  ASSERT_OK(
      WriteOf(*engine_, Create(Proto<v1::Negotiation>("parties { id: 'us' } parties { id: 'by' }"
                                                      "terms { id: 't' obligor_party_id: 'us'"
                                                      " beneficiary_party_id: 'by' }"),
                               "n")));
  // Taking the element away breaks what was there before.
  EXPECT_THAT(
      testing::PreconditionSubjects(Missing(Update(v1::Negotiation(), "n", {"parties[\"by\"]"}))),
      ElementsAre("negotiation.terms[\"t\"].beneficiary_party_id"));
}

TEST_F(ReferenceTest, ToElementsOfAnotherRecord) {
  ASSERT_OK(WriteOf(*engine_, Create(Proto<v1::Negotiation>("terms { id: 't' }"), "n")));
  ASSERT_OK(WriteOf(*engine_, Create(Proto<v1::Commitment>("negotiation: 'negotiations/n' "
                                                           "term_id: 't'"),
                                     "c")));
  EXPECT_THAT(testing::PreconditionSubjects(Missing(Create(
                  Proto<v1::Commitment>("negotiation: 'negotiations/n' term_id: 'u'"), "c2"))),
              ElementsAre("commitment.term_id"));
  absl::Status status = Missing(Create(Proto<v1::Commitment>("term_id: 't'"), "c3"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("not named"));
  // Record and element in one commit.
  ASSERT_OK(WriteOf(
      *engine_, Create(Proto<v1::Commitment>("negotiation: 'negotiations/m' term_id: 'u'"), "d"),
      Create(Proto<v1::Negotiation>("terms { id: 'u' }"), "m")));
}

TEST_F(ReferenceTest, AreRebuiltWhenTheContractChanged) {
  testing::TempDir folder;
  {
    auto engine = OpenEngine(folder.File());
    ASSERT_OK(WriteOf(*engine, Create(Note("p"), "p"), Create(Note("q"), "q"),
                      Create(Proto<v1::Detention>("person: 'persons/p'"), "d"),
                      Create(Proto<v1::Detention>("person: 'persons/q'"), "gone")));
    ASSERT_OK(WriteOf(*engine, Delete("detentions/gone")));
  }
  auto spoil = [&](bool also_fingerprint) {
    auto store = testing::OpenStore(folder.File());
    store::Writer* writer = store->writer();
    ASSERT_OK(writer->Begin());
    ASSERT_OK(writer->ClearReferences());
    ASSERT_OK(writer->PutReferences("detentions/d", 1, {}, {"persons/q"}));
    if (also_fingerprint) ASSERT_OK(writer->SetMeta("fingerprint", "of an older contract"));
    ASSERT_OK(writer->Commit());
  };
  spoil(false);
  {
    // They are not read anew at every start.
    auto engine = OpenEngine(folder.File());
    CommitRequest request = Request(Delete("persons/p"));
    request.validate_only = true;
    ASSERT_OK(Write(*engine, std::move(request)));
  }
  spoil(true);
  auto engine = OpenEngine(folder.File());
  EXPECT_EQ(Newest(*engine), 2);
  EXPECT_FAILS(WriteOf(*engine, Delete("persons/p")), kFailedPrecondition, RECORD_REFERENCED);
  ASSERT_OK(WriteOf(*engine, Delete("persons/q")));
  engine.reset();
  auto store = testing::OpenStore(folder.File());
  EXPECT_EQ(*store->Meta("fingerprint"), testing::TestRegistry().fingerprint());
}

// --- several engines ----------------------------------------------------------------------------

TEST(ReadOnlyEngineTest, FollowsTheWriter) {
  testing::TempDir folder;
  auto writer = OpenEngine(folder.File());
  store::SqliteOptions read_only;
  read_only.read_only = true;
  auto reader = OpenEngine(folder.File(), read_only);
  EXPECT_TRUE(reader->read_only());
  EXPECT_EQ(Newest(*reader), 0);
  for (int i = 1; i <= 20; ++i) {
    ASSERT_OK(
        WriteOf(*writer, i == 1 ? Create(Note("1"), "a") : Update(Note(absl::StrCat(i)), "a")));
    EXPECT_EQ(Newest(*reader), i);
    EXPECT_EQ(Read<v1::Person>(*reader, "a").note(), absl::StrCat(i));
    auto bytes = reader->GetNewest(testing::ResourceOf(v1::Person()), "a");
    ASSERT_OK(bytes);
    EXPECT_EQ(**bytes, **writer->GetNewest(testing::ResourceOf(v1::Person()), "a"));
    EXPECT_EQ(reader->Cached("persons/a"), nullptr) << "nothing tells it of commits";
  }
  EXPECT_FAILS(WriteOf(*reader, Create(Note("b"), "b")), kFailedPrecondition, STORE_READ_ONLY);
  EXPECT_EQ(reader->page_token_key(), writer->page_token_key());
}

TEST(ReadOnlyEngineTest, AStoreOfANewerContractIsNotWritten) {
  testing::TempDir folder;
  {
    ASSERT_OK(WriteOf(*OpenEngine(folder.File()), Create(Note("1"), "a")));
  }
  {
    auto store = testing::OpenStore(folder.File());
    ASSERT_OK(store->writer()->Begin());
    ASSERT_OK(store->writer()->SetMeta("contract_size",
                                       absl::StrCat(testing::TestRegistry().contract_size() + 1)));
    ASSERT_OK(store->writer()->Commit());
  }
  auto engine = OpenEngine(folder.File());
  EXPECT_TRUE(engine->read_only());
  EXPECT_EQ(Read<v1::Person>(*engine, "a").note(), "1");
  EXPECT_FAILS(WriteOf(*engine, Create(Note("b"), "b")), kFailedPrecondition, STORE_READ_ONLY);
}

// --- time ---------------------------------------------------------------------------------------

int64_t Micros(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1'000'000 + time.nanos() / 1'000;
}

TEST(CommitTimeTest, GoesOnWhereTheClockSteppedBack) {
  testing::TempDir folder;
  const int64_t ahead = absl::ToUnixMicros(absl::Now() + absl::Hours(1));
  {
    // What an engine would have left whose clock was an hour ahead.
    auto store = testing::OpenStore(folder.File());
    store::Writer* writer = store->writer();
    ASSERT_OK(writer->Begin());
    ASSERT_OK(writer->BeginCommit());
    ASSERT_OK(writer->PutCommit({1, ahead, "", "", "test", "", ""}, {}));
    ASSERT_OK(writer->EndCommit());
    ASSERT_OK(writer->Commit());
  }
  auto engine = OpenEngine(folder.File());
  for (int i = 1; i <= 3; ++i) {
    ASSERT_OK(WriteOf(*engine, Create(Note("n"), absl::StrCat("p", i))));
    EXPECT_EQ(Micros(Read<v1::Person>(*engine, absl::StrCat("p", i)).update_time()), ahead + i);
  }
  engine.reset();
  engine = OpenEngine(folder.File());
  ASSERT_OK(WriteOf(*engine, Create(Note("n"), "p4")));
  EXPECT_EQ(Micros(Read<v1::Person>(*engine, "p4").update_time()), ahead + 4);
}

}  // namespace
}  // namespace detente::engine
