#include "ctl/generations.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/pareto/pareto.h"
#include "ctl/table.h"

namespace squish {
namespace {

// The values that are known of a generation.
struct Values {
  std::vector<double> all;

  std::optional<double> Least() const {
    if (all.empty()) return std::nullopt;
    return *std::min_element(all.begin(), all.end());
  }
  std::optional<double> Most() const {
    if (all.empty()) return std::nullopt;
    return *std::max_element(all.begin(), all.end());
  }
  std::optional<double> Mean() const {
    if (all.empty()) return std::nullopt;
    return std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
  }
};

GenerationFigures FiguresOf(int generation, const std::vector<v1::Individual>& members) {
  GenerationFigures figures;
  figures.generation = generation;
  Values megabytes, accuracies, log_losses, ratios;
  for (const v1::Individual& member : members) {
    ++figures.individuals;
    if (member.state() == v1::Individual::EVALUATED) ++figures.evaluated;
    if (member.state() == v1::Individual::DIVERGED) ++figures.diverged;
    if (member.bytes() > 0) megabytes.all.push_back(static_cast<double>(member.bytes()) * 1e-6);
    if (member.has_selection_accuracy()) accuracies.all.push_back(member.selection_accuracy());
    if (std::isfinite(member.selection_log_loss()) && member.has_selection_log_loss()) {
      log_losses.all.push_back(member.selection_log_loss());
    }
    if (member.has_ratio_to_ancestor()) ratios.all.push_back(member.ratio_to_ancestor());
  }
  figures.mean_megabytes = megabytes.Mean();
  figures.best_accuracy = accuracies.Most();
  figures.mean_accuracy = accuracies.Mean();
  figures.best_log_loss = log_losses.Least();
  figures.mean_log_loss = log_losses.Mean();
  figures.best_ratio = ratios.Most();
  return figures;
}

// The volume that an evolution has come to dominate, generation by generation.
class DominatedVolume {
 public:
  DominatedVolume(const v1::Experiment& experiment, const v1::Individual& first)
      : worst_log_loss_(std::log(experiment.dataset().class_names_size())),
        first_bytes_(static_cast<double>(first.bytes())) {}

  void Add(const v1::Individual& individual) {
    const bool known = individual.state() == v1::Individual::EVALUATED &&
                       std::isfinite(individual.selection_log_loss()) &&
                       individual.ratio_to_ancestor() > 0;
    if (!known || !(worst_log_loss_ > 0) || !(first_bytes_ > 0)) return;
    front_.push_back({individual.selection_log_loss() / worst_log_loss_,
                      1 / individual.ratio_to_ancestor(),
                      static_cast<double>(individual.bytes()) / first_bytes_});
  }

  // Nothing before somebody was evaluated.
  std::optional<double> Volume() {
    if (front_.empty()) return std::nullopt;
    // The dominated add nothing, now or later.
    const std::vector<int> undominated = NonDominatedFronts(front_).front();
    std::vector<Objectives> kept;
    for (const int i : undominated) kept.push_back(std::move(front_[i]));
    front_ = std::move(kept);
    return Hypervolume(front_, {1, 1, 1});
  }

