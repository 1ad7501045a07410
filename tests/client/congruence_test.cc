// The same assertions over an embedded store and over a server process: both answer alike.
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "detente/client/client.h"
#include "detente/client/local.h"
#include "detente/client/remote.h"
#include "detente/v1/commit_service.pb.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/person_service.pb.h"
#include "detente/v1/record_service.pb.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/release_service.pb.h"
#include "error/error.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace detente {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const auto kConnections = testing::Values("local", "remote");

// A detente-server over an empty store, on a free port; ends with this object.
class ServerProcess {
 public:
  ServerProcess() {
    std::array<int, 2> out;
    if (pipe(out.data()) != 0) abort();
    pid_ = fork();
    if (pid_ == 0) {
      dup2(out[1], STDOUT_FILENO);
      close(out[0]);
      execl(DETENTE_SERVER, DETENTE_SERVER, "--listen=localhost:0",
            "--store=sqlite::memory:", nullptr);
      _exit(127);
    }
    close(out[1]);
    FILE* lines = fdopen(out[0], "r");
    std::array<char, 256> line = {};
    if (fgets(line.data(), line.size(), lines) != nullptr) {
      absl::string_view ready = absl::StripSuffix(line.data(), "\n");
      target_ = std::string(ready.substr(ready.rfind(' ') + 1));
    }
    fclose(lines);
  }
  ~ServerProcess() {
    kill(pid_, SIGTERM);
    int status = -1;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    EXPECT_EQ(status, 0) << "a sanitizer's report would end it with another";
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& target() const { return target_; }

 private:
  pid_t pid_;
  std::string target_;
};

constexpr char kActor[] = "Ada Ł., 100%";

class CongruenceTest : public testing::TestWithParam<const char*> {
 protected:
  CongruenceTest() {
    absl::StatusOr<std::unique_ptr<Connection>> connection;
    if (GetParam() == absl::string_view("local")) {
      connection = Open(":memory:", {.actor = kActor});
    } else {
      server_ = std::make_unique<ServerProcess>();
      connection = Connect(server_->target(), {.actor = kActor});
    }
    EXPECT_TRUE(connection.ok()) << connection.status();
    client_ = std::make_unique<Client>(*std::move(connection));
  }

  v1::Person CreatePerson(const std::string& id) {
    v1::Person person;
    person.set_display_name(id);
    absl::StatusOr<v1::Person> created = client_->Create(person, {.id = id});
    EXPECT_TRUE(created.ok()) << created.status();
    return *std::move(created);
  }

  std::vector<std::string> ListNames(const ListOptions& options) {
    std::vector<std::string> names;
    for (absl::StatusOr<v1::Person>& person : client_->List<v1::Person>(options)) {
      EXPECT_TRUE(person.ok()) << person.status();
      if (person.ok()) names.push_back(person->name());
    }
    return names;
  }

  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client>
      client_;  // gone first: an idle one takes 5 s to notice that its server goes
};

TEST_P(CongruenceTest, ARecordFromItsCreationToItsReturn) {
  const v1::Person created = CreatePerson("a");
  EXPECT_EQ(created.name(), "persons/a");
  EXPECT_EQ(created.revision(), 1);
  EXPECT_TRUE(MessageDifferencer::Equals(*client_->Get<v1::Person>("a"), created));

  v1::Person changed = created;
  changed.set_note("lawyer");
  const auto updated = client_->Update(changed, {.reason = "a call with the family"});
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->note(), "lawyer");
  EXPECT_NE(updated->etag(), created.etag());
  const auto stale = client_->Update(changed);
  EXPECT_EQ(stale.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ReasonOf(stale.status()), v1::ETAG_MISMATCH);

  const auto deleted = client_->Delete<v1::Person>("a");
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_TRUE(deleted->has_delete_time());
  EXPECT_TRUE(client_->Get<v1::Person>("a")->has_delete_time());
  EXPECT_THAT(ListNames({}), IsEmpty());
  EXPECT_THAT(ListNames({.show_deleted = true}), ElementsAre("persons/a"));
  ASSERT_TRUE(client_->Undelete<v1::Person>("a").ok());

