#include "common/genome/genome.h"

#include <gtest/gtest.h>

#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "common/genome/shapes.h"

namespace squish {
namespace {

TEST(SqueezeNetTest, CostsWhatThePaperAndTorchvisionSay) {
  const Genome thousand = *SqueezeNetV11(1000);
  const Cost cost = *ComputeCost(thousand, 224);
  EXPECT_EQ(cost.parameters, 1'235'496);
  EXPECT_EQ(cost.bytes, 4 * 1'235'496);
  EXPECT_NEAR(cost.macs * 1e-6, 349.15, 0.005);
  const Genome ten = *SqueezeNetV11(10);
  EXPECT_EQ(CountParameters(ten), 727'626);
  EXPECT_NEAR(ComputeCost(ten, 224)->macs * 1e-6, 263.5, 0.05);
}

TEST(SqueezeNetTest, RoundTripsThroughJson) {
  const Genome genome = *SqueezeNetV11(10);
  const auto read = Genome::FromJson(genome.Json());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, genome);
  EXPECT_EQ(read->layers(), genome.layers());
}

}  // namespace
}  // namespace squish
