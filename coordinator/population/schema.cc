#include "coordinator/population/schema.h"

#include <cstdio>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

// Version 1. Messages are stored serialised; columns beside them are what SQL looks
// at. Times are milliseconds since 1970. The checks and triggers repeat the state
// machines of Experiment.State, Individual.State, JobState and AttemptState.
constexpr char kVersion1[] = R"sql(
CREATE TABLE experiments (
  id               INTEGER PRIMARY KEY,
  name             TEXT NOT NULL UNIQUE,      -- Experiment.id
  idempotency_key  TEXT UNIQUE,               -- NULL: none was given
  state            TEXT NOT NULL CHECK (state IN
                     ('RUNNING','PAUSED','NEEDS_ATTENTION','SUCCEEDED','FAILED','CANCELLED')),
  reason           TEXT NOT NULL,
  spec             BLOB NOT NULL,             -- ExperimentSpec
  dataset          BLOB,                      -- DatasetSummary, once pinned
  summary          BLOB NOT NULL,             -- EvolutionSummary of the closed generations
  images_planned   INTEGER NOT NULL CHECK (images_planned >= 0),
  images_wasted    INTEGER NOT NULL CHECK (images_wasted >= 0),
  nondeterministic INTEGER NOT NULL CHECK (nondeterministic >= 0),
  population_digest TEXT NOT NULL,            -- of an ended experiment, else empty
  created_ms       INTEGER NOT NULL,
  finished_ms      INTEGER,
  CHECK ((state IN ('SUCCEEDED','FAILED','CANCELLED')) = (finished_ms IS NOT NULL))
) STRICT;

CREATE TABLE numerics_classes (
  experiment INTEGER NOT NULL REFERENCES experiments(id),
  class      TEXT NOT NULL,
  PRIMARY KEY (experiment, class)
) STRICT, WITHOUT ROWID;

CREATE TABLE individuals (
  experiment INTEGER NOT NULL REFERENCES experiments(id),
  generation INTEGER NOT NULL CHECK (generation >= 0),
  idx        INTEGER NOT NULL CHECK (idx >= 0),
  state      TEXT NOT NULL CHECK (state IN
               ('SYNTHESIZING','TRAINING','EVALUATED','DIVERGED','UNSUPPORTED')),
  record     BLOB NOT NULL,                   -- Individual
  PRIMARY KEY (experiment, generation, idx)
) STRICT;

CREATE TABLE jobs (
  id            INTEGER PRIMARY KEY,
  experiment    INTEGER NOT NULL REFERENCES experiments(id),
  generation    INTEGER NOT NULL CHECK (generation >= 0),
  idx           INTEGER NOT NULL CHECK (idx >= 0),
  kind          TEXT NOT NULL CHECK (kind IN ('SYNTHESIZE','TRAIN','MEASURE')),
  rung          INTEGER NOT NULL CHECK (rung >= 0),
  state         TEXT NOT NULL CHECK (state IN
                  ('QUEUED','LEASED','DONE','EXHAUSTED','WITHDRAWN')),
  lost          INTEGER NOT NULL CHECK (lost >= 0),
  failed        INTEGER NOT NULL CHECK (failed >= 0),
  invalid       INTEGER NOT NULL CHECK (invalid >= 0),
  last_error    TEXT NOT NULL,
  result_digest TEXT NOT NULL,
  work          BLOB NOT NULL,                -- Job
  UNIQUE (experiment, generation, idx, kind, rung)
) STRICT;

