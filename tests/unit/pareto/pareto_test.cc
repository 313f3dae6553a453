#include "common/pareto/pareto.h"

#include <cmath>
#include <limits>

#include "common/base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// `count` points on a grid of `steps` values for each objective, with many ties.
std::vector<Objectives> RandomPoints(uint64_t seed, int count, int objectives, uint32_t steps) {
  const RandomStream random(RandomDomain::kShuffle, {seed});
  std::vector<Objectives> points(count, Objectives(objectives));
  uint64_t place = 0;
  for (Objectives& point : points) {
    for (double& value : point) value = random.Below(place++, steps);
  }
  return points;
}

std::vector<int> RandomOrder(uint64_t seed, int count) {
  return RandomStream(RandomDomain::kShuffle, {seed, 1}).Permutation(count);
}

std::vector<Objectives> InOrder(const std::vector<Objectives>& points,
                                const std::vector<int>& order) {
  std::vector<Objectives> reordered;
  for (const int position : order) reordered.push_back(points[position]);
  return reordered;
}

// --- Dominance --------------------------------------------------------------------

TEST(DominanceTest, EqualsDominateEachOtherWeaklyOnly) {
  EXPECT_TRUE(WeaklyDominates({1, 2}, {1, 2}));
  EXPECT_FALSE(Dominates({1, 2}, {1, 2}));
}

TEST(DominanceTest, BetterInOneAndWorseInNoneDominates) {
  EXPECT_TRUE(Dominates({1, 2}, {1, 3}));
  EXPECT_FALSE(WeaklyDominates({1, 3}, {1, 2}));
}

TEST(DominanceTest, BetterInOneAndWorseInAnotherDoesNot) {
  EXPECT_FALSE(WeaklyDominates({1, 3}, {2, 2}));
  EXPECT_FALSE(WeaklyDominates({2, 2}, {1, 3}));
}

TEST(DominanceTest, InfiniteIsTheWorst) {
  EXPECT_TRUE(Dominates({1, 7}, {1, kInfinity}));
  EXPECT_TRUE(WeaklyDominates({1, kInfinity}, {1, kInfinity}));
}

// --- Fronts -----------------------------------------------------------------------

TEST(FrontsTest, OfNobodyThereAreNone) { EXPECT_THAT(NonDominatedFronts({}), IsEmpty()); }

TEST(FrontsTest, ThreeLayersByHand) {
  //  y
  //  5 A . . .      A (1,5), B (2,3) and C (4,1) have nobody below and left of them.
  //  4 . . D .      D (3,4) has B. E (5,2) has C.
  //  3 . B . .      F (5,5) has everybody.
  //  2 . . . . E
  //  1 . . . C
  //    1 2 3 4 5 x
  EXPECT_THAT(NonDominatedFronts({{5, 5}, {1, 5}, {3, 4}, {2, 3}, {5, 2}, {4, 1}}),
              ElementsAre(ElementsAre(1, 3, 5), ElementsAre(2, 4), ElementsAre(0)));
}

TEST(FrontsTest, EqualsShareAFront) {
  EXPECT_THAT(NonDominatedFronts({{2, 2}, {1, 1}, {1, 1}, {2, 2}}),
              ElementsAre(ElementsAre(1, 2), ElementsAre(0, 3)));
}

TEST(FrontsTest, ATieInOneObjectiveIsDecidedByTheOther) {
  EXPECT_THAT(NonDominatedFronts({{1, 3}, {1, 2}}), ElementsAre(ElementsAre(1), ElementsAre(0)));
}

TEST(FrontsTest, OneObjectiveIsAnOrder) {
  EXPECT_THAT(NonDominatedFronts({{3}, {1}, {2}, {1}}),
              ElementsAre(ElementsAre(1, 3), ElementsAre(2), ElementsAre(0)));
}

// Against the definition: peel off whom nobody of the rest dominates.
TEST(FrontsTest, AreWhatIsLeftUndominatedAgainAndAgain) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<Objectives> points = RandomPoints(seed, 25, 2 + seed % 2, 6);
    std::vector<bool> gone(points.size(), false);
    for (const std::vector<int>& front : NonDominatedFronts(points)) {
      std::vector<int> expected;
      for (size_t i = 0; i < points.size(); ++i) {
        bool dominated = gone[i];
        for (size_t j = 0; j < points.size(); ++j) {
          dominated = dominated || (!gone[j] && Dominates(points[j], points[i]));
        }
        if (!dominated) expected.push_back(static_cast<int>(i));
      }
      EXPECT_EQ(front, expected) << "seed " << seed;
      for (const int member : front) gone[member] = true;
    }
    EXPECT_THAT(gone, testing::Each(true)) << "seed " << seed;
  }
}

