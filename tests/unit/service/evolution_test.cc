// Whole experiments with a scripted fleet: to the end, and to the same end whatever
// happens on the way.
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "coordinator/evolution/plan.h"
#include "coordinator/population/sqlite.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/service/coordinator_fixture.h"

namespace squish {
namespace {

using testing::HasSubstr;

class EvolutionTest : public CoordinatorFixture {
 protected:
  // The outcome of an undisturbed run by one worker and one agent.
  std::string UndisturbedOutcome(const v1::ExperimentSpec& spec = SmallSpec()) {
    FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
    const std::string id = Submit(spec)->id();
    undisturbed_steps_ = RunToEnd(id, {&worker, &agent});
    EXPECT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED);
    undisturbed_images_ = Get(id).images_planned();
    undisturbed_champions_ = static_cast<int>(Champions(id).size());
    return Outcome(id);
  }
  // Of every training in a finished small experiment, each once.
  int64_t PlannedImages(const std::string& id) {
    return 100 * static_cast<int64_t>(5 + Champions(id).size());
  }
  // What must not differ: the population and what became of its champions.
  std::string Outcome(const std::string& id) {
    std::string outcome = Get(id).population_digest();
    for (const v1::Champion& champion : Champions(id)) {
      absl::StrAppend(&outcome, " ", champion.SerializeAsString());
    }
    return outcome;
  }
  // Plans again what was accepted, from the beginning.
  void ExpectReplayGivesTheStoredSummary(const std::string& id) {
    const StoredExperiment stored = *population_->FindExperiment(id);
    const v1::ExperimentSpec& spec = stored.experiment.spec();
    v1::EvolutionSummary summary;
    summary.set_closed_generation(-1);
    bool finished = false;
    for (int generation = 0; !finished; ++generation) {
      OpenGeneration open;
      open.generation = generation;
      open.individuals.resize(GenerationSize(spec, summary, generation));
      const auto facts = population_->ResultFacts(stored.row, generation);
      ASSERT_TRUE(facts.ok()) << facts.status();
      for (const v1::AttemptResult& fact : *facts) {
        ApplyResult(fact, open.individuals[fact.key().index()]);
      }
      const Plan plan = MakePlan(spec, stored.experiment.dataset(), summary, open);
      ASSERT_TRUE(plan.closing.has_value()) << "generation " << generation;
      summary = plan.closing->summary;
      finished = plan.closing->finished;
    }
    EXPECT_EQ(summary.SerializeAsString(), stored.summary.SerializeAsString());
  }
  // Makes the syntheses that are stored those of a program that knew of no engine files.
  void ForgetOrders() {
    coordinator_.reset();
    population_.reset();
    {
      const auto database = Database::Open(JoinPath(folder_, "population.db"));
      ASSERT_TRUE(database.ok()) << database.status();
      Query query = (*database)->Prepare("SELECT id, work FROM jobs WHERE kind = 'SYNTHESIZE'");
      ASSERT_TRUE(query.Step().value());
      const int64_t id = query.Integer(0);
      v1::Job job;
      ASSERT_TRUE(job.ParseFromString(std::string(query.Text(1))));
      ASSERT_TRUE(job.synthesize().has_engine_files());
      job.mutable_synthesize()->clear_engine_files();
      ASSERT_FALSE(query.Step().value()) << "there is one";
      const std::string work = job.SerializeAsString();
      ASSERT_TRUE((*database)->Run("UPDATE jobs SET work = ?2 WHERE id = ?1", id, Blob{work}).ok());
    }
    Restart();
  }
  void ExpectDisturbancesChangeNothing(v1::ExperimentSpec spec);
  void ExpectToMissASecondBoard(const std::string& id, FakeRunner& worker, FakeRunner& agent) {
    for (int step = 0; step < 20; ++step) {
      Step(worker);
      Step(agent);
    }
    EXPECT_EQ(Get(id).state(), v1::Experiment::WAITING_FOR_DEVICE);
    EXPECT_THAT(Get(id).reason(), HasSubstr("board/second"));
    EXPECT_EQ(Get(id).generation(), 0);
  }

