// Real processes on loopback: whoever is killed on the way, and however many workers
// there are, an experiment ends with the same population.
#include <signal.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/artifacts/blob_store.h"
#include "common/base/await.h"
#include "common/base/file.h"
#include "common/spec/experiment_spec.h"
#include "common/weights/checkpoint.h"
#include "coordinator/fsck/fsck.h"
#include "coordinator/population/population.h"
#include "ctl/coordinator_client.h"
#include "ctl/local_cluster.h"
#include "ctl/report.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fault/chaos/champions.h"
#include "tests/fault/in_flight.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"

namespace squish {
namespace {

// Small enough that a run takes seconds; the speed constraint makes selection depend
// on what the agent says. The ancestor trains long enough to be caught at it.
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
  ancestor { epochs: 8 batch: 32 }
  offspring { epochs: 3 batch: 32 distillation { teacher: PARENT } }
  final { epochs: 3 batch: 32 distillation { teacher: ANCESTOR } }
}
report_megabytes: [0.06]
retry { lost_runners: 1000 failures: 1000 }
)";

// Little beside an ancestor that trains for long, in steps that are soon done.
constexpr char kLongTrainingSpec[] = R"(
name: "resume-test"
seed: 7
dataset {
  name: "shapes"
  input_size: 32
  built_in { seed: 3 train_images: 300 val_images: 100 }
}
ancestor { squeezenet_v1_1 { width: 0.15 } }
generations: 1
offspring: 1
parents: 1
environment { resource_factor: 0.9 }
measurement { fitness: ESTIMATED }
training {
  ancestor { epochs: 25 batch: 32 }
  offspring { epochs: 1 batch: 32 }
  final { epochs: 1 batch: 32 }
}
retry { lost_runners: 1000 failures: 1000 }
)";

constexpr int kLastGeneration = 3;

constexpr absl::Duration kRunLimit = absl::Minutes(4);
// For work and answers that are certain to come.
constexpr absl::Duration kCatchLimit = absl::Minutes(1);

struct Outcome {
  std::string population_digest;
  int64_t images_wasted = 0;
  std::vector<v1::Individual> individuals;
  // Of each champion who it is, its weights, its predictions on `val/` and its files.
  std::string champions;
};

// The answer of a coordinator that may just have been killed and started: the connection
// to it may not be there again yet.
template <typename Call>
auto AskUntilAnswered(Call call) {
  auto answer = call();
  AwaitCondition(kCatchLimit, [&] {
    if (absl::IsUnavailable(answer.status())) answer = call();
    return !absl::IsUnavailable(answer.status());
  });
  return answer;
}

// What there is to strike at.
struct Scene {
  LocalCluster& cluster;
  CoordinatorClient& client;
  const std::string experiment;
};

class KillTest : public testing::Test {
 protected:
  LocalClusterOptions Options(const std::string& name, int workers, const std::string& engine) {
    LocalClusterOptions options;
    options.programs = ProgramFolder();
    options.folder = JoinPath(folder_, name);
    options.population = JoinPath(options.folder, "population.db");
    options.workers = workers;
    options.engine = engine;
    options.coordinator_flags = {"--lease-seconds", "3", "--set-aside-after", "0"};
    return options;
  }

