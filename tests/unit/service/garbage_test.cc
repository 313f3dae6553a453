// Artifacts that nothing names go, and nothing else does.
#include "coordinator/service/garbage.h"

#include "absl/time/clock.h"
#include "coordinator/fsck/fsck.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/service/coordinator_fixture.h"

namespace squish {
namespace {

using testing::IsEmpty;

class GarbageTest : public CoordinatorFixture {
 protected:
  GarbageTest() {
    options_.gather_every = absl::ZeroDuration();
    options_.on_named = [this](std::set<std::string> named) { named_ = std::move(named); };
    Restart();
  }

  // What is named now.
  const std::set<std::string>& Gather() {
    named_.reset();
    while (!named_.has_value()) coordinator_->RunBatch({});
    return *named_;
  }
  int64_t Removed(GarbageCollector& collector, absl::Time now) {
    const auto collected = collector.Collect(Gather(), now);
    EXPECT_TRUE(collected.ok()) << collected.status();
    return collected.ok() ? collected->artifacts : -1;
  }

  v1::ExperimentSpec Spec() {
    v1::ExperimentSpec spec = SmallSpec();
    spec.set_generations(5);
    spec.set_offspring(3);
    spec.set_parents(2);
    spec.mutable_synthesis()->set_mates(2);
    spec.mutable_retention()->set_generations(1);
    return spec;
  }
  std::string DigestOf(const std::string& id) { return Get(id).population_digest(); }

  std::optional<std::set<std::string>> named_;
  // Time goes by for files that were written a moment ago.
  const absl::Time later_ = absl::Now() + absl::Hours(100);
};

TEST_F(GarbageTest, GoesAfterEveryStepAndTheEvolutionIsTheSame) {
  std::string calm;
  int64_t whole = 0;
  {
    FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
    const std::string id = Submit(Spec())->id();
    RunToEnd(id, {&worker, &agent});
    calm = DigestOf(id);
    whole = static_cast<int64_t>(artifacts().List()->size());
  }
  StartOver();
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(Spec())->id();
  GarbageCollector collector(&artifacts(), absl::ZeroDuration());
  int64_t removed = 0;
  for (int step = 0; step < 400 && !HasEnded(Get(id).state()); ++step) {
    Step(step % 2 == 0 ? worker : agent);
    removed += Removed(collector, later_);
    const auto report = CheckPopulation(*population_);
    ASSERT_TRUE(report.ok()) << report.status();
    ASSERT_THAT(report->problems, IsEmpty()) << "step " << step;
    ASSERT_EQ(report->unreferenced, 0) << "step " << step;
  }
  ASSERT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED);
  EXPECT_EQ(DigestOf(id), calm);
  EXPECT_GT(removed, whole / 4);
  for (const v1::Champion& champion : Champions(id)) {
    EXPECT_TRUE(artifacts().Verify(champion.artifact()).ok());
  }
}

TEST_F(GarbageTest, EngineFilesStayAsLongAsAMeasurementMayWantThem) {
  v1::ExperimentSpec spec = Spec();
  spec.mutable_retention()->set_everything(true);
  spec.mutable_measurement()->add_beside()->set_batch(16);
  spec.mutable_measurement()->mutable_beside(0)->set_champions(true);
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(spec)->id();
  GarbageCollector collector(&artifacts(), absl::ZeroDuration());
  int64_t removed = 0;
  int measured = 0;
  const auto expect_there = [&](const v1::EngineFiles& files) {
    EXPECT_EQ(files.onnx_size(), 2);
    for (const auto& onnx : files.onnx()) EXPECT_TRUE(artifacts().Contains(onnx.artifact()));
    EXPECT_TRUE(artifacts().Contains(files.probe_pictures()));
    EXPECT_TRUE(artifacts().Contains(files.probe_outputs()));
  };
  for (int step = 0; step < 400 && !HasEnded(Get(id).state()); ++step) {
    Step(step % 2 == 0 ? worker : agent);
    removed += Removed(collector, later_);
    for (const auto& [attempt, job] : agent.attempts) {
      expect_there(job.measure().candidate_files());
      expect_there(job.measure().ancestor_files());
      ++measured;
    }
  }
  ASSERT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED);
  EXPECT_GT(measured, 10);
  EXPECT_GT(removed, 10) << "of who is no champion";
  Removed(collector, later_);
  const StoredExperiment stored = *population_->FindExperiment(id);
  const auto facts = population_->ResultFacts(stored.row, 0);
  ASSERT_TRUE(facts.ok()) << facts.status();
  for (const v1::AttemptResult& fact : *facts) {
    if (!fact.has_synthesize()) continue;
    EXPECT_FALSE(artifacts().Contains(fact.synthesize().engine_files().probe_outputs()));
    EXPECT_TRUE(artifacts().Contains(fact.synthesize().artifact())) << "the network stays";
  }
}