  // Of the last undisturbed run.
  int undisturbed_steps_ = 0;
  int64_t undisturbed_images_ = 0;
  int undisturbed_champions_ = 0;
};

TEST_F(EvolutionTest, RunsToTheEnd) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(SmallSpec())->id();
  RunToEnd(id, {&worker, &agent});
  const v1::Experiment experiment = Get(id);
  EXPECT_EQ(experiment.state(), v1::Experiment::SUCCEEDED);
  EXPECT_EQ(experiment.generation(), 2);
  EXPECT_EQ(experiment.device_class(), "board/test");
  EXPECT_EQ(experiment.images_planned(), PlannedImages(id));
  EXPECT_EQ(experiment.images_wasted(), 0);
  EXPECT_FALSE(experiment.finishing());
  EXPECT_TRUE(experiment.has_finished());
  ASSERT_EQ(experiment.numerics_classes_size(), 1);
  EXPECT_EQ(experiment.numerics_classes(0), "fake");
  const std::vector<v1::Individual> individuals = Individuals(id);
  ASSERT_EQ(individuals.size(), 5u);
  for (const v1::Individual& individual : individuals) {
    EXPECT_EQ(individual.state(), v1::Individual::EVALUATED);
  }
  EXPECT_EQ(experiment.population_digest(), PopulationDigest(individuals));
  EXPECT_EQ(individuals[0].ratio_to_ancestor(), 1.0);
}

TEST_F(EvolutionTest, ChampionsAreTrainedFurtherEvaluatedOnceAndExported) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(SmallSpec())->id();
  RunToEnd(id, {&worker, &agent});
  const std::vector<v1::Champion> champions = Champions(id);
  ASSERT_GE(champions.size(), 1u);
  std::set<int> roles;
  for (size_t i = 0; i < champions.size(); ++i) {
    const v1::Champion& champion = champions[i];
    EXPECT_EQ(champion.index(), static_cast<int>(i));
    EXPECT_EQ(champion.state(), v1::Champion::READY);
    EXPECT_EQ(champion.evaluation().images(), 10);
    EXPECT_EQ(champion.files_size(), 4);
    EXPECT_TRUE(artifacts().Contains(champion.predictions()));
    EXPECT_NE(champion.artifact(), champion.individual().trained_artifact());
    for (const auto& role : champion.roles()) roles.insert(role.kind());
  }
  EXPECT_EQ(roles.size(), 4u);
}

TEST_F(EvolutionTest, WhileChampionsAreFinishedTheExperimentSaysSo) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(SmallSpec())->id();
  for (int step = 0; step < 1000 && !Get(id).finishing(); ++step) {
    Step(step % 2 == 0 ? worker : agent);
  }
  EXPECT_TRUE(Get(id).finishing());
  EXPECT_EQ(Get(id).state(), v1::Experiment::RUNNING);
  EXPECT_EQ(Get(id).generation(), 2) << "the champions' generation is nobody's business";
  ASSERT_FALSE(Champions(id).empty());
  EXPECT_EQ(Champions(id)[0].state(), v1::Champion::TRAINING);
  Restart();
  EXPECT_TRUE(Get(id).finishing());
  RunToEnd(id, {&worker, &agent});
  EXPECT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED);
}

TEST_F(EvolutionTest, FailedExportAsksTheOwnerNamingTheChampion) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(SmallSpec())->id();
  for (int step = 0; step < 1000 && Get(id).state() != v1::Experiment::NEEDS_ATTENTION; ++step) {
    FakeRunner& runner = step % 2 == 0 ? worker : agent;
    if (!runner.waiting) Exchange(runner);
    if (runner.attempts.empty()) continue;
    if (runner.attempts.begin()->second.has_export_files()) {
      runner.Finish(FailureAnswer("model.onnx differs"));
      Exchange(runner);
    } else {
      Step(runner);
    }
  }
  EXPECT_EQ(Get(id).state(), v1::Experiment::NEEDS_ATTENTION);
  EXPECT_THAT(Get(id).reason(), HasSubstr("EXPORT of champion 0 ("));
  EXPECT_THAT(Get(id).reason(), HasSubstr("model.onnx differs"));
  ASSERT_TRUE(Retry(id).ok());
  RunToEnd(id, {&worker, &agent});
  EXPECT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED);
}

