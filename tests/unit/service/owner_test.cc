// What owners see and do: submitting, pausing, being asked, cancelling, watching; and
// that a failed commit changes nothing.
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <functional>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "common/weights/network.h"
#include "common/weights/safetensors.h"
#include "common/weights/tensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/service/coordinator_fixture.h"

namespace squish {
namespace {

using testing::HasSubstr;

class OwnerTest : public CoordinatorFixture {
 protected:
  // The worker is given its next job.
  void GiveWork(FakeRunner& worker) {
    for (int i = 0; i < 4 && worker.attempts.empty(); ++i) Exchange(worker);
    ASSERT_EQ(worker.attempts.size(), 1u);
  }
  void Fail(FakeRunner& runner, const std::string& message) {
    GiveWork(runner);
    runner.Finish(FailureAnswer(message));
    Exchange(runner);
  }
  template <typename Request, typename Method>
  absl::StatusOr<v1::Experiment> Order(Method method, const std::string& id) {
    Request request;
    request.set_id(id);
    return Ask(method, request);
  }
  absl::StatusOr<v1::Experiment> Pause(const std::string& id) {
    return Order<v1::PauseRequest>(&Coordinator::Pause, id);
  }
  absl::StatusOr<v1::Experiment> Cancel(const std::string& id) {
    return Order<v1::CancelRequest>(&Coordinator::Cancel, id);
  }
};

// --- Submitting ----------------------------------------------------------------------

TEST_F(OwnerTest, SubmittedSpecIsStoredWithItsDefaults) {
  const auto experiment = Submit(SmallSpec());
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  EXPECT_THAT(experiment->id(), testing::StartsWith("small-"));
  EXPECT_EQ(experiment->state(), v1::Experiment::WAITING_FOR_WORKER);
  EXPECT_EQ(experiment->spec().retry().failures(), 3);
  EXPECT_TRUE(experiment->has_created());
  Restart();
  EXPECT_EQ(Get(experiment->id()).spec().retry().failures(), 3);
}

TEST_F(OwnerTest, WhatAnEarlierProgramStoredGetsTheDefaultsOfNewFields) {
  const v1::Experiment complete = *Submit(SmallSpec());
  StoredExperiment old = *population_->FindExperiment(complete.id());
  old.row = population_->NewExperimentRow();
  old.experiment.set_id("old-1");
  v1::Recipe& recipe = *old.experiment.mutable_spec()->mutable_training()->mutable_ancestor();
  recipe.clear_crop_area();
  v1::Job job;
  job.set_experiment("old-1");
  job.mutable_key()->set_kind(v1::JobKey::TRAIN);
  *job.mutable_train()->mutable_recipe() = recipe;
  BoardJob stored;
  stored.id = population_->NewJobId();
  stored.experiment = old.row;
  stored.key = job.key();
  population_->Begin();
  population_->AddExperiment(old, "");
  population_->AddJob(stored, job);
  ASSERT_TRUE(population_->Commit().ok());
  Restart();
  EXPECT_EQ(Get("old-1").spec().training().ancestor().crop_area(), 1);
  FakeRunner worker = FakeWorker("worker-1");
  worker.info.set_slots(8);
  Exchange(worker);
  Exchange(worker);
  bool given = false;
  for (const auto& [id, work] : worker.attempts) {
    if (work.experiment() != "old-1" || !work.has_train()) continue;
    EXPECT_TRUE(work.train().recipe().has_crop_area());
    given = true;
  }
  EXPECT_TRUE(given) << "the old job is still to be done";
}

TEST_F(OwnerTest, RepeatedSubmitWithOneKeyIsOneExperiment) {
  const std::string id = Submit(SmallSpec(), "key")->id();
  EXPECT_EQ(Submit(SmallSpec(), "key")->id(), id);
  Restart();
  EXPECT_EQ(Submit(SmallSpec(), "key")->id(), id);
  EXPECT_NE(Submit(SmallSpec(), "other")->id(), id);
  EXPECT_NE(Submit(SmallSpec())->id(), Submit(SmallSpec())->id());
  EXPECT_EQ(Ask(&Coordinator::List, v1::ListExperimentsRequest())->experiments_size(), 4);
}

TEST_F(OwnerTest, SpecThatCannotBeIsRefusedNamingTheField) {
  v1::ExperimentSpec spec = SmallSpec();
  spec.set_offspring(-1);
  const absl::Status status = Submit(spec).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("offspring"));
  EXPECT_TRUE(absl::IsInvalidArgument(Submit(SmallSpec(), std::string(200, 'k')).status()));
  EXPECT_EQ(Ask(&Coordinator::List, v1::ListExperimentsRequest())->experiments_size(), 0);
}

TEST_F(OwnerTest, AncestorArtifactMustBeHereAndBeANetwork) {
  v1::ExperimentSpec spec = SmallSpec();
  spec.mutable_ancestor()->set_network_digest(Sha256Hex("nothing"));
  absl::Status status = Submit(spec).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("ancestor.network_digest"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("upload"));
  spec.mutable_ancestor()->set_network_digest(*artifacts().Put("no network"));
  status = Submit(spec).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("ancestor.network_digest"));
}

