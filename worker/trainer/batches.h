// Pictures of a data set as batches for a network. Includes LibTorch.
#ifndef SQUISH_WORKER_TRAINER_BATCHES_H_
#define SQUISH_WORKER_TRAINER_BATCHES_H_

#include "common/torch/aten.h"

#include <array>
#include <vector>

#include "absl/types/span.h"
#include "common/dataset/cache.h"
#include "squish/v1/job.pb.h"
#include "worker/trainer/augmentation.h"

namespace squish {

struct Batch {
  at::Tensor pictures;  // N × 3 × side × side, channels-last, (x / 255 - mean) / std.
  at::Tensor labels;    // N, int64.
};

struct Choice {
  int picture = 0;
  Crop crop;
};

// Immutable; the cache must outlive it. Reads straight from the mapped cache.
class Batches {
 public:
  // `preprocessing` has three positive deviations.
  Batches(const DatasetCache& cache, v1::Split split, const v1::Preprocessing& preprocessing,
          const at::Device& device);

  int count() const { return count_; }

  // Of every picture, by index.
  std::vector<int> Labels() const;

  Batch Make(absl::Span<const Choice> choices) const;

  // Pictures first..first+count-1 as they are.
  Batch MakePlain(int first, int count) const;

 private:
  void Render(const Choice& choice, float* out) const;

  const DatasetCache& cache_;
  const v1::Split split_;
  const int side_;
  const int count_;
  const at::Device device_;
  // What each byte of each channel becomes.
  std::array<std::array<float, 256>, 3> normalised_;
};

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_BATCHES_H_
