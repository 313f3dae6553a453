#include "coordinator/population/population.h"

#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/spec/older.h"
#include "coordinator/population/schema.h"
#include "coordinator/population/sqlite.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_folder.h"

namespace squish {
namespace {

using google::protobuf::util::MessageDifferencer;
using google::protobuf::util::TimeUtil;
using testing::HasSubstr;

class PopulationTest : public testing::Test {
 protected:
  std::string path() const { return JoinPath(folder_, "population.db"); }

  std::unique_ptr<Population> Open() {
    auto population = Population::Open(path());
    EXPECT_TRUE(population.ok()) << population.status();
    return population.ok() ? *std::move(population) : nullptr;
  }

  // An upgrade has left the file as the earlier program can read it.
  void ExpectCopyOfVersion(int version) {
    auto copy = Database::Open(CopyOfSchema(path(), version));
    ASSERT_TRUE(copy.ok()) << copy.status();
    EXPECT_EQ(*(*copy)->Number("PRAGMA user_version"), version);
    EXPECT_EQ(*(*copy)->Number("SELECT count(*) FROM jobs"), 2);
    EXPECT_EQ(*(*copy)->Number("SELECT count(*) FROM attempts WHERE state = 'RUNNING'"), 1);
  }

  static StoredExperiment Sample(int64_t row, const std::string& id) {
    StoredExperiment sample;
    sample.row = row;
    sample.experiment.set_id(id);
    sample.experiment.mutable_spec()->set_name("sample");
    sample.experiment.mutable_spec()->set_seed(42);
    sample.experiment.set_state(v1::Experiment::RUNNING);
    *sample.experiment.mutable_created() = TimeUtil::MillisecondsToTimestamp(1'700'000'000'123);
    sample.summary.set_closed_generation(-1);
    return sample;
  }

  static BoardJob Job(int64_t id, int64_t experiment, v1::JobKey::Kind kind, int generation = 0) {
    BoardJob job;
    job.id = id;
    job.experiment = experiment;
    job.key.set_generation(generation);
    job.key.set_kind(kind);
    return job;
  }

  // One experiment with one queued job in the file, committed.
  static void Fill(Population& population) {
    population.Begin();
    population.AddExperiment(Sample(1, "sample-1"), "key-1");
    population.AddJob(Job(1, 1, v1::JobKey::TRAIN), {});
    const absl::Status committed = population.Commit();
    ASSERT_TRUE(committed.ok()) << committed;
  }

  // What Commit says after `write`.
  template <typename Write>
  static absl::Status Committed(Population& population, const Write& write) {
    population.Begin();
    write();
    return population.Commit();
  }

