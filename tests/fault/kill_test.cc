// Real processes on loopback: whoever is killed on the way, and however many workers
// there are, an experiment ends with the same population.
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/file.h"
#include "common/base/ids.h"
#include "common/spec/experiment_spec.h"
#include "ctl/coordinator_client.h"
#include "ctl/local_cluster.h"
#include "ctl/report.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

// Small enough that a run takes seconds; the speed constraint makes selection depend
// on what the agent says.
constexpr char kSpec[] = R"(
name: "kill-test"
seed: 7
dataset {
  name: "shapes"
  input_size: 32
  built_in { seed: 3 train_images: 600 val_images: 100 }
}
ancestor { squeezenet_v1_1 { width: 0.15 } }
generations: 3
offspring: 4
parents: 2
environment { resource_factor: 0.9 constraints { min_ratio_to_ancestor: 1.1 } }
training {
  ancestor { epochs: 3 batch: 32 }
  offspring { epochs: 3 batch: 32 distillation { teacher: PARENT } }
}
retry { lost_runners: 1000 failures: 1000 }
)";

constexpr absl::Duration kRunLimit = absl::Minutes(4);

struct Outcome {
  std::string population_digest;
  std::vector<v1::Individual> individuals;
};

class KillTest : public testing::Test {
 protected:
  KillTest() : folder_(absl::StrCat(testing::TempDir(), "/kill_test.", RandomHex(4))) {}

  LocalClusterOptions Options(const std::string& name, int workers, const std::string& engine) {
    LocalClusterOptions options;
    options.programs = SQUISH_BIN_DIR;
    options.folder = JoinPath(folder_, name);
    options.population = JoinPath(options.folder, "population.db");
    options.workers = workers;
    options.engine = engine;
    options.coordinator_flags = {"--lease-seconds", "3"};
    return options;
  }

  // Runs the experiment to its end. `disturb` is called after each birth, training and
  // measurement that became durable; a coordinator that it killed and started is found again.
  Outcome Run(const LocalClusterOptions& options,
              const std::function<void(LocalCluster&)>& disturb = nullptr) {
    LocalCluster cluster(options);
    const absl::Status started = cluster.StartAll();
    EXPECT_TRUE(started.ok()) << started;
    if (!started.ok()) return {};
    CoordinatorClient client(cluster.address());
    const auto spec = ParseExperimentSpec(kSpec, "kill_test");
    EXPECT_TRUE(spec.ok()) << spec.status();
    const auto submitted = client.Submit(*spec);
    EXPECT_TRUE(submitted.ok()) << submitted.status();
    if (!submitted.ok()) return {};

    v1::Experiment latest = *submitted;
    std::set<std::string> seen;
    const absl::Time deadline = absl::Now() + kRunLimit;
    while (!HasEnded(latest) && absl::Now() < deadline) {
      grpc::ClientContext context;
      context.set_deadline(absl::ToChronoTime(deadline));
      // Ends when the experiment does, or when the coordinator is killed meanwhile. What
      // a new watch repeats is no news: only progress brings the next disturbance.
      (void)client.Watch(context, submitted->id(), [&](const v1::WatchEvent& event) {
        if (event.has_experiment()) latest = event.experiment();
        if (!disturb || !event.has_individual() || HasEnded(latest)) return;
        const v1::Individual& individual = event.individual();
        const bool news =
            seen.insert(absl::StrCat(individual.name().generation(), ":", individual.name().index(),
                                     " ", individual.weights_digest(), " ",
                                     individual.has_images_per_second()))
                .second;
        if (news) disturb(cluster);
      });
    }
    EXPECT_EQ(latest.state(), v1::Experiment::SUCCEEDED) << StateSentence(latest);
    const auto individuals = client.Individuals(submitted->id());
    EXPECT_TRUE(individuals.ok()) << individuals.status();
    if (!individuals.ok()) return {};
    return {latest.population_digest(), *individuals};
  }

  const std::string folder_;
};

// Takes the victims in turn; each is started again at once.
class Killer {
 public:
  void operator()(LocalCluster& cluster) {
    switch (turn_++ % 5) {
      case 0:
        Restart(cluster, "coordinator");
        break;
      case 1:
        KillChild(cluster, {"worker-1", "worker-2"}, "squish-trainer");
        break;
      case 2:
        Restart(cluster, turn_ % 2 == 0 ? "worker-1" : "worker-2");
        break;
      case 3:
        KillChild(cluster, {"agent"}, "jetson-agent");
        break;
      case 4:
        Restart(cluster, "agent");
        break;
    }
  }

  const std::map<std::string, int>& killed() const { return killed_; }

 private:
  void Restart(LocalCluster& cluster, const std::string& role) {
    if (!cluster.Running(role)) return;
    cluster.Kill(role);
    ++killed_[role];
    const absl::Status started = cluster.Start(role);
    ASSERT_TRUE(started.ok()) << started;
  }

  // The daemon replaces it by itself.
  void KillChild(LocalCluster& cluster, const std::vector<std::string>& roles,
                 const std::string& program) {
    for (const std::string& role : roles) {
      for (const ProcessInfo& child : cluster.ChildrenOf(role)) {
        if (!absl::StartsWith(program, child.name)) continue;
        KillProcess(child);
        ++killed_[absl::StrCat("child of ", role)];
      }
    }
  }

  int turn_ = 0;
  std::map<std::string, int> killed_;
};

TEST_F(KillTest, PopulationIsTheSameWhoeverDiesAndHoweverManyWork) {
  // Speeds to replay, from the simulated device.
  const Outcome simulated = Run(Options("simulated", 2, "simulated"));
  ASSERT_EQ(simulated.individuals.size(), 13u);
  const std::string speeds = JoinPath(folder_, "speeds.csv");
  ASSERT_TRUE(WriteFileDurably(speeds, SpeedsCsv(simulated.individuals)).ok());
  const std::string replay = absl::StrCat("replay:", speeds);

  const Outcome calm = Run(Options("calm", 2, replay));
  ASSERT_FALSE(calm.population_digest.empty());
  for (const v1::Individual& individual : calm.individuals) {
    EXPECT_EQ(individual.state(), v1::Individual::EVALUATED) << individual.ShortDebugString();
    EXPECT_TRUE(individual.has_ratio_to_ancestor()) << individual.ShortDebugString();
  }

  EXPECT_EQ(Run(Options("one-worker", 1, replay)).population_digest, calm.population_digest);
  EXPECT_EQ(Run(Options("three-workers", 3, replay)).population_digest, calm.population_digest);

  Killer killer;
  const Outcome disturbed =
      Run(Options("disturbed", 2, replay), [&](LocalCluster& cluster) { killer(cluster); });
  EXPECT_EQ(disturbed.population_digest, calm.population_digest);
  for (const char* victim : {"coordinator", "agent", "child of agent"}) {
    EXPECT_GE(killer.killed().count(victim) ? killer.killed().at(victim) : 0, 1) << victim;
  }
  int workers = 0, trainers = 0;
  for (const auto& [victim, count] : killer.killed()) {
    std::cout << "killed " << victim << " " << count << " times\n";
    if (absl::StartsWith(victim, "worker")) workers += count;
    if (absl::StartsWith(victim, "child of worker")) trainers += count;
  }
  EXPECT_GE(workers, 1);
  EXPECT_GE(trainers, 1);
}

}  // namespace
}  // namespace squish
