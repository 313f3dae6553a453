// A network as a TorchScript file, which LibTorch and PyTorch open without any code of
// ours. No LibTorch in this header.
//
// The module is called with pictures (N × channels × S × S, normalised, any N and any S
// that the genome takes) and gives the logits (N × classes), as the network's own. Its
// parameters are `layerL_weight` and `layerL_bias`, L being the layer's place in the
// genome. What is to be done to a picture, and the class names, are in the extra file
// `metadata.json` (HandoutMetadataJson).
#ifndef SQUISH_WORKER_TRAINER_TORCHSCRIPT_H_
#define SQUISH_WORKER_TRAINER_TORCHSCRIPT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/weights/network.h"

namespace squish {

// The method `forward` that computes the genome, as TorchScript's source. Pure.
std::string TorchScriptSource(const Genome& genome);

// The file. The same network gives the same bytes. INVALID_ARGUMENT: the weights are not
// the genome's. As CatchTorchErrors.
absl::StatusOr<std::string> ToTorchScript(const Network& network);

// Loads a file as anybody would, and gives its outputs, row by row, for `pictures`
// (N × channels × size × size). As CatchTorchErrors; INTERNAL also when it cannot compute
// them. Only for files of our own making: TorchScript executes what is in it.
absl::StatusOr<std::vector<float>> RunTorchScript(const std::string& file, const Tensor& pictures);

// "LibTorch 1.13.1".
std::string LibTorchName();

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_TORCHSCRIPT_H_
