// QueryService.FindNeighbors against a walk over all records.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "detente/v1/detention.pb.h"
#include "detente/v1/exchange.pb.h"
#include "detente/v1/measure.pb.h"
#include "detente/v1/negotiation.pb.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/query_service.pb.h"
#include "detente/v1/source.pb.h"
#include "engine/references.h"
#include "server/api/calling.h"

namespace detente::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Proto;

class NeighborsTest : public ::testing::Test {
 protected:
  void Put(const std::string& id, const google::protobuf::Message& record) {
    api::Put(*engine_, id, record);
  }
  absl::StatusOr<v1::FindNeighborsResponse> Find(const std::string& request,
                                                 const CallContext& context = {}) {
    return Ask<v1::FindNeighborsRequest, v1::FindNeighborsResponse>(
        table_, "QueryService/FindNeighbors", request, context);
  }
  // "distance name", `?` behind a missing one.
  static std::vector<std::string> Nodes(const v1::FindNeighborsResponse& response) {
    std::vector<std::string> found;
    for (const auto& node : response.nodes()) {
      found.push_back(absl::StrCat(node.distance(), " ", node.name(), node.missing() ? "?" : ""));
    }
    return found;
  }
  static std::vector<std::string> Edges(const v1::FindNeighborsResponse& response) {
    std::vector<std::string> found;
    for (const auto& edge : response.edges()) {
      found.push_back(absl::StrCat(edge.source(), " ", edge.path(), " ", edge.target()));
    }
    return found;
  }

  std::unique_ptr<engine::Engine> engine_ = testing::OpenEngine();
  HandlerTable table_{*engine_};
};

TEST_F(NeighborsTest, ByDirectionDepthAndCollection) {
  Put("s", v1::Source());
  Put("a", Proto<v1::Person>("display_name: 'Test Person 1' citations { id: 'c' source: "
                             "'sources/s' }"));
  Put("b", v1::Person());
  Put("d", Proto<v1::Detention>("person: 'persons/a' officials { id: 'o' person: 'persons/b' } "
                                "officials { id: 'o2' person: 'persons/b' }"));
  Put("e", Proto<v1::Detention>("person: 'persons/b' previous: 'detentions/d'"));

  auto found = Find("name: 'persons/a'");
  ASSERT_OK(found);
  EXPECT_THAT(Nodes(*found), ElementsAre("0 persons/a", "1 detentions/d"));
  EXPECT_THAT(Edges(*found), ElementsAre("detentions/d person persons/a"));
  EXPECT_EQ(found->nodes(0).display_name(), "Test Person 1");
  EXPECT_FALSE(found->truncated());
  EXPECT_EQ(found->revision(), 5);

  found = Find("name: 'persons/a' depth: 2");
  EXPECT_THAT(Nodes(*found),
              ElementsAre("0 persons/a", "1 detentions/d", "2 detentions/e", "2 persons/b"));
  EXPECT_THAT(Edges(*found),
              ElementsAre("detentions/d officials[\"o\"].person persons/b",
                          "detentions/d officials[\"o2\"].person persons/b",
                          "detentions/d person persons/a", "detentions/e person persons/b",
                          "detentions/e previous detentions/d"));

  EXPECT_THAT(Nodes(*Find("name: 'persons/a' direction: OUTGOING depth: 3")),
              ElementsAre("0 persons/a"));
  EXPECT_THAT(Nodes(*Find("name: 'detentions/e' direction: OUTGOING depth: 2")),
              ElementsAre("0 detentions/e", "1 detentions/d", "1 persons/b", "2 persons/a"));
  EXPECT_THAT(Nodes(*Find("name: 'persons/b' direction: INCOMING depth: 3")),
              ElementsAre("0 persons/b", "1 detentions/d", "1 detentions/e"));
  // Not on the way either.
  EXPECT_THAT(Nodes(*Find("name: 'persons/a' collections: 'persons' depth: 3")),
              ElementsAre("0 persons/a"));
  EXPECT_THAT(Nodes(*Find("name: 'persons/a' collections: 'sources'")),
              ElementsAre("0 persons/a", "1 sources/s"));
  EXPECT_THAT(Edges(*Find("name: 'sources/s'")),
              ElementsAre("persons/a citations[\"c\"].source sources/s"));
}

