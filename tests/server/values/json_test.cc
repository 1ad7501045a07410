#include "values/json.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/release.pb.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/wrappers.pb.h"
#include "google/type/latlng.pb.h"
#include "server/engine/testing.h"

namespace detente::values {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

std::string Number(double value) {
  std::string out;
  AppendJsonNumber(value, &out);
  return out;
}

std::string Text(absl::string_view text) {
  std::string out;
  AppendJsonString(text, &out);
  return out;
}

google::protobuf::Struct Parsed(const std::string& json) {
  google::protobuf::Struct parsed;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &parsed);
  EXPECT_TRUE(status.ok()) << status << "\n" << json;
  return parsed;
}

std::string ProtobufJson(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  EXPECT_TRUE(google::protobuf::util::MessageToJsonString(message, &json, options).ok());
  return json;
}

class Filler {
 public:
  explicit Filler(uint64_t seed) : random_(seed) {}

  void Fill(Message* message, int depth = 0) {
    const auto* type = message->GetDescriptor();
    if (type->full_name() == "google.protobuf.Timestamp") {
      auto* time = static_cast<google::protobuf::Timestamp*>(message);
      time->set_seconds(static_cast<int64_t>(random_() % 315'537'897'600) - 62'135'596'800);
      constexpr int32_t kNanos[] = {0, 5'000'000, 123'000, 1, 999'999'999};
      time->set_nanos(kNanos[random_() % 5]);
      return;
    }
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      if (random_() % 3 == 0) continue;
      if (field->message_type() != nullptr && depth > 3) continue;
      const bool list = field->is_repeated() && !field->is_map();  // keys must not come twice
      const int count = list ? static_cast<int>(random_() % 3) : 1;
      for (int n = 0; n < count; ++n) FillField(message, field, depth);
    }
  }

 private:
  void FillField(Message* message, const FieldDescriptor* field, int depth) {
    const auto* reflection = message->GetReflection();
    const bool repeated = field->is_repeated();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Fill(repeated ? reflection->AddMessage(message, field)
                             : reflection->MutableMessage(message, field),
                    depth + 1);
      case FieldDescriptor::CPPTYPE_STRING: {
        const std::string text = field->type() == FieldDescriptor::TYPE_BYTES ? Bytes() : Words();
        return repeated ? reflection->AddString(message, field, text)
                        : reflection->SetString(message, field, text);
      }
      case FieldDescriptor::CPPTYPE_ENUM: {
        const auto* value = field->enum_type()->value(
            static_cast<int>(random_() % field->enum_type()->value_count()));
        return repeated ? reflection->AddEnum(message, field, value)
                        : reflection->SetEnum(message, field, value);
      }
      case FieldDescriptor::CPPTYPE_BOOL:
        return repeated ? reflection->AddBool(message, field, random_() % 2 == 0)
                        : reflection->SetBool(message, field, random_() % 2 == 0);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return repeated ? reflection->AddDouble(message, field, Double())
                        : reflection->SetDouble(message, field, Double());
      case FieldDescriptor::CPPTYPE_FLOAT:
        return repeated ? reflection->AddFloat(message, field, 0.5F)
                        : reflection->SetFloat(message, field, 0.1F);
      case FieldDescriptor::CPPTYPE_INT32:
        return repeated ? reflection->AddInt32(message, field, static_cast<int32_t>(random_()))
                        : reflection->SetInt32(message, field, static_cast<int32_t>(random_()));
      case FieldDescriptor::CPPTYPE_INT64:
        return repeated ? reflection->AddInt64(message, field, static_cast<int64_t>(random_()))
                        : reflection->SetInt64(message, field, static_cast<int64_t>(random_()));
      case FieldDescriptor::CPPTYPE_UINT32:
        return repeated ? reflection->AddUInt32(message, field, static_cast<uint32_t>(random_()))
                        : reflection->SetUInt32(message, field, static_cast<uint32_t>(random_()));
      case FieldDescriptor::CPPTYPE_UINT64:
        return repeated ? reflection->AddUInt64(message, field, random_())
                        : reflection->SetUInt64(message, field, random_());
    }
  }

  double Double() {
    constexpr double kValues[] = {53.9, -27.5, 1e21, 1e-7, 123456789.125, 5e-324};
    return kValues[random_() % 6];
  }

  std::string Bytes() {
    std::string bytes;
    for (uint64_t n = random_() % 9; n > 0; --n) bytes.push_back(static_cast<char>(random_()));
    return bytes;
  }