CREATE TABLE attempts (
  id            TEXT PRIMARY KEY,
  job           INTEGER NOT NULL REFERENCES jobs(id),
  runner        TEXT NOT NULL,
  incarnation   INTEGER NOT NULL,
  state         TEXT NOT NULL CHECK (state IN
                  ('RUNNING','DELIVERED','FAILED','LOST','STOPPED')),
  images_wasted INTEGER NOT NULL CHECK (images_wasted >= 0),
  started_ms    INTEGER NOT NULL,
  ended_ms      INTEGER,
  CHECK ((state = 'RUNNING') = (ended_ms IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_by_job ON attempts(job);

-- What was accepted, in order: everything that an evolution is a function of.
CREATE TABLE facts (
  sequence   INTEGER PRIMARY KEY,
  experiment INTEGER NOT NULL REFERENCES experiments(id),
  kind       TEXT NOT NULL CHECK (kind IN ('DATASET','RESULT')),
  generation INTEGER,
  content    BLOB NOT NULL,                   -- DatasetSummary, AttemptResult
  CHECK ((kind = 'RESULT') = (generation IS NOT NULL))
) STRICT;
CREATE INDEX facts_by_generation ON facts(experiment, generation);

CREATE TABLE measurements (
  architecture     TEXT NOT NULL,
  ancestor         TEXT NOT NULL,
  input_size       INTEGER NOT NULL,
  device_class     TEXT NOT NULL,
  engine           TEXT NOT NULL,
  precision        TEXT NOT NULL,
  batch            INTEGER NOT NULL,
  threads          INTEGER NOT NULL,
  protocol_version INTEGER NOT NULL,
  result           BLOB NOT NULL,             -- MeasureResult, VALID
  PRIMARY KEY (architecture, ancestor, input_size, device_class, engine, precision, batch,
               threads, protocol_version)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER experiments_end_once BEFORE UPDATE OF state ON experiments
WHEN old.state IN ('SUCCEEDED','FAILED','CANCELLED') AND new.state <> old.state
BEGIN SELECT RAISE(ABORT, 'an experiment that has ended does not go on'); END;

CREATE TRIGGER jobs_end_once BEFORE UPDATE OF state ON jobs
WHEN old.state IN ('DONE','WITHDRAWN') AND new.state <> old.state
BEGIN SELECT RAISE(ABORT, 'a job that is done or withdrawn stays so'); END;

CREATE TRIGGER jobs_exhausted BEFORE UPDATE OF state ON jobs
WHEN old.state = 'EXHAUSTED' AND new.state = 'LEASED'
BEGIN SELECT RAISE(ABORT, 'an exhausted job is queued before it is leased'); END;

CREATE TRIGGER attempts_deliver_once BEFORE UPDATE OF state ON attempts
WHEN (old.state = 'DELIVERED' AND new.state <> 'DELIVERED') OR
     (old.state <> 'RUNNING' AND new.state NOT IN (old.state, 'DELIVERED'))
BEGIN SELECT RAISE(ABORT, 'an attempt that has ended can only deliver late'); END;
)sql";

// Version 2: champions, and the jobs that make them. A CHECK cannot be changed in place, so
// the table of jobs is made anew; `attempts` goes on referring to it by name.
constexpr char kVersion2[] = R"sql(
CREATE TABLE champions (
  experiment INTEGER NOT NULL REFERENCES experiments(id),
  idx        INTEGER NOT NULL CHECK (idx >= 0),
  state      TEXT NOT NULL CHECK (state IN ('TRAINING','FINISHING','READY')),
  record     BLOB NOT NULL,                   -- Champion
  PRIMARY KEY (experiment, idx)
) STRICT;

CREATE TABLE jobs_of_version_2 (
  id            INTEGER PRIMARY KEY,
  experiment    INTEGER NOT NULL REFERENCES experiments(id),
  generation    INTEGER NOT NULL CHECK (generation >= 0),
  idx           INTEGER NOT NULL CHECK (idx >= 0),
  kind          TEXT NOT NULL CHECK (kind IN
                  ('SYNTHESIZE','TRAIN','MEASURE','EVALUATE','EXPORT')),
  rung          INTEGER NOT NULL CHECK (rung >= 0),
  state         TEXT NOT NULL CHECK (state IN
                  ('QUEUED','LEASED','DONE','EXHAUSTED','WITHDRAWN')),
  lost          INTEGER NOT NULL CHECK (lost >= 0),
  failed        INTEGER NOT NULL CHECK (failed >= 0),
  invalid       INTEGER NOT NULL CHECK (invalid >= 0),
  last_error    TEXT NOT NULL,
  result_digest TEXT NOT NULL,
  work          BLOB NOT NULL,                -- Job
  UNIQUE (experiment, generation, idx, kind, rung)
) STRICT;
INSERT INTO jobs_of_version_2
  SELECT id, experiment, generation, idx, kind, rung, state, lost, failed, invalid, last_error,
         result_digest, work FROM jobs;
DROP TABLE jobs;
ALTER TABLE jobs_of_version_2 RENAME TO jobs;

CREATE TRIGGER jobs_end_once BEFORE UPDATE OF state ON jobs
WHEN old.state IN ('DONE','WITHDRAWN') AND new.state <> old.state
BEGIN SELECT RAISE(ABORT, 'a job that is done or withdrawn stays so'); END;

CREATE TRIGGER jobs_exhausted BEFORE UPDATE OF state ON jobs
WHEN old.state = 'EXHAUSTED' AND new.state = 'LEASED'
BEGIN SELECT RAISE(ABORT, 'an exhausted job is queued before it is leased'); END;
)sql";

// Version 3: individuals that successive halving left behind.
constexpr char kVersion3[] = R"sql(
CREATE TABLE individuals_of_version_3 (
  experiment INTEGER NOT NULL REFERENCES experiments(id),
  generation INTEGER NOT NULL CHECK (generation >= 0),
  idx        INTEGER NOT NULL CHECK (idx >= 0),
  state      TEXT NOT NULL CHECK (state IN
               ('SYNTHESIZING','TRAINING','EVALUATED','DIVERGED','UNSUPPORTED','UNTRAINED')),
  record     BLOB NOT NULL,                   -- Individual
  PRIMARY KEY (experiment, generation, idx)
) STRICT;
INSERT INTO individuals_of_version_3
  SELECT experiment, generation, idx, state, record FROM individuals;
DROP TABLE individuals;
ALTER TABLE individuals_of_version_3 RENAME TO individuals;
)sql";

// Version 4: checkpoints of trainings. Only the latest of a job counts, and only while the job
// is open.
constexpr char kVersion4[] = R"sql(
CREATE TABLE checkpoints (
  job      INTEGER PRIMARY KEY REFERENCES jobs(id),
  artifact TEXT NOT NULL CHECK (length(artifact) = 64),
  record   BLOB NOT NULL                      -- Checkpoint
) STRICT;
CREATE INDEX checkpoints_by_artifact ON checkpoints(artifact);

CREATE TRIGGER checkpoints_of_open_trainings BEFORE INSERT ON checkpoints
WHEN NOT EXISTS (SELECT 1 FROM jobs WHERE id = new.job AND kind = 'TRAIN' AND
                 state NOT IN ('DONE','WITHDRAWN'))
BEGIN SELECT RAISE(ABORT, 'only a training that is not over has a checkpoint'); END;

CREATE TRIGGER jobs_end_without_checkpoint BEFORE UPDATE OF state ON jobs
WHEN new.state IN ('DONE','WITHDRAWN') AND
     EXISTS (SELECT 1 FROM checkpoints WHERE job = new.id)
BEGIN SELECT RAISE(ABORT, 'a job that is over has no checkpoint'); END;
)sql";

