// Rows of Arrow into records: what ReadRows sends comes back as it was, what others make of it is
// taken, and no bytes do harm.
#include "columnar/decode.h"

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "columnar/cache.h"
#include "columnar/row_source.h"
#include "columnar/row_stream.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/source.pb.h"
#include "error/error.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/engine/random_store.h"
#include "server/engine/testing.h"

namespace detente::columnar {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;
using testing::Dice;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Proto;
using testing::RandomStore;

template <typename T>
T Must(arrow::Result<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.status().ToString();
    std::abort();
  }
  return std::move(result).ValueUnsafe();
}

std::string Stream(const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches,
                   arrow::Compression::type compression = arrow::Compression::UNCOMPRESSED) {
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  options.emit_dictionary_deltas = false;
  if (compression != arrow::Compression::UNCOMPRESSED) {
    options.codec = Must(arrow::util::Codec::Create(compression));
  }
  auto sink = Must(arrow::io::BufferOutputStream::Create());
  auto writer = Must(arrow::ipc::MakeStreamWriter(sink, batches[0]->schema(), options));
  for (const auto& batch : batches) {
    if (!writer->WriteRecordBatch(*batch).ok()) std::abort();
  }
  if (!writer->Close().ok()) std::abort();
  return Must(sink->Finish())->ToString();
}

struct Column {
  std::string name;
  std::shared_ptr<arrow::Array> array;
};

std::shared_ptr<arrow::RecordBatch> Batch(const std::vector<Column>& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const Column& column : columns) {
    fields.push_back(arrow::field(column.name, column.array->type()));
    arrays.push_back(column.array);
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), columns[0].array->length(), arrays);
}

// Of the values of one type; null for absent ones.
template <typename Builder, typename T>
std::shared_ptr<arrow::Array> ArrayOf(const std::vector<std::optional<T>>& values,
                                      Builder builder = Builder()) {
  for (const auto& value : values) {
    const auto status = value.has_value() ? builder.Append(*value) : builder.AppendNull();
    if (!status.ok()) std::abort();
  }
  return Must(builder.Finish());
}

std::shared_ptr<arrow::Array> Texts(const std::vector<std::optional<std::string>>& values) {
  return ArrayOf<arrow::StringBuilder>(values);
}

const engine::Resource& Resource(absl::string_view collection) {
  return *testing::TestRegistry().FindByCollection(collection);
}

absl::StatusOr<DecodedRows> Decode(absl::string_view collection, const std::vector<Column>& columns,
                                   const std::vector<std::string>& only = {}) {
  return DecodeRows(Resource(collection), Stream({Batch(columns)}), only);
}

// "row field: description", each.
std::vector<std::string> Wrong(const DecodedRows& rows) {
  std::vector<std::string> lines;
  for (const RowViolation& v : rows.violations) {
    lines.push_back(absl::StrCat(v.row, " ", v.field, ": ", v.description));
  }
  return lines;
}

std::string MaskOf(const DecodedRows& rows) {
  std::string text;
  for (const auto& path : rows.mask.paths()) absl::StrAppend(&text, query::FormatPath(path), " ");
  return text;
}

template <typename T>
void ExpectRecord(const DecodedRow& row, const std::string& expected) {
  EXPECT_EQ(row.record->ShortDebugString(), Proto<T>(expected).ShortDebugString());
}

// --- what ReadRows sends -------------------------------------------------------------------------