  std::string Words() {
    constexpr const char* kPieces[] = {
        "a", "Бяляцкі",          "\"",           "\\",       "\n", "\x01", "\x1f", "\x7f", "/",
        "€", "\xf0\x9f\x95\x8a", "\xef\xbf\xbd", "</script>"};
    std::string text;
    for (uint64_t n = random_() % 5; n > 0; --n) text += kPieces[random_() % std::size(kPieces)];
    return text;
  }

  std::mt19937_64 random_;
};

TEST(Json, NumbersAreWrittenAsInEcmaScript) {
  // ECMA-262, Number::toString, at the edges of its cases.
  EXPECT_EQ(Number(0), "0");
  EXPECT_EQ(Number(-0.0), "0");
  EXPECT_EQ(Number(1), "1");
  EXPECT_EQ(Number(-1.5), "-1.5");
  EXPECT_EQ(Number(53.9), "53.9");
  EXPECT_EQ(Number(100), "100");
  EXPECT_EQ(Number(0.1), "0.1");
  EXPECT_EQ(Number(1e20), "100000000000000000000");
  EXPECT_EQ(Number(123456789012345680000.0), "123456789012345680000");
  EXPECT_EQ(Number(1e21), "1e+21");
  EXPECT_EQ(Number(1.5e21), "1.5e+21");
  EXPECT_EQ(Number(1e-6), "0.000001");
  EXPECT_EQ(Number(1.25e-6), "0.00000125");
  EXPECT_EQ(Number(1e-7), "1e-7");
  EXPECT_EQ(Number(-1.25e-7), "-1.25e-7");
  EXPECT_EQ(Number(5e-324), "5e-324");
  EXPECT_EQ(Number(std::numeric_limits<double>::max()), "1.7976931348623157e+308");
  EXPECT_EQ(Number(9007199254740993.0), "9007199254740992");
  EXPECT_EQ(Number(std::numeric_limits<double>::quiet_NaN()), "\"NaN\"");
  EXPECT_EQ(Number(-std::numeric_limits<double>::infinity()), "\"-Infinity\"");
}

TEST(Json, NumbersReadBackAsTheSame) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(std::strtod(Number(value).c_str(), nullptr), value) << Number(value);
  }
}

TEST(Json, TextsEscapeWhatMustBe) {
  EXPECT_EQ(Text(""), "\"\"");
  EXPECT_EQ(Text("\b\t\n\f\r\"\\"), R"("\b\t\n\f\r\"\\")");
  EXPECT_EQ(Text(absl::string_view("\0\x1f\x7f/", 4)), "\"\\u0000\\u001f\x7f/\"");
  EXPECT_EQ(Text("é€\xf0\x9f\x95\x8a<>&"), "\"é€\xf0\x9f\x95\x8a<>&\"");
}

TEST(Json, KeysAreSortedByUtf16) {
  v1::Release release;
  auto& labels = *release.mutable_labels();
  // U+E000 comes before U+1F54A in UTF-8, after its surrogates in UTF-16.
  for (const char* key : {"\xee\x80\x80", "\xf0\x9f\x95\x8a", "b", "a", "é", "a\n", "€", ""}) {
    labels[key] = "x";
  }
  EXPECT_EQ(
      ToJson(release, JsonOf::kContent),
      "{\"labels\":{\"\":\"x\",\"a\":\"x\",\"a\\n\":\"x\",\"b\":\"x\",\"é\":\"x\",\"€\":\"x\","
      "\"\xf0\x9f\x95\x8a\":\"x\",\"\xee\x80\x80\":\"x\"}}");
  EXPECT_TRUE(Utf16Less("a", "ab"));
  EXPECT_FALSE(Utf16Less("a", "a"));
}

TEST(Json, OfAKeyThatComesTwiceTheLastCounts) {
  v1::Release release;
  const auto* labels = v1::Release::descriptor()->FindFieldByName("labels");
  for (const char* value : {"first", "last"}) {
    Message* entry = release.GetReflection()->AddMessage(&release, labels);
    const auto* type = entry->GetDescriptor();
    entry->GetReflection()->SetString(entry, type->map_key(), "k");
    entry->GetReflection()->SetString(entry, type->map_value(), value);
  }
  EXPECT_EQ(ToJson(release, JsonOf::kContent), R"({"labels":{"k":"last"}})");
}

