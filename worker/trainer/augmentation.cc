#include "worker/trainer/augmentation.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/base/random.h"

namespace squish {

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

Crop DrawCrop(const v1::Recipe& recipe, uint64_t seed, int64_t position) {
  const RandomStream stream(RandomDomain::kAugmentation, {seed});
  const uint64_t place = 3 * static_cast<uint64_t>(position);
  const uint32_t shifts = 2 * static_cast<uint32_t>(recipe.shift()) + 1;
  Crop crop;
  crop.down = static_cast<int>(stream.Below(place, shifts)) - recipe.shift();
  crop.right = static_cast<int>(stream.Below(place + 1, shifts)) - recipe.shift();
  crop.mirrored = recipe.flip() && stream.Below(place + 2, 2) == 1;
  return crop;
}

std::vector<int> WindowColumns(int side, int shift, bool mirrored) {
  std::vector<int> columns(side);
  for (int x = 0; x < side; ++x) {
    int column = std::abs((mirrored ? side - 1 - x : x) + shift);
    if (column >= side) column = 2 * (side - 1) - column;
    columns[x] = column;
  }
  return columns;
}

}  // namespace squish