TEST_F(EvolutionTest, AncestorAloneIsTrainedAndReported) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  v1::ExperimentSpec spec = SmallSpec();
  spec.set_generations(0);
  const std::string id = Submit(spec)->id();
  RunToEnd(id, {&worker, &agent});
  EXPECT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED);
  ASSERT_EQ(Champions(id).size(), 1u);
  EXPECT_EQ(Champions(id)[0].individual().name().generation(), 0);
  EXPECT_TRUE(Champions(id)[0].has_evaluation());
}

TEST_F(EvolutionTest, NumberAndOrderOfRunnersChangeNothing) {
  const std::string expected = UndisturbedOutcome();
  StartOver();
  std::vector<FakeRunner> fleet;
  for (int i = 0; i < 3; ++i) fleet.push_back(FakeWorker(absl::StrCat("worker-", i)));
  for (int i = 0; i < 2; ++i) fleet.push_back(FakeAgent(absl::StrCat("agent-", i)));
  fleet[0].info.set_slots(4);
  const std::string id = Submit(SmallSpec())->id();
  RunToEnd(id, {&fleet[4], &fleet[0], &fleet[3], &fleet[1], &fleet[2]});
  EXPECT_EQ(Outcome(id), expected);
}

TEST_F(EvolutionTest, RestartAfterAnyStepEndsInTheSamePopulation) {
  const std::string expected = UndisturbedOutcome();
  for (int at = 0; at < undisturbed_steps_; ++at) {
    StartOver();
    FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
    const std::string id = Submit(SmallSpec())->id();
    for (int step = 0; step < at; ++step) Step(step % 2 == 0 ? worker : agent);
    Restart();
    RunToEnd(id, {&worker, &agent});
    const v1::Experiment experiment = Get(id);
    EXPECT_EQ(Outcome(id), expected) << "restart after step " << at;
    EXPECT_EQ(experiment.images_planned(), PlannedImages(id)) << "nothing may be trained twice; step " << at;
    EXPECT_EQ(experiment.images_wasted(), 0) << "step " << at;
  }
}

// Everything that can go wrong, at random: runners that die, answers that get lost,
// coordinators that are killed, leases that run out.
void EvolutionTest::ExpectDisturbancesChangeNothing(v1::ExperimentSpec spec) {
  spec.mutable_retry()->set_lost_runners(1000);
  const std::string expected = UndisturbedOutcome(spec);
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    StartOver();
    std::mt19937 random(seed);
    std::vector<FakeRunner> fleet = {FakeWorker("worker-1"), FakeWorker("worker-2"),
                                     FakeAgent("agent-1")};
    const std::string id = Submit(spec)->id();
    for (int step = 0; step < 4000 && !HasEnded(Get(id).state()); ++step) {
      FakeRunner& runner = fleet[random() % fleet.size()];
      switch (random() % 12) {
        case 0:  // Dies; what it finished is in its spool.
          runner.Crash();
          break;
        case 1:  // Calls, and the answer is lost on the way.
          Call(runner.Request());
          break;
        case 2:
          Pass(absl::Seconds(random() % 40));
          break;
        case 3:
          Restart();
          break;
        case 4:  // Finishes without telling yet.
          runner.FinishOne(artifacts());
          break;
        case 5:  // Delivers, the answer is lost, and it delivers again.
          if (runner.FinishOne(artifacts())) Call(runner.Request());
          break;
        default:
          Step(runner);
      }
    }
    EXPECT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED) << "seed " << seed;
    EXPECT_EQ(Outcome(id), expected) << "seed " << seed;
    EXPECT_EQ(Get(id).images_planned(), undisturbed_images_) << "seed " << seed;
  }
}

TEST_F(EvolutionTest, DisturbancesEndInTheSamePopulation) {
  ExpectDisturbancesChangeNothing(SmallSpec());
}

