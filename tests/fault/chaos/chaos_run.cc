#include "tests/fault/chaos/chaos_run.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
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
dataset {
  name: "shapes"
  input_size: 32
  built_in { seed: 3 train_images: 300 val_images: 100 }
}
ancestor { squeezenet_v1_1 { width: 0.15 } }
generations: 2
offspring: 3
parents: 2
environment { resource_factor: 0.85 constraints { min_ratio_to_ancestor: 1.05 } }
training {
  ancestor { epochs: 2 batch: 32 }
  offspring { epochs: 1 batch: 32 distillation { teacher: PARENT } }
  final { epochs: 1 batch: 32 distillation { teacher: ANCESTOR } }
}
report_megabytes: [0.06, 0.05, 0.045, 0.04]
retry { lost_runners: 1000000 failures: 1000000 invalid_measurements: 1000000 }
)";

// Experiments at a time: while one waits for a straggler another has work.
constexpr size_t kAtATime = 3;
constexpr size_t kCalmAtATime = 6;
constexpr int kMostUnderWay = 5;  // Faults that go on for a while.

// No phase gets more strikes than the one with the fewest and this, or this part of all.
constexpr int kMostAhead = 12;
constexpr int kMostAheadPart = 25;

constexpr absl::Duration kCatchLimit = absl::Milliseconds(300);
constexpr absl::Duration kUploadLimit = absl::Milliseconds(500);
constexpr absl::Duration kLookAtExperiments = absl::Milliseconds(100);
constexpr absl::Duration kTell = absl::Seconds(15);
constexpr absl::Duration kStall = absl::Seconds(90);    // Without a fault that struck.
constexpr absl::Duration kEndLimit = absl::Minutes(4);  // Of what was begun, when all is whole.

absl::StatusOr<v1::ExperimentSpec> SpecOf(int experiment) {
  SQUISH_ASSIGN_OR_RETURN(v1::ExperimentSpec spec, ParseExperimentSpec(kSpec, "chaos"));
  spec.set_seed(static_cast<uint64_t>(experiment));
  return spec;
}

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

// Somebody at something.
struct AtWork {
  std::string role;
  Phase phase;
};
using Work = std::vector<AtWork>;

class ChaosRun {
 public:
  ChaosRun(Scene* scene, int faults, uint64_t seed)
      : scene_(*scene), faults_(faults), plan_(seed) {}

  ChaosReport Run();

 private:
  void TendAll();
  void LookAtExperiments();
  std::optional<Work> Leases();
  Work Look();
  bool IsAhead(Phase phase) const;
  void StrikeOnce();
  bool TryToStrike(const AtWork& one);
  bool IsStillAt(const AtWork& one);
  void StrikeNow(Phase phase, const std::string& holder);
  void AwaitEnd();
  void Tell();

