// The Arrow types that follow from a descriptor.
#include "columnar/schema.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "columnar/projection.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/specimen.pb.h"
#include "server/engine/testing.h"

namespace detente::columnar {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

const Node* Find(const std::vector<Node>& nodes, const std::string& name) {
  for (const Node& node : nodes) {
    if (node.field->name() == name) return &node;
  }
  return nullptr;
}

std::string TypeOf(const Descriptor* type, const std::string& field) {
  const std::vector<Node> nodes = NodesOf(type);
  const Node* node = Find(nodes, field);
  return node == nullptr ? "no such field" : node->arrow->ToString();
}

constexpr char kEnum[] = "dictionary<values=string, indices=int8, ordered=0>";

TEST(SchemaTest, TypesInWords) {
  const Descriptor* release = v1::Release::descriptor();
  EXPECT_EQ(TypeOf(release, "name"), "name: string not null");
  EXPECT_EQ(TypeOf(release, "revision"), "revision: int64 not null");
  EXPECT_EQ(TypeOf(release, "create_time"), "create_time: timestamp[us, tz=UTC]");
  EXPECT_EQ(TypeOf(release, "headcount"),
            "headcount: struct<low: int64, best: int64, high: int64, approximate: bool not null, "
            "text: string not null>");
  EXPECT_EQ(TypeOf(release, "effective_date"),
            absl::StrCat("effective_date: struct<edtf: string not null, state: ", kEnum,
                         ", earliest: date32[day], latest: date32[day], precision: ", kEnum,
                         ", approximate: bool not null, uncertain: bool not null>"));
  EXPECT_EQ(TypeOf(release, "stated_reasons"),
            "stated_reasons: list<item: string not null> not null");
  EXPECT_EQ(TypeOf(release, "labels"), "labels: map<string, string> not null");
  const Descriptor* specimen = v1::Specimen::descriptor();
  EXPECT_EQ(TypeOf(specimen, "weight_kilograms"), "weight_kilograms: double not null");
  EXPECT_EQ(TypeOf(specimen, "copy_count"), "copy_count: int64");
  EXPECT_EQ(TypeOf(specimen, "person"), "person: string");  // one of a oneof
  EXPECT_EQ(TypeOf(specimen, "materials"),
            absl::StrCat("materials: list<item: ", kEnum, "> not null"));
}

TEST(SchemaTest, NamesOfEnumsAreTheirDictionary) {
  const std::vector<Node> nodes = NodesOf(v1::Specimen::descriptor());
  const Node* materials = Find(nodes, "materials");
  ASSERT_NE(materials, nullptr);
  const auto& names = static_cast<const arrow::StringArray&>(*materials->names);
  ASSERT_EQ(names.length(), 2);
  EXPECT_EQ(names.GetString(0), "PAPER");
  EXPECT_EQ(names.GetString(1), "STONE");
}

// Each field of a message, at any depth, in its order.
void CheckFields(const Descriptor* type, const std::vector<Node>& nodes,
                 std::vector<const Descriptor*> around) {
  around.push_back(type);
  size_t at = 0;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    const bool leads_back = field->message_type() != nullptr &&
                            std::count(around.begin(), around.end(), field->message_type()) > 0;
    if (leads_back) continue;
    ASSERT_LT(at, nodes.size()) << field->full_name();
    const Node& node = nodes[at++];
    EXPECT_EQ(node.arrow->name(), field->name());
    if (field->is_repeated()) {
      EXPECT_FALSE(node.arrow->nullable()) << field->full_name();
    } else if (field->has_presence()) {
      EXPECT_TRUE(node.arrow->nullable()) << field->full_name();
    }
    if (node.kind == Node::Kind::kStruct) CheckFields(field->message_type(), node.children, around);
  }
  EXPECT_EQ(at, nodes.size()) << type->full_name();
}

TEST(SchemaTest, EveryFieldOfEveryResource) {
  for (const auto& resource : testing::TestRegistry().resources()) {
    CheckFields(resource->type, NodesOf(resource->type), {});
  }
  CheckFields(v1::Specimen::descriptor(), NodesOf(v1::Specimen::descriptor()), {});
}

std::vector<std::string> Columns(const std::vector<std::string>& paths, bool flat) {
  const std::vector<Node> nodes = NodesOf(v1::Release::descriptor());
  std::vector<const std::string*> columns;
  for (const std::string& path : paths) columns.push_back(&path);
  auto projection = Projection::Parse(v1::Release::descriptor(), nodes, columns, flat);
  if (!projection.ok()) return testing::Violations(projection.status());
  std::vector<std::string> texts;
  for (const auto& field : projection->columns()) texts.push_back(field->ToString());
  return texts;
}

TEST(ProjectionTest, BelowAMessageThatMayBeAbsentAllMayBeNull) {
  EXPECT_THAT(Columns({"headcount.text", "headcount.best", "note"}, false),
              ::testing::ElementsAre("headcount.text: string", "headcount.best: int64",
                                     "note: string not null"));
}

TEST(ProjectionTest, FlatColumnsHaveNoStructs) {
  for (const auto& resource : testing::TestRegistry().resources()) {
    const std::vector<Node> nodes = NodesOf(resource->type);
    auto projection = Projection::Parse(resource->type, nodes, {}, /*flat=*/true);
    ASSERT_OK(projection);
    std::set<std::string> names;
    for (const auto& field : projection->columns()) {
      EXPECT_NE(field->type()->id(), arrow::Type::STRUCT) << field->name();
      EXPECT_TRUE(names.insert(field->name()).second) << field->name();
    }
  }
}

TEST(ProjectionTest, Faults) {
  EXPECT_THAT(
      Columns({"labels.case", "participants.person", "headcount..best", ".", "Name"}, false),
      ::testing::ElementsAre(
          "columns[0]: `labels` is repeated: a column is the whole of it, `labels`",
          "columns[1]: `participants` is repeated: a column is the whole of it, "
          "`participants`",
          "columns[2]: Estimate has no field ``", "columns[3]: Release has no field ``",
          "columns[4]: Release has no field `Name`; did you mean `name`?"));
}

}  // namespace
}  // namespace detente::columnar
