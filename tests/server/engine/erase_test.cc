// Erasure and snapshots, over real files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "detente/v1/detention.pb.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/source.pb.h"
#include "engine/engine.h"
#include "engine/snapshots.h"
#include "server/engine/testing.h"
#include "values/sha256.h"

namespace detente::engine {
namespace {

using testing::Create;
using testing::Delete;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::OpenEngine;
using testing::Proto;
using testing::Read;
using testing::Request;
using ::testing::SizeIs;
using testing::TempDir;
using testing::Update;
using testing::Write;
using testing::WriteOf;

// Plainly made up: nobody is called this.
constexpr char kName[] = "Zyxwvut Qponmlkj";
constexpr char kOtherName[] = "Зыксввут Кпонмлкй";

std::string Slurp(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

// The files of the folder that hold the text.
std::vector<std::string> FilesWith(const TempDir& folder, const std::string& text) {
  std::vector<std::string> found;
  const std::filesystem::path store = folder.File();
  for (const auto& entry : std::filesystem::directory_iterator(store.parent_path())) {
    if (absl::StrContains(Slurp(entry.path()), text)) found.push_back(entry.path().filename());
  }
  return found;
}

v1::Person Endangered() {
  return Proto<v1::Person>(
      absl::StrCat("display_name: '", kName, "' names { id: 'a' full: '", kName,
                   "' family: 'Qponmlkj' } names { id: 'b' full: '", kOtherName,
                   "' } note: 'lives behind the qzqzqz bakery' occupations: 'xyxyxy-smith' "
                   "external_ids { id: 'w' authority: 'wikidata' value: 'Q00000000077' }"));
}

constexpr const char* kStrings[] = {kName,           "Qponmlkj",     kOtherName,
                                    "qzqzqz",        "xyxyxy-smith", "Q00000000077",
                                    "zyxwvut-qponm", "secret reason"};

// A store with a person, records that refer to it in several revisions, and one that speaks of it.
struct Story {
  explicit Story(const std::string& path) : engine(OpenEngine(path)) {
    CommitRequest create = Request(Create(Endangered(), "zyxwvut-qponm"), Create(Other(), "other"));
    create.reason = "the secret reason of a first entry";
    create.caller = "a documenter";
    ok = Write(*engine, std::move(create)).ok();
    auto person = Endangered();
    uid = Read<v1::Person>(*engine, "zyxwvut-qponm").uid();
    auto detention = Proto<v1::Detention>("person: 'persons/zyxwvut-qponm' note: 'first'");
    ok &= WriteOf(*engine, Create(detention, "d")).ok();
    detention.set_note("second");
    ok &= WriteOf(*engine, Update(detention, "d")).ok();
    // Refers to it no more, but did.
    detention.set_person("persons/other");
    ok &= WriteOf(*engine, Update(detention, "d")).ok();
    auto release = Proto<v1::Release>(
        "display_name: 'r' participants { id: 'p' person: 'persons/zyxwvut-qponm' } "
        "citations { id: 'c' source: 'sources/s' fields: 'participants[\"p\"].person' "
        "stance: CONTRADICTS asserted_value: '\"persons/zyxwvut-qponm\"' }");
    ok &= WriteOf(*engine, Create(Proto<v1::Source>("title: 'a source'"), "s")).ok();
    ok &= WriteOf(*engine, Create(release, "r")).ok();
    person.set_note("moved away from the qzqzqz bakery");
    ok &= WriteOf(*engine, Update(person, "zyxwvut-qponm")).ok();
  }
  static v1::Person Other() { return Proto<v1::Person>("display_name: 'Somebody Else'"); }

  EraseRequest Erasure() {
    EraseRequest request;
    request.records = {{&testing::ResourceOf(v1::Person()), "zyxwvut-qponm"}};
    request.method = "EraseRecords";
    request.caller = "an admin";
    request.reason = "asked for by the person";
    return request;
  }

  std::unique_ptr<Engine> engine;
  std::string uid;
  bool ok = false;
};

TEST(EraseTest, NothingIsLeftInTheFiles) {
  TempDir folder;
  Story story(folder.File());
  ASSERT_TRUE(story.ok);
  for (const char* text : kStrings) EXPECT_THAT(FilesWith(folder, text), Not(IsEmpty())) << text;
  EXPECT_THAT(FilesWith(folder, story.uid), Not(IsEmpty()));
  auto result = story.engine->Erase(story.Erasure());
  ASSERT_OK(result);
  // While the store is open, and after it is closed.
  for (int closed = 0; closed < 2; ++closed) {
    for (const char* text : kStrings) {
      EXPECT_THAT(FilesWith(folder, text), IsEmpty()) << text << closed;
    }
    EXPECT_THAT(FilesWith(folder, story.uid), IsEmpty());
    EXPECT_THAT(FilesWith(folder, "Somebody Else"), Not(IsEmpty()));
    story.engine.reset();
  }
}

// Words as the full-text index has them, which no record does.
TEST(EraseTest, NoWordIsLeftInTheIndex) {
  const std::vector<std::string> words = {"zyxwvut", "zyksvvut", "kponmlky",
                                          "qzqzqz",  "xyxyxy",   "kpanmlka"};
  TempDir folder;
  Story story(folder.File());
  ASSERT_TRUE(story.ok);
  // So many that words stand on pages of their own, in several segments.
  for (int i = 0; i < 50; ++i) {
    auto other = Story::Other();
    other.set_note(absl::StrCat("zyxwvus", i, " qzqzqy kponmlkx"));
    ASSERT_OK(WriteOf(*story.engine, Create(other, absl::StrCat("other-", i))));
  }
  auto documents = [&](const std::string& word) {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(folder.File().c_str(), &db), SQLITE_OK);
    int64_t count = 0;
    for (const char* table : {"search_heads", "search_past"}) {
      sqlite3_exec(db,
                   absl::StrCat("CREATE VIRTUAL TABLE temp.v_", table, " USING fts5vocab(main, ",
                                table, ", row)")
                       .c_str(),
                   nullptr, nullptr, nullptr);
      sqlite3_stmt* statement = nullptr;
      const std::string sql =
          absl::StrCat("SELECT count(*) FROM temp.v_", table, " WHERE term = '", word, "'");
      EXPECT_EQ(sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr), SQLITE_OK)
          << sqlite3_errmsg(db);
      EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
      count += sqlite3_column_int64(statement, 0);
      sqlite3_finalize(statement);
    }
    sqlite3_close(db);
    return count;
  };
  for (const std::string& word : words) EXPECT_GT(documents(word), 0) << word;
  // The stored words of a row are text as it is; those of the index itself share beginnings.
  for (const std::string& word : words)
    EXPECT_THAT(FilesWith(folder, word), Not(IsEmpty())) << word;
  ASSERT_OK(story.engine->Erase(story.Erasure()));
  for (const std::string& word : words) {
    EXPECT_EQ(documents(word), 0) << word;
    EXPECT_THAT(FilesWith(folder, word), IsEmpty()) << word;
  }
  EXPECT_GT(documents("kponmlkx"), 0);
  story.engine.reset();
  for (const std::string& word : words) EXPECT_THAT(FilesWith(folder, word), IsEmpty()) << word;
}

TEST(EraseTest, WhatReadersSee) {
  TempDir folder;
  Story story(folder.File());
  ASSERT_TRUE(story.ok);
  Engine& engine = *story.engine;
  const auto& persons = testing::ResourceOf(v1::Person());
  ASSERT_OK(engine.GetNewest(persons, "zyxwvut-qponm"));
  auto result = engine.Erase(story.Erasure());
  ASSERT_OK(result);
  ASSERT_THAT(result->names, SizeIs(1));
  const std::string name = result->names[0];
  EXPECT_THAT(name, ::testing::MatchesRegex("persons/erased-[a-z2-7]{26}"));
  EXPECT_EQ(result->revision, 8);
  EXPECT_EQ(result->rewritten, 3);  // two of the detention, one of the release
  EXPECT_FAILS(engine.GetNewest(persons, "zyxwvut-qponm"), kNotFound, RECORD_NOT_FOUND);
  EXPECT_EQ(engine.Cached("persons/zyxwvut-qponm"), nullptr);

  const std::string id = name.substr(8);
  const auto person = Read<v1::Person>(engine, id);
  EXPECT_TRUE(person.has_delete_time());
  EXPECT_EQ(person.revision(), 8);
  EXPECT_NE(person.uid(), story.uid);
  for (store::Revision revision : {1, 7}) {
    const auto past = Read<v1::Person>(engine, id, revision);
    EXPECT_EQ(past.name(), name);
    EXPECT_TRUE(past.has_delete_time());
    EXPECT_EQ(past.display_name(), "");
  }
  for (store::Revision revision : {2, 3}) {
    EXPECT_EQ(Read<v1::Detention>(engine, "d", revision).person(), name);
  }
  EXPECT_EQ(Read<v1::Detention>(engine, "d", 2).note(), "first");
  EXPECT_EQ(Read<v1::Detention>(engine, "d").person(), "persons/other");
  const auto release = Read<v1::Release>(engine, "r");
  EXPECT_EQ(release.participants(0).person(), name);
  EXPECT_EQ(release.citations(0).asserted_value(), absl::StrCat("\"", name, "\""));

  auto reader = engine.LeaseReader();
  EXPECT_EQ(*(*reader)->Referrers(name, 9), std::vector<std::string>{"releases/r"});
  auto made = (*reader)->FindCommit(1);
  EXPECT_EQ((*made)->reason, "");
  EXPECT_EQ((*made)->actor, "a documenter");
  auto commit = (*reader)->FindCommit(8);
  EXPECT_EQ((*commit)->reason, "asked for by the person");
  EXPECT_EQ((*commit)->actor, "an admin");
  auto touched = (*reader)->Touches(8);
  ASSERT_THAT(*touched, SizeIs(1));
  EXPECT_EQ((*touched)[0].id, id);
  EXPECT_EQ((*touched)[0].change, store::Change::kErased);
}

TEST(EraseTest, AnErasedIdIsOfNoUse) {
  Story story(":memory:");
  ASSERT_TRUE(story.ok);
  auto result = story.engine->Erase(story.Erasure());
  ASSERT_OK(result);
  const std::string name = result->names[0], id = name.substr(8);
  EXPECT_FAILS(WriteOf(*story.engine, testing::Undelete(name)), kNotFound, RECORD_NOT_FOUND);
  auto exists = WriteOf(*story.engine, Create(Story::Other(), id));
  EXPECT_FAILS(exists, kAlreadyExists, RECORD_EXISTS);
  EXPECT_THAT(std::string(exists.status().message()), HasSubstr("erased"));
  EXPECT_FAILS(WriteOf(*story.engine, Create(Story::Other(), "erased-me")), kInvalidArgument,
               INVALID_FIELD);
  EXPECT_FAILS(WriteOf(*story.engine,
                       Create(Proto<v1::Detention>(absl::StrCat("person: '", name, "'")), "x")),
               kFailedPrecondition, REFERENCE_NOT_FOUND);
  EraseRequest again = story.Erasure();
  EXPECT_FAILS(story.engine->Erase(again), kNotFound, RECORD_NOT_FOUND);
  again.records[0].second = id;
  EXPECT_FAILS(story.engine->Erase(again), kNotFound, RECORD_NOT_FOUND);
}

TEST(EraseTest, SaysWhoStillSpeaksOfIt) {
  TempDir folder;
  Story story(folder.File());
  ASSERT_TRUE(story.ok);
  auto speaks = Proto<v1::Person>(absl::StrCat("note: 'a friend of ", kOtherName, "'"));
  ASSERT_OK(WriteOf(*story.engine, Create(speaks, "friend")));
  speaks.set_note("nothing");
  ASSERT_OK(WriteOf(*story.engine, Update(speaks, "friend")));
  const auto named = Proto<v1::Detention>("person: 'persons/zyxwvut-qponm'");
  ASSERT_OK(WriteOf(*story.engine, Create(named, "of-zyxwvut-qponm")));
  EraseRequest request = story.Erasure();
  request.validate_only = true;
  auto would = story.engine->Erase(request);
  ASSERT_OK(would);
  EXPECT_THAT(would->names, IsEmpty());
  EXPECT_EQ(would->revision, 10);
  std::vector<std::string> mentioned;
  for (const Mention& mention : would->mentions) mentioned.push_back(mention.name);
  EXPECT_THAT(mentioned, ElementsAre("detentions/of-zyxwvut-qponm", "persons/friend"));
  EXPECT_THAT(would->mentions[1].revisions, ElementsAre(8));
  EXPECT_EQ(would->rewritten, 4);
  ASSERT_OK(story.engine->GetNewest(testing::ResourceOf(speaks), "zyxwvut-qponm"));

  // The references are rewritten; the friend's text is left, unless it is named too.
  request.validate_only = false;
  request.records.emplace_back(&testing::ResourceOf(speaks), "friend");
  request.records.emplace_back(&testing::ResourceOf(named), "of-zyxwvut-qponm");
  auto result = story.engine->Erase(request);
  ASSERT_OK(result);
  EXPECT_THAT(result->mentions, IsEmpty());
  EXPECT_THAT(result->names, SizeIs(3));
  for (const char* text : kStrings) EXPECT_THAT(FilesWith(folder, text), IsEmpty()) << text;
  EXPECT_THAT(FilesWith(folder, "a friend of"), IsEmpty());
}

TEST(EraseTest, IdsOfRequestsAndTitlesOfSnapshotsAreNotKept) {
  TempDir folder;
  Story story(folder.File());
  ASSERT_TRUE(story.ok);
  CommitRequest named = Request(Create(Story::Other(), "third"));
  named.caller = "a documenter";
  named.request_id = "before-zyxwvut-qponm";
  ASSERT_OK(Write(*story.engine, std::move(named)));
  for (const char* id : {"told", "plain", "of-zyxwvut-qponm"}) {
    SnapshotRequest snapshot;
    snapshot.id = id;
    snapshot.title = id == std::string("told") ? absl::StrCat("All about ", kName) : "A paper";
    ASSERT_OK(story.engine->CreateSnapshot(snapshot));
  }
  EraseRequest telling = story.Erasure();
  telling.request_id = "erase-zyxwvut-qponm";
  EXPECT_EQ(story.engine->Erase(telling).status().code(), absl::StatusCode::kInvalidArgument);
  auto result = story.engine->Erase(story.Erasure());
  ASSERT_OK(result);
  for (const char* text : {"before-zyxwvut-qponm", "All about"}) {
    EXPECT_THAT(FilesWith(folder, text), IsEmpty()) << text;
  }
  auto told = story.engine->GetSnapshot("told");
  ASSERT_OK(told);
  EXPECT_EQ(told->title, "");
  EXPECT_EQ(told->erased_count, 2);
  EXPECT_EQ(story.engine->GetSnapshot("plain")->title, "A paper");
  // An id stays: it is cited.
  ASSERT_THAT(result->mentions, SizeIs(1));
  EXPECT_EQ(result->mentions[0].name, "snapshots/of-zyxwvut-qponm");
}

// More names than an expression or a statement of SQLite takes.
TEST(EraseTest, ManyAtATime) {
  TempDir folder;
  constexpr int kPersons = 100;
  EraseRequest request;
  std::string names;
  for (int name = 0; name < 12; ++name) {
    absl::StrAppend(&names, "names { id: 'n", name, "' full: 'Full", name, "of#' family: 'Fam",
                    name, "of#' } ");
  }
  const std::filesystem::path backup = folder.File() + ".backup";
  {
    auto engine = OpenEngine(folder.File());
    for (int i = 0; i < kPersons; ++i) {
      const std::string text = absl::StrReplaceAll(names, {{"#", absl::StrCat(i, "!")}});
      const std::string id = absl::StrCat("victim-", i);
      ASSERT_OK(WriteOf(*engine, Create(Proto<v1::Person>(text), id)));
      request.records.emplace_back(&testing::ResourceOf(v1::Person()), id);
    }
    CommitRequest create =
        Request(Create(Proto<v1::Detention>("person: 'persons/victim-99' note: 'Fam0of98!'"), "d"));
    create.reason = "Full11of99! was seen";
    ASSERT_OK(Write(*engine, std::move(create)));
    request.reason = "asked for; not by Fam9of97!";
    EXPECT_EQ(engine->Erase(request).status().code(), absl::StatusCode::kInvalidArgument);
  }
  std::filesystem::copy_file(folder.File(), backup);
  auto engine = OpenEngine(folder.File());
  request.reason = "asked for";
  auto result = engine->Erase(request);
  ASSERT_OK(result);
  EXPECT_THAT(result->names, SizeIs(kPersons));
  ASSERT_THAT(result->mentions, SizeIs(1));
  EXPECT_EQ(result->mentions[0].name, "detentions/d");
  EXPECT_EQ(result->rewritten, 1);
  EXPECT_THAT(FilesWith(folder, "Full11of99!"), ElementsAre("store.db.backup"));
  engine.reset();
  std::filesystem::rename(backup, folder.File());
  engine = OpenEngine(folder.File());
  EXPECT_THAT(FilesWith(folder, "Full11of99!"), IsEmpty());
  EXPECT_THAT(FilesWith(folder, "Fam0of98!"), ElementsAre("store.db"));  // in the note
}

TEST(EraseTest, Refusals) {
  Story story(":memory:");
  ASSERT_TRUE(story.ok);
  EraseRequest request = story.Erasure();
  request.reason = absl::StrCat("since ", kName, " asked");
  EXPECT_FAILS(story.engine->Erase(request), kInvalidArgument, INVALID_FIELD);
  request.reason = "";
  request.records.push_back(request.records[0]);
  EXPECT_FAILS(story.engine->Erase(request), kInvalidArgument, INVALID_FIELD);
  request.records[1].second = "nobody";
  EXPECT_FAILS(story.engine->Erase(request), kNotFound, RECORD_NOT_FOUND);
  // Nothing was applied.
  EXPECT_EQ(story.engine->View(std::nullopt)->revision, 7);
  EXPECT_EQ(Read<v1::Person>(*story.engine, "zyxwvut-qponm").display_name(), kName);
}

TEST(EraseTest, ARepeatIsAnswered) {
  Story story(":memory:");
  ASSERT_TRUE(story.ok);
  EraseRequest request = story.Erasure();
  request.request_id = "once";
  auto first = story.engine->Erase(request);
  ASSERT_OK(first);
  auto second = story.engine->Erase(request);
  ASSERT_OK(second);
  EXPECT_EQ(first->names, second->names);
  EXPECT_EQ(first->revision, second->revision);
  EXPECT_EQ(story.engine->View(std::nullopt)->revision, 8);
}

// A reader that sits in the middle of a listing is ended; others wait, and see the store without.
TEST(EraseTest, EndsReadersOfOlderState) {
  TempDir folder;
  Story story(folder.File());
  ASSERT_TRUE(story.ok);
  for (int batch = 0; batch < 5; ++batch) {
    CommitRequest request;
    request.method = "test";
    for (int i = 0; i < 1'000; ++i) {
      request.operations.push_back(Create(Story::Other(), absl::StrCat("z", batch, "-", i)));
    }
    ASSERT_OK(Write(*story.engine, std::move(request)));
  }
  std::atomic<bool> reading = false, go_on = false;
  absl::Status ended;
  std::thread reader([&] {
    auto view = story.engine->View(std::nullopt);
    ended = story.engine->List(testing::ResourceOf(v1::Person()), "", *view, false,
                               [&](store::Version&) {
                                 reading = true;
                                 while (!go_on) std::this_thread::yield();
                                 return true;
                               });
  });
  while (!reading) std::this_thread::yield();
  std::thread eraser([&] { ASSERT_OK(story.engine->Erase(story.Erasure())); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_THAT(FilesWith(folder, kName), Not(IsEmpty()));  // it waits for the reader
  go_on = true;
  reader.join();
  eraser.join();
  EXPECT_FAILS(ended, kAborted, ERASED);
  for (const char* text : kStrings) EXPECT_THAT(FilesWith(folder, text), IsEmpty()) << text;
}

// As another process that has the file open, in the state of now, until it is closed.
sqlite3* OpenForeignReader(const TempDir& folder) {
  sqlite3* other = nullptr;
  EXPECT_EQ(sqlite3_open_v2(folder.File().c_str(), &other, SQLITE_OPEN_READONLY, nullptr),
            SQLITE_OK);
  EXPECT_EQ(
      sqlite3_exec(other, "BEGIN; SELECT count(*) FROM head_persons", nullptr, nullptr, nullptr),
      SQLITE_OK);
  return other;
}

TEST(EraseTest, AForeignReaderKeepsTheFilesFromBeingCleared) {
  TempDir folder;
  Story story(folder.File());
  ASSERT_TRUE(story.ok);
  sqlite3* other = OpenForeignReader(folder);
  EraseRequest request = story.Erasure();
  request.request_id = "once";
  EXPECT_FAILS(story.engine->Erase(request), kUnavailable, ERASURE_INCOMPLETE);
  EXPECT_FAILS(story.engine->GetNewest(testing::ResourceOf(v1::Person()), "zyxwvut-qponm"),
               kNotFound, RECORD_NOT_FOUND);
  sqlite3_close(other);
  ASSERT_OK(story.engine->Erase(request));
  for (const char* text : kStrings) EXPECT_THAT(FilesWith(folder, text), IsEmpty()) << text;
}

TEST(EraseTest, AnErasureCutOffIsFinishedWhenTheStoreIsOpened) {
  TempDir folder;
  {
    Story story(folder.File());
    ASSERT_TRUE(story.ok);
    sqlite3* other = OpenForeignReader(folder);
    EXPECT_FAILS(story.engine->Erase(story.Erasure()), kUnavailable, ERASURE_INCOMPLETE);
    story.engine.reset();
    sqlite3_close(other);
  }
  auto engine = OpenEngine(folder.File());
  for (const char* text : kStrings) EXPECT_THAT(FilesWith(folder, text), IsEmpty()) << text;
}

// --- restored from a backup
// -----------------------------------------------------------------------

TEST(LedgerTest, ABackupIsErasedAgain) {
  TempDir folder;
  {
    Story story(folder.File());
    ASSERT_TRUE(story.ok);
  }
  const std::string backup = folder.File("backup");
  std::filesystem::copy_file(folder.File(), backup);
  std::string name;
  {
    auto engine = OpenEngine(folder.File());
    EraseRequest request;
    request.records = {{&testing::ResourceOf(v1::Person()), "zyxwvut-qponm"}};
    auto result = engine->Erase(request);
    ASSERT_OK(result);
    name = result->names[0];
  }
  // The ledger tells nothing but random ids.
  const std::string ledger = Slurp(folder.File() + ".erasures");
  EXPECT_THAT(ledger, HasSubstr(name.substr(8)));
  EXPECT_THAT(ledger, Not(HasSubstr("persons")));

  std::filesystem::copy_file(backup, folder.File(),
                             std::filesystem::copy_options::overwrite_existing);
  std::filesystem::remove(backup);
  store::SqliteOptions read_only;
  read_only.read_only = true;
  auto readable = store::OpenSqlite(folder.File(), testing::TestRegistry().Tables(), read_only);
  EXPECT_FAILS(readable, kFailedPrecondition, STORE_UNUSABLE);
  for (int times = 0; times < 2; ++times) {
    auto engine = OpenEngine(folder.File());
    EXPECT_FAILS(engine->GetNewest(testing::ResourceOf(v1::Person()), "zyxwvut-qponm"), kNotFound,
                 RECORD_NOT_FOUND);
    EXPECT_EQ(Read<v1::Release>(*engine, "r").participants(0).person(), name);
    EXPECT_EQ(engine->View(std::nullopt)->revision, 8);  // the second time, nothing is to do
    for (const char* text : kStrings) EXPECT_THAT(FilesWith(folder, text), IsEmpty()) << text;
  }
}

TEST(LedgerTest, ASpoiledLedgerIsNotPassedOver) {
  TempDir folder;
  {
    OpenEngine(folder.File());
  }
  const std::string digits(64, '7');
  for (const std::string& line :
       {std::string("nonsense"), std::string("erased-x"), std::string("0123 erased-x"),
        "zz" + digits.substr(2) + " erased-x", digits + " x", digits + "erased-x"}) {
    std::ofstream(folder.File() + ".erasures") << "# a comment\n" << line << "\n";
    store::SqliteOptions options;
    auto store = store::OpenSqlite(folder.File(), testing::TestRegistry().Tables(), options);
    ASSERT_OK(store);
    EXPECT_FAILS(Engine::Open(*std::move(store), &testing::TestRegistry(), {}), kFailedPrecondition,
                 STORE_UNUSABLE);
  }
}

// --- snapshots -----------------------------------------------------------------------------------

SnapshotRequest Named(const std::string& id) {
  SnapshotRequest request;
  request.id = id;
  request.title = "a title";
  return request;
}

struct Line {
  std::string name;
  bool erased;
};

// The checksum from its definition, over the entries.
std::string SumOf(Engine& engine, store::Revision revision, std::vector<Line>* lines = nullptr) {
  auto reader = engine.LeaseReader();
  std::string text, last;
  EXPECT_TRUE(VisitEntries(**reader, engine.registry(), {revision}, "", [&](SnapshotEntry& entry) {
                EXPECT_LT(last, entry.name);
                last = entry.name;
                if (!entry.erased) {
                  EXPECT_EQ(entry.leaf, values::Sha256Hex(entry.salt + entry.json));
                }
                absl::StrAppend(&text, entry.name, " ", entry.revision, " ", entry.leaf, "\n");
                if (lines != nullptr) lines->push_back({entry.name, entry.erased});
                return true;
              }).ok());
  return values::Sha256Hex(text);
}

TEST(SnapshotTest, ChecksumIsThatOfItsRevisionForEver) {
  TempDir folder;
  Story story(folder.File());
  ASSERT_TRUE(story.ok);
  SnapshotRequest request = Named("paper");
  request.revision = 3;
  request.caller = "a researcher";
  auto snapshot = story.engine->CreateSnapshot(request);
  ASSERT_OK(snapshot);
  EXPECT_EQ(snapshot->checksum, SumOf(*story.engine, 3));
  EXPECT_EQ(snapshot->record_count, 3);
  EXPECT_EQ(snapshot->actor, "a researcher");
  auto newest = story.engine->CreateSnapshot(Named("newest"));
  ASSERT_OK(newest);
  EXPECT_EQ(newest->revision, 7);
  EXPECT_NE(newest->checksum, snapshot->checksum);
  ASSERT_OK(WriteOf(*story.engine, Delete("detentions/d")));
  EXPECT_EQ(SumOf(*story.engine, 3), snapshot->checksum);
  EXPECT_EQ(story.engine->ViewAtSnapshot("paper")->revision, 3);
  story.engine.reset();
  auto engine = OpenEngine(folder.File());
  EXPECT_EQ(SumOf(*engine, 3), engine->GetSnapshot("paper")->checksum);
}

TEST(SnapshotTest, Refusals) {
  Story story(":memory:");
  ASSERT_TRUE(story.ok);
  Engine& engine = *story.engine;
  ASSERT_OK(engine.CreateSnapshot(Named("a")));
  EXPECT_FAILS(engine.CreateSnapshot(Named("a")), kAlreadyExists, RECORD_EXISTS);
  EXPECT_FAILS(engine.ViewAtSnapshot("b"), kNotFound, RECORD_NOT_FOUND);
  EXPECT_FAILS(engine.DeleteSnapshot("b"), kNotFound, RECORD_NOT_FOUND);
  SnapshotRequest late = Named("late");
  late.revision = 99;
  EXPECT_FAILS(engine.CreateSnapshot(late), kInvalidArgument, REVISION_OUT_OF_RANGE);
  late.revision = 0;
  EXPECT_FAILS(engine.CreateSnapshot(late), kInvalidArgument, REVISION_OUT_OF_RANGE);
  SnapshotRequest wordy = Named("wordy");
  wordy.title.assign(1'025, 'x');
  EXPECT_FAILS(engine.CreateSnapshot(wordy), kInvalidArgument, LIMIT_EXCEEDED);

  auto deleted = engine.DeleteSnapshot("a");
  ASSERT_OK(deleted);
  EXPECT_NE(deleted->delete_time, 0);
  EXPECT_FAILS(engine.ViewAtSnapshot("a"), kNotFound, SNAPSHOT_DELETED);
  EXPECT_FAILS(engine.DeleteSnapshot("a"), kNotFound, SNAPSHOT_DELETED);
  EXPECT_FAILS(engine.CreateSnapshot(Named("a")), kAlreadyExists, RECORD_EXISTS);
}

TEST(SnapshotTest, AnErasureKeepsTheLeaves) {
  TempDir folder;
  Story story(folder.File());
  ASSERT_TRUE(story.ok);
  Engine& engine = *story.engine;
  SnapshotRequest request = Named("third");
  request.revision = 3;
  auto third = engine.CreateSnapshot(request);
  ASSERT_OK(third);
  auto last = engine.CreateSnapshot(Named("last"));
  ASSERT_OK(last);
  auto leaves = [&](store::Revision revision) {
    std::vector<std::string> found;
    auto reader = engine.LeaseReader();
    (void)VisitEntries(**reader, engine.registry(), {revision}, "", [&](SnapshotEntry& entry) {
      found.push_back(entry.leaf);
      return true;
    });
    std::sort(found.begin(), found.end());
    return found;
  };
  const auto before = leaves(3), before_last = leaves(7);
  auto result = engine.Erase(story.Erasure());
  ASSERT_OK(result);
  EXPECT_EQ(leaves(3), before);
  EXPECT_EQ(leaves(7), before_last);
  std::vector<Line> lines;
  auto now = engine.GetSnapshot("third");
  ASSERT_OK(now);
  EXPECT_EQ(now->checksum, third->checksum);
  EXPECT_NE(now->current_checksum, third->checksum);
  EXPECT_EQ(now->current_checksum, SumOf(engine, 3, &lines));
  EXPECT_EQ(now->erased_count, 2);  // the person, and the detention that referred to it
  EXPECT_EQ(now->record_count, 3);
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_EQ(lines[0].name, "detentions/d");
  EXPECT_TRUE(lines[0].erased);
  EXPECT_EQ(lines[1].name, result->names[0]);
  EXPECT_TRUE(lines[1].erased);
  EXPECT_EQ(lines[2].name, "persons/other");
  EXPECT_FALSE(lines[2].erased);
  lines.clear();
  EXPECT_EQ(engine.GetSnapshot("last")->current_checksum, SumOf(engine, 7, &lines));
  EXPECT_EQ(engine.GetSnapshot("last")->erased_count, 2);  // the person, and the release

  // A second erasure keeps the first leaves.
  EraseRequest other = story.Erasure();
  other.records[0].second = "other";
  ASSERT_OK(engine.Erase(other));
  EXPECT_EQ(leaves(3), before);
  EXPECT_EQ(engine.GetSnapshot("third")->erased_count, 3);
  for (const char* text : kStrings) EXPECT_THAT(FilesWith(folder, text), IsEmpty()) << text;
}

}  // namespace
}  // namespace detente::engine
