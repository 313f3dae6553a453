// The batches that a training learns from, in order, each made while the step before it
// computes. Includes LibTorch.
//
//   Feed feed(train, recipe, seed, first, steps);
//   for (int64_t step = first; step < steps; ++step) Train(feed.Next());
#ifndef SQUISH_WORKER_TRAINER_FEED_H_
#define SQUISH_WORKER_TRAINER_FEED_H_

#include "common/torch/aten.h"

#include <array>
#include <cstdint>
#include <vector>

#include "squish/v1/experiment.pb.h"
#include "worker/trainer/augmentation.h"
#include "worker/trainer/batches.h"
#include "worker/trainer/work_ahead.h"

namespace squish {

// Batch by batch a function of data, recipe and seed alone. Has a thread of its own, on
// which no operation of LibTorch's runs: those threads that compute stay as many as the
// job says. Not thread-safe.
class Feed {
 public:
  // Of recipe.batch() pictures a step, for the steps from `first` to `steps` - 1. `train`
  // must outlive this, and has a picture.
  Feed(const Batches& train, const v1::Recipe& recipe, uint64_t seed, int64_t first,
       int64_t steps);

  // The next step's batch, valid until the next call. Throws c10::Error and what reading
  // the cache threw. To be called once for each step at most.
  Batch Next();

 private:
  std::vector<Choice> Choices(int64_t step);

  const Batches& train_;
  const v1::Recipe recipe_;
  const uint64_t seed_;
  PictureOrder order_;  // The thread's.
  std::array<Batch, WorkAhead::kSlots> staged_;
  WorkAhead ahead_;  // Last: its thread uses all of the above.
};

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_FEED_H_
