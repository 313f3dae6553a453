// What the PRUNE strategies and UNIFORM_WIDTH_FROM_SCRATCH do in place of drawing: no chance
// is in them. Pure; bit-exact; thread-safe.
#ifndef SQUISH_WORKER_SYNTHESIS_PRUNING_H_
#define SQUISH_WORKER_SYNTHESIS_PRUNING_H_

#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/genome.h"
#include "squish/v1/experiment.pb.h"
#include "worker/synthesis/budget.h"
#include "worker/synthesis/mating.h"

namespace squish {

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

// NetAdapt's candidate number `candidate`, from 0: one layer (a group of filters) loses its
// weakest until `limit` is kept, no more than half of them and none below `floor`; what is
// missing then all other layers lose by the same share, as LAYER above. Candidates are ordered
// by whether their layer suffices alone, then by the part of its layer's strength that is
// lost, then by layer; after the last comes the first again. FAILED_PRECONDITION as above.
absl::StatusOr<Pruned> CutOneLayer(const Genome& genome, const Strengths& strengths,
                                   int candidate, int floor, const BudgetLimit& limit);

// The largest uniform width of SqueezeNet v1.1 for `classes` classes within `limit`, whose
// prices are those of the whole. FAILED_PRECONDITION: one filter a layer is above it.
absl::StatusOr<Genome> WidestWithin(int classes, const BudgetLimit& limit);

}  // namespace squish

#endif  // SQUISH_WORKER_SYNTHESIS_PRUNING_H_
