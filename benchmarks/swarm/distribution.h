// Values that were measured, and what share of them is below what. Not thread-safe.
//
//   Distribution waits;
//   waits.Add(3.2);
//   waits.Percentile(0.99);
#ifndef SQUISH_BENCHMARKS_SWARM_DISTRIBUTION_H_
#define SQUISH_BENCHMARKS_SWARM_DISTRIBUTION_H_

#include <cstdint>
#include <vector>

namespace squish {

class Distribution {
 public:
  void Add(double value);

  int64_t count() const { return static_cast<int64_t>(values_.size()); }

  // The least value that at least `fraction` of all do not exceed (the nearest rank):
  // one that was measured, nothing in between. `fraction` is 0 to 1. 0 of no values.
  double Percentile(double fraction) const;

 private:
  mutable std::vector<double> values_;
  mutable bool sorted_ = true;
};

}  // namespace squish

#endif  // SQUISH_BENCHMARKS_SWARM_DISTRIBUTION_H_
