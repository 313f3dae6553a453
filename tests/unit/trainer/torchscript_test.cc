#include "worker/trainer/torchscript.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/child/child.h"
#include "common/export/difference.h"
#include "common/genome/ancestors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/checkout.h"
#include "tests/support/random_genome.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/torch_reference.h"

namespace squish {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(TorchScriptTest, AnyGenomeAtAnySizeGivesTheNetworksOwnOutputs) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Network network = RandomNetwork(RandomGenome(seed), seed);
    const auto file = ToTorchScript(network);
    ASSERT_TRUE(file.ok()) << file.status();
    const int smallest = SmallestInputSize(network.genome);
    for (const int size : {smallest, smallest + 1, smallest + 6}) {
      SCOPED_TRACE(testing::Message() << "genome " << seed << " at " << size);
      const ReferenceOutputs reference = TorchReference(network, size, 2, seed);
      const auto outputs = RunTorchScript(*file, reference.pictures);
      ASSERT_TRUE(outputs.ok()) << outputs.status();
      EXPECT_LE(LargestDifference(*outputs, reference.logits.values), kMaximumDifference);
    }
  }
}

TEST(TorchScriptTest, PoolsRoundUpAndDropoutIsGone) {
  const std::string source = TorchScriptSource(*SqueezeNetV11(2, 0.1));
  EXPECT_THAT(source, HasSubstr("torch.max_pool2d(x2, [3, 3], [2, 2], [0, 0], [1, 1], True)"));
  EXPECT_THAT(source, Not(HasSubstr("dropout")));
}

TEST(TorchScriptTest, TheSameNetworkGivesTheSameBytes) {
  const Network network = RandomNetwork(RandomGenome(1), 1);
  const auto first = ToTorchScript(network), second = ToTorchScript(network);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, *second);
}

TEST(TorchScriptTest, WeightsOfAnotherGenomeAreRefused) {
  Network network = RandomNetwork(RandomGenome(1), 1);
  network.weights.clear();
  EXPECT_EQ(ToTorchScript(network).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(TorchScriptTest, WhatIsNoModuleOrTooSmallAPictureIsAnErrorOfLibTorchs) {
  EXPECT_EQ(RunTorchScript("no module", Tensor{{1, 1, 1, 1}, {0}}).status().code(),
            absl::StatusCode::kInternal);
  Genome genome = *SqueezeNetV11(2, 0.1);
  Network network = RandomNetwork(genome, 1);
  const auto file = ToTorchScript(network);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(RunTorchScript(*file, Tensor{{1, 3, 4, 4}, std::vector<float>(48)}).status().code(),
            absl::StatusCode::kInternal);
}

TEST(TorchScriptTest, ItsNameHasAVersion) {
  EXPECT_THAT(LibTorchName(), testing::MatchesRegex("LibTorch [0-9]+\\..*"));
}

TEST(TorchScriptTest, AProgramWithoutOurCodeGetsTheSameOutputsAndReadsTheMetadata) {
  const std::string folder = TemporaryFolder();
  const std::string model = JoinPath(folder, "model.pt"), raw = JoinPath(folder, "pictures");
  const Network network = RandomNetwork(*SqueezeNetV11(5, 0.2), 2);
  const auto file = ToTorchScript(network);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE(WriteFileDurably(model, *file).ok());
  for (const int size : {64, 100}) {
    const ReferenceOutputs reference = TorchReference(network, size, 2, size);
    const std::vector<float>& values = reference.pictures.values;
    ASSERT_TRUE(WriteFileDurably(raw, {reinterpret_cast<const char*>(values.data()),
                                       values.size() * sizeof(float)})
                    .ok());
    ChildOptions options;
    options.command = {TestProgramPath("plain_libtorch"), model, raw, absl::StrCat(size), "2"};
    options.environment = InheritedEnvironment();
    const auto child = Child::Spawn(options);
    ASSERT_TRUE(child.ok()) << child.status();
    std::vector<float> outputs(reference.logits.values.size());
    for (float& output : outputs) {
      const auto line = (*child)->ReadLine(absl::Seconds(60));
      ASSERT_TRUE(line.ok()) << line.status();
      ASSERT_TRUE(absl::SimpleAtof(*line, &output)) << *line;
    }
    EXPECT_EQ((*child)->CloseAndWait(absl::Seconds(60)), "exit status 0");
    EXPECT_LE(LargestDifference(outputs, reference.logits.values), kMaximumDifference) << size;
  }
}

}  // namespace
}  // namespace squish
