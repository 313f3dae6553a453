// Champions as text, to compare those of two runs.
#ifndef SQUISH_TESTS_FAULT_CHAOS_CHAMPIONS_H_
#define SQUISH_TESTS_FAULT_CHAOS_CHAMPIONS_H_

#include <string>
#include <vector>

#include "squish/v1/experiment.pb.h"

namespace squish {

// A line each: who it is, its weights, its predictions on `val/` and its files.
std::string DescribeChampions(const std::vector<v1::Champion>& champions);

}  // namespace squish

#endif  // SQUISH_TESTS_FAULT_CHAOS_CHAMPIONS_H_
