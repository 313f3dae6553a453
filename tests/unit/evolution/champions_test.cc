#include "coordinator/evolution/champions.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Role = v1::Champion::Role;

// An evaluated individual; its index tells it from the others.
v1::Individual Network(int index, double log_loss, double ratio, double megabytes) {
  v1::Individual individual;
  individual.mutable_name()->set_generation(1);
  individual.mutable_name()->set_index(index);
  individual.set_state(v1::Individual::EVALUATED);
  individual.set_bytes(static_cast<int64_t>(megabytes * 1e6));
  individual.set_selection_log_loss(log_loss);
  individual.set_selection_accuracy(1 / (1 + log_loss));
  individual.set_ratio_to_ancestor(ratio);
  individual.set_trained_artifact(absl::StrCat("trained ", index));
  return individual;
}

std::vector<int> Archived(const std::vector<v1::Individual>& individuals) {
  v1::EvolutionSummary summary;
  ExtendArchive({}, individuals, summary);
  std::vector<int> indices;
  for (const auto& member : summary.archive()) indices.push_back(member.name().index());
  return indices;
}

TEST(ArchiveTest, KeepsWhatNobodySurpasses) {
  EXPECT_THAT(Archived({Network(0, 0.2, 1.0, 3), Network(1, 0.3, 1.5, 2), Network(2, 0.4, 1.2, 2.5)}),
              ElementsAre(0, 1))
      << "2 is worse than 1 in everything";
}

TEST(ArchiveTest, LaterOnesDriveOutEarlierOnes) {
  v1::EvolutionSummary summary;
  ExtendArchive({}, {Network(0, 0.2, 1.0, 3), Network(1, 0.3, 1.5, 2)}, summary);
  ExtendArchive({}, {Network(2, 0.1, 2.0, 1)}, summary);
  ASSERT_EQ(summary.archive_size(), 1);
  EXPECT_EQ(summary.archive(0).name().index(), 2);
}

TEST(ArchiveTest, OfEqualsTheEarliestStays) {
  EXPECT_THAT(Archived({Network(0, 0.2, 1.0, 3), Network(1, 0.2, 1.0, 3)}), ElementsAre(0));
}

TEST(ArchiveTest, RatiosDifferInStepsOfOnePercent) {
  EXPECT_THAT(Archived({Network(0, 0.2, 1.505, 3), Network(1, 0.3, 1.515, 3)}), ElementsAre(0))
      << "less than a percent is noise";
  EXPECT_THAT(Archived({Network(0, 0.2, 1.505, 3), Network(1, 0.3, 1.53, 3)}), ElementsAre(0, 1));
}

TEST(ArchiveTest, OnlyTheEvaluatedEnter) {
  v1::Individual diverged = Network(0, 0.1, 9, 1), refused = diverged, unmeasured = diverged;
  diverged.set_state(v1::Individual::DIVERGED);
  refused.set_state(v1::Individual::UNSUPPORTED);
  unmeasured.clear_ratio_to_ancestor();
  EXPECT_THAT(Archived({diverged, refused, unmeasured}), IsEmpty());
}

// Against the definition, for random populations in random portions.
TEST(ArchiveTest, HoldsExactlyTheNonDominated) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const RandomStream random(RandomDomain::kShuffle, {seed});
    uint64_t place = 0;
    std::vector<v1::Individual> all;
    for (int i = 0; i < 30; ++i) {
      const double log_loss = 0.1 * random.Below(place++, 8);
      const double ratio = 1 + 0.1 * random.Below(place++, 8);
      all.push_back(Network(i, log_loss, ratio, 1 + random.Below(place++, 8)));
    }
    v1::EvolutionSummary summary;
    for (size_t first = 0; first < all.size();) {
      const size_t count = std::min<size_t>(1 + random.Below(place++, 9), all.size() - first);
      ExtendArchive({}, {all.begin() + first, all.begin() + first + count}, summary);
      first += count;
    }
    std::set<int> kept;
    for (const auto& member : summary.archive()) kept.insert(member.name().index());
    for (int i = 0; i < 30; ++i) {
      const auto surpasses = [&](const v1::Individual& other) {
        const v1::Individual& one = all[i];
        const bool as_good = other.selection_log_loss() <= one.selection_log_loss() &&
                             other.ratio_to_ancestor() >= one.ratio_to_ancestor() &&
                             other.bytes() <= one.bytes();
        const bool better = other.selection_log_loss() < one.selection_log_loss() ||
                            other.ratio_to_ancestor() > one.ratio_to_ancestor() ||
                            other.bytes() < one.bytes() ||
                            other.name().index() < one.name().index();
        return as_good && better;
      };
      EXPECT_EQ(kept.count(i), std::none_of(all.begin(), all.end(), surpasses) ? 1u : 0u)
          << "seed " << seed << ", individual " << i;
    }
  }
}

