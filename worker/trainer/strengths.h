// How strong a network's filters are, as its training pictures tell. Includes LibTorch.
//
//   const std::optional<TensorMap> strengths =
//       ComputeStrengths(network, training, /*images=*/1024, [](int pictures) {});
//
// a being a filter's outputs behind the ReLU that alone reads its convolution (where there
// is none, its own outputs), and L the cross entropy of a picture:
//
//   taylor      mean over pictures of |Σ_positions a · ∂L/∂a|: to first order, by how much
//               the loss would change without the filter (arXiv 1611.06440, 1906.10771)
//   activation  mean over pictures and positions of |a|
#ifndef SQUISH_WORKER_TRAINER_STRENGTHS_H_
#define SQUISH_WORKER_TRAINER_STRENGTHS_H_

#include <functional>
#include <optional>
#include <vector>

#include "common/torch/torch_network.h"
#include "common/weights/network.h"
#include "worker/trainer/batches.h"

namespace squish {

// Which of the pictures with these labels are looked at: all when there are at most
// `images`, else so many. In the order of their labels, and among equals of their index,
// those at the places ⌊i · n / images⌋: of every class its share, to within one, in
// whichever order the pictures lie. `images` is at least 1.
std::vector<int> StrengthPictures(const std::vector<int>& labels, int images);

// Both tensors of every convolution (common/weights/strengths.h), over the pictures that
// StrengthPictures chooses, whole and without variation, in fp32 and without dropout; sums
// are in double. None when some strength is not finite. On the CPU equal arguments give
// equal bits within a numerics class. `seen` is called after each batch with the pictures
// seen so far; memory is that of a batch of 16. There is at least one picture. Throws
// c10::Error.
std::optional<TensorMap> ComputeStrengths(const TorchNetwork& network, const Batches& pictures,
                                          int images,
                                          const std::function<void(int pictures)>& seen);

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_STRENGTHS_H_