  const std::string folder_ = TemporaryFolder();
};

TEST_F(PopulationTest, ExperimentComesBackAfterReopening) {
  StoredExperiment sample = Sample(1, "sample-1");
  {
    auto population = Open();
    EXPECT_EQ(population->NewExperimentRow(), 1);
    population->Begin();
    population->AddExperiment(sample, "key");
    sample.experiment.set_state(v1::Experiment::SUCCEEDED);
    sample.experiment.set_reason("it is over");
    sample.experiment.mutable_dataset()->set_fingerprint("abc");
    sample.experiment.set_population_digest("digest");
    sample.experiment.set_images_planned(100);
    sample.experiment.set_images_wasted(7);
    sample.experiment.add_numerics_classes("class a");
    sample.experiment.add_numerics_classes("class b");
    *sample.experiment.mutable_finished() = TimeUtil::MillisecondsToTimestamp(1'700'000'001'456);
    sample.summary.set_closed_generation(3);
    sample.nondeterministic = 2;
    population->UpdateExperiment(sample);
    population->UpdateSummary(sample);
    ASSERT_TRUE(population->Commit().ok());
  }
  auto population = Open();
  const auto found = population->FindExperiment("sample-1");
  ASSERT_TRUE(found.ok()) << found.status();
  CompleteOlder(*sample.experiment.mutable_spec());
  EXPECT_TRUE(MessageDifferencer::Equals(found->experiment, sample.experiment))
      << found->experiment.DebugString();
  EXPECT_EQ(found->summary.closed_generation(), 3);
  EXPECT_EQ(found->nondeterministic, 2);
  const auto by_key = population->FindByIdempotencyKey("key");
  ASSERT_TRUE(by_key.ok() && by_key->has_value());
  EXPECT_EQ((*by_key)->row, 1);
  EXPECT_FALSE((*population->FindByIdempotencyKey("other")).has_value());
  EXPECT_TRUE(population->LiveExperiments()->empty());
  EXPECT_EQ(population->CountExperiments()->at(v1::Experiment::SUCCEEDED), 1);
  EXPECT_EQ(population->NewExperimentRow(), 2);
}

TEST_F(PopulationTest, ListIsNewestFirstAndLiveOldestFirst) {
  auto population = Open();
  ASSERT_TRUE(Committed(*population, [&] {
                population->AddExperiment(Sample(1, "a"), "");
                population->AddExperiment(Sample(2, "b"), "");
              }).ok());
  EXPECT_EQ((*population->ListExperiments())[0].experiment.id(), "b");
  EXPECT_EQ((*population->LiveExperiments())[0].experiment.id(), "a");
}

TEST_F(PopulationTest, UnknownExperimentIsNotFoundAndNamed) {
  auto population = Open();
  const absl::Status status = population->FindExperiment("nobody").status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("'nobody'"));
}

TEST_F(PopulationTest, JobsAndAttemptsComeBackFromAGenerationOn) {
  {
    auto population = Open();
    Fill(*population);
    v1::Job work;
    work.set_experiment("sample-1");
    work.mutable_train()->set_network("n");
    BoardJob late = Job(2, 1, v1::JobKey::MEASURE, 5);
    const BoardAttempt attempt = {"a1", 2, "worker-1", ~uint64_t{0}, AttemptState::kRunning};
    ASSERT_TRUE(Committed(*population, [&] {
                  population->AddJob(late, work);
                  population->AddAttempt(attempt, absl::FromUnixMillis(5));
                  late.state = JobState::kLeased;
                  late.lost = 1;
                  late.failed = 2;
                  late.invalid = 3;
                  late.last_error = "why";
                  population->UpdateJob(late);
                }).ok());
  }
  auto population = Open();
  EXPECT_EQ(population->NewJobId(), 3);
  EXPECT_EQ(population->Jobs(1, 0)->size(), 2u);
  const auto jobs = population->Jobs(1, 5);
  ASSERT_EQ(jobs->size(), 1u);
  EXPECT_EQ((*jobs)[0].state, JobState::kLeased);
  EXPECT_EQ((*jobs)[0].key.kind(), v1::JobKey::MEASURE);
  EXPECT_EQ((*jobs)[0].lost + 10 * (*jobs)[0].failed + 100 * (*jobs)[0].invalid, 321);
  EXPECT_EQ((*jobs)[0].last_error, "why");
  const auto attempts = population->Attempts(1, 5);
  ASSERT_EQ(attempts->size(), 1u);
  EXPECT_EQ((*attempts)[0].attempt.runner, "worker-1");
  EXPECT_EQ((*attempts)[0].attempt.incarnation, ~uint64_t{0});
  EXPECT_EQ((*attempts)[0].attempt.state, AttemptState::kRunning);
  EXPECT_TRUE(population->Attempts(1, 6)->empty());
  EXPECT_EQ(population->Work(2)->train().network(), "n");
  EXPECT_TRUE(absl::IsNotFound(population->Work(9).status()));
}

TEST_F(PopulationTest, OfATrainingTheLatestCheckpointIsKeptUntilItIsOver) {
  v1::Checkpoint first, latest;
  first.set_artifact(std::string(64, 'a'));
  latest.set_artifact(std::string(64, 'b'));
  latest.set_step(7);
  latest.set_numerics_class("class");
  {
    auto population = Open();
    Fill(*population);
    ASSERT_TRUE(Committed(*population, [&] {
                  population->AddJob(Job(5, 1, v1::JobKey::TRAIN, 4), {});
                  population->PutCheckpoint(5, first);
                  population->PutCheckpoint(5, latest);
                }).ok());
  }
  auto population = Open();
  const auto found = population->FindCheckpoint(5);
  ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
  EXPECT_TRUE(MessageDifferencer::Equals(**found, latest));
  EXPECT_FALSE(population->FindCheckpoint(6)->has_value());
  EXPECT_EQ(population->Checkpoints(1)->count(5), 1u);
  EXPECT_TRUE(population->Checkpoints(2)->empty());
  EXPECT_FALSE(*population->IsCheckpoint(first.artifact()));
  EXPECT_TRUE(*population->IsCheckpoint(latest.artifact()));

  BoardJob over = Job(5, 1, v1::JobKey::TRAIN, 4);
  over.state = JobState::kDone;
  EXPECT_FALSE(Committed(*population, [&] { population->UpdateJob(over); }).ok())
      << "it has a checkpoint yet";
  EXPECT_TRUE(Committed(*population, [&] {
                population->RemoveCheckpoint(5);
                population->RemoveCheckpoint(5);
                population->UpdateJob(over);
              }).ok());
  EXPECT_FALSE(*population->IsCheckpoint(latest.artifact()));
  EXPECT_FALSE(Committed(*population, [&] { population->PutCheckpoint(5, latest); }).ok())
      << "it is over";
  EXPECT_FALSE(Committed(*population, [&] {
                 population->AddJob(Job(6, 1, v1::JobKey::MEASURE, 4), {});
                 population->PutCheckpoint(6, latest);
               }).ok())
      << "a measurement has none";
}

TEST_F(PopulationTest, IndividualIsReplacedUnderItsName) {
  auto population = Open();
  Fill(*population);
  v1::Individual individual;
  individual.mutable_name()->set_generation(1);
  individual.mutable_name()->set_index(2);
  individual.set_state(v1::Individual::SYNTHESIZING);
  v1::Individual first;
  first.set_state(v1::Individual::EVALUATED);
  ASSERT_TRUE(Committed(*population, [&] {
                population->PutIndividual(1, individual);
                individual.set_state(v1::Individual::TRAINING);
                population->PutIndividual(1, individual);
                population->PutIndividual(1, first);
              }).ok());
  const auto individuals = population->Individuals(1);
  ASSERT_EQ(individuals->size(), 2u);
  EXPECT_EQ((*individuals)[0].state(), v1::Individual::EVALUATED);
  EXPECT_EQ((*individuals)[1].state(), v1::Individual::TRAINING);
}

TEST_F(PopulationTest, FactsComeBackInTheOrderOfAcceptance) {
  auto population = Open();
  Fill(*population);
  v1::AttemptResult result;
  result.mutable_key()->set_generation(1);
  ASSERT_TRUE(Committed(*population, [&] {
                population->AddDatasetFact(1, {});
                for (const char* attempt : {"z", "a", "m"}) {
                  result.set_attempt_id(attempt);
                  population->AddResultFact(1, result);
                }
              }).ok());
  const auto facts = population->ResultFacts(1, 1);
  ASSERT_EQ(facts->size(), 3u);
  EXPECT_EQ((*facts)[0].attempt_id() + (*facts)[1].attempt_id() + (*facts)[2].attempt_id(), "zam");
  EXPECT_TRUE(population->ResultFacts(1, 0)->empty());
}

TEST_F(PopulationTest, AMeasurementThatTellsMoreTakesTheFirstOnesPlace) {
  auto population = Open();
  const MeasurementKey key{"arch", "ancestor", {}};
  const auto cached_after = [&](double ratio, int builds, bool profile) {
    v1::MeasureResult result;
    result.set_ratio(ratio);
    for (int i = 0; i < builds; ++i) result.add_builds();
    if (profile) result.add_profile();
    EXPECT_TRUE(Committed(*population, [&] { population->CacheMeasurement(key, result); }).ok());
    return (*population->FindMeasurement(key))->ratio();
  };
  EXPECT_EQ(cached_after(1, 1, false), 1);
  EXPECT_EQ(cached_after(2, 1, false), 1);
  EXPECT_EQ(cached_after(3, 2, false), 3);
  EXPECT_EQ(cached_after(4, 1, true), 3);  // Of one more, of the other less.
  EXPECT_EQ(cached_after(5, 2, true), 5);
  EXPECT_EQ(cached_after(6, 2, true), 5);
}

TEST_F(PopulationTest, MeasurementIsFoundUnderItsWholeKeyOnly) {
  auto population = Open();
  MeasurementKey key{"arch", "ancestor", {}};
  key.setting.set_device_class("board");
  key.setting.set_engine("torch");
  key.setting.set_precision("fp32");
  key.setting.set_batch(1);
  key.setting.set_threads(2);
  key.setting.set_input_size(32);
  key.setting.set_protocol_version(1);
  v1::MeasureResult result;
  result.set_ratio(1.5);
  v1::MeasureResult second;
  second.set_ratio(9);
  ASSERT_TRUE(Committed(*population, [&] {
                population->CacheMeasurement(key, result);
                population->CacheMeasurement(key, second);
              }).ok());
  ASSERT_TRUE(population->FindMeasurement(key)->has_value());
  EXPECT_EQ((*population->FindMeasurement(key))->ratio(), 1.5);
  const auto missing = [&](const std::function<void(MeasurementKey&)>& change) {
    MeasurementKey other = key;
    change(other);
    return !population->FindMeasurement(other)->has_value();
  };
  EXPECT_TRUE(missing([](MeasurementKey& k) { k.architecture = "x"; }));
  EXPECT_TRUE(missing([](MeasurementKey& k) { k.ancestor = "x"; }));
  EXPECT_TRUE(missing([](MeasurementKey& k) { k.setting.set_device_class("x"); }));
  EXPECT_TRUE(missing([](MeasurementKey& k) { k.setting.set_engine("x"); }));
  EXPECT_TRUE(missing([](MeasurementKey& k) { k.setting.set_precision("x"); }));
  EXPECT_TRUE(missing([](MeasurementKey& k) { k.setting.set_batch(9); }));
  EXPECT_TRUE(missing([](MeasurementKey& k) { k.setting.set_threads(9); }));
  EXPECT_TRUE(missing([](MeasurementKey& k) { k.setting.set_input_size(9); }));
  EXPECT_TRUE(missing([](MeasurementKey& k) { k.setting.set_protocol_version(9); }));
}

TEST_F(PopulationTest, ArtifactsLieBesideTheFile) {
  auto population = Open();
  const auto digest = population->artifacts().Put("network");
  ASSERT_TRUE(digest.ok());
  EXPECT_TRUE(std::filesystem::is_directory(path() + ".artifacts"));
  EXPECT_EQ(*population->artifacts().Get(*digest), "network");
}

// --- Transactions ------------------------------------------------------------

TEST_F(PopulationTest, FailedWriteRollsTheWholeTransactionBack) {
  auto population = Open();
  Fill(*population);
  const absl::Status status = Committed(*population, [&] {
    population->AddExperiment(Sample(2, "fine"), "");
    population->AddExperiment(Sample(3, "sample-1"), "");  // The id is taken.
    population->AddExperiment(Sample(4, "too-late"), "");
  });
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_EQ(population->ListExperiments()->size(), 1u);
  EXPECT_TRUE(Committed(*population, [] {}).ok()) << "the failure must not outlive it";
}

TEST_F(PopulationTest, FailureOfTheCallerRollsBackToo) {
  auto population = Open();
  const absl::Status status = Committed(*population, [&] {
    population->AddExperiment(Sample(1, "a"), "");
    population->Fail(absl::DataLossError("could not read"));
  });
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(population->ListExperiments()->empty());
}

TEST_F(PopulationTest, KeysAreTakenOnce) {
  auto population = Open();
  Fill(*population);
  EXPECT_TRUE(absl::IsAlreadyExists(
      Committed(*population, [&] { population->AddExperiment(Sample(2, "b"), "key-1"); })));
  EXPECT_TRUE(absl::IsAlreadyExists(Committed(
      *population, [&] { population->AddJob(Job(2, 1, v1::JobKey::TRAIN), {}); })));
}

TEST_F(PopulationTest, UpdateOfWhatIsNotThereFails) {
  auto population = Open();
  EXPECT_TRUE(absl::IsNotFound(
      Committed(*population, [&] { population->UpdateExperiment(Sample(5, "x")); })));
  EXPECT_TRUE(absl::IsNotFound(Committed(
      *population, [&] { population->UpdateJob(Job(5, 1, v1::JobKey::TRAIN)); })));
  EXPECT_TRUE(absl::IsNotFound(Committed(*population, [&] {
    population->UpdateAttempt({{"x", 1, "r", 1, AttemptState::kLost}, 0}, absl::UnixEpoch());
  })));
}

TEST_F(PopulationTest, ForeignKeysAreKept) {
  auto population = Open();
  EXPECT_TRUE(absl::IsFailedPrecondition(Committed(
      *population, [&] { population->AddJob(Job(1, 77, v1::JobKey::TRAIN), {}); })));
}

TEST_F(PopulationTest, EndedExperimentDoesNotGoOn) {
  auto population = Open();
  Fill(*population);
  StoredExperiment sample = Sample(1, "sample-1");
  sample.experiment.set_state(v1::Experiment::CANCELLED);
  *sample.experiment.mutable_finished() = TimeUtil::MillisecondsToTimestamp(1);
  ASSERT_TRUE(Committed(*population, [&] { population->UpdateExperiment(sample); }).ok());
  sample.experiment.set_state(v1::Experiment::RUNNING);
  sample.experiment.clear_finished();
  const absl::Status status =
      Committed(*population, [&] { population->UpdateExperiment(sample); });
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST_F(PopulationTest, EndAndItsTimeGoTogether) {
  auto population = Open();
  Fill(*population);
  StoredExperiment sample = Sample(1, "sample-1");
  sample.experiment.set_state(v1::Experiment::FAILED);  // Without `finished`.
  EXPECT_TRUE(absl::IsFailedPrecondition(
      Committed(*population, [&] { population->UpdateExperiment(sample); })));
}

TEST_F(PopulationTest, WaitingIsNeverStored) {
  auto population = Open();
  Fill(*population);
  StoredExperiment sample = Sample(1, "sample-1");
  sample.experiment.set_state(v1::Experiment::WAITING_FOR_WORKER);
  EXPECT_TRUE(absl::IsFailedPrecondition(
      Committed(*population, [&] { population->UpdateExperiment(sample); })));
}

TEST_F(PopulationTest, JobThatIsDoneOrWithdrawnStaysSo) {
  for (const JobState end : {JobState::kDone, JobState::kWithdrawn}) {
    std::filesystem::remove_all(folder_);
    ASSERT_TRUE(MakeFolder(folder_).ok());
    auto population = Open();
    Fill(*population);
    BoardJob job = Job(1, 1, v1::JobKey::TRAIN);
    job.state = end;
    ASSERT_TRUE(Committed(*population, [&] { population->UpdateJob(job); }).ok());
    job.state = JobState::kQueued;
    EXPECT_TRUE(absl::IsFailedPrecondition(
        Committed(*population, [&] { population->UpdateJob(job); })));
  }
}

TEST_F(PopulationTest, AttemptThatEndedCanOnlyDeliverLate) {
  auto population = Open();
  Fill(*population);
  BoardAttempt attempt = {"a", 1, "worker", 1, AttemptState::kRunning};
  const absl::Time now = absl::FromUnixSeconds(1);
  const auto becomes = [&](AttemptState state) {
    attempt.state = state;
    return Committed(*population, [&] { population->UpdateAttempt({attempt, 5}, now); });
  };
  ASSERT_TRUE(Committed(*population, [&] { population->AddAttempt(attempt, now); }).ok());
  EXPECT_TRUE(becomes(AttemptState::kLost).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(becomes(AttemptState::kFailed)));
  EXPECT_TRUE(becomes(AttemptState::kDelivered).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(becomes(AttemptState::kLost)));
}

TEST_F(PopulationTest, FullDiskIsSaidAndLeavesWhatWasThere) {
  auto population = Open();
  Fill(*population);
  struct rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  struct rlimit limit = old_limit;
  limit.rlim_cur = std::filesystem::file_size(path() + "-wal");
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const absl::Status status = Committed(
      *population, [&] { population->AddExperiment(Sample(2, "does-not-fit"), ""); });
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(population->ListExperiments()->size(), 1u);
  EXPECT_TRUE(Committed(*population, [&] {
                population->AddExperiment(Sample(2, "fits-now"), "");
              }).ok());
}

// --- Ownership, versions and files of others ----------------------------------

TEST_F(PopulationTest, CommittedSurvivesAKillAndTheRestIsGone) {
  EXPECT_EXIT(
      {
        auto population = Open();
        Fill(*population);
        population->Begin();
        population->AddExperiment(Sample(2, "not-acknowledged"), "");
        raise(SIGKILL);
      },
      testing::KilledBySignal(SIGKILL), "");
  auto population = Open();
  const auto experiments = population->ListExperiments();
  ASSERT_TRUE(experiments.ok()) << experiments.status();
  ASSERT_EQ(experiments->size(), 1u);
  EXPECT_EQ((*experiments)[0].experiment.id(), "sample-1");
}

TEST_F(PopulationTest, SecondOwnerIsRefusedAndToldWhoHasIt) {
  auto population = Open();
  const absl::Status status = Population::Open(path()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(path()));
  EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("process ", getpid())));
  population.reset();
  EXPECT_TRUE(Population::Open(path()).ok());
}

