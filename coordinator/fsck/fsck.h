// Whether a population is what it should be: `coordinator --population FILE --fsck`.
//
// What is looked at, of every experiment that was ever started:
//   - the database file itself: SQLite's integrity and foreign keys; every record can be read
//   - replay: the recorded facts, planned again from the beginning, give the stored
//     individuals, champions, summary, jobs, end and population digest
//   - a job is DONE exactly when its fact is there, and a fact is there once; every wanted job
//     is there, and no other that is still open
//   - an attempt runs only for a job that is LEASED; images planned and wasted add up
//   - a job that is over has no checkpoint
//   - artifacts: every one that a fact, a spec or a checkpoint names is there, with its digest
#ifndef SQUISH_COORDINATOR_FSCK_FSCK_H_
#define SQUISH_COORDINATOR_FSCK_FSCK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/population/population.h"

namespace squish {

struct FsckReport {
  // Each one sentence that begins with where it is: "pets-1a2b3c4d, generation 3: …". At most
  // 1,000, the last of which says that there are more.
  std::vector<std::string> problems;
  int64_t experiments = 0;
  int64_t individuals = 0;
  int64_t jobs = 0;
  int64_t facts = 0;
  int64_t artifacts = 0;     // That are named by something, each once.
  int64_t unreferenced = 0;  // Artifacts that nothing names: no problem.
};

// Reads everything and changes nothing. A record that cannot be read is a problem, not an
// error; errors are those of a disk that cannot be read at all.
absl::StatusOr<FsckReport> CheckPopulation(Population& population);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_FSCK_FSCK_H_
