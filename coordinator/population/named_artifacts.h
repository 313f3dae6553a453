// Which artifacts a population cannot do without. Thread-safe.
#ifndef SQUISH_COORDINATOR_POPULATION_NAMED_ARTIFACTS_H_
#define SQUISH_COORDINATOR_POPULATION_NAMED_ARTIFACTS_H_

#include <cstdint>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/evolution/retention.h"
#include "coordinator/population/sqlite.h"
#include "squish/v1/evolution.pb.h"
#include "squish/v1/experiment.pb.h"
#include "squish/v1/job.pb.h"
#include "squish/v1/runner.pb.h"

namespace squish {

// Adds the digests that a result, as far as it is kept, a spec, or a checkpoint names.
void AddNamedArtifacts(const v1::AttemptResult& result, const Retention& retention,
                       std::set<std::string>& digests);
void AddNamedArtifacts(const v1::ExperimentSpec& spec, std::set<std::string>& digests);
void AddNamedArtifacts(const v1::Checkpoint& checkpoint, std::set<std::string>& digests);

// Adds those of a stored experiment: of its spec, its checkpoints, and of the facts about
// everybody whom its retention keeps. `spec` is complete. Codes of Database::Execute; DATA_LOSS:
// a record cannot be read.
absl::Status AddNamedArtifacts(Database& database, int64_t experiment,
                               const v1::ExperimentSpec& spec,
                               const v1::EvolutionSummary& summary, bool ended,
                               std::set<std::string>& digests);

// Those of all experiments of the database at `path`. Nobody else may write to it. Codes as
// above.
absl::StatusOr<std::set<std::string>> NamedArtifacts(const std::string& path);

// Makes a copy of a database forget its checkpoints, whose artifacts go while others are
// fetched. As NamedArtifacts.
absl::Status ForgetCheckpoints(const std::string& path);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_POPULATION_NAMED_ARTIFACTS_H_
