// Which filters live or die together. Pure; inside common/genome only.
#ifndef SQUISH_COMMON_GENOME_FILTER_GROUPS_H_
#define SQUISH_COMMON_GENOME_FILTER_GROUPS_H_

#include <vector>

#include "common/genome/genome.h"

namespace squish {

// "Filter i of convolution `first` and filter i of `second` are one cluster."
struct FilterTie {
  int first;
  int second;
};

// The finest partition of `convs` (ascending) in which tied convolutions share a
// group, by first member. The last convolution's group, the head's, is not prunable.
std::vector<FilterGroup> GroupFilters(const std::vector<int>& convs,
                                      const std::vector<FilterTie>& ties);

}  // namespace squish

#endif  // SQUISH_COMMON_GENOME_FILTER_GROUPS_H_
