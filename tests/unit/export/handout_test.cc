#include "common/export/handout.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/base/strict_json.h"
#include "common/export/difference.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_genome.h"

namespace squish {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Network Example() {
  Network network = RandomNetwork(RandomGenome(3), 3);
  network.class_names.assign(network.genome.classes(), "cat");
  network.class_names[0] = "two\nlines\r";
  network.class_names[1] = "été \"quoted\"";
  network.preprocessing.set_resize(v1::SHORT_SIDE_CENTER_CROP);
  network.provenance.set_licence("Apache-2.0");
  network.provenance.set_note("has seen these");
  return network;
}

TEST(HandoutTest, OnnxFilesAreNamedByTheirBatch) {
  EXPECT_EQ(OnnxFileName(0), "model.onnx");
  EXPECT_EQ(OnnxFileName(8), "model-batch-8.onnx");
}

TEST(HandoutTest, LabelsAreOneALineInLabelOrderWhateverANameHolds) {
  const std::string labels = Labels(Example());
  EXPECT_EQ(std::count(labels.begin(), labels.end(), '\n'), Example().genome.classes());
  EXPECT_THAT(labels, testing::StartsWith("two lines \nété \"quoted\"\n"));
  EXPECT_EQ(labels.back(), '\n');
}

TEST(HandoutTest, PreprocessingSaysEverythingThatAPictureGoesThrough) {
  const Network network = Example();
  const auto json = ParseStrictJson(PreprocessingJson(network), {});
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->at("input_size"), network.preprocessing.input_size());
  EXPECT_EQ(json->at("resize"), "SHORT_SIDE_CENTER_CROP");
  EXPECT_EQ(json->at("channel_order"), "RGB");
  EXPECT_EQ(json->at("interpolation"), "INTER_AREA to shrink, INTER_LINEAR to enlarge");
  ASSERT_EQ(static_cast<int>(json->at("mean").size()), network.preprocessing.mean_size());
  ASSERT_EQ(static_cast<int>(json->at("std").size()), network.preprocessing.std_size());
  for (int i = 0; i < network.preprocessing.mean_size(); ++i) {
    EXPECT_EQ(json->at("mean")[i].get<float>(), network.preprocessing.mean(i));
    EXPECT_EQ(json->at("std")[i].get<float>(), network.preprocessing.std(i));
  }
}

TEST(HandoutTest, AnUnspecifiedResizeRuleIsTheOneThatItIsReadAs) {
  Network network = Example();
  network.preprocessing.clear_resize();
  EXPECT_THAT(PreprocessingJson(network), HasSubstr("\"SQUASH\""));
}

TEST(HandoutTest, MetadataIsTheNetworkFilesOwnAndSaysWhatTheOutputsAre) {
  const Network network = Example();
  const auto metadata = HandoutMetadata(network);
  const auto own = NetworkMetadata(network);
  for (const char* key : {"squish.class_names", "squish.input_size", "squish.resize", "squish.mean",
                          "squish.std", "squish.channel_order", "squish.licence", "squish.note"}) {
    EXPECT_EQ(metadata.at(key), own.at(key)) << key;
  }
  EXPECT_EQ(metadata.count("squish.genome"), 0u);
  EXPECT_EQ(metadata.at("squish.genome_digest"), network.genome.Digest());
  EXPECT_EQ(metadata.at("squish.weights_digest"), WeightsDigest(network.weights));
  EXPECT_THAT(metadata.at("squish.outputs"), HasSubstr("without softmax"));
  EXPECT_THAT(metadata.at("squish.interpolation"), HasSubstr("INTER_AREA"));
}

TEST(HandoutTest, MetadataAsJsonHasTheSameKeysAndValues) {
  const auto json = ParseStrictJson(HandoutMetadataJson(Example()), {});
  ASSERT_TRUE(json.ok()) << json.status();
  const auto metadata = HandoutMetadata(Example());
  ASSERT_EQ(json->size(), metadata.size());
  for (const auto& [key, value] : metadata) EXPECT_EQ(json->at(key), value) << key;
}

TEST(HandoutTest, WeightsWithoutProvenanceClaimNone) {
  Network network = Example();
  network.provenance.Clear();
  EXPECT_THAT(HandoutMetadataJson(network), Not(HasSubstr("squish.licence")));
  EXPECT_THAT(HandoutMetadataJson(network), Not(HasSubstr("squish.note")));
}

TEST(DifferenceTest, IsTheLargestInUnitsOfTheLargestReference) {
  EXPECT_EQ(LargestDifference({1.0f, -4.0f, 2.0f}, {1.0f, -4.0f, 2.5f}), 0.5 / 4.0);
  EXPECT_EQ(LargestDifference({1.0f, 2.0f}, {1.0f, 2.0f}), 0);
  EXPECT_EQ(LargestDifference({}, {}), 0);
}

TEST(DifferenceTest, IsInfiniteWhereNothingCanBeCompared) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(std::isinf(LargestDifference({1.0f}, {1.0f, 2.0f}))) << "another number of outputs";
  EXPECT_TRUE(std::isinf(LargestDifference({nan, 0.0f}, {1.0f, 0.0f})));
  EXPECT_TRUE(std::isinf(LargestDifference({1.0f}, {nan})));
  EXPECT_TRUE(std::isinf(LargestDifference({infinity}, {infinity})));
  EXPECT_TRUE(std::isinf(LargestDifference({1e-9f, 0.0f}, {0.0f, 0.0f})));
  EXPECT_EQ(LargestDifference({0.0f, -0.0f}, {0.0f, 0.0f}), 0) << "a silent network, twice";
}

TEST(DifferenceTest, AFileThatDiffersAtEitherSizeIsNamedWithSizeAndDifference) {
  v1::ExportedFile file;
  file.set_name("model.onnx");
  file.set_checked_with("a program");
  file.set_difference(1e-4);
  file.set_difference_at_100(1e-4);
  EXPECT_TRUE(CheckDifferences(file, 64).ok());
  file.set_difference(0.25);
  EXPECT_EQ(CheckDifferences(file, 64).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(
      std::string(CheckDifferences(file, 64).message()),
      HasSubstr("model.onnx: its outputs for pictures of 64×64, computed by a program, differ "
                "from the network's by 0.25 of the largest"));
  file.set_difference(0);
  file.set_difference_at_100(1.01e-4);
  EXPECT_THAT(std::string(CheckDifferences(file, 64).message()), HasSubstr("100×100"));
  file.set_difference_at_100(std::numeric_limits<double>::quiet_NaN());
  EXPECT_FALSE(CheckDifferences(file, 64).ok());
  file.set_difference_at_100(-1);
  EXPECT_FALSE(CheckDifferences(file, 64).ok());
}

}  // namespace
}  // namespace squish