// Where offspring drop out: the slow at the measurement barrier, others in a rung.
TEST_F(EvolutionTest, DisturbancesLeaveTheSameOffspringUntrained) {
  v1::ExperimentSpec spec = SmallSpec();
  spec.set_offspring(5);
  spec.mutable_training()->set_cancel_infeasible(true);
  v1::Constraint& constraint = *spec.mutable_environment()->add_constraints();
  constraint.set_min_ratio_to_ancestor(1.4);
  constraint.set_scheduled(false);
  spec.mutable_training()->add_halving()->set_keep(1);
  ExpectDisturbancesChangeNothing(spec);
  // With all of a generation in the rung, and one of them trained further.
  const int without_cancellation = 1 + 2 * (5 + 1) + undisturbed_champions_;
  EXPECT_LT(undisturbed_images_, 100 * without_cancellation);
  EXPECT_GT(undisturbed_images_, 100 * (1 + 2 * 2 + undisturbed_champions_))
      << "somewhere several were in the rung";
}

TEST_F(EvolutionTest, ReplayedFactsGiveTheStoredSummary) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(SmallSpec())->id();
  RunToEnd(id, {&worker, &agent});
  ExpectReplayGivesTheStoredSummary(id);
}

TEST_F(EvolutionTest, EveryMethodOfSelectionSurvivesRestartsAndReplay) {
  for (const auto method : {v1::SelectionSpec::PLUS, v1::SelectionSpec::NSGA_II}) {
    v1::ExperimentSpec spec = SmallSpec();
    spec.set_generations(12);
    spec.set_offspring(3);
    spec.set_parents(2);
    spec.mutable_selection()->set_method(method);
    StartOver();
    FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
    const std::string undisturbed = Submit(spec)->id();
    RunToEnd(undisturbed, {&worker, &agent});
    EXPECT_EQ(Get(undisturbed).state(), v1::Experiment::SUCCEEDED);
    ExpectReplayGivesTheStoredSummary(undisturbed);
    const std::string expected = Outcome(undisturbed);
    StartOver();
    FakeRunner other_worker = FakeWorker("worker-1"), other_agent = FakeAgent("agent-1");
    const std::string id = Submit(spec)->id();
    for (int step = 0; step < 1000 && !HasEnded(Get(id).state()); ++step) {
      Step(step % 2 == 0 ? other_worker : other_agent);
      if (step % 3 == 2) Restart();
    }
    EXPECT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED);
    EXPECT_EQ(Outcome(id), expected) << v1::SelectionSpec::Method_Name(method);
    int older = 0;  // Parents that stayed for more than a generation.
    for (const v1::Individual& individual : Individuals(id)) {
      for (const auto& parent : individual.parents()) {
        older += parent.generation() + 1 < individual.name().generation() ? 1 : 0;
      }
    }
    EXPECT_GT(older, 0) << v1::SelectionSpec::Method_Name(method);
  }
}

TEST_F(EvolutionTest, StopsEarlyWhereNothingNewComes) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  v1::ExperimentSpec spec = SmallSpec();
  spec.set_generations(9);
  spec.mutable_selection()->set_stop_after(2);
  const std::string id = Submit(spec)->id();
  // No offspring will train.
  for (int step = 0; step < 1000 && !Get(id).finishing(); ++step) {
    if (!worker.waiting) Exchange(worker);
    const bool hopeless = !worker.attempts.empty() &&
                          worker.attempts.begin()->second.has_train() && Get(id).generation() > 0;
    if (hopeless) {
      v1::AttemptResult result;
      result.mutable_train()->set_outcome(v1::TrainResult::DIVERGED);
      result.mutable_train()->set_numerics_class("fake");
      worker.Finish(result);
    }
    Step(worker);
    Step(agent);
  }
  EXPECT_TRUE(Get(id).finishing());
  EXPECT_EQ(Get(id).generation(), 2) << "two in a row";
  Restart();
  EXPECT_TRUE(Get(id).finishing());
  EXPECT_EQ(Get(id).generation(), 2);
  RunToEnd(id, {&worker, &agent});
  EXPECT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED);
  EXPECT_EQ(Get(id).generation(), 2) << "the last that was bred";
  EXPECT_EQ(Individuals(id).size(), 5u);
  ASSERT_EQ(Champions(id).size(), 1u);
  EXPECT_EQ(Champions(id)[0].state(), v1::Champion::READY);
  EXPECT_EQ(Champions(id)[0].individual().name().generation(), 0);
  ExpectReplayGivesTheStoredSummary(id);
}