TEST(FrontsTest, AreTheSameInAnyOrder) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const std::vector<Objectives> points = RandomPoints(seed, 20, 3, 5);
    const std::vector<int> order = RandomOrder(seed, 20);
    std::vector<int> rank(20), reordered_rank(20);
    const auto fronts = NonDominatedFronts(points);
    for (size_t r = 0; r < fronts.size(); ++r) {
      for (const int i : fronts[r]) rank[i] = static_cast<int>(r);
    }
    const auto reordered = NonDominatedFronts(InOrder(points, order));
    for (size_t r = 0; r < reordered.size(); ++r) {
      for (const int i : reordered[r]) reordered_rank[order[i]] = static_cast<int>(r);
    }
    EXPECT_EQ(rank, reordered_rank) << "seed " << seed;
  }
}

// --- Crowding ---------------------------------------------------------------------

TEST(CrowdingTest, EndsAreInfiniteAndOthersHaveTheRoomBetweenTheirNeighbours) {
  // By x: 0, 1, 4, 8; by y: 10, 6, 5, 0. The front spans 8 and 10.
  // Of (1, 6): (4 - 0) / 8 + (10 - 5) / 10 = 0.5 + 0.5 = 1
  // Of (4, 5): (8 - 1) / 8 + (6 - 0) / 10 = 0.875 + 0.6 = 1.475
  EXPECT_THAT(CrowdingDistances({{4, 5}, {0, 10}, {8, 0}, {1, 6}}),
              ElementsAre(testing::DoubleEq(1.475), kInfinity, kInfinity, 1.0));
}

TEST(CrowdingTest, ThreeObjectivesHaveUpToSixEnds) {
  // Each of the first six is the only least or largest of one objective. The last is in
  // each the last of five with 1: (2 - 1) / 2, thrice.
  EXPECT_THAT(CrowdingDistances({{0, 1, 1}, {2, 1, 1}, {1, 0, 1}, {1, 2, 1}, {1, 1, 0}, {1, 1, 2},
                                 {1, 1, 1}}),
              ElementsAre(kInfinity, kInfinity, kInfinity, kInfinity, kInfinity, kInfinity, 0.5 * 3));
}

TEST(CrowdingTest, OfEqualsTheFirstIsTakenToBeTheSmallest) {
  // By x: 0 (index 0), 0 (index 1), 4 (2), by y: 4 (0), 4 (1), 0 (2): 2, 0, 1 in order. So
  // 0 is an end in x, 1 is one in y, 2 is one in both.
  EXPECT_THAT(CrowdingDistances({{0, 4}, {0, 4}, {4, 0}}),
              ElementsAre(kInfinity, kInfinity, kInfinity));
  // Four equals at (0, 4): in x the first is the end, in y the last. Those between them
  // have equals for neighbours: 0 / 4 in both.
  EXPECT_THAT(CrowdingDistances({{0, 4}, {0, 4}, {0, 4}, {0, 4}, {4, 0}}),
              ElementsAre(kInfinity, 0.0, 0.0, kInfinity, kInfinity));
}

TEST(CrowdingTest, AnObjectiveInWhichAllAreEqualSaysNothing) {
  EXPECT_THAT(CrowdingDistances({{0, 7}, {1, 7}, {4, 7}}), ElementsAre(kInfinity, 1.0, kInfinity));
  EXPECT_THAT(CrowdingDistances({{3, 7}, {3, 7}, {3, 7}}), ElementsAre(0.0, 0.0, 0.0));
  EXPECT_THAT(CrowdingDistances({}), IsEmpty());
}

TEST(CrowdingTest, WhatSpansInfinityHasEndsAndNoRoomBetween) {
  EXPECT_THAT(CrowdingDistances({{0, 5}, {1, 4}, {2, 3}, {kInfinity, 0}}),
              ElementsAre(kInfinity, testing::DoubleEq(0.4), testing::DoubleEq(0.8), kInfinity));
}

TEST(CrowdingTest, OfDifferentValuesIsTheSameInAnyOrder) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    // A permutation for each objective: no value is there twice.
    const std::vector<int> x = RandomOrder(seed, 15), y = RandomOrder(1000 + seed, 15),
                           order = RandomOrder(2000 + seed, 15);
    std::vector<Objectives> points;
    for (int i = 0; i < 15; ++i) points.push_back({1.0 * x[i], 0.3 * y[i]});
    const std::vector<double> distances = CrowdingDistances(points);
    const std::vector<double> reordered = CrowdingDistances(InOrder(points, order));
    for (int i = 0; i < 15; ++i) EXPECT_EQ(reordered[i], distances[order[i]]) << "seed " << seed;
  }
}

// --- Hypervolume ------------------------------------------------------------------

TEST(HypervolumeTest, OfNobodyIsNothing) { EXPECT_EQ(Hypervolume({}, {1, 1, 1}), 0.0); }

TEST(HypervolumeTest, InOneDimensionIsTheDistanceOfTheLeast) {
  EXPECT_EQ(Hypervolume({{3}, {1}, {2}}, {5}), 4.0);
}

