// What a run has left on disk, and whether it is what it should be. Nobody may have the
// population open.
#ifndef SQUISH_TESTS_FAULT_CHAOS_OUTCOME_H_
#define SQUISH_TESTS_FAULT_CHAOS_OUTCOME_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/fault/chaos/champions.h"

namespace squish {

// What an experiment has come to.
struct Outcome {
  std::string population_digest;
  std::string champions;  // DescribeChampions.
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

struct OutcomeReport {
  std::vector<std::string> problems;  // A sentence each; empty: all is well.
  int experiments = 0;
  int acknowledged = 0;  // Results that a coordinator had acknowledged, and that were found.
};

// Whether fsck finds nothing, every experiment has succeeded with what is `expected` of its
// seed, no two results of a job differed, and every result in the folder of acknowledged ones
// (broken_disk.h) is recorded: its attempt is known and has ended, and its job has a result that is
// the same, or is withdrawn. Errors as Population::Open and its reads.
absl::StatusOr<OutcomeReport> CheckOutcome(const std::string& population,
                                           const std::string& acknowledged,
                                           const std::map<uint64_t, Outcome>& expected);

}  // namespace squish

#endif  // SQUISH_TESTS_FAULT_CHAOS_OUTCOME_H_