TEST_F(GarbageTest, StaysWhileEverythingIsKept) {
  v1::ExperimentSpec spec = Spec();
  spec.mutable_retention()->set_everything(true);
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(spec)->id();
  RunToEnd(id, {&worker, &agent});
  // All but what engines were given, which is two files of each and their one probe.
  GarbageCollector collector(&artifacts(), absl::ZeroDuration());
  const int64_t born = static_cast<int64_t>(Individuals(id).size());
  EXPECT_EQ(Removed(collector, later_), 2 * born + 1);
}

TEST_F(GarbageTest, StaysForATerm) {
  const std::string digest = *artifacts().Put("of nobody");
  GarbageCollector collector(&artifacts(), absl::Hours(6));
  EXPECT_EQ(Removed(collector, later_), 0) << "seen for the first time";
  EXPECT_EQ(Removed(collector, later_ + absl::Hours(5)), 0);
  EXPECT_EQ(Removed(collector, later_ + absl::Hours(6)), 1);
  EXPECT_FALSE(artifacts().Contains(digest));
}

TEST_F(GarbageTest, StaysWhenItWasUsed) {
  const absl::Time start = absl::Now() - absl::Minutes(1);
  const std::string digest = *artifacts().Put("of nobody yet");
  GarbageCollector collector(&artifacts(), absl::Hours(6));
  EXPECT_EQ(Removed(collector, start), 0);
  EXPECT_EQ(Removed(collector, start + absl::Hours(6) - absl::Minutes(1)), 0);
  EXPECT_EQ(Removed(collector, start + absl::Hours(6)), 0) << "it was stored after that";
  EXPECT_TRUE(artifacts().Use(digest));
  EXPECT_EQ(Removed(collector, start + absl::Hours(7)), 1);
}

TEST_F(GarbageTest, ABranchFromWhatIsGoneIsRefused) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(Spec())->id();
  RunToEnd(id, {&worker, &agent});
  GarbageCollector collector(&artifacts(), absl::ZeroDuration());
  EXPECT_GT(Removed(collector, later_), 0);
  int gone = 0, there = 0;
  for (const v1::Individual& one : Individuals(id)) {
    if (one.state() != v1::Individual::EVALUATED) continue;
    v1::ExperimentSpec branch = Spec();
    v1::BranchPoint& from = *branch.mutable_ancestor()->mutable_branch();
    from.set_experiment(id);
    *from.mutable_individual() = one.name();
    // What fake workers upload is no network, which those that are there are refused for.
    const std::string refusal(Submit(branch).status().message());
    const bool kept = artifacts().Contains(one.trained_artifact());
    EXPECT_THAT(refusal, testing::HasSubstr(kept ? "not a safetensors file" : "kept no longer"));
    ++(kept ? there : gone);
  }
  EXPECT_GT(gone, 0);
  EXPECT_GT(there, 0);
}

}  // namespace
}  // namespace squish