TEST(HypervolumeTest, TwoRectanglesByHand) {
  // (1, 5) has 5 · 1, (2, 2) has 4 · 4; 4 · 1 of it is in both: 5 + 16 - 4.
  EXPECT_EQ(Hypervolume({{1, 5}, {2, 2}}, {6, 6}), 17.0);
}

TEST(HypervolumeTest, ThreeBoxesByHand) {
  // From (0, 2, 2): 3 · 1 · 1 = 3; from (2, 0, 2): 3; from (2, 2, 0): 3. Any two, and all
  // three, share the cube from (2, 2, 2), which has 1: 3 + 3 + 3 - 1 - 1 - 1 + 1 = 7.
  EXPECT_EQ(Hypervolume({{0, 2, 2}, {2, 0, 2}, {2, 2, 0}}, {3, 3, 3}), 7.0);
}

TEST(HypervolumeTest, WhatIsDominatedAddsNothing) {
  EXPECT_EQ(Hypervolume({{1, 1, 1}, {2, 1, 1}, {1, 1, 1}, {2, 2, 2}}, {3, 3, 3}), 8.0);
}

TEST(HypervolumeTest, WhatIsNotBelowTheReferenceAddsNothing) {
  // Each is as good as can be but in one objective, in which it reaches the reference or
  // more.
  EXPECT_EQ(Hypervolume({{0, 0, 3}, {0, 4, 0}, {kInfinity, 0, 0}}, {3, 3, 3}), 0.0);
  EXPECT_EQ(Hypervolume({{0, 0, 3}, {2, 2, 2}}, {3, 3, 3}), 1.0);
}

// Whole numbers: the volume is the number of unit cells that some point dominates.
double CellsDominated(const std::vector<Objectives>& points, int side, size_t objectives) {
  int cells = 0, all = 1;
  for (size_t i = 0; i < objectives; ++i) all *= side;
  for (int cell = 0; cell < all; ++cell) {
    Objectives corner;
    for (int rest = cell; corner.size() < objectives; rest /= side) corner.push_back(rest % side);
    bool dominated = false;
    for (const Objectives& point : points) dominated = dominated || WeaklyDominates(point, corner);
    cells += dominated ? 1 : 0;
  }
  return cells;
}

TEST(HypervolumeTest, IsTheNumberOfCellsOnAGrid) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const int objectives = 1 + static_cast<int>(seed % 3), count = static_cast<int>(seed % 12);
    // Values up to 9 with the reference at 8: some points are beyond it.
    const std::vector<Objectives> points = RandomPoints(seed, count, objectives, 10);
    EXPECT_EQ(Hypervolume(points, Objectives(objectives, 8)),
              CellsDominated(points, 8, objectives))
        << "seed " << seed;
  }
}

// By inclusion and exclusion over all subsets, for values that are on no grid.
TEST(HypervolumeTest, IsWhatInclusionAndExclusionSay) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const RandomStream random(RandomDomain::kShuffle, {seed, 2});
    std::vector<Objectives> points(8, Objectives(3));
    uint64_t place = 0;
    for (Objectives& point : points) {
      for (double& value : point) value = random.Uniform(place++);
    }
    double expected = 0;
    for (int subset = 1; subset < 256; ++subset) {
      Objectives corner(3, 0.0);
      int members = 0;
      for (int i = 0; i < 8; ++i) {
        if ((subset >> i & 1) == 0) continue;
        ++members;
        for (int k = 0; k < 3; ++k) corner[k] = std::max(corner[k], points[i][k]);
      }
      const double shared = (1 - corner[0]) * (1 - corner[1]) * (1 - corner[2]);
      expected += members % 2 == 1 ? shared : -shared;
    }
    EXPECT_NEAR(Hypervolume(points, {1, 1, 1}), expected, 1e-12) << "seed " << seed;
  }
}

TEST(HypervolumeTest, IsTheSameToTheLastBitInAnyOrder) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    std::vector<Objectives> points = RandomPoints(seed, 15, 3, 7);  // With ties.
    for (Objectives& point : points) {
      for (double& value : point) value *= 0.1;
    }
    EXPECT_EQ(Hypervolume(points, {0.55, 0.55, 0.55}),
              Hypervolume(InOrder(points, RandomOrder(seed, 15)), {0.55, 0.55, 0.55}))
        << "seed " << seed;
  }
}

TEST(HypervolumeTest, GrowsWithEveryPointThatIsNotDominated) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    std::vector<Objectives> points = RandomPoints(seed, 12, 3, 6);
    const Objectives added = points.back();
    points.pop_back();
    const bool dominated = std::any_of(points.begin(), points.end(), [&](const auto& point) {
      return WeaklyDominates(point, added);
    });
    const double before = Hypervolume(points, {6, 6, 6});
    points.push_back(added);
    if (dominated) {
      EXPECT_EQ(Hypervolume(points, {6, 6, 6}), before) << "seed " << seed;
    } else {
      EXPECT_GT(Hypervolume(points, {6, 6, 6}), before) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace squish
