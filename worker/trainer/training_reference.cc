#include "worker/trainer/training_reference.h"

#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/status_macros.h"
#include "common/dataset/resize.h"
#include "common/torch/inference.h"

namespace squish {
namespace {

// Channels last, as they are cached.
std::vector<float> Pixels(const DatasetCache& data, const v1::Preprocessing& preprocessing,
                          int count, int size) {
  std::vector<float> pixels;
  std::vector<uint8_t> resized(static_cast<size_t>(size) * size * 3);
  for (int i = 0; i < count; ++i) {
    const int picture = static_cast<int>(int64_t{i} * data.Count(v1::TRAIN) / count);
    SquareResizer(data.Side(v1::TRAIN, picture), size)
        .Resize(data.Image(v1::TRAIN, picture), absl::MakeSpan(resized));
    for (size_t j = 0; j < resized.size(); ++j) {
      const int channel = static_cast<int>(j % 3);
      pixels.push_back(static_cast<float>((resized[j] / 255.0 - preprocessing.mean(channel)) /
                                          preprocessing.std(channel)));
    }
  }
  return pixels;
}

Tensor ChannelsFirst(const std::vector<float>& pixels, int count, int size) {
  Tensor pictures{{count, 3, size, size}, std::vector<float>(pixels.size())};
  const size_t plane = static_cast<size_t>(size) * size;
  for (size_t i = 0; i < pixels.size(); ++i) {
    const size_t channel = i % 3, place = i / 3 % plane, picture = i / 3 / plane;
    pictures.values[(picture * 3 + channel) * plane + place] = pixels[i];
  }
  return pictures;
}

}  // namespace

absl::StatusOr<ReferenceOutputs> MakeReference(const Network& network, const DatasetCache& data,
                                               int count, int size) {
  const std::vector<float> pixels = Pixels(data, network.preprocessing, count, size);
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Inference> inference,
                          Inference::Create(network.genome, network.weights, count, size));
  ReferenceOutputs outputs{size, ChannelsFirst(pixels, count, size), {}};
  outputs.logits.shape = {count, network.genome.classes()};
  outputs.logits.values.resize(static_cast<size_t>(count) * network.genome.classes());
  SQUISH_RETURN_IF_ERROR(inference->Run(pixels, absl::MakeSpan(outputs.logits.values)));
  return outputs;
}

}  // namespace squish
