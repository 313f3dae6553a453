#include "common/dataset/built_in_shapes.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "common/base/sha256.h"
#include "common/dataset/shape_outline.h"
#include "common/dataset/shape_texture.h"

namespace squish {
namespace {

// What makes the set as hard as it is. Lengths are in half pictures, colours in [0, 1].
constexpr double kSmallestRadius = 0.6, kLargestRadius = 0.8;
// A few shapes are far away, and hard to tell: they keep the best networks below 100 %.
constexpr double kFar = 0.06;
constexpr double kSmallestFarRadius = 0.1, kLargestFarRadius = 0.25;
constexpr double kMostSquash = 0.25;  // Of one axis against the other.
constexpr double kMostTilt = 0.35;    // Tangent of the angle.
constexpr double kLeastContrast = 0.6;  // Shape to ground, as a distance in RGB.
constexpr double kTextureContrast = 0.06;
constexpr int kMostPiecesBehind = 4, kMostPiecesBefore = 2;
constexpr double kSmallestPiece = 0.08, kLargestPiece = 0.2;
constexpr double kMostShade = 0.2;  // Change of light across half the picture.
constexpr double kMostNoise = 0.05;  // Amplitude of a pixel's uniform noise.

// A picture being painted, in the plane [−1, 1]².
class Canvas {
 public:
  explicit Canvas(int size) : size_(size), pixels_(size_t{1} * size * size) {}

  double pixel_width() const { return 2.0 / size_; }
  Point At(int x, int y) const {
    return {(x + 0.5) * pixel_width() - 1.0, (y + 0.5) * pixel_width() - 1.0};
  }
  Colour& Pixel(int x, int y) { return pixels_[size_t{1} * y * size_ + x]; }

  // The pixels from `low` to `high` (in the plane) that lie on the canvas.
  int FirstPixel(double low) const {
    return std::clamp(static_cast<int>((low + 1.0) / pixel_width()), 0, size_);
  }
  int LastPixel(double high) const {
    return std::clamp(static_cast<int>((high + 1.0) / pixel_width()) + 1, 0, size_);
  }

 private:
  const int size_;
  std::vector<Colour> pixels_;
};

// An outline somewhere in the picture.
struct Pose {
  Outline outline;
  Point centre;
  double radius;
  Point up;       // Unit vector.
  double squash;  // The height's share of the width, at most 1.
};

void Paint(const Pose& pose, const Texture& texture, Canvas& canvas) {
  const double reach = pose.radius + canvas.pixel_width();
  const int left = canvas.FirstPixel(pose.centre.x - reach);
  const int right = canvas.LastPixel(pose.centre.x + reach);
  const int top = canvas.FirstPixel(pose.centre.y - reach);
  const int bottom = canvas.LastPixel(pose.centre.y + reach);
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) {
      const Point place = canvas.At(x, y);
      const double dx = place.x - pose.centre.x, dy = place.y - pose.centre.y;
      const Point local = {(pose.up.x * dx + pose.up.y * dy) / pose.radius,
                           (pose.up.x * dy - pose.up.y * dx) / (pose.radius * pose.squash)};
      // Coverage of the pixel, from the distance to its centre.
      const double outside =
          DistanceOutside(pose.outline, local) * pose.radius / canvas.pixel_width();
      const double cover = std::clamp(0.5 - outside, 0.0, 1.0);
      if (cover == 0.0) continue;
      const Colour colour = texture.At(place);
      Colour& pixel = canvas.Pixel(x, y);
      for (size_t c = 0; c < 3; ++c) pixel[c] += (colour[c] - pixel[c]) * cover;
    }
  }
}

void PaintGround(const Texture& texture, int size, Canvas& canvas) {
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) canvas.Pixel(x, y) = texture.At(canvas.At(x, y));
  }
}

Pose ShapePose(Outline outline, Dice& dice) {
  Pose pose;
  pose.outline = outline;
  pose.radius = dice.Uniform(0.0, 1.0) < kFar
                    ? dice.Uniform(kSmallestFarRadius, kLargestFarRadius)
                    : dice.Uniform(kSmallestRadius, kLargestRadius);
  const double room = 0.9 - pose.radius;  // Most of the shape stays in the picture.
  pose.centre = {dice.Uniform(-room, room), dice.Uniform(-room, room)};
  const double tilt = dice.Uniform(-kMostTilt, kMostTilt);
  const double length = std::sqrt(1.0 + tilt * tilt);
  pose.up = {1.0 / length, tilt / length};
  pose.squash = dice.Uniform(1.0 - kMostSquash, 1.0);
  return pose;
}

