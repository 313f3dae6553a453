// A network: genome, weights, and what it expects of its pictures. One network is
// one .safetensors file, the form in which it is stored and sent.
#ifndef SQUISH_COMMON_WEIGHTS_NETWORK_H_
#define SQUISH_COMMON_WEIGHTS_NETWORK_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/random.h"
#include "common/genome/genome.h"
#include "squish/v1/job.pb.h"

namespace squish {

// A dense fp32 tensor, row-major.
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
  friend bool operator==(const Tensor&, const Tensor&) = default;
};

using TensorMap = std::map<std::string, Tensor>;

// Value type; not thread-safe while modified.
struct Network {
  Genome genome;
  TensorMap weights;                     // Exactly NAME.weight and NAME.bias of every convolution.
  std::vector<std::string> class_names;  // In label order; as many as classes.
  v1::Preprocessing preprocessing;
  v1::Provenance provenance = {};  // Of weights that were imported, here or in an ancestor.

  // The canonical file: metadata keys `squish.genome`, `squish.class_names` (JSON
  // array), `squish.input_size`, `squish.resize`, `squish.mean`, `squish.std` (JSON
  // arrays), `squish.channel_order` ("RGB") and `format` ("pt"); `squish.licence` and
  // `squish.note` where they are not empty. Equal networks give equal bytes; an unspecified resize rule is written as SQUASH. The weights must be
  // the genome's (CheckWeights).
  std::string ToSafetensors() const;

  // INVALID_ARGUMENT: not safetensors, no or bad genome, a tensor missing, extra, of
  // another shape or type, or not finite; class names that do not fit; preprocessing
  // that is missing or impossible (it must have a mean and a std for each channel);
  // provenance that is too long.
  // Metadata that is not ours is ignored.
  static absl::StatusOr<Network> FromSafetensors(absl::string_view file);
};

// What ToSafetensors writes into the file's `__metadata__`.
std::map<std::string, std::string> NetworkMetadata(const Network& network);

// SHA-256 (hex) over tensors sorted by name: name, shape, values.
std::string WeightsDigest(const TensorMap& weights);

// Names and shapes of exactly the tensors that the genome has.
std::map<std::string, std::vector<int64_t>> TensorShapes(const Genome& genome);

// Whether the tensors are exactly those that the genome has. INVALID_ARGUMENT names
// the first that is missing, extra or of another shape.
absl::Status CheckWeights(const Genome& genome, const TensorMap& weights);

// Fresh weights as torchvision draws SqueezeNet's: Kaiming's uniform (bound
// sqrt(6 / fan_in)) for convolutions, normal with deviation 0.01 for the head. Biases
// are 0, but 10 for the head's, so that the ReLU behind it shuts no class out before it
// has learnt something. Bit-exact on every machine; weight j of layer l depends on
// (`name`, l, j) alone. `name`: experiment seed, generation, index.
TensorMap FreshWeights(const Genome& genome, uint64_t seed, uint64_t generation, uint64_t index);

// The tensors of a plain torchvision SqueezeNet v1.1 file (no genome in it), with
// the genome that they imply. INVALID_ARGUMENT names the tensor that does not fit.
struct ImportedNetwork {
  Genome genome;
  TensorMap weights;
};
absl::StatusOr<ImportedNetwork> ImportTorchvisionSqueezeNet(absl::string_view file);

}  // namespace squish

#endif  // SQUISH_COMMON_WEIGHTS_NETWORK_H_
