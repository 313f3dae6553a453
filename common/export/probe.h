// The probe that engines are checked with: preprocessed pictures, the same for every network of
// an experiment, and a network's outputs for them. Pure; thread-safe.
//
// As two files (.safetensors), since pictures are many bytes and the same again and again:
// `pictures`, N × channels × S × S, normalised as the network wants it, and `outputs`,
// N × classes.
#ifndef SQUISH_COMMON_EXPORT_PROBE_H_
#define SQUISH_COMMON_EXPORT_PROBE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/export/reference.h"
#include "common/genome/genome.h"

namespace squish {

constexpr int kProbePictures = 8;  // N.

std::string ProbePicturesToSafetensors(const Tensor& pictures);
std::string ProbeOutputsToSafetensors(const Tensor& outputs);

// `size` is the side of the pictures in pixels. INVALID_ARGUMENT names what is missing, of
// another shape than N, `size` and `genome` demand, or not finite.
absl::StatusOr<ReferenceOutputs> ProbeFromSafetensors(absl::string_view pictures_file,
                                                      absl::string_view outputs_file, int size,
                                                      const Genome& genome);

}  // namespace squish

#endif  // SQUISH_COMMON_EXPORT_PROBE_H_