Pose PiecePose(Dice& dice) {
  Pose pose;
  pose.outline = static_cast<Outline>(dice.Below(kOutlines));
  pose.radius = dice.Uniform(kSmallestPiece, kLargestPiece);
  pose.centre = {dice.Uniform(-1.0, 1.0), dice.Uniform(-1.0, 1.0)};
  pose.up = dice.Direction();
  pose.squash = dice.Uniform(0.5, 1.0);
  return pose;
}

void PaintPieces(int most, Dice& dice, Canvas& canvas) {
  for (int i = dice.Below(most + 1); i > 0; --i) {
    const Pose pose = PiecePose(dice);
    const Texture texture(dice.AnyColour(), kTextureContrast, dice);
    Paint(pose, texture, canvas);
  }
}

void PaintScene(Outline outline, int size, Dice& dice, Canvas& canvas) {
  const Colour ground = dice.AnyColour();
  Colour shape = dice.AnyColour();
  while (ColourDistance(ground, shape) < kLeastContrast) shape = dice.AnyColour();
  PaintGround(Texture(ground, kTextureContrast, dice), size, canvas);
  PaintPieces(kMostPiecesBehind, dice, canvas);
  const Pose pose = ShapePose(outline, dice);
  Paint(pose, Texture(shape, kTextureContrast, dice), canvas);
  PaintPieces(kMostPiecesBefore, dice, canvas);
}

// Uneven light and noise, then bytes.
void Expose(int size, const RandomStream& noise, Dice& dice, Canvas& canvas,
            absl::Span<uint8_t> out) {
  const Point light = dice.Direction();
  const double shade = dice.Uniform(0.0, kMostShade);
  const double amplitude = dice.Uniform(0.0, kMostNoise);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const Point place = canvas.At(x, y);
      const double gain = 1.0 + shade * (light.x * place.x + light.y * place.y);
      const size_t i = size_t{1} * y * size + x;
      const uint32_t bits = noise.Bits(i);  // Ten for each channel.
      for (int c = 0; c < 3; ++c) {
        const double grain = ((bits >> (10 * c)) & 1023) / 511.5 - 1.0;
        const double value = canvas.Pixel(x, y)[c] * gain + amplitude * grain;
        out[3 * i + c] = static_cast<uint8_t>(std::clamp(value, 0.0, 1.0) * 255.0 + 0.5);
      }
    }
  }
}

}  // namespace

const std::vector<std::string>& BuiltInShapesSource::class_names() const {
  return OutlineNames();
}

absl::StatusOr<std::string> BuiltInShapesSource::Identity(absl::FunctionRef<void()>) const {
  return absl::StrCat(spec_.seed(), " ", spec_.train_images(), " ", spec_.val_images());
}

absl::StatusOr<PictureSource::Picture> BuiltInShapesSource::Read(int index, MarginRule /*margin*/,
                                                                 absl::Span<uint8_t> room) {
  const absl::Span<uint8_t> pixels = room.first(size_t{3} * input_size_ * input_size_);
  const bool train = index < train_images();
  const uint64_t split = train ? 0 : 1;
  const int number = train ? index : index - train_images();
  const int label = number % kOutlines;
  const auto stream = [&](uint64_t purpose) {
    return RandomStream(RandomDomain::kBuiltInShapes,
                        {spec_.seed(), split, static_cast<uint64_t>(number), purpose});
  };
  Dice dice(stream(0));
  Canvas canvas(input_size_);
  PaintScene(static_cast<Outline>(label), input_size_, dice, canvas);
  Expose(input_size_, stream(1), dice, canvas, pixels);
  return Picture{label, Sha256Hex({reinterpret_cast<const char*>(pixels.data()), pixels.size()}),
                 absl::StrCat("shape ", index), input_size_, /*has_margin=*/false};
}

}  // namespace squish
