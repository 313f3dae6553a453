#include "tests/fault/chaos/fault_plan.h"

#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

// The next so many faults of a phase, each of which strikes.
std::vector<int> Faults(FaultPlan& plan, Phase phase, size_t count) {
  std::vector<int> faults;
  while (faults.size() < count) faults.push_back(plan.Take(phase).fault);
  return faults;
}

TEST(FaultPlanTest, EachDeckOfAPhaseHoldsEveryFaultOnce) {
  FaultPlan plan(7);
  for (int deck = 0; deck < 3; ++deck) {
    const std::vector<int> faults = Faults(plan, Phase::kExport, AllFaults().size());
    EXPECT_EQ(std::set<int>(faults.begin(), faults.end()).size(), AllFaults().size())
        << "deck " << deck;
  }
}

TEST(FaultPlanTest, OneSeedGivesOnePlanWhateverOtherPhasesDo) {
  FaultPlan one(7), other(7), stranger(8);
  Faults(other, Phase::kSpool, 40);
  const std::vector<int> faults = Faults(one, Phase::kTrain, 60);
  EXPECT_EQ(Faults(other, Phase::kTrain, 60), faults);
  EXPECT_NE(Faults(stranger, Phase::kTrain, 60), faults);
}

TEST(FaultPlanTest, AStrikeThatIsPutBackComesAgainAndIsNotLost) {
  FaultPlan plan(3);
  const Strike missed = plan.Take(Phase::kUpload);
  plan.PutBack(Phase::kUpload, missed);
  std::vector<int> faults = Faults(plan, Phase::kUpload, AllFaults().size());
  EXPECT_NE(faults[0], missed.fault);
  EXPECT_EQ(faults[4], missed.fault);
  EXPECT_EQ(std::set<int>(faults.begin(), faults.end()).size(), AllFaults().size());
}

TEST(FaultPlanTest, TheLastOfADeckComesAgainBeforeTheNextDeck) {
  FaultPlan plan(3);
  Faults(plan, Phase::kUpload, AllFaults().size() - 1);
  const Strike last = plan.Take(Phase::kUpload);
  plan.PutBack(Phase::kUpload, last);
  EXPECT_EQ(plan.Take(Phase::kUpload).fault, last.fault);
}

TEST(FaultPlanTest, SomeStrikesOutlastALeaseAndMostDoNot) {
  FaultPlan plan(5);
  int all = 0, longer = 0;
  for (; all < 1000; ++all) {
    const absl::Duration lasting = plan.Take(Phase::kTrain).lasting;
    EXPECT_GT(lasting, absl::ZeroDuration());
    longer += lasting > absl::Seconds(1) ? 1 : 0;
  }
  EXPECT_GT(longer, all / 50);
  EXPECT_LT(longer, all / 4);
}

TEST(HistogramTest, TellsCellsSumsAndWhatIsEmpty) {
  Histogram histogram;
  EXPECT_EQ(histogram.EmptyCells().size(), AllFaults().size() * kPhases);
  histogram.Count(2, Phase::kTrain);
  histogram.Count(2, Phase::kTrain);
  histogram.Count(2, Phase::kSpool);
  histogram.Count(3, Phase::kTrain);
  EXPECT_EQ(histogram.At(2, Phase::kTrain), 2);
  EXPECT_EQ(histogram.Of(2), 3);
  EXPECT_EQ(histogram.In(Phase::kTrain), 3);
  EXPECT_EQ(histogram.total(), 4);
  EXPECT_EQ(histogram.EmptyCells().size(), AllFaults().size() * kPhases - 3);
  EXPECT_THAT(histogram.Table(), testing::HasSubstr(FaultName(AllFaults()[2])));
}

TEST(OwedTest, NamesTheKindsAndPhasesThatARunMustHave) {
  Histogram histogram;
  const int kinds = static_cast<int>(AllFaults().size());
  for (int i = 0; i < kEveryKind; ++i) {
    histogram.Count(1 + i % (kinds - 1), static_cast<Phase>(i % (kPhases - 1)));
  }
  EXPECT_THAT(Owed(histogram, kEveryKind - 1), testing::IsEmpty());
  EXPECT_THAT(Owed(histogram, kEveryKind),
              testing::ElementsAre(testing::HasSubstr(FaultName(AllFaults()[0])),
                                   testing::HasSubstr(PhaseName(Phase::kSpool))));
  EXPECT_THAT(Owed(histogram, kEveryKind + 1), testing::Contains(testing::HasSubstr("only 100")));
  histogram.Count(0, Phase::kSpool);
  EXPECT_THAT(Owed(histogram, kEveryKind), testing::IsEmpty());
}

TEST(OwedTest, ALongRunMustHaveEveryCell) {
  Histogram histogram;
  for (int i = 0; i < kEveryCell; ++i) {
    histogram.Count(i % static_cast<int>(AllFaults().size()), static_cast<Phase>(i % kPhases));
  }
  EXPECT_THAT(histogram.EmptyCells(), testing::IsEmpty());
  EXPECT_THAT(Owed(histogram, kEveryCell), testing::IsEmpty());
  Histogram narrow;
  for (int i = 0; i < kEveryCell; ++i) narrow.Count(0, Phase::kTrain);
  EXPECT_EQ(Owed(narrow, kEveryCell).size(),
            (AllFaults().size() - 1) + (kPhases - 1) + narrow.EmptyCells().size());
}

TEST(HistogramTest, NoTwoFaultsHaveOneName) {
  std::set<std::string> names;
  for (const Fault& fault : AllFaults()) names.insert(FaultName(fault));
  EXPECT_EQ(names.size(), AllFaults().size());
}

}  // namespace
}  // namespace squish
