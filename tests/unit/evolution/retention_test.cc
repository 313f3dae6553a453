#include "coordinator/evolution/retention.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

using testing::ElementsAre;

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
  const Retention retention(Spec(2), Summary());
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
  const Retention retention(Spec(1, /*everything=*/true), Summary());
  EXPECT_TRUE(retention.Keeps(1, 7));
  EXPECT_TRUE(retention.earlier().empty());
}

TEST(RetentionTest, KeepsAllWhileLittleIsClosed) {
  v1::EvolutionSummary summary;
  summary.set_closed_generation(-1);
  EXPECT_TRUE(Retention(Spec(1), summary).Keeps(0, 0));
  summary.set_closed_generation(1);
  EXPECT_TRUE(Retention(Spec(2), summary).Keeps(0, 0));
}

}  // namespace
}  // namespace squish
