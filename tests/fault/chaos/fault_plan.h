// Which faults there are, in which phases of work they strike, which comes next, and how
// many of each have struck. Pure: a function of the seed and of what is asked, with no
// process, clock or file in it. Not thread-safe.
//
//   FaultPlan plan(seed);
//   Histogram histogram;
//   const Strike strike = plan.Take(Phase::kTrain);
//   …                                        // While a TRAIN job is leased.
//   histogram.Count(strike.fault, Phase::kTrain);   // Or, where there was nothing to strike,
//   plan.PutBack(Phase::kTrain, strike);            // it comes again a little later.
//
// Each phase has a deck with every fault in it once, shuffled by the seed; when it is used
// up comes the next. So the n-th strike of a phase is the same in every run of a seed,
// whatever the other phases do, and after n decks each cell of fault × phase has n strikes.
#ifndef SQUISH_TESTS_FAULT_CHAOS_FAULT_PLAN_H_
#define SQUISH_TESTS_FAULT_CHAOS_FAULT_PLAN_H_

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace squish {

// What somebody is at while the fault strikes: a job of that kind is leased to a runner that
// is connected, a runner's upload has begun and not ended, or a result lies in a spool.
enum class Phase { kSynthesize, kTrain, kMeasure, kEvaluate, kExport, kUpload, kSpool };
constexpr int kPhases = 7;
std::string PhaseName(Phase phase);

enum class Manner {
  kKill,      // SIGKILL; a daemon is started again at once, a child by its daemon.
  kFreeze,    // SIGSTOP, for a while.
  kRestart,   // SIGTERM, and started again.
  kDelay,     // What a connection carries comes late.
  kDrop,      // It is swallowed, both ways.
  kHalfOpen,  // One side is no longer read; the connection stands.
  kReset,     // Every connection ends with RST.
  kNoSpace,   // Writes fail with ENOSPC.
  kIoError,   // Writes, syncs and renames fail with EIO.
  kDamage,    // A byte of an artifact changes.
};

enum class Victim {
  kCoordinator,
  kWorker,
  kTrainer,
  kAgent,
  kEngine,
  kNetwork,          // Between the runner at work and the coordinator.
  kCoordinatorDisk,  // Database and artifacts alike.
  kRunnerDisk,       // Of the runner at work: spool and cache.
  kCache,            // Of the runner at work.
  kStore,            // The coordinator's artifacts; mended after a while.
};

struct Fault {
  Manner manner;
  Victim victim;
};

// All of them, in the order in which they are shown. Faults are numbered by it.
const std::vector<Fault>& AllFaults();
std::string FaultName(const Fault& fault);

struct Strike {
  int fault = 0;           // Of AllFaults().
  absl::Duration lasting;  // Of what goes on for a while.
  int writes_before = 0;   // Of a disk: so many writes succeed first.
  uint32_t pick = 0;       // Among victims that are alike.
};

class FaultPlan {
 public:
  explicit FaultPlan(uint64_t seed) : seed_(seed) {}

  // What strikes in this phase next.
  Strike Take(Phase phase);
  // It found nothing to strike: it comes again after a few others.
  void PutBack(Phase phase, const Strike& strike);

 private:
  struct Deck {
    int made = 0;
    std::deque<Strike> strikes;
  };
  void Fill(Phase phase, Deck& deck) const;

  const uint64_t seed_;
  std::array<Deck, kPhases> decks_;
};

class Histogram {
 public:
  void Count(int fault, Phase phase);
  int At(int fault, Phase phase) const;
  int Of(int fault) const;
  int In(Phase phase) const;
  int total() const;
  std::vector<std::pair<int, Phase>> EmptyCells() const;
  // A line a fault, a column a phase, sums at the ends.
  std::string Table() const;

 private:
  std::vector<std::array<int, kPhases>> cells_ =
      std::vector<std::array<int, kPhases>>(AllFaults().size(), std::array<int, kPhases>{});
};

// From so many faults on a run must have every fault and every phase in it; from the next, every
// cell. Every fault strikes in every phase: where it has no part in the work, somebody who
// stands by is struck. So no cell is impossible.
constexpr int kEveryKind = 100;
constexpr int kEveryCell = 5000;

// What a run of so many faults still owes, in words; nothing when it has all.
std::vector<std::string> Owed(const Histogram& histogram, int faults);

}  // namespace squish

#endif  // SQUISH_TESTS_FAULT_CHAOS_FAULT_PLAN_H_
