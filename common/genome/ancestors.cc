#include "common/genome/ancestors.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace squish {
namespace {

// Appends layers one behind the other; each method returns the new layer's index.
class Builder {
 public:
  explicit Builder(double width) : width_(width) {}

  int Add(std::string name, std::vector<int> inputs, Operation operation) {
    layers_.push_back({std::move(name), std::move(inputs), std::move(operation)});
    return static_cast<int>(layers_.size()) - 1;
  }

  int Conv(std::string name, int input, int filters, int kernel, int stride = 1, int padding = 0) {
    Conv2d conv{kernel, stride, padding, std::vector<int>(filters)};
    std::iota(conv.lineage.begin(), conv.lineage.end(), 0);
    return Add(std::move(name), {input}, std::move(conv));
  }

  // `filters` of SqueezeNet v1.1 at this width.
  int Scaled(int filters) const {
    return std::max(1, static_cast<int>(std::floor(filters * width_ + 0.5)));
  }

  // A squeeze of 1×1 filters, then 1×1 and 3×3 expansions of it side by side.
  int Fire(const std::string& name, int input, int squeeze, int expand) {
    int x = Conv(name + ".squeeze", input, Scaled(squeeze), 1);
    x = Add(name + ".squeeze_activation", {x}, Relu{});
    int small = Conv(name + ".expand1x1", x, Scaled(expand), 1);
    small = Add(name + ".expand1x1_activation", {small}, Relu{});
    int large = Conv(name + ".expand3x3", x, Scaled(expand), 3, 1, 1);
    large = Add(name + ".expand3x3_activation", {large}, Relu{});
    return Add(name, {small, large}, Concat{});
  }

  std::vector<Layer> Take() && { return std::move(layers_); }

 private:
  const double width_;
  std::vector<Layer> layers_;
};

}  // namespace

absl::StatusOr<Genome> SqueezeNetV11(int classes, double width) {
  if (classes < 2 || classes > 10'000) {
    return absl::InvalidArgumentError(
        absl::StrCat("SqueezeNet has 2 to 10000 classes, not ", classes));
  }
  if (!(width > 0.0 && width <= 1.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("SqueezeNet's width is above 0 and at most 1, not ", width));
  }
  Builder net(width);
  int x = net.Add("input", {}, Input{3});
  x = net.Conv("features.0", x, net.Scaled(64), 3, 2);
  x = net.Add("features.1", {x}, Relu{});
  x = net.Add("features.2", {x}, MaxPool{3, 2});
  x = net.Fire("features.3", x, 16, 64);
  x = net.Fire("features.4", x, 16, 64);
  x = net.Add("features.5", {x}, MaxPool{3, 2});
  x = net.Fire("features.6", x, 32, 128);
  x = net.Fire("features.7", x, 32, 128);
  x = net.Add("features.8", {x}, MaxPool{3, 2});
  x = net.Fire("features.9", x, 48, 192);
  x = net.Fire("features.10", x, 48, 192);
  x = net.Fire("features.11", x, 64, 256);
  x = net.Fire("features.12", x, 64, 256);
  x = net.Add("classifier.0", {x}, Dropout{500});
  x = net.Conv("classifier.1", x, classes, 1);
  x = net.Add("classifier.2", {x}, Relu{});
  net.Add("classifier.3", {x}, GlobalAveragePool{});
  return Genome::Create(std::move(net).Take());
}

}  // namespace squish