class ChampionsTest : public testing::Test {
 protected:
  std::vector<v1::Champion> Choose(const std::vector<v1::Individual>& individuals) {
    v1::EvolutionSummary summary;
    *summary.mutable_ancestor() = Network(99, 0.1, 1, 4);
    ExtendArchive(spec_, individuals, summary);
    return ChooseChampions(spec_, summary);
  }
  // The index of the individual that has the role.
  static int Holder(const std::vector<v1::Champion>& champions, Role::Kind kind,
                    double megabytes = 0) {
    for (const v1::Champion& champion : champions) {
      for (const Role& role : champion.roles()) {
        if (role.kind() == kind && role.megabytes() == megabytes) {
          return champion.individual().name().index();
        }
      }
    }
    ADD_FAILURE() << "nobody is " << Role::Kind_Name(kind);
    return -1;
  }
  static bool Met(const std::vector<v1::Champion>& champions, Role::Kind kind) {
    for (const v1::Champion& champion : champions) {
      for (const Role& role : champion.roles()) {
        if (role.kind() == kind) return role.met();
      }
    }
    return false;
  }
  void Demand(double megabytes) {
    spec_.mutable_environment()->add_constraints()->set_max_megabytes(megabytes);
  }

  v1::ExperimentSpec spec_ = [] {
    v1::ExperimentSpec spec;
    spec.set_generations(3);
    return spec;
  }();
  // Large and accurate, small, fast, and something of everything.
  const std::vector<v1::Individual> front_ = {Network(0, 0.1, 1.0, 3.0), Network(1, 0.9, 1.5, 0.5),
                                              Network(2, 0.8, 3.0, 1.0), Network(3, 0.3, 2.4, 0.8)};
};

TEST_F(ChampionsTest, EachRoleGoesToItsBest) {
  const auto champions = Choose(front_);
  EXPECT_EQ(Holder(champions, Role::MOST_ACCURATE), 0);
  EXPECT_EQ(Holder(champions, Role::SMALLEST), 1);
  EXPECT_EQ(Holder(champions, Role::FASTEST), 2);
  EXPECT_EQ(Holder(champions, Role::KNEE), 3);
  EXPECT_TRUE(Met(champions, Role::KNEE));
}

TEST_F(ChampionsTest, ComeOnceEachTheLargestFirst) {
  const auto champions = Choose(front_);
  std::vector<int> order;
  for (size_t i = 0; i < champions.size(); ++i) {
    EXPECT_EQ(champions[i].index(), static_cast<int>(i));
    order.push_back(champions[i].individual().name().index());
  }
  EXPECT_THAT(order, ElementsAre(0, 2, 3, 1));
}

TEST_F(ChampionsTest, OneIndividualCanBeEverything) {
  spec_.add_report_megabytes(3);
  const auto champions = Choose({front_[0]});
  ASSERT_EQ(champions.size(), 1u);
  EXPECT_EQ(champions[0].roles_size(), 5);
  EXPECT_TRUE(champions[0].feasible());
}

TEST_F(ChampionsTest, OnlyReportSizesAreChosenWhereThatIsWanted) {
  spec_.add_report_megabytes(1.0);
  spec_.add_report_megabytes(3.0);
  spec_.set_only_report_sizes(true);
  const auto champions = Choose(front_);
  ASSERT_EQ(champions.size(), 2u);
  for (const v1::Champion& champion : champions) {
    ASSERT_EQ(champion.roles_size(), 1);
    EXPECT_EQ(champion.roles(0).kind(), Role::SIZE);
  }
}

TEST_F(ChampionsTest, NobodyLivesNobodyIsChosen) { EXPECT_THAT(Choose({}), IsEmpty()); }

TEST_F(ChampionsTest, OnlyTheFeasibleAreChosenWhereThereAreAny) {
  Demand(0.9);
  const auto champions = Choose(front_);
  EXPECT_EQ(Holder(champions, Role::MOST_ACCURATE), 3);
  EXPECT_EQ(Holder(champions, Role::FASTEST), 3);
  EXPECT_EQ(Holder(champions, Role::SMALLEST), 1);
  for (const v1::Champion& champion : champions) EXPECT_TRUE(champion.feasible());
}

