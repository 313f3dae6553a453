// Which of an experiment's individuals a person wants to see. Pure.
#ifndef SQUISH_CTL_BEST_NETWORKS_H_
#define SQUISH_CTL_BEST_NETWORKS_H_

#include <string>
#include <vector>

#include "squish/v1/experiment.pb.h"

namespace squish {

struct BestNetwork {
  std::string role;  // "smallest", "fastest", "most-accurate", "knee"
  v1::Individual individual;
};

// Of the EVALUATED individuals with a trained network: the smallest, the fastest by
// ratio, the most accurate by selection log-loss, and the knee: the one nearest to the
// ideal point, each of log-loss, ln ratio and ln bytes scaled to [0, 1] between the
// best and the worst. What was not measured takes no part in ratios. Ties go to the
// earlier individual. Empty when nothing is evaluated.
std::vector<BestNetwork> FindBestNetworks(const std::vector<v1::Individual>& individuals);

}  // namespace squish

#endif  // SQUISH_CTL_BEST_NETWORKS_H_
