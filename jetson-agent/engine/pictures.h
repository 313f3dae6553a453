// What engines run on: the probe's pictures, or random ones where there is no probe.
//
// Values are as networks are fed: normalised fp32, count × channels × side × side. Pure but
// for what reads files; thread-safe.
#ifndef SQUISH_JETSON_AGENT_ENGINE_PICTURES_H_
#define SQUISH_JETSON_AGENT_ENGINE_PICTURES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace squish {

struct Pictures {
  int count = 0;
  int channels = 0;
  int side = 0;  // In pixels.
  std::vector<float> values;
};

// The tensor `pictures` of a .safetensors file. INVALID_ARGUMENT names the file and what is
// wrong: no such tensor, not fp32, not finite, not of this side, none or more than 4,096
// pictures; else as ReadFile.
absl::StatusOr<Pictures> ReadProbe(absl::string_view path, int channels, int side);

// The tensor `outputs` of such a file: a network's logits by picture. Errors as ReadProbe, or
// when it has not two dimensions.
absl::StatusOr<std::vector<std::vector<double>>> ReadProbeOutputs(absl::string_view path);

// Fixed values within ±2, the range of normalised pictures. Not zeros: arithmetic on zeros
// may be faster.
Pictures RandomPictures(int count, int channels, int side);

// `batch` pictures from number `first` on, after the last the first again.
std::vector<float> BatchOf(const Pictures& pictures, int first, int batch);

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_ENGINE_PICTURES_H_
