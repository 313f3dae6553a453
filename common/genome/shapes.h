// The sizes of what flows between layers. Pure.
#ifndef SQUISH_COMMON_GENOME_SHAPES_H_
#define SQUISH_COMMON_GENOME_SHAPES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/genome.h"

namespace squish {

struct Shape {
  int channels = 0;
  int height = 0;
  int width = 0;
  friend bool operator==(const Shape&, const Shape&) = default;
};

// The output shape of every layer for a square picture of `input_size` pixels a
// side (1 to 8192). INVALID_ARGUMENT, naming the layer, when the picture is too
// small for a convolution or pool, or when a Concat's inputs differ in size.
absl::StatusOr<std::vector<Shape>> ComputeShapes(const Genome& genome, int input_size);

// Output side of a ceil-mode pool without padding, as in torchvision.
int CeilPoolOutput(int input, int kernel, int stride);

}  // namespace squish

#endif  // SQUISH_COMMON_GENOME_SHAPES_H_
