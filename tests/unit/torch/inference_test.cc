#include "common/torch/inference.h"

#include <gtest/gtest.h>

#include <cmath>

#include "common/base/random.h"
#include "common/genome/ancestors.h"
#include "common/torch/numerics.h"
#include "tests/support/random_genome.h"
#include "tests/unit/torch/reference_forward.h"

namespace squish {
namespace {

std::vector<float> RandomPicture(uint64_t seed, int side, int channels) {
  const RandomStream stream(RandomDomain::kAugmentation, {seed});
  std::vector<float> picture(static_cast<size_t>(side) * side * channels);
  for (size_t i = 0; i < picture.size(); ++i) picture[i] = static_cast<float>(stream.Normal(i));
  return picture;
}

double Largest(const std::vector<double>& values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

TEST(InferenceTest, AgreesWithLoopsOnGenomesOfEveryShape) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    const Network network = RandomNetwork(RandomGenome(seed), seed);
    const int channels = network.genome.OutputChannels(0);
    const int side = SmallestInputSize(network.genome) + static_cast<int>(seed % 5);
    std::vector<float> pictures = RandomPicture(seed, side, channels);
    const std::vector<float> second = RandomPicture(seed + 1000, side, channels);
    const std::vector<double> first_logits = ReferenceForward(network, pictures, side);
    const std::vector<double> second_logits = ReferenceForward(network, second, side);
    pictures.insert(pictures.end(), second.begin(), second.end());

    const auto inference = Inference::Create(network.genome, network.weights, /*batch=*/2, side);
    ASSERT_TRUE(inference.ok()) << inference.status();
    const int classes = network.genome.classes();
    std::vector<float> logits(2 * classes);
    ASSERT_TRUE((*inference)->Run(pictures, absl::MakeSpan(logits)).ok());

    for (int i = 0; i < classes; ++i) {
      EXPECT_NEAR(logits[i], first_logits[i], 1e-4 * (1 + Largest(first_logits)));
      EXPECT_NEAR(logits[classes + i], second_logits[i], 1e-4 * (1 + Largest(second_logits)));
    }
  }
}

TEST(InferenceTest, EqualPicturesGiveEqualBits) {
  const Network network = RandomNetwork(RandomGenome(3), 3);
  const int side = SmallestInputSize(network.genome);
  const auto picture = RandomPicture(1, side, network.genome.OutputChannels(0));
  const auto inference = Inference::Create(network.genome, network.weights, 1, side);
  ASSERT_TRUE(inference.ok()) << inference.status();
  std::vector<float> first(network.genome.classes()), second(network.genome.classes());
  ASSERT_TRUE((*inference)->Run(picture, absl::MakeSpan(first)).ok());
  ASSERT_TRUE((*inference)->Run(picture, absl::MakeSpan(second)).ok());
  EXPECT_EQ(first, second);
}

TEST(InferenceTest, SaysWhatDoesNotFit) {
  const Genome genome = *SqueezeNetV11(10, 0.1);
  const TensorMap weights = FreshWeights(genome, 1, 0, 0);
  EXPECT_EQ(Inference::Create(genome, weights, 0, 64).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Inference::Create(genome, weights, 1, 4).status().code(),
            absl::StatusCode::kInvalidArgument);
  TensorMap incomplete = weights;
  incomplete.erase("classifier.1.bias");
  EXPECT_EQ(Inference::Create(genome, incomplete, 1, 64).status().code(),
            absl::StatusCode::kInvalidArgument);

  const auto inference = Inference::Create(genome, weights, 1, 64);
  ASSERT_TRUE(inference.ok()) << inference.status();
  std::vector<float> logits(10), picture(64 * 64 * 3);
  EXPECT_EQ((*inference)->Run(absl::MakeSpan(picture).subspan(1), absl::MakeSpan(logits)).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*inference)->Run(picture, absl::MakeSpan(logits).subspan(1)).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(NumericsTest, ClassNamesThreadsAndPrecisionAndIsOneWord) {
  const std::string one = NumericsClass(1, /*cuda=*/false);
  EXPECT_NE(one, NumericsClass(2, /*cuda=*/false));
  EXPECT_EQ(one, NumericsClass(1, /*cuda=*/false));
  EXPECT_EQ(one, NumericsClass(1, /*cuda=*/false, v1::Recipe::FP32));
  EXPECT_EQ(one + "+bf16", NumericsClass(1, /*cuda=*/false, v1::Recipe::BF16));
  EXPECT_EQ(one.find(' '), std::string::npos) << one;
  EXPECT_EQ(one.find("unknown"), std::string::npos) << one;
  EXPECT_EQ(one.rfind("libtorch-", 0), 0u) << one;
  RecordProperty("numerics_class", one);
}

}  // namespace
}  // namespace squish
