#include "coordinator/evolution/retention.h"

#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

using testing::ElementsAre;
using Place = std::pair<int, int>;  // (generation, index)

v1::Individual Named(int generation, int index) {
  v1::Individual individual;
  individual.mutable_name()->set_generation(generation);
  individual.mutable_name()->set_index(index);
  return individual;
}

// Generations up to 9 are closed; 10 is open.
v1::EvolutionSummary Summary() {
  v1::EvolutionSummary summary;
  summary.set_closed_generation(9);
  *summary.add_archive() = Named(3, 1);
  *summary.add_parents() = Named(6, 0);
  *summary.add_champions()->mutable_individual() = Named(5, 2);
  return summary;
}

v1::ExperimentSpec Spec(int generations, bool everything = false) {
  v1::ExperimentSpec spec;
  spec.mutable_retention()->set_generations(generations);
  spec.mutable_retention()->set_everything(everything);
  return spec;
}

TEST(RetentionTest, KeepsTheLastGenerationsAndWhoIsNamedBefore) {
  const Retention retention(Spec(2), Summary(), /*ended=*/true);
  EXPECT_EQ(retention.whole_from(), 8);
  EXPECT_THAT(retention.earlier(), ElementsAre(0, 3, 5, 6));
  EXPECT_TRUE(retention.Keeps(0, 0));
  EXPECT_TRUE(retention.Keeps(3, 1));
  EXPECT_FALSE(retention.Keeps(3, 0));
  EXPECT_TRUE(retention.Keeps(5, 2));
  EXPECT_TRUE(retention.Keeps(6, 0));
  EXPECT_FALSE(retention.Keeps(7, 0));
  EXPECT_TRUE(retention.Keeps(8, 3));
  EXPECT_TRUE(retention.Keeps(10, 3));
}

TEST(RetentionTest, KeepsEverythingWhereThatIsWanted) {
  const Retention retention(Spec(1, /*everything=*/true), Summary(), /*ended=*/false);
  EXPECT_TRUE(retention.Keeps(1, 7));
  EXPECT_TRUE(retention.earlier().empty());
}

TEST(RetentionTest, KeepsAllWhileLittleIsClosed) {
  v1::EvolutionSummary summary;
  summary.set_closed_generation(-1);
  EXPECT_TRUE(Retention(Spec(1), summary, false).Keeps(0, 0));
  summary.set_closed_generation(1);
  EXPECT_TRUE(Retention(Spec(2), summary, false).Keeps(0, 0));
}

TEST(RetentionTest, EngineFilesStayWhileTheirGenerationIsOpenAndTheAncestorsToTheEnd) {
  const Retention retention(Spec(2), Summary(), /*ended=*/false);
  EXPECT_TRUE(retention.KeepsEngineFiles(0, 0));
  EXPECT_TRUE(retention.KeepsEngineFiles(10, 3));
  for (const auto& [generation, index] :
       {Place(3, 1), Place(5, 2), Place(6, 0), Place(8, 3), Place(9, 0)}) {
    EXPECT_FALSE(retention.KeepsEngineFiles(generation, index)) << generation;
  }
}

TEST(RetentionTest, EngineFilesOfWhoMayBecomeAChampionStayWhereChampionsAreMeasured) {
  v1::ExperimentSpec spec = Spec(2);
  spec.mutable_measurement()->add_beside()->set_champions(true);
  const Retention retention(spec, Summary(), /*ended=*/false);
  EXPECT_TRUE(retention.KeepsEngineFiles(3, 1)) << "of the archive";
  EXPECT_TRUE(retention.KeepsEngineFiles(5, 2)) << "a champion";
  EXPECT_FALSE(retention.KeepsEngineFiles(6, 0)) << "only a parent";
}

TEST(RetentionTest, NobodysEngineFilesStayBehindTheEnd) {
  v1::ExperimentSpec spec = Spec(2, /*everything=*/true);
  spec.mutable_measurement()->add_beside()->set_champions(true);
  const Retention retention(spec, Summary(), /*ended=*/true);
  for (const auto& [generation, index] : {Place(0, 0), Place(3, 1), Place(5, 2), Place(10, 3)}) {
    EXPECT_FALSE(retention.KeepsEngineFiles(generation, index)) << generation;
  }
}

}  // namespace
}  // namespace squish
