#include "worker/trainer/augmentation.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "common/base/exact_math.h"
#include "common/base/random.h"

namespace squish {
namespace {

constexpr int kCropAttempts = 10;
constexpr double kWidestCrop = 4.0 / 3.0;  // Width ÷ height; the narrowest is its inverse.

// Mirrored or not is left open.
Crop DrawResizedCrop(double least_share, uint64_t seed, int64_t position, int side) {
  const RandomStream stream(RandomDomain::kResizedCrop, {seed, static_cast<uint64_t>(position)});
  const double widest = ExactLog(kWidestCrop);
  for (uint64_t place = 0; place < 4 * kCropAttempts; place += 4) {
    const double share = least_share + (1 - least_share) * stream.Uniform(place);
    const double aspect = ExactExp(widest * (2 * stream.Uniform(place + 1) - 1));
    const double area = share * side * side;
    const int width = static_cast<int>(std::lround(std::sqrt(area * aspect)));
    const int height = static_cast<int>(std::lround(std::sqrt(area / aspect)));
    if (width < 1 || width > side || height < 1 || height > side) continue;
    Crop crop;
    crop.height = height;
    crop.width = width;
    crop.down = static_cast<int>(stream.Below(place + 2, side - height + 1));
    crop.right = static_cast<int>(stream.Below(place + 3, side - width + 1));
    return crop;
  }
  Crop whole;
  whole.height = whole.width = side;
  return whole;
}

}  // namespace

PictureOrder::PictureOrder(uint64_t seed, std::vector<int> labels)
    : seed_(seed), labels_(std::move(labels)) {
  for (const int label : labels_) {
    if (label >= static_cast<int>(class_sizes_.size())) class_sizes_.resize(label + 1);
    ++class_sizes_[label];
  }
}

void PictureOrder::Shuffle(int64_t epoch) {
  order_ = RandomStream(RandomDomain::kShuffle, {seed_, static_cast<uint64_t>(epoch)})
               .Permutation(static_cast<int>(labels_.size()));
  // The r-th of a class's n pictures belongs at (r + 1/2) / n of the epoch; among those
  // that belong at one place the shuffle decides.
  std::vector<int> dealt(class_sizes_.size());
  std::vector<double> place(labels_.size());
  for (const int picture : order_) {
    const int label = labels_[picture];
    place[picture] = (dealt[label]++ + 0.5) / class_sizes_[label];
  }
  std::stable_sort(order_.begin(), order_.end(),
                   [&](int a, int b) { return place[a] < place[b]; });
}

int PictureOrder::At(int64_t position) {
  const auto pictures = static_cast<int64_t>(labels_.size());
  if (position / pictures != epoch_) {
    epoch_ = position / pictures;
    Shuffle(epoch_);
  }
  return order_[position % pictures];
}

Crop DrawCrop(const v1::Recipe& recipe, uint64_t seed, int64_t position, int side, int input) {
  const RandomStream stream(RandomDomain::kAugmentation, {seed});
  const uint64_t place = 3 * static_cast<uint64_t>(position);
  Crop crop;
  if (recipe.crop_area() < 1) {
    crop = DrawResizedCrop(recipe.crop_area(), seed, position, side);
  } else {
    const uint32_t shifts = 2 * static_cast<uint32_t>(recipe.shift()) + 1;
    const int middle = (side - input) / 2;
    crop.down = middle + static_cast<int>(stream.Below(place, shifts)) - recipe.shift();
    crop.right = middle + static_cast<int>(stream.Below(place + 1, shifts)) - recipe.shift();
  }
  crop.mirrored = recipe.flip() && stream.Below(place + 2, 2) == 1;
  return crop;
}

Crop WholePicture(int side, int input) {
  Crop crop;
  if (side != input) crop.height = crop.width = side;
  return crop;
}

Colour DrawColour(const v1::Recipe& recipe, uint64_t seed, int64_t position) {
  const RandomStream stream(RandomDomain::kColour, {seed, static_cast<uint64_t>(position)});
  const auto factor = [&](uint64_t place) {
    return static_cast<float>(1 + recipe.colour() * (2 * stream.Uniform(place) - 1));
  };
  return {.brightness = factor(0), .contrast = factor(1), .saturation = factor(2)};
}

std::vector<int> WindowColumns(int side, int first, int count, bool mirrored) {
  std::vector<int> columns(count);
  for (int x = 0; x < count; ++x) {
    int column = std::abs((mirrored ? count - 1 - x : x) + first);
    if (column >= side) column = 2 * (side - 1) - column;
    columns[x] = column;
  }
  return columns;
}

}  // namespace squish
