#include "common/torch/torch_network.h"

#include "common/torch/aten.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/base/status_macros.h"
#include "common/torch/torch_status.h"

namespace squish {
namespace {

// Convolution weights between the genome's order (filters, inputs, rows, columns)
// and channels-last storage (filters, rows, columns, inputs).
at::Tensor AsChannelsLastView(const at::Tensor& flat, at::IntArrayRef shape) {
  return flat.view({shape[0], shape[2], shape[3], shape[1]}).permute({0, 3, 1, 2});
}

at::Tensor InStorageOrder(const at::Tensor& tensor) {
  return tensor.dim() == 4 ? tensor.permute({0, 2, 3, 1}).reshape(-1) : tensor.reshape(-1);
}

at::Tensor ViewOf(const Tensor& tensor) {
  return at::from_blob(const_cast<float*>(tensor.values.data()), tensor.shape, at::kFloat);
}

Tensor CopyOf(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.to(at::kCPU).contiguous();
  Tensor copy{plain.sizes().vec(), std::vector<float>(plain.numel())};
  std::memcpy(copy.values.data(), plain.data_ptr<float>(), plain.numel() * sizeof(float));
  return copy;
}

bool OnlyForAnswers(const at::Tensor& input) {
  return input.is_cpu() && !c10::GradMode::is_enabled() && at::globalContext().hasMKLDNN();
}

}  // namespace

TorchNetwork::TorchNetwork(const Genome& genome)
    : genome_(genome),
      conv_position_(genome.size(), -1),
      consumers_(genome.size(), 0),
      last_reader_(genome.size(), genome.size()) {
  for (size_t i = 0; i < genome.convs().size(); ++i) {
    conv_position_[genome.convs()[i]] = static_cast<int>(i);
  }
  for (int i = 0; i < genome.size(); ++i) {
    for (const int input : genome.layer(i).inputs) {
      ++consumers_[input];
      last_reader_[input] = i;
    }
  }
}

absl::StatusOr<TorchNetwork> TorchNetwork::Create(const Genome& genome, const TensorMap& weights,
                                                  const at::Device& device) {
  SQUISH_RETURN_IF_ERROR(CheckWeights(genome, weights));
  return CatchTorchErrors([&]() -> absl::StatusOr<TorchNetwork> {
    TorchNetwork network(genome);
    network.Load(weights, device);
    return network;
  });
}

void TorchNetwork::Load(const TensorMap& weights, const at::Device& device) {
  const c10::NoGradGuard no_gradients;
  std::vector<const Tensor*> sources;
  int64_t elements = 0;
  for (const char* kind : {".weight", ".bias"}) {
    for (const int conv : genome_.convs()) {
      sources.push_back(&weights.at(genome_.layer(conv).name + kind));
      elements += static_cast<int64_t>(sources.back()->values.size());
    }
    if (weight_elements_ == 0) weight_elements_ = elements;
  }
  flat_ = at::empty({elements}, at::device(device).dtype(at::kFloat));
  int64_t offset = 0;
  for (const Tensor* source : sources) {
    const int64_t size = static_cast<int64_t>(source->values.size());
    at::Tensor parameter = flat_.narrow(0, offset, size);
    if (source->shape.size() == 4) parameter = AsChannelsLastView(parameter, source->shape);
    parameter.copy_(ViewOf(*source));
    parameters_.push_back(parameter.detach().set_requires_grad(true));
    offset += size;
  }
}

void TorchNetwork::Gather(const std::vector<at::Tensor>& gradients, at::Tensor& flat) const {
  std::vector<at::Tensor> parts;
  parts.reserve(gradients.size());
  for (const at::Tensor& gradient : gradients) parts.push_back(InStorageOrder(gradient));
  at::cat_out(flat, parts);
}

TensorMap TorchNetwork::Weights() const {
  const c10::NoGradGuard no_gradients;
  TensorMap weights;
  const size_t count = genome_.convs().size();
  for (size_t i = 0; i < count; ++i) {
    const std::string& name = genome_.layer(genome_.convs()[i]).name;
    weights[name + ".weight"] = CopyOf(parameters_[i]);
    weights[name + ".bias"] = CopyOf(parameters_[count + i]);
  }
  return weights;
}

at::Tensor TorchNetwork::Convolve(int layer, const at::Tensor& input, bool bf16) const {
  const Conv2d& conv = genome_.conv(layer);
  const int position = conv_position_[layer];
  const at::Tensor& weight = parameters_[position];
  const at::Tensor& bias = parameters_[genome_.convs().size() + position];
  const std::array<int64_t, 2> padding = {conv.padding, conv.padding};
  const std::array<int64_t, 2> stride = {conv.stride, conv.stride};
  const std::array<int64_t, 2> dilation = {1, 1};
  if (bf16) {
    return at::conv2d(input.to(at::kBFloat16), weight.to(at::kBFloat16), bias.to(at::kBFloat16),
                      stride, padding, dilation);
  }
  // LibTorch itself hands small batches of 1×1 kernels to BLAS, which is several
  // times slower where that is the reference one.
  if (OnlyForAnswers(input)) {
    return at::mkldnn_convolution(input, weight, bias, padding, stride, dilation, /*groups=*/1);
  }
  return at::conv2d(input, weight, bias, stride, padding, dilation);
}

at::Tensor TorchNetwork::Rectify(int layer, const at::Tensor& input,
                                 const ForwardOptions& options) const {
  const int source = genome_.layer(layer).inputs[0];
  // No gradient needs a convolution's own output, so it may be overwritten where
  // nobody else reads it: neither another layer nor an observer of the head.
  const bool observed = options.observe && source == genome_.head();
  if (genome_.IsConv(source) && consumers_[source] == 1 && !observed) {
    at::Tensor output = input;
    return output.relu_();
  }
  return at::relu(input);
}

at::Tensor TorchNetwork::Apply(int layer, const std::vector<at::Tensor>& outputs,
                               const ForwardOptions& options) const {
  const Layer& what = genome_.layer(layer);
  const at::Tensor& input = outputs[what.inputs[0]];
  if (genome_.IsConv(layer)) return Convolve(layer, input, options.bf16);
  if (std::holds_alternative<Relu>(what.operation)) return Rectify(layer, input, options);
  if (std::holds_alternative<GlobalAveragePool>(what.operation)) {
    return input.to(at::kFloat).mean({2, 3}, /*keepdim=*/true);
  }
  if (const auto* pool = std::get_if<MaxPool>(&what.operation)) {
    return at::max_pool2d(input, pool->kernel, pool->stride, /*padding=*/0, /*dilation=*/1,
                          /*ceil_mode=*/true);
  }
  if (const auto* dropout = std::get_if<Dropout>(&what.operation)) {
    const int permille = options.dropout_permille.value_or(dropout->permille);
    if (options.dropout == nullptr || permille == 0) return input;
    return input * DropoutMask(*options.dropout, layer, permille, input);
  }
  std::vector<at::Tensor> parts;  // Concat: the only operation that is left.
  for (const int part : what.inputs) parts.push_back(outputs[part]);
  return at::cat(parts, 1);
}

at::Tensor TorchNetwork::Forward(const at::Tensor& pictures, const ForwardOptions& options) const {
  std::vector<at::Tensor> outputs(genome_.size());
  outputs[0] = pictures;
  for (int i = 0; i < genome_.size(); ++i) {
    if (i > 0) outputs[i] = Apply(i, outputs, options);
    if (options.observe) options.observe(i, outputs[i]);
    for (const int input : genome_.layer(i).inputs) {
      if (last_reader_[input] == i) outputs[input].reset();
    }
  }
  return outputs.back().flatten(1).to(at::kFloat);
}

at::Tensor DropoutMask(const RandomStream& stream, int layer, int permille,
                       const at::Tensor& like) {
  const uint64_t name = 2 * static_cast<uint64_t>(layer);
  const std::array<uint32_t, 2> key = {stream.Bits(name), stream.Bits(name + 1)};
  const uint32_t threshold = static_cast<uint32_t>((int64_t{permille} * 65536 + 500) / 1000);
  const float kept = 1.0f / (1.0f - static_cast<float>(permille) / 1000.0f);
  at::Tensor mask = at::empty_like(like, like.options().device(at::kCPU).dtype(at::kFloat));
  float* values = mask.data_ptr<float>();
  const int64_t count = mask.numel();
  constexpr int64_t kPerBlock = 8;  // 16 bits each of a block's 128.
  for (int64_t block = 0; block * kPerBlock < count; ++block) {
    const auto bits = Philox4x32(
        {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0}, key);
    float* out = values + block * kPerBlock;
    const int64_t end = std::min(kPerBlock, count - block * kPerBlock);
    for (int64_t i = 0; i < end; ++i) {
      out[i] = ((bits[i / 2] >> (16 * (i % 2))) & 0xFFFF) < threshold ? 0.0f : kept;
    }
  }
  return mask.to(like.device());
}

}  // namespace squish
