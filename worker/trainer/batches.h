// Pictures of a data set as batches for a network. Includes LibTorch.
#ifndef SQUISH_WORKER_TRAINER_BATCHES_H_
#define SQUISH_WORKER_TRAINER_BATCHES_H_

#include "common/torch/aten.h"

#include <vector>

#include "absl/types/span.h"
#include "common/dataset/cache.h"
#include "squish/v1/job.pb.h"
#include "worker/trainer/augmentation.h"
#include "worker/trainer/pixels.h"

namespace squish {

struct Batch {
  at::Tensor pictures;  // N × 3 × side × side, channels-last, (x / 255 - mean) / std.
  at::Tensor labels;    // N, int64.
};

struct Choice {
  int picture = 0;
  Crop crop;
  Colour colour;
};

// Immutable; thread-safe; the cache must outlive it. Reads straight from the mapped cache.
class Batches {
 public:
  // `preprocessing` has three positive deviations.
  Batches(const DatasetCache& cache, v1::Split split, const v1::Preprocessing& preprocessing,
          const at::Device& device);

  int count() const { return count_; }
  const at::Device& device() const { return device_; }

  // Of every picture, by index.
  std::vector<int> Labels() const;

  // Sides in pixels: of the batches' pictures, and of a picture as it is cached.
  int side() const { return side_; }
  int Side(int picture) const { return cache_.Side(split_, picture); }

  // Make in two steps, of which the first may run ahead on another thread: it only fills
  // memory. Where the device is the CPU a staged batch is finished as it is.
  //
  //   Batch staged = batches.Stage(n, bytes);
  //   batches.Fill(choices, staged);              // As often as wanted.
  //   const Batch batch = batches.Finish(staged);
  //
  // Room for n pictures in the host's memory: normalised floats, or, with `bytes`, what
  // is smaller to send to a device, which then normalises them. Bytes can be cropped,
  // not resized or varied in colour.
  Batch Stage(int64_t n, bool bytes) const;
  void Fill(absl::Span<const Choice> choices, const Batch& staged) const;
  Batch Finish(const Batch& staged) const;

  Batch Make(absl::Span<const Choice> choices) const;

  // These pictures, whole and without variation; or pictures first..first+count-1.
  Batch MakePlain(absl::Span<const int> pictures) const;
  Batch MakePlain(int first, int count) const;

 private:
  void Render(const Choice& choice, float* scratch, float* out) const;

  const DatasetCache& cache_;
  const v1::Split split_;
  const int side_;
  const int count_;
  const at::Device device_;
  const Normaliser normaliser_;
  const at::Tensor table_;  // normaliser_'s, 768 floats on the device.
};

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_BATCHES_H_
