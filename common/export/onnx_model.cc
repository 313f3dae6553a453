#include "common/export/onnx_model.h"

#include <onnx/checker.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/export/handout.h"
#include "common/genome/shapes.h"

namespace squish {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

constexpr int kOpset = 11;
constexpr int kIrVersion = 6;  // The one that came with opset 11.
constexpr char kPictures[] = "pictures";
constexpr char kLogits[] = "logits";

void AddInts(onnx::NodeProto& node, const char* name, std::initializer_list<int> values) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INTS);
  for (const int value : values) attribute.add_ints(value);
}

void AddInt(onnx::NodeProto& node, const char* name, int value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

// What a pool that rounds down lacks behind the edge, to have as many windows as one that
// rounds up. Less than the kernel, because the last window starts inside the input.
int EndPad(const MaxPool& pool, int input, int output) {
  return std::max(0, (output - 1) * pool.stride + pool.kernel - input);
}

class GraphWriter {
 public:
  GraphWriter(const Network& network, const OnnxOptions& options, std::vector<Shape> shapes,
              onnx::GraphProto& graph)
      : network_(network),
        genome_(network.genome),
        options_(options),
        shapes_(std::move(shapes)),
        graph_(graph) {}

  void Write() {
    graph_.set_name("squish");
    const Shape& in = shapes_[0];
    Declare(*graph_.add_input(), kPictures, {in.channels, in.height, in.width});
    outputs_.push_back(kPictures);
    for (int i = 1; i < genome_.size(); ++i) {
      std::visit([this, i](const auto& operation) { WriteLayer(i, operation); },
                 genome_.layer(i).operation);
    }
    onnx::NodeProto& flatten = *graph_.add_node();
    flatten.set_op_type("Flatten");
    flatten.set_name(kLogits);
    flatten.add_input(outputs_.back());
    flatten.add_output(kLogits);
    AddInt(flatten, "axis", 1);
    Declare(*graph_.add_output(), kLogits, {genome_.classes()});
  }

 private:
  // A batch of tensors with these sides.
  void Declare(onnx::ValueInfoProto& value, const char* name, std::initializer_list<int> sides) {
    value.set_name(name);
    onnx::TypeProto::Tensor& type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    auto& batch = *type.mutable_shape()->add_dim();
    if (options_.batch == 0) {
      batch.set_dim_param("batch");
    } else {
      batch.set_dim_value(options_.batch);
    }
    for (const int side : sides) type.mutable_shape()->add_dim()->set_dim_value(side);
  }

  // A node for layer `index` that reads what the layer reads. No layer's name and no
  // tensor's has a colon, so outputs cannot meet them.
  onnx::NodeProto& AddNode(int index, const char* type) {
    const Layer& layer = genome_.layer(index);
    onnx::NodeProto& node = *graph_.add_node();
    node.set_op_type(type);
    node.set_name(layer.name);
    for (const int input : layer.inputs) node.add_input(outputs_[input]);
    outputs_.push_back(absl::StrCat(layer.name, ":0"));
    node.add_output(outputs_.back());
    return node;
  }

  void AddWeights(onnx::NodeProto& node, const std::string& name) {
    const Tensor& tensor = network_.weights.at(name);
    onnx::TensorProto& copy = *graph_.add_initializer();
    copy.set_name(name);
    copy.set_data_type(onnx::TensorProto::FLOAT);
    for (const int64_t side : tensor.shape) copy.add_dims(side);
    copy.set_raw_data(tensor.values.data(), tensor.values.size() * sizeof(float));
    node.add_input(name);
  }

  void WriteLayer(int index, const Conv2d& conv) {
    onnx::NodeProto& node = AddNode(index, "Conv");
    AddWeights(node, genome_.layer(index).name + ".weight");
    AddWeights(node, genome_.layer(index).name + ".bias");
    AddInts(node, "kernel_shape", {conv.kernel, conv.kernel});
    AddInts(node, "strides", {conv.stride, conv.stride});
    AddInts(node, "pads", {conv.padding, conv.padding, conv.padding, conv.padding});
    AddInts(node, "dilations", {1, 1});
    AddInt(node, "group", 1);
  }

  void WriteLayer(int index, const MaxPool& pool) {
    const Shape& in = shapes_[genome_.layer(index).inputs[0]];
    const Shape& out = shapes_[index];
    onnx::NodeProto& node = AddNode(index, "MaxPool");
    AddInts(node, "kernel_shape", {pool.kernel, pool.kernel});
    AddInts(node, "strides", {pool.stride, pool.stride});
    AddInts(node, "pads",
            {0, 0, EndPad(pool, in.height, out.height), EndPad(pool, in.width, out.width)});
  }

  void WriteLayer(int index, const Relu&) { AddNode(index, "Relu"); }
  void WriteLayer(int index, const GlobalAveragePool&) { AddNode(index, "GlobalAveragePool"); }
  void WriteLayer(int index, const Concat&) { AddInt(AddNode(index, "Concat"), "axis", 1); }
  // For training only: whoever reads it reads what it reads.
  void WriteLayer(int index, const Dropout&) {
    outputs_.push_back(outputs_[genome_.layer(index).inputs[0]]);
  }
  void WriteLayer(int, const Input&) {}  // Layer 0 alone, which Write declares.

  const Network& network_;
  const Genome& genome_;
  const OnnxOptions& options_;
  const std::vector<Shape> shapes_;
  onnx::GraphProto& graph_;
  std::vector<std::string> outputs_;  // By layer: the tensor that it gives.
};

absl::Status CheckModel(const onnx::ModelProto& model) {
  if (model.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::ResourceExhaustedError("the network is too large for ONNX: over 2 GiB");
  }
  try {
    onnx::checker::check_model(model);
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("ONNX's checker refuses the model: ", error.what()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<onnx::ModelProto> ToOnnx(const Network& network, const OnnxOptions& options) {
  if (options.batch < 0) {
    return absl::InvalidArgumentError(absl::StrCat("a batch of ", options.batch, " is negative"));
  }
  SQUISH_RETURN_IF_ERROR(CheckWeights(network.genome, network.weights));
  SQUISH_ASSIGN_OR_RETURN(std::vector<Shape> shapes,
                          ComputeShapes(network.genome, options.input_size));
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("squish");
  model.add_opset_import()->set_version(kOpset);
  GraphWriter(network, options, std::move(shapes), *model.mutable_graph()).Write();
  std::map<std::string, std::string> metadata = HandoutMetadata(network);
  // The model's, which the network's own need not be.
  metadata["squish.input_size"] = absl::StrCat(options.input_size);
  for (const auto& [key, value] : metadata) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  SQUISH_RETURN_IF_ERROR(CheckModel(model));
  return model;
}

}  // namespace squish
