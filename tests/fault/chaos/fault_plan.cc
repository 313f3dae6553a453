#include "tests/fault/chaos/fault_plan.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/random.h"

namespace squish {
namespace {

// What sets these streams apart from those of a training: the first word of their names.
constexpr uint64_t kName = 0x6368616f73;  // "chaos"

// A missed strike comes again after so many others.
constexpr std::ptrdiff_t kLater = 4;

// Most are short: what lasts long keeps others from striking. Some outlast a lease and the
// silence limit of a child, which the driver sets to one second and to two.
constexpr absl::Duration kShortest = absl::Milliseconds(60);
constexpr absl::Duration kShort = absl::Milliseconds(400);
constexpr absl::Duration kLong = absl::Milliseconds(2500);
constexpr double kLongShare = 0.1;
constexpr uint32_t kMostWritesBefore = 12;

constexpr const char* kPhaseNames[kPhases] = {"SYNTHESIZE", "TRAIN",  "MEASURE", "EVALUATE",
                                              "EXPORT",     "upload", "spool"};

std::string MannerName(Manner manner) {
  switch (manner) {
    case Manner::kKill:
      return "kill";
    case Manner::kFreeze:
      return "freeze";
    case Manner::kRestart:
      return "restart";
    case Manner::kDelay:
      return "delay";
    case Manner::kDrop:
      return "drop";
    case Manner::kHalfOpen:
      return "half-open";
    case Manner::kReset:
      return "reset";
    case Manner::kNoSpace:
      return "ENOSPC";
    case Manner::kIoError:
      return "EIO";
    case Manner::kDamage:
      return "damage";
  }
  return "?";
}

std::string VictimName(Victim victim) {
  switch (victim) {
    case Victim::kCoordinator:
      return "coordinator";
    case Victim::kWorker:
      return "worker";
    case Victim::kTrainer:
      return "trainer";
    case Victim::kAgent:
      return "agent";
    case Victim::kEngine:
      return "engine";
    case Victim::kNetwork:
      return "network";
    case Victim::kCoordinatorDisk:
      return "coordinator's disk";
    case Victim::kRunnerDisk:
      return "runner's disk";
    case Victim::kCache:
      return "runner's cache";
    case Victim::kStore:
      return "store";
  }
  return "?";
}

std::vector<Fault> MakeAllFaults() {
  std::vector<Fault> all;
  for (const Manner manner : {Manner::kKill, Manner::kFreeze, Manner::kRestart}) {
    for (const Victim victim : {Victim::kCoordinator, Victim::kWorker, Victim::kTrainer,
                                Victim::kAgent, Victim::kEngine}) {
      all.push_back({manner, victim});
    }
  }
  for (const Manner manner : {Manner::kDelay, Manner::kDrop, Manner::kHalfOpen, Manner::kReset}) {
    all.push_back({manner, Victim::kNetwork});
  }
  for (const Manner manner : {Manner::kNoSpace, Manner::kIoError}) {
    all.push_back({manner, Victim::kCoordinatorDisk});
    all.push_back({manner, Victim::kRunnerDisk});
  }
  all.push_back({Manner::kDamage, Victim::kCache});
  all.push_back({Manner::kDamage, Victim::kStore});
  return all;
}

}  // namespace

std::string PhaseName(Phase phase) { return kPhaseNames[static_cast<int>(phase)]; }

const std::vector<Fault>& AllFaults() {
  static const std::vector<Fault>& all = *new std::vector<Fault>(MakeAllFaults());
  return all;
}

std::string FaultName(const Fault& fault) {
  return absl::StrCat(MannerName(fault.manner), " ", VictimName(fault.victim));
}

void FaultPlan::Fill(Phase phase, Deck& deck) const {
  const RandomStream random(RandomDomain::kShuffle, {kName, seed_, static_cast<uint64_t>(phase),
                                                     static_cast<uint64_t>(deck.made++)});
  uint64_t position = AllFaults().size();  // Those below are the permutation's.
  for (const int fault : random.Permutation(static_cast<int>(AllFaults().size()))) {
    Strike strike;
    strike.fault = fault;
    const bool is_long = random.Uniform(position++) < kLongShare;
    strike.lasting = is_long ? kShort + random.Uniform(position++) * (kLong - kShort)
                             : kShortest + random.Uniform(position++) * (kShort - kShortest);
    strike.writes_before = static_cast<int>(random.Below(position++, kMostWritesBefore));
    strike.pick = random.Bits(position++);
    deck.strikes.push_back(strike);
  }
}

Strike FaultPlan::Take(Phase phase) {
  Deck& deck = decks_[static_cast<size_t>(phase)];
  if (deck.strikes.empty()) Fill(phase, deck);
  const Strike next = deck.strikes.front();
  deck.strikes.pop_front();
  return next;
}

void FaultPlan::PutBack(Phase phase, const Strike& strike) {
  std::deque<Strike>& strikes = decks_[static_cast<size_t>(phase)].strikes;
  strikes.insert(strikes.begin() + std::min<std::ptrdiff_t>(std::ssize(strikes), kLater), strike);
}

void Histogram::Count(int fault, Phase phase) {
  ++cells_[static_cast<size_t>(fault)][static_cast<size_t>(phase)];
}

int Histogram::At(int fault, Phase phase) const {
  return cells_[static_cast<size_t>(fault)][static_cast<size_t>(phase)];
}

int Histogram::Of(int fault) const {
  int sum = 0;
  for (int phase = 0; phase < kPhases; ++phase) sum += At(fault, static_cast<Phase>(phase));
  return sum;
}

int Histogram::In(Phase phase) const {
  int sum = 0;
  for (size_t fault = 0; fault < cells_.size(); ++fault) sum += At(static_cast<int>(fault), phase);
  return sum;
}

int Histogram::total() const {
  int sum = 0;
  for (int phase = 0; phase < kPhases; ++phase) sum += In(static_cast<Phase>(phase));
  return sum;
}

std::vector<std::pair<int, Phase>> Histogram::EmptyCells() const {
  std::vector<std::pair<int, Phase>> empty;
  for (size_t fault = 0; fault < cells_.size(); ++fault) {
    for (int phase = 0; phase < kPhases; ++phase) {
      if (cells_[fault][static_cast<size_t>(phase)] == 0) {
        empty.emplace_back(static_cast<int>(fault), static_cast<Phase>(phase));
      }
    }
  }
  return empty;
}

std::string Histogram::Table() const {
  constexpr int kNameWidth = 28, kWidth = 11;
  std::string table = absl::StrFormat("%-*s", kNameWidth, "fault");
  for (const char* phase : kPhaseNames) absl::StrAppendFormat(&table, "%*s", kWidth, phase);
  absl::StrAppendFormat(&table, "%*s\n", kWidth, "all");
  for (size_t fault = 0; fault < cells_.size(); ++fault) {
    absl::StrAppendFormat(&table, "%-*s", kNameWidth, FaultName(AllFaults()[fault]));
    for (const int count : cells_[fault]) absl::StrAppendFormat(&table, "%*d", kWidth, count);
    absl::StrAppendFormat(&table, "%*d\n", kWidth, Of(static_cast<int>(fault)));
  }
  absl::StrAppendFormat(&table, "%-*s", kNameWidth, "all");
  for (int phase = 0; phase < kPhases; ++phase) {
    absl::StrAppendFormat(&table, "%*d", kWidth, In(static_cast<Phase>(phase)));
  }
  absl::StrAppendFormat(&table, "%*d\n", kWidth, total());
  return table;
}

std::vector<std::string> Owed(const Histogram& histogram, int faults) {
  std::vector<std::string> owed;
  if (histogram.total() < faults) {
    owed.push_back(absl::StrCat("only ", histogram.total(), " faults have struck"));
  }
  if (faults < kEveryKind) return owed;
  const auto name = [](size_t fault) { return FaultName(AllFaults()[fault]); };
  for (size_t fault = 0; fault < AllFaults().size(); ++fault) {
    if (histogram.Of(static_cast<int>(fault)) > 0) continue;
    owed.push_back(absl::StrCat("no '", name(fault), "' has struck"));
  }
  for (int i = 0; i < kPhases; ++i) {
    const auto phase = static_cast<Phase>(i);
    if (histogram.In(phase) > 0) continue;
    owed.push_back(absl::StrCat("nothing has struck in phase ", PhaseName(phase)));
  }
  if (faults < kEveryCell) return owed;
  for (const auto& [fault, phase] : histogram.EmptyCells()) {
    owed.push_back(absl::StrCat("no '", name(static_cast<size_t>(fault)),
                                "' has struck in phase ", PhaseName(phase)));
  }
  return owed;
}

}  // namespace squish