constexpr int kAllPages = -1;

// kMigrations[v] leads from version v to version v + 1.
constexpr const char* kMigrations[] = {kVersion1, kVersion2, kVersion3, kVersion4};
static_assert(std::size(kMigrations) == kSchemaVersion);

absl::Status NotAPopulation(absl::string_view path, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, " is no population database (", what,
                   "); name another file with --population, it is made if absent"));
}

// What an upgrade leaves of the file, whole and synced, before it changes anything: the program
// that made it can go on from there.
absl::Status KeepCopy(Database& database, absl::string_view path, int64_t version) {
  const std::string unfinished = absl::StrCat(path, kCopyMark, "schema-", version);
  std::remove(unfinished.c_str());  // A process that died may have left it.
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<CopyInProgress> copy,
                          database.StartCopy(unfinished));
  SQUISH_ASSIGN_OR_RETURN(const bool whole, copy->Step(kAllPages));
  if (!whole) return absl::FailedPreconditionError("another program is using the file");
  return RenameDurably(unfinished, CopyOfSchema(path, version));
}

absl::Status MigrateFrom(Database& database, int version) {
  SQUISH_RETURN_IF_ERROR(database.Execute("BEGIN IMMEDIATE"));
  const absl::Status status = database.Execute(
      absl::StrCat(kMigrations[version], "PRAGMA application_id = ", kApplicationId,
                   "; PRAGMA user_version = ", version + 1, "; COMMIT;"));
  if (!status.ok()) database.Execute("ROLLBACK").IgnoreError();
  return status;
}

}  // namespace

std::string CopyOfSchema(absl::string_view path, int64_t version) {
  return absl::StrCat(path, ".schema-", version);
}

absl::Status PrepareSchema(Database& database, absl::string_view path) {
  return PrepareSchemaOfVersion(database, path, kSchemaVersion);
}

absl::Status PrepareSchemaOfVersion(Database& database, absl::string_view path, int to) {
  const absl::StatusOr<int64_t> application = database.Number("PRAGMA application_id");
  if (absl::IsInvalidArgument(application.status())) {
    return NotAPopulation(path, "it is no SQLite file");
  }
  SQUISH_RETURN_IF_ERROR(application.status());
  SQUISH_ASSIGN_OR_RETURN(const int64_t tables,
                          database.Number("SELECT count(*) FROM sqlite_schema"));
  const bool is_new = *application == 0 && tables == 0;
  if (!is_new && *application != kApplicationId) {
    return NotAPopulation(path, "it is a SQLite file of another program");
  }
  SQUISH_ASSIGN_OR_RETURN(const int64_t version, database.Number("PRAGMA user_version"));
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " has schema version ", version,
                     ", and this program knows versions up to ", kSchemaVersion,
                     "; use the newer program that made it"));
  }
  if (version > 0 && version < to) {
    SQUISH_RETURN_IF_ERROR(
        Annotate(KeepCopy(database, path, version),
                 absl::StrCat("cannot keep a copy of ", path, " before its schema is upgraded")));
  }
  for (int from = static_cast<int>(version); from < to; ++from) {
    SQUISH_RETURN_IF_ERROR(MigrateFrom(database, from));
  }
  return absl::OkStatus();
}

}  // namespace squish
