#include "common/torch/aten.h"

#include "common/torch/torch_network.h"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdlib>

#include "common/base/file.h"
#include "common/genome/ancestors.h"
#include "common/weights/safetensors.h"
#include "tests/support/random_genome.h"
#include "tests/support/shared_data.h"

namespace squish {
namespace {

at::Tensor RandomPictures(const Genome& genome, int count, int side) {
  at::manual_seed(1);
  return at::randn({count, genome.OutputChannels(0), side, side})
      .contiguous(at::MemoryFormat::ChannelsLast);
}

TEST(TorchNetworkTest, WeightsComeBackBitForBit) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Network network = RandomNetwork(RandomGenome(seed), seed);
    const auto torch = TorchNetwork::Create(network.genome, network.weights, at::kCPU);
    ASSERT_TRUE(torch.ok()) << torch.status();
    EXPECT_EQ(torch->Weights(), network.weights);
  }
}

TEST(TorchNetworkTest, WeightsOfAnotherGenomeAreRefused) {
  const TensorMap weights = FreshWeights(*SqueezeNetV11(10), 1, 0, 0);
  EXPECT_EQ(TorchNetwork::Create(*SqueezeNetV11(9), weights, at::kCPU).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(TorchNetworkTest, WithAndWithoutGradientsItAnswersTheSame) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const Network network = RandomNetwork(RandomGenome(seed), seed);
    const auto torch = TorchNetwork::Create(network.genome, network.weights, at::kCPU);
    ASSERT_TRUE(torch.ok()) << torch.status();
    const at::Tensor pictures =
        RandomPictures(network.genome, 3, SmallestInputSize(network.genome) + 1);
    const at::Tensor training = torch->Forward(pictures);
    const c10::NoGradGuard no_gradients;
    EXPECT_TRUE(at::allclose(training, torch->Forward(pictures), 1e-4, 1e-5));
    EXPECT_TRUE(at::allclose(training, torch->Forward(pictures.contiguous()), 1e-4, 1e-5));
  }
}

// The slope of a loss along the gradient is the gradient's squared length.
TEST(TorchNetworkTest, GatheredGradientsAreTheSlopeOfTheLoss) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const Network network = RandomNetwork(RandomGenome(seed), seed);
    const auto torch = TorchNetwork::Create(network.genome, network.weights, at::kCPU);
    ASSERT_TRUE(torch.ok()) << torch.status();
    const at::Tensor pictures =
        RandomPictures(network.genome, 4, SmallestInputSize(network.genome) + 2);
    const auto loss = [&] { return torch->Forward(pictures).to(at::kDouble).square().sum(); };
    const std::vector<at::Tensor> parameters = torch->parameters();
    at::Tensor gradient = at::empty_like(torch->flat());
    torch->Gather(torch::autograd::grad({loss()}, parameters), gradient);

    const c10::NoGradGuard no_gradients;
    const double length = gradient.norm().item<double>();
    if (length < 1e-3) continue;  // A network of dead ReLUs has nothing to say.
    const at::Tensor start = torch->flat().clone();
    at::Tensor flat = torch->flat();
    const double step = 1e-3 / length;
    flat.copy_(start + step * gradient);
    const double above = loss().item<double>();
    flat.copy_(start - step * gradient);
    const double below = loss().item<double>();
    EXPECT_NEAR((above - below) / (2 * step) / (length * length), 1.0, 0.03);
  }
}

