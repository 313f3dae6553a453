// Individuals for tests.
#ifndef SQUISH_TESTS_UNIT_CTL_INDIVIDUALS_H_
#define SQUISH_TESTS_UNIT_CTL_INDIVIDUALS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

inline v1::Individual Evaluated(int generation, int index, int64_t parameters, double accuracy,
                                double log_loss, double ratio) {
  v1::Individual individual;
  individual.mutable_name()->set_generation(generation);
  individual.mutable_name()->set_index(index);
  if (generation > 0) individual.add_parents()->set_generation(generation - 1);
  individual.set_state(v1::Individual::EVALUATED);
  individual.set_parameters(parameters);
  individual.set_bytes(4 * parameters);
  individual.set_macs(100 * parameters);
  individual.set_selection_accuracy(accuracy);
  individual.set_selection_log_loss(log_loss);
  individual.set_images_per_second(400 * ratio);
  individual.set_ratio_to_ancestor(ratio);
  individual.set_images_seen(8000);
  individual.set_measured_on("cpu, torch, fp32, batch 1, 1 thread");
  individual.set_genome_digest(Sha256Hex(absl::StrCat("genome ", parameters)));
  individual.set_architecture_digest(Sha256Hex(absl::StrCat("architecture ", parameters)));
  individual.set_weights_digest(Sha256Hex(absl::StrCat("weights ", parameters)));
  individual.set_trained_artifact(Sha256Hex(absl::StrCat("network ", parameters)));
  return individual;
}

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_CTL_INDIVIDUALS_H_
