#include "coordinator/fsck/fsck.h"

#include <cstdio>
#include <fstream>
#include <functional>
#include <string>

#include "common/base/file.h"
#include "common/weights/checkpoint.h"
#include "coordinator/population/sqlite.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/service/coordinator_fixture.h"

namespace squish {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FsckTest : public CoordinatorFixture {
 protected:
  FsckReport Check() {
    absl::StatusOr<FsckReport> report = CheckPopulation(*population_);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(FsckReport{});
  }
  std::string RunSmall() {
    FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
    const std::string id = Submit(SmallSpec())->id();
    RunToEnd(id, {&worker, &agent});
    EXPECT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED);
    return id;
  }
  // Changes the closed file by hand, past the triggers that would not let it.
  void Tamper(const std::string& sql) {
    coordinator_ = nullptr;
    population_ = nullptr;
    const std::string path = JoinPath(folder_, "population.db");
    {
      const auto database = Database::Open(path);
      ASSERT_TRUE(database.ok()) << database.status();
      for (const char* trigger : {"jobs_end_once", "experiments_end_once", "jobs_exhausted",
                                  "attempts_deliver_once", "checkpoints_of_open_trainings"}) {
        ASSERT_TRUE((*database)->Execute(std::string("DROP TRIGGER IF EXISTS ") + trigger).ok());
      }
      const absl::Status done = (*database)->Execute(sql);
      ASSERT_TRUE(done.ok()) << done;
    }
    auto opened = Population::Open(path);
    ASSERT_TRUE(opened.ok()) << opened.status();
    population_ = *std::move(opened);
  }
};

TEST_F(FsckTest, AFinishedExperimentIsSound) {
  RunSmall();
  const FsckReport report = Check();
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.experiments, 1);
  EXPECT_EQ(report.individuals, 5);
  EXPECT_GT(report.jobs, 15);
  EXPECT_EQ(report.facts, report.jobs);
  EXPECT_GT(report.artifacts, 10);
}

TEST_F(FsckTest, SoItIsAfterEveryStep) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  v1::ExperimentSpec spec = SmallSpec();
  spec.mutable_training()->add_halving()->set_keep(1);
  spec.mutable_measurement()->add_beside()->set_batch(4);
  spec.mutable_measurement()->add_beside()->set_champions(true);
  EXPECT_THAT(Check().problems, IsEmpty());
  const std::string id = Submit(spec)->id();
  for (int step = 0; step < 200 && !HasEnded(Get(id).state()); ++step) {
    Step(step % 2 == 0 ? worker : agent);
    ASSERT_THAT(Check().problems, IsEmpty()) << "step " << step;
  }
  EXPECT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED);
}

TEST_F(FsckTest, AnExperimentThatFailedOrWasCancelledIsSound) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(SmallSpec())->id();
  for (int step = 0; step < 7; ++step) Step(step % 2 == 0 ? worker : agent);
  v1::CancelRequest cancel;
  cancel.set_id(id);
  ASSERT_TRUE(Ask(&Coordinator::Cancel, cancel).ok());
  EXPECT_EQ(Get(id).state(), v1::Experiment::CANCELLED);
  EXPECT_THAT(Check().problems, IsEmpty());
}

TEST_F(FsckTest, ArtifactsThatNothingNamesAreCounted) {
  const std::string id = RunSmall();
  // What engines were given, now that it is over: two files of each and their one probe.
  const auto given = 2 * static_cast<int64_t>(Individuals(id).size()) + 1;
  EXPECT_EQ(Check().unreferenced, given);
  ASSERT_TRUE(artifacts().Put("nobody's").ok());
  const FsckReport report = Check();
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.unreferenced, given + 1);
}

TEST_F(FsckTest, AMissingAndADamagedArtifactAreNamed) {
  const std::string id = RunSmall();
  const std::string missing = Individuals(id)[1].trained_artifact();
  const std::string damaged = Individuals(id)[2].trained_artifact();
  ASSERT_TRUE(artifacts().Remove(missing).ok());
  std::ofstream(artifacts().PathOf(damaged), std::ios::app) << "x";
  const FsckReport report = Check();
  EXPECT_EQ(report.problems.size(), 2u);
  EXPECT_THAT(report.problems, Contains(HasSubstr("there is no artifact " + missing)));
  EXPECT_THAT(report.problems, Contains(HasSubstr(damaged + " no longer have that digest")));
}

TEST_F(FsckTest, ACheckpointIsNamedWhileItsTrainingIsOpen) {
  FakeRunner worker = FakeWorker("worker-1");
  Submit(SmallSpec()).IgnoreError();
  while (worker.attempts.empty() || !worker.attempts.begin()->second.has_train()) Step(worker);
  v1::SynchronizeRequest request = worker.Request();
  v1::Checkpoint& checkpoint = *request.mutable_attempts(0)->mutable_checkpoint();
  checkpoint.set_artifact(
      artifacts().Put(SerializeCheckpoint({"task", "class", 4, {}, {}, {}})).value());
  checkpoint.set_step(4);
  checkpoint.set_numerics_class("class");
  const int64_t before = Check().artifacts;
  Call(request);
  FsckReport report = Check();
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.artifacts, before + 1);
  EXPECT_EQ(report.unreferenced, 0);
  ASSERT_TRUE(artifacts().Remove(checkpoint.artifact()).ok());
  EXPECT_THAT(Check().problems,
              Contains(HasSubstr("there is no artifact " + checkpoint.artifact())));
}

