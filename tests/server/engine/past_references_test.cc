// Which records refer to which at every revision, in the store's tables, against the records
// themselves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detente/v1/detention.pb.h"
#include "detente/v1/person.pb.h"
#include "engine/engine.h"
#include "engine/references.h"
#include "server/engine/testing.h"

namespace detente::engine {
namespace {

using Referring = std::map<std::string, std::set<std::string>>;  // by target

constexpr int kCommits = 400;
constexpr int kIds = 8;

// As the records say it.
Referring Told(Engine& engine, store::Revision at) {
  Referring found;
  for (const auto& resource : engine.registry().resources()) {
    absl::Status status = engine.List(*resource, "", {at}, false, [&](store::Version& version) {
      auto record = ParsePayload(*resource, version);
      EXPECT_TRUE(record.ok());
      for (const std::string& target : Targets(References(*resource, **record))) {
        found[target].insert(resource->Name(version.id));
      }
      return true;
    });
    EXPECT_TRUE(status.ok()) << status;
  }
  return found;
}

// As the tables say it.
Referring Kept(Engine& engine, store::Revision at, const std::set<std::string>& targets) {
  Referring found;
  auto reader = engine.LeaseReader();
  EXPECT_TRUE(reader.ok());
  for (const std::string& target : targets) {
    absl::Status status = (*reader)->ReferrersAt(target, {at}, "", "", [&](const std::string& one) {
      EXPECT_TRUE(found[target].insert(one).second) << one << " twice";
      return true;
    });
    EXPECT_TRUE(status.ok()) << status;
    if (found[target].empty()) found.erase(target);
  }
  return found;
}

void Compare(Engine& engine, store::Revision newest, const std::set<std::string>& targets) {
  size_t references = 0;
  for (store::Revision at = 1; at <= newest; ++at) {
    const Referring told = Told(engine, at);
    ASSERT_EQ(Kept(engine, at, targets), told) << "at " << at;
    references += told.size();
  }
  EXPECT_GT(references, static_cast<size_t>(newest));
}

TEST(PastReferencesTest, AreKeptDerivedAnewAndErased) {
  testing::TempDir folder;
  std::mt19937_64 random(20251214);
  auto below = [&](uint64_t n) { return random() % n; };
  store::SqliteOptions options;
  options.sync = false;
  auto engine = testing::OpenEngine(folder.File(), options);
  std::set<std::string> targets;
  for (int i = 0; i < kIds; ++i) {
    ASSERT_OK(testing::WriteOf(*engine, testing::Create(v1::Person(), absl::StrCat("p", i))));
    targets.insert(absl::StrCat("persons/p", i));
    targets.insert(absl::StrCat("detentions/d", i));
  }
  auto person = [&] { return absl::StrCat("persons/p", below(kIds)); };
  for (int i = 0; i < kCommits; ++i) {
    v1::Detention spell;
    spell.set_person(person());
    for (uint64_t n = below(3); n > 0; --n) spell.add_officials()->set_person(person());
    if (below(2) == 0) spell.set_previous(absl::StrCat("detentions/d", below(kIds)));
    const std::string id = absl::StrCat("d", below(kIds));
    Operation operation = testing::Update(spell, id, {"*"});
    operation.allow_missing = true;
    switch (below(6)) {
      case 0:
        operation = testing::Delete("detentions/" + id, true);
        break;
      case 1:
        operation = testing::Undelete("detentions/" + id);
        break;
      case 2:
        operation.kind = Operation::Kind::kRollback;
        operation.record = nullptr;
        operation.revision = kIds + 1 + static_cast<store::Revision>(below(uint64_t(i) + 1));
        break;
      default:  // the update
        break;
    }
    testing::WriteOf(*engine, std::move(operation)).status().IgnoreError();
  }
  const store::Revision newest = engine->View(std::nullopt)->revision;
  ASSERT_GT(newest, kCommits / 3);
  Compare(*engine, newest, targets);

  engine.reset();
  {
    auto store = testing::OpenStore(folder.File());
    ASSERT_OK(store->writer()->Begin());
    ASSERT_OK(store->writer()->ClearReferences());
    ASSERT_OK(store->writer()->SetMeta("fingerprint", "of an older contract"));
    ASSERT_OK(store->writer()->Commit());
  }
  engine = testing::OpenEngine(folder.File(), options);
  Compare(*engine, newest, targets);

  EraseRequest request;
  request.records = {{engine->registry().FindByCollection("persons"), "p0"},
                     {engine->registry().FindByCollection("detentions"), "d0"}};
  auto erased = engine->Erase(request);
  ASSERT_OK(erased);
  targets.insert(erased->names.begin(), erased->names.end());
  Compare(*engine, newest + 1, targets);
}

}  // namespace
}  // namespace detente::engine
