// Acknowledged means durable: engines on a machine whose power goes at any operation, and whose
// disk fills up or fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detente/v1/organization.pb.h"
#include "detente/v1/person.pb.h"
#include "engine/references.h"
#include "server/engine/testing.h"
#include "server/store/crash_vfs.h"

namespace detente {
namespace {

using engine::CommitRequest;
using engine::CommitResult;
using engine::Engine;
using store::CrashVfs;
using store::Revision;
using testing::TestRegistry;

constexpr char kCaller[] = "crash-test";

// One write as it was sent, and what became of it. All of its records must be written, or none.
struct Sent {
  int number = 0;
  std::map<std::string, std::string> notes;  // by id: the note that the commit gives the person
  std::optional<Revision> acknowledged;
};

std::string RequestId(int number) { return absl::StrCat("request-", number); }

// What the store must hold, told by what was sent and acknowledged.
class Oracle {
 public:
  // The next commit: one to three persons, of whom each refers to the organization that its note
  // names. Large notes now and then, so that a commit takes many pages.
  CommitRequest Next(std::mt19937_64& random) {
    Sent sent;
    sent.number = static_cast<int>(sent_.size());
    CommitRequest request;
    request.caller = kCaller;
    request.method = "test";
    request.request_id = RequestId(sent.number);
    request.request_hash = "hash";
    const size_t count = 1 + random() % 3;
    while (sent.notes.size() < count) {
      std::string id = absl::StrCat("p", random() % 12);
      if (sent.notes.contains(id)) continue;
      std::string note = absl::StrCat(sent.number);
      if (random() % 16 == 0) note.append(random() % 30'000, 'x');
      v1::Person person;
      person.set_note(note);
      person.add_affiliations()->set_organization(
          absl::StrCat("organizations/o", OrganizationOf(note)));
      engine::Operation operation = testing::Update(person, id, {"*"});
      operation.allow_missing = true;
      request.operations.push_back(std::move(operation));
      sent.notes[id] = std::move(note);
    }
    sent_.push_back(std::move(sent));
    return request;
  }

  static int OrganizationOf(const std::string& note) { return std::atoi(note.c_str()) % 3; }

  int last() const { return static_cast<int>(sent_.size()) - 1; }
  void Acknowledge(int number, Revision revision) {
    sent_[static_cast<size_t>(number)].acknowledged = revision;
  }

  // What is wrong with the store after a crash; empty where nothing is. Takes what it finds as the
  // new truth.
  std::string Check(store::Store& opened) {
    auto reader = opened.NewReader();
    if (!reader.ok()) return reader.status().ToString();
    store::Reader& read = **reader;
    auto newest = read.Newest();
    if (!newest.ok()) return newest.status().ToString();

    // Acknowledged commits are where they were said to be; others may be there, each whole.
    std::map<Revision, const Sent*> commits;
    int unacknowledged = 0;
    for (Sent& sent : sent_) {
      auto commit = read.FindRequest(kCaller, RequestId(sent.number));
      if (!commit.ok()) return commit.status().ToString();
      if (!commit->has_value()) {
        if (!sent.acknowledged) continue;
        return absl::StrCat("lost: commit ", *sent.acknowledged, " was acknowledged");
      }
      if (sent.acknowledged && *sent.acknowledged != (*commit)->revision) {
        return absl::StrCat("moved: commit ", *sent.acknowledged);
      }
      if (!sent.acknowledged) ++unacknowledged;
      sent.acknowledged = (*commit)->revision;
      commits[(*commit)->revision] = &sent;
    }
    // Revision 1 made the organizations.
    if (!commits.empty()) setup_done_ = true;
    if (newest->revision == 0) return setup_done_ ? "lost: everything" : "";
    setup_done_ = true;
    if (static_cast<Revision>(commits.size()) + 1 != newest->revision) {
      return absl::StrCat("gap: ", commits.size() + 1, " commits, newest is ", newest->revision);
    }
    if (!commits.empty() && commits.rbegin()->first != newest->revision) return "gap at the end";
    most_unacknowledged_ = std::max(most_unacknowledged_, unacknowledged);

    // Every record at every tenth revision and the newest.
    std::map<std::string, std::string> notes;
    auto commit = commits.begin();
    for (Revision revision = 1; revision <= newest->revision; ++revision) {
      if (revision > 1) {
        for (const auto& [id, note] : (commit++)->second->notes) notes[id] = note;
      }
      if (revision % 10 != 0 && revision != newest->revision) continue;
      std::map<std::string, std::string> found;
      absl::Status status = read.List("persons", "", {revision}, true, [&](store::Version& v) {
        v1::Person person;
        person.ParseFromString(v.payload);
        found[v.id] = person.note();
        return true;
      });
      if (!status.ok()) return status.ToString();
      if (found != notes) return absl::StrCat("half applied: revision ", revision);
    }
    std::set<std::string> expected[3];
    for (const auto& [id, note] : notes) {
      expected[OrganizationOf(note)].insert(absl::StrCat("persons/", id));
    }
    for (int i = 0; i < 3; ++i) {
      auto referrers = read.Referrers(absl::StrCat("organizations/o", i), 1'000);
      if (!referrers.ok()) return referrers.status().ToString();
      if (std::set<std::string>(referrers->begin(), referrers->end()) != expected[i]) {
        return absl::StrCat("references to o", i, " differ");
      }
    }
    return "";
  }

  bool setup_done() const { return setup_done_; }
  void SetupAcknowledged() { setup_done_ = true; }
  int most_unacknowledged() const { return most_unacknowledged_; }

 private:
  std::vector<Sent> sent_;
  bool setup_done_ = false;
  int most_unacknowledged_ = 0;
};

struct Outcome {
  int crashes = 0;  // with a store that was found to be whole
  int64_t acknowledged = 0;
  std::string broken;  // what the first broken store lacked
  int most_unacknowledged = 0;
};

// Rounds of: open, write in groups until the power goes, look at what is left.
Outcome CrashRounds(uint64_t seed, int rounds, bool sync) {
  std::mt19937_64 random(seed);
  testing::TempDir folder;
  CrashVfs vfs(seed);
  const std::string path = folder.File();
  store::SqliteOptions options;
  options.create = true;
  options.vfs = vfs.name();
  options.sync = sync;
  options.checkpoint_pages = 40;  // so that crashes hit checkpoints too
  Oracle oracle;
  Outcome outcome;
  for (int round = 0; round < rounds; ++round) {
    // Most crashes come while commits are written, some while the store opens or closes.
    const bool while_closing = random() % 8 == 0;
    if (!while_closing) vfs.PowerOffAfter(static_cast<int64_t>(random() % (round == 0 ? 40 : 90)));
    auto opened = store::OpenSqlite(path, testing::TestRegistry().Tables(), options);
    std::unique_ptr<Engine> engine;
    if (opened.ok()) {
      auto made = Engine::Open(*std::move(opened), &TestRegistry(), {});
      if (made.ok()) engine = *std::move(made);
    }
    if (engine != nullptr && !oracle.setup_done()) {
      CommitRequest setup;
      setup.method = "setup";
      for (int i = 0; i < 3; ++i) {
        setup.operations.push_back(testing::Create(v1::Organization(), absl::StrCat("o", i)));
      }
      if (testing::Write(*engine, std::move(setup)).ok()) oracle.SetupAcknowledged();
    }
    if (engine != nullptr && oracle.setup_done()) {
      // One transaction of the writer is all that may be under way.
      for (int batch = 0; batch < 12 && !vfs.powered_off(); ++batch) {
        std::vector<std::pair<int, std::future<absl::StatusOr<CommitResult>>>> answers;
        for (size_t i = 1 + random() % 6; i > 0; --i) {
          CommitRequest request = oracle.Next(random);
          answers.emplace_back(oracle.last(), testing::WriteLater(*engine, std::move(request)));
        }
        for (auto& [number, answer] : answers) {
          auto result = answer.get();
          if (result.ok()) {
            oracle.Acknowledge(number, result->revision);
            ++outcome.acknowledged;
          } else {
            EXPECT_EQ(ReasonOf(result.status()), v1::STORE_UNAVAILABLE) << result.status();
          }
        }
      }
    }
    if (while_closing) vfs.PowerOffAfter(static_cast<int64_t>(random() % 12));
    engine.reset();
    vfs.Crash(random() % 2 == 0 ? CrashVfs::Unsynced::kLost : CrashVfs::Unsynced::kTorn);

    auto left = store::OpenSqlite(path, testing::TestRegistry().Tables(), options);
    outcome.broken = left.ok() ? oracle.Check(**left) : left.status().ToString();
    if (!outcome.broken.empty()) return outcome;
    ++outcome.crashes;
    outcome.most_unacknowledged = oracle.most_unacknowledged();
  }
  return outcome;
}

class CrashTest : public ::testing::TestWithParam<int> {};

TEST_P(CrashTest, AcknowledgedCommitsSurvive) {
  const Outcome outcome = CrashRounds(static_cast<uint64_t>(GetParam()), 60, true);
  EXPECT_EQ(outcome.broken, "") << "after " << outcome.crashes << " crashes";
  // Enough to lose; how many come together in one transaction hangs on the threads.
  EXPECT_GT(outcome.acknowledged, 50);
  EXPECT_LE(outcome.most_unacknowledged, 6);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CrashTest, ::testing::Range(1, 9));

// The proof that the machine loses what was not synced: the same rounds without syncs.
TEST(CrashVfsTest, LossWithoutSyncsIsSeen) {
  int broken = 0;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    broken += CrashRounds(seed, 60, false).broken.empty() ? 0 : 1;
  }
  EXPECT_EQ(broken, 8);
}

// --- faults that pass ---------------------------------------------------------------------------

struct Fault {
  const char* name;
  int code;
  int64_t count;
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

class FaultTest : public ::testing::TestWithParam<Fault> {};

// A short history with the fault at its n-th operation, for every n.
TEST_P(FaultTest, FailsWholeAndPasses) {
  const Fault& fault = GetParam();
  int64_t n = 0;
  int64_t failures = 0;
  int64_t full = 0;
  for (bool hit = true; hit; ++n) {
    SCOPED_TRACE(n);
    testing::TempDir folder;
    CrashVfs vfs(1);
    store::SqliteOptions options;
    options.create = true;
    options.vfs = vfs.name();
    options.checkpoint_pages = 8;  // so that the history has checkpoints in it
    auto opened = store::OpenSqlite(folder.File(), testing::TestRegistry().Tables(), options);
    ASSERT_OK(opened);
    auto made = Engine::Open(*std::move(opened), &TestRegistry(), {});
    ASSERT_OK(made);
    std::unique_ptr<Engine> engine = *std::move(made);
    CommitRequest setup;
    setup.method = "setup";
    for (int i = 0; i < 3; ++i) {
      setup.operations.push_back(testing::Create(v1::Organization(), absl::StrCat("o", i)));
    }
    ASSERT_OK(testing::Write(*engine, std::move(setup)));
    Oracle oracle;
    oracle.SetupAcknowledged();
    std::mt19937_64 random(7);

    vfs.FailOperations(n, fault.count, fault.code);
    auto write = [&](bool must_succeed) {
      CommitRequest request = oracle.Next(random);
      const int number = oracle.last();
      auto result = testing::Write(*engine, std::move(request));
      if (result.ok()) {
        oracle.Acknowledge(number, result->revision);
      } else {
        EXPECT_FALSE(must_succeed) << result.status();
        if (ReasonOf(result.status()) == v1::STORE_FULL) {
          ++full;
          EXPECT_FAILS(result, kResourceExhausted, STORE_FULL);
        } else {
          EXPECT_FAILS(result, kUnavailable, STORE_UNAVAILABLE);
        }
      }
      // Reads go on, of what was there before.
      EXPECT_EQ(testing::Read<v1::Organization>(*engine, "o1").name(), "organizations/o1");
    };
    for (int i = 0; i < 12; ++i) write(false);
    hit = vfs.failures() > 0;
    failures += vfs.failures();
    vfs.StopFailing();
    for (int i = 0; i < 3; ++i) write(true);
    engine.reset();
    auto reopened = store::OpenSqlite(folder.File(), testing::TestRegistry().Tables(), options);
    ASSERT_OK(reopened);
    ASSERT_EQ(oracle.Check(**reopened), "");
    ASSERT_EQ(oracle.most_unacknowledged(), 0) << "said not to be applied, and was";
    ASSERT_LT(n, 2'000);
  }
  EXPECT_GT(n, 20);
  EXPECT_GT(failures, 20);
  EXPECT_EQ(full > 0, fault.code == SQLITE_FULL);  // a sync that finds no room says less
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultTest,
                         ::testing::Values(Fault{"DiskFullOnce", SQLITE_FULL, 1},
                                           Fault{"DiskFull", SQLITE_FULL, 1 << 20},
                                           Fault{"WriteError", SQLITE_IOERR_WRITE, 1},
                                           Fault{"WriteErrors", SQLITE_IOERR_WRITE, 1 << 20},
                                           Fault{"SyncErrors", SQLITE_IOERR_FSYNC, 4}),
                         [](const auto& info) { return info.param.name; });

TEST(FaultTest, ReadErrorsAreUnavailable) {
  testing::TempDir folder;
  CrashVfs vfs(1);
  store::SqliteOptions options;
  options.vfs = vfs.name();
  auto engine = testing::OpenEngine(folder.File(), options);
  v1::Person person;
  person.set_note(std::string(60'000, 'x'));
  for (int i = 0; i < 400; ++i) {
    ASSERT_OK(testing::WriteOf(*engine, testing::Create(person, absl::StrCat("p", i))));
  }
  vfs.FailReads(true);
  auto view = engine->View(std::nullopt);
  ASSERT_OK(view);
  absl::Status failed;
  for (int i = 0; i < 400 && failed.ok(); ++i) {
    failed = engine->Get(testing::ResourceOf(person), absl::StrCat("p", i), *view).status();
  }
  EXPECT_FAILS(failed, kUnavailable, STORE_UNAVAILABLE);
  vfs.StopFailing();
  EXPECT_TRUE(engine->Get(testing::ResourceOf(person), "p7", *view).ok());
}

}  // namespace
}  // namespace detente