TEST_F(NeighborsTest, TheNearestComeFirst) {
  Put("a", v1::Person());
  for (const char* id : {"d4", "d2", "d3", "d1"}) {
    Put(id, Proto<v1::Detention>("person: 'persons/a'"));
  }
  auto found = Find("name: 'persons/a' max_records: 3");
  EXPECT_THAT(Nodes(*found),
              ElementsAre("0 persons/a", "1 detentions/d1", "1 detentions/d2", "1 detentions/d3"));
  EXPECT_TRUE(found->truncated());
  EXPECT_FALSE(Find("name: 'persons/a' max_records: 4")->truncated());
  Put("far", Proto<v1::Detention>("person: 'persons/a' previous: 'detentions/d3'"));
  found = Find("name: 'detentions/d1' max_records: 1 depth: 3");
  EXPECT_THAT(Nodes(*found), ElementsAre("0 detentions/d1", "1 persons/a"));
  EXPECT_TRUE(found->truncated());
  // The last that fits is found twice, and there is one more behind it.
  Put("z1", Proto<v1::Detention>("person: 'persons/a' previous: 'detentions/z1'"));
  found = Find("name: 'detentions/d3' depth: 2 max_records: 6");
  EXPECT_THAT(Nodes(*found),
              ElementsAre("0 detentions/d3", "1 detentions/far", "1 persons/a", "2 detentions/d1",
                          "2 detentions/d2", "2 detentions/d4", "2 detentions/z1"));
  EXPECT_FALSE(found->truncated());
  found = Find("name: 'detentions/d3' depth: 2 max_records: 5");
  EXPECT_TRUE(found->truncated());
}

TEST_F(NeighborsTest, MissingAndItself) {
  Put("a", v1::Person());
  Put("d", Proto<v1::Detention>("person: 'persons/a'"));
  Put("d", Proto<v1::Detention>("person: 'persons/a' previous: 'detentions/d'"));
  Put("e", Proto<v1::Detention>("person: 'persons/a'"));
  ASSERT_OK(testing::WriteOf(*engine_, testing::Delete("persons/a", true)));
  auto found = Find("name: 'detentions/d' depth: 2");
  EXPECT_THAT(Nodes(*found), ElementsAre("0 detentions/d", "1 persons/a?", "2 detentions/e"));
  EXPECT_THAT(Edges(*found),
              ElementsAre("detentions/d person persons/a", "detentions/d previous detentions/d",
                          "detentions/e person persons/a"));
  EXPECT_THAT(Nodes(*Find("name: 'persons/a'")),
              ElementsAre("0 persons/a?", "1 detentions/d", "1 detentions/e"));
  // What a deleted record said is no reference.
  ASSERT_OK(testing::WriteOf(*engine_, testing::Delete("detentions/e")));
  EXPECT_THAT(Nodes(*Find("name: 'detentions/e'")), ElementsAre("0 detentions/e?"));
  EXPECT_THAT(Nodes(*Find("name: 'detentions/e' at { revision: 4 }")),
              ElementsAre("0 detentions/e", "1 persons/a"));
  EXPECT_THAT(Nodes(*Find("name: 'persons/a' at { revision: 2 }")),
              ElementsAre("0 persons/a", "1 detentions/d"));
  EXPECT_FAILS(Find("name: 'detentions/e' at { revision: 3 }"), kNotFound, RECORD_NOT_FOUND);
}

// A term of a negotiation is no record.
TEST_F(NeighborsTest, ElementsAreNoRecords) {
  Put("n", Proto<v1::Negotiation>("terms { id: 't' }"));
  Put("m", Proto<v1::Measure>("instruments { id: 'i' kind: LISTING }"));
  Put("x", Proto<v1::Exchange>("negotiation: 'negotiations/n' sides { id: 'u' party { description: "
                               "'a' } gives { id: 'g' term_id: 't' measure: 'measures/m' "
                               "instrument_id: 'i' } }"));
  EXPECT_THAT(Edges(*Find("name: 'exchanges/x'")),
              ElementsAre("exchanges/x negotiation negotiations/n",
                          "exchanges/x sides[\"u\"].gives[\"g\"].measure measures/m"));
}

