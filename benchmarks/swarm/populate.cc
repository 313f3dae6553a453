#include "benchmarks/swarm/populate.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "benchmarks/swarm/answers.h"
#include "benchmarks/swarm/disk.h"
#include "common/base/clock.h"
#include "common/base/status_macros.h"
#include "common/metrics/metrics.h"
#include "coordinator/population/population.h"
#include "coordinator/population/sqlite.h"
#include "coordinator/service/coordinator.h"

namespace squish {
namespace {

constexpr int kWorkers = 40;
constexpr int kAgents = 20;
constexpr int kSlots = 50;
constexpr int kStandInBytes = 1024;
constexpr int kManyGenerations = 1000;

// Runners that work off whatever a coordinator has, in its own thread.
class InProcessRunners {
 public:
  InProcessRunners(Coordinator* coordinator, StandIn stand_in)
      : coordinator_(*coordinator), stand_in_(std::move(stand_in)) {
    for (int i = 0; i < kWorkers + kAgents; ++i) {
      members_.push_back(std::make_unique<Member>());
      members_.back()->info =
          SwarmRunner(i < kWorkers ? v1::RunnerInfo::WORKER : v1::RunnerInfo::AGENT, i);
      members_.back()->info.set_slots(kSlots);
    }
  }

  // Everybody who is not waiting delivers what it has and takes what there is; draining,
  // it takes nothing.
  void Round(bool draining) {
    std::vector<Coordinator::Task> tasks;
    for (const auto& member : members_) {
      if (member->waiting && !draining) continue;
      tasks.push_back([this, draining, &one = *member](Coordinator& coordinator) {
        one.waiting = true;
        coordinator.Synchronize(
            Caller{"swarm", "swarm"}, RequestOf(one, draining), ++calls_,
            [this, &one, call = calls_](const absl::StatusOr<v1::SynchronizeResponse>& answer) {
              if (answer.ok()) Take(*answer, one);
            });
      });
    }
    coordinator_.RunBatch(std::move(tasks));
  }

 private:
  struct Member {
    v1::RunnerInfo info;
    bool waiting = false;
    std::vector<v1::AttemptResult> finished;
    std::vector<v1::DatasetReport> datasets;
  };

  static v1::SynchronizeRequest RequestOf(const Member& member, bool draining) {
    v1::SynchronizeRequest request;
    *request.mutable_runner() = member.info;
    request.set_draining(draining);
    for (const v1::DatasetReport& report : member.datasets) *request.add_datasets() = report;
    for (const v1::AttemptResult& result : member.finished) *request.add_results() = result;
    return request;
  }

  void Take(const v1::SynchronizeResponse& response, Member& member) {
    member.waiting = false;
    member.finished.clear();
    for (const v1::Assignment& assignment : response.assignments()) {
      member.finished.push_back(AnswerJob(assignment.job(), member.info, stand_in_));
      member.finished.back().set_attempt_id(assignment.attempt_id());
    }
    member.datasets.clear();
    for (const v1::DatasetSpec& spec : response.datasets()) {
      member.datasets.push_back(SwarmDataset(spec));
    }
  }

