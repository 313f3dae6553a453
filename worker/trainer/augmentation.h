// Which picture comes when, and how it is varied: functions of the job's seed and the
// picture's place in the training alone. Pure; thread-safe but for PictureOrder.
#ifndef SQUISH_WORKER_TRAINER_AUGMENTATION_H_
#define SQUISH_WORKER_TRAINER_AUGMENTATION_H_

#include <cstdint>
#include <vector>

#include "squish/v1/experiment.pb.h"

namespace squish {

// Epoch after epoch of all pictures, each shuffled anew and then dealt so that every
// class is spread evenly over the epoch: a batch holds each class in its share, to
// within one picture or so. Without it the classes' random surplus in a batch is most of
// the gradient of a network without normalisation, and what the first epochs teach it
// is to answer nothing: SqueezeNet v1.1 stays at chance. Not thread-safe.
class PictureOrder {
 public:
  // labels[i] >= 0 is picture i's.
  PictureOrder(uint64_t seed, std::vector<int> labels);

  // The index of the picture at `position` (from 0, over all epochs). Cheap while
  // positions stay in one epoch.
  int At(int64_t position);

 private:
  void Shuffle(int64_t epoch);

  const uint64_t seed_;
  const std::vector<int> labels_;
  std::vector<int> class_sizes_;
  int64_t epoch_ = -1;
  std::vector<int> order_;  // Of epoch_.
};

// A window onto a picture of its own size, shifted and perhaps mirrored.
struct Crop {
  int down = 0;   // Rows by which the window lies below the picture; may be negative.
  int right = 0;  // Columns likewise.
  bool mirrored = false;
};

// Shifts are uniform in -shift..shift, mirroring has probability one half.
Crop DrawCrop(const v1::Recipe& recipe, uint64_t seed, int64_t position);

// For each column of the result (or row, with mirrored = false) the column of the
// picture that it shows. Beyond an edge the picture is reflected, the edge itself
// not repeated: -1 shows 1. |shift| < side.
std::vector<int> WindowColumns(int side, int shift, bool mirrored);

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_AUGMENTATION_H_
