// Whose networks, and whose engine files, an experiment keeps (v1::RetentionSpec). Pure;
// immutable; thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_RETENTION_H_
#define SQUISH_COORDINATOR_EVOLUTION_RETENTION_H_

#include <set>
#include <utility>

#include "squish/v1/evolution.pb.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

class Retention {
 public:
  // Of a complete spec, of what is known of its closed generations, and of whether it has ended.
  Retention(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary, bool ended);

  // Whether artifacts of this individual, or champion, are kept: those of generation 0, of the
  // last generations and all later ones, of the archive, the parents and the champions.
  // Once false it stays so, as generations are closed.
  bool Keeps(int generation, int index) const;

  // Whether engine files of this individual are kept, which only measurements want: until the
  // end those of generation 0 and of the open generation, and where champions are measured
  // again those of the archive and the champions. Once false it stays so.
  bool KeepsEngineFiles(int generation, int index) const;

  // Everybody's from this generation on is kept, …
  int whole_from() const { return whole_from_; }
  // … and before it of these generations somebody's.
  std::set<int> earlier() const;

 private:
  using Place = std::pair<int, int>;  // (generation, index)

  const int whole_from_;
  const int open_;  // The generation.
  const bool ended_;
  std::set<Place> kept_;
  std::set<Place> measured_again_;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_EVOLUTION_RETENTION_H_
