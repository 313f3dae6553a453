// The population on disk: experiments, individuals, jobs, attempts, facts and the
// measurement cache in one SQLite file, artifacts beside it.
//
//   FILE              SQLite, WAL, synchronous=FULL
//   FILE.artifacts/   blobs by SHA-256 (common/artifacts)
//   FILE.lock         whose it is
//
//   population->Begin();
//   population->AddJob(...);           // writes: the first failure is kept …
//   if (!population->Commit().ok())    // … and said here; then nothing was written
//
// After Commit has returned OK, everything since Begin is on disk. Between Begin and
// Commit reads see the writes. Writes happen between Begin and Commit only; reads at
// any time.
//
// Exactly one process has the file open, and in it one thread (the coordinator's loop)
// uses this type: not thread-safe. artifacts() is. Row ids never leave the coordinator.
#ifndef SQUISH_COORDINATOR_POPULATION_POPULATION_H_
#define SQUISH_COORDINATOR_POPULATION_POPULATION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/artifacts/blob_store.h"
#include "coordinator/jobs/job_board.h"
#include "squish/v1/dataset.pb.h"
#include "squish/v1/evolution.pb.h"
#include "squish/v1/experiment.pb.h"
#include "squish/v1/job.pb.h"
#include "squish/v1/runner.pb.h"

namespace squish {

class CopyInProgress;
class Database;
class OwnerLock;

// An experiment as it is stored. `experiment.state` is one of RUNNING, PAUSED,
// NEEDS_ATTENTION, SUCCEEDED, FAILED, CANCELLED; waiting is derived, never stored.
// `generation`, `device_class` and, until the end, `population_digest` follow from the
// rest and are not stored.
struct StoredExperiment {
  int64_t row = 0;
  v1::Experiment experiment;
  v1::EvolutionSummary summary;
  int64_t nondeterministic = 0;  // Results that differed from the accepted one.
};

struct StoredAttempt {
  BoardAttempt attempt;
  int64_t images_wasted = 0;
};

// What a cached measurement answers for. `setting` is what it was made on, and the
// device class and input size are in it; `setting.synthetic` is no part of the key.
struct MeasurementKey {
  std::string architecture;  // Digests.
  std::string ancestor;
  v1::MeasurementSetting setting;
};

// A copy of the database, in a file beside it that is removed with this object unless
// somebody has moved it away. Steps as CopyInProgress.
class DatabaseCopy {
 public:
  DatabaseCopy(std::string path, std::unique_ptr<CopyInProgress> copy);
  ~DatabaseCopy();
  DatabaseCopy(DatabaseCopy&& other) noexcept;
  DatabaseCopy& operator=(DatabaseCopy&&) = delete;

  absl::StatusOr<bool> Step(int pages);
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::unique_ptr<CopyInProgress> copy_;
};

// True for SUCCEEDED, FAILED and CANCELLED.
bool HasEnded(v1::Experiment::State state);

class Population {
 public:
  // Opens the file, or makes it with its folder of artifacts; brings an older schema
  // up to date. INVALID_ARGUMENT: the file is no population. FAILED_PRECONDITION: its
  // schema is newer than this program, another coordinator has it open, or it lies on a network
  // file system. NOT_FOUND:
  // no such folder. PERMISSION_DENIED, RESOURCE_EXHAUSTED (disk full), DATA_LOSS (file
  // damaged), INTERNAL (I/O).
  static absl::StatusOr<std::unique_ptr<Population>> Open(const std::string& path);
  ~Population();
  Population(const Population&) = delete;
  Population& operator=(const Population&) = delete;

  BlobStore& artifacts() { return *artifacts_; }

  // Free on the file system of the artifacts, for whoever runs this. Errors as ErrnoStatus.
  absl::StatusOr<int64_t> FreeBytes() const;

  // What SQLite finds wrong with the file and its references; empty: nothing. Reads all of it.
  absl::StatusOr<std::vector<std::string>> FindDamage();

  // Begins a copy of the database, to be made by steps between transactions. It does not
  // outlive the population. Codes of Database::StartCopy.
  absl::StatusOr<std::unique_ptr<DatabaseCopy>> StartCopy();

  // --- Transactions.
  void Begin();
  // The first failure since Begin: of Begin itself or of the commit (RESOURCE_EXHAUSTED:
  // disk full; DATA_LOSS; INTERNAL: I/O), of a write as listed there, or what Fail was
  // given. Everything since Begin is rolled back then.
  absl::Status Commit();
  // Makes Commit fail: what the writes rest on could not be read.
  void Fail(const absl::Status& failure);

  // --- Experiments.
  // Row ids for new experiments and jobs; never given twice.
  int64_t NewExperimentRow() { return next_experiment_++; }
  int64_t NewJobId() { return next_job_++; }