TEST_F(EvolutionTest, KnownMeasurementsAreNotMadeAgain) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const auto measurements_of = [&](const v1::ExperimentSpec& spec) {
    const std::string id = Submit(spec)->id();
    int measured = 0;
    for (int step = 0; step < 200 && !HasEnded(Get(id).state()); ++step) {
      Step(worker);
      if (!agent.waiting) Exchange(agent);
      if (agent.FinishOne(artifacts())) {
        ++measured;
        Exchange(agent);
      }
    }
    EXPECT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED);
    return measured;
  };
  const int all = measurements_of(SmallSpec());
  EXPECT_GT(all, 1);
  EXPECT_EQ(measurements_of(SmallSpec()), 1) << "only the ancestor, which pins the setting";
  v1::ExperimentSpec profiled = SmallSpec();
  profiled.mutable_measurement()->set_profile(true);
  EXPECT_EQ(measurements_of(profiled), all) << "what is known lacks the profile";
  EXPECT_EQ(measurements_of(profiled), 1);
  EXPECT_EQ(measurements_of(SmallSpec()), 1) << "a profile more does no harm";
}

TEST_F(EvolutionTest, WithoutEngineFilesAsAnEarlierProgramBeganItEndsInTheSamePopulation) {
  const std::string calm = UndisturbedOutcome();
  StartOver();
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(SmallSpec())->id();
  v1::SynchronizeRequest request = FakeWorker("pinner").Request();
  request.set_draining(true);  // It gets no work.
  *request.add_datasets() = ReadyReport(Get(id).spec().dataset());
  ASSERT_TRUE(Call(request).has_value());
  ForgetOrders();
  RunToEnd(id, {&worker, &agent});
  ASSERT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED);
  EXPECT_EQ(Outcome(id), calm);
  for (int generation = 0; generation < 3; ++generation) {
    const StoredExperiment stored = *population_->FindExperiment(id);
    const auto facts = population_->ResultFacts(stored.row, generation);
    ASSERT_TRUE(facts.ok()) << facts.status();
    for (const v1::AttemptResult& fact : *facts) {
      EXPECT_FALSE(fact.synthesize().has_engine_files());
    }
  }
  ExpectReplayGivesTheStoredSummary(id);
}

// Everybody on a second board with batch 2, champions with batch 16 too.
TEST_F(EvolutionTest, EveryBoardThatIsNamedMeasuresAndTheRestWaitForIt) {
  v1::ExperimentSpec spec = SmallSpec();
  v1::MeasurementSpec& measurement = *spec.mutable_measurement();
  measurement.add_beside()->set_device_class("board/second");
  measurement.mutable_beside(0)->set_batch(2);
  measurement.add_beside()->set_batch(16);
  measurement.mutable_beside(1)->set_champions(true);
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(spec)->id();
  ExpectToMissASecondBoard(id, worker, agent);
  FakeRunner second = FakeAgent("agent-2", "board/second");
  RunToEnd(id, {&worker, &agent, &second});
  ASSERT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED) << Get(id).reason();
  for (const v1::Champion& champion : Champions(id)) {
    EXPECT_THAT(champion.individual().measured_on(), HasSubstr("board/test, torch, fp32, batch 1"));
    ASSERT_EQ(champion.individual().beside_size(), 2);
    const v1::Speed& everybodys = champion.individual().beside(0);
    EXPECT_EQ(everybodys.beside(), 1);
    EXPECT_THAT(everybodys.measured_on(), HasSubstr("board/second, torch, fp32, batch 2"));
    EXPECT_GT(everybodys.ratio_to_ancestor(), 0);
    const v1::Speed& of_champions = champion.individual().beside(1);
    EXPECT_EQ(of_champions.beside(), 2);
    EXPECT_THAT(of_champions.measured_on(), HasSubstr("board/test, torch, fp32, batch 16"));
  }
  ExpectReplayGivesTheStoredSummary(id);
}

