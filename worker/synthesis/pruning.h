// What the PRUNE strategies and UNIFORM_WIDTH_FROM_SCRATCH do in place of drawing: no chance
// is in them. Pure; bit-exact; thread-safe.
#ifndef SQUISH_WORKER_SYNTHESIS_PRUNING_H_
#define SQUISH_WORKER_SYNTHESIS_PRUNING_H_

#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/genome.h"
#include "squish/v1/experiment.pb.h"
#include "worker/synthesis/mating.h"

namespace squish {

// What a child is to cost at most.
struct BudgetLimit {
  double target = 0;  // B_g
  v1::EnvironmentSpec::Resource resource = v1::EnvironmentSpec::PARAMETERS;
  int input_size = 0;  // At which MACs are counted.
};

struct Pruned {
  std::vector<std::vector<int>> keep;  // By group: positions, ascending.
  double budget = 0;                   // What the child costs.
};

// The strongest filters, as many as `limit` allows. GLOBAL: the weakest of all layers go
// first, ties by layer and filter; LAYER: every layer keeps the same share of its filters,
// rounded. No layer drops below `floor`. FAILED_PRECONDITION: the floors are above the limit.
absl::StatusOr<Pruned> KeepStrongest(const Genome& genome, const Strengths& strengths,
                                     v1::SynthesisSpec::Ranking ranking, int floor,
                                     const BudgetLimit& limit);

// SqueezeNet v1.1 for `classes` classes at the largest uniform width within `limit`.
// FAILED_PRECONDITION: one filter a layer is above it.
absl::StatusOr<Genome> WidestWithin(int classes, const BudgetLimit& limit);

}  // namespace squish

#endif  // SQUISH_WORKER_SYNTHESIS_PRUNING_H_
