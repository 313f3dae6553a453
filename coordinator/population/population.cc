#include "coordinator/population/population.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/spec/older.h"
#include "coordinator/population/file_system.h"
#include "coordinator/population/named_artifacts.h"
#include "coordinator/population/owner_lock.h"
#include "coordinator/population/schema.h"
#include "coordinator/population/sqlite.h"
#include "google/protobuf/util/time_util.h"

namespace squish {
namespace {

using google::protobuf::util::TimeUtil;

template <typename Message>
absl::Status Parse(absl::string_view bytes, absl::string_view what, Message* message) {
  if (message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("the population holds a damaged ", what));
}

template <typename Message>
std::string Serialise(const Message& message) {
  return message.SerializeAsString();
}

template <typename Names, typename State>
absl::StatusOr<State> StateFromName(absl::string_view name, Names parse, State state) {
  if (parse(std::string(name), &state)) return state;
  return absl::DataLossError(absl::StrCat("the population holds an unknown state ", name));
}

absl::StatusOr<JobState> JobStateFromName(absl::string_view name) {
  for (const JobState state : {JobState::kQueued, JobState::kLeased, JobState::kDone,
                               JobState::kExhausted, JobState::kWithdrawn}) {
    if (JobStateName(state) == name) return state;
  }
  return absl::DataLossError(absl::StrCat("the population holds an unknown job state ", name));
}

absl::StatusOr<AttemptState> AttemptStateFromName(absl::string_view name) {
  for (const AttemptState state : {AttemptState::kRunning, AttemptState::kDelivered,
                                   AttemptState::kFailed, AttemptState::kLost,
                                   AttemptState::kStopped}) {
    if (AttemptStateName(state) == name) return state;
  }
  return absl::DataLossError(absl::StrCat("the population holds an unknown attempt state ", name));
}

std::optional<int64_t> FinishedMs(const v1::Experiment& experiment) {
  if (!experiment.has_finished()) return std::nullopt;
  return TimeUtil::TimestampToMilliseconds(experiment.finished());
}

Query SelectExperiments(Database& database, absl::string_view rest) {
  return database.Prepare(absl::StrCat(
      "SELECT id, name, state, reason, spec, dataset, summary, images_planned, images_wasted, "
      "nondeterministic, population_digest, created_ms, finished_ms, "
      "(SELECT group_concat(class, char(10)) FROM (SELECT class FROM numerics_classes "
      "WHERE experiment = experiments.id ORDER BY class)) FROM experiments ",
      rest));
}

absl::StatusOr<StoredExperiment> ReadExperiment(const Query& row) {
  StoredExperiment stored;
  stored.row = row.Integer(0);
  v1::Experiment& experiment = stored.experiment;
  experiment.set_id(std::string(row.Text(1)));
  SQUISH_ASSIGN_OR_RETURN(const v1::Experiment::State state,
                          StateFromName(row.Text(2), v1::Experiment::State_Parse,
                                        v1::Experiment::STATE_UNSPECIFIED));
  experiment.set_state(state);
  experiment.set_reason(std::string(row.Text(3)));
  SQUISH_RETURN_IF_ERROR(Parse(row.Text(4), "experiment spec", experiment.mutable_spec()));
  CompleteOlder(*experiment.mutable_spec());
  if (!row.IsNull(5)) {
    SQUISH_RETURN_IF_ERROR(Parse(row.Text(5), "data set summary", experiment.mutable_dataset()));
  }
  SQUISH_RETURN_IF_ERROR(Parse(row.Text(6), "evolution summary", &stored.summary));
  experiment.set_images_planned(row.Integer(7));
  experiment.set_images_wasted(row.Integer(8));
  stored.nondeterministic = row.Integer(9);
  experiment.set_population_digest(std::string(row.Text(10)));
  *experiment.mutable_created() = TimeUtil::MillisecondsToTimestamp(row.Integer(11));
  if (!row.IsNull(12)) {
    *experiment.mutable_finished() = TimeUtil::MillisecondsToTimestamp(row.Integer(12));
  }
  absl::string_view classes = row.Text(13);
  while (!classes.empty()) {
    const size_t end = classes.find('\n');
    experiment.add_numerics_classes(std::string(classes.substr(0, end)));
    classes.remove_prefix(end == absl::string_view::npos ? classes.size() : end + 1);
  }
  return stored;
}

// Every row of `query` through `read`.
template <typename Read>
auto ReadAll(Query query, const Read& read)
    -> absl::StatusOr<std::vector<typename std::decay_t<decltype(*read(query))>>> {
  std::vector<typename std::decay_t<decltype(*read(query))>> values;
  while (true) {
    SQUISH_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return values;
    SQUISH_ASSIGN_OR_RETURN(auto value, read(query));
    values.push_back(std::move(value));
  }
}

absl::StatusOr<v1::Individual> ReadIndividual(const Query& row) {
  v1::Individual individual;
  SQUISH_RETURN_IF_ERROR(Parse(row.Text(0), "individual", &individual));
  return individual;
}

absl::StatusOr<v1::Champion> ReadChampion(const Query& row) {
  v1::Champion champion;
  SQUISH_RETURN_IF_ERROR(Parse(row.Text(0), "champion", &champion));
  return champion;
}

absl::StatusOr<v1::AttemptResult> ReadResult(const Query& row) {
  v1::AttemptResult result;
  SQUISH_RETURN_IF_ERROR(Parse(row.Text(0), "result", &result));
  return result;
}

absl::StatusOr<BoardJob> ReadJob(const Query& row) {
  BoardJob job;
  job.id = row.Integer(0);
  job.experiment = row.Integer(1);
  job.key.set_generation(static_cast<int>(row.Integer(2)));
  job.key.set_index(static_cast<int>(row.Integer(3)));
  SQUISH_ASSIGN_OR_RETURN(const v1::JobKey::Kind kind,
                          StateFromName(row.Text(4), v1::JobKey::Kind_Parse,
                                        v1::JobKey::KIND_UNSPECIFIED));
  job.key.set_kind(kind);
  job.key.set_rung(static_cast<int>(row.Integer(5)));
  SQUISH_ASSIGN_OR_RETURN(job.state, JobStateFromName(row.Text(6)));
  job.lost = static_cast<int>(row.Integer(7));
  job.failed = static_cast<int>(row.Integer(8));
  job.invalid = static_cast<int>(row.Integer(9));
  job.last_error = std::string(row.Text(10));
  job.result_digest = std::string(row.Text(11));
  return job;
}

absl::StatusOr<StoredAttempt> ReadAttempt(const Query& row) {
  StoredAttempt stored;
  stored.attempt.id = std::string(row.Text(0));
  stored.attempt.job = row.Integer(1);
  stored.attempt.runner = std::string(row.Text(2));
  stored.attempt.incarnation = static_cast<uint64_t>(row.Integer(3));
  SQUISH_ASSIGN_OR_RETURN(stored.attempt.state, AttemptStateFromName(row.Text(4)));
  stored.images_wasted = row.Integer(5);
  return stored;
}

// Opens the file as a population of this version, for this process alone.
absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& path) {
  SQUISH_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(path));
  SQUISH_RETURN_IF_ERROR(PrepareSchema(*database, path));
  // Inner pages of a large population's indexes stay in memory (64 MB), and pages that every
  // batch changes are copied back from the log once in 16 MB, not in 4.
  SQUISH_RETURN_IF_ERROR(
      database->Execute("PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4096;"));
  // EXCLUSIVE before the first access in WAL mode: no shared memory, no second reader.
  SQUISH_RETURN_IF_ERROR(
      database->Execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                        "PRAGMA trusted_schema = OFF; BEGIN IMMEDIATE; COMMIT;"));
  // What a coordinator that was killed left in the log can be read, whether or not it came to
  // sync it. It is about to be told to callers, so it has to be on disk.
  SQUISH_RETURN_IF_ERROR(database->Execute("PRAGMA wal_checkpoint(PASSIVE);"));
  return database;
}