TEST_F(OwnerTest, AncestorOfOtherClassesFailsWhenTheDataIsKnown) {
  Network network{*SqueezeNetV11(2, 0.1), {}, {"cat", "mouse"}, {}};
  network.weights = FreshWeights(network.genome, 1, 0, 0);
  network.preprocessing.set_input_size(32);
  network.preprocessing.set_resize(v1::SQUASH);
  for (int channel = 0; channel < 3; ++channel) {
    network.preprocessing.add_mean(0.5f);
    network.preprocessing.add_std(0.25f);
  }
  v1::ExperimentSpec spec = SmallSpec();
  spec.mutable_ancestor()->set_network_digest(*artifacts().Put(network.ToSafetensors()));
  const auto experiment = Submit(spec);
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  FakeRunner worker = FakeWorker("worker-1");
  Exchange(worker);
  Exchange(worker);
  EXPECT_EQ(Get(experiment->id()).state(), v1::Experiment::FAILED);
  EXPECT_THAT(Get(experiment->id()).reason(), HasSubstr("cat, mouse"));
  EXPECT_THAT(Get(experiment->id()).reason(), HasSubstr("cat, dog"));
}

TEST_F(OwnerTest, ImportedWeightsMustBeHereAndBeASqueezeNet) {
  v1::ExperimentSpec spec = SmallSpec();
  v1::ImportedSqueezeNet& imported = *spec.mutable_ancestor()->mutable_imported();
  imported.set_file("weights.safetensors");
  absl::Status status = Submit(spec).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("ancestor.imported.digest"));
  imported.set_digest(Sha256Hex("nothing"));
  EXPECT_THAT(std::string(Submit(spec).status().message()), HasSubstr("upload"));
  Network other{*SqueezeNetV11(5, 0.5), {}, {}, {}};
  other.weights = FreshWeights(other.genome, 1, 0, 0);
  imported.set_digest(*artifacts().Put(SerializeSafetensors({}, ViewOfTensors(other.weights))));
  status = Submit(spec).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("tensor ")) << "which does not fit";
  const TensorMap weights = FreshWeights(*SqueezeNetV11(5), 1, 0, 0);
  imported.set_digest(*artifacts().Put(SerializeSafetensors({}, ViewOfTensors(weights))));
  EXPECT_TRUE(Submit(spec).ok()) << Submit(spec).status();
}

// --- Branches ----------------------------------------------------------------------------

class BranchTest : public OwnerTest {
 protected:
  // An experiment whose networks are networks.
  std::string Finished() {
    const std::string id = Submit(SmallSpec())->id();
    for (int step = 0; step < 1000 && !HasEnded(Get(id).state()); ++step) {
      FakeRunner& runner = step % 2 == 0 ? worker_ : agent_;
      if (!runner.waiting) Exchange(runner);
      if (runner.attempts.empty()) continue;
      const v1::Job& job = runner.attempts.begin()->second;
      v1::AttemptResult result = GoodAnswer(job, runner.info, artifacts());
      if (job.has_train()) {
        result.mutable_train()->set_artifact(*artifacts().Put(NetworkOf(job.train().seed())));
      }
      if (job.has_synthesize()) {
        result.mutable_synthesize()->set_artifact(*artifacts().Put(NetworkOf(0)));
      }
      runner.Finish(result);
      Exchange(runner);
    }
    EXPECT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED);
    return id;
  }
  static std::string NetworkOf(uint64_t seed) {
    Network network{*SqueezeNetV11(2, 0.1), {}, {"cat", "dog"}, {}};
    network.weights = FreshWeights(network.genome, seed, 0, 0);
    network.preprocessing.set_input_size(32);
    for (int channel = 0; channel < 3; ++channel) {
      network.preprocessing.add_mean(0.5f);
      network.preprocessing.add_std(0.25f);
    }
    return network.ToSafetensors();
  }
  static v1::ExperimentSpec Branch(const std::string& id, int generation, int index) {
    v1::ExperimentSpec spec = SmallSpec();
    v1::BranchPoint& branch = *spec.mutable_ancestor()->mutable_branch();
    branch.set_experiment(id);
    branch.mutable_individual()->set_generation(generation);
    branch.mutable_individual()->set_index(index);
    return spec;
  }
  FakeRunner worker_ = FakeWorker("worker-1"), agent_ = FakeAgent("agent-1");
};

TEST_F(BranchTest, BeginsWithTheIndividualAndKeepsTheAncestor) {
  const std::string id = Finished();
  const std::vector<v1::Individual> individuals = Individuals(id);
  const auto branched = Submit(Branch(id, 1, 1));
  ASSERT_TRUE(branched.ok()) << branched.status();
  const v1::BranchPoint& branch = branched->spec().ancestor().branch();
  EXPECT_EQ(branch.network(), individuals[2].trained_artifact());
  EXPECT_EQ(branch.ancestor_network(), individuals[0].born_artifact());
  EXPECT_EQ(branch.ancestor_trained(), individuals[0].trained_artifact());
  EXPECT_EQ(branch.ancestor_architecture(), individuals[0].architecture_digest());
  EXPECT_EQ(branch.ancestor_macs(), individuals[0].macs());
  RunToEnd(branched->id(), {&worker_, &agent_});
  EXPECT_EQ(Get(branched->id()).state(), v1::Experiment::SUCCEEDED);
}

