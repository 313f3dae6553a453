// What can be wrong with a complete ExperimentSpec. Pure; thread-safe.
#ifndef SQUISH_COMMON_SPEC_CHECKS_H_
#define SQUISH_COMMON_SPEC_CHECKS_H_

#include <optional>
#include <string>

#include "common/genome/genome.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

struct SpecProblem {
  std::string field;    // Path, e.g. "training.offspring.batch", "environment.constraints[1]".
  std::string message;  // What is wrong and what to do, without the field's name.
};

// The first problem of a spec whose defaults are filled in; nothing when it is sound.
// Does not look at what needs the ancestor's genome.
std::optional<SpecProblem> FindProblem(const v1::ExperimentSpec& spec);

// As CheckReach.
std::optional<SpecProblem> FindOutOfReach(const v1::ExperimentSpec& spec, const Genome& ancestor);

}  // namespace squish

#endif  // SQUISH_COMMON_SPEC_CHECKS_H_