  // Runs the experiment to its end. `disturb` is called after each birth, training,
  // measurement and step of a champion that became durable; a coordinator that it killed and
  // started is found again.
  Outcome Run(const LocalClusterOptions& options,
              const std::function<void(const Scene&)>& disturb = nullptr,
              const char* text = kSpec) {
    LocalCluster cluster(options);
    const absl::Status started = cluster.StartAll();
    EXPECT_TRUE(started.ok()) << started;
    if (!started.ok()) return {};
    CoordinatorClient client(cluster.address());
    const auto spec = ParseExperimentSpec(text, "kill_test");
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
        if (!disturb || event.has_experiment() || HasEnded(latest)) return;
        if (seen.insert(WhatIsDone(event)).second) disturb({cluster, client, submitted->id()});
      });
    }
    EXPECT_EQ(latest.state(), v1::Experiment::SUCCEEDED) << StateSentence(latest);
    // What is said of the end may have been read after the one who said it was killed.
    const auto individuals =
        AskUntilAnswered([&] { return client.Individuals(submitted->id()); });
    EXPECT_TRUE(individuals.ok()) << individuals.status();
    if (!individuals.ok()) return {};
    const auto champions = AskUntilAnswered([&] { return client.Champions(submitted->id()); });
    EXPECT_TRUE(champions.ok()) << champions.status();
    if (!champions.ok()) return {};
    return {latest.population_digest(), latest.images_wasted(), *individuals,
            DescribeChampions(*champions)};
  }

  static std::string WhatIsDone(const v1::WatchEvent& event) {
    if (event.has_champion()) {
      const v1::Champion& champion = event.champion();
      return absl::StrCat("champion ", champion.index(), " ", champion.weights_digest(), " ",
                          champion.has_evaluation(), " ", champion.files_size());
    }
    const v1::Individual& individual = event.individual();
    return absl::StrCat(individual.name().generation(), ":", individual.name().index(), " ",
                        individual.weights_digest(), " ", individual.has_images_per_second());
  }

  const std::string folder_ = TemporaryFolder();
};

// How far, as the coordinator has heard, the furthest of what is trained is.
double ToldFraction(CoordinatorClient& client) {
  double fraction = 0;
  const auto runners = client.Runners();
  if (!runners.ok()) return 0;
  for (const auto& runner : runners->runners()) {
    for (const auto& work : runner.work()) fraction = std::max(fraction, work.fraction());
  }
  return fraction;
}

// A child in the midst of a job; it is stopped.
struct Caught {
  std::string role;  // Of its daemon.
  ProcessInfo child;
};

bool IsProgram(const ProcessInfo& process, const std::string& program) {
  return !process.name.empty() && absl::StartsWith(program, process.name);
}

// A trainer that was seen to say `lines` lines. Its first may be that it is ready, the next
// that a probe is made, the third that a training starts, the fourth that an epoch of it is done.
std::optional<Caught> CatchTraining(LocalCluster& cluster, int lines) {
  struct Seen {
    int64_t bytes = 0;
    int lines = 0;
  };
  std::map<pid_t, Seen> trainers;
  std::optional<Caught> caught;
  AwaitCondition(kCatchLimit, [&] {
    for (const char* role : {"worker-1", "worker-2"}) {
      for (const ProcessInfo& child : cluster.ChildrenOf(role)) {
        if (!IsProgram(child, "squish-trainer")) continue;
        const int64_t bytes = BytesWritten(child.pid);
        const auto entry = trainers.try_emplace(child.pid, Seen{bytes, 0}).first;
        if (entry->second.bytes == bytes) continue;
        entry->second.bytes = bytes;
        if (++entry->second.lines < lines) continue;
        ::kill(child.pid, SIGSTOP);
        caught = Caught{role, child};
        return true;
      }
    }
    return false;
  });
  EXPECT_TRUE(caught.has_value()) << "no training was seen";
  return caught;
}

// First a worker and a trainer in the midst of the ancestor's training, whose planned
// images are then wasted; after that the victims in turn. Each is started again at once.
class Killer {
 public:
  void operator()(const Scene& scene) {
    if (!std::exchange(struck_ancestor_, true)) {
      KillWorkerThatHasReported(scene);
      KillTrainerAtWork(scene.cluster);
      return;
    }
    switch (turn_++ % 5) {
      case 0:
        Restart(scene.cluster, "coordinator");
        break;
      case 1:
        KillChildren(scene.cluster, {"worker-1", "worker-2"}, "squish-trainer");
        break;
      case 2:
        Restart(scene.cluster, turn_ % 2 == 0 ? "worker-1" : "worker-2");
        break;
      case 3:
        if (WillMeasureMore(scene)) {
          KillEngineAtWork(scene.cluster);
        } else {
          KillChildren(scene.cluster, {"agent"}, "jetson-agent");
        }
        break;
      case 4:
        if (WillMeasureMore(scene)) {
          KillAgentAtWork(scene.cluster);
        } else {
          Restart(scene.cluster, "agent");
        }
        break;
    }
  }

  const std::map<std::string, int>& killed() const { return killed_; }