TEST_F(BranchTest, OfNobodyInParticularIsOfTheBestSelectedLast) {
  const std::string id = Finished();
  v1::ExperimentSpec spec = Branch(id, 0, 0);
  spec.mutable_ancestor()->mutable_branch()->clear_individual();
  const auto branched = Submit(spec);
  ASSERT_TRUE(branched.ok()) << branched.status();
  const v1::IndividualName& name = branched->spec().ancestor().branch().individual();
  EXPECT_EQ(name.generation(), 2) << "the last";
  for (const v1::Individual& one : Individuals(id)) {
    if (one.name().generation() != 2 || one.name().index() != name.index()) continue;
    EXPECT_TRUE(one.selected());
  }
  spec.mutable_ancestor()->mutable_branch()->set_experiment(Submit(SmallSpec())->id());
  EXPECT_THAT(std::string(Submit(spec).status().message()), HasSubstr("has selected nobody yet"));
}

TEST_F(BranchTest, AtAnotherMeasuredSizeTheAncestorsMacsAreCountedThere) {
  const std::string id = Finished();
  v1::ExperimentSpec spec = Branch(id, 1, 0);
  spec.mutable_measurement()->set_input_size(64);
  const auto branched = Submit(spec);
  ASSERT_TRUE(branched.ok()) << branched.status();
  EXPECT_EQ(branched->spec().ancestor().branch().ancestor_macs(),
            ComputeCost(*SqueezeNetV11(2, 0.1), 64)->macs);
}

TEST_F(BranchTest, OfABranchKeepsTheFirstAncestor) {
  const std::string first = Finished();
  const auto second = Submit(Branch(first, 1, 1));
  ASSERT_TRUE(second.ok());
  for (int step = 0; step < 100 && Individuals(second->id())[0].trained_artifact().empty(); ++step) {
    FakeRunner& runner = step % 2 == 0 ? worker_ : agent_;
    if (!runner.waiting) Exchange(runner);
    if (runner.attempts.empty()) continue;
    v1::AttemptResult result =
        GoodAnswer(runner.attempts.begin()->second, runner.info, artifacts());
    if (result.has_train()) result.mutable_train()->set_artifact(*artifacts().Put(NetworkOf(7)));
    runner.Finish(result);
    Exchange(runner);
  }
  const auto third = Submit(Branch(second->id(), 0, 0));
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_EQ(third->spec().ancestor().branch().ancestor_network(),
            Individuals(first)[0].born_artifact());
}

TEST_F(BranchTest, FromNowhereIsRefused) {
  absl::Status status = Submit(Branch("nobody-1", 0, 0)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("ancestor.branch.experiment"));
  const std::string id = Submit(SmallSpec())->id();
  status = Submit(Branch(id, 0, 0)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no trained individual 0:0"));
  EXPECT_THAT(std::string(Submit(Branch(id, 5, 0)).status().message()),
              HasSubstr("no trained individual 5:0"));
}

// --- Looking -----------------------------------------------------------------------------

TEST_F(OwnerTest, RunnersAreListedWithTheirWork) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(SmallSpec())->id();
  Exchange(agent);
  GiveWork(worker);
  v1::SynchronizeRequest request = worker.Request();
  request.mutable_attempts(0)->set_fraction(0.5);
  request.mutable_attempts(0)->set_note("half way");
  Call(request);
  const auto runners = Ask(&Coordinator::ListRunners, v1::ListRunnersRequest());
  ASSERT_TRUE(runners.ok()) << runners.status();
  ASSERT_EQ(runners->runners_size(), 2);
  const v1::RunnerStatus& first = runners->runners(0);
  EXPECT_EQ(first.info().id(), "worker-1");
  ASSERT_EQ(first.work_size(), 1);
  EXPECT_EQ(first.work(0).experiment(), id);
  EXPECT_EQ(first.work(0).key().kind(), v1::JobKey::SYNTHESIZE);
  EXPECT_EQ(first.work(0).fraction(), 0.5);
  EXPECT_EQ(first.work(0).note(), "half way");
  ASSERT_EQ(first.datasets_size(), 1);
  EXPECT_EQ(first.datasets(0).spec().name(), "shapes");
  EXPECT_EQ(runners->runners(1).info().id(), "agent-1");
  EXPECT_EQ(runners->runners(1).work_size(), 0);
}

