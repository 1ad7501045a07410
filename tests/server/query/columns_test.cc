#include "query/columns.h"

#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/source.pb.h"
#include "server/engine/testing.h"

namespace detente::query {
namespace {

using store::Column;
using store::Value;
using testing::Proto;

using Fields = std::vector<const google::protobuf::FieldDescriptor*>;

Fields FieldsOf(const google::protobuf::Descriptor* type, absl::string_view path) {
  Fields fields;
  for (absl::string_view name : absl::StrSplit(path, '.')) {
    fields.push_back(type->FindFieldByName(std::string(name)));
    type = fields.back()->message_type();
  }
  return fields;
}

template <typename T>
class Subject {
 public:
  Subject() : columns(T::descriptor(), "things") {}

  int Find(absl::string_view path) const {
    return columns.FindColumn(FieldsOf(T::descriptor(), path)).value_or(-100);
  }
  const Column& At(absl::string_view path) const { return columns.table().columns.at(Find(path)); }
  Value Of(const T& record, absl::string_view path) const {
    return columns.Derive(record).columns.at(Find(path));
  }
  std::vector<Value> Listed(const T& record, absl::string_view path) const {
    const auto list = columns.FindList(FieldsOf(T::descriptor(), path));
    std::vector<Value> found;
    for (const auto& [at, value] : columns.Derive(record).lists) {
      if (at == list.value_or(-1)) found.push_back(value);
    }
    return found;
  }

