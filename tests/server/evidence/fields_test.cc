#include "evidence/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "error/error.h"
#include "evidence/told.h"
#include "server/evidence/sources.h"

namespace detente::evidence {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using v1::Evidence;

class FieldsTest : public ::testing::Test {
 protected:
  Evidence Get(const std::string& release, const std::vector<std::string>& fields = {}) {
    record_ = Stored(release);
    std::vector<query::Path> paths;
    for (const std::string& field : fields) paths.push_back(At(field));
    const Dossier dossier(testing::ResourceOf(record_), record_);
    auto evidence = EvidenceOf(
        dossier, paths, [&](absl::string_view name) { return sources_.Find(name); }, 1 << 20);
    EXPECT_TRUE(evidence.ok()) << evidence.status();
    return *evidence;
  }

  static std::vector<std::string> Paths(const Evidence& evidence) {
    std::vector<std::string> paths;
    for (const auto& field : evidence.fields()) paths.push_back(field.path());
    return paths;
  }

  // "supports/contradicts/mentions" by the ids of the citations.
  static std::string Of(const Evidence::FieldEvidence& field) {
    std::string text;
    for (const auto* list : {&field.supports(), &field.contradictions(), &field.mentions()}) {
      if (!text.empty() || list != &field.supports()) text += "/";
      for (const auto& witness : *list) text += witness.citation().id();
    }
    return text;
  }

  v1::Release record_;
  Sources sources_;
};

TEST_F(FieldsTest, WithoutFieldsAllThatIsCitedInTheRecordsOrder) {
  const auto evidence = Get(R"(
    headcount { best: 5 } note: "n" region_code: "BY"
    participants { id: "b" person: "persons/b" } participants { id: "a" person: "persons/a" }
    citations { id: "1" source: "sources/s" fields: 'participants["a"].person' fields: "headcount" }
    citations { id: "2" source: "sources/s" fields: 'participants["b"]' fields: "note" }
    citations { id: "3" source: "sources/s" fields: 'participants["c"]' asserted_value: '{"person":"persons/c"}' }
    citations { id: "4" source: "sources/s" fields: "participants[*].person" fields: "participants" }
    citations { id: "5" source: "sources/s" })");
  EXPECT_THAT(Paths(evidence), ElementsAre("", "note", "headcount", "participants",
                                           "participants[*].person", "participants[\"b\"]",
                                           "participants[\"a\"].person", "participants[\"c\"]"));
  EXPECT_EQ(Of(evidence.fields(0)), "5//");
  EXPECT_EQ(evidence.fields(4).value(), R"(["persons/b","persons/a"])");
  EXPECT_EQ(Of(evidence.fields(4)), "45//");
  // Named by itself, by [*], by the list around it, and as a whole.
  EXPECT_EQ(Of(evidence.fields(6)), "145//");
  EXPECT_EQ(evidence.fields(6).supports(1).path(), "participants[*].person");
  EXPECT_EQ(evidence.fields(6).supports(2).path(), "");
  // The whole record does not have an element that the same source has.
  EXPECT_EQ(Of(evidence.fields(7)), "/3/");
  EXPECT_EQ(evidence.fields(7).value(), "");
  EXPECT_THAT(evidence.uncited_fields(), IsEmpty());
}

TEST_F(FieldsTest, AskedForFieldsAndWhatIsCitedBelow) {
  const std::string release = R"(
    headcount { best: 5 } note: "n"
    participants { id: "a" person: "persons/a" outcomes { id: "1" kind: FREED } }
    citations { id: "1" source: "sources/s" fields: 'participants["a"].outcomes["1"].kind' }
    citations { id: "2" source: "sources/s" fields: 'participants["a"]' })";
  EXPECT_THAT(Paths(Get(release, {"participants", "note"})),
              ElementsAre("note", "participants", "participants[\"a\"]",
                          "participants[\"a\"].outcomes[\"1\"].kind"));
  EXPECT_THAT(
      Paths(Get(release, {"participants[\"a\"].outcomes"})),
      ElementsAre("participants[\"a\"].outcomes", "participants[\"a\"].outcomes[\"1\"].kind"));
  const auto evidence = Get(release, {"participants[\"a\"].person", "participants[\"zz\"]"});
  EXPECT_EQ(Of(evidence.fields(0)), "2//");
  EXPECT_EQ(evidence.fields(0).value(), "\"persons/a\"");
  EXPECT_EQ(Of(evidence.fields(1)), "//");
  EXPECT_EQ(evidence.fields(1).value(), "");
}

