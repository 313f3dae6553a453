// How two data sets differ, as far as their summaries tell: for people who wonder why a
// worker's pictures are not those that an experiment began with. Pure.
#ifndef SQUISH_COORDINATOR_SERVICE_DATASET_DIFFERENCE_H_
#define SQUISH_COORDINATOR_SERVICE_DATASET_DIFFERENCE_H_

#include <string>

#include "squish/v1/dataset.pb.h"

namespace squish {

// "class 'cat' has 41 training, 10 selection and 5 val pictures instead of 40, 10 and 5",
// "the pictures of class 'dog' are others", or that the classes themselves differ; of
// several classes the first few. Empty where summaries tell no difference.
std::string DescribeClassDifference(const v1::DatasetSummary& pinned,
                                    const v1::DatasetSummary& other);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_DATASET_DIFFERENCE_H_
