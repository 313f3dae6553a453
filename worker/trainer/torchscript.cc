#include "worker/trainer/torchscript.h"

#include "common/torch/aten.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/version.h>

#include <sstream>
#include <stdexcept>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/export/handout.h"
#include "common/torch/torch_status.h"

namespace squish {
namespace {

std::string Variable(int layer) { return absl::StrCat("x", layer); }

std::string Parameter(int layer, absl::string_view kind) {
  return absl::StrCat("layer", layer, "_", kind);
}

std::string Pair(int number) { return absl::StrCat("[", number, ", ", number, "]"); }

// One layer as an expression of the variables that it reads.
struct Expression {
  int layer;
  const std::vector<int>& inputs;

  std::string In() const { return Variable(inputs[0]); }

  std::string operator()(const Input&) const { return "pictures"; }
  std::string operator()(const Conv2d& conv) const {
    return absl::StrCat("torch.conv2d(", In(), ", self.", Parameter(layer, "weight"), ", self.",
                        Parameter(layer, "bias"), ", ", Pair(conv.stride), ", ", Pair(conv.padding),
                        ", [1, 1], 1)");
  }
  std::string operator()(const Relu&) const { return absl::StrCat("torch.relu(", In(), ")"); }
  std::string operator()(const MaxPool& pool) const {
    return absl::StrCat("torch.max_pool2d(", In(), ", ", Pair(pool.kernel), ", ", Pair(pool.stride),
                        ", [0, 0], [1, 1], True)");
  }
  std::string operator()(const Concat&) const {
    const std::string parts = absl::StrJoin(
        inputs, ", ", [](std::string* out, int input) { absl::StrAppend(out, Variable(input)); });
    return absl::StrCat("torch.cat([", parts, "], 1)");
  }
  std::string operator()(const GlobalAveragePool&) const {
    return absl::StrCat("torch.mean(", In(), ", [2, 3], True)");
  }
  // In training only, which this is not for.
  std::string operator()(const Dropout&) const { return In(); }
};

at::Tensor CopyOf(const Tensor& tensor) {
  return at::from_blob(const_cast<float*>(tensor.values.data()), tensor.shape, at::kFloat).clone();
}

}  // namespace

std::string TorchScriptSource(const Genome& genome) {
  std::string source = "def forward(self, pictures: Tensor) -> Tensor:\n";
  for (int i = 0; i < genome.size(); ++i) {
    const Layer& layer = genome.layer(i);
    absl::StrAppend(&source, "  ", Variable(i), " = ",
                    std::visit(Expression{i, layer.inputs}, layer.operation), "\n");
  }
  absl::StrAppend(&source, "  return torch.flatten(", Variable(genome.size() - 1), ", 1)\n");
  return source;
}

absl::StatusOr<std::string> ToTorchScript(const Network& network) {
  SQUISH_RETURN_IF_ERROR(CheckWeights(network.genome, network.weights));
  return CatchTorchErrors([&]() -> absl::StatusOr<std::string> {
    torch::jit::Module module("Network");
    for (const int conv : network.genome.convs()) {
      for (const char* kind : {"weight", "bias"}) {
        const std::string name = absl::StrCat(network.genome.layer(conv).name, ".", kind);
        module.register_parameter(Parameter(conv, kind), CopyOf(network.weights.at(name)),
                                  /*is_buffer=*/false);
      }
    }
    module.define(TorchScriptSource(network.genome));
    module.eval();
    std::ostringstream file;
    module.save(file, {{"metadata.json", HandoutMetadataJson(network)}});
    return std::move(file).str();
  });
}

absl::StatusOr<std::vector<float>> RunTorchScript(const std::string& file, const Tensor& pictures) {
  return CatchTorchErrors([&]() -> absl::StatusOr<std::vector<float>> {
    const c10::NoGradGuard no_gradients;
    std::istringstream stream(file);
    torch::jit::Module module = torch::jit::load(stream, at::kCPU);
    at::Tensor outputs;
    try {
      outputs = module.forward({CopyOf(pictures)}).toTensor().contiguous();
    } catch (const std::runtime_error& error) {  // The interpreter's own; no c10::Error.
      return absl::InternalError(absl::StrCat("TorchScript: ", error.what()));
    }
    return std::vector<float>(outputs.data_ptr<float>(),
                              outputs.data_ptr<float>() + outputs.numel());
  });
}

std::string LibTorchName() { return absl::StrCat("LibTorch ", TORCH_VERSION); }

}  // namespace squish