TEST(TorchNetworkTest, WeightsStandBeforeBiases) {
  const Genome genome = *SqueezeNetV11(10);
  const auto torch = TorchNetwork::Create(genome, FreshWeights(genome, 1, 0, 0), at::kCPU);
  ASSERT_TRUE(torch.ok()) << torch.status();
  int64_t biases = 0;
  for (const int conv : genome.convs()) biases += genome.conv(conv).filters();
  EXPECT_EQ(torch->flat().numel(), 727'626);
  EXPECT_EQ(torch->weight_elements(), 727'626 - biases);
}

// --- bf16 ---------------------------------------------------------------------

TEST(Bf16Test, AnswersAndGradientsAreFp32AndNearThoseOfFp32) {
  const Genome genome = *SqueezeNetV11(10, 0.5);
  const auto torch = TorchNetwork::Create(genome, FreshWeights(genome, 1, 0, 0), at::kCPU);
  ASSERT_TRUE(torch.ok()) << torch.status();
  const at::Tensor pictures = RandomPictures(genome, 4, 40);
  const RandomStream stream(RandomDomain::kDropout, {1});
  std::vector<at::Tensor> logits, gradients;
  for (const bool bf16 : {false, true}) {
    logits.push_back(torch->Forward(pictures, {.dropout = &stream, .bf16 = bf16, .observe = {}}));
    ASSERT_EQ(logits.back().scalar_type(), at::kFloat);
    at::Tensor flat = at::empty_like(torch->flat());
    const auto parts = torch::autograd::grad({logits.back().square().sum()}, torch->parameters());
    for (const at::Tensor& part : parts) ASSERT_EQ(part.scalar_type(), at::kFloat);
    torch->Gather(parts, flat);
    gradients.push_back(flat);
  }
  EXPECT_FALSE(logits[0].equal(logits[1]));
  const auto distance = [](const at::Tensor& a, const at::Tensor& b) {
    return ((a - b).norm() / a.norm()).item<double>();
  };
  EXPECT_LT(distance(logits[0], logits[1]), 0.05);
  EXPECT_LT(distance(gradients[0], gradients[1]), 0.1);
}

TEST(Bf16Test, AnswersTheSameWithAndWithoutGradients) {
  const Genome genome = *SqueezeNetV11(10, 0.5);
  const auto torch = TorchNetwork::Create(genome, FreshWeights(genome, 1, 0, 0), at::kCPU);
  ASSERT_TRUE(torch.ok()) << torch.status();
  const at::Tensor pictures = RandomPictures(genome, 4, 40);
  const ForwardOptions bf16{.bf16 = true, .observe = {}};
  const at::Tensor with = torch->Forward(pictures, bf16);
  const c10::NoGradGuard no_gradients;
  EXPECT_TRUE(at::allclose(torch->Forward(pictures, bf16), with, 1e-2, 1e-2));
}

TEST(DropoutMaskTest, IsAFunctionOfStreamAndLayerAndKeepsTheMean) {
  const at::Tensor like = at::empty({64, 40, 7, 7}).contiguous(at::MemoryFormat::ChannelsLast);
  const RandomStream stream(RandomDomain::kDropout, {1, 2});
  const at::Tensor mask = DropoutMask(stream, 5, 300, like);
  EXPECT_TRUE(mask.equal(DropoutMask(stream, 5, 300, like)));
  EXPECT_FALSE(mask.equal(DropoutMask(stream, 6, 300, like)));
  EXPECT_FALSE(mask.equal(DropoutMask(RandomStream(RandomDomain::kDropout, {1, 3}), 5, 300, like)));
  EXPECT_EQ(mask.strides(), like.strides());
  EXPECT_TRUE(((mask == 0) | (mask == 1.0f / 0.7f)).all().item<bool>());
  // 125,440 draws: five standard deviations of the frequency are 0.0065.
  EXPECT_NEAR((mask == 0).to(at::kFloat).mean().item<double>(), 0.3, 0.0065);
}

TEST(DropoutMaskTest, IsUsedInTrainingOnly) {
  const Genome genome = *SqueezeNetV11(10, 0.2);
  const auto torch = TorchNetwork::Create(genome, FreshWeights(genome, 1, 0, 0), at::kCPU);
  ASSERT_TRUE(torch.ok()) << torch.status();
  const c10::NoGradGuard no_gradients;
  const at::Tensor pictures = RandomPictures(genome, 2, 40);
  const RandomStream stream(RandomDomain::kDropout, {1});
  const at::Tensor plain = torch->Forward(pictures);
  EXPECT_TRUE(plain.equal(torch->Forward(pictures)));
  EXPECT_FALSE(plain.equal(torch->Forward(pictures, {.dropout = &stream, .observe = {}})));
  const ForwardOptions none{.dropout = &stream, .dropout_permille = 0, .observe = {}};
  EXPECT_TRUE(plain.equal(torch->Forward(pictures, none)));
}

// --- Against the pretrained network's reference -------------------------------

class GoldenTest : public testing::Test {
 protected:
  void SetUp() override {
    SQUISH_SKIP_WITHOUT_SHARED_DATA();
    const std::string data = JoinPath(SharedDataFolder(), "squeezenet1_1/");
    auto network = ReadFile(data + "squeezenet1_1.safetensors");
    auto golden = ReadFile(data + "golden.safetensors");
    ASSERT_TRUE(network.ok()) << network.status();
    ASSERT_TRUE(golden.ok()) << golden.status();
    network_file_ = *std::move(network);
    golden_file_ = *std::move(golden);
    auto view = ParseSafetensors(golden_file_);
    ASSERT_TRUE(view.ok()) << view.status();
    golden_ = *std::move(view);
  }

  at::Tensor Golden(const std::string& name, at::ScalarType type) const {
    const TensorView& view = golden_.tensors.at(name);
    return at::from_blob(const_cast<char*>(view.bytes.data()), view.shape, type);
  }

  at::Tensor Pictures() const {
    const at::Tensor mean = at::tensor({0.485f, 0.456f, 0.406f});
    const at::Tensor std = at::tensor({0.229f, 0.224f, 0.225f});
    return ((Golden("input_u8", at::kByte).to(at::kFloat) / 255 - mean) / std)
        .permute({0, 3, 1, 2});
  }

  std::string network_file_, golden_file_;
  SafetensorsView golden_;
};

TEST_F(GoldenTest, PretrainedSqueezeNetReproducesLogitsAndSpatialMeans) {
  const auto imported = ImportTorchvisionSqueezeNet(network_file_);
  ASSERT_TRUE(imported.ok()) << imported.status();
  const auto torch = TorchNetwork::Create(imported->genome, imported->weights, at::kCPU);
  ASSERT_TRUE(torch.ok()) << torch.status();
  const c10::NoGradGuard no_gradients;
  std::vector<at::Tensor> means(imported->genome.size());
  const at::Tensor logits = torch->Forward(
      Pictures(), {.dropout = nullptr, .observe = [&](int layer, const at::Tensor& output) {
                     means[layer] = output.mean({2, 3});
                   }});

  const auto largest_error = [](const at::Tensor& a, const at::Tensor& b) {
    return (a - b).abs().max().item<double>();
  };
  EXPECT_LT(largest_error(logits, Golden("logits", at::kFloat)), 1e-3);
  // Layers by what they are: the first pool, the first and the last concat.
  int pool = -1, first_fire = -1, last_fire = -1;
  for (int i = 0; i < imported->genome.size(); ++i) {
    const Operation& operation = imported->genome.layer(i).operation;
    if (std::holds_alternative<MaxPool>(operation) && pool < 0) pool = i;
    if (!std::holds_alternative<Concat>(operation)) continue;
    if (first_fire < 0) first_fire = i;
    last_fire = i;
  }
  EXPECT_LT(largest_error(means[pool], Golden("pool1_mean", at::kFloat)), 1e-3);
  EXPECT_LT(largest_error(means[first_fire], Golden("fire2_mean", at::kFloat)), 1e-3);
  EXPECT_LT(largest_error(means[last_fire], Golden("fire9_mean", at::kFloat)), 1e-3);
}

}  // namespace
}  // namespace squish
