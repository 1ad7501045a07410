// The verdicts of other suites, see tests/data/aip160.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>

#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/json_util.h"
#include "query/filter.h"
#include "server/engine/testing.h"

namespace detente::query {
namespace {

// What the suites declare, as far as a message can.
constexpr char kDeclarations[] = R"(
  name: "declared.proto" package: "declared" syntax: "proto3"
  dependency: "google/protobuf/timestamp.proto" dependency: "google/protobuf/duration.proto"
  enum_type { name: "Enum" value { name: "ENUM_ZERO" number: 0 } value { name: "ENUM_ONE" number: 1 }
              value { name: "ENUM_TWO" number: 2 } value { name: "ENUM_VALUE_ONE" number: 3 } }
  message_type {
    name: "Declared"
    field { name: "a" number: 1 type: TYPE_INT32 }
    field { name: "author" number: 2 type: TYPE_STRING }
    field { name: "file" number: 3 type: TYPE_STRING }
    field { name: "package" number: 4 type: TYPE_STRING }
    field { name: "msg" number: 5 type: TYPE_STRING }
    field { name: "foo" number: 6 type: TYPE_DOUBLE }
    field { name: "ttl" number: 7 type: TYPE_MESSAGE type_name: ".google.protobuf.Duration" }
    field { name: "create_time" number: 8 type: TYPE_MESSAGE type_name: ".google.protobuf.Timestamp" }
    field { name: "start_time" number: 9 type: TYPE_MESSAGE type_name: ".google.protobuf.Timestamp" }
    field { name: "driver" number: 10 type: TYPE_STRING }
    field { name: "start_driver" number: 11 type: TYPE_STRING }
    field { name: "end_driver" number: 12 type: TYPE_STRING }
    field { name: "annotations" number: 13 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: "AnnotationsEntry" }
    field { name: "enum" number: 14 type: TYPE_ENUM type_name: "Enum" }
    field { name: "enum2" number: 15 type: TYPE_ENUM type_name: "Enum" }
    field { name: "string_field" number: 16 type: TYPE_STRING }
    field { name: "bool_field" number: 17 type: TYPE_BOOL }
    field { name: "int32_field" number: 18 type: TYPE_INT32 }
    field { name: "int64_field" number: 19 type: TYPE_INT64 }
    field { name: "sint32_field" number: 20 type: TYPE_SINT32 }
    field { name: "sint64_field" number: 21 type: TYPE_SINT64 }
    field { name: "sfixed32_field" number: 22 type: TYPE_SFIXED32 }
    field { name: "sfixed64_field" number: 23 type: TYPE_SFIXED64 }
    field { name: "uint32_field" number: 24 type: TYPE_UINT32 }
    field { name: "uint64_field" number: 25 type: TYPE_UINT64 }
    field { name: "fixed32_field" number: 26 type: TYPE_FIXED32 }
    field { name: "fixed64_field" number: 27 type: TYPE_FIXED64 }
    field { name: "float_field" number: 28 type: TYPE_FLOAT }
    field { name: "double_field" number: 29 type: TYPE_DOUBLE }
    field { name: "enum_field" number: 30 type: TYPE_ENUM type_name: "Enum" }
    field { name: "timestamp_field" number: 31 type: TYPE_MESSAGE type_name: ".google.protobuf.Timestamp" }
    field { name: "duration_field" number: 32 type: TYPE_MESSAGE type_name: ".google.protobuf.Duration" }
    field { name: "nested_message" number: 33 type: TYPE_MESSAGE type_name: "Nested" }
    field { name: "string_list" number: 34 label: LABEL_REPEATED type: TYPE_STRING }
    field { name: "string_map" number: 35 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: "StringMapEntry" }
    nested_type { name: "AnnotationsEntry" options { map_entry: true }
                  field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
                  field { name: "value" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING } }
    nested_type { name: "StringMapEntry" options { map_entry: true }
                  field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
                  field { name: "value" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING } }
    nested_type { name: "Nested"
                  field { name: "nested_string" number: 1 type: TYPE_STRING }
                  field { name: "deep_nested" number: 2 type: TYPE_MESSAGE type_name: "Deep" } }
    nested_type { name: "Deep" field { name: "deep_string" number: 1 type: TYPE_STRING } }
  })";

// Rows of `check` that say nothing of this language.
const std::multimap<std::string, std::string>& NotRun() {
  static const auto* const rows = new std::multimap<std::string, std::string>{
      {"New York Giants", "bare words are looked for here, there they need a function"},
      {"New York Giants OR Yankees", "bare words"},
      {"New York (Giants OR Yankees)", "bare words"},
      {"a b AND c AND d", "bare words"},
      {"(a b) AND c AND d", "bare words"},
      {"-30", "a bare word"},
      {"1 > 0", "two values are not compared with each other"},
      {"2.5 >= 2.4", "two values"},
      {"-2.5 >= -2.4", "two values"},
      {"regex(m.key, '^.*prod.*$')", "a function of that suite"},
      {"math.mem('30mb')", "a function of that suite"},
      {"(endsWith(msg, 'world') AND retries < 10)", "a function of that suite"},
      {"expire_time > time.now()", "a function of that suite"},
      {"time.now() > timestamp(\"2012-04-21T11:30:00-04:00\")", "a function of that suite"},
      {"ttl > duration(input_field)", "fields are not compared with each other"},
      {"string_field = \"test\"", "accepted once, and rejected for declarations of Go's own"},
  };
  return *rows;
}

struct Row {
  std::string filter;
  std::string stage;
  bool accept = false;
};

std::vector<Row> Rows() {
  std::vector<Row> rows;
  std::ifstream file(DETENTE_TEST_DATA "/aip160/verdicts.jsonl");
  for (std::string line; std::getline(file, line);) {
    google::protobuf::Struct row;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(line, &row).ok()) << line;
    rows.push_back({row.fields().at("filter").string_value(),
                    row.fields().at("stage").string_value(),
                    row.fields().at("verdict").string_value() == "accept"});
  }
  return rows;
}

TEST(FilterVerdictsTest, Syntax) {
  int run = 0;
  for (const Row& row : Rows()) {
    if (row.stage == "check") continue;
    EXPECT_EQ(SyntaxTree(row.filter).ok(), row.accept)
        << row.filter << ": " << SyntaxTree(row.filter).status();
    ++run;
  }
  EXPECT_EQ(run, 121);
}

TEST(FilterVerdictsTest, Meaning) {
  google::protobuf::Timestamp::descriptor();  // so that the pool has them
  google::protobuf::Duration::descriptor();
  google::protobuf::DescriptorPool pool(google::protobuf::DescriptorPool::generated_pool());
  const auto* file =
      pool.BuildFile(testing::Proto<google::protobuf::FileDescriptorProto>(kDeclarations));
  ASSERT_NE(file, nullptr);
  const auto* type = file->message_type(0);
  int run = 0;
  std::set<std::string> left_out;
  for (const Row& row : Rows()) {
    if (row.stage != "check") continue;
    if (NotRun().contains(row.filter)) {
      left_out.insert(row.filter);
      continue;
    }
    const auto filter = Filter::Parse(row.filter, type);
    EXPECT_EQ(filter.ok(), row.accept) << row.filter << ": " << filter.status();
    ++run;
  }
  EXPECT_EQ(left_out.size(), NotRun().size());
  EXPECT_EQ(run, 66);
}

}  // namespace
}  // namespace detente::query
