#include "jetson-agent/measure/latency.h"

#include <gtest/gtest.h>

namespace squish {
namespace {

TEST(LatencyTest, QuantilesAreByNearestRank) {
  LatencySample sample;
  EXPECT_TRUE(sample.empty());
  std::vector<double> seconds;
  for (int i = 100; i >= 1; --i) seconds.push_back(i * 1e-3);
  sample.Add(seconds);
  const v1::CallLatency latency = sample.Quantiles();
  EXPECT_NEAR(latency.p50_milliseconds(), 50, 1e-9);
  EXPECT_NEAR(latency.p90_milliseconds(), 90, 1e-9);
  EXPECT_NEAR(latency.p99_milliseconds(), 99, 1e-9);
  EXPECT_EQ(latency.calls(), 100);
}

TEST(LatencyTest, OneCallIsEveryQuantile) {
  LatencySample sample;
  sample.Add({0.25});
  EXPECT_EQ(sample.Quantiles().p50_milliseconds(), 250);
  EXPECT_EQ(sample.Quantiles().p99_milliseconds(), 250);
}

TEST(LatencyTest, LongSamplesAreThinnedEvenly) {
  LatencySample sample;
  // Early calls are slow: what is kept must not be of the end or the beginning alone.
  for (int block = 0; block < 1000; ++block) {
    sample.Add(std::vector<double>(1000, block < 200 ? 2e-3 : 1e-3));
  }
  const v1::CallLatency latency = sample.Quantiles();
  EXPECT_LE(latency.calls(), static_cast<int64_t>(LatencySample::kMaximumValues));
  EXPECT_GE(latency.calls(), static_cast<int64_t>(LatencySample::kMaximumValues / 4));
  EXPECT_EQ(latency.p50_milliseconds(), 1);
  EXPECT_EQ(latency.p90_milliseconds(), 2);
}

}  // namespace
}  // namespace squish
