// A genome and its weights, executable by LibTorch: for training and for inference.
// Includes LibTorch; who only wants answers includes inference.h.
//
//   Genome + TensorMap ──► TorchNetwork ──► Forward (autograd records it, if enabled)
//                               │
//                   flat() ◄────┴────► Weights(): TensorMap
//
// All parameters are views of one flat tensor, weights before biases, so that an
// optimiser is a few operations on whole vectors. Convolution weights lie in
// channels-last order, and so should pictures: oneDNN's convolutions then take and
// give what LibTorch stores, without reordering (SqueezeNet v1.1 at 224×224, batch 1,
// one thread: 4.5 ms rather than 12.8).
#ifndef SQUISH_COMMON_TORCH_TORCH_NETWORK_H_
#define SQUISH_COMMON_TORCH_TORCH_NETWORK_H_

#include "common/torch/aten.h"

#include <functional>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/random.h"
#include "common/genome/genome.h"
#include "common/weights/network.h"

namespace squish {

struct ForwardOptions {
  // Set while training: Dropout layers draw their masks from it, a function of the
  // stream, the layer and the place alone. Null: dropout does nothing.
  const RandomStream* dropout = nullptr;
  // Takes the place of the Dropout layers' own rate, in thousandths, 0 to 999.
  std::optional<int> dropout_permille = std::nullopt;
  // Convolutions take, give and pass back bf16, their sums inside being fp32; so do the
  // layers between them. The parameters, their gradients, the means at the end and the
  // logits stay fp32.
  bool bf16 = false;
  // Called with each layer's index and output. A ReLU behind a convolution
  // overwrites that convolution's output afterwards: keep only what was computed
  // from it.
  std::function<void(int layer, const at::Tensor& output)> observe;
};

// Movable. Not thread-safe.
class TorchNetwork {
 public:
  // INVALID_ARGUMENT: the weights are not the genome's. As CatchTorchErrors.
  static absl::StatusOr<TorchNetwork> Create(const Genome& genome, const TensorMap& weights,
                                             const at::Device& device);

  // `pictures`: N × channels × height × width floats on the device, preferably
  // channels-last. The logits, N × classes. Throws c10::Error, e.g. when the
  // pictures are too small for the genome (ComputeShapes says so in advance).
  at::Tensor Forward(const at::Tensor& pictures, const ForwardOptions& options = {}) const;

  // Leaves of autograd's graph, views of flat(): the weights in the order of
  // genome().convs(), then the biases.
  const std::vector<at::Tensor>& parameters() const { return parameters_; }

  // All parameters in storage order. Never requires gradients itself.
  const at::Tensor& flat() const { return flat_; }

  // How many elements of flat() are weights; they come first.
  int64_t weight_elements() const { return weight_elements_; }

  // A gradient for each of parameters(), gathered in the order of flat() into `flat`.
  void Gather(const std::vector<at::Tensor>& gradients, at::Tensor& flat) const;

  // A copy in the genome's own order.
  TensorMap Weights() const;

  const Genome& genome() const { return genome_; }

 private:
  explicit TorchNetwork(const Genome& genome);
  void Load(const TensorMap& weights, const at::Device& device);
  at::Tensor Apply(int layer, const std::vector<at::Tensor>& outputs,
                   const ForwardOptions& options) const;
  at::Tensor Convolve(int layer, const at::Tensor& input, bool bf16) const;
  at::Tensor Rectify(int layer, const at::Tensor& input, const ForwardOptions& options) const;

  Genome genome_;
  std::vector<int> conv_position_;  // By layer: its place in genome_.convs(), else -1.
  std::vector<int> consumers_;      // By layer: how many layers read it.
  std::vector<int> last_reader_;    // By layer: after which layer its output may go.
  at::Tensor flat_;
  int64_t weight_elements_ = 0;
  std::vector<at::Tensor> parameters_;
};

// The mask of a Dropout layer, fp32 of the size and memory format of `like`: 0 with
// probability permille / 1000 (to within 2^-16), else 1 / (1 - that), so that the
// mean stays.
at::Tensor DropoutMask(const RandomStream& stream, int layer, int permille,
                       const at::Tensor& like);

}  // namespace squish

#endif  // SQUISH_COMMON_TORCH_TORCH_NETWORK_H_
