// What is ordered for engines beside a network, and what MEASURE jobs say of it.
#include "coordinator/evolution/job_parts.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "tests/unit/evolution/evolution_fixture.h"

namespace squish {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::ElementsAre;

v1::EngineFiles FilesOf(const std::string& id) {
  v1::EngineFiles files;
  files.add_onnx()->set_batch(1);
  files.mutable_onnx(0)->set_artifact("onnx " + id);
  files.set_probe_pictures("pictures");
  files.set_probe_outputs("outputs " + id);
  return files;
}

std::string Id(int generation, int index) { return absl::StrCat(generation, ":", index); }

// Complete, and as a worker answers that is given the order.
OpenGeneration WithFiles(const v1::ExperimentSpec& spec, int generation) {
  OpenGeneration open = Complete(spec, generation);
  for (size_t i = 0; i < open.individuals.size(); ++i) {
    *open.individuals[i].synthesize->mutable_engine_files() =
        FilesOf(Id(generation, static_cast<int>(i)));
  }
  return open;
}

class EngineFilesPlanTest : public testing::Test {
 protected:
  Plan Make(const v1::EvolutionSummary& summary, const OpenGeneration& open) const {
    return MakePlan(spec_, TestDataset(), summary, open);
  }
  v1::EvolutionSummary After(int generation) const {
    v1::EvolutionSummary summary = Beginning();
    for (int g = 0; g <= generation; ++g) {
      summary = Make(summary, WithFiles(spec_, g)).closing.value().summary;
    }
    return summary;
  }
  static v1::Job Find(const Plan& plan, v1::JobKey::Kind kind, int rung = 0) {
    for (const v1::Job& job : plan.wanted) {
      if (job.key().kind() == kind && job.key().rung() == rung) return job;
    }
    ADD_FAILURE() << "no " << v1::JobKey::Kind_Name(kind);
    return {};
  }
  static void ExpectFiles(const v1::MeasureJob& job, const std::string& candidate,
                          const std::string& ancestor) {
    EXPECT_TRUE(MessageDifferencer::Equals(job.candidate_files(), FilesOf(candidate)));
    EXPECT_TRUE(MessageDifferencer::Equals(job.ancestor_files(), FilesOf(ancestor)));
  }

