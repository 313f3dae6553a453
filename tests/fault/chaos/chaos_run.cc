#include "tests/fault/chaos/chaos_run.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/await.h"
#include "common/base/clock.h"
#include "common/base/status_macros.h"
#include "common/spec/experiment_spec.h"
#include "ctl/report.h"

namespace squish {
namespace {

// Small: what takes time is the faults. The speed limit makes selection depend on what the
// agent says. Retries are above any number of faults.
constexpr char kSpec[] = R"(
name: "chaos"
seed: 7
dataset {
  name: "shapes"
  input_size: 32
  built_in { seed: 3 train_images: 300 val_images: 100 }
}
ancestor { squeezenet_v1_1 { width: 0.15 } }
generations: 2
offspring: 4
parents: 2
environment { resource_factor: 0.85 constraints { min_ratio_to_ancestor: 1.05 } }
training {
  ancestor { epochs: 2 batch: 32 }
  offspring { epochs: 1 batch: 32 distillation { teacher: PARENT } }
  final { epochs: 1 batch: 32 distillation { teacher: ANCESTOR } }
}
report_megabytes: [0.06]
retry { lost_runners: 1000000 failures: 1000000 invalid_measurements: 1000000 }
)";

// Experiments at a time: while one waits for a straggler another has work.
constexpr int kAtATime = 2;
constexpr int kMostUnderWay = 3;  // Faults that go on for a while.

// No phase gets so many strikes more than the one with the fewest.
constexpr int kMostAhead = 12;

constexpr absl::Duration kCatchLimit = absl::Milliseconds(300);
constexpr absl::Duration kUploadLimit = absl::Milliseconds(150);
constexpr absl::Duration kLookAtExperiments = absl::Milliseconds(100);
constexpr absl::Duration kTell = absl::Seconds(15);
constexpr absl::Duration kStall = absl::Seconds(90);   // Without a fault that struck.
constexpr absl::Duration kEndLimit = absl::Minutes(4);  // Of what was begun, when all is whole.

absl::Duration Now() { return Clock::System().Steady(); }

std::optional<Phase> PhaseOf(v1::JobKey::Kind kind) {
  switch (kind) {
    case v1::JobKey::SYNTHESIZE:
      return Phase::kSynthesize;
    case v1::JobKey::TRAIN:
      return Phase::kTrain;
    case v1::JobKey::MEASURE:
      return Phase::kMeasure;
    case v1::JobKey::EVALUATE:
      return Phase::kEvaluate;
    case v1::JobKey::EXPORT:
      return Phase::kExport;
    default:
      return std::nullopt;
  }
}

// A role and what it holds a lease for.
struct AtWork {
  std::string role;
  Phase phase;
};

class ChaosRun {
 public:
  ChaosRun(Scene* scene, v1::ExperimentSpec spec, int faults, uint64_t seed)
      : scene_(*scene), spec_(std::move(spec)), faults_(faults), plan_(seed) {}

  ChaosReport Run();

 private:
  void TendAll();
  void LookAtExperiments();
  std::optional<std::vector<AtWork>> WhoIsAtWork();
  void StrikeOnce();
  std::vector<Phase> Candidates(const std::vector<AtWork>& at_work) const;
  bool StrikeLease(Phase phase, const std::vector<AtWork>& at_work);
  bool StrikeUpload();
  bool StrikeSpool();
  void StrikeNow(Phase phase, const std::string& holder);
  void AwaitEnd();
  void Tell();