 private:
  const double worst_log_loss_;  // Of a network that finds all classes as likely.
  const double first_bytes_;
  std::vector<Objectives> front_;
};

std::string Cell(const std::optional<double>& value, int decimals) {
  return value.has_value() ? absl::StrFormat("%.*f", decimals, *value) : "-";
}

std::string Percent(const std::optional<double>& fraction) {
  return fraction.has_value() ? absl::StrFormat("%.1f %%", 100 * *fraction) : "-";
}

std::string Table(const std::vector<GenerationFigures>& generations) {
  std::vector<std::vector<std::string>> rows;
  for (const GenerationFigures& one : generations) {
    rows.push_back({absl::StrCat(one.generation), absl::StrCat(one.individuals),
                    absl::StrCat(one.evaluated), absl::StrCat(one.diverged),
                    Cell(one.mean_megabytes, 3), Percent(one.best_accuracy),
                    Percent(one.mean_accuracy), Cell(one.best_log_loss, 3),
                    Cell(one.mean_log_loss, 3), Cell(one.best_ratio, 3), Cell(one.hypervolume, 4),
                    Cell(one.similarity, 3)});
  }
  return FormatTable({{"generation"}, {"individuals"}, {"evaluated"}, {"diverged"}, {"mean MB"},
                      {"best accuracy"}, {"mean"}, {"best log-loss"}, {"mean"}, {"best ratio"},
                      {"hypervolume"}, {"similarity"}},
                     rows);
}

// In the order of the columns.
using Record = std::vector<std::pair<const char*, nlohmann::json>>;

Record RecordOf(const GenerationFigures& one) {
  const auto number = [](const std::optional<double>& value) {
    return value.has_value() ? nlohmann::json(*value) : nlohmann::json();
  };
  return {{"generation", one.generation},
          {"individuals", one.individuals},
          {"evaluated", one.evaluated},
          {"diverged", one.diverged},
          {"mean_megabytes", number(one.mean_megabytes)},
          {"best_selection_accuracy", number(one.best_accuracy)},
          {"mean_selection_accuracy", number(one.mean_accuracy)},
          {"best_selection_log_loss", number(one.best_log_loss)},
          {"mean_selection_log_loss", number(one.mean_log_loss)},
          {"best_ratio_to_ancestor", number(one.best_ratio)},
          {"hypervolume", number(one.hypervolume)},
          {"mean_similarity", number(one.similarity)}};
}

std::string Csv(const std::vector<GenerationFigures>& generations) {
  Sheet sheet;
  for (const auto& [name, value] : RecordOf({})) sheet.columns.push_back({name});
  for (const GenerationFigures& one : generations) {
    std::vector<std::string>& row = sheet.rows.emplace_back();
    for (const auto& [name, value] : RecordOf(one)) {
      row.push_back(value.is_null() ? "" : value.dump());
    }
  }
  return FormatCsv(sheet);
}

std::string Json(const std::vector<GenerationFigures>& generations) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const GenerationFigures& one : generations) {
    nlohmann::ordered_json row;
    for (const auto& [name, value] : RecordOf(one)) row[name] = value;
    rows.push_back(std::move(row));
  }
  return nlohmann::ordered_json{{"generations", rows}}.dump(2) + "\n";
}

}  // namespace

const char kGenerationsFootnote[] =
    "hypervolume: what all networks evaluated up to a generation dominate together, in "
    "(log-loss / ln(classes), 1 / ratio, bytes / generation 0's) below (1, 1, 1); 0 is no better "
    "than generation 0, 1 would be perfect at no cost.\n"
    "similarity: the share of the ancestor's filters that two networks of a generation both have, "
    "of those that either has; the mean over all pairs.";

std::vector<GenerationFigures> FiguresOfGenerations(
    const v1::Experiment& experiment, const std::vector<v1::Individual>& individuals) {
  std::vector<GenerationFigures> generations;
  if (individuals.empty()) return generations;
  std::map<int, std::vector<v1::Individual>> by_generation;
  for (const v1::Individual& individual : individuals) {
    by_generation[individual.name().generation()].push_back(individual);
  }
  DominatedVolume dominated(experiment, individuals.front());
  for (const auto& [generation, members] : by_generation) {
    for (const v1::Individual& member : members) dominated.Add(member);
    generations.push_back(FiguresOf(generation, members));
    generations.back().hypervolume = dominated.Volume();
  }
  return generations;
}

std::string RenderGenerations(Format format, const std::vector<GenerationFigures>& generations) {
  switch (format) {
    case Format::kJson: return Json(generations);
    case Format::kCsv: return Csv(generations);
    case Format::kTable: break;
  }
  return Table(generations);
}

}  // namespace squish
