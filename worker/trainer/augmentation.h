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

// The window of a picture that the network sees, counted from the picture's upper left
// corner. One that is not resized may stick out; the picture is then reflected.
struct Crop {
  int down = 0;   // Rows by which the window begins below the picture; may be negative.
  int right = 0;  // Columns likewise.
  bool mirrored = false;  // Left and right change places, after everything else.
  // Of a window inside the picture that is resized to the input. 0: the window has the
  // input's size, and nothing is resized.
  int height = 0;
  int width = 0;
};

// Of a picture of `side` pixels, for an input of `input` <= side. Mirroring has
// probability one half. With crop_area 1 the window has the input's size and lies in the
// middle, shifted each way by a whole number of pixels that is uniform in -shift..shift.
// With less it covers a share of the picture's area that is uniform in crop_area..1, its
// width ÷ height is log-uniform in 3/4..4/3 and its place uniform; a window that does not
// fit is drawn anew, after the tenth it is the whole picture.
Crop DrawCrop(const v1::Recipe& recipe, uint64_t seed, int64_t position, int side, int input);

// The whole picture, as selection and export see it.
Crop WholePicture(int side, int input);

// Factors, 1 leaves a picture as it is; see VaryColour (pixels.h).
struct Colour {
  float brightness = 1;
  float contrast = 1;
  float saturation = 1;

  bool IsPlain() const { return brightness == 1 && contrast == 1 && saturation == 1; }
};

// Each factor uniform in 1 - colour..1 + colour.
Colour DrawColour(const v1::Recipe& recipe, uint64_t seed, int64_t position);

// For each of a window's `count` columns (or rows, with mirrored = false) the column of
// the picture that it shows, the first being `first`. Beyond an edge the picture is
// reflected, the edge itself not repeated: -1 shows 1. -side < first, and
// first + count < 2 · side.
std::vector<int> WindowColumns(int side, int first, int count, bool mirrored);

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_AUGMENTATION_H_
