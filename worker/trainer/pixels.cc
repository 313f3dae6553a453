#include "worker/trainer/pixels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace squish {
namespace {

constexpr float kRedShare = 0.299f, kGreenShare = 0.587f, kBlueShare = 0.114f;

inline float Grey(float red, float green, float blue) {
  return kRedShare * red + kGreenShare * green + kBlueShare * blue;
}

inline float Held(float value) { return std::min(std::max(value, 0.0f), 255.0f); }

// A pixel of the result lies between two of the window.
struct Tap {
  int low;
  int high;
  float share;  // Of `high`.
};

// Along one side of a window of `length` pixels that is resized to `input`.
std::vector<Tap> Taps(int length, int input, bool mirrored) {
  std::vector<Tap> taps(input);
  const double step = static_cast<double>(length) / input;
  for (int x = 0; x < input; ++x) {
    const double at = std::clamp((x + 0.5) * step - 0.5, 0.0, length - 1.0);
    const int low = static_cast<int>(at);
    taps[mirrored ? input - 1 - x : x] = {low, std::min(low + 1, length - 1),
                                          static_cast<float>(at - low)};
  }
  return taps;
}

// out ← low + share · (high - low).
void Blend(const uint8_t* low, const uint8_t* high, float share, int count,
           float* __restrict out) {
  for (int i = 0; i < count; ++i) {
    const float from = low[i];
    out[i] = from + share * (static_cast<float>(high[i]) - from);
  }
}

// Scales three planes and gives the sum of their grey. Eight sums, so that they can be
// added up side by side: what is added to what does not depend on the processor.
double Brighten(float factor, int64_t pixels, float* __restrict red, float* __restrict green,
                float* __restrict blue) {
  constexpr int kLanes = 8;
  std::array<double, kLanes> sums = {};
  int64_t i = 0;
  for (; i + kLanes <= pixels; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const float r = Held(factor * red[i + lane]);
      const float g = Held(factor * green[i + lane]);
      const float b = Held(factor * blue[i + lane]);
      red[i + lane] = r;
      green[i + lane] = g;
      blue[i + lane] = b;
      sums[lane] += Grey(r, g, b);
    }
  }
  for (; i < pixels; ++i) {
    red[i] = Held(factor * red[i]);
    green[i] = Held(factor * green[i]);
    blue[i] = Held(factor * blue[i]);
    sums[0] += Grey(red[i], green[i], blue[i]);
  }
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

}  // namespace

void CopyWindow(const uint8_t* picture, int side, const Crop& crop, int input, uint8_t* out) {
  const std::vector<int> rows = WindowColumns(side, crop.down, input, /*mirrored=*/false);
  const std::vector<int> columns = WindowColumns(side, crop.right, input, crop.mirrored);
  const bool straight = !crop.mirrored && crop.right >= 0 && crop.right + input <= side;
  for (const int row : rows) {
    const uint8_t* const line = picture + static_cast<size_t>(row) * side * 3;
    if (straight) {
      std::memcpy(out, line + 3 * crop.right, static_cast<size_t>(input) * 3);
      out += static_cast<size_t>(input) * 3;
      continue;
    }
    for (const int column : columns) {
      const uint8_t* const pixel = line + 3 * column;
      out[0] = pixel[0];
      out[1] = pixel[1];
      out[2] = pixel[2];
      out += 3;
    }
  }
}

void SplitChannels(const uint8_t* bytes, int64_t pixels, float* planes) {
  for (int channel = 0; channel < 3; ++channel) {
    float* __restrict const plane = planes + channel * pixels;
    for (int64_t i = 0; i < pixels; ++i) plane[i] = bytes[3 * i + channel];
  }
}

void ResizeWindow(const uint8_t* picture, int side, const Crop& crop, int input, float* planes) {
  const std::vector<Tap> rows = Taps(crop.height, input, /*mirrored=*/false);
  const std::vector<Tap> columns = Taps(crop.width, input, crop.mirrored);
  std::vector<float> line(static_cast<size_t>(crop.width) * 3);
  const size_t stride = static_cast<size_t>(side) * 3;
  const uint8_t* const corner = picture + crop.down * stride + static_cast<size_t>(crop.right) * 3;
  const int64_t pixels = static_cast<int64_t>(input) * input;
  float* red = planes;
  float* green = planes + pixels;
  float* blue = planes + 2 * pixels;
  for (const Tap& row : rows) {
    Blend(corner + row.low * stride, corner + row.high * stride, row.share, 3 * crop.width,
          line.data());
    for (const Tap& column : columns) {
      const float* const low = &line[3 * static_cast<size_t>(column.low)];
      const float* const high = &line[3 * static_cast<size_t>(column.high)];
      *red++ = low[0] + column.share * (high[0] - low[0]);
      *green++ = low[1] + column.share * (high[1] - low[1]);
      *blue++ = low[2] + column.share * (high[2] - low[2]);
    }
  }
}

void VaryColour(const Colour& colour, int64_t pixels, float* planes) {
  float* __restrict const red = planes;
  float* __restrict const green = planes + pixels;
  float* __restrict const blue = planes + 2 * pixels;
  const double sum = Brighten(colour.brightness, pixels, red, green, blue);
  const float mean = static_cast<float>(sum / static_cast<double>(pixels));
  const float contrast = colour.contrast, saturation = colour.saturation;
  for (int64_t i = 0; i < pixels; ++i) {
    const float r = Held(mean + contrast * (red[i] - mean));
    const float g = Held(mean + contrast * (green[i] - mean));
    const float b = Held(mean + contrast * (blue[i] - mean));
    const float grey = Grey(r, g, b);
    red[i] = Held(grey + saturation * (r - grey));
    green[i] = Held(grey + saturation * (g - grey));
    blue[i] = Held(grey + saturation * (b - grey));
  }
}

Normaliser::Normaliser(const v1::Preprocessing& preprocessing) {
  for (int channel = 0; channel < 3; ++channel) {
    const double mean = preprocessing.mean(channel), deviation = preprocessing.std(channel);
    for (int byte = 0; byte < 256; ++byte) {
      table_[channel][byte] = static_cast<float>((byte / 255.0 - mean) / deviation);
    }
    scale_[channel] = static_cast<float>(1 / (255.0 * deviation));
    offset_[channel] = static_cast<float>(-mean / deviation);
  }
}

void Normaliser::Bytes(const uint8_t* bytes, int64_t pixels, float* out) const {
  for (int64_t i = 0; i < 3 * pixels; i += 3) {
    out[i] = table_[0][bytes[i]];
    out[i + 1] = table_[1][bytes[i + 1]];
    out[i + 2] = table_[2][bytes[i + 2]];
  }
}

void Normaliser::Planes(const float* planes, int64_t pixels, float* out) const {
  const float* const red = planes;
  const float* const green = planes + pixels;
  const float* const blue = planes + 2 * pixels;
  float* __restrict const values = out;
  for (int64_t i = 0; i < pixels; ++i) {
    values[3 * i] = scale_[0] * red[i] + offset_[0];
    values[3 * i + 1] = scale_[1] * green[i] + offset_[1];
    values[3 * i + 2] = scale_[2] * blue[i] + offset_[2];
  }
}

}  // namespace squish