  Columns columns;
};

TEST(Columns, AreOfFieldsThatARecordHasOnce) {
  const Subject<v1::Release> releases;
  EXPECT_EQ(releases.At("region_code").name, "region_code");
  EXPECT_TRUE(releases.At("region_code").indexed);
  EXPECT_TRUE(releases.At("announced_by.person").indexed);
  EXPECT_TRUE(releases.At("mechanism").indexed);
  EXPECT_TRUE(releases.At("mechanism").default_is_unset);
  EXPECT_TRUE(releases.At("headcount.low").indexed);
  EXPECT_FALSE(releases.At("headcount.low").default_is_unset);
  EXPECT_FALSE(releases.At("visibility").indexed);
  EXPECT_FALSE(releases.At("note").indexed);
  EXPECT_EQ(releases.Find("name"), store::kRowId);
  EXPECT_EQ(releases.Find("delete_time"), store::kRowDeleteTime);
  EXPECT_EQ(releases.Find("etag"), -100);
  EXPECT_EQ(releases.Find("participants.person"), -100);
  EXPECT_EQ(releases.columns.FindList(FieldsOf(v1::Release::descriptor(), "labels")), std::nullopt);
  // Half a megabyte of it would stand twice in the store.
  EXPECT_EQ(Subject<v1::Source>().Find("text"), -100);
}

TEST(Columns, ADateHasItsBoundsAndTextInARow) {
  const Subject<v1::Release> releases;
  const int earliest = releases.Find("effective_date.earliest");
  EXPECT_EQ(releases.At("effective_date.earliest").role, Column::Role::kEarliest);
  EXPECT_EQ(releases.Find("effective_date.latest"), earliest + 1);
  EXPECT_EQ(releases.At("effective_date.latest").role, Column::Role::kLatest);
  EXPECT_EQ(releases.Find("effective_date.edtf"), earliest + 2);
  EXPECT_EQ(releases.At("effective_date.edtf").role, Column::Role::kReadings);
}

TEST(Columns, LongTextsComeLast) {
  for (const auto& resource : testing::TestRegistry().resources()) {
    bool last = false;
    for (const Column& column : resource->columns->table().columns) {
      const bool prose = column.type == Column::Type::kText && !column.indexed &&
                         column.role == Column::Role::kPlain;
      EXPECT_FALSE(last && !prose) << resource->collection << " " << column.name;
      last |= prose;
    }
  }
}

TEST(Columns, ValuesBelowAnAbsentMessageAreAbsent) {
  const Subject<v1::Release> releases;
  const auto bare = Proto<v1::Release>("");
  EXPECT_EQ(releases.Of(bare, "region_code"), Value(std::string()));
  EXPECT_EQ(releases.Of(bare, "mechanism"), Value(int64_t{0}));
  EXPECT_EQ(releases.Of(bare, "announced_by.description"), Value());
  EXPECT_EQ(releases.Of(bare, "effective_date.edtf"), Value());
  const auto some = Proto<v1::Release>("announced_by {} headcount { best: 0 }");
  EXPECT_EQ(releases.Of(some, "announced_by.description"), Value(std::string()));
  EXPECT_EQ(releases.Of(some, "announced_by.person"), Value());  // of a oneof
  EXPECT_EQ(releases.Of(some, "headcount.best"), Value(int64_t{0}));
  EXPECT_EQ(releases.Of(some, "headcount.low"), Value());
  EXPECT_EQ(releases.Of(some, "headcount.approximate"), Value(int64_t{0}));
}

// What an erased record's rows have is what the evaluator sees in an empty message.
TEST(Columns, TheEmptyRowIsThatOfAnEmptyRecord) {
  for (const auto& resource : testing::TestRegistry().resources()) {
    const store::Derived derived = resource->columns->Derive(*resource->prototype);
    const auto& columns = resource->columns->table().columns;
    ASSERT_EQ(derived.columns.size(), columns.size());
    for (size_t i = 0; i < columns.size(); ++i) {
      EXPECT_EQ(derived.columns[i], columns[i].empty) << resource->collection << columns[i].name;
    }
    EXPECT_TRUE(derived.lists.empty());
  }
}

TEST(Columns, DatesHaveTheirDays) {
  const Subject<v1::Release> releases;
  auto bounds = [&](const std::string& date) {
    const auto record = Proto<v1::Release>("effective_date {" + date + "}");
    return std::pair(releases.Of(record, "effective_date.earliest"),
                     releases.Of(record, "effective_date.latest"));
  };
  auto days = [](int64_t first, int64_t last) { return std::pair(Value(first), Value(last)); };
  EXPECT_EQ(bounds("edtf: '1970-01-02' state: VALUE"), days(1, 1));
  EXPECT_EQ(bounds("edtf: '1970-02' state: VALUE"), days(31, 58));
  EXPECT_EQ(bounds("edtf: '1970-01-02/..' state: VALUE"), days(1, kUnboundedLatest));
  EXPECT_EQ(bounds("state: UNKNOWN"), days(kUnboundedEarliest, kUnboundedLatest));
  const std::pair<Value, Value> none;
  EXPECT_EQ(bounds("state: NONE"), none);
  EXPECT_EQ(bounds("state: ONGOING"), none);
  EXPECT_EQ(bounds(""), none);
  EXPECT_EQ(
      releases.Of(Proto<v1::Release>("effective_date { state: UNKNOWN }"), "effective_date.edtf"),
      Value(std::string()));
}

TEST(Columns, TimesAreMicroseconds) {
  const Subject<v1::Source> sources;
  const auto record = Proto<v1::Source>("access_time { seconds: -1 nanos: 500000999 }");
  EXPECT_EQ(sources.Of(record, "access_time"), Value(int64_t{-500'000}));
}

TEST(Columns, ListsAreSortedAndHoldEachValueOnce) {
  const Subject<v1::Release> releases;
  const auto record = Proto<v1::Release>(R"(
    participants { person: "persons/b" outcomes { kind: FREED } outcomes { kind: REFUSED_TO_LEAVE } }
    participants { person: "persons/a" outcomes { kind: FREED } }
    participants { })");
  EXPECT_EQ(releases.Listed(record, "participants.outcomes.kind"),
            (std::vector<Value>{int64_t{1}, int64_t{2}}));
  EXPECT_EQ(releases.Listed(record, "participants.person"),
            (std::vector<Value>{std::string("persons/a"), std::string("persons/b")}));
  const Subject<v1::Person> persons;
  auto named = Proto<v1::Person>("nationalities: 'BY' external_ids { authority: 'x' value: 'y' }");
  EXPECT_EQ(persons.Listed(named, "nationalities"), (std::vector<Value>{std::string("BY")}));
  EXPECT_EQ(persons.Listed(named, "external_ids.value"), (std::vector<Value>{std::string("y")}));
  named.add_names()->set_full(std::string(kMaxListedBytes + 1, 'x'));
  named.add_names()->set_full(std::string(kMaxListedBytes, 'x'));
  EXPECT_EQ(persons.Listed(named, "names.full").size(), 1U);
}

TEST(Columns, WordsOfNamesAndOfTextsAreKeptApart) {
  const Subject<v1::Person> persons;
  const auto record = Proto<v1::Person>(R"(
    display_name: "Test Person" note: "a note"
    names { full: "Other Name" family: "Name" }
    citations { source: "sources/hidden" quote: "quoted" fields: "hidden" asserted_value: "hidden" }
    labels { key: "hidden" value: "labelled" }
    awards { title: "Prize" })");
  const store::Derived derived = persons.columns.Derive(record);
  EXPECT_EQ(derived.names, "test person other name name");
  EXPECT_EQ(derived.texts, "quoted labelled a note prize");
  EXPECT_EQ(NamesOf(record), (std::vector<std::string>{"Test Person", "Other Name", "Name"}));
}

TEST(Columns, FingerprintTellsTablesApart) {
  EXPECT_EQ(Columns(v1::Person::descriptor(), "persons").table().fingerprint,
            Columns(v1::Person::descriptor(), "persons").table().fingerprint);
  EXPECT_NE(Columns(v1::Person::descriptor(), "persons").table().fingerprint,
            Columns(v1::Release::descriptor(), "persons").table().fingerprint);
}

}  // namespace
}  // namespace detente::query