// What a process that died left of its copies; nobody else makes any here.
void RemoveAbandonedCopies(const std::string& path) {
  const std::filesystem::path file(path);
  const std::string prefix = file.filename().string() + kCopyMark;
  const std::filesystem::path folder =
      file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (absl::StartsWith(entry.path().filename().string(), prefix)) {
      std::filesystem::remove(entry.path(), error);
    }
  }
}

// Of builds or of layers, and not less of either.
bool TellsMore(const v1::MeasureResult& result, const v1::MeasureResult& than) {
  const auto what = [](const v1::MeasureResult& one) {
    return std::make_pair(one.builds_size(), !one.profile().empty());
  };
  const auto [builds, profile] = what(result);
  const auto [other_builds, other_profile] = what(than);
  return builds >= other_builds && profile >= other_profile && what(result) != what(than);
}

}  // namespace

bool HasEnded(v1::Experiment::State state) {
  return state == v1::Experiment::SUCCEEDED || state == v1::Experiment::FAILED ||
         state == v1::Experiment::CANCELLED;
}

Population::Population(std::string path, std::unique_ptr<OwnerLock> lock,
                       std::unique_ptr<Database> database, std::unique_ptr<BlobStore> artifacts)
    : path_(std::move(path)),
      lock_(std::move(lock)), database_(std::move(database)), artifacts_(std::move(artifacts)) {}