TEST_F(OwnerTest, EstimateKnowsMoreTheMoreIsConnected) {
  v1::EstimateRequest request;
  *request.mutable_spec() = SmallSpec();
  const auto alone = Ask(&Coordinator::Estimate, request);
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_EQ(alone->train_jobs(), 5 + 4);
  EXPECT_EQ(alone->images(), 5 * 192 + 4 * 64) << "the built-in set's size is known";
  EXPECT_FALSE(alone->has_hours());
  EXPECT_EQ(alone->notes_size(), 2) << "worker and agent are missing";
  v1::EstimateRequest folder = request;
  folder.mutable_spec()->mutable_dataset()->mutable_image_folder();
  EXPECT_EQ(Ask(&Coordinator::Estimate, folder)->images(), 0);
  EXPECT_EQ(Ask(&Coordinator::Estimate, folder)->notes_size(), 3) << "and so is the data set";
  folder.set_train_images(50);
  EXPECT_EQ(Ask(&Coordinator::Estimate, folder)->images(), 5 * 128 + 4 * 64)
      << "two epochs for each, one more for champions";

  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(SmallSpec())->id();
  for (int step = 0; step < 1000 && !HasEnded(Get(id).state()); ++step) {
    FakeRunner& runner = step % 2 == 0 ? worker : agent;
    if (!runner.waiting) Exchange(runner);
    if (runner.attempts.empty()) continue;
    v1::AttemptResult result =
        GoodAnswer(runner.attempts.begin()->second, runner.info, artifacts());
    if (result.has_train()) result.mutable_train()->set_wall_seconds(3);
    runner.Finish(result);
    Exchange(runner);
  }
  const auto known = Ask(&Coordinator::Estimate, request);
  ASSERT_TRUE(known.ok()) << known.status();
  EXPECT_EQ(known->images(), 5 * 192 + 4 * 64);
  EXPECT_GT(known->hours(), 0);
  ASSERT_EQ(known->notes_size(), 1);
  EXPECT_THAT(known->notes(0), HasSubstr("1 slot of the connected workers"));
  request.mutable_spec()->set_offspring(0);
  EXPECT_TRUE(absl::IsInvalidArgument(Ask(&Coordinator::Estimate, request).status()));
}

TEST_F(OwnerTest, UnknownExperimentIsNotFoundEverywhere) {
  v1::GetExperimentRequest get;
  get.set_id("nobody");
  EXPECT_TRUE(absl::IsNotFound(Ask(&Coordinator::Get, get).status()));
  v1::ListIndividualsRequest list;
  list.set_experiment("nobody");
  EXPECT_TRUE(absl::IsNotFound(Ask(&Coordinator::ListIndividuals, list).status()));
  v1::ListChampionsRequest champions;
  champions.set_experiment("nobody");
  EXPECT_TRUE(absl::IsNotFound(Ask(&Coordinator::ListChampions, champions).status()));
  EXPECT_TRUE(absl::IsNotFound(Pause("nobody").status()));
  EXPECT_TRUE(absl::IsNotFound(Cancel("nobody").status()));
  EXPECT_TRUE(absl::IsNotFound(Resume("nobody")));
  EXPECT_TRUE(absl::IsNotFound(Retry("nobody")));
}

// --- Pausing, cancelling ---------------------------------------------------------------

TEST_F(OwnerTest, PausedExperimentGivesOutNothingUntilResumed) {
  const std::string id = Submit(SmallSpec())->id();
  FakeRunner worker = FakeWorker("worker-1");
  Exchange(worker);
  EXPECT_EQ(Pause(id)->state(), v1::Experiment::PAUSED);
  Exchange(worker);
  EXPECT_TRUE(worker.waiting);
  EXPECT_TRUE(worker.attempts.empty());
  Restart();
  Exchange(worker);
  EXPECT_TRUE(worker.attempts.empty()) << "still paused after a restart";
  EXPECT_TRUE(Resume(id).ok());
  EXPECT_EQ(worker.attempts.size(), 1u) << "the waiting worker gets it at once";
}

TEST_F(OwnerTest, RunningWorkOfAPausedExperimentMayFinish) {
  const std::string id = Submit(SmallSpec())->id();
  FakeRunner worker = FakeWorker("worker-1");
  GiveWork(worker);
  ASSERT_TRUE(Pause(id).ok());
  worker.FinishOne(artifacts());
  Exchange(worker);
  EXPECT_EQ(Individuals(id)[0].state(), v1::Individual::TRAINING);
  EXPECT_TRUE(worker.attempts.empty());
  EXPECT_EQ(Get(id).state(), v1::Experiment::PAUSED);
}

TEST_F(OwnerTest, CancelledExperimentStopsItsRunnersAndKeepsWhatWasFound) {
  const std::string id = Submit(SmallSpec())->id();
  FakeRunner worker = FakeWorker("worker-1");
  GiveWork(worker);
  worker.FinishOne(artifacts());
  Exchange(worker);
  GiveWork(worker);
  const auto held = worker.attempts;
  EXPECT_EQ(Cancel(id)->state(), v1::Experiment::CANCELLED);
  Exchange(worker);
  EXPECT_TRUE(worker.attempts.empty());
  worker.attempts = held;  // It had finished meanwhile.
  worker.FinishOne(artifacts());
  Exchange(worker);
  EXPECT_TRUE(worker.spool.empty()) << "refused, and acknowledged";
  EXPECT_EQ(Individuals(id)[0].state(), v1::Individual::TRAINING);
  EXPECT_TRUE(absl::IsFailedPrecondition(Cancel(id).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Pause(id).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Resume(id)));
  EXPECT_TRUE(absl::IsFailedPrecondition(Retry(id)));
  const auto jobs = population_->Jobs(1, 0);
  ASSERT_TRUE(jobs.ok());
  for (const BoardJob& job : *jobs) {
    EXPECT_TRUE(job.state == JobState::kDone || job.state == JobState::kWithdrawn);
  }
}