 private:
  // While a further generation is certain to come there will be something to catch.
  static bool WillMeasureMore(const Scene& scene) {
    const auto experiment =
        AskUntilAnswered([&] { return scene.client.Get(scene.experiment); });
    EXPECT_TRUE(experiment.ok()) << experiment.status();
    return experiment.ok() && !HasEnded(*experiment) &&
           experiment->generation() < kLastGeneration;
  }

  // The agent's engine, asked for something that it does not come to answer.
  static std::optional<Caught> CatchMeasurement(LocalCluster& cluster) {
    constexpr int kPatience = 20;  // Looks.
    std::optional<ProcessInfo> engine;
    int looks = 0;
    const bool caught = AwaitCondition(kCatchLimit, [&] {
      if (engine.has_value() && HasUnreadInput(engine->pid)) return true;
      // It may have been stopped between a question and its answer: then no other comes
      // before it has gone on.
      if (engine.has_value() && ++looks < kPatience && IsAlive(*engine)) return false;
      if (engine.has_value()) {
        ::kill(engine->pid, SIGCONT);
        engine.reset();
        return false;
      }
      for (const ProcessInfo& child : cluster.ChildrenOf("agent")) {
        // Before it has said that it is ready the agent does not ask for work.
        if (!IsProgram(child, "jetson-agent") || BytesWritten(child.pid) == 0) continue;
        ::kill(child.pid, SIGSTOP);
        engine = child;
        looks = 0;
      }
      return false;
    });
    EXPECT_TRUE(caught) << "no measurement was seen";
    if (caught) return Caught{"agent", *engine};
    if (engine.has_value()) ::kill(engine->pid, SIGCONT);
    return std::nullopt;
  }

  // The coordinator has heard of the training's first steps: they are wasted. What was caught
  // may just have ended, so that no more is told of it: then it is the next.
  void KillWorkerThatHasReported(const Scene& scene) {
    for (int tries = 0; tries < 10; ++tries) {
      const std::optional<Caught> caught = CatchTraining(scene.cluster, 4);
      if (!caught.has_value()) return;
      if (AwaitCondition(absl::Seconds(10), [&] { return ToldFraction(scene.client) > 0; })) {
        KillDaemonOf(scene.cluster, *caught);
        return;
      }
      ::kill(caught->child.pid, SIGCONT);
    }
    ADD_FAILURE() << "the coordinator has not heard of any training";
  }

  void KillTrainerAtWork(LocalCluster& cluster) {
    // Without a job a trainer says no more than that it is ready.
    if (const auto caught = CatchTraining(cluster, 2); caught.has_value()) KillChild(*caught);
  }

  void KillEngineAtWork(LocalCluster& cluster) {
    if (const auto caught = CatchMeasurement(cluster); caught.has_value()) KillChild(*caught);
  }

  void KillAgentAtWork(LocalCluster& cluster) {
    if (const auto caught = CatchMeasurement(cluster); caught.has_value()) {
      KillDaemonOf(cluster, *caught);
    }
  }

  // The daemon is held in the child's place: the job stays under way, and the child can
  // notice that its daemon dies.
  void KillDaemonOf(LocalCluster& cluster, const Caught& caught) {
    ::kill(cluster.Pid(caught.role), SIGSTOP);
    ::kill(caught.child.pid, SIGCONT);
    Restart(cluster, caught.role);
  }

  void Restart(LocalCluster& cluster, const std::string& role) {
    if (!cluster.Running(role)) return;
    int survivors = -1;
    cluster.Kill(role, &survivors);
    EXPECT_EQ(survivors, 0) << "children of the " << role << " that did not notice its end";
    ++killed_[role];
    const absl::Status started = cluster.Start(role);
    ASSERT_TRUE(started.ok()) << started;
  }

  // The daemon replaces it by itself.
  void KillChild(const Caught& victim) {
    KillProcess(victim.child);
    ++killed_[absl::StrCat("child of ", victim.role)];
  }

  void KillChildren(LocalCluster& cluster, const std::vector<std::string>& roles,
                    const std::string& program) {
    for (const std::string& role : roles) {
      for (const ProcessInfo& child : cluster.ChildrenOf(role)) {
        if (IsProgram(child, program)) KillChild({role, child});
      }
    }
  }