TEST_F(FieldsTest, AnAssertedValueSpeaksForItself) {
  const auto evidence = Get(R"(
    effective_date { edtf: "2025-12-13" }
    citations { id: "a" source: "sources/a" fields: "effective_date" stance: CONTRADICTS
                asserted_value: '{"edtf":"2025-12-13"}' }
    citations { id: "b" source: "sources/b" fields: "effective_date" stance: SUPPORTS
                asserted_value: '{"edtf":"2025-12-14"}' }
    citations { id: "c" source: "sources/c" fields: "effective_date" asserted_value: 'null' }
    citations { id: "d" source: "sources/d" fields: "effective_date" stance: MENTIONS }
    citations { id: "e" source: "sources/e" fields: "effective_date" stance: CONTRADICTS }
    citations { id: "f" source: "sources/f" fields: "effective_date" stance: CONTRADICTS
                asserted_value: ' { "edtf" : "2025-12-14" } ' rank: DEPRECATED })");
  const auto& field = evidence.fields(0);
  EXPECT_EQ(Of(field), "a/bcef/d");
  ASSERT_EQ(field.alternatives_size(), 2);
  EXPECT_EQ(field.alternatives(0).value(), R"({"edtf":"2025-12-14","state":"VALUE"})");
  EXPECT_THAT(field.alternatives(0).citation_ids(), ElementsAre("b", "f"));
  EXPECT_EQ(field.alternatives(1).value(), "null");
  EXPECT_EQ(field.decisions_size(), 3);
}

TEST_F(FieldsTest, AnAssertedElementSpeaksOfItsFields) {
  const auto evidence = Get(R"(
    participants { id: "a" person: "persons/a" mechanism: PARDON outcomes { id: "1" kind: FREED } }
    citations { id: "a" source: "sources/a" fields: 'participants["a"]'
                asserted_value: '{"person":"persons/a","mechanism":"AMNESTY"}' }
    citations { id: "b" source: "sources/b" fields: 'participants["a"]' asserted_value: 'null' })",
                            {"participants[\"a\"].person", "participants[\"a\"].mechanism",
                             "participants[\"a\"].outcomes"});
  EXPECT_EQ(Of(evidence.fields(0)), "a/b/");
  EXPECT_EQ(Of(evidence.fields(1)), "/ab/");
  EXPECT_EQ(evidence.fields(1).alternatives(0).value(), "\"AMNESTY\"");
  EXPECT_EQ(Of(evidence.fields(2)), "/b/");  // a says nothing of the outcomes
}

TEST_F(FieldsTest, TheNarrowerPathOfASourceSpeaks) {
  const auto evidence = Get(R"(
    group_counts { id: "g" count { best: 5 } keys { id: "k" dimension: OTHER value: "x" } }
    citations { id: "1" source: "sources/a" }
    citations { id: "2" source: "sources/a" fields: "group_counts" }
    citations { id: "3" source: "sources/a" fields: 'group_counts["g"].count' asserted_value: '{"best":4}' }
    citations { id: "4" source: "sources/b" fields: "group_counts" }
    citations { id: "5" source: "sources/b" fields: 'group_counts["g"].count' asserted_value: '{"best":3}'
                rank: DEPRECATED })",
                            {"group_counts[\"g\"].count", "group_counts[\"g\"].keys"});
  EXPECT_EQ(Of(evidence.fields(0)), "124//");  // keys come before the count
  EXPECT_EQ(Of(evidence.fields(1)), "4/35/");  // a deprecated one silences nothing
}

TEST_F(FieldsTest, WhatIsKnownOfTheSources) {
  sources_.Add("sources/a", R"(title: "T" display_name: "D" reliability: B
                               publish_date { edtf: "2025" })");
  sources_.Add("sources/b", R"(display_name: "D")");
  const auto evidence = Get(R"(note: "n"
    citations { id: "a" source: "sources/a" fields: "note" }
    citations { id: "b" source: "sources/b" fields: "note" assert_date { edtf: "2024" } }
    citations { id: "c" source: "sources/gone" fields: "note" })");
  const auto& witnesses = evidence.fields(0).supports();
  EXPECT_EQ(witnesses[0].source_title(), "T");
  EXPECT_EQ(witnesses[0].reliability(), v1::Source::B);
  EXPECT_EQ(witnesses[0].date().edtf(), "2025");
  EXPECT_EQ(witnesses[1].source_title(), "D");
  EXPECT_EQ(witnesses[1].date().edtf(), "2024");
  EXPECT_EQ(witnesses[2].source_title(), "");
  EXPECT_FALSE(witnesses[2].has_date());
}

