#include "tests/support/torch_reference.h"

#include <cstdlib>
#include <iostream>
#include <random>
#include <utility>

#include "common/torch/inference.h"

namespace squish {

ReferenceOutputs TorchReference(const Network& network, int size, int count, uint64_t seed) {
  std::mt19937_64 engine(seed);
  Tensor pictures{{count, network.genome.OutputChannels(0), size, size}, {}};
  pictures.values.resize(size_t{1} * count * pictures.shape[1] * size * size);
  for (float& value : pictures.values) {
    value = static_cast<float>(engine() % 4096) / 1024.0f - 2.0f;
  }
  return TorchReference(network, std::move(pictures));
}

ReferenceOutputs TorchReference(const Network& network, Tensor pictures) {
  const int count = static_cast<int>(pictures.shape[0]);
  const int channels = static_cast<int>(pictures.shape[1]);
  const int size = static_cast<int>(pictures.shape[2]);
  const auto inference = Inference::Create(network.genome, network.weights, count, size);
  // Inference wants channels last.
  std::vector<float> pixels(pictures.values.size());
  const size_t plane = static_cast<size_t>(size) * size;
  for (int n = 0; n < count; ++n) {
    for (int c = 0; c < channels; ++c) {
      for (size_t i = 0; i < plane; ++i) {
        pixels[(n * plane + i) * channels + c] = pictures.values[(n * channels + c) * plane + i];
      }
    }
  }
  Tensor logits{{count, network.genome.classes()}, {}};
  logits.values.resize(logits.shape[0] * logits.shape[1]);
  const absl::Status status = inference.ok()
                                  ? (*inference)->Run(pixels, absl::MakeSpan(logits.values))
                                  : inference.status();
  if (!status.ok()) {
    std::cerr << "TorchReference: " << status << std::endl;
    std::abort();
  }
  return {size, std::move(pictures), std::move(logits)};
}

}  // namespace squish