TEST_F(PopulationTest, OtherProgramsCannotReadWhileItIsOpen) {
  auto population = Open();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path().c_str(), &other), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(other, "SELECT * FROM jobs", nullptr, nullptr, nullptr), SQLITE_BUSY);
  sqlite3_close(other);
}

TEST_F(PopulationTest, NewerSchemaIsRefusedNamingBothVersions) {
  Open().reset();
  {
    auto database = Database::Open(path());
    ASSERT_TRUE((*database)->Execute("PRAGMA user_version = 7").ok());
  }
  const absl::Status status = Population::Open(path()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("schema version 7"));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat("up to ", kSchemaVersion)));
}

TEST_F(PopulationTest, EmptyFileBecomesAPopulation) {
  ASSERT_TRUE(WriteFileDurably(path(), "").ok());
  EXPECT_NE(Open(), nullptr);
}

TEST_F(PopulationTest, FileThatIsNoDatabaseIsRefusedAndLeftAlone) {
  const std::string text(5000, 'x');
  ASSERT_TRUE(WriteFileDurably(path(), text).ok());
  const absl::Status status = Population::Open(path()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("is no population database"));
  EXPECT_EQ(*ReadFile(path()), text);
  EXPECT_FALSE(std::filesystem::exists(path() + ".lock"));
  EXPECT_FALSE(std::filesystem::exists(path() + ".artifacts"));
}