  // Writes. ALREADY_EXISTS: the row, the id or the key (when not empty) is taken.
  void AddExperiment(const StoredExperiment& added, absl::string_view idempotency_key);
  // Everything but spec, id, `created` and the summary. NOT_FOUND: no such row.
  // FAILED_PRECONDITION: it has ended, and this state is another.
  void UpdateExperiment(const StoredExperiment& changed);
  // The summary, which grows with the archive and changes with generations only.
  void UpdateSummary(const StoredExperiment& changed);

  // Reads, here and below: DATA_LOSS (damaged), INTERNAL (I/O). NOT_FOUND: no
  // experiment has that id (the message says so to a user).
  absl::StatusOr<StoredExperiment> FindExperiment(absl::string_view id);
  absl::StatusOr<std::optional<StoredExperiment>> FindByIdempotencyKey(absl::string_view key);
  absl::StatusOr<std::vector<StoredExperiment>> ListExperiments();  // The newest first.
  absl::StatusOr<std::vector<StoredExperiment>> LiveExperiments();  // The oldest first.
  absl::StatusOr<std::map<v1::Experiment::State, int64_t>> CountExperiments();

  // --- Individuals: added, or replaced under the same name.
  void PutIndividual(int64_t experiment, const v1::Individual& individual);
  // By generation and index.
  absl::StatusOr<std::vector<v1::Individual>> Individuals(int64_t experiment);

  // --- Champions: added, or replaced under the same index.
  void PutChampion(int64_t experiment, const v1::Champion& champion);
  absl::StatusOr<std::vector<v1::Champion>> Champions(int64_t experiment);  // By index.

  // --- Jobs and attempts, written as the board says. ALREADY_EXISTS: the id or the
  // key is taken. NOT_FOUND: no such job or attempt. FAILED_PRECONDITION: the state
  // machine has no such step.
  void AddJob(const BoardJob& job, const v1::Job& work);
  void UpdateJob(const BoardJob& job);
  void AddAttempt(const BoardAttempt& attempt, absl::Time started);
  void UpdateAttempt(const StoredAttempt& changed, absl::Time ended);

  // NOT_FOUND: no such job.
  absl::StatusOr<v1::Job> Work(int64_t job);
  // Of one experiment, from this generation on, by id.
  absl::StatusOr<std::vector<BoardJob>> Jobs(int64_t experiment, int from_generation);
  absl::StatusOr<std::vector<StoredAttempt>> Attempts(int64_t experiment, int from_generation);

  // --- Checkpoints: of an open training the latest. Added, or replaced; removed before the job
  // is over. FAILED_PRECONDITION: the job is over already, or no training.
  void PutCheckpoint(int64_t job, const v1::Checkpoint& checkpoint);
  void RemoveCheckpoint(int64_t job);
  absl::StatusOr<std::optional<v1::Checkpoint>> FindCheckpoint(int64_t job);
  absl::StatusOr<std::map<int64_t, v1::Checkpoint>> Checkpoints(int64_t experiment);  // By job.
  // Whether some job's is this artifact.
  absl::StatusOr<bool> IsCheckpoint(absl::string_view artifact);

  // --- Facts, in the order of acceptance.
  void AddDatasetFact(int64_t experiment, const v1::DatasetSummary& dataset);
  void AddResultFact(int64_t experiment, const v1::AttemptResult& result);
  absl::StatusOr<std::vector<v1::AttemptResult>> ResultFacts(int64_t experiment, int generation);

  // Adds the digests of all artifacts that the experiment cannot do without (retention.h).
  absl::Status AddNamedArtifacts(const StoredExperiment& experiment,
                                 std::set<std::string>& digests);

  // --- The measurement cache. A key that is there keeps its first result, until one comes that
  // tells of more builds, or of layers where the first does not.
  void CacheMeasurement(const MeasurementKey& key, const v1::MeasureResult& result);
  absl::StatusOr<std::optional<v1::MeasureResult>> FindMeasurement(const MeasurementKey& key);

 private:
  Population(std::string path, std::unique_ptr<OwnerLock> lock,
             std::unique_ptr<Database> database, std::unique_ptr<BlobStore> artifacts);

  absl::Status LoadCounters();
  // Runs a write unless one has failed before; keeps its failure.
  template <typename... Values>
  void Write(absl::string_view what, absl::string_view sql, const Values&... values);
  // The same for an update that must find its row.
  template <typename... Values>
  void Update(absl::string_view what, absl::string_view sql, const Values&... values);

  const std::string path_;
  const std::unique_ptr<OwnerLock> lock_;
  const std::unique_ptr<Database> database_;
  const std::unique_ptr<BlobStore> artifacts_;
  int64_t next_experiment_ = 1;
  int64_t next_job_ = 1;
  bool in_transaction_ = false;
  absl::Status failure_;  // The first of this transaction.
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_POPULATION_POPULATION_H_
