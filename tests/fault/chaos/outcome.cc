#include "tests/fault/chaos/outcome.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "coordinator/fsck/fsck.h"
#include "coordinator/population/population.h"

namespace squish {
namespace {

// Of an attempt's result, what makes it this one and no other; empty: a failure.
std::string Essence(const v1::AttemptResult& result) {
  switch (result.outcome_case()) {
    case v1::AttemptResult::kSynthesize:
      return absl::StrCat(result.synthesize().artifact(), " ",
                          result.synthesize().weights_digest());
    case v1::AttemptResult::kTrain:
      return absl::StrCat(result.train().artifact(), " ", result.train().strengths());
    case v1::AttemptResult::kMeasure:
      return absl::StrCat(result.measure().verdict(), " ", result.measure().ratio());
    case v1::AttemptResult::kEvaluate:
      return result.evaluate().predictions();
    case v1::AttemptResult::kExportFiles: {
      std::string files;
      for (const v1::ExportedFile& file : result.export_files().files()) {
        absl::StrAppend(&files, file.name(), " ", file.artifact(), " ");
      }
      return files;
    }
    default:
      return "";
  }
}

// What became of every attempt of one experiment.
struct Recorded {
  AttemptState state = AttemptState::kRunning;
  JobState job_state = JobState::kQueued;
  std::string essence;  // Of the job's accepted result.
};

absl::Status ReadRecords(Population& population, const StoredExperiment& experiment,
                         std::map<std::string, Recorded>& records) {
  SQUISH_ASSIGN_OR_RETURN(const std::vector<BoardJob> jobs, population.Jobs(experiment.row, 0));
  SQUISH_ASSIGN_OR_RETURN(const std::vector<StoredAttempt> attempts,
                          population.Attempts(experiment.row, 0));
  std::map<std::string, std::string> essences;  // By key.
  int last = 0;
  for (const BoardJob& job : jobs) last = std::max(last, job.key.generation());
  for (int generation = 0; generation <= last; ++generation) {
    SQUISH_ASSIGN_OR_RETURN(const std::vector<v1::AttemptResult> facts,
                            population.ResultFacts(experiment.row, generation));
    for (const v1::AttemptResult& fact : facts) {
      essences[fact.key().SerializeAsString()] = Essence(fact);
    }
  }
  std::map<int64_t, const BoardJob*> by_id;
  for (const BoardJob& job : jobs) by_id[job.id] = &job;
  for (const StoredAttempt& stored : attempts) {
    const BoardJob& job = *by_id.at(stored.attempt.job);
    records[stored.attempt.id] = {stored.attempt.state, job.state,
                                  essences[job.key.SerializeAsString()]};
  }
  return absl::OkStatus();
}

std::string WhatIsMissing(const v1::AttemptResult& result,
                          const std::map<std::string, Recorded>& records) {
  const auto found = records.find(result.attempt_id());
  if (found == records.end()) return "nothing is recorded of its attempt";
  const Recorded& record = found->second;
  if (record.state == AttemptState::kRunning) return "its attempt is recorded as running";
  const std::string essence = Essence(result);
  if (essence.empty() || record.job_state == JobState::kWithdrawn) return "";
  if (record.job_state != JobState::kDone) {
    return absl::StrCat("its job is ", std::string(JobStateName(record.job_state)));
  }
  return record.essence == essence
             ? ""
             : absl::StrCat("its job has '", record.essence, "', it says '", essence, "'");
}

absl::Status CheckAcknowledged(const std::string& folder,
                               const std::map<std::string, Recorded>& records,
                               OutcomeReport& report) {
  std::error_code error;
  for (std::filesystem::directory_iterator next(folder, error), end; !error && next != end;
       next.increment(error)) {
    SQUISH_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(next->path().string()));
    v1::AttemptResult result;
    const std::string missing =
        result.ParseFromString(bytes) ? WhatIsMissing(result, records) : "it is no result";
    ++report.acknowledged;
    if (missing.empty()) continue;
    report.problems.push_back(absl::StrCat("the acknowledged result ",
                                           next->path().filename().string(), " of ",
                                           result.key().ShortDebugString(), ": ", missing));
  }
  if (error) return ErrnoStatus(error.value(), "cannot list", folder);
  return absl::OkStatus();
}

absl::Status CheckExperiment(Population& population, const StoredExperiment& stored,
                             const std::map<uint64_t, Outcome>& expected, OutcomeReport& report) {
  const v1::Experiment& experiment = stored.experiment;
  const auto complain = [&](absl::string_view what) {
    report.problems.push_back(absl::StrCat(experiment.id(), ": ", what));
  };
  if (experiment.state() != v1::Experiment::SUCCEEDED) {
    complain(absl::StrCat("is ", v1::Experiment::State_Name(experiment.state()), " ",
                          experiment.reason()));
  }
  if (stored.nondeterministic > 0) {
    complain(absl::StrCat(stored.nondeterministic, " results differed from the accepted one"));
  }
  SQUISH_ASSIGN_OR_RETURN(const std::vector<v1::Champion> champions,
                          population.Champions(stored.row));
  const auto calm = expected.find(experiment.spec().seed());
  if (calm == expected.end()) {
    complain(absl::StrCat("seed ", experiment.spec().seed(), " was not run undisturbed"));
    return absl::OkStatus();
  }
  if (experiment.population_digest() != calm->second.population_digest) {
    complain(absl::StrCat("has the population digest ", experiment.population_digest(), ", not ",
                          calm->second.population_digest));
  }
  if (DescribeChampions(champions) != calm->second.champions) complain("has other champions");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OutcomeReport> CheckOutcome(const std::string& path, const std::string& acknowledged,
                                           const std::map<uint64_t, Outcome>& expected) {
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Population> population, Population::Open(path));
  SQUISH_ASSIGN_OR_RETURN(const FsckReport fsck, CheckPopulation(*population));
  OutcomeReport report;
  for (const std::string& problem : fsck.problems) {
    report.problems.push_back(absl::StrCat("fsck: ", problem));
  }
  SQUISH_ASSIGN_OR_RETURN(const std::vector<StoredExperiment> experiments,
                          population->ListExperiments());
  std::map<std::string, Recorded> records;
  for (const StoredExperiment& experiment : experiments) {
    ++report.experiments;
    SQUISH_RETURN_IF_ERROR(CheckExperiment(*population, experiment, expected, report));
    SQUISH_RETURN_IF_ERROR(ReadRecords(*population, experiment, records));
  }
  SQUISH_RETURN_IF_ERROR(CheckAcknowledged(acknowledged, records, report));
  return report;
}

}  // namespace squish
