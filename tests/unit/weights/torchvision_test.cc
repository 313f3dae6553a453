#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <string>

#include "common/base/file.h"
#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "common/weights/network.h"
#include "common/weights/safetensors.h"
#include "tests/support/shared_data.h"

namespace squish {
namespace {

using ::testing::HasSubstr;
using Tensors = std::map<std::string, TensorView>;

// A plain file, as torchvision's state dict would be saved, after a change.
std::string PlainFile(
    int classes, const std::function<void(Tensors&)>& change = [](auto&) {}) {
  const Network network{
      *SqueezeNetV11(classes), FreshWeights(*SqueezeNetV11(classes), 1, 0, 0), {}, {}};
  const std::string file = network.ToSafetensors();
  SafetensorsView view = *ParseSafetensors(file);
  change(view.tensors);
  return SerializeSafetensors({}, view.tensors);
}

void ExpectRefused(absl::string_view file, const std::string& why) {
  const auto network = ImportTorchvisionSqueezeNet(file);
  ASSERT_FALSE(network.ok()) << "accepted, though " << why;
  EXPECT_EQ(network.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(network.status().message()), HasSubstr(why));
}

TEST(TorchvisionImportTest, TheHeadSaysHowManyClassesThereAre) {
  for (const int classes : {2, 10, 365}) {
    const auto imported = ImportTorchvisionSqueezeNet(PlainFile(classes));
    ASSERT_TRUE(imported.ok()) << imported.status();
    EXPECT_EQ(imported->genome, *SqueezeNetV11(classes));
    EXPECT_EQ(imported->weights, FreshWeights(imported->genome, 1, 0, 0));
  }
}

TEST(TorchvisionImportTest, OtherNetworksAreRefusedByTensor) {
  ExpectRefused("", "not a safetensors file");
  ExpectRefused(PlainFile(10, [](Tensors& tensors) { tensors.erase("classifier.1.weight"); }),
                "tensor classifier.1.weight is missing");
  ExpectRefused(PlainFile(10, [](Tensors& tensors) { tensors.erase("features.7.squeeze.bias"); }),
                "tensor features.7.squeeze.bias is missing");
  ExpectRefused(PlainFile(10, [](Tensors& t) { t["features.1.weight"] = t.at("features.0.bias"); }),
                "tensor features.1.weight belongs to no layer");
  ExpectRefused(PlainFile(10,
                          [](Tensors& t) {
                            t.at("features.0.weight").shape = {192, 9};
                          }),
                "tensor features.0.weight is 192×9");
  ExpectRefused(PlainFile(10, [](Tensors& t) { t.at("features.0.weight").dtype = "I32"; }),
                "tensor features.0.weight is I32");
}

TEST(TorchvisionImportTest, ImpossibleHeadsAreRefused) {
  const auto with_head = [](std::vector<int64_t> shape, std::string bytes) {
    return PlainFile(10, [&](Tensors& tensors) {
      tensors.at("classifier.1.weight") = TensorView{"F32", shape, bytes};
    });
  };
  ExpectRefused(with_head({}, std::string(4, '\0')), "has 0 filters");
  ExpectRefused(with_head({1, 512, 1, 1}, std::string(2048, '\0')), "has 1 filters");
  ExpectRefused(with_head({0, 512, 1, 1}, ""), "has 0 filters");
  ExpectRefused(with_head({int64_t{1} << 60, 0}, ""), "not 2 to 10000 classes");
}

TEST(TorchvisionImportTest, ReadsThePretrainedNetwork) {
  SQUISH_SKIP_WITHOUT_SHARED_DATA();
  const auto file = ReadFile(JoinPath(SharedDataFolder(), "squeezenet1_1/squeezenet1_1.safetensors"));
  ASSERT_TRUE(file.ok()) << file.status();
  const auto imported = ImportTorchvisionSqueezeNet(*file);
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->weights.size(), 52);
  EXPECT_EQ(CountParameters(imported->genome), 1'235'496);
  EXPECT_EQ(imported->genome, *SqueezeNetV11(1000));
}

TEST(TorchvisionImportTest, TheGoldenFileParsesAndIsNoNetwork) {
  SQUISH_SKIP_WITHOUT_SHARED_DATA();
  const auto file = ReadFile(JoinPath(SharedDataFolder(), "squeezenet1_1/golden.safetensors"));
  ASSERT_TRUE(file.ok()) << file.status();
  const auto view = ParseSafetensors(*file);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->tensors.at("input_u8").bytes.size(), 4 * 224 * 224 * 3);
  ExpectRefused(*file, "not torchvision's SqueezeNet v1.1");
}

}  // namespace
}  // namespace squish