// Clears what no row brings back: what the server makes, and unspecified enums in a list, which are
// counted. Empty messages are gone where columns are flat.
int Clear(const engine::TypePlan& plan, bool root, bool flat, Message* message) {
  const auto* reflection = message->GetReflection();
  int unspecified = 0;
  for (const engine::FieldPlan& field : plan.fields) {
    const FieldDescriptor* f = field.field;
    if (field.output_only || (root && f->number() <= engine::kDeleteTime)) {
      reflection->ClearField(message, f);
    } else if (f->cpp_type() == FieldDescriptor::CPPTYPE_ENUM && f->is_repeated()) {
      std::vector<int> values;
      for (int i = 0; i < reflection->FieldSize(*message, f); ++i) {
        const int value = reflection->GetRepeatedEnumValue(*message, f, i);
        if (value == 0) {
          ++unspecified;
        } else {
          values.push_back(value);
        }
      }
      reflection->ClearField(message, f);
      for (const int value : values) reflection->AddEnumValue(message, f, value);
    } else if (f->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      std::string scratch;
      if (!f->is_repeated() && f->cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
          reflection->GetStringReference(*message, f, &scratch).empty()) {
        reflection->ClearField(message, f);
      }
    } else if (f->is_repeated()) {
      for (int i = 0; i < reflection->FieldSize(*message, f); ++i) {
        unspecified +=
            Clear(*field.message, false, false, reflection->MutableRepeatedMessage(message, f, i));
      }
    } else if (reflection->HasField(*message, f)) {
      Message* inner = reflection->MutableMessage(message, f);
      unspecified += Clear(*field.message, false, flat, inner);
      if (flat && inner->ByteSizeLong() == 0) reflection->ClearField(message, f);
    }
  }
  return unspecified;
}

std::vector<std::string> RoundTrip(RandomStore& store, engine::Engine& engine,
                                   const engine::Resource& resource, bool flat) {
  Cache cache(engine, kDefaultCacheBytes);
  const auto& nodes = cache.NodesFor(resource);
  auto format = RowFormat::Make(*Projection::Parse(resource.type, nodes, {}, flat), nodes,
                                Compression::kNone, {});
  if (!format.ok()) std::abort();
  RowQuery query;
  query.resource = &resource;
  query.filter = *query::Filter::Parse("", resource.type);
  query.view.revision = store.revision();
  query.check = [] { return absl::OkStatus(); };
  auto source = OpenSource(engine, cache, query, *format, Way::kStore);
  if (!source.ok()) std::abort();
  std::map<std::string, const Message*> records;
  for (const auto& row : store.of(resource)) {
    if (row.until == INT64_MAX && row.version.delete_time == 0) {
      records[resource.Name(row.version.id)] = row.record.get();
    }
  }
  std::vector<std::string> differences;
  size_t found = 0;
  while (true) {
    auto batch = (*source)->Next();
    if (!batch.ok()) std::abort();
    if (*batch == nullptr) break;
    for (const auto compression : {arrow::Compression::UNCOMPRESSED, arrow::Compression::LZ4_FRAME,
                                   arrow::Compression::ZSTD}) {
      auto decoded = DecodeRows(resource, Stream({*batch}, compression), {});
      if (!decoded.ok()) return {decoded.status().ToString()};
      int nulls = 0;
      for (const std::string& wrong : Wrong(*decoded)) {
        if (absl::EndsWith(wrong, "must not be null in a list")) {
          ++nulls;
        } else {
          differences.push_back(wrong);
        }
      }
      for (const DecodedRow& row : decoded->rows) {
        ++found;
        std::unique_ptr<Message> expected(records.at(row.name)->New());
        expected->CopyFrom(*records.at(row.name));
        nulls -= Clear(*resource.plan, true, flat, expected.get());
        Clear(*resource.plan, true, flat, row.record.get());
        std::string difference;
        MessageDifferencer differencer;
        differencer.ReportDifferencesToString(&difference);
        if (!differencer.Compare(*expected, *row.record)) {
          differences.push_back(absl::StrCat(row.name, ": ", difference));
        }
      }
      if (nulls != 0) differences.push_back("more nulls, or fewer");
    }
  }
  if (found != 3 * records.size()) differences.push_back("rows are missing");
  return differences;
}

TEST(DecodeTest, WhatIsReadComesBack) {
  Dice dice(7);
  RandomStore store(dice);
  auto engine = engine::Engine::Open(store.TakeStore(), &testing::TestRegistry(), {});
  ASSERT_TRUE(engine.ok());
  for (const auto& resource : testing::TestRegistry().resources()) {
    for (const bool flat : {false, true}) {
      EXPECT_THAT(RoundTrip(store, **engine, *resource, flat), IsEmpty())
          << resource->collection << (flat ? ", flat" : "");
    }
  }
}

// --- what others make ----------------------------------------------------------------------------