TEST(Json, ContentLeavesOutWhatTheServerSays) {
  auto release = testing::Proto<v1::Release>(R"(
    name: "releases/a" uid: "u" etag: "\"e\"" revision: 3 create_time { seconds: 1 }
    display_name: "x" effective_date { edtf: "2025" state: VALUE earliest { year: 2025 } }
    headcount { best: 0 }
    participants { id: "p" outcomes { date { latest { year: 1 } } } }
    unnamed_remainder { total { best: 1 } })");
  EXPECT_EQ(ToJson(release, JsonOf::kContent),
            R"({"display_name":"x","effective_date":{"edtf":"2025","state":"VALUE"},)"
            R"("headcount":{"best":"0"},"name":"releases/a",)"
            R"("participants":[{"id":"p","outcomes":[{"date":{}}]}]})");
  EXPECT_EQ(ToJson(release, JsonOf::kEverything),
            R"({"create_time":"1970-01-01T00:00:01Z","display_name":"x","effective_date":)"
            R"({"earliest":{"year":2025},"edtf":"2025","state":"VALUE"},"etag":"\"e\"",)"
            R"("headcount":{"best":"0"},"name":"releases/a","participants":[{"id":"p",)"
            R"("outcomes":[{"date":{"latest":{"year":1}}}]}],"revision":"3","uid":"u",)"
            R"("unnamed_remainder":{"total":{"best":"1"}}})");
  const auto* type = v1::Release::descriptor();
  EXPECT_EQ(FieldToJson(release, type->FindFieldByName("effective_date"), JsonOf::kContent),
            R"({"edtf":"2025","state":"VALUE"})");
  EXPECT_EQ(FieldToJson(release, type->FindFieldByName("unnamed_remainder"), JsonOf::kContent),
            R"({"total":{"best":"1"}})");
  EXPECT_EQ(FieldToJson(release, type->FindFieldByName("note"), JsonOf::kContent), "\"\"");
  EXPECT_EQ(FieldToJson(release, type->FindFieldByName("transfers"), JsonOf::kContent), "[]");
  EXPECT_EQ(ElementToJson(release, type->FindFieldByName("participants"), 0, JsonOf::kContent),
            R"({"id":"p","outcomes":[{"date":{}}]})");
}

TEST(Json, UnknownFieldsAndEnumValues) {
  v1::Release release;
  release.ParseFromString("\xfa\xf0\x04\x03new");
  release.set_review_state(static_cast<v1::Record::ReviewState>(77));
  EXPECT_EQ(ToJson(release, JsonOf::kEverything), R"({"review_state":77})");
}