  EXPECT_TRUE(MessageDifferencer::Equals(*client_->Get<v1::Person>("a", {.at = created.revision()}),
                                         created));
  std::vector<int64_t> revisions;
  for (auto& revision : client_->Revisions<v1::Person>("a", {.page_size = 2})) {
    ASSERT_TRUE(revision.ok()) << revision.status();
    revisions.push_back(revision->revision());
  }
  EXPECT_THAT(revisions, ElementsAre(4, 3, 2, 1));
}

TEST_P(CongruenceTest, PagesAreOfOneRevision) {
  for (const char* id : {"a", "b", "c", "d", "e"}) CreatePerson(id);
  const auto people = client_->List<v1::Person>({.page_size = 2});
  std::vector<std::string> names;
  for (const auto& person : people) {
    ASSERT_TRUE(person.ok()) << person.status();
    if (names.empty()) CreatePerson("bb");
    names.push_back(person->name());
  }
  EXPECT_THAT(names, ElementsAre("persons/a", "persons/b", "persons/c", "persons/d", "persons/e"));
  EXPECT_THAT(ListNames({.at = 2}), ElementsAre("persons/a", "persons/b"));
}

TEST_P(CongruenceTest, BatchesAreWhole) {
  v1::Person person;
  person.set_display_name("Maria Kalesnikava");
  v1::Release release;
  release.set_display_name("123 freed");
  release.add_participants()->set_person("persons/maria-kalesnikava");
  Batch batch;
  batch.Create(person, "maria-kalesnikava").Create(release, "by-2025-12-13");
  const auto written = client_->BatchWrite(batch);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->revision(), 1);
  EXPECT_EQ(client_->Get<v1::Release>("by-2025-12-13")->participants(0).person(),
            "persons/maria-kalesnikava");

  Batch bad;
  bad.Create(person, "b").Delete("persons/none");
  EXPECT_EQ(client_->BatchWrite(bad).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(client_->Get<v1::Person>("b").status().code(), absl::StatusCode::kNotFound);

  CreatePerson("c");
  const auto people =
      client_->BatchGet<v1::Person>({"c", "maria-kalesnikava"}, {.read_mask = {"display_name"}});
  ASSERT_TRUE(people.ok()) << people.status();
  ASSERT_EQ(people->size(), 2u);
  EXPECT_EQ((*people)[0].display_name(), "c");
  EXPECT_EQ((*people)[1].display_name(), "Maria Kalesnikava");
}

TEST_P(CongruenceTest, ARepeatedRequestIsAppliedOnce) {
  v1::Person person;
  person.set_display_name("A");
  const auto first = client_->Create(person, {.request_id = "r1"});
  const auto second = client_->Create(person, {.request_id = "r1"});
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  EXPECT_TRUE(MessageDifferencer::Equals(*first, *second));
}

