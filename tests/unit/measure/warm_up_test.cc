#include "jetson-agent/measure/warm_up.h"

#include <gtest/gtest.h>

#include <functional>

namespace squish {
namespace {

v1::MeasurementSpec Spec() {
  v1::MeasurementSpec spec;
  spec.set_minimum_seconds(0.32);
  spec.set_minimum_blocks(8);  // Blocks of 20 ms.
  spec.set_warmup_seconds(0.1);
  return spec;
}

struct Outcome {
  int64_t calls_per_block;
  double seconds = 0;
  int runs = 0;
};

// Warms up with an engine whose n-th run takes `run_seconds(n, calls)`.
Outcome WarmUpWith(const v1::MeasurementSpec& spec,
                   const std::function<double(int, int64_t)>& run_seconds) {
  WarmUp warm_up(spec);
  Outcome outcome{};
  while (!warm_up.done() && outcome.runs < 1'000'000) {
    const double seconds = run_seconds(outcome.runs++, warm_up.NextCalls());
    outcome.seconds += seconds;
    warm_up.Add(seconds);
  }
  outcome.calls_per_block = warm_up.CallsPerBlock();
  return outcome;
}

TEST(WarmUpTest, BlockLengthFollowsTheSpeedOfTheNetwork) {
  const Outcome outcome =
      WarmUpWith(Spec(), [](int, int64_t calls) { return 0.00101 * static_cast<double>(calls); });
  EXPECT_EQ(outcome.calls_per_block, 20);
  EXPECT_GE(outcome.seconds, 0.1);
  EXPECT_LE(outcome.seconds, 0.13) << "overshoots by one block at most";
}

TEST(WarmUpTest, SlowFirstCallsDoNotShortenBlocks) {
  const Outcome outcome = WarmUpWith(Spec(), [](int run, int64_t calls) {
    return (run < 3 ? 0.02 : 0.00101) * static_cast<double>(calls);
  });
  EXPECT_EQ(outcome.calls_per_block, 20);
}

TEST(WarmUpTest, DisturbedRunsDoNotShortenBlocks) {
  const Outcome outcome = WarmUpWith(Spec(), [](int run, int64_t calls) {
    return 0.00101 * static_cast<double>(calls) + (run % 2 == 1 ? 0.004 : 0);
  });
  EXPECT_EQ(outcome.calls_per_block, 20);
}

TEST(WarmUpTest, NetworkSlowerThanABlockRunsOneCallABlock) {
  const Outcome outcome =
      WarmUpWith(Spec(), [](int, int64_t calls) { return 3.0 * static_cast<double>(calls); });
  EXPECT_EQ(outcome.calls_per_block, 1);
  EXPECT_EQ(outcome.runs, 1);
}

TEST(WarmUpTest, WithoutWarmUpTimeOneRunStillCalibrates) {
  v1::MeasurementSpec spec = Spec();
  spec.set_warmup_seconds(0);
  const Outcome outcome =
      WarmUpWith(spec, [](int, int64_t calls) { return 0.00101 * static_cast<double>(calls); });
  EXPECT_EQ(outcome.runs, 1);
  EXPECT_EQ(outcome.calls_per_block, 20);
}

TEST(WarmUpTest, AbsurdlyFastEngineIsBounded) {
  const Outcome outcome =
      WarmUpWith(Spec(), [](int, int64_t calls) { return 1e-12 * static_cast<double>(calls); });
  EXPECT_EQ(outcome.calls_per_block, WarmUp::kMaximumCalls);
  EXPECT_LT(outcome.runs, 200);
}

TEST(WarmUpTest, EngineThatStartsAnewIsAskedForAWholeBlockAtOnce) {
  WarmUp warm_up(Spec(), /*restarts_per_block=*/true);
  EXPECT_EQ(warm_up.NextCalls(), 10);
  warm_up.Add(10 * 0.001);
  EXPECT_EQ(warm_up.NextCalls(), 250) << "blocks of 250 ms";
  warm_up.Add(0.25);
  EXPECT_TRUE(warm_up.done());
  EXPECT_EQ(warm_up.CallsPerBlock(), 250);
}

}  // namespace
}  // namespace squish