TEST(Json, WellKnownTypes) {
  google::protobuf::Timestamp time;
  time.set_seconds(-62'135'596'800);
  EXPECT_EQ(ToJson(time, JsonOf::kContent), R"("0001-01-01T00:00:00Z")");
  time.set_seconds(253'402'300'799);
  time.set_nanos(120'000'000);
  EXPECT_EQ(ToJson(time, JsonOf::kContent), R"("9999-12-31T23:59:59.120Z")");
  time.set_seconds(-1);
  time.set_nanos(1'000);
  EXPECT_EQ(ToJson(time, JsonOf::kContent), R"("1969-12-31T23:59:59.000001Z")");
  time.set_seconds(253'402'300'800);
  EXPECT_EQ(ToJson(time, JsonOf::kContent), R"({"nanos":1000,"seconds":"253402300800"})");
  google::protobuf::Duration duration;
  duration.set_nanos(-5);
  EXPECT_EQ(ToJson(duration, JsonOf::kContent), R"("-0.000000005s")");
  google::protobuf::FieldMask mask;
  mask.add_paths("effective_date.edtf");
  mask.add_paths("note");
  EXPECT_EQ(ToJson(mask, JsonOf::kContent), R"("effectiveDate.edtf,note")");
  google::protobuf::Int64Value number;
  EXPECT_EQ(ToJson(number, JsonOf::kContent), R"("0")");
}

TEST(Json, AllScalarTypesAndMaps) {
  google::protobuf::FileDescriptorProto file;
  file.set_name("all.proto");
  file.set_syntax("proto3");
  auto* type = file.add_message_type();
  type->set_name("All");
  auto add = [&](const std::string& name, auto scalar, bool repeated) {
    auto* field = type->add_field();
    field->set_name(name);
    field->set_number(type->field_size());
    field->set_type(scalar);
    field->set_label(repeated ? google::protobuf::FieldDescriptorProto::LABEL_REPEATED
                              : google::protobuf::FieldDescriptorProto::LABEL_OPTIONAL);
    return field;
  };
  for (int scalar = 1; scalar <= 18; ++scalar) {
    if (scalar == 10 || scalar == 11 || scalar == 14) continue;  // groups, messages, enums
    for (bool repeated : {false, true}) {
      add(absl::StrCat("f", scalar, repeated ? "r" : ""),
          static_cast<google::protobuf::FieldDescriptorProto::Type>(scalar), repeated);
    }
  }
  auto map = [&](const std::string& name, auto key) {
    auto* entry = type->add_nested_type();
    entry->set_name(absl::StrCat(std::string(1, static_cast<char>(name[0] - 32)), "Entry"));
    entry->mutable_options()->set_map_entry(true);
    for (const char* part : {"key", "value"}) {
      auto* field = entry->add_field();
      field->set_name(part);
      field->set_number(entry->field_size());
      field->set_label(google::protobuf::FieldDescriptorProto::LABEL_OPTIONAL);
      field->set_type(part[0] == 'k' ? key : google::protobuf::FieldDescriptorProto::TYPE_STRING);
    }
    add(name, google::protobuf::FieldDescriptorProto::TYPE_MESSAGE, true)
        ->set_type_name(absl::StrCat(".All.", entry->name()));
  };
  map("m", google::protobuf::FieldDescriptorProto::TYPE_INT64);
  map("n", google::protobuf::FieldDescriptorProto::TYPE_BOOL);
  map("o", google::protobuf::FieldDescriptorProto::TYPE_UINT32);
  static auto* const pool = new google::protobuf::DescriptorPool;
  static auto* const factory = new google::protobuf::DynamicMessageFactory(pool);
  ASSERT_NE(pool->BuildFile(file), nullptr);
  const auto* descriptor = pool->FindMessageTypeByName("All");
  std::unique_ptr<Message> message(factory->GetPrototype(descriptor)->New());
  Filler filler(5);
  for (int i = 0; i < 200; ++i) {
    message->Clear();
    filler.Fill(message.get());
    const std::string json = ToJson(*message, JsonOf::kEverything);
    EXPECT_TRUE(MessageDifferencer::Equals(Parsed(json), Parsed(ProtobufJson(*message)))) << json;
  }
}

// Against protobuf's own writer, and back through its reader.
TEST(Json, SaysTheSameAsProtobuf) {
  Filler filler(7);
  for (const auto& resource : testing::TestRegistry().resources()) {
    for (int i = 0; i < 40; ++i) {
      std::unique_ptr<Message> record(resource->prototype->New());
      filler.Fill(record.get());
      const std::string json = ToJson(*record, JsonOf::kEverything);
      ASSERT_TRUE(MessageDifferencer::Equals(Parsed(json), Parsed(ProtobufJson(*record)))) << json;
      std::unique_ptr<Message> back(resource->prototype->New());
      ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, back.get()).ok());
      ASSERT_EQ(ToJson(*back, JsonOf::kEverything), json);
    }
  }
}

TEST(Json, OneKilobyteTakesMicroseconds) {
  v1::Person person = testing::Proto<v1::Person>(R"(
    name: "persons/a" display_name: "Ales Bialiatski" birth_date { edtf: "1962-09-25" state: VALUE }
    nationalities: "BY" occupations: "human rights defender" labels { key: "a" value: "b" })");
  for (int i = 0; i < 4; ++i) {
    auto* name = person.add_names();
    name->set_id(absl::StrCat("n", i));
    name->set_full("Aliaksandr Viktaravich Bialiatski");
    name->set_script_code("Latn");
    auto* citation = person.add_citations();
    citation->set_id(absl::StrCat("c", i));
    citation->set_source("sources/s01");
    citation->set_paraphrase("the prize of 2022 went to him and two organizations of the region");
    citation->add_fields(absl::StrCat("names[\"n", i, "\"].full"));
  }
  constexpr int kRounds = 2'000;
  const auto start = std::chrono::steady_clock::now();
  size_t bytes = 0;
  for (int i = 0; i < kRounds; ++i) bytes += ToJson(person, JsonOf::kContent).size();
  const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
  printf("%.2f us for %zu bytes\n", spent.count() / kRounds, bytes / kRounds);
  EXPECT_LT(spent.count() / kRounds, 1'000);  // a bound that only a blunder passes
}

}  // namespace
}  // namespace detente::values