// --- Being asked --------------------------------------------------------------------------

TEST_F(OwnerTest, JobOutOfRetriesAsksItsOwnerAndRetryTriesAgain) {
  const std::string id = Submit(SmallSpec())->id();
  FakeRunner worker = FakeWorker("worker-1");
  for (int i = 0; i < 3; ++i) Fail(worker, "the child died");
  v1::Experiment experiment = Get(id);
  EXPECT_EQ(experiment.state(), v1::Experiment::NEEDS_ATTENTION);
  EXPECT_THAT(experiment.reason(), HasSubstr("SYNTHESIZE of individual 0:0"));
  EXPECT_THAT(experiment.reason(), HasSubstr("CHILD_CRASHED: the child died"));
  EXPECT_TRUE(worker.attempts.empty());
  Restart();
  EXPECT_EQ(Get(id).state(), v1::Experiment::NEEDS_ATTENTION);
  ASSERT_TRUE(Retry(id).ok());
  GiveWork(worker);
  EXPECT_EQ(Get(id).state(), v1::Experiment::RUNNING);
  EXPECT_EQ(Get(id).reason(), "");
}

TEST_F(OwnerTest, PauseAndResumeDoNotAnswerWhatIsAsked) {
  const std::string id = Submit(SmallSpec())->id();
  FakeRunner worker = FakeWorker("worker-1");
  for (int i = 0; i < 3; ++i) Fail(worker, "the child died");
  ASSERT_TRUE(Resume(id).ok());
  EXPECT_EQ(Get(id).state(), v1::Experiment::NEEDS_ATTENTION);
  ASSERT_TRUE(Pause(id).ok());
  ASSERT_TRUE(Resume(id).ok());
  EXPECT_EQ(Get(id).state(), v1::Experiment::NEEDS_ATTENTION);
  EXPECT_THAT(Get(id).reason(), HasSubstr("'squishctl retry' tries it again"));
  Exchange(worker);
  EXPECT_TRUE(worker.attempts.empty());
}

TEST_F(OwnerTest, RetryOfAPausedExperimentStartsWithItsEnd) {
  const std::string id = Submit(SmallSpec())->id();
  FakeRunner worker = FakeWorker("worker-1");
  for (int i = 0; i < 3; ++i) Fail(worker, "the child died");
  ASSERT_TRUE(Pause(id).ok());
  ASSERT_TRUE(Retry(id).ok());
  EXPECT_EQ(Get(id).state(), v1::Experiment::PAUSED);
  Exchange(worker);
  EXPECT_TRUE(worker.attempts.empty());
  ASSERT_TRUE(Resume(id).ok());
  EXPECT_EQ(worker.attempts.size(), 1u);
}

TEST_F(OwnerTest, RetryWhereNothingIsOutOfRetriesIsRefused) {
  const std::string id = Submit(SmallSpec())->id();
  EXPECT_TRUE(absl::IsFailedPrecondition(Retry(id)));
  ASSERT_TRUE(Pause(id).ok());
  EXPECT_THAT(Retry(id).message(), HasSubstr("'squishctl resume' ends a pause"));
  EXPECT_EQ(Get(id).state(), v1::Experiment::PAUSED);
}

TEST_F(OwnerTest, LateResultOfAJobOutOfRetriesEndsTheQuestion) {
  v1::ExperimentSpec spec = SmallSpec();
  spec.mutable_retry()->set_lost_runners(1);
  const std::string id = Submit(spec)->id();
  FakeRunner worker = FakeWorker("worker-1");
  GiveWork(worker);
  Pass(absl::Seconds(31));
  EXPECT_EQ(Get(id).state(), v1::Experiment::NEEDS_ATTENTION);
  worker.FinishOne(artifacts());
  Exchange(worker);
  EXPECT_NE(Get(id).state(), v1::Experiment::NEEDS_ATTENTION);
  EXPECT_EQ(Individuals(id)[0].state(), v1::Individual::TRAINING);
}

class InvalidMeasurementTest : public OwnerTest {
 protected:
  // The ancestor's measurement has been invalid as often as is allowed.
  void SetUp() override {
    id_ = Submit(SmallSpec())->id();
    GiveWork(worker_);
    worker_.FinishOne(artifacts());
    Exchange(worker_);
    v1::AttemptResult invalid;
    invalid.mutable_measure()->set_verdict(v1::MeasureResult::INVALID);
    invalid.mutable_measure()->add_reasons("spread 0.2 above 0.05");
    for (int i = 0; i < 5; ++i) {
      GiveWork(agent_);
      ASSERT_EQ(Get(id_).state(), v1::Experiment::RUNNING) << i;
      agent_.Finish(invalid);
      Exchange(agent_);
    }
  }
  std::string id_;
  FakeRunner worker_ = FakeWorker("worker-1"), agent_ = FakeAgent("agent-1");
};

