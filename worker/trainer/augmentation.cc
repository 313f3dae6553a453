#include "worker/trainer/augmentation.h"

#include <cstdlib>

#include "common/base/random.h"

namespace squish {

int PictureOrder::At(int64_t position) {
  const int64_t epoch = position / pictures_;
  if (epoch != epoch_) {
    order_ = RandomStream(RandomDomain::kShuffle, {seed_, static_cast<uint64_t>(epoch)})
                 .Permutation(pictures_);
    epoch_ = epoch;
  }
  return order_[position % pictures_];
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
