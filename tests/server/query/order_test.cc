#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "detente/v1/release.pb.h"
#include "error/error.h"
#include "query/columns.h"
#include "query/filter.h"

namespace detente::query {
namespace {

using ::testing::HasSubstr;

const Columns& TestColumns() {
  static const Columns* const columns = new Columns(v1::Release::descriptor(), "releases");
  return *columns;
}

absl::StatusOr<std::vector<store::Order>> Parse(absl::string_view text) {
  return ParseOrder(text, v1::Release::descriptor(), TestColumns());
}

std::string Described(absl::string_view text) {
  const auto orders = Parse(text);
  EXPECT_TRUE(orders.ok()) << orders.status();
  std::string out;
  for (const store::Order& order : *orders) {
    absl::StrAppend(&out, out.empty() ? "" : ", ",
                    order.column < 0 ? absl::StrCat(order.column)
                                     : TestColumns().table().columns[order.column].name,
                    order.descending ? " desc" : "", order.none ? " or none" : "");
  }
  return out;
}

TEST(OrderTest, Paths) {
  EXPECT_EQ(Described(""), "");
  EXPECT_EQ(Described("  "), "");
  EXPECT_EQ(Described("region_code"), "region_code");
  EXPECT_EQ(Described(" region_code  desc ,headcount.best,name desc"),
            "region_code desc, headcount.best, -1 desc");
  EXPECT_EQ(Described("effective_date desc"),
            "effective_date.earliest desc, effective_date.latest desc");
  EXPECT_EQ(Described("effective_date.latest asc, create_time"),
            "effective_date.latest or none, -4");
  EXPECT_EQ(Described("effective_date.earliest desc"), "effective_date.earliest desc or none");
  EXPECT_EQ(Parse("effective_date.earliest")->front().none, kUnboundedEarliest);
  EXPECT_EQ(Parse("effective_date.latest")->front().none, kUnboundedLatest);
}

TEST(OrderTest, Refusals) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"region_cod",
       "order_by: at byte 0: Release has no field `region_cod`; did you mean "
       "`region_code`?"},
      {"note, headcount.bst", "at byte 16: Estimate has no field `bst`; did you mean `best`?"},
      {"note down", "at byte 5: `desc` or `,` expected, got `down`"},
      {"note, \xff", "order_by: at byte 6: UTF-8 expected"},
      {"note DESC", "`desc` or `,` expected"},
      {"note desc desc", "at byte 5: `desc` or `,` expected"},
      {"note,,mechanism", "at byte 5: a field expected"},
      {"note,", "at byte 5: a field expected"},
      {"note, note desc", "at byte 6: `note` stands here twice"},
      {"participants.id", "at byte 0: `participants` is repeated"},
      {"labels.case", "at byte 0: `labels` is repeated"},
      {"headcount", "at byte 0: `headcount` has no order: one of its fields expected"},
      {"note.x", "at byte 5: note has no fields, got `x`"},
      {"headcount..best", "at byte 10: a field's name expected"},
      {"etag", "at byte 0: records are not ordered by `etag`"},
      {std::string(kMaxOrderBytes + 1, 'a'), "at most 1024 bytes, got 1025"},
      {"name,uid,note,region_code,mechanism,review_state,visibility,negotiation,display_name,"
       "create_time,update_time",
       "at most 10 fields"},
  };
  for (const auto& [text, error] : cases) {
    const auto orders = Parse(text);
    EXPECT_EQ(orders.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(orders.status().message()), HasSubstr(error)) << text;
  }
}

}  // namespace
}  // namespace detente::query
