// Whose networks an experiment keeps (v1::RetentionSpec). Pure; immutable; thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_RETENTION_H_
#define SQUISH_COORDINATOR_EVOLUTION_RETENTION_H_

#include <set>
#include <utility>

#include "squish/v1/evolution.pb.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

class Retention {
 public:
  // Of a complete spec, and of what is known of its closed generations.
  Retention(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary);

  // Whether artifacts of this individual, or champion, are kept: those of generation 0, of the
  // last generations and all later ones, of the archive, the parents and the champions.
  // Once false it stays so, as generations are closed.
  bool Keeps(int generation, int index) const;

  // Everybody's from this generation on is kept, …
  int whole_from() const { return whole_from_; }
  // … and before it of these generations somebody's.
  std::set<int> earlier() const;

 private:
  int whole_from_;
  std::set<std::pair<int, int>> kept_;  // (generation, index)
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_EVOLUTION_RETENTION_H_