Population::~Population() = default;

absl::StatusOr<std::unique_ptr<Population>> Population::Open(const std::string& path) {
  SQUISH_RETURN_IF_ERROR(CheckIsLocal(path));
  SQUISH_ASSIGN_OR_RETURN(std::unique_ptr<OwnerLock> lock, OwnerLock::Take(path));
  absl::StatusOr<std::unique_ptr<Database>> database = OpenDatabase(path);
  if (absl::IsInvalidArgument(database.status())) lock->Retract();
  // SQLite's own messages do not name the file; ours begin with it.
  SQUISH_RETURN_IF_ERROR(absl::StrContains(database.status().message(), path)
                             ? database.status()
                             : Annotate(database.status(), absl::StrCat("cannot open ", path)));
  SQUISH_ASSIGN_OR_RETURN(std::unique_ptr<BlobStore> artifacts,
                          BlobStore::Open(absl::StrCat(path, ".artifacts")));
  auto population = std::unique_ptr<Population>(
      new Population(path, std::move(lock), *std::move(database), std::move(artifacts)));
  RemoveAbandonedCopies(path);
  SQUISH_RETURN_IF_ERROR(population->LoadCounters());
  return population;
}

absl::Status Population::LoadCounters() {
  SQUISH_ASSIGN_OR_RETURN(next_experiment_,
                          database_->Number("SELECT ifnull(max(id), 0) + 1 FROM experiments"));
  SQUISH_ASSIGN_OR_RETURN(next_job_, database_->Number("SELECT ifnull(max(id), 0) + 1 FROM jobs"));
  return absl::OkStatus();
}

void Population::Begin() {
  assert(!in_transaction_);
  failure_ = Annotate(database_->Run("BEGIN IMMEDIATE"), "cannot begin");
  in_transaction_ = true;
}

absl::Status Population::Commit() {
  assert(in_transaction_);
  if (failure_.ok()) failure_ = Annotate(database_->Run("COMMIT"), "cannot commit");
  // SQLite may have rolled back by itself (disk full); then this does nothing.
  if (!failure_.ok()) database_->Run("ROLLBACK").IgnoreError();
  in_transaction_ = false;
  return failure_;
}

void Population::Fail(const absl::Status& failure) {
  assert(in_transaction_);
  if (failure_.ok()) failure_ = failure;
}

template <typename... Values>
void Population::Write(absl::string_view what, absl::string_view sql, const Values&... values) {
  assert(in_transaction_);
  if (!failure_.ok()) return;
  failure_ = Annotate(database_->Run(sql, values...), absl::StrCat("cannot record ", what));
}

