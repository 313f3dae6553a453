#include "worker/exporter/opencv_network.h"

#include <utility>

#include "common/base/file.h"
#include "common/export/difference.h"
#include "common/export/onnx_model.h"
#include "common/weights/safetensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_genome.h"
#include "tests/support/shared_data.h"
#include "tests/support/torch_reference.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<OpenCvNetwork> Load(const Network& network, int size, int batch) {
  const auto model = ToOnnx(network, {.input_size = size, .batch = batch});
  if (!model.ok()) return model.status();
  return OpenCvNetwork::FromOnnx(model->SerializeAsString());
}

class OpenCvNetworkTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { PrepareOpenCvProcess(); }
};

TEST_F(OpenCvNetworkTest, AnyGenomeAtAnySizeGivesTheNetworksOwnOutputs) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const Network network = RandomNetwork(RandomGenome(seed), seed);
    const int smallest = SmallestInputSize(network.genome);
    for (const int size : {smallest, smallest + 1, smallest + 2, smallest + 7, 100}) {
      SCOPED_TRACE(testing::Message() << "genome " << seed << " at " << size);
      const ReferenceOutputs reference = TorchReference(network, size, 3, seed);
      auto opencv = Load(network, size, /*batch=*/0);
      ASSERT_TRUE(opencv.ok()) << opencv.status();
      const auto outputs = opencv->Run(reference.pictures, 3);
      ASSERT_TRUE(outputs.ok()) << outputs.status();
      EXPECT_LE(LargestDifference(*outputs, reference.logits.values), kMaximumDifference)
          << network.genome.Json();
    }
  }
}

TEST_F(OpenCvNetworkTest, OutputsAreThePicturesOwnWhateverTheBatch) {
  const Network network = RandomNetwork(RandomGenome(5), 5);
  const int size = SmallestInputSize(network.genome) + 3;
  const ReferenceOutputs reference = TorchReference(network, size, 5, 1);
  for (const int batch : {1, 2, 3, 5, 7}) {
    auto opencv = Load(network, size, batch);
    ASSERT_TRUE(opencv.ok()) << opencv.status();
    const auto outputs = opencv->Run(reference.pictures, batch);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_LE(LargestDifference(*outputs, reference.logits.values), kMaximumDifference) << batch;
  }
}

TEST_F(OpenCvNetworkTest, WhatIsNoModelIsRefused) {
  for (const char* file : {"", "no model", "\x08\x06\x12\x04zzzz"}) {
    EXPECT_EQ(OpenCvNetwork::FromOnnx(file).status().code(), absl::StatusCode::kInvalidArgument)
        << file;
  }
}

TEST_F(OpenCvNetworkTest, NoPicturesAndNoBatchAreRefused) {
  const Network network = RandomNetwork(RandomGenome(5), 5);
  const int size = SmallestInputSize(network.genome);
  auto opencv = Load(network, size, 0);
  ASSERT_TRUE(opencv.ok()) << opencv.status();
  const ReferenceOutputs reference = TorchReference(network, size, 1, 1);
  EXPECT_EQ(opencv->Run(reference.pictures, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(opencv->Run(Tensor{{0, 3, 8, 8}, {}}, 1).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(opencv->Run(Tensor{{}, {}}, 1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(OpenCvNetworkTest, PicturesOfAnotherKindThanTheModelsAreAnError) {
  const Network network = RandomNetwork(RandomGenome(5), 5);
  const int size = SmallestInputSize(network.genome);
  auto opencv = Load(network, size, 0);
  ASSERT_TRUE(opencv.ok()) << opencv.status();
  const int channels = network.genome.OutputChannels(0) + 1;
  const Tensor pictures{{1, channels, size, size},
                        std::vector<float>(static_cast<size_t>(channels) * size * size)};
  EXPECT_EQ(opencv->Run(pictures, 1).status().code(), absl::StatusCode::kInternal);
}

TEST_F(OpenCvNetworkTest, ItsNameHasAVersion) {
  EXPECT_THAT(OpenCvName(), testing::MatchesRegex("OpenCV dnn [0-9]+\\..*"));
}

class OpenCvGoldenTest : public testing::Test {
 protected:
  void SetUp() override {
    SQUISH_SKIP_WITHOUT_SHARED_DATA();
    PrepareOpenCvProcess();
  }
};

// Four photos and the outputs that PyTorch gave for them.
TEST_F(OpenCvGoldenTest, PretrainedSqueezeNetKeepsItsOutputs) {
  const std::string data = JoinPath(SharedDataFolder(), "squeezenet1_1");
  const auto network_file = ReadFile(JoinPath(data, "squeezenet1_1.safetensors"));
  ASSERT_TRUE(network_file.ok()) << network_file.status();
  auto imported = ImportTorchvisionSqueezeNet(*network_file);
  ASSERT_TRUE(imported.ok()) << imported.status();
  Network network{std::move(imported->genome),
                  std::move(imported->weights),
                  std::vector<std::string>(1000, "class"),
                  {}};
  const float mean[] = {0.485f, 0.456f, 0.406f};
  const float std[] = {0.229f, 0.224f, 0.225f};
  for (int i = 0; i < 3; ++i) {
    network.preprocessing.add_mean(mean[i]);
    network.preprocessing.add_std(std[i]);
  }
  network.preprocessing.set_input_size(224);

  const auto golden_file = ReadFile(JoinPath(data, "golden.safetensors"));
  ASSERT_TRUE(golden_file.ok()) << golden_file.status();
  const auto golden = ParseSafetensors(*golden_file);
  ASSERT_TRUE(golden.ok()) << golden.status();
  const auto* pixels =
      reinterpret_cast<const uint8_t*>(golden->tensors.at("input_u8").bytes.data());
  Tensor pictures{{4, 3, 224, 224}, std::vector<float>(size_t{4} * 3 * 224 * 224)};
  for (size_t n = 0; n < 4; ++n) {
    for (size_t i = 0; i < 224 * 224; ++i) {
      for (size_t c = 0; c < 3; ++c) {
        pictures.values[(n * 3 + c) * 224 * 224 + i] =
            (static_cast<float>(pixels[(n * 224 * 224 + i) * 3 + c]) / 255.0f - mean[c]) / std[c];
      }
    }
  }
  auto opencv = Load(network, 224, /*batch=*/1);
  ASSERT_TRUE(opencv.ok()) << opencv.status();
  const auto outputs = opencv->Run(pictures, 1);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  const auto* logits = reinterpret_cast<const float*>(golden->tensors.at("logits").bytes.data());
  EXPECT_LE(LargestDifference(*outputs, {logits, 4000}), kMaximumDifference);

  // At 100 pixels a pool that rounds down sees less than one that rounds up.
  const ReferenceOutputs at_100 = TorchReference(network, 100, 2, 1);
  auto small = Load(network, 100, /*batch=*/0);
  ASSERT_TRUE(small.ok()) << small.status();
  const auto small_outputs = small->Run(at_100.pictures, 2);
  ASSERT_TRUE(small_outputs.ok()) << small_outputs.status();
  EXPECT_LE(LargestDifference(*small_outputs, at_100.logits.values), kMaximumDifference);
}

}  // namespace
}  // namespace squish
