#include "common/weights/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

#include "common/base/file.h"
#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "common/weights/safetensors.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

Network TenClasses() {
  Network network{*SqueezeNetV11(10), {}, {}, {}};
  network.weights = FreshWeights(network.genome, 1, 0, 0);
  for (int i = 0; i < 10; ++i) network.class_names.push_back("class " + std::to_string(i));
  network.preprocessing.set_input_size(64);
  network.preprocessing.set_resize(v1::SQUASH);
  for (const float mean : {0.485f, 0.456f, 0.406f}) network.preprocessing.add_mean(mean);
  for (const float std : {0.229f, 0.224f, 1.0f}) network.preprocessing.add_std(std);
  return network;
}

TEST(NetworkTest, FileRoundTripsBitForBit) {
  const Network network = TenClasses();
  const std::string file = network.ToSafetensors();
  const auto read = Network::FromSafetensors(file);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->genome, network.genome);
  EXPECT_EQ(read->weights, network.weights);
  EXPECT_EQ(read->class_names, network.class_names);
  EXPECT_EQ(read->preprocessing.SerializeAsString(), network.preprocessing.SerializeAsString());
  EXPECT_EQ(read->ToSafetensors(), file);
}

std::string SharedData() {
  if (const char* folder = std::getenv("SQUISH_SHARED_DATA")) return folder;
  return SQUISH_SOURCE_DIR "/../shared/data";
}

TEST(TorchvisionImportTest, ReadsThePretrainedNetwork) {
  const std::string path = SharedData() + "/squeezenet1_1/squeezenet1_1.safetensors";
  const auto file = ReadFile(path);
  if (!file.ok()) GTEST_SKIP() << "no " << path;
  const auto imported = ImportTorchvisionSqueezeNet(*file);
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->weights.size(), 52);
  EXPECT_EQ(CountParameters(imported->genome), 1'235'496);
  EXPECT_EQ(imported->genome, *SqueezeNetV11(1000));
}

}  // namespace
}  // namespace squish