template <typename... Values>
void Population::Update(absl::string_view what, absl::string_view sql, const Values&... values) {
  Write(what, sql, values...);
  if (failure_.ok() && database_->Changes() != 1) {
    failure_ = absl::NotFoundError(absl::StrCat("cannot change ", what, ": there is none"));
  }
}

void Population::AddExperiment(const StoredExperiment& added, absl::string_view idempotency_key) {
  const v1::Experiment& experiment = added.experiment;
  std::optional<absl::string_view> key;
  if (!idempotency_key.empty()) key = idempotency_key;
  Write("an experiment",
        "INSERT INTO experiments (id, name, idempotency_key, state, reason, spec, summary, "
        "images_planned, images_wasted, nondeterministic, population_digest, created_ms) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, 0, '', ?8)",
        added.row, experiment.id(), key, v1::Experiment::State_Name(experiment.state()),
        experiment.reason(), Blob{Serialise(experiment.spec())}, Blob{Serialise(added.summary)},
        TimeUtil::TimestampToMilliseconds(experiment.created()));
}

void Population::UpdateExperiment(const StoredExperiment& changed) {
  const v1::Experiment& experiment = changed.experiment;
  const std::string dataset = Serialise(experiment.dataset());
  std::optional<Blob> pinned;
  if (experiment.has_dataset()) pinned = Blob{dataset};
  Update("an experiment",
         "UPDATE experiments SET state = ?2, reason = ?3, dataset = ?4, images_planned = ?5, "
         "images_wasted = ?6, nondeterministic = ?7, population_digest = ?8, finished_ms = ?9 "
         "WHERE id = ?1",
         changed.row, v1::Experiment::State_Name(experiment.state()), experiment.reason(), pinned,
         experiment.images_planned(), experiment.images_wasted(), changed.nondeterministic,
         HasEnded(experiment.state()) ? experiment.population_digest() : std::string(),
         FinishedMs(experiment));
  for (const std::string& numerics : experiment.numerics_classes()) {
    Write("a numerics class", "INSERT OR IGNORE INTO numerics_classes VALUES (?1, ?2)", changed.row,
          numerics);
  }
}

void Population::UpdateSummary(const StoredExperiment& changed) {
  Update("a summary", "UPDATE experiments SET summary = ?2 WHERE id = ?1", changed.row,
         Blob{Serialise(changed.summary)});
}

absl::StatusOr<StoredExperiment> Population::FindExperiment(absl::string_view id) {
  Query query = SelectExperiments(*database_, "WHERE name = ?1");
  query.Bind(id);
  SQUISH_ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row) {
    return absl::NotFoundError(
        absl::StrCat("no experiment has the id '", id.substr(0, 100),
                     "'; `squishctl list` shows them all"));
  }
  return ReadExperiment(query);
}

absl::StatusOr<std::optional<StoredExperiment>> Population::FindByIdempotencyKey(
    absl::string_view key) {
  Query query = SelectExperiments(*database_, "WHERE idempotency_key = ?1");
  query.Bind(key);
  SQUISH_ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row) return std::nullopt;
  return ReadExperiment(query);
}

absl::StatusOr<std::vector<StoredExperiment>> Population::ListExperiments() {
  return ReadAll(SelectExperiments(*database_, "ORDER BY id DESC"), ReadExperiment);
}

absl::StatusOr<std::vector<StoredExperiment>> Population::LiveExperiments() {
  return ReadAll(SelectExperiments(*database_, "WHERE finished_ms IS NULL ORDER BY id"),
                 ReadExperiment);
}

absl::StatusOr<std::map<v1::Experiment::State, int64_t>> Population::CountExperiments() {
  std::map<v1::Experiment::State, int64_t> counts;
  Query query = database_->Prepare("SELECT state, count(*) FROM experiments GROUP BY state");
  while (true) {
    SQUISH_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return counts;
    SQUISH_ASSIGN_OR_RETURN(const v1::Experiment::State state,
                            StateFromName(query.Text(0), v1::Experiment::State_Parse,
                                          v1::Experiment::STATE_UNSPECIFIED));
    counts[state] = query.Integer(1);
  }
}

