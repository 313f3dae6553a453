// One live experiment in memory: its stored row, the open generation, and who works on
// it. Plain state; Ledger changes it in step with the board and the population.
#ifndef SQUISH_COORDINATOR_SERVICE_LIVE_EXPERIMENT_H_
#define SQUISH_COORDINATOR_SERVICE_LIVE_EXPERIMENT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/evolution/plan.h"
#include "coordinator/population/population.h"
#include "squish/v1/experiment.pb.h"
#include "squish/v1/job.pb.h"

namespace squish {

// A JobKey that can be ordered.
using JobPlace = std::tuple<int, int, v1::JobKey::Kind, int>;
inline JobPlace PlaceOf(const v1::JobKey& key) {
  return {key.generation(), key.index(), key.kind(), key.rung()};
}

// What the board does not know of an attempt.
struct AttemptNote {
  int64_t job = 0;
  std::optional<absl::Duration> leased;  // Steady; unknown after a restart.
  double fraction = 0;                   // As the runner last said; so is the note.
  std::string note;
  // Up to which fraction its work is not lost with it: what it went on from, or its latest
  // checkpoint. Counted so whether or not somebody comes to go on from there.
  double saved = 0;
  std::string checkpoint;                // Artifact of the latest that it named.
  int64_t images_wasted = 0;             // Trained in vain by this attempt.
};

struct LiveExperiment {
  StoredExperiment stored;

  // The generation after stored.summary.closed_generation.
  OpenGeneration open;
  // Its individuals before this one are settled (plan.h), and stay so: facts only come to.
  // The planner's.
  size_t settled = 0;
  // Its individuals as described, by index. When it is the champions', those instead.
  std::vector<v1::Individual> individuals;
  std::vector<v1::Champion> champions;
  std::map<JobPlace, int64_t> jobs;         // Its jobs: their row ids.

  // Of closed generations, only what PopulationDigest looks at.
  std::vector<v1::Individual> closed;

  // What the first measurement of each JobKey.rung was made on, the ancestor's but for those
  // of champions alone; every other one must equal it.
  std::map<int, v1::MeasurementSetting> settings;

  // Null: nothing has been measured there.
  const v1::MeasurementSetting* SettingOf(int rung) const {
    const auto found = settings.find(rung);
    return found == settings.end() ? nullptr : &found->second;
  }

  std::map<std::string, AttemptNote> attempts;
  std::map<int64_t, std::set<std::string>> running;  // Job to running attempts.
  // How long jobs of the open generation took from lease to result, by kind and rung. In
  // memory only.
  std::map<std::pair<v1::JobKey::Kind, int>, std::vector<absl::Duration>> durations;

  // Makes `generation` the open one, with nothing known of it.
  void Open(int generation);

  int64_t row() const { return stored.row; }
  const std::string& id() const { return stored.experiment.id(); }
  const v1::ExperimentSpec& spec() const { return stored.experiment.spec(); }
  v1::Experiment::State state() const { return stored.experiment.state(); }
  // Every generation is closed, and what is open is the champions'.
  bool finishing() const { return IsOfChampions(stored.summary, open.generation); }
  // The open generation, as it is told to others: the last one when all are closed.
  int generation() const {
    return finishing() ? stored.summary.closed_generation() : open.generation;
  }
};

// The experiment as it is told to others, but for waiting (see matching.h): what is
// stored, with generation, device class and population digest.
v1::Experiment Describe(const LiveExperiment& experiment);

// The same for an experiment that has ended and is on disk only.
v1::Experiment DescribeEnded(const StoredExperiment& stored);

// The individual without what PopulationDigest does not look at.
v1::Individual DigestPart(const v1::Individual& individual);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_LIVE_EXPERIMENT_H_
