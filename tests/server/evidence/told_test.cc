#include "evidence/told.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "detente/v1/detention.pb.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/evidence/sources.h"

namespace detente::evidence {
namespace {

using google::protobuf::util::MessageDifferencer;
using v1::Evidence;

v1::Release Told(const v1::Release& record, const std::string& source = "sources/s") {
  const Dossier dossier(testing::ResourceOf(record), record);
  v1::Release told;
  told.CopyFrom(*AsToldBy(dossier, source));
  return told;
}

// Without the citations and the identity.
std::string ToldText(const std::string& text) {
  v1::Release told = Told(Stored(text));
  told.clear_citations();
  told.clear_name();
  return values::ToJson(told, values::JsonOf::kContent);
}

constexpr char kRecord[] = R"(
  display_name: "D" region_code: "BY" note: "n" labels { key: "k" value: "v" }
  headcount { best: 10 } effective_date { edtf: "2025-12-13" }
  participants { id: "a" person: "persons/a" outcomes { id: "1" kind: FREED } }
  participants { id: "b" person: "persons/b" }
  participants { id: "c" person: "persons/c" })";

std::string Record(const std::string& citations) { return std::string(kRecord) + citations; }

TEST(ToldTest, WhatItSupportsAndAsserts) {
  EXPECT_EQ(
      ToldText(Record(R"(
      citations { id: "1" source: "sources/s" fields: "region_code" fields: 'participants["b"].person' }
      citations { id: "2" source: "sources/s" fields: 'participants["a"].outcomes["1"].kind'
                  asserted_value: '"REARRESTED"' }
      citations { id: "3" source: "sources/s" fields: "effective_date" stance: MENTIONS }
      citations { id: "4" source: "sources/s" fields: "note" stance: CONTRADICTS }
      citations { id: "5" source: "sources/other" fields: "headcount" })")),
      R"({"display_name":"D","participants":[{"id":"a","outcomes":[{"id":"1","kind":"REARRESTED"}]},)"
      R"({"id":"b","person":"persons/b"}],"region_code":"BY"})");
}

TEST(ToldTest, KeepsItsCitationsAndTheIdentity) {
  const auto record = Stored(Record(R"(
      citations { id: "1" source: "sources/s" fields: "region_code" }
      citations { id: "2" source: "sources/other" fields: "region_code" }
      citations { id: "3" source: "sources/s" fields: "note" stance: MENTIONS })"));
  const auto told = Told(record);
  EXPECT_EQ(told.name(), "releases/r");
  ASSERT_EQ(told.citations_size(), 2);
  EXPECT_EQ(told.citations(1).id(), "3");
  const auto bare = Told(record, "sources/none");
  EXPECT_EQ(values::ToJson(bare, values::JsonOf::kContent),
            R"({"display_name":"D","name":"releases/r"})");
}

TEST(ToldTest, ElementsThatItDeniesOrHasAlone) {
  EXPECT_EQ(
      ToldText(Record(R"(
      citations { id: "1" source: "sources/s" fields: "participants" }
      citations { id: "2" source: "sources/s" fields: 'participants["b"]' asserted_value: 'null' }
      citations { id: "3" source: "sources/s" fields: 'participants["z"]'
                  asserted_value: '{"person":"persons/z"}' }
      citations { id: "4" source: "sources/s" fields: 'participants["c"]' stance: CONTRADICTS }
      citations { id: "5" source: "sources/s" fields: 'participants["c"].person' })")),
      R"({"display_name":"D","participants":[{"id":"a","outcomes":[{"id":"1","kind":"FREED"}],)"
      R"("person":"persons/a"},{"id":"z","person":"persons/z"},{"id":"c","person":"persons/c"}]})");
}

TEST(ToldTest, WhatIsComputedFollows) {
  const auto record = Stored(Record(R"(
      citations { id: "1" source: "sources/s" fields: "headcount" asserted_value: '{"best":7}' }
      citations { id: "2" source: "sources/s" fields: "participants[*].person" }
      citations { id: "3" source: "sources/s" fields: "effective_date.edtf"
                  asserted_value: '"2025-12"' })"));
  EXPECT_EQ(record.unnamed_remainder().total().best(), 7);
  const auto told = Told(record);
  EXPECT_EQ(told.unnamed_remainder().total().best(), 4);
  EXPECT_EQ(told.effective_date().latest().day(), 31);
  EXPECT_EQ(told.effective_date().precision(), v1::UncertainDate::MONTH);
}

TEST(ToldTest, AComputedFieldThatItAsserts) {
  auto detention = testing::Proto<v1::Detention>(R"(
    person: "persons/a" start_date { edtf: "2020-09-07" } end_date { edtf: "2025-12-13" }
    citations { id: "1" source: "sources/s" fields: "days_held" asserted_value: '{"best":1808}' })");
  const auto& resource = testing::ResourceOf(detention);
  ASSERT_OK(engine::ValidateRecord(resource, engine::Validate::kWhole, "d", &detention));
  engine::Derive(&detention);
  EXPECT_EQ(detention.days_held().best(), 1923);
  const auto told = AsToldBy(Dossier(resource, detention), "sources/s");
  EXPECT_EQ(static_cast<const v1::Detention&>(*told).days_held().best(), 1808);
}

TEST(ToldTest, NarrowerLaterPreferredAndNotDeprecated) {
  const auto region = [](const std::string& citations) {
    return Told(Stored(Record(citations))).region_code();
  };
  EXPECT_EQ(
      region(
          R"(citations { id: "1" source: "sources/s" fields: "region_code" asserted_value: '"LT"' }
                      citations { id: "2" source: "sources/s" fields: "region_code" })"),
      "LT");
  EXPECT_EQ(region(R"(citations { id: "1" source: "sources/s" }
                      citations { id: "2" source: "sources/s" fields: "region_code"
                                  asserted_value: '"LT"' rank: DEPRECATED })"),
            "BY");
  EXPECT_EQ(region(R"(citations { id: "2" source: "sources/s" fields: "region_code"
                                  asserted_value: '"LT"' rank: DEPRECATED })"),
            "LT");
  EXPECT_EQ(
      region(R"(citations { id: "1" source: "sources/s" fields: "region_code" asserted_value: '"LT"'
                                  rank: PREFERRED }
                      citations { id: "2" source: "sources/s" fields: "region_code" asserted_value: '"PL"'
                                  assert_date { edtf: "2030" } })"),
      "LT");
  EXPECT_EQ(
      region(R"(citations { id: "1" source: "sources/s" fields: "region_code" asserted_value: '"LT"'
                                  assert_date { edtf: "2025" } }
                      citations { id: "2" source: "sources/s" fields: "region_code" asserted_value: '"PL"'
                                  assert_date { edtf: "2024" } })"),
      "LT");
}

// A source that is cited for every field and asserts nothing has the record, but for the others'
// citations.
TEST(ToldTest, OneThatSupportsEveryFieldHasTheRecord) {
  for (const std::string& citation :
       {std::string("citations { id: 'whole' source: 'sources/s' }"), std::string()}) {
    v1::Release record = Stored(Record(citation + "citations { id: 'o' source: 'sources/o' }"));
    if (citation.empty()) {
      auto* cites = record.add_citations();
      cites->set_id("c");
      cites->set_source("sources/s");
      for (int i = engine::kDeleteTime; i < v1::Release::descriptor()->field_count(); ++i) {
        cites->add_fields(v1::Release::descriptor()->field(i)->name());
      }
    }
    v1::Release expected = record;
    for (int i = expected.citations_size() - 1; i >= 0; --i) {
      if (expected.citations(i).source() != "sources/s") {
        expected.mutable_citations()->DeleteSubrange(i, 1);
      }
    }
    std::string difference;
    MessageDifferencer differencer;
    differencer.ReportDifferencesToString(&difference);
    EXPECT_TRUE(differencer.Compare(Told(record), expected)) << difference;
  }
}

class PolicyTest : public ::testing::Test {
 protected:
  // Empty where nothing changes.
  v1::Release Under(Evidence::ValuePolicy policy, const v1::Release& record) {
    const Dossier dossier(testing::ResourceOf(record), record);
    auto told =
        UnderPolicy(dossier, policy, [&](absl::string_view name) { return sources_.Find(name); });
    EXPECT_TRUE(told.ok());
    v1::Release release;
    if (*told != nullptr) release.CopyFrom(**told);
    return release;
  }

  Sources sources_;
};

TEST_F(PolicyTest, PutsTheValueInPlaceAndDerives) {
  const auto record = Stored(Record(R"(
      citations { id: "1" source: "sources/a" fields: "headcount" asserted_value: '{"best":8}' }
      citations { id: "2" source: "sources/b" fields: "headcount" asserted_value: '{"best":8}' }
      citations { id: "3" source: "sources/c" fields: "headcount" }
      citations { id: "4" source: "sources/c" fields: 'participants["b"]' asserted_value: 'null' }
      citations { id: "5" source: "sources/c" fields: 'participants["b"].person'
                  asserted_value: '"persons/x"' })"));
  const auto told = Under(Evidence::MAJORITY, record);
  EXPECT_EQ(told.headcount().best(), 8);
  EXPECT_EQ(told.participants_size(), 2);  // and the person below is not put back
  EXPECT_EQ(told.unnamed_remainder().total().best(), 6);
  EXPECT_EQ(told.citations_size(), 5);
  EXPECT_EQ(told.name(), "releases/r");
}

TEST_F(PolicyTest, NullWhereNothingChanges) {
  EXPECT_EQ(Under(Evidence::LATEST, Stored(Record(R"(
      citations { id: "1" source: "sources/a" fields: "headcount" }
      citations { id: "2" source: "sources/b" fields: "headcount" asserted_value: '{"best":8}' }
      citations { id: "3" source: "sources/b" stance: CONTRADICTS })")))
                .ByteSizeLong(),
            0U);
}

}  // namespace
}  // namespace detente::evidence
