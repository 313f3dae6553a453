#include "benchmarks/swarm/distribution.h"

#include <gtest/gtest.h>

namespace squish {
namespace {

TEST(DistributionTest, PercentileIsTheNearestRank) {
  Distribution distribution;
  for (int value = 100; value >= 1; --value) distribution.Add(value);
  EXPECT_EQ(distribution.Percentile(0.5), 50);
  EXPECT_EQ(distribution.Percentile(0.99), 99);
  EXPECT_EQ(distribution.Percentile(0.991), 100);
  EXPECT_EQ(distribution.Percentile(0), 1);
  EXPECT_EQ(distribution.Percentile(1), 100);
}

TEST(DistributionTest, PercentilesAreOfWhatWasAddedSinceAsWell) {
  Distribution distribution;
  distribution.Add(5);
  EXPECT_EQ(distribution.Percentile(1), 5);
  distribution.Add(7);
  distribution.Add(6);
  EXPECT_EQ(distribution.Percentile(1), 7);
  EXPECT_EQ(distribution.Percentile(0.5), 6);
  EXPECT_EQ(distribution.count(), 3);
}

TEST(DistributionTest, OfNoValuesEveryPercentileIsZero) {
  EXPECT_EQ(Distribution().Percentile(0.99), 0);
}

}  // namespace
}  // namespace squish