struct Damage {
  const char* what;
  std::string sql;
  const char* problem;
};

TEST_F(FsckTest, EveryKindOfWrongRecordIsFound) {
  const Damage all[] = {
      {"a lost fact", "DELETE FROM facts WHERE sequence = (SELECT max(sequence) FROM facts)",
       "the job is DONE, and there is no fact"},
      {"a fact of nobody",
       "INSERT INTO facts (experiment, kind, generation, content) "
       "SELECT experiment, kind, generation, content FROM facts "
       "WHERE sequence = (SELECT max(sequence) FROM facts)",
       "two facts of one job"},
      {"a lost job",
       "PRAGMA foreign_keys = OFF; DELETE FROM jobs WHERE kind = 'MEASURE' AND generation = 1",
       "no job that it answers"},
      {"an attempt without a job",
       "PRAGMA foreign_keys = OFF; UPDATE attempts SET job = 999999 WHERE id = "
       "(SELECT min(id) FROM attempts)",
       "refers to a row of jobs that is not there"},
      {"a job that is open again", "UPDATE jobs SET state = 'QUEUED' WHERE id = 3",
       "the job is not DONE"},
      {"a lost individual", "DELETE FROM individuals WHERE generation = 1 AND idx = 0",
       "individual 1:0: what is stored is not what the facts give"},
      {"another individual",
       "UPDATE individuals SET record = (SELECT record FROM individuals WHERE generation = 0) "
       "WHERE generation = 2 AND idx = 1",
       "individual 2:1: what is stored is not what the facts give"},
      {"a lost champion", "DELETE FROM champions WHERE idx = 0", "champion 3:0"},
      {"another summary", "UPDATE experiments SET summary = x''", "the stored summary"},
      {"another digest", "UPDATE experiments SET population_digest = 'x'",
       "the population digest"},
      {"another count", "UPDATE experiments SET images_planned = 1", "images planned are 1"},
      {"another waste", "UPDATE experiments SET images_wasted = 7", "images wasted are 7"},
      {"a checkpoint of the past",
       "INSERT INTO checkpoints SELECT id, '" + std::string(64, 'a') +
           "', x'' FROM jobs WHERE kind = 'TRAIN' AND generation = 1 AND idx = 0",
       "TRAIN of 1:0: there is a checkpoint, and the job is DONE"},
      {"an end that is none",
       "UPDATE experiments SET state = 'RUNNING', finished_ms = NULL", "has not SUCCEEDED"},
      {"a record that is none",
       "UPDATE individuals SET record = x'ff' WHERE generation = 1 AND idx = 1", "individual"},
  };
  for (const Damage& damage : all) {
    SCOPED_TRACE(damage.what);
    StartOver();
    RunSmall();
    Tamper(damage.sql);
    const FsckReport report = Check();
    EXPECT_THAT(report.problems, Contains(HasSubstr(damage.problem)));
  }
}

TEST_F(FsckTest, OtherChampionsThanWouldBeChosenAreSaidOnceAndGoneOnWith) {
  const std::string id = RunSmall();
  StoredExperiment stored = *population_->FindExperiment(id);
  ASSERT_GT(stored.summary.champions_size(), 0);
  v1::Champion& champion = *stored.summary.mutable_champions(0);
  champion.mutable_roles(0)->set_met(!champion.roles(0).met());
  std::vector<v1::Champion> champions = Champions(id);
  *champions[0].mutable_roles() = champion.roles();
  population_->Begin();
  population_->UpdateSummary(stored);
  population_->PutChampion(stored.row, champions[0]);
  ASSERT_TRUE(population_->Commit().ok());
  EXPECT_THAT(Check().problems,
              testing::ElementsAre(HasSubstr("not those that this version would choose")));
}

TEST_F(FsckTest, AnAttemptRunsOnlyWhereTheJobIsLeased) {
  FakeRunner worker = FakeWorker("worker-1");
  Submit(SmallSpec()).IgnoreError();
  for (int call = 0; call < 5 && worker.attempts.empty(); ++call) Exchange(worker);
  ASSERT_EQ(worker.attempts.size(), 1u);
  EXPECT_THAT(Check().problems, IsEmpty());
  Tamper("UPDATE jobs SET state = 'QUEUED'");
  EXPECT_THAT(Check().problems, Contains(HasSubstr("an attempt runs, and the job is QUEUED")));
}

TEST_F(FsckTest, ALongListEndsSayingSo) {
  RunSmall();
  Tamper("UPDATE individuals SET record = (SELECT record FROM individuals WHERE generation = 0);"
         "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) "
         "INSERT INTO facts (experiment, kind, generation, content) "
         "SELECT experiment, kind, generation, content FROM facts, n WHERE sequence = 3");
  const FsckReport report = Check();
  EXPECT_EQ(report.problems.size(), 1000u);
  EXPECT_THAT(report.problems.back(), HasSubstr("more problems"));
}

}  // namespace
}  // namespace squish
