#include "common/export/onnx_model.h"

#include <map>
#include <set>

#include "common/export/handout.h"
#include "common/genome/ancestors.h"
#include "common/genome/shapes.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_genome.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Network SqueezeNet(int classes = 10, double width = 0.25) {
  Genome genome = *SqueezeNetV11(classes, width);
  TensorMap weights = FreshWeights(genome, 1, 0, 0);
  Network network{
      std::move(genome), std::move(weights), std::vector<std::string>(classes, "c"), {}};
  network.preprocessing.set_input_size(64);
  for (int i = 0; i < 3; ++i) {
    network.preprocessing.add_mean(0.5f);
    network.preprocessing.add_std(0.25f);
  }
  return network;
}

std::vector<int> Ints(const onnx::NodeProto& node, const std::string& name) {
  for (const auto& attribute : node.attribute()) {
    if (attribute.name() == name) return {attribute.ints().begin(), attribute.ints().end()};
  }
  return {};
}

std::vector<onnx::NodeProto> Pools(const onnx::ModelProto& model) {
  std::vector<onnx::NodeProto> pools;
  for (const onnx::NodeProto& node : model.graph().node()) {
    if (node.op_type() == "MaxPool") pools.push_back(node);
  }
  return pools;
}

TEST(ToOnnxTest, OneInputAndOneOutputWithTheSizesAskedFor) {
  const auto model = ToOnnx(SqueezeNet(), {.input_size = 64, .batch = 8});
  ASSERT_TRUE(model.ok()) << model.status();
  const onnx::GraphProto& graph = model->graph();
  ASSERT_EQ(graph.input_size(), 1);
  ASSERT_EQ(graph.output_size(), 1);
  EXPECT_EQ(graph.input(0).name(), "pictures");
  EXPECT_EQ(graph.output(0).name(), "logits");
  std::vector<int> sides;
  for (const auto& dim : graph.input(0).type().tensor_type().shape().dim()) {
    sides.push_back(static_cast<int>(dim.dim_value()));
  }
  EXPECT_THAT(sides, ElementsAre(8, 3, 64, 64));
  const auto& output = graph.output(0).type().tensor_type().shape();
  ASSERT_EQ(output.dim_size(), 2);
  EXPECT_EQ(output.dim(0).dim_value(), 8);
  EXPECT_EQ(output.dim(1).dim_value(), 10);
}

TEST(ToOnnxTest, BatchZeroLeavesTheBatchOpen) {
  const auto model = ToOnnx(SqueezeNet(), {.input_size = 64, .batch = 0});
  ASSERT_TRUE(model.ok()) << model.status();
  for (const auto* value : {&model->graph().input(0), &model->graph().output(0)}) {
    EXPECT_EQ(value->type().tensor_type().shape().dim(0).dim_param(), "batch");
    EXPECT_FALSE(value->type().tensor_type().shape().dim(0).has_dim_value());
  }
}

TEST(ToOnnxTest, UsesOpset11AndOnlyWhatOldRuntimesKnow) {
  const auto model = ToOnnx(SqueezeNet(), {.input_size = 64});
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(model->opset_import_size(), 1);
  EXPECT_EQ(model->opset_import(0).version(), 11);
  EXPECT_EQ(model->ir_version(), 6);
  std::set<std::string> types;
  for (const onnx::NodeProto& node : model->graph().node()) types.insert(node.op_type());
  EXPECT_THAT(types,
              ElementsAre("Concat", "Conv", "Flatten", "GlobalAveragePool", "MaxPool", "Relu"));
}

TEST(ToOnnxTest, WeightsKeepTheirNamesShapesAndBytes) {
  const Network network = SqueezeNet();
  const auto model = ToOnnx(network, {.input_size = 64});
  ASSERT_TRUE(model.ok()) << model.status();
  TensorMap weights;
  for (const onnx::TensorProto& tensor : model->graph().initializer()) {
    Tensor& copy = weights[tensor.name()];
    copy.shape.assign(tensor.dims().begin(), tensor.dims().end());
    copy.values.resize(tensor.raw_data().size() / sizeof(float));
    std::copy_n(tensor.raw_data().data(), tensor.raw_data().size(),
                reinterpret_cast<char*>(copy.values.data()));
  }
  EXPECT_EQ(weights, network.weights);
}