TEST_F(EvolutionTest, ABoardOfChampionsAloneIsMissedAtOnce) {
  v1::ExperimentSpec spec = SmallSpec();
  spec.mutable_measurement()->add_beside()->set_device_class("board/second");
  spec.mutable_measurement()->mutable_beside(0)->set_champions(true);
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(spec)->id();
  ExpectToMissASecondBoard(id, worker, agent);
  FakeRunner second = FakeAgent("agent-2", "board/second");
  for (int step = 0; step < 20 && Get(id).generation() == 0; ++step) {
    for (FakeRunner* runner : {&worker, &agent, &second}) Step(*runner);
  }
  // Offspring are not measured there.
  for (int step = 0; step < 40 && Get(id).generation() == 1; ++step) {
    Step(worker);
    Step(agent);
  }
  EXPECT_GT(Get(id).generation(), 1);
  RunToEnd(id, {&worker, &agent, &second});
  ASSERT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED) << Get(id).reason();
  for (const v1::Champion& champion : Champions(id)) {
    ASSERT_EQ(champion.individual().beside_size(), 1);
    EXPECT_THAT(champion.individual().beside(0).measured_on(), HasSubstr("board/second"));
  }
  ExpectReplayGivesTheStoredSummary(id);
}

TEST_F(EvolutionTest, SeveralBoardsAndRestartsEndInTheSamePopulation) {
  v1::ExperimentSpec spec = SmallSpec();
  spec.mutable_measurement()->add_beside()->set_device_class("board/second");
  spec.mutable_measurement()->add_beside()->set_batch(16);
  spec.mutable_measurement()->mutable_beside(1)->set_champions(true);
  std::string calm;
  for (const bool restarts : {false, true}) {
    FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1"),
               second = FakeAgent("agent-2", "board/second");
    const std::string id = Submit(spec)->id();
    for (int step = 0; step < 300 && !HasEnded(Get(id).state()); ++step) {
      for (FakeRunner* runner : {&worker, &agent, &second}) Step(*runner);
      if (restarts && step % 3 == 0) Restart();
    }
    ASSERT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED) << Get(id).reason();
    if (!restarts) calm = Outcome(id);
    EXPECT_EQ(Outcome(id), calm);
  }
}

TEST_F(EvolutionTest, SyntheticMeasurementsAreNotCached) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const auto measure_all = [&](const std::string& id) {
    int measured = 0;
    for (int step = 0; step < 200 && !HasEnded(Get(id).state()); ++step) {
      Step(worker);
      if (!agent.waiting) Exchange(agent);
      if (agent.attempts.empty()) continue;
      v1::AttemptResult result = GoodAnswer(agent.attempts.begin()->second, agent.info, artifacts());
      result.mutable_measure()->mutable_setting()->set_synthetic(true);
      agent.Finish(result);
      ++measured;
      Exchange(agent);
    }
    return measured;
  };
  EXPECT_EQ(measure_all(Submit(SmallSpec())->id()), 5);
  EXPECT_EQ(measure_all(Submit(SmallSpec())->id()), 5);
}

TEST_F(EvolutionTest, TwoExperimentsShareOneFleet) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  v1::ExperimentSpec other = SmallSpec();
  other.set_seed(7);
  const std::string a = Submit(SmallSpec())->id(), b = Submit(other)->id();
  RunToEnd(a, {&worker, &agent});
  RunToEnd(b, {&worker, &agent});
  EXPECT_EQ(Get(a).state(), v1::Experiment::SUCCEEDED);
  EXPECT_EQ(Get(b).state(), v1::Experiment::SUCCEEDED);
  EXPECT_NE(Get(a).population_digest(), Get(b).population_digest());
}

TEST_F(EvolutionTest, AncestorThatDivergesFailsTheExperiment) {
  FakeRunner worker = FakeWorker("worker-1");
  const std::string id = Submit(SmallSpec())->id();
  Step(worker);  // Data set.
  Step(worker);  // Synthesis.
  ASSERT_TRUE(worker.attempts.begin()->second.has_train());
  v1::AttemptResult result;
  result.mutable_train()->set_outcome(v1::TrainResult::DIVERGED);
  result.mutable_train()->set_numerics_class("fake");
  worker.Finish(result);
  Exchange(worker);
  EXPECT_EQ(Get(id).state(), v1::Experiment::FAILED);
  EXPECT_THAT(Get(id).reason(), HasSubstr("diverged"));
  EXPECT_EQ(Individuals(id)[0].state(), v1::Individual::DIVERGED);
  Restart();
  EXPECT_EQ(Get(id).state(), v1::Experiment::FAILED);
}

}  // namespace
}  // namespace squish