TEST_F(InvalidMeasurementTest, ExperimentWaitsForADeviceSayingWhyAndTrainsOn) {
  EXPECT_EQ(Get(id_).state(), v1::Experiment::WAITING_FOR_DEVICE);
  EXPECT_THAT(Get(id_).reason(), HasSubstr("spread 0.2 above 0.05"));
  EXPECT_TRUE(agent_.attempts.empty());
  GiveWork(worker_);
  EXPECT_TRUE(worker_.attempts.begin()->second.has_train());
}

TEST_F(InvalidMeasurementTest, RetryTriesAgain) {
  ASSERT_TRUE(Retry(id_).ok());
  GiveWork(agent_);
}

TEST_F(InvalidMeasurementTest, AgentThatIsStartedAnewTriesAgain) {
  agent_.Crash();
  GiveWork(agent_);
}

TEST_F(OwnerTest, APlanAboveItsBudgetOfImagesIsRefusedAsSoonAsImagesCanBeCounted) {
  v1::ExperimentSpec spec = SmallSpec();
  spec.set_maximum_images(1);
  const auto refused = Submit(spec);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("maximum_images: is 1"));

  // How many a folder has only a worker knows.
  spec.mutable_dataset()->mutable_image_folder();
  const auto experiment = Submit(spec);
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  FakeRunner worker = FakeWorker("worker-1");
  Exchange(worker);
  Exchange(worker);
  EXPECT_EQ(Get(experiment->id()).state(), v1::Experiment::FAILED);
  EXPECT_THAT(Get(experiment->id()).reason(), HasSubstr("maximum_images: is 1"));
}

TEST_F(OwnerTest, UnsupportedAncestorFailsTheExperiment) {
  const std::string id = Submit(SmallSpec())->id();
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  GiveWork(worker);
  worker.FinishOne(artifacts());
  Exchange(worker);
  GiveWork(agent);
  v1::AttemptResult result = GoodAnswer(agent.attempts.begin()->second, agent.info, artifacts());
  result.mutable_measure()->set_verdict(v1::MeasureResult::UNSUPPORTED);
  result.mutable_measure()->add_reasons("no such layer");
  agent.Finish(result);
  Exchange(agent);
  EXPECT_EQ(Get(id).state(), v1::Experiment::FAILED);
  EXPECT_THAT(Get(id).reason(), HasSubstr("no such layer"));
}

// --- Untrusted results ------------------------------------------------------------------------

TEST_F(OwnerTest, ResultThatCannotBeCountsAsAFailure) {
  using Change = std::function<void(v1::AttemptResult&)>;
  const auto error_after = [&](const Change& change) {
    StartOver();
    FakeRunner worker = FakeWorker("worker-1");
    const std::string id = Submit(SmallSpec())->id();
    GiveWork(worker);
    v1::AttemptResult result =
        GoodAnswer(worker.attempts.begin()->second, worker.info, artifacts());
    worker.Finish(result);
    change(worker.spool[0]);
    Exchange(worker);
    EXPECT_TRUE(worker.spool.empty());
    EXPECT_EQ(Individuals(id)[0].state(), v1::Individual::SYNTHESIZING);
    return population_->Jobs(1, 0)->at(0).last_error;
  };
  const auto synthesis = [&](const std::function<void(v1::SynthesizeResult&)>& change) {
    return error_after([&](v1::AttemptResult& r) { change(*r.mutable_synthesize()); });
  };
  EXPECT_THAT(error_after([](auto& r) { r.clear_synthesize(); }), HasSubstr("another kind"));
  EXPECT_THAT(error_after([](auto& r) { r.mutable_train()->set_outcome(v1::TrainResult::TRAINED); }),
              HasSubstr("another kind"));
  EXPECT_THAT(error_after([](auto& r) { r.mutable_key()->set_index(1); }),
              HasSubstr("another job"));
  EXPECT_THAT(error_after([](auto& r) { r.set_experiment("x"); }), HasSubstr("another job"));
  EXPECT_THAT(synthesis([](auto& r) { r.set_artifact(Sha256Hex("never uploaded")); }),
              HasSubstr("was not uploaded"));
  EXPECT_THAT(synthesis([](auto& r) { r.set_artifact("../../etc/passwd"); }),
              HasSubstr("artifact is no SHA-256"));
  EXPECT_THAT(synthesis([](auto& r) { r.clear_genome_digest(); }), HasSubstr("genome_digest"));
  EXPECT_THAT(synthesis([](auto& r) { r.set_parameters(0); }), HasSubstr("parameters"));
  EXPECT_THAT(synthesis([](auto& r) { r.set_macs(-1); }), HasSubstr("macs"));
  EXPECT_THAT(synthesis([](auto& r) { r.set_bytes(5); }), HasSubstr("bytes"));
}