// The windows of SqueezeNet's pools at 64 fill it; at 100 those of the second and third
// hang over the edge.
TEST(ToOnnxTest, PoolsArePaddedByWhatTheLastWindowHangsOverTheEdge) {
  const Network network = SqueezeNet();
  for (const int size : {64, 100}) {
    const auto model = ToOnnx(network, {.input_size = size});
    ASSERT_TRUE(model.ok()) << model.status();
    const auto shapes = *ComputeShapes(network.genome, size);
    const auto pools = Pools(*model);
    ASSERT_EQ(pools.size(), 3u);
    size_t next = 0;
    for (int i = 0; i < network.genome.size(); ++i) {
      const auto* pool = std::get_if<MaxPool>(&network.genome.layer(i).operation);
      if (pool == nullptr) continue;
      const std::vector<int> pads = Ints(pools[next++], "pads");
      const int in = shapes[network.genome.layer(i).inputs[0]].height;
      EXPECT_THAT(pads, ElementsAre(0, 0, pads[2], pads[2]));
      EXPECT_EQ((in + pads[2] - pool->kernel) / pool->stride + 1, shapes[i].height) << size;
      EXPECT_EQ(pads[2] > 0, size == 100 && (in - pool->kernel) % pool->stride != 0);
    }
  }
}

TEST(ToOnnxTest, AnyGenomePassesTheCheckerAndPadsLessThanAKernel) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    const Network network = RandomNetwork(RandomGenome(seed), seed);
    for (const int more : {0, 1, 2, 3, 10}) {
      const auto model =
          ToOnnx(network, {.input_size = SmallestInputSize(network.genome) + more, .batch = 1});
      ASSERT_TRUE(model.ok()) << model.status();
      for (const onnx::NodeProto& pool : Pools(*model)) {
        for (const int pad : Ints(pool, "pads")) {
          EXPECT_GE(pad, 0);
          EXPECT_LT(pad, Ints(pool, "kernel_shape")[0]);
        }
      }
    }
  }
}

TEST(ToOnnxTest, ALayersNameThatIsATensorsIsNoConflict) {
  std::vector<Layer> layers = {{"in", {}, Input{3}},
                               {"pictures", {0}, Conv2d{1, 1, 0, {0, 1}}},
                               {"pictures.weight", {1}, Relu{}},
                               {"logits", {2}, Conv2d{1, 1, 0, {0, 1}}},
                               {"batch", {3}, GlobalAveragePool{}}};
  const auto genome = Genome::Create(std::move(layers));
  ASSERT_TRUE(genome.ok()) << genome.status();
  const auto model = ToOnnx(RandomNetwork(*genome, 1), {.input_size = 8});
  EXPECT_TRUE(model.ok()) << model.status();
}

TEST(ToOnnxTest, MetadataIsTheHandoutsForTheSizeOfTheModel) {
  Network network = SqueezeNet();
  network.provenance.set_licence("Apache-2.0");
  const auto model = ToOnnx(network, {.input_size = 100});
  ASSERT_TRUE(model.ok()) << model.status();
  std::map<std::string, std::string> metadata;
  for (const auto& entry : model->metadata_props()) metadata[entry.key()] = entry.value();
  std::map<std::string, std::string> expected = HandoutMetadata(network);
  expected["squish.input_size"] = "100";
  EXPECT_EQ(metadata, expected);
}

TEST(ToOnnxTest, TheSameNetworkGivesTheSameBytes) {
  const auto first = ToOnnx(SqueezeNet(), {.input_size = 64, .batch = 2});
  const auto second = ToOnnx(SqueezeNet(), {.input_size = 64, .batch = 2});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->SerializeAsString(), second->SerializeAsString());
}

TEST(ToOnnxTest, PicturesThatAreTooSmallAreRefused) {
  const auto model = ToOnnx(SqueezeNet(), {.input_size = 8});
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(model.status().message()), HasSubstr("too small"));
  EXPECT_EQ(ToOnnx(SqueezeNet(), {}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ToOnnxTest, ANegativeBatchIsRefused) {
  EXPECT_EQ(ToOnnx(SqueezeNet(), {.input_size = 64, .batch = -1}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ToOnnxTest, WeightsOfAnotherGenomeAreRefused) {
  Network network = SqueezeNet();
  network.weights = FreshWeights(*SqueezeNetV11(10, 0.5), 1, 0, 0);
  EXPECT_EQ(ToOnnx(network, {.input_size = 64}).status().code(),
            absl::StatusCode::kInvalidArgument);
  network.weights.clear();
  EXPECT_EQ(ToOnnx(network, {.input_size = 64}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace squish
