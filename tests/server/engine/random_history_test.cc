// Random histories against a map of states: every read of the past, and every difference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "detente/v1/commit.pb.h"
#include "detente/v1/person.pb.h"
#include "engine/engine.h"
#include "query/diff.h"
#include "query/path.h"
#include "query/value.h"
#include "server/engine/testing.h"
#include "values/json.h"

namespace detente::engine {
namespace {

using testing::OpenEngine;
using testing::TempDir;
using v1::Person;

constexpr int kCommits = 10'000;
constexpr int kIds = 60;
constexpr int kRememberEvery = 10;

struct State {
  Person content;
  bool deleted = false;
  store::Revision since = 0;
};
using World = std::map<std::string, State>;  // by id

std::string Json(const google::protobuf::Message& message) {
  return values::ToJson(message, values::JsonOf::kContent);
}

class History {
 public:
  explicit History(uint64_t seed) : random_(seed) {}

  size_t Pick(size_t n) { return random_() % n; }
  bool Chance(int percent) { return static_cast<int>(Pick(100)) < percent; }

  static void SetYear(size_t year, v1::UncertainDate* date) {
    date->set_edtf(absl::StrCat(year));
    date->set_state(v1::UncertainDate::VALUE);
  }

  // With every shape that a difference can have: scalars, messages, lists with ids in any order,
  // lists of texts, maps, nested lists.
  Person RandomPerson() {
    Person person;
    person.set_review_state(v1::Record::DRAFT);
    person.set_visibility(v1::Record::PUBLIC);
    if (Chance(80)) person.set_display_name(absl::StrCat("Made Up ", Pick(5)));
    if (Chance(50)) person.set_note(absl::StrCat("note ", Pick(9), " \u2028\U0001F600\"\\"));
    if (Chance(50)) SetYear(1950 + Pick(9), person.mutable_birth_date());
    if (Chance(40)) person.mutable_birth_place()->mutable_location()->set_latitude(Pick(90) / 7.0);
    for (size_t n = Pick(4); n > 0; --n) person.add_occupations(absl::StrCat("o", Pick(4)));
    for (const char* key : {"a", "b", "ä"}) {
      if (Chance(30)) (*person.mutable_labels())[key] = absl::StrCat("v", Pick(3));
    }
    std::vector<std::string> ids = {"n1", "n2", "n3", "n4"};
    std::shuffle(ids.begin(), ids.end(), random_);
    ids.resize(Pick(5));
    for (const std::string& id : ids) {
      auto* name = person.add_names();
      name->set_id(id);
      name->set_full(absl::StrCat("Name ", Pick(3)));
      if (Chance(30)) name->set_kind(v1::Name::ALIAS);
      if (Chance(30)) name->set_preferred(true);
    }
    for (const char* id : {"x", "y"}) {
      if (!Chance(30)) continue;
      auto* award = person.add_awards();
      award->set_id(id);
      award->set_title(absl::StrCat("Award ", Pick(3)));
      if (Chance(50)) SetYear(2000 + Pick(3), award->mutable_award_date());
    }
    return person;
  }

  // One commit; what it does to the model if it is taken.
  void Step(Engine& engine) {
    CommitRequest request;
    request.method = "test";
    World after = world_;
    const store::Revision next = revision_ + 1;
    bool changes = false;
    std::set<std::string> used;
    for (size_t n = 1 + Pick(3); n > 0; --n) {
      const std::string id = absl::StrCat("p", Pick(kIds));
      if (!used.insert(id).second) continue;
      auto known = after.find(id);
      Operation operation;
      operation.resource = &resource_;
      operation.id = id;
      operation.field = "person";
      if (known == after.end()) {
        operation.kind = Operation::Kind::kCreate;
        after[id] = {RandomPerson(), false, next};
        operation.record = std::make_unique<Person>(after[id].content);
        changes = true;
      } else if (known->second.deleted) {
        operation.kind = Operation::Kind::kUndelete;
        known->second.deleted = false;
        known->second.since = next;
        changes = true;
      } else if (Chance(10)) {
        operation.kind = Operation::Kind::kDelete;
        known->second.deleted = true;
        known->second.since = next;
        changes = true;
      } else if (Chance(15) && !remembered_.empty()) {
        const auto& [then, past] = Remembered();
        const auto was = past->find(id);
        if (was == past->end() || was->second.deleted) continue;
        operation.kind = Operation::Kind::kRollback;
        operation.revision = then;
        if (Json(known->second.content) == Json(was->second.content)) {
          request.operations.push_back(std::move(operation));
          continue;
        }
        known->second.content = was->second.content;
        known->second.since = next;
        changes = true;
      } else {
        operation.kind = Operation::Kind::kUpdate;
        Person person = RandomPerson();
        operation.record = std::make_unique<Person>(person);
        if (Json(person) != Json(known->second.content)) {
          known->second = {std::move(person), false, next};
          changes = true;
        }
      }
      request.operations.push_back(std::move(operation));
    }
    if (request.operations.empty()) return;
    auto result = testing::Write(engine, std::move(request));
    ASSERT_OK(result);
    if (!changes) {
      ASSERT_EQ(result->revision, revision_);
      return;
    }
    ASSERT_EQ(result->revision, next);
    revision_ = next;
    world_ = std::move(after);
    if (revision_ % kRememberEvery == 0) remembered_.emplace_back(revision_, world_);
  }

  std::pair<store::Revision, const World*> Remembered() {
    const auto& [revision, world] = remembered_[Pick(remembered_.size())];
    return {revision, &world};
  }

  store::Revision revision() const { return revision_; }
  const std::vector<std::pair<store::Revision, World>>& remembered() const { return remembered_; }
  const Resource& resource() const { return resource_; }