TEST_F(PopulationTest, DatabaseOfAnotherProgramIsRefusedAndLeftAlone) {
  {
    auto database = Database::Open(path());
    ASSERT_TRUE((*database)->Execute("CREATE TABLE cats (name TEXT)").ok());
  }
  const std::string before = *ReadFile(path());
  const absl::Status status = Population::Open(path()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("another program"));
  EXPECT_EQ(*ReadFile(path()), before);
}

TEST_F(PopulationTest, DamagedFileIsSaidToBeDamaged) {
  {
    auto population = Open();
    Fill(*population);
  }
  std::string content = *ReadFile(path());
  for (size_t i = 2048; i < content.size(); ++i) content[i] = static_cast<char>(i * 31);
  ASSERT_TRUE(WriteFileDurably(path(), content).ok());
  const auto population = Population::Open(path());
  const absl::Status status =
      population.ok() ? (*population)->ListExperiments().status() : population.status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

TEST_F(PopulationTest, MissingFolderIsNamed) {
  const absl::Status status = Population::Open(JoinPath(folder_, "no/such/p.db")).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no/such/p.db"));
}

TEST_F(PopulationTest, ChampionsAreAddedAndReplaced) {
  v1::Champion champion;
  champion.set_index(1);
  champion.set_state(v1::Champion::TRAINING);
  auto population = Open();
  Fill(*population);
  ASSERT_TRUE(Committed(*population, [&] {
                population->PutChampion(1, champion);
                champion.set_index(0);
                population->PutChampion(1, champion);
                champion.set_state(v1::Champion::READY);
                champion.set_artifact("network");
                population->PutChampion(1, champion);
              }).ok());
  population.reset();
  const auto champions = Open()->Champions(1);
  ASSERT_TRUE(champions.ok()) << champions.status();
  ASSERT_EQ(champions->size(), 2u);
  EXPECT_TRUE(MessageDifferencer::Equals((*champions)[0], champion));
  EXPECT_EQ((*champions)[1].state(), v1::Champion::TRAINING);
}

TEST_F(PopulationTest, NewFileHasTheSchemaOfThisProgram) {
  auto database = Database::Open(path());
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE(PrepareSchema(**database, path()).ok());
  EXPECT_EQ(*(*database)->Number("PRAGMA user_version"), kSchemaVersion);
  EXPECT_EQ(*(*database)->Number("PRAGMA application_id"), kApplicationId);
  EXPECT_TRUE(PrepareSchema(**database, path()).ok()) << "must be idempotent";
}

TEST_F(PopulationTest, UpgradeWithoutRoomForItsCopyChangesNothing) {
  {
    auto database = Database::Open(path());
    ASSERT_TRUE(PrepareSchemaOfVersion(**database, path(), 3).ok());
  }
  // A folder where the copy would be: it cannot be put in place.
  std::filesystem::create_directories(JoinPath(CopyOfSchema(path(), 3), "in-the-way"));
  const absl::Status status = Population::Open(path()).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot keep a copy"));
  auto database = Database::Open(path());
  EXPECT_EQ(*(*database)->Number("PRAGMA user_version"), 3);
}

// What a file holds is there after the upgrade, and its rules still bind.
TEST_F(PopulationTest, EveryEarlierSchemaIsUpgraded) {
  for (int version = 1; version < kSchemaVersion; ++version) {
    std::filesystem::remove(path());
    {
      auto database = Database::Open(path());
      ASSERT_TRUE(database.ok());
      ASSERT_TRUE(PrepareSchemaOfVersion(**database, path(), version).ok());
      ASSERT_EQ(*(*database)->Number("PRAGMA user_version"), version);
      const absl::Status filled = (*database)->Execute(R"(
        INSERT INTO experiments VALUES (1, 'old-1', 'key', 'RUNNING', '', x'', NULL, x'', 0, 0, 0,
                                        '', 5, NULL);
        INSERT INTO jobs VALUES (7, 1, 2, 3, 'TRAIN', 0, 'LEASED', 1, 2, 0, 'it fell', 'd', x'');
        INSERT INTO jobs VALUES (8, 1, 2, 4, 'MEASURE', 0, 'DONE', 0, 0, 0, '', 'e', x'');
        INSERT INTO individuals VALUES (1, 0, 0, 'EVALUATED', x'');
        INSERT INTO attempts VALUES ('a', 7, 'worker', 9, 'RUNNING', 0, 5, NULL);)");
      ASSERT_TRUE(filled.ok()) << filled;
    }
    auto population = Open();
    ASSERT_NE(population, nullptr);
    ExpectCopyOfVersion(version);
    const auto jobs = population->Jobs(1, 0);
    ASSERT_TRUE(jobs.ok()) << jobs.status();
    ASSERT_EQ(jobs->size(), 2u) << "from version " << version;
    EXPECT_EQ((*jobs)[0].id, 7);
    EXPECT_EQ((*jobs)[0].key.index(), 3);
    EXPECT_EQ((*jobs)[0].last_error, "it fell");
    EXPECT_EQ(population->Attempts(1, 0)->size(), 1u);
    EXPECT_EQ(population->NewJobId(), 9);
    EXPECT_EQ(population->Individuals(1)->size(), 1u);
    v1::Individual left;
    left.mutable_name()->set_generation(1);
    left.set_state(v1::Individual::UNTRAINED);
    EXPECT_TRUE(Committed(*population, [&] { population->PutIndividual(1, left); }).ok());
    EXPECT_TRUE(Committed(*population, [&] {
                  population->AddJob(Job(9, 1, v1::JobKey::EVALUATE, 3), {});
                  population->PutChampion(1, [] {
                    v1::Champion champion;
                    champion.set_state(v1::Champion::TRAINING);
                    return champion;
                  }());
                }).ok());
    v1::Checkpoint checkpoint;
    checkpoint.set_artifact(std::string(64, 'a'));
    EXPECT_TRUE(Committed(*population, [&] { population->PutCheckpoint(7, checkpoint); }).ok());
    EXPECT_EQ(population->Checkpoints(1)->size(), 1u);
    BoardJob undone = (*jobs)[1];
    undone.state = JobState::kQueued;
    EXPECT_FALSE(Committed(*population, [&] { population->UpdateJob(undone); }).ok())
        << "a job that is done stays so";
    EXPECT_FALSE(Committed(*population, [&] {
                   population->AddJob(Job(10, 77, v1::JobKey::TRAIN), {});
                 }).ok())
        << "a job belongs to an experiment";
    BoardAttempt attempt;
    attempt.id = "b";
    attempt.job = 77;
    EXPECT_FALSE(Committed(*population, [&] { population->AddAttempt(attempt, {}); }).ok())
        << "an attempt belongs to a job";
  }
}

}  // namespace
}  // namespace squish