  Scene& scene_;
  const v1::ExperimentSpec spec_;
  const int faults_;
  FaultPlan plan_;
  ChaosReport report_;
  std::set<std::string> live_;  // Ids of experiments.
  bool submitting_ = true;
  absl::Duration last_struck_ = Now();
  absl::Duration looked_ = absl::ZeroDuration();
  absl::Duration told_ = Now();
};

ChaosReport ChaosRun::Run() {
  const absl::Duration start = Now();
  bool stalled = false;
  while (!stalled && report_.histogram.total() < faults_) {
    TendAll();
    StrikeOnce();
    stalled = Now() - last_struck_ > kStall;
  }
  if (stalled) {
    report_.problems.push_back(
        absl::StrCat("no fault has struck for ", absl::FormatDuration(kStall)));
  }
  submitting_ = false;
  scene_.EndFaults();
  AwaitEnd();
  report_.took = Now() - start;
  report_.ended_by_disk = scene_.ended_by_disk();
  report_.problems.insert(report_.problems.end(), scene_.problems().begin(),
                          scene_.problems().end());
  return std::move(report_);
}

void ChaosRun::TendAll() {
  scene_.Tend();
  LookAtExperiments();
  if (Now() - told_ > kTell) Tell();
}

void ChaosRun::Tell() {
  told_ = Now();
  std::cerr << report_.histogram.total() << " of " << faults_ << " faults, " << report_.experiments
            << " experiments, " << scene_.problems().size() + report_.problems.size()
            << " problems" << std::endl;
}

void ChaosRun::LookAtExperiments() {
  if (Now() - looked_ < kLookAtExperiments || !scene_.CoordinatorAnswers()) return;
  looked_ = Now();
  for (auto next = live_.begin(); next != live_.end();) {
    const auto experiment = scene_.client().Get(*next);
    if (absl::IsNotFound(experiment.status())) {
      report_.problems.push_back(absl::StrCat("the coordinator has forgotten ", *next));
    } else if (!experiment.ok() || !HasEnded(*experiment)) {
      ++next;
      continue;
    }
    next = live_.erase(next);
  }
  if (!submitting_ || live_.size() >= kAtATime) return;
  const auto submitted = scene_.client().Submit(spec_);
  if (submitted.ok()) {
    live_.insert(submitted->id());
    ++report_.experiments;
  } else if (!absl::IsUnavailable(submitted.status())) {
    report_.problems.push_back(
        absl::StrCat("an experiment was refused: ", submitted.status().ToString()));
    submitting_ = false;
  }
}

std::optional<std::vector<AtWork>> ChaosRun::WhoIsAtWork() {
  if (!scene_.CoordinatorAnswers()) return std::nullopt;
  const auto runners = scene_.client().Runners();
  if (!runners.ok()) return std::nullopt;
  std::map<std::string, std::string> roles;  // By id.
  for (const std::string& role : scene_.Runners()) roles[scene_.RunnerId(role)] = role;
  std::vector<AtWork> at_work;
  for (const v1::RunnerStatus& runner : runners->runners()) {
    const auto role = roles.find(runner.info().id());
    if (role == roles.end()) continue;
    for (const v1::WorkInHand& work : runner.work()) {
      const std::optional<Phase> phase = PhaseOf(work.key().kind());
      if (phase.has_value()) at_work.push_back({role->second, *phase});
    }
  }
  return at_work;
}

// Those in which something can strike now, the one with the fewest strikes first.
std::vector<Phase> ChaosRun::Candidates(const std::vector<AtWork>& at_work) const {
  const Histogram& histogram = report_.histogram;
  int fewest = faults_;
  for (int phase = 0; phase < kPhases; ++phase) {
    fewest = std::min(fewest, histogram.In(static_cast<Phase>(phase)));
  }
  std::set<Phase> possible;
  for (const AtWork& one : at_work) possible.insert({one.phase, Phase::kSpool, Phase::kUpload});
  std::vector<Phase> candidates;
  for (const Phase phase : possible) {
    if (histogram.In(phase) <= fewest + kMostAhead) candidates.push_back(phase);
  }
  std::stable_sort(candidates.begin(), candidates.end(), [&](Phase a, Phase b) {
    return histogram.In(a) < histogram.In(b);
  });
  return candidates;
}

void ChaosRun::StrikeOnce() {
  std::vector<AtWork> at_work;
  // Nothing announces that somebody begins to work.
  AwaitCondition(kCatchLimit, [&] {
    TendAll();
    if (scene_.FaultsUnderWay() >= kMostUnderWay) return false;
    auto found = WhoIsAtWork();
    if (!found.has_value()) return false;
    at_work = *std::move(found);
    return !Candidates(at_work).empty();
  });
  for (const Phase phase : Candidates(at_work)) {
    const bool caught = phase == Phase::kUpload  ? StrikeUpload()
                        : phase == Phase::kSpool ? StrikeSpool()
                                                 : StrikeLease(phase, at_work);
    if (caught) return;
  }
}

bool ChaosRun::StrikeLease(Phase phase, const std::vector<AtWork>& at_work) {
  for (const AtWork& one : at_work) {
    if (one.phase != phase || !scene_.IsUp(one.role) || !scene_.Hold(one.role)) continue;
    // It cannot end its work now; has it?
    const auto still = WhoIsAtWork();
    const bool live =
        still.has_value() && std::any_of(still->begin(), still->end(), [&](const AtWork& other) {
          return other.role == one.role && other.phase == phase;
        });
    if (live) StrikeNow(phase, one.role);
    scene_.LetGo(one.role);
    if (live) return true;
  }
  return false;
}

bool ChaosRun::StrikeUpload() {
  std::string holder;
  std::vector<std::string> workers = scene_.Runners();
  workers.pop_back();  // An agent uploads nothing.
  for (const std::string& worker : workers) scene_.proxy(worker).SetTrap();
  AwaitCondition(kCatchLimit, [&] {
    TendAll();
    for (const std::string& worker : workers) {
      if (scene_.IsUp(worker) && scene_.proxy(worker).TrapHolds()) holder = worker;
    }
    return !holder.empty();
  });
  // Its beginning is on its way to the coordinator.
  const bool open = !holder.empty() && scene_.CoordinatorAnswers() &&
                    AwaitCondition(kUploadLimit, [&] { return scene_.HasOpenUpload(); }) &&
                    scene_.proxy(holder).TrapHolds();
  if (open) StrikeNow(Phase::kUpload, holder);
  for (const std::string& worker : workers) scene_.proxy(worker).LetGo();
  return open;
}

bool ChaosRun::StrikeSpool() {
  std::string holder;
  AwaitCondition(kCatchLimit, [&] {
    TendAll();
    for (const std::string& role : scene_.Runners()) {
      if (scene_.IsUp(role) && scene_.HasSpooledResult(role)) holder = role;
    }
    return !holder.empty();
  });
  if (holder.empty() || !scene_.CoordinatorAnswers() || !scene_.Hold(holder)) return false;
  const bool spooled = scene_.HasSpooledResult(holder);
  if (spooled) StrikeNow(Phase::kSpool, holder);
  scene_.LetGo(holder);
  return spooled;
}

void ChaosRun::StrikeNow(Phase phase, const std::string& holder) {
  const Strike strike = plan_.Take(phase);
  const Fault& fault = AllFaults()[static_cast<size_t>(strike.fault)];
  scene_.Strike(fault, strike, holder, [this, phase, strike](bool struck) {
    if (struck) {
      report_.histogram.Count(strike.fault, phase);
      last_struck_ = Now();
    } else {
      ++report_.missed;
      plan_.PutBack(phase, strike);
    }
  });
}

void ChaosRun::AwaitEnd() {
  bool known = false;  // All that a Submit has begun whose answer was lost.
  const bool ended = AwaitCondition(kEndLimit, [&] {
    TendAll();
    if (!known && scene_.CoordinatorAnswers()) {
      const auto all = scene_.client().List();
      if (!all.ok()) return false;
      for (const v1::Experiment& one : all->experiments()) live_.insert(one.id());
      report_.experiments = all->experiments_size();
      known = true;
    }
    return known && live_.empty();
  });
  if (ended) return;
  for (const std::string& id : live_) {
    const auto experiment = scene_.client().Get(id);
    report_.problems.push_back(absl::StrCat(
        id, " has not ended in ", absl::FormatDuration(kEndLimit), " without faults: ",
        experiment.ok() ? StateSentence(*experiment) : experiment.status().ToString()));
  }
  const auto runners = scene_.client().Runners();
  report_.problems.push_back(runners.ok() ? runners->ShortDebugString()
                                          : runners.status().ToString());
}

}  // namespace