 private:
  std::mt19937_64 random_;
  const Resource& resource_ = testing::ResourceOf(Person());
  World world_;
  store::Revision revision_ = 0;
  std::vector<std::pair<store::Revision, World>> remembered_;
};

Person Parse(const Resource& resource, const store::Version& version) {
  Person person;
  EXPECT_TRUE(person.ParseFromString(RecordOf(resource, version)));
  return person;
}

// The model's record as a read gives it: with its name.
std::string Expected(const std::string& id, const State& state) {
  Person person = state.content;
  person.set_name(absl::StrCat("persons/", id));
  return Json(person);
}

void ExpectReads(Engine& engine, const History& history, store::Revision revision,
                 const World& world) {
  const Resource& resource = history.resource();
  const auto view = engine.View(revision);
  ASSERT_OK(view);
  for (int i = 0; i < kIds; ++i) {
    const std::string id = absl::StrCat("p", i);
    auto version = engine.Get(resource, id, *view);
    auto known = world.find(id);
    if (known == world.end()) {
      EXPECT_FAILS(version, kNotFound, RECORD_NOT_FOUND);
      continue;
    }
    ASSERT_OK(version);
    EXPECT_EQ(version->since, known->second.since);
    EXPECT_EQ(version->delete_time != 0, known->second.deleted);
    EXPECT_EQ(Json(Parse(resource, *version)), Expected(id, known->second));
  }
  for (bool show_deleted : {false, true}) {
    std::vector<std::string> listed, expected;
    ASSERT_OK(engine.List(resource, "", *view, show_deleted, [&](store::Version& version) {
      listed.push_back(Json(Parse(resource, version)));
      return true;
    }));
    for (const auto& [id, state] : world) {
      if (show_deleted || !state.deleted) expected.push_back(Expected(id, state));
    }
    EXPECT_EQ(listed, expected) << revision;
  }
}

// Applies changes as query/diff.h says.
void Apply(const google::protobuf::RepeatedPtrField<v1::FieldChange>& changes, Person* person) {
  for (const v1::FieldChange& change : changes) {
    auto path = query::ParsePath(change.path(), Person::descriptor());
    ASSERT_OK(path);
    if (change.kind() != v1::FieldChange::REORDERED) {
      EXPECT_EQ(change.kind() == v1::FieldChange::ADDED, change.old_value().empty());
      EXPECT_EQ(change.kind() == v1::FieldChange::REMOVED, change.new_value().empty());
      EXPECT_EQ(query::ValueAt(*person, *path).value_or(""), change.old_value()) << change.path();
      ASSERT_OK(
          query::SetValue(*path, change.new_value().empty() ? "null" : change.new_value(), person));
      continue;
    }
    ASSERT_EQ(path->size(), 1);
    const auto* list = (*path)[0].field;
    const auto* reflection = person->GetReflection();
    int place = 0;
    for (absl::string_view id :
         absl::StrSplit(change.new_value(), absl::ByAnyChar("[],\""), absl::SkipEmpty())) {
      for (int i = place; i < reflection->FieldSize(*person, list); ++i) {
        const auto& element = reflection->GetRepeatedMessage(*person, list, i);
        const auto* id_field = element.GetDescriptor()->FindFieldByName("id");
        if (element.GetReflection()->GetString(element, id_field) != id) continue;
        reflection->SwapElements(person, list, place, i);
        break;
      }
      ++place;
    }
  }
}

class RandomHistoryTest : public ::testing::TestWithParam<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomHistoryTest, ::testing::Values(1, 2));

TEST_P(RandomHistoryTest, EveryReadAndDifference) {
  TempDir folder;
  store::SqliteOptions options;
  options.sync = false;  // it is not about crashes
  auto engine = OpenEngine(folder.File(), options);
  History history(GetParam());
  while (history.revision() < kCommits) {
    history.Step(*engine);
    ASSERT_FALSE(HasFatalFailure());
  }
  ASSERT_EQ(history.remembered().size(), kCommits / kRememberEvery);
  for (const auto& [revision, world] : history.remembered()) {
    ExpectReads(*engine, history, revision, world);
    ASSERT_FALSE(HasFailure()) << revision;
  }
  // Between any two states, in either direction.
  for (int i = 0; i < 2'000; ++i) {
    const auto [from, before] = history.Remembered();
    const auto [to, after] = history.Remembered();
    const std::string id = absl::StrCat("p", history.Pick(kIds));
    auto was = before->find(id), is = after->find(id);
    if (was == before->end() || is == after->end()) continue;
    google::protobuf::RepeatedPtrField<v1::FieldChange> changes;
    query::Diff(was->second.content, is->second.content, &changes);
    Person applied = was->second.content;
    Apply(changes, &applied);
    ASSERT_EQ(Json(applied), Json(is->second.content)) << from << " " << to << " " << id;
    // Nothing that is the same is told.
    EXPECT_EQ(changes.empty(), Json(was->second.content) == Json(is->second.content));
  }
  // The records that changed between two states, from the commits.
  for (int i = 0; i < 300; ++i) {
    auto [from, before] = history.Remembered();
    auto [to, after] = history.Remembered();
    if (from > to) {
      std::swap(from, to);
      std::swap(before, after);
    }
    std::set<std::string> expected, found;
    for (const auto& [id, state] : *after) {
      if (state.since > from) expected.insert(id);
    }
    auto reader = engine->LeaseReader();
    ASSERT_OK((*reader)->Changed(from, to, {}, [&](store::Touched& touched) {
      found.insert(touched.id);
      return true;
    }));
    EXPECT_EQ(found, expected);
  }
}

}  // namespace
}  // namespace detente::engine
