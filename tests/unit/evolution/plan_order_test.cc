// Invariant 3: whatever the order in which facts arrive, and however often plans are
// made in between, the same jobs are wanted and the same decisions fall.
#include <algorithm>
#include <map>

#include "common/base/random.h"
#include "gtest/gtest.h"
#include "tests/unit/evolution/evolution_fixture.h"

namespace squish {
namespace {

constexpr int kGenerations = 3;

// Everything that an evolution ordered and found.
struct History {
  std::map<std::string, std::string> jobs;  // Key → job, serialised.
  std::string individuals;
  std::string digest;
  std::string summary;
};

// Facts with everything in them that can happen.
IndividualFacts EventfulFacts(int generation, int index) {
  IndividualFacts facts = AllFacts(generation, index);
  if (generation == 1 && index == 0) facts.train = Diverged();
  if (generation == 1 && index == 3) facts.measure = Unsupported();
  if (generation == 2) facts.train = Diverged();
  return facts;
}

void ExpectMonotone(const History& before, const History& after) {
  for (const auto& [key, job] : before.jobs) {
    const auto found = after.jobs.find(key);
    ASSERT_NE(found, after.jobs.end()) << "a wanted job is no longer wanted";
    EXPECT_EQ(found->second, job) << "a wanted job has changed";
  }
}

std::map<std::string, std::string> ByKey(const std::vector<v1::Job>& jobs) {
  std::map<std::string, std::string> by_key;
  for (const v1::Job& job : jobs) {
    EXPECT_TRUE(by_key.emplace(job.key().SerializeAsString(), job.SerializeAsString()).second)
        << "wanted twice";
  }
  return by_key;
}

// Lets the facts of each generation arrive in an order drawn from `order`, each as soon
// as its job is wanted; plans after each one.
History Evolve(const v1::ExperimentSpec& spec, uint64_t order) {
  const RandomStream random(RandomDomain::kShuffle, {order});
  uint64_t place = 0;
  History history;
  std::vector<v1::Individual> individuals;
  v1::EvolutionSummary summary = Beginning();
  for (int g = 0; g <= kGenerations + 1; ++g) {
    OpenGeneration open = Open(spec, g, summary);
    std::vector<v1::JobKey> outstanding;
    History generation;
    Plan plan = MakePlan(spec, TestDataset(), summary, open);
    while (!plan.closing.has_value()) {
      History next;
      next.jobs = ByKey(plan.wanted);
      ExpectMonotone(generation, next);
      for (const v1::Job& job : plan.wanted) {
        if (!generation.jobs.contains(job.key().SerializeAsString())) {
          outstanding.push_back(job.key());
        }
      }
      generation = std::move(next);
      const auto arrived =
          outstanding.begin() + random.Below(place++, static_cast<uint32_t>(outstanding.size()));
      const IndividualFacts all = EventfulFacts(g, arrived->index());
      IndividualFacts& facts = open.individuals[arrived->index()];
      if (arrived->kind() == v1::JobKey::SYNTHESIZE) facts.synthesize = all.synthesize;
      if (arrived->kind() == v1::JobKey::TRAIN) facts.train = all.train;
      if (arrived->kind() == v1::JobKey::MEASURE) facts.measure = all.measure;
      if (arrived->kind() == v1::JobKey::EVALUATE) facts.evaluate = Evaluated(arrived->index());
      if (arrived->kind() == v1::JobKey::EXPORT) facts.export_files = Exported(arrived->index());
      outstanding.erase(arrived);
      plan = MakePlan(spec, TestDataset(), summary, open);
      EXPECT_EQ(plan.failed, "");
    }
    EXPECT_TRUE(outstanding.empty()) << "closed with jobs outstanding";
    history.jobs.merge(generation.jobs);
    summary = plan.closing->summary;
    EXPECT_EQ(plan.closing->finished, g == kGenerations + 1);
    for (const v1::Individual& individual : plan.closing->individuals) {
      individuals.push_back(individual);
      history.individuals += individual.SerializeAsString();
    }
  }
  history.digest = PopulationDigest(individuals);
  history.summary = summary.SerializeAsString();
  return history;
}

TEST(PlanOrderTest, ArrivalOrderChangesNothing) {
  v1::ExperimentSpec spec = TestSpec();
  spec.mutable_training()->mutable_final()->set_epochs(1);
  const History first = Evolve(spec, 0);
  v1::EvolutionSummary summary;
  ASSERT_TRUE(summary.ParseFromString(first.summary));
  EXPECT_EQ(first.jobs.size(), 3u * (1 + kGenerations * 4 + summary.champions_size()));
  for (uint64_t order = 1; order < 200; ++order) {
    const History other = Evolve(spec, order);
    ASSERT_EQ(other.jobs, first.jobs) << order;
    ASSERT_EQ(other.individuals, first.individuals) << order;
    ASSERT_EQ(other.digest, first.digest) << order;
    ASSERT_EQ(other.summary, first.summary) << order;
  }
}

// After a start the coordinator replays the facts of closed generations.
TEST(PlanOrderTest, ReplayOfAllFactsGivesTheSameSummary) {
  const v1::ExperimentSpec spec = TestSpec();
  v1::EvolutionSummary replayed = Beginning();
  for (int g = 0; g <= kGenerations; ++g) {
    OpenGeneration open = Open(spec, g);
    for (int i = 0; i < static_cast<int>(open.individuals.size()); ++i) {
      open.individuals[i] = EventfulFacts(g, i);
    }
    replayed = MakePlan(spec, TestDataset(), replayed, open).closing.value().summary;
  }
  EXPECT_EQ(replayed.SerializeAsString(), Evolve(spec, 5).summary);
}

}  // namespace
}  // namespace squish