void Population::PutIndividual(int64_t experiment, const v1::Individual& individual) {
  Write("an individual",
        "INSERT INTO individuals (experiment, generation, idx, state, record) "
        "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (experiment, generation, idx) "
        "DO UPDATE SET state = excluded.state, record = excluded.record",
        experiment, individual.name().generation(), individual.name().index(),
        v1::Individual::State_Name(individual.state()), Blob{Serialise(individual)});
}

absl::StatusOr<std::vector<v1::Individual>> Population::Individuals(int64_t experiment) {
  Query query = database_->Prepare(
      "SELECT record FROM individuals WHERE experiment = ?1 ORDER BY generation, idx");
  query.Bind(experiment);
  return ReadAll(std::move(query), ReadIndividual);
}

void Population::PutChampion(int64_t experiment, const v1::Champion& champion) {
  Write("a champion",
        "INSERT INTO champions (experiment, idx, state, record) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (experiment, idx) DO UPDATE SET state = excluded.state, "
        "record = excluded.record",
        experiment, champion.index(), v1::Champion::State_Name(champion.state()),
        Blob{Serialise(champion)});
}

absl::StatusOr<std::vector<v1::Champion>> Population::Champions(int64_t experiment) {
  Query query =
      database_->Prepare("SELECT record FROM champions WHERE experiment = ?1 ORDER BY idx");
  query.Bind(experiment);
  return ReadAll(std::move(query), ReadChampion);
}

void Population::AddJob(const BoardJob& job, const v1::Job& work) {
  Write("a job",
        "INSERT INTO jobs (id, experiment, generation, idx, kind, rung, state, lost, failed, "
        "invalid, last_error, result_digest, work) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        job.id, job.experiment, job.key.generation(), job.key.index(),
        v1::JobKey::Kind_Name(job.key.kind()), job.key.rung(), JobStateName(job.state), job.lost,
        job.failed, job.invalid, job.last_error, job.result_digest, Blob{Serialise(work)});
}

void Population::UpdateJob(const BoardJob& job) {
  Update("a job",
         "UPDATE jobs SET state = ?2, lost = ?3, failed = ?4, invalid = ?5, last_error = ?6, "
         "result_digest = ?7 WHERE id = ?1",
         job.id, JobStateName(job.state), job.lost, job.failed, job.invalid, job.last_error,
         job.result_digest);
}

void Population::AddAttempt(const BoardAttempt& attempt, absl::Time started) {
  Write("an attempt",
        "INSERT INTO attempts (id, job, runner, incarnation, state, images_wasted, started_ms) "
        "VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
        attempt.id, attempt.job, attempt.runner, static_cast<int64_t>(attempt.incarnation),
        AttemptStateName(attempt.state), absl::ToUnixMillis(started));
}

void Population::UpdateAttempt(const StoredAttempt& changed, absl::Time ended) {
  Update("an attempt",
         "UPDATE attempts SET state = ?2, images_wasted = ?3, ended_ms = ?4 WHERE id = ?1",
         changed.attempt.id, AttemptStateName(changed.attempt.state), changed.images_wasted,
         absl::ToUnixMillis(ended));
}

DatabaseCopy::DatabaseCopy(std::string path, std::unique_ptr<CopyInProgress> copy)
    : path_(std::move(path)), copy_(std::move(copy)) {}

DatabaseCopy::DatabaseCopy(DatabaseCopy&& other) noexcept
    : path_(std::exchange(other.path_, "")), copy_(std::move(other.copy_)) {}

DatabaseCopy::~DatabaseCopy() {
  copy_ = nullptr;
  if (path_.empty()) return;
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
    ::unlink(absl::StrCat(path_, suffix).c_str());
  }
}

absl::StatusOr<bool> DatabaseCopy::Step(int pages) {
  absl::StatusOr<bool> whole = copy_->Step(pages);
  if (whole.ok()) return whole;
  return Annotate(whole.status(), absl::StrCat("cannot copy the database to ", path_));
}

