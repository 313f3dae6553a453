// What shows how an evolution goes: figures of each generation. Pure.
#ifndef SQUISH_CTL_GENERATIONS_H_
#define SQUISH_CTL_GENERATIONS_H_

#include <optional>
#include <string>
#include <vector>

#include "ctl/sheet.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

// Of one generation. What nobody of it has yet is absent.
struct GenerationFigures {
  int generation = 0;
  int individuals = 0;
  int evaluated = 0;
  int diverged = 0;
  std::optional<double> mean_megabytes;  // 10^6 bytes of fp32 weights.
  std::optional<double> best_accuracy;   // Fraction, on the selection split, as the next.
  std::optional<double> mean_accuracy;
  std::optional<double> best_log_loss;  // Natural logarithm.
  std::optional<double> mean_log_loss;
  std::optional<double> best_ratio;  // images/s ÷ the ancestor's.
  // Of everybody EVALUATED up to this generation: the volume that they dominate below
  // (1, 1, 1) in (log-loss ÷ ln(classes), 1 ÷ ratio, bytes ÷ generation 0's), which is below
  // 1. The first of 1 is a network that knows nothing, the others are generation 0 itself,
  // so that it has none.
  std::optional<double> hypervolume;
  // MeanArchitecturalSimilarity of those that are born; not filled in here.
  std::optional<double> similarity;
};

// What tells hypervolume and similarity to the reader of the help.
extern const char kGenerationsFootnote[];

// By generation, as `individuals` are.
std::vector<GenerationFigures> FiguresOfGenerations(const v1::Experiment& experiment,
                                                    const std::vector<v1::Individual>& individuals);

// One row a generation. Column names of CSV and JSON ({"generations": [...]}) are:
// generation, individuals, evaluated, diverged, mean_megabytes, best_selection_accuracy,
// mean_selection_accuracy, best_selection_log_loss, mean_selection_log_loss,
// best_ratio_to_ancestor, hypervolume, mean_similarity. What is absent is empty, null in
// JSON.
std::string RenderGenerations(Format format, const std::vector<GenerationFigures>& generations);

}  // namespace squish

#endif  // SQUISH_CTL_GENERATIONS_H_
