#include "coordinator/evolution/job_parts.h"

#include <utility>

#include "common/base/sha256.h"

namespace squish {

v1::Job KeyedJob(int generation, int index, v1::JobKey::Kind kind) {
  v1::Job job;
  job.mutable_key()->set_generation(generation);
  job.mutable_key()->set_index(index);
  job.mutable_key()->set_kind(kind);
  return job;
}

void FillTraining(const v1::ExperimentSpec& spec, const v1::DatasetSummary& dataset,
                  const v1::Recipe& recipe, v1::TrainJob& job) {
  *job.mutable_dataset() = spec.dataset();
  job.set_dataset_fingerprint(dataset.fingerprint());
  *job.mutable_recipe() = recipe;
  job.set_threads(spec.training().threads());
  job.set_device(spec.training().device());
}

const std::string& AncestorAsTeacher(const v1::ExperimentSpec& spec,
                                     const v1::EvolutionSummary& summary) {
  return spec.ancestor().has_branch() ? spec.ancestor().branch().ancestor_trained()
                                      : summary.ancestor().trained_artifact();
}

uint64_t TrainingSeed(absl::string_view purpose, uint64_t seed, int generation, int index) {
  Sha256 hash;
  hash.UpdateString(purpose);
  hash.UpdateUint64(seed);
  hash.UpdateUint64(static_cast<uint64_t>(generation));
  hash.UpdateUint64(static_cast<uint64_t>(index));
  return std::move(hash).First64Bits();
}

}  // namespace squish