// --- Commits that fail -------------------------------------------------------------------------

TEST_F(OwnerTest, FailedCommitChangesNothingAndSaysUnavailable) {
  const std::string id = Submit(SmallSpec())->id();
  FakeRunner worker = FakeWorker("worker-1");
  GiveWork(worker);
  worker.FinishOne(artifacts());
  const std::string digest = Get(id).population_digest();

  struct rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  struct rlimit limit = old_limit;
  limit.rlim_cur = std::filesystem::file_size(JoinPath(folder_, "population.db-wal"));
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const auto answer = Call(worker.Request());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);

  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(absl::IsUnavailable(answer->status())) << answer->status();
  EXPECT_EQ(Get(id).population_digest(), digest);
  EXPECT_EQ(Individuals(id)[0].state(), v1::Individual::SYNTHESIZING);
  Exchange(worker);  // The result is still in the spool.
  EXPECT_TRUE(worker.spool.empty());
  EXPECT_EQ(Individuals(id)[0].state(), v1::Individual::TRAINING);
}

// --- The end -----------------------------------------------------------------------------------

TEST_F(OwnerTest, EndOfTheLastExperimentIsTold) {
  std::vector<bool> told;
  options_.on_all_ended = [&told](bool succeeded) { told.push_back(succeeded); };
  Restart();
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string a = Submit(SmallSpec(), "a")->id(), b = Submit(SmallSpec())->id();
  RunToEnd(a, {&worker, &agent});
  EXPECT_TRUE(told.empty() || HasEnded(Get(b).state()));
  RunToEnd(b, {&worker, &agent});
  EXPECT_EQ(told, std::vector<bool>{true});
  Restart();
  told.clear();
  EXPECT_EQ(Submit(SmallSpec(), "a")->id(), a);
  EXPECT_EQ(told, std::vector<bool>{true}) << "asked for again after its end";
  const std::string c = Submit(SmallSpec())->id();
  ASSERT_TRUE(Cancel(c).ok());
  EXPECT_EQ(told, (std::vector<bool>{true, false}));
}

// --- Watching ----------------------------------------------------------------------------------

class RecordingSink : public WatchSink {
 public:
  void Push(const v1::Experiment& experiment) override {
    experiments.push_back(experiment);
    order += "e";
  }
  void Push(const v1::Individual& individual) override {
    individuals.push_back(individual);
    order += "i";
  }
  void Push(const v1::Champion& champion) override {
    champions.push_back(champion);
    order += "c";
  }
  void End(const absl::Status& status) override { end = status; }
  bool gone() const override { return has_gone; }

  std::vector<v1::Experiment> experiments;
  std::vector<v1::Individual> individuals;
  std::vector<v1::Champion> champions;
  std::string order;
  std::optional<absl::Status> end;
  bool has_gone = false;
};

class WatchTest : public OwnerTest {
 protected:
  std::shared_ptr<RecordingSink> Watch(const std::string& id) {
    auto sink = std::make_shared<RecordingSink>();
    v1::WatchRequest request;
    request.set_experiment(id);
    RunBatch([&](Coordinator& c) { c.Watch(Caller{}, request, sink); });
    return sink;
  }
};

TEST_F(WatchTest, BeginsWithASnapshotThenTellsEachChangeAndEnds) {
  const std::string id = Submit(SmallSpec())->id();
  const auto sink = Watch(id);
  EXPECT_EQ(sink->order, "ei");
  coordinator_->RunBatch({});
  EXPECT_EQ(sink->order, "ei") << "nothing has changed";
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  RunToEnd(id, {&worker, &agent});
  ASSERT_TRUE(sink->end.has_value());
  EXPECT_TRUE(sink->end->ok());
  EXPECT_EQ(sink->experiments.back().state(), v1::Experiment::SUCCEEDED);
  EXPECT_EQ(sink->order.back(), 'e') << "the end comes last";
  ASSERT_FALSE(sink->champions.empty());
  EXPECT_EQ(sink->champions.front().state(), v1::Champion::TRAINING);
  EXPECT_EQ(sink->champions.back().state(), v1::Champion::READY);
  const auto late = Watch(id);
  EXPECT_EQ(late->champions.size(), Champions(id).size()) << "the snapshot has them too";
  EXPECT_EQ(sink->experiments.back().population_digest(), Get(id).population_digest());
}

TEST_F(WatchTest, EndedExperimentIsToldWholeAndEnds) {
  const std::string id = Submit(SmallSpec())->id();
  ASSERT_TRUE(Cancel(id).ok());
  const auto sink = Watch(id);
  EXPECT_EQ(sink->order, "ei");
  ASSERT_TRUE(sink->end.has_value());
  EXPECT_TRUE(sink->end->ok());
}

