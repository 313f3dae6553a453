#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/genome/cost.h"
#include "common/weights/strengths.h"
#include "worker/daemon/attempt_step.h"
#include "worker/daemon/child_events.h"
#include "worker/daemon/engine_files.h"
#include "worker/daemon/jobs.h"
#include "worker/synthesis/synapses.h"
#include "worker/synthesis/synthesis.h"

namespace squish {
namespace {

v1::AttemptResult Internal(const absl::Status& status) {
  return FailedAttempt(MakeFailure(v1::Failure::INTERNAL, status.message()));
}

// The weights that the ancestor is to be made of, with their new head.
StepOr<Network> FetchImported(Attempt& attempt) {
  constexpr absl::string_view kWhat = "the imported weights";
  const v1::SynthesizeJob& job = attempt.job().synthesize();
  StepOr<std::string> path = FetchFile(attempt, job.ancestor().imported().digest(), kWhat);
  if (std::holds_alternative<v1::Failure>(path)) return std::get<v1::Failure>(std::move(path));
  const absl::StatusOr<std::string> file = ReadFile(std::get<std::string>(path));
  if (!file.ok()) return MakeFailure(v1::Failure::LOCAL_RESOURCES, file.status().message());
  absl::StatusOr<ImportedNetwork> imported = ImportTorchvisionSqueezeNet(*file);
  if (!imported.ok()) {
    return MakeFailure(v1::Failure::BAD_ARTIFACT,
                       absl::StrCat(kWhat, ": ", imported.status().message()));
  }
  absl::StatusOr<Network> network = AdoptImported(job, attempt.job().key(), *std::move(imported));
  if (!network.ok()) return MakeFailure(v1::Failure::INTERNAL, network.status().message());
  return *std::move(network);
}

StepOr<Parent> FetchParent(Attempt& attempt, const v1::ParentNetwork& parent) {
  const std::string what =
      absl::StrCat("parent ", parent.name().generation(), ":", parent.name().index());
  StepOr<Network> network = FetchNetwork(attempt, parent.artifact(), what);
  if (std::holds_alternative<v1::Failure>(network)) return std::get<v1::Failure>(std::move(network));
  Parent fetched{std::get<Network>(std::move(network)), std::nullopt};
  if (parent.strengths().empty()) return fetched;

  const std::string of_filters = absl::StrCat("the filter strengths of ", what);
  StepOr<std::string> path = FetchFile(attempt, parent.strengths(), of_filters);
  if (std::holds_alternative<v1::Failure>(path)) return std::get<v1::Failure>(std::move(path));
  const absl::StatusOr<std::string> file = ReadFile(std::get<std::string>(path));
  if (!file.ok()) return MakeFailure(v1::Failure::LOCAL_RESOURCES, file.status().message());
  absl::StatusOr<TensorMap> strengths = ReadStrengths(*file, fetched.network.genome);
  if (!strengths.ok()) {
    return MakeFailure(v1::Failure::BAD_ARTIFACT,
                       absl::StrCat(of_filters, ": ", strengths.status().message()));
  }
  fetched.strengths = *std::move(strengths);
  return fetched;
}

v1::SynthesizeResult Describe(Offspring offspring, const Cost& cost) {
  v1::SynthesizeResult result;
  result.set_genome_digest(offspring.network.genome.Digest());
  result.set_architecture_digest(offspring.network.genome.ArchitectureDigest());
  result.set_weights_digest(WeightsDigest(offspring.network.weights));
  result.set_parameters(cost.parameters);
  result.set_macs(cost.macs);
  result.set_bytes(cost.bytes);
  result.set_synapses(CountSynapses(offspring.network.genome, offspring.network.weights));
  *result.mutable_birth() = std::move(offspring.birth);
  return result;
}

}  // namespace

v1::AttemptResult RunSynthesize(Attempt& attempt, const SynthesisFiles& files,
                                DatasetShelf& datasets, TrainerPool& trainers,
                                const ExporterOptions& exporter) {
  const v1::SynthesizeJob& job = attempt.job().synthesize();
  std::vector<Parent> parents;
  for (const v1::ParentNetwork& named : job.parents()) {
    SQUISH_ASSIGN_OR_FAIL(Parent parent, FetchParent(attempt, named));
    parents.push_back(std::move(parent));
  }
  std::optional<Network> ancestor;
  if (parents.empty() && job.ancestor().has_network_digest()) {
    SQUISH_ASSIGN_OR_FAIL(
        ancestor, FetchNetwork(attempt, job.ancestor().network_digest(), "the ancestor's network"));
  }
  if (parents.empty() && job.ancestor().has_imported()) {
    SQUISH_ASSIGN_OR_FAIL(ancestor, FetchImported(attempt));
  }
  absl::StatusOr<Offspring> offspring =
      Synthesize(job, attempt.job().key(), parents, ancestor.has_value() ? &*ancestor : nullptr);
  if (!offspring.ok()) return Internal(offspring.status());
  const absl::StatusOr<Cost> cost = ComputeCost(offspring->network.genome, job.macs_input_size());
  if (!cost.ok()) return Internal(cost.status());

  const TemporaryFile file(files.output_path);
  const absl::Status written = WriteFileDurably(file.path(), offspring->network.ToSafetensors());
  if (!written.ok()) {
    return FailedAttempt(MakeFailure(v1::Failure::LOCAL_RESOURCES, written.message()));
  }
  v1::AttemptResult result;
  *result.mutable_synthesize() = Describe(*std::move(offspring), *cost);
  SQUISH_ASSIGN_OR_FAIL(std::string digest, StoreFile(attempt, file.path()));
  result.mutable_synthesize()->set_artifact(std::move(digest));
  if (!job.has_engine_files()) return result;

  const auto make = [&](const std::string& network, absl::string_view what) {
    return MakeEngineFiles(attempt, job.engine_files(), network, what, files.engine_folder,
                           datasets, trainers, exporter);
  };
  SQUISH_ASSIGN_OR_FAIL(*result.mutable_synthesize()->mutable_engine_files(),
                        make(result.synthesize().artifact(), "the network that was made"));
  const std::string& measured_beside = job.engine_files().ancestor();
  if (measured_beside.empty()) return result;
  SQUISH_ASSIGN_OR_FAIL(*result.mutable_synthesize()->mutable_ancestor_files(),
                        make(measured_beside, "the ancestor that is measured against"));
  return result;
}

}  // namespace squish