  bool struck_ancestor_ = false;
  int turn_ = 0;
  std::map<std::string, int> killed_;
};

// How many attempts at jobs of each kind ended how; every job must have been done in the
// end. Nobody may have the population open.
using Attempts = std::map<std::pair<v1::JobKey::Kind, AttemptState>, int>;

Attempts CountAttempts(const std::string& population_path) {
  const auto population = Population::Open(population_path);
  EXPECT_TRUE(population.ok()) << population.status();
  if (!population.ok()) return {};
  const auto report = CheckPopulation(**population);
  EXPECT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report.value_or(FsckReport{}).problems, testing::IsEmpty());
  const auto experiments = (*population)->ListExperiments();
  EXPECT_TRUE(experiments.ok() && experiments->size() == 1u) << experiments.status();
  if (!experiments.ok() || experiments->size() != 1u) return {};
  const auto jobs = (*population)->Jobs(experiments->front().row, 0);
  const auto attempts = (*population)->Attempts(experiments->front().row, 0);
  EXPECT_TRUE(jobs.ok() && attempts.ok()) << jobs.status() << attempts.status();
  if (!jobs.ok() || !attempts.ok()) return {};
  std::map<int64_t, v1::JobKey::Kind> kinds;
  for (const BoardJob& job : *jobs) {
    EXPECT_EQ(job.state, JobState::kDone) << job.key.ShortDebugString();
    kinds[job.id] = job.key.kind();
  }
  Attempts counts;
  for (const StoredAttempt& stored : *attempts) {
    ++counts[{kinds.at(stored.attempt.job), stored.attempt.state}];
  }
  return counts;
}

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

  EXPECT_THAT(calm.champions, testing::HasSubstr("model.onnx"));
  EXPECT_THAT(calm.champions, testing::Not(testing::HasSubstr("FINISHING")));
  for (const int workers : {1, 3}) {
    const Outcome other = Run(Options(absl::StrCat(workers, "-workers"), workers, replay));
    EXPECT_EQ(other.population_digest, calm.population_digest) << workers << " workers";
    EXPECT_EQ(other.champions, calm.champions) << workers << " workers";
  }

  Killer killer;
  const Outcome disturbed =
      Run(Options("disturbed", 2, replay), [&](const Scene& scene) { killer(scene); });
  EXPECT_EQ(disturbed.population_digest, calm.population_digest);
  EXPECT_EQ(disturbed.champions, calm.champions);
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

  // They were struck at work, and what they had begun was done again by somebody.
  Attempts attempts = CountAttempts(Options("disturbed", 2, replay).population);
  for (const auto& [what, count] : attempts) {
    std::cout << v1::JobKey::Kind_Name(what.first) << " " << AttemptStateName(what.second) << " "
              << count << " times\n";
  }
  std::cout << disturbed.images_wasted << " images wasted\n";
  EXPECT_GT(disturbed.images_wasted, 0);
  for (const v1::JobKey::Kind kind : {v1::JobKey::TRAIN, v1::JobKey::MEASURE}) {
    const std::string name = v1::JobKey::Kind_Name(kind);
    EXPECT_GE((attempts[{kind, AttemptState::kLost}]), 1) << name << ": with its daemon";
    EXPECT_GE((attempts[{kind, AttemptState::kFailed}]), 1) << name << ": with the child";
    EXPECT_GE((attempts[{kind, AttemptState::kDelivered}]), 13) << name;
  }
}

// --- Checkpoints -------------------------------------------------------------------

// Strikes a worker once, in the midst of the ancestor's training, and starts it again.
class Striker {
 public:
  struct How {
    std::string name;
    std::string checkpoint_seconds;  // Of the worker.
    bool kill = true;                // SIGKILL, else SIGTERM.
    bool has_checkpoint = true;      // Then there is one from before it is struck.
    bool is_resumed = true;          // Afterwards.
  };
  Striker(const How& how, std::string artifacts) : how_(how), artifacts_(std::move(artifacts)) {}