TEST(DecodeTest, NamesIdsAndAbsentValues) {
  auto rows = Decode("persons", {{"name", Texts({"persons/a", std::nullopt})},
                                 {"id", Texts({std::nullopt, "b"})},
                                 {"display_name", Texts({"A", ""})},
                                 {"uid", Texts({"what the server makes", "is left out"})},
                                 {"note", std::make_shared<arrow::NullArray>(2)}});
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->rows.size(), 2);
  EXPECT_EQ(rows->rows[0].name, "persons/a");
  EXPECT_EQ(rows->rows[1].id, "b");
  ExpectRecord<v1::Person>(rows->rows[0], "display_name: 'A'");
  ExpectRecord<v1::Person>(rows->rows[1], "");
  EXPECT_EQ(MaskOf(*rows), "display_name note ");
}

TEST(DecodeTest, NumbersOfAnyWidth) {
  const auto check = [](std::shared_ptr<arrow::Array> array) {
    auto rows = Decode("releases", {{"headcount.best", std::move(array)}});
    ASSERT_TRUE(rows.ok()) << rows.status();
    EXPECT_THAT(Wrong(*rows), IsEmpty());
    ExpectRecord<v1::Release>(rows->rows[0], "headcount { best: 7 }");
    ExpectRecord<v1::Release>(rows->rows[1], "");
  };
  check(ArrayOf<arrow::Int8Builder, int8_t>({7, std::nullopt}));
  check(ArrayOf<arrow::Int16Builder, int16_t>({7, std::nullopt}));
  check(ArrayOf<arrow::Int32Builder, int32_t>({7, std::nullopt}));
  check(ArrayOf<arrow::Int64Builder, int64_t>({7, std::nullopt}));
  check(ArrayOf<arrow::UInt8Builder, uint8_t>({7, std::nullopt}));
  check(ArrayOf<arrow::UInt64Builder, uint64_t>({7, std::nullopt}));
  check(ArrayOf<arrow::FloatBuilder, float>({7, std::numeric_limits<float>::quiet_NaN()}));
  check(ArrayOf<arrow::DoubleBuilder, double>({7, std::nullopt}));

  auto rows =
      Decode("releases",
             {{"headcount.low", ArrayOf<arrow::DoubleBuilder, double>({0.5})},
              {"headcount.best", ArrayOf<arrow::UInt64Builder, uint64_t>({uint64_t{1} << 63})}});
  ASSERT_TRUE(rows.ok());
  EXPECT_THAT(Wrong(*rows), ElementsAre(HasSubstr("0 headcount.low: `0.5`: a whole number"),
                                        HasSubstr("0 headcount.best: `9223372036854775808`")));
}