TEST_F(ChampionsTest, TheTargetBindsWhateverTheGenerationItComesFrom) {
  v1::Constraint& constraint = *spec_.mutable_environment()->add_constraints();
  constraint.set_max_megabytes(0.9);
  constraint.set_scheduled(true);
  EXPECT_EQ(Holder(Choose(front_), Role::MOST_ACCURATE), 3)
      << "at generation 1 the schedule would still allow 0";
}

TEST_F(ChampionsTest, WhereNothingIsFeasibleTheNearestTakesEveryRole) {
  Demand(0.4);
  const auto champions = Choose(front_);
  ASSERT_EQ(champions.size(), 1u);
  EXPECT_EQ(champions[0].individual().name().index(), 1);
  EXPECT_FALSE(champions[0].feasible());
  EXPECT_FALSE(Met(champions, Role::SMALLEST));
}

TEST_F(ChampionsTest, ASizeIsHeldByTheLeastLogLossInItsBand) {
  spec_.add_report_megabytes(1.0);
  const auto champions =
      Choose({Network(0, 0.1, 1, 3), Network(1, 0.5, 1.1, 0.95), Network(2, 0.4, 1.2, 0.90),
              Network(3, 0.6, 1.3, 0.86), Network(4, 0.65, 1.4, 0.84), Network(5, 0.3, 1.1, 1.01)});
  EXPECT_EQ(Holder(champions, Role::SIZE, 1.0), 2);
  EXPECT_TRUE(Met(champions, Role::SIZE));
}

TEST_F(ChampionsTest, AnEmptyBandIsHeldByTheBestBelowIt) {
  spec_.add_report_megabytes(2.0);
  const auto champions =
      Choose({Network(0, 0.1, 1, 3), Network(1, 0.5, 1.1, 0.95), Network(2, 0.4, 1.0, 1.2)});
  EXPECT_EQ(Holder(champions, Role::SIZE, 2.0), 2);
  EXPECT_TRUE(Met(champions, Role::SIZE));
}

TEST_F(ChampionsTest, ASizeThatNobodyKeepsIsFilledByTheNearestAndMarked) {
  spec_.add_report_megabytes(0.9);
  const auto champions = Choose({Network(0, 0.1, 1, 3), Network(1, 0.5, 1.1, 0.95)});
  EXPECT_EQ(Holder(champions, Role::SIZE, 0.9), 1);
  EXPECT_FALSE(Met(champions, Role::SIZE));
  EXPECT_TRUE(Met(champions, Role::KNEE));
}

TEST_F(ChampionsTest, TiesGoToTheLowerLogLossThenToTheEarlier) {
  const auto champions = Choose({Network(0, 0.5, 1.5, 1.0), Network(1, 0.4, 1.2, 1.0)});
  EXPECT_EQ(Holder(champions, Role::SMALLEST), 1);
}

// Log-loss and accuracy need not agree, and a constraint may look at the latter.
TEST_F(ChampionsTest, TheFeasibleIsNotDrivenOutByTheBetterThatIsNone) {
  v1::Constraint& constraint = *spec_.mutable_environment()->add_constraints();
  constraint.set_min_accuracy(0.80);
  v1::Individual feasible = Network(0, 0.60, 1.2, 1.0), other = Network(1, 0.55, 1.3, 0.9);
  feasible.set_selection_accuracy(0.81);
  other.set_selection_accuracy(0.79);
  for (const auto& order : {std::vector{feasible, other}, std::vector{other, feasible}}) {
    const auto champions = Choose(order);
    ASSERT_EQ(champions.size(), 1u);
    EXPECT_EQ(champions[0].individual().name().index(), 0);
    EXPECT_TRUE(champions[0].feasible());
  }
}

TEST_F(ChampionsTest, TheMostAccurateIsSoWhateverItsLogLoss) {
  v1::Individual accurate = Network(0, 0.60, 1.2, 1.0), sure = Network(1, 0.55, 1.3, 0.9);
  accurate.set_selection_accuracy(0.81);
  sure.set_selection_accuracy(0.79);
  EXPECT_EQ(Holder(Choose({accurate, sure}), Role::MOST_ACCURATE), 0);
}

TEST_F(ChampionsTest, CarryWhatTheyAreReportedWith) {
  v1::Individual individual = front_[0];
  individual.set_measured_on("board");
  individual.set_weights_digest("weights");
  individual.mutable_birth()->set_kappa(0.5);
  const auto champions = Choose({individual});
  EXPECT_EQ(champions[0].individual().measured_on(), "board");
  EXPECT_EQ(champions[0].individual().trained_artifact(), "trained 0");
  EXPECT_EQ(champions[0].individual().weights_digest(), "weights");
  EXPECT_FALSE(champions[0].individual().has_birth()) << "the archive is written often";
}

}  // namespace
}  // namespace squish
