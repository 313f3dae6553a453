// A small complete spec and made-up results for tests of the evolution's rules.
#ifndef SQUISH_TESTS_UNIT_EVOLUTION_EVOLUTION_FIXTURE_H_
#define SQUISH_TESTS_UNIT_EVOLUTION_EVOLUTION_FIXTURE_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "coordinator/evolution/plan.h"
#include "google/protobuf/text_format.h"

namespace squish {

inline v1::ExperimentSpec TestSpec() {
  v1::ExperimentSpec spec;
  const bool ok = google::protobuf::TextFormat::ParseFromString(R"(
    name: "test" seed: 9 strategy: EVOLUTION
    dataset { name: "shapes" input_size: 32 resize: SQUASH built_in { seed: 1 } }
    ancestor { squeezenet_v1_1 { width: 0.5 } }
    generations: 3 offspring: 4 parents: 2
    environment {
      resource_factor: 0.5 final_resource_factor: 0.5 calibration: BUDGET resource: PARAMETERS
    }
    synthesis {
      selectivity: 1 minimum_filters: 4 filter_multiple: 1 inheritance: INHERIT
      strength: L1 ranking: LAYER strength_images: 1024 mates: 1
    }
    training {
      ancestor { epochs: 3 batch: 50 learning_rate: 0.02 gradient_clip: 2 }
      offspring { epochs: 1 batch: 50 learning_rate: 0.01 }
      threads: 1 device: CPU
    }
    measurement { fitness: MEASURED batch: 1 input_size: 32 threads: 1 }
    retry { lost_runners: 8 failures: 3 invalid_measurements: 5 })",
                                                                &spec);
  if (!ok) std::abort();
  return spec;
}

inline v1::DatasetSummary TestDataset() {
  v1::DatasetSummary dataset;
  dataset.set_fingerprint("fingerprint");
  dataset.add_class_names("disc");
  dataset.add_class_names("ring");
  for (int i = 0; i < 3; ++i) {
    dataset.add_mean(0.5f);
    dataset.add_std(0.25f);
  }
  return dataset;
}

inline v1::SynthesizeResult Born(int generation, int index) {
  v1::SynthesizeResult result;
  const std::string id = absl::StrCat(generation, ":", index);
  result.set_artifact("born " + id);
  result.set_genome_digest("genome " + id);
  result.set_architecture_digest("architecture " + id);
  result.set_weights_digest("fresh " + id);
  result.set_parameters((generation < 10 ? 1000 >> generation : 0) + index);
  result.set_macs(2 * result.parameters());
  result.set_bytes(4 * result.parameters());
  result.mutable_birth()->set_kappa(0.5);
  return result;
}

inline v1::TrainResult Trained(int generation, int index, double log_loss) {
  v1::TrainResult result;
  const std::string id = absl::StrCat(generation, ":", index);
  result.set_outcome(v1::TrainResult::TRAINED);
  result.set_artifact("trained " + id);
  result.set_weights_digest("weights " + id);
  result.set_selection_log_loss(log_loss);
  result.set_selection_accuracy(1.0 / (1.0 + log_loss));
  result.set_images_seen(100);
  return result;
}

inline v1::TrainResult Diverged() {
  v1::TrainResult result;
  result.set_outcome(v1::TrainResult::DIVERGED);
  result.set_images_seen(7);
  return result;
}

inline v1::MeasureResult Measured(double ratio) {
  v1::MeasureResult result;
  result.set_verdict(v1::MeasureResult::VALID);
  result.set_images_per_second(100 * ratio);
  result.set_ancestor_images_per_second(100);
  result.set_ratio(ratio);
  v1::MeasurementSetting& setting = *result.mutable_setting();
  setting.set_device_class("board/1");
  setting.set_engine("torch");
  setting.set_precision("fp32");
  setting.set_batch(1);
  setting.set_threads(1);
  return result;
}

inline v1::MeasureResult Unsupported() {
  v1::MeasureResult result = Measured(0);
  result.set_verdict(v1::MeasureResult::UNSUPPORTED);
  result.add_reasons("no such layer");
  return result;
}

// Every fact of one individual; what it says depends on its name alone.
inline IndividualFacts AllFacts(int generation, int index) {
  return {Born(generation, index), Trained(generation, index, 0.1 + 0.1 * ((index * 3) % 4)),
          Measured(1.0 + generation + 0.1 * index)};
}

// With nothing known; `summary` is read for the champions' generation only.
inline OpenGeneration Open(const v1::ExperimentSpec& spec, int generation,
                           const v1::EvolutionSummary& summary = {}) {
  OpenGeneration open;
  open.generation = generation;
  open.individuals.resize(static_cast<size_t>(GenerationSize(spec, summary, generation)));
  return open;
}

inline OpenGeneration Complete(const v1::ExperimentSpec& spec, int generation) {
  OpenGeneration open = Open(spec, generation);
  for (size_t i = 0; i < open.individuals.size(); ++i) {
    open.individuals[i] = AllFacts(generation, static_cast<int>(i));
  }
  return open;
}

inline v1::EvolutionSummary Beginning() {
  v1::EvolutionSummary summary;
  summary.set_closed_generation(-1);
  return summary;
}

inline v1::EvaluateResult Evaluated(int champion) {
  v1::EvaluateResult result;
  result.mutable_evaluation()->set_images(10);
  result.mutable_evaluation()->set_accuracy(0.7);
  result.set_predictions(absl::StrCat("predictions ", champion));
  return result;
}

inline v1::ExportResult Exported(int champion) {
  v1::ExportResult result;
  v1::ExportedFile& file = *result.add_files();
  file.set_name("model.onnx");
  file.set_artifact(absl::StrCat("onnx ", champion));
  return result;
}

// The summary after generations 0 to `generation`, all of them complete.
inline v1::EvolutionSummary SummaryAfter(const v1::ExperimentSpec& spec, int generation) {
  v1::EvolutionSummary summary = Beginning();
  for (int g = 0; g <= generation; ++g) {
    summary = MakePlan(spec, TestDataset(), summary, Complete(spec, g)).closing.value().summary;
  }
  return summary;
}

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_EVOLUTION_EVOLUTION_FIXTURE_H_