absl::StatusOr<std::unique_ptr<DatabaseCopy>> Population::StartCopy() {
  const std::string path = absl::StrCat(path_, kCopyMark, RandomHex(8));
  absl::StatusOr<std::unique_ptr<CopyInProgress>> copy = database_->StartCopy(path);
  if (!copy.ok()) {
    return Annotate(copy.status(), absl::StrCat("cannot copy the database to ", path));
  }
  return std::make_unique<DatabaseCopy>(path, *std::move(copy));
}

absl::StatusOr<int64_t> Population::FreeBytes() const {
  const std::string folder = absl::StrCat(path_, ".artifacts");
  struct statvfs disk;
  if (::statvfs(folder.c_str(), &disk) != 0) {
    return ErrnoStatus(errno, "cannot examine the file system of", folder);
  }
  return static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
}

absl::StatusOr<std::vector<std::string>> Population::FindDamage() {
  std::vector<std::string> damage;
  Query integrity = database_->Prepare("PRAGMA integrity_check");
  while (true) {
    SQUISH_ASSIGN_OR_RETURN(const bool row, integrity.Step());
    if (!row) break;
    if (integrity.Text(0) != "ok") damage.emplace_back(integrity.Text(0));
  }
  Query references = database_->Prepare("PRAGMA foreign_key_check");
  while (true) {
    SQUISH_ASSIGN_OR_RETURN(const bool row, references.Step());
    if (!row) return damage;
    damage.push_back(absl::StrCat("row ", references.Integer(1), " of ", references.Text(0),
                                  " refers to a row of ", references.Text(2),
                                  " that is not there"));
  }
}

absl::Status Population::AddNamedArtifacts(const StoredExperiment& experiment,
                                           std::set<std::string>& digests) {
  return squish::AddNamedArtifacts(*database_, experiment.row, experiment.experiment.spec(),
                                   experiment.summary, HasEnded(experiment.experiment.state()),
                                   digests);
}

absl::StatusOr<v1::Job> Population::Work(int64_t job) {
  Query query = database_->Prepare("SELECT work FROM jobs WHERE id = ?1");
  query.Bind(job);
  SQUISH_ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row) return absl::NotFoundError(absl::StrCat("no job ", job));
  v1::Job work;
  SQUISH_RETURN_IF_ERROR(Parse(query.Text(0), "job", &work));
  if (work.has_synthesize()) CompleteOlder(*work.mutable_synthesize());
  return work;
}

absl::StatusOr<std::vector<BoardJob>> Population::Jobs(int64_t experiment, int from_generation) {
  Query query = database_->Prepare(
      "SELECT id, experiment, generation, idx, kind, rung, state, lost, failed, invalid, "
      "last_error, result_digest FROM jobs WHERE experiment = ?1 AND generation >= ?2 ORDER BY id");
  query.Bind(experiment, from_generation);
  return ReadAll(std::move(query), ReadJob);
}

absl::StatusOr<std::vector<StoredAttempt>> Population::Attempts(int64_t experiment,
                                                                int from_generation) {
  Query query = database_->Prepare(
      "SELECT attempts.id, job, runner, incarnation, attempts.state, images_wasted "
      "FROM attempts JOIN jobs ON jobs.id = attempts.job "
      "WHERE experiment = ?1 AND generation >= ?2 ORDER BY attempts.id");
  query.Bind(experiment, from_generation);
  return ReadAll(std::move(query), ReadAttempt);
}

void Population::PutCheckpoint(int64_t job, const v1::Checkpoint& checkpoint) {
  Write("a checkpoint",
        "INSERT INTO checkpoints (job, artifact, record) VALUES (?1, ?2, ?3) ON CONFLICT (job) "
        "DO UPDATE SET artifact = excluded.artifact, record = excluded.record",
        job, checkpoint.artifact(), Blob{Serialise(checkpoint)});
}