  v1::ExperimentSpec spec_ = TestSpec();
};

TEST_F(EngineFilesPlanTest, AreOrderedForEveryBatchThatIsMeasuredAt) {
  for (const int batch : {16, 1, 4}) spec_.mutable_measurement()->add_beside()->set_batch(batch);
  spec_.mutable_measurement()->mutable_beside(0)->set_champions(true);
  spec_.mutable_measurement()->set_input_size(48);
  const v1::SynthesizeJob job =
      Find(Make(Beginning(), Open(spec_, 0)), v1::JobKey::SYNTHESIZE).synthesize();
  EXPECT_EQ(job.engine_files().input_size(), 48);
  EXPECT_THAT(job.engine_files().batches(), ElementsAre(1, 4, 16));
  EXPECT_EQ(job.engine_files().dataset().name(), "shapes");
  EXPECT_EQ(job.engine_files().dataset_fingerprint(), "fingerprint");
  EXPECT_EQ(job.engine_files().ancestor(), "");
}

TEST_F(EngineFilesPlanTest, AreNotOrderedWhereSpeedIsEstimated) {
  spec_.mutable_measurement()->set_fitness(v1::MeasurementSpec::ESTIMATED);
  EXPECT_FALSE(Find(Make(Beginning(), Open(spec_, 0)), v1::JobKey::SYNTHESIZE)
                   .synthesize()
                   .has_engine_files());
}

TEST_F(EngineFilesPlanTest, MeasurementsNameThoseOfBothNetworks) {
  ExpectFiles(Find(Make(Beginning(), WithFiles(spec_, 0)), v1::JobKey::MEASURE).measure(), "0:0",
              "0:0");
  const v1::EvolutionSummary summary = After(0);
  spec_.mutable_measurement()->add_beside()->set_batch(4);
  const Plan plan = Make(summary, WithFiles(spec_, 1));
  ExpectFiles(Find(plan, v1::JobKey::MEASURE, /*rung=*/0).measure(), "1:0", "0:0");
  ExpectFiles(Find(plan, v1::JobKey::MEASURE, /*rung=*/1).measure(), "1:0", "0:0");
}

TEST_F(EngineFilesPlanTest, AnExperimentWhoseAncestorHasNoneGoesOnWithout) {
  const v1::EvolutionSummary summary = SummaryAfter(spec_, 0);
  EXPECT_FALSE(summary.has_ancestor_files());
  const Plan plan = Make(summary, Complete(spec_, 1));
  EXPECT_FALSE(Find(plan, v1::JobKey::SYNTHESIZE).synthesize().has_engine_files());
  const v1::MeasureJob measure = Find(plan, v1::JobKey::MEASURE).measure();
  EXPECT_FALSE(measure.has_candidate_files());
  EXPECT_FALSE(measure.has_ancestor_files());
}

TEST_F(EngineFilesPlanTest, NoDecisionHangsOnThem) {
  for (const bool champions : {false, true}) {
    spec_.mutable_measurement()->clear_beside();
    if (champions) spec_.mutable_measurement()->add_beside()->set_champions(true);
    v1::EvolutionSummary with = After(spec_.generations());
    v1::EvolutionSummary without = SummaryAfter(spec_, spec_.generations());
    EXPECT_TRUE(with.has_ancestor_files());
    EXPECT_FALSE(without.has_ancestor_files());
    with.clear_ancestor_files();
    const auto strip = [](v1::Individual& individual) {
      individual.clear_engine_files();
      individual.clear_born_artifact();
    };
    for (v1::EvolutionSummary* summary : {&with, &without}) {
      for (v1::Individual& one : *summary->mutable_archive()) strip(one);
      for (v1::Champion& one : *summary->mutable_champions()) strip(*one.mutable_individual());
    }
    EXPECT_TRUE(MessageDifferencer::Equals(with, without));
  }
}

TEST_F(EngineFilesPlanTest, ChampionsThatAreMeasuredAgainAreTheBornNetworksWithTheirFiles) {
  spec_.mutable_measurement()->add_beside()->set_champions(true);
  const v1::EvolutionSummary summary = After(spec_.generations());
  const OpenGeneration open = Open(spec_, spec_.generations() + 1, summary);
  const v1::IndividualName& name = summary.champions(0).individual().name();
  const std::string id = Id(name.generation(), name.index());
  const v1::MeasureJob measure = Find(Make(summary, open), v1::JobKey::MEASURE, 1).measure();
  EXPECT_EQ(measure.candidate(), "born " + id);
  ExpectFiles(measure, id, "0:0");
}

TEST_F(EngineFilesPlanTest, WhereChampionsAreNotMeasuredNobodysFilesAreRemembered) {
  const v1::EvolutionSummary summary = After(spec_.generations());
  for (const v1::Individual& one : summary.archive()) EXPECT_FALSE(one.has_engine_files());
  const Plan plan = Make(After(0), WithFiles(spec_, 1));
  for (const v1::Individual& one : plan.closing->individuals) {
    EXPECT_FALSE(one.has_engine_files());
  }
}

TEST_F(EngineFilesPlanTest, ABranchOrdersThoseOfTheAncestorThatItIsMeasuredBeside) {
  v1::BranchPoint& branch = *spec_.mutable_ancestor()->mutable_branch();
  branch.set_network("network");
  branch.set_ancestor_network("first");
  const Plan plan = Make(Beginning(), Open(spec_, 0));
  EXPECT_EQ(Find(plan, v1::JobKey::SYNTHESIZE).synthesize().engine_files().ancestor(), "first");

  OpenGeneration open = WithFiles(spec_, 0);
  *open.individuals[0].synthesize->mutable_ancestor_files() = FilesOf("first");
  const Plan born = Make(Beginning(), open);
  ExpectFiles(Find(born, v1::JobKey::MEASURE).measure(), "0:0", "first");
  const Plan next = Make(born.closing->summary, WithFiles(spec_, 1));
  ExpectFiles(Find(next, v1::JobKey::MEASURE).measure(), "1:0", "first");
  EXPECT_EQ(Find(next, v1::JobKey::SYNTHESIZE).synthesize().engine_files().ancestor(), "");
}

}  // namespace
}  // namespace squish