  Scene& scene_;
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
  // A fault that finds nothing to strike comes again later, which may be after the last.
  while (!stalled && report_.histogram.total() < 2 * faults_ &&
         !Owed(report_.histogram, faults_).empty()) {
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
            << " experiments, " << scene_.problems().size() + report_.problems.size() << " problems"
            << std::endl;
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
  const auto spec = SpecOf(report_.experiments + 1);
  const auto submitted = spec.ok() ? scene_.client().Submit(*spec) : spec.status();
  if (submitted.ok()) {
    live_.insert(submitted->id());
    ++report_.experiments;
  } else if (!absl::IsUnavailable(submitted.status())) {
    report_.problems.push_back(
        absl::StrCat("an experiment was refused: ", submitted.status().ToString()));
    submitting_ = false;
  }
}

// Who holds a lease for what, as the coordinator says; nothing when it does not say.
std::optional<Work> ChaosRun::Leases() {
  if (!scene_.CoordinatorAnswers()) return std::nullopt;
  const auto runners = scene_.client().Runners();
  if (!runners.ok()) return std::nullopt;
  std::map<std::string, std::string> roles;  // By id.
  for (const std::string& role : scene_.Runners()) roles[scene_.RunnerId(role)] = role;
  Work leases;
  for (const v1::RunnerStatus& runner : runners->runners()) {
    const auto role = roles.find(runner.info().id());
    if (role == roles.end()) continue;
    for (const v1::WorkInHand& work : runner.work()) {
      const std::optional<Phase> phase = PhaseOf(work.key().kind());
      if (phase.has_value()) leases.push_back({role->second, *phase});
    }
  }
  return leases;
}

// What everybody is at who can be struck, as it seems.
Work ChaosRun::Look() {
  Work work = Leases().value_or(Work());
  if (work.empty()) return work;  // A fault counts while a lease is live.
  for (const std::string& role : scene_.Runners()) {
    if (scene_.HasSpooledResult(role)) work.push_back({role, Phase::kSpool});
    TcpProxy& proxy = scene_.proxy(role);
    if (proxy.TrapHolds()) {
      work.push_back({role, Phase::kUpload});
    } else if (!IsAhead(Phase::kUpload)) {
      proxy.SetTrap();
    }
  }
  work.erase(std::remove_if(work.begin(), work.end(),
                            [this](const AtWork& one) {
                              return IsAhead(one.phase) || !scene_.IsUp(one.role);
                            }),
             work.end());
  return work;
}

bool ChaosRun::IsAhead(Phase phase) const {
  int fewest = faults_;
  for (int other = 0; other < kPhases; ++other) {
    fewest = std::min(fewest, report_.histogram.In(static_cast<Phase>(other)));
  }
  return report_.histogram.In(phase) > fewest + std::max(kMostAhead, faults_ / kMostAheadPart);
}

void ChaosRun::StrikeOnce() {
  Work work;
  // Nothing announces that somebody begins to work.
  AwaitCondition(kCatchLimit, [&] {
    TendAll();
    if (scene_.FaultsUnderWay() < kMostUnderWay) work = Look();
    return !work.empty();
  });
  std::stable_sort(work.begin(), work.end(), [this](const AtWork& a, const AtWork& b) {
    return report_.histogram.In(a.phase) < report_.histogram.In(b.phase);
  });
  for (const AtWork& one : work) {
    if (TryToStrike(one)) break;
  }
  for (const std::string& role : scene_.Runners()) scene_.proxy(role).LetGo();
}

// Holds it in its place, sees whether it is still at that work, and only then strikes.
bool ChaosRun::TryToStrike(const AtWork& one) {
  if (!scene_.CoordinatorAnswers() || !scene_.Hold(one.role)) return false;
  const bool still = IsStillAt(one);
  if (still) StrikeNow(one.phase, one.role);
  scene_.LetGo(one.role);
  return still;
}

bool ChaosRun::IsStillAt(const AtWork& one) {
  if (one.phase == Phase::kSpool) return scene_.HasSpooledResult(one.role);
  if (one.phase == Phase::kUpload) {
    // The transfer's beginning is on its way to the coordinator, its end is held.
    return AwaitCondition(kUploadLimit, [&] { return scene_.HasOpenUpload(); }) &&
           scene_.proxy(one.role).TrapHolds();
  }
  const std::optional<Work> leases = Leases();
  return leases.has_value() &&
         std::any_of(leases->begin(), leases->end(), [&one](const AtWork& other) {
           return other.role == one.role && other.phase == one.phase;
         });
}

void ChaosRun::StrikeNow(Phase phase, const std::string& holder) {
  const Strike strike = plan_.Take(phase);
  const Fault& fault = AllFaults()[static_cast<size_t>(strike.fault)];
  scene_.Strike(fault, strike, holder, [this, phase, strike](bool struck) {
    if (struck) {
      report_.histogram.Count(strike.fault, phase);
      last_struck_ = Now();
    } else {
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
  const auto runners = scene_.client().Runners();  // Perhaps that tells why.
  report_.problems.push_back(runners.ok() ? runners->ShortDebugString()
                                          : runners.status().ToString());
}

}  // namespace

absl::StatusOr<ChaosReport> RunChaos(const SceneOptions& options, int faults, uint64_t seed) {
  Scene scene(options);
  SQUISH_RETURN_IF_ERROR(scene.Start());
  return ChaosRun(&scene, faults, seed).Run();
}

absl::StatusOr<std::map<uint64_t, Outcome>> RunCalm(const SceneOptions& options, int experiments) {
  Scene scene(options);
  SQUISH_RETURN_IF_ERROR(scene.Start());
  CoordinatorClient& client = scene.client();
  std::map<uint64_t, Outcome> outcomes;
  for (int next = 1; next <= experiments;) {
    std::vector<v1::Experiment> live;
    for (; next <= experiments && live.size() < kCalmAtATime; ++next) {
      SQUISH_ASSIGN_OR_RETURN(const v1::ExperimentSpec spec, SpecOf(next));
      SQUISH_ASSIGN_OR_RETURN(v1::Experiment submitted, client.Submit(spec));
      live.push_back(std::move(submitted));
    }
    for (v1::Experiment& experiment : live) {
      grpc::ClientContext context;
      context.set_deadline(absl::ToChronoTime(absl::Now() + kEndLimit));
      SQUISH_RETURN_IF_ERROR(client.Watch(context, experiment.id(), [&](const auto& event) {
        if (event.has_experiment()) experiment = event.experiment();
      }));
      if (experiment.state() != v1::Experiment::SUCCEEDED) {
        return absl::DeadlineExceededError(
            absl::StrCat("a calm run did not succeed: ", StateSentence(experiment)));
      }
      SQUISH_ASSIGN_OR_RETURN(const std::vector<v1::Champion> champions,
                              client.Champions(experiment.id()));
      outcomes[experiment.spec().seed()] = {experiment.population_digest(),
                                            DescribeChampions(champions)};
    }
  }
  return outcomes;
}

}  // namespace squish
