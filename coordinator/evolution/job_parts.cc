#include "coordinator/evolution/job_parts.h"

#include <algorithm>
#include <set>
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
  job.set_keep_zeros(spec.synthesis().has_synapses());
}

v1::MeasureJob MeasurementOf(const v1::ExperimentSpec& spec, const std::string& candidate,
                             const std::string& candidate_architecture,
                             const v1::Individual& ancestor, const std::string& device_class,
                             int beside) {
  v1::MeasureJob work;
  work.set_candidate(candidate);
  work.set_candidate_architecture(candidate_architecture);
  if (spec.ancestor().has_branch()) {
    work.set_ancestor(spec.ancestor().branch().ancestor_network());
    work.set_ancestor_architecture(spec.ancestor().branch().ancestor_architecture());
  } else {
    work.set_ancestor(ancestor.born_artifact());
    work.set_ancestor_architecture(ancestor.architecture_digest());
  }
  work.set_device_class(device_class);
  v1::MeasurementSpec& protocol = *work.mutable_protocol();
  protocol = spec.measurement();
  protocol.clear_beside();
  if (beside == 0) return work;
  const v1::MeasurementSpec::Beside& wanted = spec.measurement().beside(beside - 1);
  if (!wanted.device_class().empty()) work.set_device_class(wanted.device_class());
  protocol.set_device_class(work.device_class());
  protocol.set_batch(wanted.batch());
  protocol.set_profile(false);
  return work;
}

void AddEngineFiles(const v1::EngineFiles* candidate, const v1::EngineFiles* ancestor,
                    v1::MeasureJob& job) {
  if (candidate != nullptr) *job.mutable_candidate_files() = *candidate;
  if (ancestor != nullptr) *job.mutable_ancestor_files() = *ancestor;
}

v1::EngineFilesOrder OrderOfEngineFiles(const v1::ExperimentSpec& spec,
                                        const v1::DatasetSummary& dataset, int generation) {
  v1::EngineFilesOrder order;
  order.set_input_size(spec.measurement().input_size());
  std::set<int> batches = {spec.measurement().batch()};
  for (const auto& beside : spec.measurement().beside()) batches.insert(beside.batch());
  for (const int batch : batches) order.add_batches(batch);
  *order.mutable_dataset() = spec.dataset();
  order.set_dataset_fingerprint(dataset.fingerprint());
  if (generation == 0 && spec.ancestor().has_branch()) {
    order.set_ancestor(spec.ancestor().branch().ancestor_network());
  }
  return order;
}

const v1::EngineFiles* AncestorFiles(const v1::ExperimentSpec& spec,
                                     const v1::SynthesizeResult& first) {
  if (spec.ancestor().has_branch()) {
    return first.has_ancestor_files() ? &first.ancestor_files() : nullptr;
  }
  return first.has_engine_files() ? &first.engine_files() : nullptr;
}

bool MeasuresChampions(const v1::ExperimentSpec& spec) {
  const auto& beside = spec.measurement().beside();
  return std::any_of(beside.begin(), beside.end(), [](const auto& b) { return b.champions(); });
}

bool IsMeasuredBeside(const v1::ExperimentSpec& spec, int generation, int beside) {
  const v1::MeasurementSpec::Beside& wanted = spec.measurement().beside(beside - 1);
  return !wanted.champions() || (generation == 0 && !wanted.device_class().empty());
}

bool IsMeasured(const v1::ExperimentSpec& spec, int generation, const IndividualFacts& facts) {
  if (spec.measurement().fitness() == v1::MeasurementSpec::ESTIMATED) return true;
  if (!facts.measure.has_value()) return false;
  if (facts.measure->verdict() == v1::MeasureResult::UNSUPPORTED) return true;
  for (int b = 1; b <= spec.measurement().beside_size(); ++b) {
    if (IsMeasuredBeside(spec, generation, b) && facts.beside.count(b) == 0) return false;
  }
  return true;
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
