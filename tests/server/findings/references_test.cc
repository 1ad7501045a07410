// dangling-references and duplicate-external-ids.
#include "absl/strings/str_cat.h"
#include "detente/v1/exchange.pb.h"
#include "detente/v1/negotiation.pb.h"
#include "server/findings/testing.h"

namespace detente::findings {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DanglingReferencesTest : public FindingsTest {
 protected:
  std::vector<std::string> Found() { return FindingsTest::Found("dangling-references"); }
};

TEST_F(DanglingReferencesTest, ToRecords) {
  Put<v1::Source>("s", "");
  Put<v1::Detention>("d", "person: 'persons/a' citations { id: 'c' source: 'sources/s' }");
  EXPECT_THAT(Found(), IsEmpty());
  const store::Revision before = revision();
  Delete("persons/a");
  Delete("sources/s");
  EXPECT_THAT(Found(),
              ElementsAre("WARNING sources/s is deleted @ detentions/d citations[\"c\"].source",
                          "WARNING persons/a is deleted @ detentions/d person"));
  EXPECT_THAT(FindingsTest::Found("dangling-references", before), IsEmpty());
  // Of what is deleted itself nothing is said.
  Delete("detentions/d");
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(DanglingReferencesTest, ToErasedRecords) {
  Put<v1::Detention>("d", "person: 'persons/a'");
  engine::EraseRequest erase;
  erase.records = {{&testing::ResourceOf(v1::Person()), "a"}};
  auto erased = engine_->Erase(erase);
  ASSERT_OK(erased);
  const std::string line = " was erased @ detentions/d person";
  EXPECT_THAT(Found(), ElementsAre("NOTE " + erased->names[0] + line));
}

TEST_F(DanglingReferencesTest, ToElements) {
  Put<v1::Negotiation>("n", "terms { id: 'x' } terms { id: 'y' }");
  Put<v1::Commitment>("c", "negotiation: 'negotiations/n' term_id: 'x'");
  EXPECT_THAT(Found(), IsEmpty());
  Put<v1::Negotiation>("n", "terms { id: 'y' }");
  EXPECT_THAT(Found(),
              ElementsAre("ERROR negotiations/n has no `x` in terms @ commitments/c term_id"));
  // The record is told of, not the element in it.
  Delete("negotiations/n");
  EXPECT_THAT(Found(),
              ElementsAre("WARNING negotiations/n is deleted @ commitments/c negotiation"));
}

class DuplicateExternalIdsTest : public FindingsTest {
 protected:
  template <typename T>
  void PutId(const std::string& id, const std::string& value,
             const std::string& authority = "wikidata", const std::string& more = "") {
    Put<T>(id, absl::StrCat(more, " external_ids { id: 'e' authority: '", authority, "' value: '",
                            value, "' }"));
  }
  std::vector<std::string> Found() { return FindingsTest::Found("duplicate-external-ids"); }
};

TEST_F(DuplicateExternalIdsTest, WithinACollection) {
  PutId<v1::Person>("b", "Q1");
  PutId<v1::Person>("a", "Q1");
  PutId<v1::Person>("c", "Q2");
  EXPECT_THAT(Found(), ElementsAre("WARNING wikidata id Q1 is claimed by 2 records @ persons/a "
                                   "external_ids[\"e\"], persons/b external_ids[\"e\"]"));
  PutId<v1::Person>("b", "Q1", "viasna");
  EXPECT_THAT(Found(), IsEmpty());
  EXPECT_EQ(FindingsTest::Found("duplicate-external-ids", revision() - 1).size(), 1U);
  PutId<v1::Person>("b", "Q2");
  Delete("persons/c");
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(DuplicateExternalIdsTest, AcrossCollections) {
  PutId<v1::Person>("a", "7", "viasna");
  PutId<v1::Detention>("d", "7", "viasna", "person: 'persons/a'");
  EXPECT_THAT(Found(), ElementsAre("NOTE viasna id 7 is claimed by 2 records @ detentions/d "
                                   "external_ids[\"e\"], persons/a external_ids[\"e\"]"));
}

TEST_F(DuplicateExternalIdsTest, TwiceInOneRecord) {
  Put<v1::Person>("a",
                  "external_ids { authority: 'x' value: '1' url: 'https://a.example' } "
                  "external_ids { authority: 'x' value: '1' }");
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(DuplicateExternalIdsTest, ByMany) {
  std::string first = "WARNING wikidata id Q1 is claimed by 30 records @ ";
  for (int i = 10; i < 40; ++i) {
    PutId<v1::Person>(absl::StrCat("p", i), "Q1");
    if (i < 29) absl::StrAppend(&first, "persons/p", i, " external_ids[\"e\"], ");
  }
  EXPECT_THAT(Found(), ElementsAre(first + "persons/p29 external_ids[\"e\"]"));
  EXPECT_THAT(FindingsTest::Found("duplicate-external-ids", std::nullopt, "persons/p39"),
              ElementsAre(first + "persons/p39 external_ids[\"e\"]"));
}

}  // namespace
}  // namespace detente::findings
