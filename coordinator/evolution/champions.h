// The archive of an evolution and the individuals that it was run for. Pure; thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_CHAMPIONS_H_
#define SQUISH_COORDINATOR_EVOLUTION_CHAMPIONS_H_

#include <vector>

#include "squish/v1/evolution.pb.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

// Adds the EVALUATED individuals of a generation to the archive. What another one
// surpasses leaves it: one that is at least as good in log-loss, in ratio (in steps of
// 1 %), in bytes, in accuracy and in how far it breaks the constraints' targets, and better
// in one of them; of equals the earliest stays. The last two matter where log-loss and
// ratio do not decide what is feasible. Members keep only what champions are chosen by and
// reported with. `summary` knows the ancestor.
void ExtendArchive(const v1::ExperimentSpec& spec, const std::vector<v1::Individual>& generation,
                   v1::EvolutionSummary& summary);

// As many champions as there can be: one for each reason to be one, if nobody has two.
int MostChampions(const v1::ExperimentSpec& spec);

// The champions of an evolution whose last generation is closed: of the feasible archive
// the smallest, the fastest, the most accurate, the knee, and one for each size s in
// spec.report_megabytes: the least log-loss from 0.85 · s to s, where there is nobody that
// of what is smaller; each individual once, the largest first. Feasible is what meets the
// constraints' targets. Where nothing is, the individual with the least violation takes every
// role, marked as not met, and so does for a size, what it is above s counting as a violation,
// where nothing feasible is within s. Ties go to the lower log-loss, then to the earlier
// individual. Empty for an empty archive.
std::vector<v1::Champion> ChooseChampions(const v1::ExperimentSpec& spec,
                                          const v1::EvolutionSummary& summary);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_EVOLUTION_CHAMPIONS_H_
