// Answers of a network, without gradients: as fast as LibTorch gives them. No LibTorch
// in this header.
//
//   PrepareTorchProcess();  // numerics.h, once
//   SetTorchThreads(1);
//   SQUISH_ASSIGN_OR_RETURN(auto inference, Inference::Create(genome, weights, batch, side));
//   SQUISH_RETURN_IF_ERROR(inference->Run(pictures, logits));
#ifndef SQUISH_COMMON_TORCH_INFERENCE_H_
#define SQUISH_COMMON_TORCH_INFERENCE_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/genome/genome.h"
#include "common/weights/network.h"

namespace squish {

// A network on the CPU for one batch and picture size. Not thread-safe.
class Inference {
 public:
  // INVALID_ARGUMENT: the weights are not the genome's, the picture is too small for
  // it (as ComputeShapes), or the batch is not 1 to 65,536. As CatchTorchErrors.
  static absl::StatusOr<std::unique_ptr<Inference>> Create(const Genome& genome,
                                                           const TensorMap& weights, int batch,
                                                           int side);
  ~Inference();
  Inference(const Inference&) = delete;
  Inference& operator=(const Inference&) = delete;

  // `pictures`: batch × side × side × channels, normalised; read in place. `logits`:
  // batch × classes. INVALID_ARGUMENT: a span of another size. As CatchTorchErrors.
  absl::Status Run(absl::Span<const float> pictures, absl::Span<float> logits) const;

  // Seconds of every layer, in the genome's order: the median over so many runs, at least
  // one. As Run.
  absl::StatusOr<std::vector<double>> Profile(absl::Span<const float> pictures, int runs) const;

 private:
  struct State;
  explicit Inference(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace squish

#endif  // SQUISH_COMMON_TORCH_INFERENCE_H_
