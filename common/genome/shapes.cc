#include "common/genome/shapes.h"

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

constexpr int kMaximumInputSize = 8192;

// One side of the output of an operation; 0 when the input is too small for it.
struct OutputSide {
  int input;

  int operator()(const Conv2d& conv) const {
    const int room = input + 2 * conv.padding - conv.kernel;
    return room < 0 ? 0 : room / conv.stride + 1;
  }
  int operator()(const MaxPool& pool) const {
    return CeilPoolOutput(input, pool.kernel, pool.stride);
  }
  int operator()(const GlobalAveragePool&) const { return 1; }
  int operator()(const Input&) const { return input; }
  int operator()(const Relu&) const { return input; }
  int operator()(const Concat&) const { return input; }
  int operator()(const Dropout&) const { return input; }
};

absl::StatusOr<Shape> ShapeOf(const Genome& genome, int index, const std::vector<Shape>& shapes) {
  const Layer& layer = genome.layer(index);
  const Shape& in = shapes[layer.inputs[0]];
  for (const int input : layer.inputs) {
    if (shapes[input].height != in.height || shapes[input].width != in.width) {
      return absl::InvalidArgumentError(absl::StrCat("its inputs differ in size: ", in.height, "×",
                                                     in.width, " and ", shapes[input].height, "×",
                                                     shapes[input].width));
    }
  }
  Shape out;
  out.channels = genome.OutputChannels(index);
  out.height = std::visit(OutputSide{in.height}, layer.operation);
  out.width = std::visit(OutputSide{in.width}, layer.operation);
  if (out.height < 1 || out.width < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("its input of ", in.height, "×", in.width, " is too small"));
  }
  return out;
}

}  // namespace

int CeilPoolOutput(int input, int kernel, int stride) {
  // Windows start at 0, stride, 2·stride, …; the last is the first to reach the edge.
  const int beyond_first = input - kernel + stride - 1;
  if (beyond_first < 0) return 0;
  const int windows = beyond_first / stride + 1;
  const bool last_starts_outside = (windows - 1) * stride >= input;
  return last_starts_outside ? windows - 1 : windows;
}

absl::StatusOr<std::vector<Shape>> ComputeShapes(const Genome& genome, int input_size) {
  if (input_size < 1 || input_size > kMaximumInputSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("the input size is ", input_size, "; it must be 1 to ", kMaximumInputSize));
  }
  std::vector<Shape> shapes;
  shapes.reserve(genome.size());
  shapes.push_back({genome.OutputChannels(0), input_size, input_size});
  for (int i = 1; i < genome.size(); ++i) {
    absl::StatusOr<Shape> shape = ShapeOf(genome, i, shapes);
    if (!shape.ok()) {
      return Annotate(shape.status(), absl::StrCat("pictures of ", input_size, "×", input_size,
                                                   ": layer ", genome.layer(i).name));
    }
    shapes.push_back(*shape);
  }
  return shapes;
}

}  // namespace squish