TEST_P(CongruenceTest, HistoryAndRollback) {
  v1::Person person = CreatePerson("a");
  CreatePerson("b");
  person.set_note("a mistake");
  ASSERT_TRUE(client_->Update(person, {.reason = "second look"}).ok());
  const auto back = client_->Rollback<v1::Person>("a", 1, {.reason = "it was another"});
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->note(), "");
  EXPECT_EQ(back->revision(), 4);

  v1::GetCommitRequest get;
  get.set_name("commits/4");
  const auto commit = client_->Call<v1::Commit>(get);
  ASSERT_TRUE(commit.ok()) << commit.status();
  EXPECT_EQ(commit->actor(), kActor);
  EXPECT_EQ(commit->reason(), "it was another");
  EXPECT_EQ(commit->method(), "detente.v1.PersonService.RollbackPerson");

  v1::ListCommitsRequest list;
  list.set_record("persons/a");
  list.set_page_size(2);
  std::vector<int64_t> revisions;
  int pages = 0;
  for (const auto& page : client_->Pages<v1::ListCommitsResponse>(list)) {
    ASSERT_TRUE(page.ok()) << page.status();
    ++pages;
    for (const v1::Commit& one : page->commits()) revisions.push_back(one.revision());
  }
  EXPECT_THAT(revisions, ElementsAre(4, 3, 1));
  EXPECT_EQ(pages, 2);

  v1::EraseRecordsRequest erase;
  erase.add_names("persons/b");
  const auto erased = client_->Call<v1::EraseRecordsResponse>(erase);
  ASSERT_TRUE(erased.ok()) << erased.status();
  EXPECT_EQ(erased->names_size(), 1);
  EXPECT_EQ(client_->Get<v1::Person>("b").status().code(), absl::StatusCode::kNotFound);
}

TEST_P(CongruenceTest, ACallOnAClosedConnection) {
  client_->connection().Close();
  EXPECT_EQ(client_->Get<v1::Person>("a").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(CongruenceTest, StartedCallsEndOnce) {
  constexpr size_t kCalls = 100;
  std::mutex mutex;
  std::vector<absl::Status> ended;
  const auto start = [&](size_t i) {
    v1::CreatePersonRequest request;
    request.mutable_person()->set_display_name("Test Person");
    request.set_person_id(absl::StrCat("p", i));
    return client_->connection().Start("/detente.v1.PersonService/CreatePerson",
                                       request.SerializeAsString(), {},
                                       [&](const absl::StatusOr<std::string>& result) {
                                         const std::lock_guard lock(mutex);
                                         ended.push_back(result.status());
                                       });
  };
  for (size_t i = 0; i < kCalls; ++i) start(i);
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return ended.size();
  };
  while (count() < kCalls) absl::SleepFor(absl::Milliseconds(1));
  for (const absl::Status& status : ended) EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(ListNames({.filter = "display_name = \"Test Person\""}).size(), kCalls);

  ended.clear();
  std::vector<std::function<void()>> cancel;
  for (size_t i = kCalls; i < 2 * kCalls; ++i) cancel.push_back(start(i));
  cancel[kCalls / 2]();
  client_->connection().Close();
  EXPECT_EQ(ended.size(), kCalls);  // none is under way any more
  for (const absl::Status& status : ended) {
    EXPECT_TRUE(status.ok() || absl::IsCancelled(status)) << status;
  }
  start(0);
  EXPECT_TRUE(absl::IsFailedPrecondition(ended.back())) << ended.back();
  for (const auto& late : cancel) late();
}

TEST_P(CongruenceTest, ClosedWhileThreadsReadAndWrite) {
  CreatePerson("a");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, write = i % 2 == 0] {
      absl::Status status;
      while (status.ok()) {
        status = write ? client_->Create(v1::Person()).status()
                       : client_->Get<v1::Person>("a", {.at = 1}).status();
      }
      EXPECT_TRUE(absl::IsCancelled(status) || absl::IsFailedPrecondition(status)) << status;
    });
  }
  absl::SleepFor(absl::Milliseconds(100));
  client_->connection().Close();
  for (std::thread& thread : threads) thread.join();
}

INSTANTIATE_TEST_SUITE_P(Connections, CongruenceTest, kConnections,
                         [](const auto& info) { return std::string(info.param); });

