#include "query/mask.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "detente/v1/release.pb.h"
#include "server/engine/testing.h"

namespace detente::query {
namespace {

using detente::testing::Proto;
using ::testing::HasSubstr;

absl::StatusOr<Mask> Parse(const std::vector<std::string>& paths) {
  google::protobuf::FieldMask mask;
  for (const std::string& path : paths) mask.add_paths(path);
  return Mask::Parse(mask, v1::Release::descriptor(), "mask");
}

std::string Projected(const std::vector<std::string>& paths, const std::string& text) {
  auto mask = Parse(paths);
  EXPECT_TRUE(mask.ok()) << mask.status();
  auto release = Proto<v1::Release>(text);
  mask->Project(&release);
  return release.ShortDebugString();
}

std::string Updated(const std::vector<std::string>& paths, const std::string& source,
                    const std::string& target) {
  auto mask = Parse(paths);
  EXPECT_TRUE(mask.ok()) << mask.status();
  auto out = Proto<v1::Release>(target);
  absl::Status status = mask->Update(Proto<v1::Release>(source), &out);
  return status.ok() ? out.ShortDebugString() : std::string(status.message());
}

std::string Same(const std::string& text) { return Proto<v1::Release>(text).ShortDebugString(); }

constexpr char kRelease[] = R"pb(
  name: "releases/r"
  note: "n"
  labels { key: "a" value: "1" }
  labels { key: "b" value: "2" }
  headcount { low: 1 high: 3 text: "t" }
  stated_reasons: [ "x", "y" ]
  participants {
    id: "p"
    person: "persons/p"
    mechanism: PARDON
    outcomes {
      id: "1"
      kind: FREED
      date { edtf: "2025" }
    }
    outcomes { id: "2" kind: REARRESTED }
  }
  participants {
    id: "q"
    person: "persons/q"
    outcomes { id: "1" kind: DECLINED_RELEASE }
  }
)pb";

TEST(MaskTest, ProjectsEveryKind) {
  EXPECT_EQ(Projected({"*"}, kRelease), Same(kRelease));
  EXPECT_EQ(Projected({"note"}, kRelease), "note: \"n\"");
  EXPECT_EQ(Projected({"display_name"}, kRelease), "");
  EXPECT_EQ(Projected({"headcount"}, kRelease), "headcount { low: 1 high: 3 text: \"t\" }");
  EXPECT_EQ(Projected({"headcount.high", "headcount.low"}, kRelease),
            "headcount { low: 1 high: 3 }");
  EXPECT_EQ(Projected({"headcount.low", "headcount"}, kRelease),
            "headcount { low: 1 high: 3 text: \"t\" }");
  EXPECT_EQ(Projected({"stated_reasons"}, kRelease), "stated_reasons: \"x\" stated_reasons: \"y\"");
  EXPECT_EQ(Projected({"labels[\"b\"]"}, kRelease), "labels { key: \"b\" value: \"2\" }");
  EXPECT_EQ(Projected({"labels[\"c\"]"}, kRelease), "");
  EXPECT_EQ(Projected({"name", "name"}, kRelease), "name: \"releases/r\"");
}

TEST(MaskTest, ProjectsElements) {
  EXPECT_EQ(Projected({"participants[*].person"}, kRelease),
            "participants { person: \"persons/p\" } participants { person: \"persons/q\" }");
  EXPECT_EQ(Projected({"participants[\"q\"].person"}, kRelease),
            "participants { person: \"persons/q\" }");
  EXPECT_EQ(Projected({"participants[\"p\"].outcomes[\"1\"].date.edtf"}, kRelease),
            "participants { outcomes { date { edtf: \"2025\" } } }");
  EXPECT_EQ(Projected({"participants[*].outcomes[\"2\"].kind"}, kRelease),
            "participants { outcomes { kind: REARRESTED } } participants { }");
  EXPECT_EQ(Projected({"participants[*]"}, kRelease), Projected({"participants"}, kRelease));
  EXPECT_EQ(Projected({"labels[*]"}, kRelease), Projected({"labels"}, kRelease));
}

TEST(MaskTest, ProjectsUnions) {
  // What is said of all and what is said of one.
  EXPECT_EQ(Projected({"participants[*].id", "participants[\"p\"].mechanism"}, kRelease),
            "participants { id: \"p\" mechanism: PARDON } participants { id: \"q\" }");
  EXPECT_EQ(Projected({"participants[*].id", "participants[\"p\"]"}, kRelease),
            Projected({"participants[\"p\"]", "participants[\"q\"].id"}, kRelease));
  // Both go below the same field.
  EXPECT_EQ(
      Projected({"participants[*].outcomes[\"1\"].id", "participants[\"p\"].outcomes[\"1\"].kind"},
                kRelease),
      "participants { outcomes { id: \"1\" kind: FREED } } participants { outcomes { id: "
      "\"1\" } }");
}

TEST(MaskTest, UpdatesEveryKind) {
  EXPECT_EQ(Updated({"note"}, "note: 'm' region_code: 'BY'", "note: 'n'"), "note: \"m\"");
  EXPECT_EQ(Updated({"note"}, "", "note: 'n' region_code: 'BY'"), "region_code: \"BY\"");
  EXPECT_EQ(Updated({"headcount.low"}, "", ""), "");
  EXPECT_EQ(Updated({"headcount.low", "headcount.high"}, "headcount { low: 5 }",
                    "headcount { low: 1 high: 2 text: 't' }"),
            "headcount { low: 5 text: \"t\" }");
  EXPECT_EQ(Updated({"labels[\"a\"]"},
                    "labels { key: 'a' value: '1' } labels { key: 'b' value: "
                    "'1' }",
                    "labels { key: 'a' value: '2' } labels { key: 'c' value: '3' }"),
            Same("labels { key: 'a' value: '1' } labels { key: 'c' value: '3' }"));
  EXPECT_EQ(Updated({"labels[\"a\"]"}, "", "labels { key: 'a' value: '2' }"), "");
  EXPECT_EQ(Updated({"labels[\"a\"]"}, "labels { key: 'a' value: '1' }", ""),
            Same("labels { key: 'a' value: '1' }"));
  EXPECT_EQ(
      Updated({"labels[*]"}, "labels { key: 'a' value: '1' }", "labels { key: 'b' value: '' }"),
      Same("labels { key: 'a' value: '1' }"));
}

TEST(MaskTest, UpdatesElements) {
  const std::string target =
      "participants { id: 'a' person: 'A' } participants { id: 'b' person: 'B' mechanism: PARDON } "
      "participants { id: 'c' person: 'C' }";
  EXPECT_EQ(Updated({"participants[\"b\"].person"}, "participants { id: 'b' person: 'X' }", target),
            Same("participants { id: 'a' person: 'A' } participants { id: 'b' person: 'X' "
                 "mechanism: PARDON } participants { id: 'c' person: 'C' }"));
  EXPECT_EQ(Updated({"participants[\"b\"]"}, "participants { id: 'b' person: 'X' }", target),
            Same("participants { id: 'a' person: 'A' } participants { id: 'b' person: 'X' } "
                 "participants { id: 'c' person: 'C' }"));
  EXPECT_EQ(Updated({"participants[\"a\"]"}, "", target),
            Same("participants { id: 'b' person: 'B' mechanism: PARDON } "
                 "participants { id: 'c' person: 'C' }"))
      << "removed; the others keep their order";
  EXPECT_EQ(Updated({"participants[\"d\"]"}, "participants { id: 'd' person: 'D' }", target),
            Same(target + "participants { id: 'd' person: 'D' }"));
  EXPECT_EQ(Updated({"participants[*].person"},
                    "participants { id: 'c' person: 'Z' } participants { id: 'b' } "
                    "participants { id: 'a' person: 'X' } participants { id: 'new' }",
                    target),
            Same("participants { id: 'a' person: 'X' } participants { id: 'b' mechanism: PARDON } "
                 "participants { id: 'c' person: 'Z' }"));
  EXPECT_EQ(Updated({"participants[*]"}, "participants { id: 'z' }", target),
            Same("participants { id: 'z' }"))
      << "every element is the list";
}

TEST(MaskTest, PathsThroughElementsThatAreNotThere) {
  const std::string one = "participants { id: 'a' person: 'A' }";
  EXPECT_THAT(Updated({"participants[\"b\"].person"}, "participants { id: 'b' }", one),
              HasSubstr("stored record has no element \"b\""));
  EXPECT_THAT(Updated({"participants[\"a\"].person"}, "", one),
              HasSubstr("record sent has no element \"a\""));
  EXPECT_THAT(Updated({"participants[*].person"}, "", one), HasSubstr("lacks the element \"a\""));
}

TEST(MaskTest, NoMaskAndEmptyOnes) {
  Mask all;
  EXPECT_TRUE(all.everything());
  auto release = Proto<v1::Release>(kRelease);
  all.Project(&release);
  EXPECT_EQ(release.ShortDebugString(), Same(kRelease));
  auto set = Mask::OfSetFields(Proto<v1::Release>("note: 'n' headcount { low: 1 }"));
  EXPECT_EQ(set.paths().size(), 2U);
}

TEST(MaskTest, RefusesAllThatIsWrong) {
  EXPECT_FAILS(Parse({"nonsense"}).status(), kInvalidArgument, INVALID_FIELD);
  auto status = Parse({"note", "nonsense", "participants[0]", "*"}).status();
  EXPECT_THAT(detente::testing::Violations(status), ::testing::SizeIs(3));
  EXPECT_TRUE(Parse(std::vector<std::string>(kMaxMaskPaths, "note")).ok());
  EXPECT_FALSE(Parse(std::vector<std::string>(kMaxMaskPaths + 1, "note")).ok());
}

// einride/aip-go's cases on our messages: see tests/data/aip/README.md.
TEST(MaskTest, CasesOfEinride) {
  std::ifstream file(DETENTE_TEST_DATA "/aip/cases.tsv");
  std::string line;
  std::getline(file, line);
  int cases = 0;
  while (std::getline(file, line)) {
    const std::vector<std::string> row = absl::StrSplit(line, '\t');
    ASSERT_EQ(row.size(), 6U) << line;
    SCOPED_TRACE(row[0] + ": " + row[1]);
    ++cases;
    const std::vector<std::string> paths = absl::StrSplit(row[2], ',', absl::SkipEmpty());
    if (row[0] == "update") {
      auto source = Proto<v1::Release>(row[3]);
      auto target = Proto<v1::Release>(row[4]);
      auto mask = paths.empty() ? Mask::OfSetFields(source) : *Parse(paths);
      ASSERT_TRUE(mask.Update(source, &target).ok());
      EXPECT_TRUE(
          google::protobuf::util::MessageDifferencer::Equals(target, Proto<v1::Release>(row[5])))
          << target.ShortDebugString();
    } else if (row[0] == "invalid") {
      EXPECT_THAT(std::string(Parse(paths).status().message()), HasSubstr(row[5]));
    } else if (row[0] == "id") {
      EXPECT_EQ(engine::ValidId(row[2]), row[5] == "valid");
    } else {
      absl::string_view id;
      EXPECT_EQ(detente::testing::TestRegistry().ParseName(row[2], &id) != nullptr,
                row[5] == "valid");
    }
  }
  EXPECT_GT(cases, 40);
}

}  // namespace
}  // namespace detente::query