TEST(DecodeTest, DatesAsTextsDaysAndTimes) {
  const auto check = [](const std::string& column, std::shared_ptr<arrow::Array> array) {
    auto rows = Decode("releases", {{column, std::move(array)}});
    ASSERT_TRUE(rows.ok()) << rows.status();
    EXPECT_THAT(Wrong(*rows), IsEmpty());
    ExpectRecord<v1::Release>(rows->rows[0], "effective_date { edtf: '2025-12-13' }");
    ExpectRecord<v1::Release>(rows->rows[1], "");
    EXPECT_EQ(MaskOf(*rows), "effective_date ") << "a date is written as a whole";
  };
  constexpr int64_t kDay = 20'435;
  for (const std::string column : {"effective_date", "effective_date.edtf"}) {
    check(column, Texts({"2025-12-13", std::nullopt}));
    check(column, Texts({"2025-12-13", ""}));
    check(column, ArrayOf<arrow::LargeStringBuilder, std::string>({"2025-12-13", std::nullopt}));
    check(column, ArrayOf<arrow::StringViewBuilder, std::string>({"2025-12-13", std::nullopt}));
    check(column, ArrayOf<arrow::Date32Builder, int32_t>({kDay, std::nullopt}));
    check(column, ArrayOf<arrow::Date64Builder, int64_t>({kDay * 86'400'000, std::nullopt}));
    for (const auto unit : {arrow::TimeUnit::SECOND, arrow::TimeUnit::NANO}) {
      const int64_t scale = unit == arrow::TimeUnit::SECOND ? 1 : 1'000'000'000;
      check(column,
            ArrayOf<arrow::TimestampBuilder, int64_t>(
                {kDay * 86'400 * scale, std::nullopt},
                arrow::TimestampBuilder(arrow::timestamp(unit), arrow::default_memory_pool())));
    }
  }
  auto rows = Decode(
      "releases",
      {{"effective_date",
        ArrayOf<arrow::TimestampBuilder, int64_t>(
            {kDay * 86'400 + 1}, arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::SECOND),
                                                         arrow::default_memory_pool()))}});
  ASSERT_TRUE(rows.ok());
  EXPECT_THAT(Wrong(*rows), ElementsAre("0 effective_date: a day expected, got a time of it: "
                                        "2025-12-13T00:00:01Z"));
}

TEST(DecodeTest, EnumsByName) {
  auto rows = Decode("releases", {{"mechanism", Texts({"PARDON", "PARDONS", "", std::nullopt})}});
  ASSERT_TRUE(rows.ok()) << rows.status();
  ExpectRecord<v1::Release>(rows->rows[0], "mechanism: PARDON");
  ExpectRecord<v1::Release>(rows->rows[2], "");
  EXPECT_THAT(Wrong(*rows), ElementsAre("1 mechanism: `PARDONS`: no value of Mechanism; did you "
                                        "mean `PARDON`?"));
}

TEST(DecodeTest, TimesAsTimesAndTexts) {
  auto rows = Decode("sources", {{"access_time", Texts({"2025-12-13T10:00:00Z", "yesterday"})}});
  ASSERT_TRUE(rows.ok()) << rows.status();
  ExpectRecord<v1::Source>(rows->rows[0], "access_time { seconds: 1765620000 }");
  EXPECT_THAT(Wrong(*rows), ElementsAre(HasSubstr("1 access_time: `yesterday`: a time as")));
}

TEST(DecodeTest, OneOfTwo) {
  auto rows = Decode(
      "releases", {{"ordered_by.person", Texts({"persons/a", std::nullopt, "persons/a"})},
                   {"ordered_by.organization", Texts({"", "organizations/b", "organizations/b"})}});
  ASSERT_TRUE(rows.ok()) << rows.status();
  ExpectRecord<v1::Release>(rows->rows[0], "ordered_by { person: 'persons/a' }");
  ExpectRecord<v1::Release>(rows->rows[1], "ordered_by { organization: 'organizations/b' }");
  EXPECT_THAT(Wrong(*rows), ElementsAre("2 ordered_by.organization: not together with person: one "
                                        "of the two expected"));
}

TEST(DecodeTest, SomeColumnsAlone) {
  const std::vector<Column> columns = {{"id", Texts({"a"})},
                                       {"note", Texts({"n"})},
                                       {"display_name", Texts({"A"})},
                                       {"not_a_field", Texts({"x"})}};
  auto rows = Decode("persons", columns, {"note"});
  ASSERT_TRUE(rows.ok()) << rows.status();
  ExpectRecord<v1::Person>(rows->rows[0], "note: 'n'");
  EXPECT_EQ(MaskOf(*rows), "note ");
  EXPECT_THAT(Decode("persons", columns, {"nota"}).status().message(),
              HasSubstr("column `nota`: the rows have no such column"));
}

// --- what is refused -----------------------------------------------------------------------------

TEST(DecodeTest, ColumnsThatCanNotBe) {
  const auto refused = [](const std::vector<Column>& columns) {
    auto rows = Decode("releases", columns);
    EXPECT_FALSE(rows.ok());
    EXPECT_EQ(rows.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(rows.status().message());
  };
  const auto text = Texts({"x"});
  EXPECT_THAT(refused({{"mechanisn", text}}), HasSubstr("did you mean `mechanism`?"));
  EXPECT_THAT(refused({{"headcount.bets", text}}), HasSubstr("did you mean `best`?"));
  EXPECT_THAT(refused({{"headcount.best", text}}),
              HasSubstr("column `headcount.best`: a whole number expected, got Arrow's string"));
  EXPECT_THAT(refused({{"headcount", text}}), HasSubstr("column `headcount`: a struct expected"));
  EXPECT_THAT(refused({{"stated_reasons", text}}), HasSubstr("a list expected"));
  EXPECT_THAT(refused({{"participants[*].person", text}}), HasSubstr("take the list as a whole"));
  EXPECT_THAT(refused({{"note", text}, {"note", text}}),
              HasSubstr("column `note`: is there twice"));
  EXPECT_THAT(refused({{"effective_date.edtf", text}, {"effective_date", text}}),
              HasSubstr("column `effective_date.edtf`: is a part of `effective_date`"));
  EXPECT_THAT(refused({{"name", ArrayOf<arrow::Int8Builder, int8_t>({1})}}),
              HasSubstr("column `name`: text expected"));
  auto inner = Must(arrow::StructArray::Make({text}, std::vector<std::string>{"bset"}));
  EXPECT_THAT(
      refused({{"headcount", inner}}),
      HasSubstr("column `headcount.bset`: Estimate has no such field; did you mean `best`?"));
}

TEST(DecodeTest, Limits) {
  const auto over = [](const std::string& stream) {
    auto rows = DecodeRows(Resource("releases"), stream, {});
    EXPECT_FALSE(rows.ok());
    EXPECT_EQ(ReasonOf(rows.status()), v1::LIMIT_EXCEEDED) << rows.status();
    return std::string(rows.status().message());
  };
  const auto notes = [](int64_t rows, size_t bytes) {
    return Texts(std::vector<std::optional<std::string>>(rows, std::string(bytes, 'x')));
  };
  EXPECT_TRUE(Decode("releases", {{"note", notes(kMaxBatchRows, 1)}}).ok());
  EXPECT_THAT(over(Stream({Batch({{"note", notes(kMaxBatchRows + 1, 1)}})})),
              HasSubstr("1000 rows"));
  const auto one = Batch({{"note", notes(1, 1)}});
  EXPECT_THAT(over(Stream(std::vector(kMaxRecordBatches + 1, one))),
              HasSubstr("100 record batches"));
  EXPECT_THAT(
      over(Stream({Batch(std::vector<Column>(kMaxBatchColumns + 1, {"note", notes(1, 1)}))})),
      HasSubstr("1000 columns"));

  // A short dictionary, and rows that repeat it.
  auto indices = ArrayOf<arrow::Int8Builder, int8_t>(std::vector<std::optional<int8_t>>(1'000, 0));
  auto repeated = Must(arrow::DictionaryArray::FromArrays(
      arrow::dictionary(arrow::int8(), arrow::utf8()), indices, notes(1, 60'000)));
  const std::string stream = Stream({Batch({{"note", repeated}})});
  EXPECT_LT(stream.size(), 70'000);
  EXPECT_THAT(over(stream), HasSubstr("16777216 bytes of text"));

  // What is nothing when compressed: as long as it is said to be, in buffers that no cell needs.
  auto zeros = Must(arrow::AllocateBuffer(kMaxArrowBytes + 1'024));
  std::memset(zeros->mutable_data(), 0, zeros->size());
  const int64_t cells = zeros->size() / 8;
  auto array =
      std::make_shared<arrow::Int64Array>(cells, std::shared_ptr<arrow::Buffer>(std::move(zeros)));
  const std::string bomb = Stream({Batch({{"headcount.best", array}})}, arrow::Compression::ZSTD);
  EXPECT_LT(bomb.size(), 100'000);
  EXPECT_THAT(over(bomb), HasSubstr("bytes uncompressed"));

  // Lists of what takes no bytes.
  constexpr int64_t kMany = 2'000'000'000;
  auto offsets = ArrayOf<arrow::Int32Builder, int32_t>({0, static_cast<int32_t>(kMany)});
  auto element = std::make_shared<arrow::StructArray>(
      arrow::struct_({arrow::field("id", arrow::null())}), kMany,
      arrow::ArrayVector{std::make_shared<arrow::NullArray>(kMany)});
  auto list = Must(arrow::ListArray::FromArrays(*offsets, *element));
  auto rows = Decode("releases", {{"participants", list}});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(Wrong(*rows), ElementsAre("0 participants: at most 10000 elements, got 2000000000"));
}

TEST(DecodeTest, ElementsInAllRows) {
  constexpr int kEach = 10'000;
  constexpr int kRows = 41;
  std::vector<std::optional<int32_t>> at;
  for (int i = 0; i <= kRows; ++i) at.push_back(i * kEach);
  auto element = std::make_shared<arrow::StructArray>(
      arrow::struct_({arrow::field("id", arrow::null())}), kEach * kRows,
      arrow::ArrayVector{std::make_shared<arrow::NullArray>(kEach * kRows)});
  auto list = Must(arrow::ListArray::FromArrays(*ArrayOf<arrow::Int32Builder>(at), *element));
  EXPECT_THAT(Decode("releases", {{"participants", list}}).status().message(),
              HasSubstr("400000 elements"));
}

// --- bytes from anybody --------------------------------------------------------------------------

std::vector<std::string> Seeds() {
  Dice dice(11);
  RandomStore store(dice);
  auto engine = engine::Engine::Open(store.TakeStore(), &testing::TestRegistry(), {});
  if (!engine.ok()) std::abort();
  const engine::Resource& resource = Resource("releases");
  Cache cache(**engine, kDefaultCacheBytes);
  const auto& nodes = cache.NodesFor(resource);
  std::vector<std::string> seeds;
  for (const bool flat : {false, true}) {
    auto format = RowFormat::Make(*Projection::Parse(resource.type, nodes, {}, flat), nodes,
                                  Compression::kNone, {});
    RowQuery query;
    query.resource = &resource;
    query.filter = *query::Filter::Parse("", resource.type);
    query.view.revision = store.revision();
    query.check = [] { return absl::OkStatus(); };
    auto source = OpenSource(**engine, cache, query, *format, Way::kStore);
    auto batch = (*source)->Next();
    if (!batch.ok() || *batch == nullptr) std::abort();
    for (const auto compression : {arrow::Compression::UNCOMPRESSED, arrow::Compression::LZ4_FRAME,
                                   arrow::Compression::ZSTD}) {
      seeds.push_back(Stream({(*batch)->Slice(0, 5)}, compression));
    }
  }
  seeds.push_back(Stream({Batch({{"note", ArrayOf<arrow::StringViewBuilder, std::string>(
                                              {"short", std::string(50, 'x'), std::nullopt})}})}));
  return seeds;
}

TEST(DecodeTest, NoBytesDoHarm) {
  const char* const asked = std::getenv("DETENTE_ARROW_FLIPS");
  const int count = asked == nullptr ? 3'000 : std::atoi(asked);
  Dice dice(20'251'213 + static_cast<uint64_t>(asked == nullptr ? 0 : count));
  const std::vector<std::string> seeds = Seeds();
  int taken = 0;
  int refused = 0;
  for (int i = 0; i < count; ++i) {
    std::string bytes = dice.Of(seeds);
    if (dice.OneIn(5)) bytes.resize(dice.Below(static_cast<int>(bytes.size())));
    for (int n = 1 + dice.Below(4); n > 0 && !bytes.empty(); --n) {
      const int at = dice.OneIn(2) ? dice.Below(static_cast<int>(bytes.size()))
                                   : dice.Below(std::min(2'000, static_cast<int>(bytes.size())));
      bytes[at] =
          static_cast<char>(dice.OneIn(2) ? dice.Below(256) : bytes[at] ^ (1 << dice.Below(8)));
    }
    const auto rows = DecodeRows(Resource("releases"), bytes, {});
    ++(rows.ok() ? taken : refused);
    if (!rows.ok()) {
      ASSERT_EQ(rows.status().code(), absl::StatusCode::kInvalidArgument) << rows.status();
    }
  }
  EXPECT_GT(taken, 0);
  EXPECT_GT(refused, count / 4);
  EXPECT_FALSE(DecodeRows(Resource("releases"), "", {}).ok());
  EXPECT_FALSE(DecodeRows(Resource("releases"), std::string(100'000, '\xff'), {}).ok());
}

}  // namespace
}  // namespace detente::columnar
