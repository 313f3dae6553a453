// Which pictures differ between two decoded data sets. Pure.
#ifndef SQUISH_COMMON_DATASET_DIFFERENCE_H_
#define SQUISH_COMMON_DATASET_DIFFERENCE_H_

#include <string>

#include "common/dataset/cache.h"

namespace squish {

// One sentence without its full stop, of at most 4,096 bytes: "train/cat/7.jpg has
// changed; train/cat/8.jpg is new; val/dog/1.png is gone; and 12 more". Changed ones first,
// each kind in the order of names. Where all pictures are the same it says that they were
// decoded by other rules.
std::string DescribeDifference(const DatasetCache& before, const DatasetCache& now);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_DIFFERENCE_H_
