// Columns of a store that another contract, or other rules, have made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detente/v1/person.pb.h"
#include "engine/engine.h"
#include "server/engine/testing.h"
#include "store/record.h"

namespace detente::engine {
namespace {

using testing::Create;
using testing::Delete;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::OpenEngine;
using testing::Proto;
using testing::ResourceOf;
using testing::TempDir;
using testing::Update;
using testing::WriteOf;

void Execute(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(db);
  sqlite3_close(db);
}

store::Selection Named(const std::string& display_name, store::Revision revision) {
  const Resource& persons = ResourceOf(v1::Person());
  store::Selection selection;
  selection.view.revision = revision;
  selection.show_deleted = true;
  selection.heads.kind = store::Condition::Kind::kCompare;
  selection.heads.column =
      *persons.columns->FindColumn({persons.type->FindFieldByName("display_name")});
  selection.heads.value = display_name;
  selection.past = selection.heads;
  return selection;
}

absl::StatusOr<std::vector<std::string>> Find(Engine& engine, const store::Selection& selection) {
  std::vector<std::string> ids;
  absl::Status status =
      engine.Select(ResourceOf(v1::Person()), selection, [&](const store::Row& row) {
        store::Version v;
        EXPECT_TRUE(store::ReadRecord(row.record, &v).ok());
        ids.push_back(absl::StrCat(v.id, "@", v.since, row.superseded ? " superseded" : ""));
        return true;
      });
  if (!status.ok()) return status;
  return ids;
}

class BackfillTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto engine = OpenEngine(folder_.File());
    auto person = Proto<v1::Person>("display_name: 'Test A'");
    ASSERT_OK(WriteOf(*engine, Create(person, "a"), Create(person, "b"), Create(person, "c")));
    person.set_display_name("Test B");
    ASSERT_OK(WriteOf(*engine, Update(person, "a")));
    ASSERT_OK(WriteOf(*engine, Delete("persons/b")));
    EraseRequest erase;
    erase.records = {{&ResourceOf(person), "c"}};
    erase.method = "EraseRecords";
    ASSERT_OK(engine->Erase(erase));
  }

  // As a store is whose columns were derived otherwise.
  void Spoil() {
    Execute(folder_.File(),
            "UPDATE meta SET value = 'older' WHERE key = 'derived_persons';"
            "DROP TABLE keys_persons; CREATE TABLE keys_persons (other);"
            "DROP TABLE lists_persons;");
  }

  TempDir folder_;
};

TEST_F(BackfillTest, AllVersionsAreDerivedAnew) {
  for (int times = 0; times < 2; ++times) {
    auto engine = OpenEngine(folder_.File());
    EXPECT_THAT(*Find(*engine, Named("Test A", 1)),
                ElementsAre("a@1 superseded", "b@1 superseded"));
    EXPECT_THAT(*Find(*engine, Named("Test A", 4)), ElementsAre("b@3"));
    EXPECT_THAT(*Find(*engine, Named("Test B", 4)), ElementsAre("a@2"));
    EXPECT_THAT(*Find(*engine, Named("Test B", 1)), IsEmpty());
    EXPECT_EQ(Find(*engine, Named("", 4))->size(), 1U) << "the erased one";
    engine.reset();
    Spoil();
  }
}

TEST_F(BackfillTest, PlainReadsWorkWithoutColumns) {
  Spoil();
  {
    store::SqliteOptions options;
    options.read_only = true;
    auto engine = OpenEngine(folder_.File(), options);
    EXPECT_FAILS(Find(*engine, Named("Test A", 4)), kFailedPrecondition, STORE_READ_ONLY);
    EXPECT_FAILS(engine->Count(ResourceOf(v1::Person()), Named("Test A", 4)), kFailedPrecondition,
                 STORE_READ_ONLY);
    int listed = 0;
    ASSERT_OK(engine->List(ResourceOf(v1::Person()), "", {4}, true,
                           [&](store::Version&) { return ++listed > 0; }));
    EXPECT_EQ(listed, 3);
  }
  auto engine = OpenEngine(folder_.File());
  EXPECT_THAT(*Find(*engine, Named("Test B", 4)), ElementsAre("a@2"));
}

// Half-made tables of other rules are of no use.
TEST_F(BackfillTest, OneThatWasNotFinishedIsBegunAnew) {
  Spoil();
  Execute(folder_.File(),
          "UPDATE meta SET value = 'unfinished older' WHERE key = 'derived_persons'");
  auto engine = OpenEngine(folder_.File());
  EXPECT_THAT(*Find(*engine, Named("Test A", 1)), ElementsAre("a@1 superseded", "b@1 superseded"));
  EXPECT_THAT(*Find(*engine, Named("Test B", 4)), ElementsAre("a@2"));
}

}  // namespace
}  // namespace detente::engine