TEST_F(NeighborsTest, WhatIsWrong) {
  auto wrong = Find(
      "name: 'Nobody' depth: 4 max_records: -1 collections: 'persons' "
      "collections: 'persns' direction: 7");
  EXPECT_FAILS(wrong, kInvalidArgument, INVALID_FIELD);
  EXPECT_THAT(testing::ViolatedFields(wrong.status()),
              ElementsAre("name", "depth", "max_records", "direction", "collections[1]"));
  EXPECT_THAT(testing::Violations(wrong.status())[4], HasSubstr("did you mean `persons`?"));
  EXPECT_FAILS(Find("name: 'persons/none'"), kNotFound, RECORD_NOT_FOUND);
}

TEST_F(NeighborsTest, AHubIsNotReadWhole) {
  constexpr int kReferrers = 20'000;
  Put("hub", v1::Person());
  for (int i = 0; i < kReferrers; i += 1'000) {
    engine::CommitRequest request;
    for (int k = i; k < i + 1'000; ++k) {
      request.operations.push_back(testing::Create(Proto<v1::Detention>("person: 'persons/hub'"),
                                                   absl::StrCat("d", 100'000 + k)));
    }
    ASSERT_OK(testing::Write(*engine_, std::move(request)));
  }
  int asked = 0;
  CallContext context;
  context.cancelled = [&] {
    ++asked;
    return false;
  };
  auto found = Find("name: 'persons/hub' max_records: 10 depth: 3", context);
  ASSERT_OK(found);
  EXPECT_EQ(found->nodes_size(), 11);
  EXPECT_TRUE(found->truncated());
  EXPECT_LT(asked, 20);  // one for each 1,024 rows, and for each record
  context.cancelled = [] { return true; };
  EXPECT_FAILS(Find("name: 'persons/hub'", context), kCancelled, CALL_CANCELLED);
  asked = 0;
  context.cancelled = [&] { return ++asked > 3; };
  EXPECT_FAILS(Find("name: 'persons/hub'", context), kCancelled, CALL_CANCELLED);
}

TEST_F(NeighborsTest, AnAnswerTooLarge) {
  Put("a", v1::Person());
  v1::Detention spell;
  spell.set_person("persons/a");
  spell.set_display_name(std::string(60'000, 'x'));
  for (int i = 0; i < 70; ++i) Put(absl::StrCat("d", i), spell);
  auto large = Find("name: 'persons/a'");
  EXPECT_FAILS(large, kInvalidArgument, LIMIT_EXCEEDED);
  EXPECT_THAT(std::string(large.status().message()), HasSubstr("ask for fewer records"));
  ASSERT_OK(Find("name: 'persons/a' max_records: 60"));
}

// The same walk, over the references of all records at once.
std::vector<std::string> Walked(engine::Engine& engine, store::Revision at,
                                const std::string& start, int depth, size_t max_records, int mode,
                                const std::set<std::string>& collections, bool* truncated) {
  std::map<std::string, std::set<std::string>> targets, referrers;
  for (const auto& resource : engine.registry().resources()) {
    EXPECT_TRUE(engine
                    .List(*resource, "", {at}, false,
                          [&](store::Version& version) {
                            auto record = engine::ParsePayload(*resource, version);
                            const std::string name = resource->Name(version.id);
                            for (const std::string& target :
                                 engine::Targets(engine::References(*resource, **record))) {
                              targets[name].insert(target);
                              referrers[target].insert(name);
                            }
                            return true;
                          })
                    .ok());
  }
  std::map<std::string, int> distance = {{start, 0}};
  std::vector<std::string> found = {absl::StrCat("0 ", start)}, level = {start};
  *truncated = false;
  for (int d = 1; d <= depth; ++d) {
    std::set<std::string> next;
    for (const std::string& one : level) {
      if (mode != v1::FindNeighborsRequest::INCOMING) {
        next.insert(targets[one].begin(), targets[one].end());
      }
      if (mode != v1::FindNeighborsRequest::OUTGOING) {
        next.insert(referrers[one].begin(), referrers[one].end());
      }
    }
    level.clear();
    for (const std::string& name : next) {
      const std::string collection = name.substr(0, name.find('/'));
      if (distance.contains(name)) continue;
      if (collections.empty() ? collection == "sources" : !collections.contains(collection)) {
        continue;
      }
      if (found.size() > max_records) {
        *truncated = true;
        return found;
      }
      distance[name] = d;
      level.push_back(name);
      found.push_back(absl::StrCat(d, " ", name));
    }
  }
  return found;
}

TEST_F(NeighborsTest, RandomRecords) {
  std::mt19937_64 random(5);
  auto below = [&](uint64_t n) { return random() % n; };
  constexpr int kIds = 12;
  for (int i = 0; i < kIds; ++i) {
    Put(absl::StrCat("p", i), v1::Person());
    Put(absl::StrCat("s", i), v1::Source());
    v1::Detention spell;
    spell.set_person(absl::StrCat("persons/p", i));
    Put(absl::StrCat("x", i), spell);
  }
  for (int i = 0; i < 400; ++i) {
    const std::string id = absl::StrCat("x", below(kIds));
    if (below(5) == 0) {
      testing::WriteOf(*engine_, testing::Delete("detentions/" + id, true)).status().IgnoreError();
      continue;
    }
    v1::Detention spell;
    spell.set_person(absl::StrCat("persons/p", below(kIds)));
    for (uint64_t n = below(4); n > 0; --n)
      spell.add_officials()->set_person(absl::StrCat("persons/p", below(kIds)));
    if (below(2) == 0) spell.set_previous(absl::StrCat("detentions/x", below(kIds)));
    if (below(3) == 0) spell.add_citations()->set_source(absl::StrCat("sources/s", below(kIds)));
    engine::Operation operation = testing::Update(spell, id, {"*"});
    operation.allow_missing = true;
    testing::WriteOf(*engine_, std::move(operation)).status().IgnoreError();
  }
  const store::Revision newest = engine_->View(std::nullopt)->revision;
  int truncations = 0;
  for (int i = 0; i < 600; ++i) {
    const store::Revision at = 3 * kIds + static_cast<store::Revision>(
                                              below(static_cast<uint64_t>(newest) - 3 * kIds + 1));
    const std::string start = below(3) == 0 ? absl::StrCat("sources/s", below(kIds))
                                            : absl::StrCat("persons/p", below(kIds));
    const int depth = 1 + static_cast<int>(below(3));
    const int max_records = 1 + static_cast<int>(below(below(2) == 0 ? 6 : 30));
    const int mode = static_cast<int>(below(3));
    std::set<std::string> collections;
    for (const char* one : {"persons", "detentions", "sources"}) {
      if (below(6) == 0) collections.insert(one);
    }
    std::string request =
        absl::StrCat("name: '", start, "' depth: ", depth, " max_records: ", max_records,
                     " direction: ", mode, " at { revision: ", at, " }");
    for (const std::string& one : collections)
      absl::StrAppend(&request, " collections: '", one, "'");
    bool truncated;
    const auto expected = Walked(*engine_, at, start, depth, static_cast<size_t>(max_records), mode,
                                 collections, &truncated);
    auto found = Find(request);
    ASSERT_OK(found);
    std::vector<std::string> nodes = Nodes(*found);
    for (std::string& node : nodes)
      node.erase(std::remove(node.begin(), node.end(), '?'), node.end());
    ASSERT_EQ(nodes, expected) << request;
    ASSERT_EQ(found->truncated(), truncated) << request;
    truncations += truncated;
  }
  EXPECT_GT(truncations, 20);
}

}  // namespace
}  // namespace detente::api
