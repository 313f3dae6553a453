#include "jetson-agent/engine/pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/temporary_folder.h"
#include "tests/unit/engine/stand_ins.h"
#include "tests/unit/engine/test_networks.h"

namespace squish {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(PicturesTest, BatchesGoRoundTheProbe) {
  const Pictures pictures{3, 1, 1, {10, 20, 30}};
  EXPECT_EQ(BatchOf(pictures, 0, 2), (std::vector<float>{10, 20}));
  EXPECT_EQ(BatchOf(pictures, 2, 2), (std::vector<float>{30, 10}));
  EXPECT_EQ(BatchOf(pictures, 0, 7), (std::vector<float>{10, 20, 30, 10, 20, 30, 10}));
}

TEST(PicturesTest, RandomOnesAreFixedAndNotZero) {
  const Pictures pictures = RandomPictures(2, 3, 8);
  EXPECT_EQ(pictures.values.size(), 2u * 3 * 8 * 8);
  EXPECT_EQ(pictures.values, RandomPictures(2, 3, 8).values);
  for (const float value : pictures.values) {
    EXPECT_NE(value, 0);
    EXPECT_LE(std::abs(value), 2);
  }
}

TEST(PicturesTest, ProbeAndOutputsAreReadFromFiles) {
  const std::string folder = TemporaryFolder();
  const Pictures pictures = RandomPictures(8, 3, 16);
  const Pictures read = ReadProbe(WriteProbe(folder, pictures), 3, 16).value();
  EXPECT_EQ(read.count, 8);
  EXPECT_EQ(read.values, pictures.values);
  const std::vector<std::vector<double>> outputs = {{1, 2.5}, {-3, 0}};
  EXPECT_EQ(ReadProbeOutputs(WriteOutputs(folder, outputs)).value(), outputs);
}

TEST(PicturesTest, FilesThatAreNoProbeAreNamed) {
  const std::string folder = TemporaryFolder();
  const std::string path = WriteProbe(folder, RandomPictures(2, 3, 16));
  EXPECT_THAT(ReadProbe(path, 3, 32).status().ToString(),
              AllOf(HasSubstr(path), HasSubstr("3 × 32 × 32")));
  EXPECT_THAT(ReadProbeOutputs(path).status().ToString(), HasSubstr("no tensor `outputs`"));
  EXPECT_THAT(ReadProbe(WriteOutputs(folder, {{1}}), 3, 16).status().ToString(),
              HasSubstr("no tensor `pictures`"));
  Pictures infinite = RandomPictures(1, 3, 8);
  infinite.values[5] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(ReadProbe(WriteProbe(folder, infinite), 3, 8).ok());
  EXPECT_TRUE(absl::IsNotFound(ReadProbe("/nonexistent", 3, 8).status()));
  EXPECT_FALSE(ReadProbeOutputs(WriteTensors(folder, {{"outputs", {{2}, {1, 2}}}})).ok());
}

}  // namespace
}  // namespace squish