TEST_F(FieldsTest, Uncited) {
  const std::string release = R"(
    display_name: "x" labels { key: "a" value: "b" } region_code: "BY" headcount { best: 5 }
    effective_date { edtf: "2025" } announce_date { edtf: "2025" }
    transfers { id: "t" }
    participants { id: "a" person: "persons/a" mechanism: PARDON outcomes { id: "1" kind: FREED } }
    participants { id: "b" person: "persons/b" }
    group_counts { id: "g" count { best: 5 } }
    citations { id: "1" source: "sources/s" fields: "region_code" fields: 'effective_date.edtf'
                fields: 'participants["a"].outcomes["1"].kind' fields: "group_counts[*]"
                fields: 'participants[*].person' })";
  EXPECT_THAT(Get(release).uncited_fields(),
              ElementsAre("announce_date", "effective_date.state", "headcount",
                          "participants[\"a\"].mechanism", "transfers"));
  EXPECT_THAT(Get(release + "citations { id: '2' source: 'sources/s' }").uncited_fields(),
              IsEmpty());
}

TEST_F(FieldsTest, SizeIsBounded) {
  std::string release = "note: 'n' region_code: 'BY' ";
  for (int i = 0; i < 40; ++i) {
    absl::StrAppend(&release, "citations { id: '", i, "' source: 'sources/s' quote: '",
                    std::string(10'000, 'x'),
                    "' fields: 'note' fields: 'region_code' "
                    "fields: 'headcount' }");
  }
  record_ = Stored(release);
  const Dossier dossier(testing::ResourceOf(record_), record_);
  auto find = [&](absl::string_view name) { return sources_.Find(name); };
  EXPECT_FAILS(EvidenceOf(dossier, {}, find, 1 << 20), kInvalidArgument, LIMIT_EXCEEDED);
  ASSERT_OK(EvidenceOf(dossier, {At("note")}, find, 1 << 20));
}

TEST_F(FieldsTest, ManyPathsTakeNoTimeForEachPair) {
  std::string release;
  constexpr int kElements = 4'000;
  for (int i = 0; i < kElements; ++i) {
    absl::StrAppend(&release, "stated_reasons: 'r' participants { id: '", i,
                    "' person: 'persons/a' } citations { id: '", i,
                    "' source: 'sources/s' fields: 'participants[\"", i, "\"].person' }");
  }
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Get(release).fields_size(), kElements);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST_F(FieldsTest, FortyCitationsTakeLessThanAMillisecond) {
  std::string release = "headcount { best: 5 } region_code: 'BY' ";
  for (int i = 0; i < 20; ++i) {
    sources_.Add(absl::StrCat("sources/s", i), "title: 'T' reliability: B");
    absl::StrAppend(&release, "participants { id: 'p", i,
                    "' person: 'persons/a' } citations { id: 'a", i, "' source: 'sources/s", i,
                    "' fields: 'participants[\"p", i,
                    "\"].person' fields: 'region_code' paraphrase: 'as the list has it' } "
                    "citations { id: 'b",
                    i, "' source: 'sources/s", i,
                    "' fields: 'headcount' asserted_value: '{\"best\": ", i % 7, "}' }");
  }
  record_ = Stored(release);
  auto find = [&](absl::string_view name) { return sources_.Find(name); };
  auto measure = [&](const char* what, auto run) {
    constexpr int kRounds = 50;
    run();
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kRounds; ++i) run();
    const std::chrono::duration<double, std::micro> spent =
        std::chrono::steady_clock::now() - start;
    printf("%s: %.0f us\n", what, spent.count() / kRounds);
    EXPECT_LT(spent.count() / kRounds, 50'000);  // a bound that only a blunder passes
  };
  const auto& resource = testing::ResourceOf(record_);
  measure("taken apart", [&] { const Dossier dossier(resource, record_); });
  measure("evidence", [&] {
    const Dossier dossier(resource, record_);
    ASSERT_OK(EvidenceOf(dossier, {}, find, 1 << 20));
  });
  measure("as told", [&] { AsToldBy(Dossier(resource, record_), "sources/s3"); });
  measure("by majority", [&] {
    const Dossier dossier(resource, record_);
    ASSERT_OK(UnderPolicy(dossier, Evidence::MAJORITY, find));
  });
}

}  // namespace
}  // namespace detente::evidence