  void operator()(const Scene& scene) {
    if (std::exchange(struck_, true)) return;
    if (how_.has_checkpoint) {
      EXPECT_TRUE(AwaitCondition(kCatchLimit, [&] { return ACheckpointWasReplaced(); }))
          << "no checkpoint was seen";
    }
    const std::optional<Caught> caught = CatchTraining(scene.cluster, 6);
    if (!caught.has_value()) return;
    if (!how_.has_checkpoint) {  // Then there is something to be wasted.
      EXPECT_TRUE(AwaitCondition(kCatchLimit, [&] { return ToldFraction(scene.client) > 0; }));
    }
    if (how_.kill) ::kill(scene.cluster.Pid(caught->role), SIGSTOP);
    ::kill(caught->child.pid, SIGCONT);
    if (how_.kill) {
      scene.cluster.Kill(caught->role);
    } else {
      EXPECT_EQ(scene.cluster.Stop(caught->role), "exit status 0");
    }
    const absl::Status started = scene.cluster.Start(caught->role);
    EXPECT_TRUE(started.ok()) << started;
    struck_in_time_ = true;
    if (!how_.is_resumed) return;
    EXPECT_TRUE(AwaitCondition(kCatchLimit, [&] {
      return ShownMetric(scene.cluster.metrics_address(), "squish_runner_resumed_trainings") > 0;
    })) << "nobody went on from the checkpoint";
  }

  bool struck_in_time() const { return struck_in_time_; }

 private:
  // The coordinator removes one when it has recorded the next: then it has one.
  bool ACheckpointWasReplaced() {
    const auto store = BlobStore::Open(artifacts_);
    if (!store.ok()) return false;
    std::set<std::string> here;
    for (const std::string& digest : (*store)->List().value_or(std::vector<std::string>{})) {
      if (BeginsAsCheckpoint(ReadFile((*store)->PathOf(digest)).value_or(""))) here.insert(digest);
    }
    const bool replaced = std::any_of(seen_.begin(), seen_.end(), [&](const std::string& digest) {
      return here.count(digest) == 0;
    });
    seen_.insert(here.begin(), here.end());
    return replaced;
  }

  const How how_;
  const std::string artifacts_;
  bool struck_ = false;
  bool struck_in_time_ = false;
  std::set<std::string> seen_;
};

TEST_F(KillTest, ATrainingThatIsInterruptedIsGoneOnWithAndWastesLess) {
  const auto options = [this](const std::string& name, const std::string& checkpoint_seconds) {
    LocalClusterOptions options = Options(name, 1, /*engine=*/"");
    options.worker_flags = {"--checkpoint-seconds", checkpoint_seconds};
    return options;
  };
  const Outcome calm = Run(options("undisturbed", "0"), nullptr, kLongTrainingSpec);
  ASSERT_FALSE(calm.population_digest.empty());
  EXPECT_EQ(calm.images_wasted, 0);

  std::map<std::string, int64_t> wasted;
  for (const Striker::How& how : {
           Striker::How{.name = "without",
                        .checkpoint_seconds = "0",
                        .has_checkpoint = false,
                        .is_resumed = false},
           Striker::How{.name = "killed", .checkpoint_seconds = "0.001"},
           // None but the one that it is asked for.
           Striker::How{.name = "stopped",
                        .checkpoint_seconds = "3600",
                        .kill = false,
                        .has_checkpoint = false},
       }) {
    SCOPED_TRACE(how.name);
    const LocalClusterOptions struck = options(how.name, how.checkpoint_seconds);
    Striker striker(how, struck.population + ".artifacts");
    const Outcome outcome =
        Run(struck, [&](const Scene& scene) { striker(scene); }, kLongTrainingSpec);
    EXPECT_TRUE(striker.struck_in_time());
    EXPECT_EQ(outcome.population_digest, calm.population_digest);
    EXPECT_EQ(outcome.champions, calm.champions);
    Attempts attempts = CountAttempts(struck.population);
    EXPECT_GE((attempts[{v1::JobKey::TRAIN, AttemptState::kLost}]), 1);
    wasted[how.name] = outcome.images_wasted;
    std::cout << how.name << ": " << outcome.images_wasted << " images wasted\n";
  }
  EXPECT_GT(wasted["without"], 0);
  EXPECT_LT(wasted["killed"], wasted["without"]);
  EXPECT_LT(wasted["stopped"], wasted["without"]);
}

}  // namespace
}  // namespace squish
