// Each rule that an incoming record is held to, told by the paths of its violations.
#include "engine/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detente/v1/commitment.pb.h"
#include "detente/v1/detention.pb.h"
#include "detente/v1/negotiation.pb.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/source.pb.h"
#include "google/protobuf/unknown_field_set.h"
#include "server/engine/testing.h"

namespace detente::engine {
namespace {

using google::protobuf::Message;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Proto;
using ::testing::SizeIs;
using testing::ViolatedFields;

absl::Status Check(Message* record, Validate mode = Validate::kWhole) {
  return ValidateRecord(testing::ResourceOf(*record), mode, "record", record);
}

template <typename T>
absl::Status Check(const std::string& text, Validate mode = Validate::kWhole) {
  T record = Proto<T>(text);
  return Check(&record, mode);
}

// One thing is wrong, and the path says where.
#define EXPECT_VIOLATES(T, text, field, what)                                                  \
  do {                                                                                         \
    const absl::Status status = Check<T>(text);                                                \
    EXPECT_FAILS(status, kInvalidArgument, INVALID_FIELD);                                     \
    EXPECT_THAT(testing::Violations(status),                                                   \
                ElementsAre(::testing::AllOf(::testing::StartsWith(field), HasSubstr(what)))); \
  } while (false)

TEST(ValidateTest, EmptyRecordsPassWhereNothingIsRequired) {
  EXPECT_TRUE(Check<v1::Release>("").ok());
  EXPECT_TRUE(Check<v1::Person>("").ok());
  EXPECT_VIOLATES(v1::Detention, "", "record.person: ", "required");
}

TEST(ValidateTest, WhatIsNotStatedIsDraftAndPublic) {
  v1::Release release;
  ASSERT_OK(Check(&release));
  EXPECT_EQ(release.review_state(), v1::Record::DRAFT);
  EXPECT_EQ(release.visibility(), v1::Record::PUBLIC);
  // A part of a record states nothing about the rest.
  release.Clear();
  ASSERT_OK(Check(&release, Validate::kPartial));
  EXPECT_EQ(release.review_state(), v1::Record::REVIEW_STATE_UNSPECIFIED);
}

TEST(ValidateTest, OutputOnlyFieldsAreCleared) {
  auto release = Proto<v1::Release>(R"pb(
    name: "releases/x"
    uid: "u"
    etag: "e"
    revision: 7
    create_time { seconds: 1 }
    update_time { seconds: 1 }
    delete_time { seconds: 1 }
    unnamed_remainder { total { low: 3 } }
    announce_date {
      edtf: "2025"
      earliest { year: 1999 }
      approximate: true
    }
  )pb");
  ASSERT_OK(Check(&release));
  EXPECT_EQ(release.name() + release.uid() + release.etag(), "");
  EXPECT_EQ(release.revision(), 0);
  EXPECT_FALSE(release.has_create_time() || release.has_update_time() || release.has_delete_time());
  EXPECT_FALSE(release.has_unnamed_remainder());
  EXPECT_EQ(release.announce_date().earliest().year(), 2025);
  EXPECT_FALSE(release.announce_date().approximate());
}

TEST(ValidateTest, RequiredFieldsOfElements) {
  const std::string text = "participants { id: 'a' } participants { id: 'b' person: 'persons/b' }";
  EXPECT_VIOLATES(v1::Release, text, "record.participants[\"a\"].person: ", "required");
  EXPECT_TRUE(Check<v1::Release>(text, Validate::kPartial).ok());
  EXPECT_FALSE(Check<v1::Release>(text, Validate::kMerged).ok());
  EXPECT_VIOLATES(v1::Release, "group_counts { id: 'g' keys { dimension: GENDER } }",
                  "record.group_counts[\"g\"].keys[", "required");
}

TEST(ValidateTest, ElementIds) {
  EXPECT_VIOLATES(v1::Person, "names { id: 'a' full: 'x' } names { id: 'a' full: 'y' }",
                  "record.names[1].id: ", "another element");
  for (const char* bad : {"A", "-a", "a-", "a_b", "a b", "a/b", "\xc3\xa4"}) {
    v1::Person person;
    auto* name = person.add_names();
    name->set_id(bad);
    name->set_full("x");
    EXPECT_THAT(ViolatedFields(Check(&person)), ElementsAre("record.names[0].id")) << bad;
  }
  v1::Person person = Proto<v1::Person>(absl::StrCat("names { id: '", std::string(63, 'a'),
                                                     "' full: 'x' } names { id: '0' full: 'y' }"));
  EXPECT_TRUE(Check(&person).ok());
  person.mutable_names(0)->set_id(std::string(64, 'a'));
  EXPECT_THAT(ViolatedFields(Check(&person)), ElementsAre("record.names[0].id"));
}

TEST(ValidateTest, IdsAreMadeOfTheContentAndAreUnique) {
  const std::string text =
      "names { full: 'x' } names { full: 'x' } names { full: 'y' } names { id: 'given' full: 'z' }";
  auto first = Proto<v1::Person>(text);
  auto second = Proto<v1::Person>(text);
  ASSERT_OK(Check(&first));
  ASSERT_OK(Check(&second));
  EXPECT_EQ(first.SerializeAsString(), second.SerializeAsString());
  std::set<std::string> ids;
  for (const auto& name : first.names()) {
    EXPECT_TRUE(ValidId(name.id())) << name.id();
    ids.insert(name.id());
  }
  EXPECT_THAT(ids, SizeIs(4));
  EXPECT_THAT(ids, Contains("given"));
  // Once made, they stay.
  auto again = first;
  ASSERT_OK(Check(&again));
  EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());
}

TEST(ValidateTest, Dates) {
  EXPECT_VIOLATES(v1::Release, "announce_date { edtf: '2025-13' }",
                  "record.announce_date.edtf: ", "2025-13");
  EXPECT_VIOLATES(v1::Release, "announce_date { }", "record.announce_date.edtf: ", "expected");
  EXPECT_VIOLATES(v1::Release, "announce_date { edtf: '2025' state: UNKNOWN }",
                  "record.announce_date.state: ", "UNKNOWN");
  EXPECT_VIOLATES(v1::Release, "announce_date { state: VALUE }",
                  "record.announce_date.edtf: ", "expected");
  EXPECT_VIOLATES(v1::Release, "announce_date { edtf: '0000' }",
                  "record.announce_date.edtf: ", "1 to 9999");
  EXPECT_VIOLATES(v1::Release,
                  "participants { id: 'a' person: 'persons/a' outcomes { id: 'o' kind: FREED date "
                  "{ edtf: 'soon' } } }",
                  "record.participants[\"a\"].outcomes[\"o\"].date.edtf: ", "soon");
  auto release = Proto<v1::Release>(
      "announce_date { state: NONE } effective_date { edtf: "
      "'2025-02~' }");
  ASSERT_OK(Check(&release));
  EXPECT_EQ(release.effective_date().latest().day(), 28);
  EXPECT_EQ(release.effective_date().precision(), v1::UncertainDate::MONTH);
  EXPECT_TRUE(release.effective_date().approximate());
  EXPECT_EQ(release.effective_date().state(), v1::UncertainDate::VALUE);
}

TEST(ValidateTest, Estimates) {
  EXPECT_VIOLATES(v1::Release, "headcount { low: 2 best: 1 }", "record.headcount.low: ", "2 > 1");
  EXPECT_VIOLATES(v1::Release, "headcount { best: 2 high: 1 }", "record.headcount.high: ", "2 > 1");
  EXPECT_VIOLATES(v1::Release, "headcount { low: 2 high: 1 }", "record.headcount.low: ", "2 > 1");
  EXPECT_VIOLATES(v1::Release, "headcount { low: -1 }", "record.headcount.low: ", "from 0");
  EXPECT_THAT(ViolatedFields(Check<v1::Release>("headcount { low: 9 best: 5 high: 1 }")),
              ElementsAre("record.headcount.low", "record.headcount.high"));
  EXPECT_TRUE(Check<v1::Release>("headcount { low: 1 best: 1 high: 1 }").ok());
  EXPECT_TRUE(Check<v1::Release>("headcount { text: 'thousands' }").ok());
  EXPECT_VIOLATES(v1::Detention,
                  "person: 'persons/a' proceedings { id: 'p' stage: TRIAL "
                  "sentence_months: -1 }",
                  "record.proceedings[\"p\"].sentence_months: ", "from 0");
}

TEST(ValidateTest, PlacesOnEarth) {
  auto at = [](double latitude, double longitude) {
    v1::Person person;
    auto* location = person.mutable_birth_place()->mutable_location();
    location->set_latitude(latitude);
    location->set_longitude(longitude);
    return ViolatedFields(Check(&person));
  };
  EXPECT_THAT(at(53.9, 27.6), IsEmpty());
  EXPECT_THAT(at(-90, 180), IsEmpty());
  EXPECT_THAT(at(90.1, 0), ElementsAre("record.birth_place.location.latitude"));
  EXPECT_THAT(at(0, -180.5), ElementsAre("record.birth_place.location.longitude"));
  EXPECT_THAT(at(std::numeric_limits<double>::quiet_NaN(), 0), SizeIs(1));
  EXPECT_THAT(at(std::numeric_limits<double>::infinity(), 0), SizeIs(1));
}

TEST(ValidateTest, Codes) {
  struct Case {
    const char* good;
    const char* bad;
    const char* field;
  };
  for (const Case& c : {
           Case{"region_code: 'BY'", "region_code: 'by'", "record.region_code"},
           Case{"region_code: 'US'", "region_code: 'BLR'", "record.region_code"},
           Case{"transfers { id: 't' origin { subdivision_code: 'BY-HM' } }",
                "transfers { id: 't' origin { subdivision_code: 'BYHM' } }",
                "record.transfers[\"t\"].origin.subdivision_code"},
           Case{"external_ids { id: 'e' authority: 'a' value: 'v' url: 'https://x' }",
                "external_ids { id: 'e' authority: 'a' value: 'v' url: 'javascript:x' }",
                "record.external_ids[\"e\"].url"},
       }) {
    EXPECT_TRUE(Check<v1::Release>(c.good).ok()) << c.good;
    EXPECT_THAT(ViolatedFields(Check<v1::Release>(c.bad)), ElementsAre(c.field)) << c.bad;
  }
  EXPECT_THAT(ViolatedFields(Check<v1::Person>("nationalities: ['BY', 'Belarus']")),
              ElementsAre("record.nationalities[1]"));
  auto name = [](absl::string_view field, absl::string_view value) {
    return ViolatedFields(
        Check<v1::Person>(absl::StrCat("names { id: 'n' full: 'x' ", field, ": '", value, "' }")));
  };
  for (const char* good : {"be", "zh-Hant", "be-tarask", "de-CH-1996"}) {
    EXPECT_THAT(name("language_code", good), IsEmpty()) << good;
  }
  for (const char* bad : {"b", "be_BY", "be-", "-be", "b1", "toolonglanguage"}) {
    EXPECT_THAT(name("language_code", bad), ElementsAre("record.names[\"n\"].language_code"))
        << bad;
  }
  EXPECT_THAT(name("script_code", "Cyrl"), IsEmpty());
  for (const char* bad : {"cyrl", "CYRL", "Cyr", "Cyrll"}) {
    EXPECT_THAT(name("script_code", bad), SizeIs(1)) << bad;
  }
  auto fine = [](absl::string_view currency) {
    return ViolatedFields(Check<v1::Detention>(
        absl::StrCat("person: 'persons/a' proceedings { id: 'p' stage: TRIAL fine { "
                     "currency_code: '",
                     currency, "' value { best: 1 } } }")));
  };
  EXPECT_THAT(fine("BYN"), IsEmpty());
  EXPECT_THAT(fine("byn"), SizeIs(1));
  EXPECT_THAT(ViolatedFields(
                  Check<v1::Source>(absl::StrCat("content_sha256: '", std::string(63, 'a'), "'"))),
              Contains("record.content_sha256"));
}

TEST(ValidateTest, NamesOfRecords) {
  for (const char* bad : {"persons", "persons/", "/a", "person/a", "persons/A", "persons/a/b",
                          "persons/a@7", "organizations/a", "//detente.dev/persons/a"}) {
    EXPECT_THAT(ViolatedFields(Check<v1::Detention>(absl::StrCat("person: '", bad, "'"))),
                ElementsAre("record.person"))
        << bad;
  }
  EXPECT_TRUE(Check<v1::Detention>("person: 'persons/a'").ok());
  // Any collection, but a name.
  EXPECT_TRUE(Check<v1::Commitment>("conditional_on: 'tallies/a'").ok());
  EXPECT_THAT(ViolatedFields(Check<v1::Commitment>("conditional_on: ['releases/a', 'a']")),
              ElementsAre("record.conditional_on[1]"));
}

TEST(ValidateTest, Enums) {
  v1::Release release;
  release.set_mechanism(static_cast<v1::Release::Mechanism>(99));
  EXPECT_THAT(testing::Violations(Check(&release)),
              ElementsAre("record.mechanism: Mechanism has no value 99"));
  v1::Person person = Proto<v1::Person>("recognitions { id: 'r' kind: HOSTAGE }");
  person.mutable_recognitions(0)->add_criteria(v1::Recognition::CRITERIA_UNSPECIFIED);
  EXPECT_THAT(ViolatedFields(Check(&person)),
              ElementsAre("record.recognitions[\"r\"].criteria[0]"));
}

TEST(ValidateTest, Texts) {
  v1::Release release;
  release.set_note(std::string("a\0b", 3));
  EXPECT_THAT(testing::Violations(Check(&release)),
              ElementsAre("record.note: must not hold a NUL character"));
  EXPECT_VIOLATES(v1::Release, "stated_reasons: ['x', '']", "record.stated_reasons[1]: ", "empty");

  release.set_note(std::string(65'536, 'x'));
  EXPECT_TRUE(Check(&release).ok());
  release.set_note(std::string(65'537, 'x'));
  EXPECT_FAILS(Check(&release), kInvalidArgument, LIMIT_EXCEEDED);
  v1::Source source;
  source.set_title("t");
  source.set_kind(v1::Source::OTHER);
  source.set_text(std::string(524'288, 'x'));
  EXPECT_THAT(ViolatedFields(Check(&source)), IsEmpty());
  source.set_text(std::string(524'289, 'x'));
  EXPECT_THAT(ViolatedFields(Check(&source)), ElementsAre("record.text"));
}

TEST(ValidateTest, Lists) {
  v1::Release release;
  for (int i = 0; i < kMaxRepeated; ++i) release.add_stated_reasons("x");
  EXPECT_TRUE(Check(&release).ok());
  release.add_stated_reasons("x");
  EXPECT_FAILS(Check(&release), kInvalidArgument, LIMIT_EXCEEDED);
}

TEST(ValidateTest, RecordSize) {
  v1::Release release;
  for (int i = 0; i < 15; ++i) release.add_stated_reasons(std::string(65'536, 'x'));
  EXPECT_TRUE(Check(&release).ok());
  release.add_stated_reasons(std::string(65'536, 'x'));
  EXPECT_FAILS(Check(&release), kInvalidArgument, LIMIT_EXCEEDED);
}

TEST(ValidateTest, Paths) {
  EXPECT_TRUE(
      Check<v1::Release>("restricted_fields: ['participants[\"a\"].conditions', 'note']").ok());
  EXPECT_VIOLATES(v1::Release, "restricted_fields: ['note', 'nonsense']",
                  "record.restricted_fields[1]: ", "nonsense");
  EXPECT_VIOLATES(v1::Release,
                  "citations { id: 'c' source: 'sources/s' fields: 'participants[0].person' }",
                  "record.citations[\"c\"].fields[0]: ", "not by index");
}

TEST(ValidateTest, UnknownFields) {
  auto strange = [](Message* message) {
    message->GetReflection()->MutableUnknownFields(message)->AddVarint(4'000, 1);
  };
  v1::Release release;
  strange(&release);
  EXPECT_FAILS(Check(&release), kInvalidArgument, UNKNOWN_FIELD);
  EXPECT_FAILS(Check(&release, Validate::kPartial), kInvalidArgument, UNKNOWN_FIELD);
  EXPECT_TRUE(Check(&release, Validate::kMerged).ok());
  EXPECT_FAILS(RejectUnknownFields(release, "release"), kInvalidArgument, UNKNOWN_FIELD);

  v1::Release deep = Proto<v1::Release>("participants { id: 'a' person: 'persons/a' }");
  strange(deep.mutable_participants(0));
  EXPECT_THAT(ViolatedFields(Check(&deep)), ElementsAre("record.participants[\"a\"]"));
  EXPECT_THAT(ViolatedFields(RejectUnknownFields(deep, "release")),
              ElementsAre("release.participants[\"a\"]"));
}

TEST(ValidateTest, StoredUnknownFieldsAreKept) {
  auto stored =
      Proto<v1::Release>("headcount { low: 1 } participants { id: 'a' } participants { id: 'b' }");
  auto add = [](Message* message, int number) {
    message->GetReflection()->MutableUnknownFields(message)->AddVarint(number, 1);
  };
  auto first = [](const Message& message) {
    const auto& unknown = message.GetReflection()->GetUnknownFields(message);
    return unknown.empty() ? 0 : unknown.field(0).number();
  };
  add(&stored, 4'000);
  add(stored.mutable_headcount(), 4'001);
  add(stored.mutable_participants(0), 4'002);
  add(stored.mutable_participants(1), 4'003);
  auto next =
      Proto<v1::Release>("headcount { low: 2 } participants { id: 'b' } participants { id: 'c' }");
  KeepUnknownFields(stored, &next);
  EXPECT_EQ(first(next), 4'000);
  EXPECT_EQ(first(next.headcount()), 4'001);
  EXPECT_EQ(first(next.participants(0)), 4'003);
  EXPECT_EQ(first(next.participants(1)), 0);
}

TEST(ValidateTest, EverythingThatIsWrongIsReported) {
  const absl::Status status = Check<v1::Release>(
      "region_code: 'x' headcount { low: 2 high: 1 } announce_date { edtf: '?' } "
      "participants { id: 'P' }");
  EXPECT_THAT(ViolatedFields(status),
              ::testing::UnorderedElementsAre(
                  "record.region_code", "record.headcount.low", "record.announce_date.edtf",
                  "record.participants[0].id", "record.participants[0].person"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("(and 4 more)"));
  v1::Release many;
  for (int i = 0; i < 500; ++i) many.add_stated_reasons("");
  EXPECT_THAT(ViolatedFields(Check(&many)), SizeIs(kMaxViolations));
}

TEST(ValidIdTest, Ids) {
  for (const char* good :
       {"a", "0", "a-b", "0-0", "by-2025-12-13", "018f3a3e-7b5c-7abc-8def-0123456789ab"}) {
    EXPECT_TRUE(ValidId(good)) << good;
  }
  for (const char* bad : {"", "-", "-a", "a-", "A", "a.b", "a_b", "a/b", "a b", "a\n"}) {
    EXPECT_FALSE(ValidId(bad)) << bad;
  }
  EXPECT_TRUE(ValidId(NewUuid()));
  EXPECT_EQ(NewUuid()[14], '7');
}

// What the code takes for granted of every message in a list.
TEST(RegistryTest, ElementsOfListsHaveIds) {
  std::vector<const google::protobuf::Descriptor*> types;
  std::set<const google::protobuf::Descriptor*> seen;
  for (const auto& resource : testing::TestRegistry().resources()) types.push_back(resource->type);
  EXPECT_THAT(types, SizeIs(12));
  while (!types.empty()) {
    const auto* type = types.back();
    types.pop_back();
    if (!seen.insert(type).second) continue;
    for (int i = 0; i < type->field_count(); ++i) {
      const auto* field = type->field(i);
      if (field->message_type() == nullptr) continue;
      types.push_back(field->message_type());
      if (!field->is_repeated() || field->is_map()) continue;
      const auto* id = field->message_type()->FindFieldByName("id");
      ASSERT_NE(id, nullptr) << field->full_name();
      EXPECT_EQ(id->type(), google::protobuf::FieldDescriptor::TYPE_STRING) << field->full_name();
    }
  }
}

// --- what citations assert ----------------------------------------------------------------------

std::string Cites(const std::string& fields, const std::string& asserted) {
  return absl::StrCat(
      "headcount { best: 5 } participants { id: 'a' person: 'persons/a' } citations { id: 'c' "
      "source: "
      "'sources/s' fields: [",
      fields, "] asserted_value: '", asserted, "' }");
}

TEST(AssertedValueTest, WhatASourceCanAssert) {
  for (const auto& [fields, asserted] : std::vector<std::pair<std::string, std::string>>{
           {"'display_name'", "\"other\""},
           {"'headcount'", R"({"low": 4, "text": "over 4"})"},
           {"'headcount.best'", "7"},
           {"'effective_date'", R"({"edtf": "2025-12-13?"})"},
           {"'effective_date.edtf'", R"("2025-12")"},
           {"'effective_date'", R"({"state": "UNKNOWN"})"},
           {"'mechanism'", R"("AMNESTY")"},
           {"'mechanism'", "null"},
           {"'participants[\"a\"]'", "null"},
           {"'participants[\"b\"]'", R"({"person": "persons/b"})"},
           {"'participants[\"b\"]'", "null"},
           {"'participants[\"a\"].outcomes[\"1\"]'", R"({"kind": "FREED"})"},
           {"'participants'", R"([{"person": "persons/b"}])"},
           {"'labels'", R"({"a": "b"})"},
           {"'unnamed_remainder.total'", R"({"best": 3})"},
       }) {
    const absl::Status status = Check<v1::Release>(Cites(fields, asserted));
    EXPECT_TRUE(status.ok()) << fields << asserted << status;
  }
  EXPECT_TRUE(Check<v1::Detention>(R"(person: "persons/a" citations { id: "c" source: "sources/s"
                                      fields: "days_held" asserted_value: '{"best": 1808}' })")
                  .ok());
}

TEST(AssertedValueTest, WhatNoneCan) {
  auto refused = [&](const std::string& fields, const std::string& asserted, absl::string_view what,
                     absl::string_view part = "asserted_value") {
    const absl::Status status = Check<v1::Release>(Cites(fields, asserted));
    EXPECT_THAT(testing::Violations(status),
                ElementsAre(::testing::AllOf(
                    ::testing::StartsWith(absl::StrCat("record.citations[\"c\"].", part, ": ")),
                    HasSubstr(std::string(what)))))
        << fields << asserted << status;
  };
  refused("", "5", "exactly one path in `fields` expected, got 0");
  refused("'mechanism', 'headcount'", "null", "exactly one path in `fields` expected, got 2");
  refused("'participants[*].person'", R"("persons/a")", "no single value");
  for (const char* field :
       {"name", "uid", "etag", "revision", "create_time", "update_time", "delete_time",
        "review_state", "visibility", "restricted_fields", "citations"}) {
    refused(absl::StrCat("'", field, "'"), "null", "about the record itself");
  }
  refused("'effective_date.earliest'", "null", "is computed");
  refused("'effective_date.earliest.year'", "5", "is computed");
  refused("'participants[\"a\"].id'", R"("b")", "assert the element");
  refused("'headcount'", "many", "not JSON: a value expected at byte 0");
  refused("'headcount'", R"("many")", "an object of Estimate");
  refused("'headcount'", R"({"low": 5, "best": 4})", "headcount.low: low <= best expected");
  refused("'headcount'", R"({"best": -4})", "headcount.best: a count from 0 on");
  refused("'effective_date'", R"({"edtf": "yesterday"})", "effective_date.edtf: `yesterday`");
  refused("'effective_date'", "{}", "effective_date.edtf: a date in EDTF expected");
  refused("'effective_date.edtf'", R"("2025-13")", "edtf: `2025-13`: month 01..12");
  refused("'mechanism'", R"("FREEDOM")", "one of PARDON");
  refused("'mechanism'", "99", "has no value 99");
  refused("'ordered_by.person'", R"("sources/a")", "the name of a record expected");
  refused("'region_code'", R"("Belarus")", "ISO 3166-1");
  refused("'participants[\"a\"].outcomes[\"1\"]'", "{}", "kind: is required");
  refused("'participants[\"a\"]'", R"({"id": "b"})", "the path names `a`");
  refused("'participants[\"z\"].person'", R"("persons/a")", "the record has no `z`", "fields");
  refused("'note'", R"("a", "visibility": "RESTRICTED")", "not JSON");
}

TEST(AssertedValueTest, CitationsNameElementsThatAreThere) {
  const std::string cites =
      "participants { id: 'a' person: 'persons/a' } citations { id: 'c' source: 'sources/s' ";
  EXPECT_TRUE(
      Check<v1::Release>(cites + "fields: ['participants[\"a\"].person', 'participants[*]'] }")
          .ok());
  EXPECT_VIOLATES(v1::Release, cites + "fields: ['note', 'participants[\"z\"].person'] }",
                  "record.citations[\"c\"].fields: ", "has no `z` in participants");
  EXPECT_VIOLATES(
      v1::Release,
      cites + "fields: 'participants[\"a\"].outcomes[\"1\"].kind' stance: CONTRADICTS }",
      "record.citations[\"c\"].fields: ", "has no `1` in outcomes");
  EXPECT_VIOLATES(v1::Release, cites + "fields: 'labels[\"x\"]' }",
                  "record.citations[\"c\"].fields: ", "has no `x` in labels");
}

// A mask takes a part of what is sent: the elements, or a citation's other fields, may be stored.
TEST(AssertedValueTest, APartNeedNotHaveWhatItSpeaksOf) {
  EXPECT_TRUE(Check<v1::Release>("citations { id: 'c' source: 'sources/s' fields: "
                                 "'participants[\"a\"].person' }",
                                 Validate::kPartial)
                  .ok());
  EXPECT_TRUE(
      Check<v1::Release>("citations { id: 'c' asserted_value: '7' }", Validate::kPartial).ok());
  EXPECT_FALSE(Check<v1::Release>("citations { id: 'c' source: 'sources/s' asserted_value: '7' }",
                                  Validate::kMerged)
                   .ok());
}

TEST(AssertedValueTest, ComesInTheFormThatRecordsHave) {
  const auto& resource = testing::ResourceOf(v1::Release());
  auto read = [&](absl::string_view path, absl::string_view json) {
    const query::Path at = *query::ParsePath(path, v1::Release::descriptor());
    return *query::ValueAt(**ReadAsserted(resource, at, json), {at.back()});
  };
  EXPECT_EQ(read("effective_date", R"({"edtf":"2025"})"), R"({"edtf":"2025","state":"VALUE"})");
  EXPECT_THAT(
      read("participants[\"a\"]", R"({"person":"persons/a","outcomes":[{"kind":"FREED"}]})"),
      ::testing::MatchesRegex(
          R"(\{"id":"a","outcomes":\[\{"id":"[a-z2-7]+","kind":"FREED"\}\],"person":"persons/a"\})"));
  EXPECT_EQ(read("effective_date", R"({"edtf":"2025","earliest":{"year":1}})"),
            R"({"edtf":"2025","state":"VALUE"})");
}

}  // namespace
}  // namespace detente::engine
