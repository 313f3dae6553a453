#include "common/genome/similarity.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

// Which clusters live, by the layer that names their group.
using Clusters = std::map<std::string, std::vector<int>>;

Clusters ClustersOf(const Genome& genome) {
  Clusters clusters;
  for (const FilterGroup& group : genome.groups()) {
    if (!group.prunable) continue;
    const int first = group.layers.front();
    clusters[genome.layer(first).name] = genome.conv(first).lineage;
  }
  return clusters;
}

// Both are ascending.
int64_t CountShared(const std::vector<int>& a, const std::vector<int>& b) {
  int64_t shared = 0;
  for (auto left = a.begin(), right = b.begin(); left != a.end() && right != b.end();) {
    if (*left == *right) ++shared;
    const int smaller = std::min(*left, *right);
    if (*left == smaller) ++left;
    if (*right == smaller) ++right;
  }
  return shared;
}

absl::StatusOr<double> Overlap(const Clusters& a, const Clusters& b) {
  if (a.size() != b.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("networks with ", a.size(), " and ", b.size(),
                     " prunable layers have no common ancestor to be compared by"));
  }
  int64_t shared = 0, all = 0;
  for (const auto& [layer, lineage] : a) {
    const auto found = b.find(layer);
    if (found == b.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(layer, ": one network has this prunable layer, the other has not"));
    }
    const int64_t both = CountShared(lineage, found->second);
    shared += both;
    all += static_cast<int64_t>(lineage.size() + found->second.size()) - both;
  }
  return all == 0 ? 1.0 : static_cast<double>(shared) / static_cast<double>(all);
}

}  // namespace

absl::StatusOr<double> ArchitecturalSimilarity(const Genome& a, const Genome& b) {
  return Overlap(ClustersOf(a), ClustersOf(b));
}

absl::StatusOr<double> MeanArchitecturalSimilarity(const std::vector<Genome>& genomes) {
  if (genomes.size() < 2) return absl::InvalidArgumentError("one network has nobody to be like");
  std::vector<Clusters> clusters;
  for (const Genome& genome : genomes) clusters.push_back(ClustersOf(genome));
  double sum = 0;
  int64_t pairs = 0;
  for (size_t i = 0; i < clusters.size(); ++i) {
    for (size_t j = i + 1; j < clusters.size(); ++j, ++pairs) {
      SQUISH_ASSIGN_OR_RETURN(const double similarity, Overlap(clusters[i], clusters[j]));
      sum += similarity;
    }
  }
  return sum / static_cast<double>(pairs);
}

}  // namespace squish