  Coordinator& coordinator_;
  const StandIn stand_in_;
  uint64_t calls_ = 0;
  std::vector<std::unique_ptr<Member>> members_;
};

absl::StatusOr<v1::Experiment> Submit(Coordinator& coordinator, const v1::ExperimentSpec& spec) {
  absl::StatusOr<v1::Experiment> experiment;
  coordinator.RunBatch({[&](Coordinator& inside) {
    v1::SubmitRequest request;
    *request.mutable_spec() = spec;
    experiment = inside.Submit(Caller{"swarm", "swarm"}, request);
  }});
  return experiment;
}

absl::StatusOr<v1::Experiment> Get(Coordinator& coordinator, const std::string& id) {
  absl::StatusOr<v1::Experiment> experiment;
  coordinator.RunBatch({[&](Coordinator& inside) {
    v1::GetExperimentRequest request;
    request.set_id(id);
    experiment = inside.Get(Caller{"swarm", "swarm"}, request);
  }});
  return experiment;
}

// Works until `done`; asks only now and then, for describing an experiment costs more than
// a round.
absl::Status WorkUntil(Coordinator& coordinator, InProcessRunners& runners, const std::string& id,
                       const std::function<bool(const v1::Experiment&)>& done) {
  while (true) {
    for (int i = 0; i < 4; ++i) runners.Round(/*draining=*/false);
    SQUISH_ASSIGN_OR_RETURN(const v1::Experiment experiment, Get(coordinator, id));
    if (done(experiment)) return absl::OkStatus();
    if (HasEnded(experiment.state()) || experiment.state() == v1::Experiment::NEEDS_ATTENTION) {
      return absl::InternalError(
          absl::StrCat(id, " is ", experiment.state(), ": ", experiment.reason()));
    }
  }
}

// What is copied.
struct Original {
  std::string id;
  std::string ancestor;  // Its architecture's digest.
};

absl::StatusOr<Original> MakeOriginals(const std::string& path, const PopulationSize& size) {
  SQUISH_ASSIGN_OR_RETURN(const auto population, Population::Open(path));
  SQUISH_ASSIGN_OR_RETURN(const std::string digest,
                          population->artifacts().Put(IncompressibleBytes(kStandInBytes, 0)));
  Metrics metrics;
  CoordinatorMetrics coordinator_metrics(&metrics);
  Coordinator::Options options;
  options.lease = absl::Hours(1);
  SQUISH_ASSIGN_OR_RETURN(const auto coordinator,
                          Coordinator::Create(population.get(), &Clock::System(),
                                              &coordinator_metrics, std::move(options)));
  InProcessRunners runners(coordinator.get(), {digest, kStandInBytes});
  SQUISH_ASSIGN_OR_RETURN(const v1::Experiment finished,
                          Submit(*coordinator, SwarmSpec("finished", size.finished_generations,
                                                         size.finished_offspring)));
  SQUISH_RETURN_IF_ERROR(WorkUntil(*coordinator, runners, finished.id(), [](const auto& now) {
    return now.state() == v1::Experiment::SUCCEEDED;
  }));
  SQUISH_ASSIGN_OR_RETURN(
      const v1::Experiment live,
      Submit(*coordinator, SwarmSpec("live", kManyGenerations, size.live_offspring)));
  SQUISH_RETURN_IF_ERROR(WorkUntil(*coordinator, runners, live.id(), [&size](const auto& now) {
    return now.generation() > size.live_generations;
  }));
  runners.Round(/*draining=*/true);
  SQUISH_ASSIGN_OR_RETURN(const StoredExperiment stored, population->FindExperiment(finished.id()));
  return Original{finished.id(), stored.summary.ancestor().architecture_digest()};
}

// Where the copies' rows begin, and how far each is from the one before.
struct Numbers {
  int64_t original = 0;  // Row of the finished experiment.
  int64_t first_experiment = 0;
  int64_t first_job = 0;
  int64_t last_job = 0;
  int64_t next_job = 0;
};

absl::StatusOr<Numbers> CountOriginals(Database& database, const std::string& id) {
  Numbers numbers;
  Query query = database.Prepare("SELECT id FROM experiments WHERE name = ?1");
  query.Bind(id);
  SQUISH_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return absl::InternalError("the finished experiment is not there");
  numbers.original = query.Integer(0);
  const std::string where = absl::StrCat(" FROM jobs WHERE experiment = ", numbers.original);
  SQUISH_ASSIGN_OR_RETURN(numbers.first_job, database.Number("SELECT min(id)" + where));
  SQUISH_ASSIGN_OR_RETURN(numbers.last_job, database.Number("SELECT max(id)" + where));
  SQUISH_ASSIGN_OR_RETURN(numbers.next_job, database.Number("SELECT max(id) + 1 FROM jobs"));
  SQUISH_ASSIGN_OR_RETURN(numbers.first_experiment,
                          database.Number("SELECT max(id) + 1 FROM experiments"));
  return numbers;
}

// The rows of one copy, but for attempts and measurements. The names are of equal length,
// so that they can be exchanged inside serialised messages.
absl::Status CopyOne(Database& database, const Numbers& numbers, int64_t copy,
                     const std::string& from, const std::string& to) {
  const int64_t row = numbers.first_experiment + copy;
  const int64_t jobs = numbers.last_job - numbers.first_job + 1;
  const int64_t shift = numbers.next_job - numbers.first_job + copy * jobs;
  SQUISH_RETURN_IF_ERROR(database.Run(
      "INSERT INTO experiments SELECT ?2, ?3, NULL, state, reason, spec, dataset, summary, "
      "images_planned, images_wasted, nondeterministic, population_digest, created_ms, finished_ms "
      "FROM experiments WHERE id = ?1",
      numbers.original, row, to));
  SQUISH_RETURN_IF_ERROR(database.Run(
      "INSERT INTO numerics_classes SELECT ?2, class FROM numerics_classes WHERE experiment = ?1",
      numbers.original, row));
  SQUISH_RETURN_IF_ERROR(database.Run(
      "INSERT INTO individuals SELECT ?2, generation, idx, state, record FROM individuals "
      "WHERE experiment = ?1",
      numbers.original, row));
  SQUISH_RETURN_IF_ERROR(database.Run(
      "INSERT INTO champions SELECT ?2, idx, state, record FROM champions WHERE experiment = ?1",
      numbers.original, row));
  SQUISH_RETURN_IF_ERROR(database.Run(
      "INSERT INTO jobs SELECT id + ?3, ?2, generation, idx, kind, rung, state, lost, failed, "
      "invalid, last_error, result_digest, CAST(replace(work, ?4, ?5) AS BLOB) FROM jobs "
      "WHERE experiment = ?1 ORDER BY id",
      numbers.original, row, shift, from, to));
  return database.Run(
      "INSERT INTO facts (experiment, kind, generation, content) SELECT ?2, kind, generation, "
      "CAST(replace(content, ?3, ?4) AS BLOB) FROM facts WHERE experiment = ?1 ORDER BY sequence",
      numbers.original, row, from, to);
}

// Attempts and measurements have random keys: all at once, in their order, or every row
// would find another page.
absl::Status CopyByKey(Database& database, const Numbers& numbers, const std::string& ancestor,
                       int copies) {
  const int64_t jobs = numbers.last_job - numbers.first_job + 1;
  const char kCopies[] =
      "WITH RECURSIVE copies(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM copies "
      "WHERE n + 1 < ?1) ";
  SQUISH_RETURN_IF_ERROR(database.Execute("DROP INDEX attempts_by_job"));
  SQUISH_RETURN_IF_ERROR(database.Run(
      absl::StrCat(kCopies,
                   "INSERT INTO attempts SELECT lower(hex(randomblob(16))) AS key, "
                   "job + ?2 + n * ?3, runner, incarnation, state, images_wasted, started_ms, "
                   "ended_ms FROM attempts CROSS JOIN copies WHERE job BETWEEN ?4 AND ?5 "
                   "ORDER BY key"),
      copies, numbers.next_job - numbers.first_job, jobs, numbers.first_job, numbers.last_job));
  SQUISH_RETURN_IF_ERROR(database.Execute("CREATE INDEX attempts_by_job ON attempts(job)"));
  return database.Run(
      absl::StrCat(kCopies,
                   "INSERT INTO measurements SELECT lower(hex(randomblob(32))) AS key, ancestor, "
                   "input_size, device_class, engine, precision, batch, threads, "
                   "protocol_version, result FROM measurements CROSS JOIN copies "
                   "WHERE ancestor = ?2 ORDER BY key"),
      copies, ancestor);
}

absl::Status CopyFinished(Database& database, const Original& original, int copies) {
  const std::string& id = original.id;
  SQUISH_RETURN_IF_ERROR(
      database.Execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF;"
                       "PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000;"
                       "PRAGMA foreign_keys = OFF; BEGIN"));
  SQUISH_ASSIGN_OR_RETURN(const Numbers numbers, CountOriginals(database, id));
  const std::string stem = id.substr(0, id.size() - 8);  // "finished-", then 8 hex digits.
  for (int copy = 0; copy < copies; ++copy) {
    SQUISH_RETURN_IF_ERROR(
        CopyOne(database, numbers, copy, id, absl::StrFormat("%s%08x", stem, copy)));
  }
  SQUISH_RETURN_IF_ERROR(CopyByKey(database, numbers, original.ancestor, copies));
  return database.Execute("COMMIT");
}

}  // namespace

absl::StatusOr<PopulationCounts> MakePopulation(const std::string& path,
                                                const PopulationSize& size) {
  if (std::filesystem::exists(path)) {
    return absl::AlreadyExistsError(absl::StrCat(path, " is there already"));
  }
  SQUISH_ASSIGN_OR_RETURN(const Original original, MakeOriginals(path, size));
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::Open(path));
  if (size.finished > 1) {
    SQUISH_RETURN_IF_ERROR(CopyFinished(*database, original, size.finished - 1));
  }
  PopulationCounts counts;
  SQUISH_ASSIGN_OR_RETURN(counts.experiments, database->Number("SELECT count(*) FROM experiments"));
  SQUISH_ASSIGN_OR_RETURN(counts.individuals, database->Number("SELECT count(*) FROM individuals"));
  SQUISH_ASSIGN_OR_RETURN(counts.jobs, database->Number("SELECT count(*) FROM jobs"));
  SQUISH_ASSIGN_OR_RETURN(
      counts.live_jobs, database->Number("SELECT count(*) FROM jobs WHERE experiment = "
                                         "(SELECT id FROM experiments WHERE finished_ms IS NULL)"));
  return counts;
}

}  // namespace squish
