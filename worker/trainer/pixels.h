// A picture's bytes become what a network is fed: window, colour, normalisation. Plain
// loops over a picture that the compiler vectorises, rather than LibTorch's operations:
// the same bits on every processor, no thread of LibTorch's, nothing allocated.
//
//   bytes ── CopyWindow ────► bytes ── Normaliser::Bytes ──────────────────► floats
//     │                         │                                             ▲
//     │                     SplitChannels                                     │
//     │                         ▼                                             │
//     └───── ResizeWindow ──► planes ── VaryColour ── Normaliser::Planes ─────┘
//
// Pictures are HWC in RGB order; planes are three pictures of one channel each, R, G, B,
// of floats from 0 to 255. No LibTorch. Thread-safe.
#ifndef SQUISH_WORKER_TRAINER_PIXELS_H_
#define SQUISH_WORKER_TRAINER_PIXELS_H_

#include <array>
#include <cstdint>

#include "squish/v1/job.pb.h"
#include "worker/trainer/augmentation.h"

namespace squish {

// The window of input × input pixels of a picture of side × side, reflected where it
// sticks out. `crop` has no height and width.
void CopyWindow(const uint8_t* picture, int side, const Crop& crop, int input, uint8_t* out);

// The same bytes, a plane a channel.
void SplitChannels(const uint8_t* bytes, int64_t pixels, float* planes);

// The window, which lies inside the picture, resized to input × input by bilinear
// interpolation between its own pixels: pixel x of the result lies at
// (x + 1/2) · width / input - 1/2 of the window, held to the window's edges. Nothing is
// smoothed first; a window is seldom much larger than the input.
void ResizeWindow(const uint8_t* picture, int side, const Crop& crop, int input, float* planes);

// In this order, each result held to 0..255, grey = 0.299 R + 0.587 G + 0.114 B:
//   brightness   v ← b · v
//   contrast     v ← m + c · (v - m),  m the mean grey of the picture
//   saturation   v ← g + s · (v - g),  g the pixel's own grey
void VaryColour(const Colour& colour, int64_t pixels, float* planes);

// (x / 255 - mean) / std, interleaved again.
class Normaliser {
 public:
  // `preprocessing` has three means and three positive deviations.
  explicit Normaliser(const v1::Preprocessing& preprocessing);

  void Bytes(const uint8_t* bytes, int64_t pixels, float* out) const;
  void Planes(const float* planes, int64_t pixels, float* out) const;

  // What byte b of channel c becomes: table()[c][b].
  const std::array<std::array<float, 256>, 3>& table() const { return table_; }

 private:
  std::array<std::array<float, 256>, 3> table_;
  std::array<float, 3> scale_;   // Of x.
  std::array<float, 3> offset_;  // Added then.
};

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_PIXELS_H_
