// The rules of an evolution: what is wanted next, given what is known.
//
//        spec, data set                      accepted facts
//              │                                   │
//              ▼                                   ▼
//   EvolutionSummary of closed ──► MakePlan ◄── OpenGeneration
//        generations                 │
//                    ┌───────────────┼──────────────────┐
//                    ▼               ▼                  ▼
//              wanted jobs    closing of the open     failed: the experiment
//           (inserted if      generation: states,     cannot go on
//               absent)       selection, new summary
//
// After the last generation comes one of champions: what the archive offers best is
// trained further, then evaluated on `val/` and exported, in place of bred individuals.
// Which generation is the last, the summary knows once it is closed: spec.generations, or
// an earlier one by selection.stop_after.
//
// Pure: no clock, no randomness, no I/O, no order of arrival. The same facts give the
// same plan on every machine and at every time. The cost does
// not grow with the number of closed generations. Thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_PLAN_H_
#define SQUISH_COORDINATOR_EVOLUTION_PLAN_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "squish/v1/dataset.pb.h"
#include "squish/v1/evolution.pb.h"
#include "squish/v1/experiment.pb.h"
#include "squish/v1/job.pb.h"

namespace squish {

// What has been accepted about one individual. A measurement here is VALID or
// UNSUPPORTED; an INVALID one is about the board and never becomes a fact.
struct IndividualFacts {
  std::optional<v1::SynthesizeResult> synthesize = {};
  std::optional<v1::TrainResult> train = {};
  std::optional<v1::MeasureResult> measure = {};
  std::optional<v1::EvaluateResult> evaluate = {};  // Of champions, like the next.
  std::optional<v1::ExportResult> export_files = {};
  std::map<int, v1::TrainResult> rungs = {};  // Of successive halving, from 1 on.
  std::map<int, v1::MeasureResult> beside = {};  // Of measurement.beside, from 1 on.
};

struct OpenGeneration {
  int generation = 0;
  std::vector<IndividualFacts> individuals;  // By index; sized by GenerationSize().
};

// What closing a generation decided.
struct Closing {
  std::vector<v1::Individual> individuals;  // By index, in their final states; none of
                                            // the champions' generation.
  v1::EvolutionSummary summary;             // After this generation.
  bool finished = false;                    // Nothing comes after it.
};

struct Plan {
  std::vector<v1::Job> wanted;     // Every job that should exist, by key; `experiment` unset.
  std::optional<Closing> closing;  // Set when every fact that it needs is in.
  std::string failed;              // Not empty: why the experiment cannot go on.
};

// The artifact of the network of ours that an evolution starts from; empty: it starts from
// none, with fresh or imported weights.
const std::string& StartNetwork(const v1::ExperimentSpec& spec);

// Whether `generation` is the champions', which comes after the last one. `summary` is of
// the closed generations.
bool IsOfChampions(const v1::EvolutionSummary& summary, int generation);

// Individuals in a generation: 1 in generation 0, the summary's champions in theirs, else
// spec.offspring.
int GenerationSize(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                   int generation);

// `spec` has passed CompleteExperimentSpec; `summary` is of the generation before
// `open` (default-constructed with closed_generation = -1 for generation 0).
Plan MakePlan(const v1::ExperimentSpec& spec, const v1::DatasetSummary& dataset,
              const v1::EvolutionSummary& summary, const OpenGeneration& open);

// Whether a fact about one individual of the generation leaves what is wanted of the others
// as it is: without successive halving or cancellation, among those that are bred. Then WantedOf and
// IsSettled stand in for MakePlan, at the cost of one individual, until all are settled.
bool IsApart(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary, int generation);

// Whether SYNTHESIZE jobs of the generation order engine files: where speeds are measured, unless
// the ancestor was made without, which an earlier version may have done. `summary` is of the
// generations before.
bool OrdersEngineFiles(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                       int generation);

// The jobs of MakePlan that are individual `index`'s, where IsApart.
std::vector<v1::Job> WantedOf(const v1::ExperimentSpec& spec, const v1::DatasetSummary& dataset,
                              const v1::EvolutionSummary& summary, const OpenGeneration& open,
                              int index);

// Whether closing waits for no further fact about this individual of that generation, where
// IsApart.
bool IsSettled(const v1::ExperimentSpec& spec, int generation, const IndividualFacts& facts);

// The individual as far as it is known: for lists and displays.
v1::Individual DescribeIndividual(const v1::ExperimentSpec& spec,
                                  const v1::EvolutionSummary& summary, v1::IndividualName name,
                                  const IndividualFacts& facts);

// Champion `index` as far as it is known.
v1::Champion DescribeChampion(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                              int index, const IndividualFacts& facts);

// The parents of offspring `index` of the generation after `summary`'s, best ranked first:
// synthesis.mates of them, or all where fewer were selected. One goes round the selected with
// `index`; the others are those that follow it, one place further each time that it has gone
// round. None under UNIFORM_WIDTH_FROM_SCRATCH, and of the ancestor. They are `summary`'s.
std::vector<const v1::Individual*> Parents(const v1::ExperimentSpec& spec,
                                           const v1::EvolutionSummary& summary, int index);

// SHA-256 (hex) over (generation, index, parents, genome digest, weights digest,
// state) of the individuals, which must be in order of generation and index.
std::string PopulationDigest(const std::vector<v1::Individual>& individuals);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_EVOLUTION_PLAN_H_
