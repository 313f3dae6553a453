#include "common/genome/genome_checks.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

constexpr int kMaximumLayers = 4096;
constexpr int kMaximumFilters = 65'536;
// A concat of concats doubles; these keep every later product inside 64 bits.
constexpr int64_t kMaximumChannels = int64_t{1} << 18;
constexpr int64_t kMaximumParameters = int64_t{1} << 30;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::Status CheckRange(absl::string_view what, int value, int low, int high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Invalid(what, " is ", value, "; it must be ", low, " to ", high);
}

// --- One operation ----------------------------------------------------------

absl::Status CheckOperation(const Input& input) {
  return CheckRange("channels", input.channels, 1, 64);
}

absl::Status CheckOperation(const Conv2d& conv) {
  SQUISH_RETURN_IF_ERROR(CheckRange("kernel", conv.kernel, 1, 64));
  SQUISH_RETURN_IF_ERROR(CheckRange("stride", conv.stride, 1, 64));
  SQUISH_RETURN_IF_ERROR(CheckRange("padding", conv.padding, 0, conv.kernel / 2));
  if (conv.lineage.empty() || conv.lineage.size() > kMaximumFilters) {
    return Invalid("it has ", conv.lineage.size(), " filters; it must have 1 to ", kMaximumFilters);
  }
  int previous = -1;
  for (const int index : conv.lineage) {
    if (index <= previous) return Invalid("lineage is not strictly increasing at ", index);
    previous = index;
  }
  return CheckRange("the last lineage index", previous, 0, kMaximumFilters - 1);
}

absl::Status CheckOperation(const MaxPool& pool) {
  SQUISH_RETURN_IF_ERROR(CheckRange("kernel", pool.kernel, 1, 64));
  return CheckRange("stride", pool.stride, 1, 64);
}

absl::Status CheckOperation(const Dropout& dropout) {
  return CheckRange("permille", dropout.permille, 0, 999);
}

absl::Status CheckOperation(const Relu&) { return absl::OkStatus(); }
absl::Status CheckOperation(const Concat&) { return absl::OkStatus(); }
absl::Status CheckOperation(const GlobalAveragePool&) { return absl::OkStatus(); }

// --- One layer in its place -------------------------------------------------

bool IsName(absl::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.';
  });
}

absl::Status CheckInputs(const Layer& layer, int index) {
  const size_t count = layer.inputs.size();
  if (std::holds_alternative<Input>(layer.operation)) {
    if (index != 0) return Invalid("only layer 0 can be the input");
    if (count != 0) return Invalid("the input has no inputs");
    return absl::OkStatus();
  }
  if (index == 0) return Invalid("layer 0 must be the input");
  if (std::holds_alternative<Concat>(layer.operation)) {
    if (count < 2) return Invalid("a concat needs at least two inputs, this has ", count);
  } else if (count != 1) {
    return Invalid("it needs exactly one input, this has ", count);
  }
  for (const int input : layer.inputs) {
    if (input < 0 || input >= index) {
      return Invalid("input ", input, " is not the index of an earlier layer");
    }
  }
  return absl::OkStatus();
}

// What the checks know of the layers behind them.
struct Walk {
  std::set<absl::string_view> names;
  std::vector<int> channels;
  std::vector<bool> used;
  std::vector<bool> pooled;  // 1×1 whatever the picture's size.
  int64_t parameters = 0;
};

bool IsPooled(const Layer& layer, const Walk& walk) {
  if (std::holds_alternative<GlobalAveragePool>(layer.operation)) return true;
  if (const auto* conv = std::get_if<Conv2d>(&layer.operation)) {
    if (conv->kernel != 2 * conv->padding + 1) return false;
  }
  if (const auto* pool = std::get_if<MaxPool>(&layer.operation)) {
    if (pool->kernel != 1) return false;
  }
  return !layer.inputs.empty() &&
         std::all_of(layer.inputs.begin(), layer.inputs.end(),
                     [&](int input) { return static_cast<bool>(walk.pooled[input]); });
}

absl::Status CheckLayer(const Layer& layer, int index, Walk& walk) {
  if (!walk.names.insert(layer.name).second) return Invalid("the name is taken already");
  SQUISH_RETURN_IF_ERROR(CheckInputs(layer, index));
  SQUISH_RETURN_IF_ERROR(
      std::visit([](const auto& operation) { return CheckOperation(operation); }, layer.operation));
  int64_t in = 0;
  for (const int input : layer.inputs) {
    in += walk.channels[input];
    walk.used[input] = true;
  }
  int64_t out = in;
  if (const auto* input = std::get_if<Input>(&layer.operation)) out = input->channels;
  if (const auto* conv = std::get_if<Conv2d>(&layer.operation)) {
    out = conv->filters();
    walk.parameters += out * (in * conv->kernel * conv->kernel + 1);
  }
  if (out > kMaximumChannels) {
    return Invalid("it has ", out, " channels; at most ", kMaximumChannels, " are possible");
  }
  if (walk.parameters > kMaximumParameters) {
    return Invalid("up to here there are ", walk.parameters, " parameters; at most ",
                   kMaximumParameters, " are possible");
  }
  walk.channels.push_back(static_cast<int>(out));
  walk.pooled.push_back(IsPooled(layer, walk));
  return absl::OkStatus();
}

// --- The whole --------------------------------------------------------------

bool IsConv(const Layer& layer) { return std::holds_alternative<Conv2d>(layer.operation); }

// The output must be the head's filters, in order, as one number each.
absl::Status CheckOutput(const std::vector<Layer>& layers, const Walk& walk) {
  int source = static_cast<int>(layers.size()) - 1;
  if (!walk.pooled[source]) {
    return Invalid("the output is not 1×1 for every picture: a GlobalAveragePool is missing");
  }
  while (layers[source].inputs.size() == 1 && !IsConv(layers[source])) {
    source = layers[source].inputs[0];
  }
  const auto head = std::find_if(layers.rbegin(), layers.rend(), IsConv);
  if (head == layers.rend() || &*head != &layers[source]) {
    return Invalid("the output is not that of the last convolution, whose filters are the classes");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<int>> CheckLayers(const std::vector<Layer>& layers) {
  if (layers.empty() || layers.size() > kMaximumLayers) {
    return Invalid("a genome has 1 to ", kMaximumLayers, " layers, not ", layers.size());
  }
  Walk walk;
  walk.used.resize(layers.size(), false);
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string& name = layers[i].name;
    if (!IsName(name)) {
      return Invalid("layer ", i, ": the name \"", absl::Utf8SafeCEscape(name.substr(0, 64)),
                     "\" is not 1 to 64 of A-Z a-z 0-9 _ .");
    }
    const absl::Status status = CheckLayer(layers[i], static_cast<int>(i), walk);
    if (!status.ok()) return Invalid("layer ", i, " (", name, "): ", status.message());
  }
  const auto unused = std::find(walk.used.begin(), walk.used.end() - 1, false);
  if (unused != walk.used.end() - 1) {
    const auto index = unused - walk.used.begin();
    return Invalid("layer ", index, " (", layers[index].name, "): no layer uses it");
  }
  SQUISH_RETURN_IF_ERROR(CheckOutput(layers, walk));
  return std::move(walk.channels);
}

}  // namespace squish
