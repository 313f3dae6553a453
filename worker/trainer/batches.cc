#include "worker/trainer/batches.h"

#include "common/torch/aten.h"


namespace squish {

Batches::Batches(const DatasetCache& cache, v1::Split split,
                 const v1::Preprocessing& preprocessing, const at::Device& device)
    : cache_(cache),
      split_(split),
      side_(cache.image_size()),
      count_(cache.Count(split)),
      device_(device) {
  for (int channel = 0; channel < 3; ++channel) {
    for (int byte = 0; byte < 256; ++byte) {
      const double value = (byte / 255.0 - preprocessing.mean(channel)) / preprocessing.std(channel);
      normalised_[channel][byte] = static_cast<float>(value);
    }
  }
}

std::vector<int> Batches::Labels() const {
  std::vector<int> labels(count_);
  for (int i = 0; i < count_; ++i) labels[i] = cache_.Label(split_, i);
  return labels;
}

void Batches::Render(const Choice& choice, float* out) const {
  const std::vector<int> rows = WindowColumns(side_, choice.crop.down, /*mirrored=*/false);
  const std::vector<int> columns = WindowColumns(side_, choice.crop.right, choice.crop.mirrored);
  const uint8_t* const picture = cache_.Image(split_, choice.picture).data();
  for (const int row : rows) {
    const uint8_t* const line = picture + static_cast<size_t>(row) * side_ * 3;
    for (const int column : columns) {
      const uint8_t* const pixel = line + 3 * column;
      for (int channel = 0; channel < 3; ++channel) *out++ = normalised_[channel][pixel[channel]];
    }
  }
}

Batch Batches::Make(absl::Span<const Choice> choices) const {
  const int64_t count = static_cast<int64_t>(choices.size());
  at::Tensor pixels = at::empty({count, side_, side_, 3}, at::kFloat);
  at::Tensor labels = at::empty({count}, at::kLong);
  float* out = pixels.data_ptr<float>();
  for (int64_t i = 0; i < count; ++i, out += static_cast<size_t>(side_) * side_ * 3) {
    Render(choices[i], out);
    labels.data_ptr<int64_t>()[i] = cache_.Label(split_, choices[i].picture);
  }
  return {pixels.to(device_).permute({0, 3, 1, 2}), labels.to(device_)};
}

Batch Batches::MakePlain(int first, int count) const {
  std::vector<Choice> choices(count);
  for (int i = 0; i < count; ++i) choices[i].picture = first + i;
  return Make(choices);
}

}  // namespace squish