TEST(FailuresTest, AreTheSameToTheLastDetail) {
  const ServerProcess server;
  auto local = Open(":memory:");
  auto remote = Connect(server.target());
  ASSERT_TRUE(local.ok() && remote.ok());

  v1::GetPersonRequest none;
  none.set_name("persons/none");
  v1::GetPersonRequest bad_name;
  bad_name.set_name("releases/x");
  v1::GetPersonRequest later = none;
  later.mutable_at()->set_revision(12);
  v1::ListPersonsRequest negative;
  negative.set_page_size(-1);
  v1::ListPersonsRequest token;
  token.set_page_token("x");
  v1::ListPersonsRequest filter;
  filter.set_filter("no_such_field = 1");
  v1::CreateReleaseRequest reference;
  reference.mutable_release()->add_participants()->set_person("persons/none");
  reference.mutable_release()->mutable_effective_date()->set_edtf("2025-13");
  v1::CreateReleaseRequest large;
  large.mutable_release()->set_note(std::string((4 << 20) + 1000, 'x'));

  const std::vector<std::pair<const char*, std::string>> calls = {
      {"/detente.v1.PersonService/GetPerson", none.SerializeAsString()},
      {"/detente.v1.PersonService/GetPerson", bad_name.SerializeAsString()},
      {"/detente.v1.PersonService/GetPerson", later.SerializeAsString()},
      {"/detente.v1.PersonService/GetPerson", ""},
      {"/detente.v1.PersonService/GetPerson", "\xff\xff\xff"},
      {"/detente.v1.PersonService/ListPersons", negative.SerializeAsString()},
      {"/detente.v1.PersonService/ListPersons", token.SerializeAsString()},
      {"/detente.v1.PersonService/ListPersons", filter.SerializeAsString()},
      {"/detente.v1.ReleaseService/CreateRelease", reference.SerializeAsString()},
      {"/detente.v1.ReleaseService/CreateRelease", large.SerializeAsString()},
      {"/detente.v1.RecordService/BatchWrite", ""},
  };
  for (const auto& [method, request] : calls) {
    SCOPED_TRACE(method);
    const absl::Status here = (*local)->Call(method, request, {}).status();
    const absl::Status there = (*remote)->Call(method, request, {}).status();
    EXPECT_FALSE(here.ok());
    EXPECT_NE(ReasonOf(here), v1::ERROR_REASON_UNSPECIFIED) << here;
    MessageDifferencer differencer;  // payloads have no order
    differencer.set_repeated_field_comparison(MessageDifferencer::AS_SET);
    EXPECT_TRUE(differencer.Compare(ToRpcStatus(here), ToRpcStatus(there)))
        << here << " and " << there;
  }
  for (auto* connection : {&*local, &*remote}) {
    EXPECT_EQ((*connection)->Call("/no.Such/Method", "", {}).status().code(),
              absl::StatusCode::kUnimplemented);
  }
}

TEST(ExampleTest, PrintsAReleaseAndItsParticipants) {
  const ServerProcess server;
  auto connection = Connect(server.target());
  ASSERT_TRUE(connection.ok());
  const Client client(*std::move(connection));
  v1::Person person;
  person.set_display_name("Ales Bialiatski");
  v1::Release release;
  release.set_display_name("123 freed");
  release.mutable_effective_date()->set_edtf("2025-12-13");
  release.add_participants()->set_person("persons/ales-bialiatski");
  Batch batch;
  batch.Create(person, "ales-bialiatski").Create(release, "by-2025-12-13");
  ASSERT_TRUE(client.BatchWrite(batch).ok());

  const auto run = [&](absl::string_view id) {
    const std::string command = absl::StrCat("ASAN_OPTIONS=detect_leaks=0 ", DETENTE_EXAMPLE, " ",
                                             server.target(), " ", id, " 2>&1");
    FILE* lines = popen(command.c_str(), "r");
    std::array<char, 4096> text = {};
    const size_t size = fread(text.data(), 1, text.size(), lines);
    const int status = pclose(lines);
    return absl::StrCat(WEXITSTATUS(status), "\n", absl::string_view(text.data(), size));
  };
  EXPECT_EQ(run("by-2025-12-13"), "0\n123 freed (2025-12-13)\n  Ales Bialiatski\n");
  EXPECT_THAT(run("none"), testing::StartsWith("1\nNOT_FOUND: "));
}

}  // namespace
}  // namespace detente