TEST_F(WatchTest, WatchersAreBoundedAndOnesThatHaveGoneMakeRoom) {
  const std::string id = Submit(SmallSpec())->id();
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (size_t i = 0; i < WatchHub::kMaximumWatchers; ++i) sinks.push_back(Watch(id));
  EXPECT_FALSE(sinks.back()->end.has_value());
  const auto refused = Watch(id);
  ASSERT_TRUE(refused->end.has_value());
  EXPECT_TRUE(absl::IsResourceExhausted(*refused->end)) << *refused->end;
  EXPECT_EQ(refused->order, "");
  sinks.front()->has_gone = true;
  EXPECT_FALSE(Watch(id)->end.has_value());
}

TEST_F(WatchTest, UnknownExperimentEndsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(*Watch("nobody")->end));
}

TEST_F(WatchTest, WaitingIsToldWhenOnlyTheFleetChanges) {
  const std::string id = Submit(SmallSpec())->id();
  const auto sink = Watch(id);
  FakeRunner worker = FakeWorker("worker-1");
  GiveWork(worker);
  EXPECT_EQ(sink->experiments.back().state(), v1::Experiment::RUNNING);
  EXPECT_EQ(sink->experiments.front().state(), v1::Experiment::WAITING_FOR_WORKER);
}

TEST_F(WatchTest, WatcherThatHasGoneIsDropped) {
  const std::string id = Submit(SmallSpec())->id();
  auto sink = Watch(id);
  sink->has_gone = true;
  coordinator_->RunBatch({});
  EXPECT_EQ(sink.use_count(), 1);
}

TEST_F(WatchTest, StopOfTheCoordinatorEndsTheWatch) {
  const std::string id = Submit(SmallSpec())->id();
  const auto sink = Watch(id);
  RunBatch([](Coordinator& c) { c.Stop(); });
  EXPECT_TRUE(absl::IsUnavailable(*sink->end));
}

// --- Metrics --------------------------------------------------------------------------------------

TEST_F(OwnerTest, MetricsTellOfExperimentsJobsAndRunners) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  worker.info.mutable_metrics()->set_resident_bytes(12345);
  const std::string id = Submit(SmallSpec())->id();
  RunToEnd(id, {&worker, &agent});
  Pass(absl::Seconds(2));
  const std::string text = metrics_.Text();
  const std::string label = absl::StrCat("{experiment=\"", id, "\"}");
  for (const std::string& line :
       {std::string("squish_experiments{state=\"SUCCEEDED\"} 1"),
        std::string("squish_runners{kind=\"WORKER\"} 1"),
        std::string("squish_jobs{kind=\"TRAIN\",state=\"QUEUED\"} 0"),
        std::string("squish_result_latency_seconds_count{kind=\"MEASURE\"} 5"),
        std::string("squish_runner_resident_bytes{kind=\"WORKER\",runner=\"worker-1\"} 12345"),
        absl::StrCat("squish_generation", label, " 2"),
        absl::StrCat("squish_images_planned_total", label, " ",
                     100 * (5 + Champions(id).size())),
        absl::StrCat("squish_smallest_megabytes", label, " 0.7"),
        absl::StrCat("squish_best_ratio_to_ancestor", label, " 1."),
        absl::StrCat("squish_best_selection_accuracy", label, " 0.")}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  Pass(absl::Seconds(60));
  EXPECT_THAT(metrics_.Text(), testing::Not(HasSubstr("worker-1"))) << "it has gone";
}

TEST_F(OwnerTest, MetricsTellHowManyMeasurementsWaitForEachDeviceClass) {
  FakeRunner worker = FakeWorker("worker-1");
  v1::ExperimentSpec spec = SmallSpec();
  spec.mutable_measurement()->set_device_class("jetson-tx1/l4t-32.7");
  ASSERT_TRUE(Submit(SmallSpec()).ok());
  ASSERT_TRUE(Submit(spec).ok());
  ASSERT_TRUE(Submit(spec).ok());
  for (int step = 0; step < 20; ++step) Step(worker);
  spec.mutable_measurement()->set_device_class("jetson-tk1");
  const std::string paused = Submit(spec)->id();
  for (int step = 0; step < 20; ++step) Step(worker);
  ASSERT_TRUE(Pause(paused).ok());
  FakeRunner agent = FakeAgent("agent-1");
  GiveWork(agent);
  Pass(absl::Seconds(2));
  const std::string own = agent.info.device_class();
  for (const std::string& line :
       {absl::StrCat("squish_agents{device_class=\"", own, "\"} 1"),
        absl::StrCat("squish_measurements_queued{device_class=\"", own, "\"} 0"),
        std::string("squish_measurements_queued{device_class=\"jetson-tx1/l4t-32.7\"} 2")}) {
    EXPECT_THAT(metrics_.Text(), HasSubstr(line));
  }
  EXPECT_THAT(metrics_.Text(), testing::Not(HasSubstr("jetson-tk1"))) << "it is paused";
  Pass(absl::Seconds(60));
  EXPECT_THAT(metrics_.Text(), testing::Not(HasSubstr("squish_agents{"))) << "it has gone";
  EXPECT_THAT(metrics_.Text(), HasSubstr("squish_measurements_queued{device_class=\"any\"} 1"));
}

}  // namespace
}  // namespace squish