void Population::RemoveCheckpoint(int64_t job) {
  Write("the end of a checkpoint", "DELETE FROM checkpoints WHERE job = ?1", job);
}

absl::StatusOr<std::optional<v1::Checkpoint>> Population::FindCheckpoint(int64_t job) {
  Query query = database_->Prepare("SELECT record FROM checkpoints WHERE job = ?1");
  query.Bind(job);
  SQUISH_ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row) return std::nullopt;
  v1::Checkpoint checkpoint;
  SQUISH_RETURN_IF_ERROR(Parse(query.Text(0), "checkpoint", &checkpoint));
  return checkpoint;
}

absl::StatusOr<std::map<int64_t, v1::Checkpoint>> Population::Checkpoints(int64_t experiment) {
  Query query = database_->Prepare(
      "SELECT checkpoints.job, record FROM checkpoints JOIN jobs ON jobs.id = checkpoints.job "
      "WHERE experiment = ?1");
  query.Bind(experiment);
  std::map<int64_t, v1::Checkpoint> checkpoints;
  while (true) {
    SQUISH_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return checkpoints;
    SQUISH_RETURN_IF_ERROR(
        Parse(query.Text(1), "checkpoint", &checkpoints[query.Integer(0)]));
  }
}

absl::StatusOr<bool> Population::IsCheckpoint(absl::string_view artifact) {
  Query query = database_->Prepare("SELECT 1 FROM checkpoints WHERE artifact = ?1");
  query.Bind(artifact);
  return query.Step();
}

void Population::AddDatasetFact(int64_t experiment, const v1::DatasetSummary& dataset) {
  Write("a fact", "INSERT INTO facts (experiment, kind, content) VALUES (?1, 'DATASET', ?2)",
        experiment, Blob{Serialise(dataset)});
}

void Population::AddResultFact(int64_t experiment, const v1::AttemptResult& result) {
  Write("a fact",
        "INSERT INTO facts (experiment, kind, generation, content) VALUES (?1, 'RESULT', ?2, ?3)",
        experiment, result.key().generation(), Blob{Serialise(result)});
}

absl::StatusOr<std::vector<v1::AttemptResult>> Population::ResultFacts(int64_t experiment,
                                                                       int generation) {
  Query query = database_->Prepare(
      "SELECT content FROM facts WHERE experiment = ?1 AND generation = ?2 ORDER BY sequence");
  query.Bind(experiment, generation);
  return ReadAll(std::move(query), ReadResult);
}

void Population::CacheMeasurement(const MeasurementKey& key, const v1::MeasureResult& result) {
  const absl::StatusOr<std::optional<v1::MeasureResult>> found = FindMeasurement(key);
  if (!found.ok()) return Fail(found.status());
  if (found->has_value() && !TellsMore(result, **found)) return;
  const v1::MeasurementSetting& setting = key.setting;
  Write("a measurement",
        "INSERT OR REPLACE INTO measurements VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        key.architecture, key.ancestor, setting.input_size(), setting.device_class(),
        setting.engine(), setting.precision(), setting.batch(), setting.threads(),
        setting.protocol_version(), Blob{Serialise(result)});
}

absl::StatusOr<std::optional<v1::MeasureResult>> Population::FindMeasurement(
    const MeasurementKey& key) {
  const v1::MeasurementSetting& setting = key.setting;
  Query query = database_->Prepare(
      "SELECT result FROM measurements WHERE architecture = ?1 AND ancestor = ?2 AND "
      "input_size = ?3 AND device_class = ?4 AND engine = ?5 AND precision = ?6 AND batch = ?7 AND "
      "threads = ?8 AND protocol_version = ?9");
  query.Bind(key.architecture, key.ancestor, setting.input_size(), setting.device_class(),
             setting.engine(), setting.precision(), setting.batch(), setting.threads(),
             setting.protocol_version());
  SQUISH_ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row) return std::nullopt;
  v1::MeasureResult result;
  SQUISH_RETURN_IF_ERROR(Parse(query.Text(0), "measurement", &result));
  return result;
}

}  // namespace squish
