#include "values/interval.h"

#include <gtest/gtest.h>

#include <string>

#include "detente/v1/values.pb.h"
#include "server/engine/testing.h"

namespace detente::values {
namespace {

Interval Of(const std::string& text) { return BoundsOf(testing::Proto<v1::Estimate>(text)); }

TEST(IntervalTest, BoundsOfEstimates) {
  EXPECT_EQ(Of("best: 123"), (Interval{123, 123}));
  EXPECT_EQ(Of("best: 123 text: 'all 123'"), (Interval{123, 123}));
  EXPECT_EQ(Of("low: 10"), (Interval{10, std::nullopt}));
  EXPECT_EQ(Of("high: 10"), (Interval{0, 10}));
  EXPECT_EQ(Of("low: 10 best: 12 high: 15"), (Interval{10, 15}));
  EXPECT_EQ(Of("low: 10 high: 15 approximate: true"), (Interval{10, 15}));
  EXPECT_EQ(Of("low: 10 best: 12"), (Interval{10, std::nullopt}));
  EXPECT_EQ(Of("best: 12 high: 15"), (Interval{0, 15}));
  for (const char* unknown : {"", "text: 'thousands'", "best: 12 approximate: true"}) {
    EXPECT_TRUE(Of(unknown).unknown()) << unknown;
  }
  EXPECT_FALSE(Of("best: 0").unknown());
  // A remainder.
  EXPECT_EQ(Of("best: -2"), (Interval{-2, -2}));
}

TEST(IntervalTest, Sums) {
  EXPECT_EQ(Of("best: 2") + Of("low: 1 high: 3"), (Interval{3, 5}));
  EXPECT_EQ(Of("best: 2") + Of("low: 1"), (Interval{3, std::nullopt}));
  EXPECT_EQ((Interval{INT64_MAX, INT64_MAX}) + Of("best: 1"), (Interval{INT64_MAX, INT64_MAX}));
  EXPECT_EQ((Interval{INT64_MIN, 0}) + (Interval{-1, 0}), (Interval{INT64_MIN, 0}));
}

TEST(IntervalTest, CertainlyMore) {
  EXPECT_TRUE(CertainlyMore(Of("best: 3"), Of("best: 2")));
  EXPECT_TRUE(CertainlyMore(Of("low: 3"), Of("high: 2")));
  EXPECT_FALSE(CertainlyMore(Of("best: 2"), Of("best: 2")));
  EXPECT_FALSE(CertainlyMore(Of("high: 3"), Of("best: 2")));
  EXPECT_FALSE(CertainlyMore(Of("best: 3"), Of("low: 2")));
}

TEST(IntervalTest, Text) {
  EXPECT_EQ(ToText(Of("best: 123")), "123");
  EXPECT_EQ(ToText(Of("best: 0")), "0");
  EXPECT_EQ(ToText(Of("low: 100")), "at least 100");
  EXPECT_EQ(ToText(Of("high: 15")), "at most 15");
  EXPECT_EQ(ToText(Of("low: 18 high: 20")), "18 to 20");
  EXPECT_EQ(ToText(Of("")), "an unknown number");
}

}  // namespace
}  // namespace detente::values