absl::StatusOr<Outcome> RunCalm(const SceneOptions& options) {
  Scene scene(options);
  SQUISH_RETURN_IF_ERROR(scene.Start());
  SQUISH_ASSIGN_OR_RETURN(const v1::ExperimentSpec spec, ParseExperimentSpec(kSpec, "chaos"));
  SQUISH_ASSIGN_OR_RETURN(v1::Experiment experiment, scene.client().Submit(spec));
  const bool ended = AwaitCondition(kEndLimit, [&] {
    scene.Tend();
    const auto latest = scene.client().Get(experiment.id());
    if (latest.ok()) experiment = *latest;
    return HasEnded(experiment);
  });
  if (!ended || experiment.state() != v1::Experiment::SUCCEEDED || !scene.problems().empty()) {
    return absl::DeadlineExceededError(
        absl::StrCat("the calm run did not succeed: ", StateSentence(experiment)));
  }
  SQUISH_ASSIGN_OR_RETURN(const std::vector<v1::Champion> champions,
                          scene.client().Champions(experiment.id()));
  return Outcome{experiment.population_digest(), DescribeChampions(champions)};
}

absl::StatusOr<ChaosReport> RunChaos(const SceneOptions& options, int faults, uint64_t seed) {
  SQUISH_ASSIGN_OR_RETURN(const v1::ExperimentSpec spec, ParseExperimentSpec(kSpec, "chaos"));
  Scene scene(options);
  SQUISH_RETURN_IF_ERROR(scene.Start());
  return ChaosRun(&scene, spec, faults, seed).Run();
}

}  // namespace squish
