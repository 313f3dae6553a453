// squish-engine-torch for real, on narrow networks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "jetson-agent/engine/client.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/engine/test_networks.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

class TorchEngineTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    EngineOptions options;
    options.child.command = {ProgramPath("squish-engine-torch")};
    options.child.environment = InheritedEnvironment();
    engine_ = EngineClient::Spawn(options).value().release();
    ASSERT_TRUE(engine_->AwaitReady().ok());
  }
  static void TearDownTestSuite() { delete std::exchange(engine_, nullptr); }

  static LoadRequest LoadOf(const TestNetwork& network, int batch = 1, int input_size = 64) {
    return {
        .id = "a", .path = network.path, .batch = batch, .input_size = input_size, .threads = 1};
  }

  const std::string folder_ = TemporaryFolder();
  static EngineClient* engine_;
};

EngineClient* TorchEngineTest::engine_ = nullptr;

TEST_F(TorchEngineTest, SaysWhatItIs) {
  EXPECT_EQ(engine_->info().engine, "torch");
  EXPECT_EQ(engine_->info().precision, "fp32");
  EXPECT_THAT(engine_->info().version, HasSubstr("libtorch-"));
  EXPECT_FALSE(engine_->info().synthetic);
}

TEST_F(TorchEngineTest, RunsWhatItIsAskedForAndTimesIt) {
  ASSERT_TRUE(engine_->Load(LoadOf(WriteNetwork(folder_, 0.1), 2)).ok());
  const Block block = engine_->Run("a", 5).value();
  EXPECT_EQ(block.images, 10);
  EXPECT_GT(block.seconds, 0);
  EXPECT_TRUE(engine_->Unload("a").ok());
}

TEST_F(TorchEngineTest, TellsLayersApart) {
  const TestNetwork network = WriteNetwork(folder_, 0.1);
  ASSERT_TRUE(engine_->Load(LoadOf(network)).ok());
  const auto layers = engine_->Profile("a", 3);
  ASSERT_TRUE(layers.ok()) << layers.status();
  double sum = 0;
  std::set<std::string> names;
  for (const LayerMilliseconds& time : *layers) {
    names.insert(time.layer);
    sum += time.milliseconds;
  }
  EXPECT_EQ(names.size(), layers->size());
  EXPECT_EQ(names.count("features.0"), 1u);
  EXPECT_EQ(names.count("classifier.1"), 1u);
  EXPECT_GT(sum, 0);
  EXPECT_TRUE(engine_->Unload("a").ok());
}

TEST_F(TorchEngineTest, InputThatIsTooSmallIsRefused) {
  const absl::Status status = engine_->Load(LoadOf(WriteNetwork(folder_, 0.1), 1, 2));
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
}

TEST_F(TorchEngineTest, FileThatIsNoNetworkIsAnErrorAndTheEngineGoesOn) {
  TestNetwork network = WriteNetwork(folder_, 0.1);
  ASSERT_TRUE(WriteFileDurably(JoinPath(folder_, "bad"), "not a network").ok());
  network.path = JoinPath(folder_, "bad");
  EXPECT_TRUE(absl::IsInternal(engine_->Load(LoadOf(network))));
  network.path = JoinPath(folder_, "absent");
  EXPECT_TRUE(absl::IsInternal(engine_->Load(LoadOf(network))));
  EXPECT_TRUE(engine_->Load(LoadOf(WriteNetwork(folder_, 0.1))).ok());
}

}  // namespace
}  // namespace squish
