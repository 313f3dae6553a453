// Makes a large population, for what depends on its size: a live experiment and many that
// have succeeded. The first of these and the live one are worked off by a real coordinator
// (without gRPC), so that every row is one that it writes; the others are copies of the
// first under other names, with attempts and measurements of their own.
#ifndef SQUISH_BENCHMARKS_SWARM_POPULATE_H_
#define SQUISH_BENCHMARKS_SWARM_POPULATE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace squish {

struct PopulationSize {
  int finished = 900;            // Experiments that have succeeded …
  int finished_generations = 5;  // … each of so many generations
  int finished_offspring = 215;  // … of so many.
  int live_generations = 33;     // Closed ones of the live experiment, whose next is open.
  int live_offspring = 1000;
};

struct PopulationCounts {
  int64_t experiments = 0;
  int64_t individuals = 0;
  int64_t jobs = 0;
  int64_t live_jobs = 0;
};

// Makes the file, which must not be there. Not synced: a crash costs the file.
absl::StatusOr<PopulationCounts> MakePopulation(const std::string& path,
                                                const PopulationSize& size);

}  // namespace squish

#endif  // SQUISH_BENCHMARKS_SWARM_POPULATE_H_
