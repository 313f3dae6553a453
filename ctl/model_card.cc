#include "ctl/model_card.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "ctl/champions.h"
#include "ctl/table.h"

namespace squish {
namespace {

// Beyond these a table of classes is no longer read.
constexpr int kClassesOfConfusion = 12;
constexpr int kClassesListed = 100;

// As torchvision has it, for 1,000 classes.
constexpr int64_t kAlexNetParameters = 61'100'840;

std::string NameOf(const v1::IndividualName& name) {
  return absl::StrCat(name.generation(), ":", name.index());
}

std::string Megabytes(int64_t bytes) {
  return absl::StrFormat("%.3f MB", static_cast<double>(bytes) * 1e-6);
}

std::string Percent(double fraction) { return absl::StrFormat("%.2f %%", 100 * fraction); }

// Text that comes from outside, inside a table or a line.
std::string Plain(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"|", "\\|"}, {"\n", " "}, {"<", "&lt;"}});
}

void Row(std::string& card, const std::vector<std::string>& cells) {
  absl::StrAppend(&card, "| ", absl::StrJoin(cells, " | "), " |\n");
}

void Titles(std::string& card, const std::vector<std::string>& titles) {
  Row(card, titles);
  Row(card, std::vector<std::string>(titles.size(), "---"));
}

void Heading(const ModelCardFacts& facts, std::string& card) {
  const v1::Champion& champion = facts.champion;
  const v1::Individual& individual = champion.individual();
  absl::StrAppend(&card, "# ", Plain(facts.experiment.spec().name()), ", individual ",
                  NameOf(individual.name()), "\n\n");
  absl::StrAppend(
      &card, "An image classifier for ", facts.network.class_names.size(),
      " classes, bred from SqueezeNet v1.1 by deep evolutionary synthesis (experiment `",
      facts.experiment.id(), "`). It was handed out as: ", RolesText(champion), ".\n");
  if (!champion.feasible()) {
    absl::StrAppend(&card, "\n**It does not meet every constraint of the experiment.**\n");
  }
  absl::StrAppend(&card, "\n");
}

// Where synapses were drawn: the ancestor's weights ÷ those that are left.
void SynapticEfficiency(const ModelCardFacts& facts, std::string& card) {
  const int64_t left = facts.champion.individual().synapses();
  if (!facts.experiment.spec().synthesis().has_synapses() || left == 0) return;
  for (const v1::Individual& one : facts.individuals) {
    if (one.name().generation() != 0) continue;
    Row(card, {"synaptic efficiency",
               absl::StrFormat("%.2f times", static_cast<double>(one.synapses()) /
                                                 static_cast<double>(left)),
               absl::StrCat(WithThousands(left), " weights are not 0, of the ancestor ",
                            WithThousands(one.synapses()),
                            "; the network is no faster for it and its file no smaller")});
  }
}

void Figures(const ModelCardFacts& facts, std::string& card) {
  const v1::Champion& champion = facts.champion;
  const v1::Individual& individual = champion.individual();
  const v1::Evaluation& evaluation = champion.evaluation();
  absl::StrAppend(&card, "## Figures\n\n");
  Titles(card, {"figure", "value", "measured on"});
  Row(card, {"parameters", WithThousands(individual.parameters()), "fp32"});
  const auto smaller_than = [&](absl::string_view network, int64_t parameters) {
    Row(card, {absl::StrCat("smaller than ", network),
               absl::StrFormat("%.2f times", static_cast<double>(parameters) /
                                                 static_cast<double>(individual.parameters())),
               absl::StrCat("by its ", WithThousands(parameters), " parameters")});
  };
  smaller_than("AlexNet", kAlexNetParameters);
  smaller_than("SqueezeNet v1.1 for 1,000 classes", CountParameters(*SqueezeNetV11(1000)));
  SynapticEfficiency(facts, card);
  Row(card, {"size", Megabytes(individual.bytes()), "fp32 weights, 10^6 bytes"});
  const int side = facts.experiment.spec().measurement().input_size();
  Row(card, {"multiply-adds", WithThousands(individual.macs()),
             absl::StrCat("one picture of ", side, "×", side)});
  const std::string val = absl::StrCat("`val/`, ", evaluation.images(),
                                       " pictures, looked at once in this experiment");
  Row(card, {"accuracy", Percent(evaluation.accuracy()), val});
  Row(card, {"class-balanced accuracy", Percent(evaluation.balanced_accuracy()), val});
  Row(card, {"log-loss", absl::StrFormat("%.4f", evaluation.log_loss()), val});
  Row(card, {"accuracy for selection", Percent(champion.selection_accuracy()),
             absl::StrCat("selection split, ", facts.experiment.dataset().selection_images(),
                          " pictures held out of `train/`")});
  const std::string device =
      individual.measured_on().empty() ? "-" : Plain(individual.measured_on());
  if (individual.has_images_per_second()) {
    Row(card, {"images/s", absl::StrFormat("%.1f", individual.images_per_second()), device});
  }
  if (individual.has_ratio_to_ancestor()) {
    Row(card, {"images/s ÷ the ancestor's", absl::StrFormat("%.3f", individual.ratio_to_ancestor()),
               device});
  }
  if (individual.has_images_per_joule()) {
    Row(card, {"images/joule", absl::StrFormat("%.2f", individual.images_per_joule()),
               absl::StrCat(device, "; power of the whole module, by its own sensor")});
  }
  for (const v1::Speed& speed : individual.beside()) {
    Row(card, {"images/s beside",
               speed.has_images_per_second()
                   ? absl::StrFormat("%.1f, ratio %.3f", speed.images_per_second(),
                                     speed.ratio_to_ancestor())
                   : "refused",
               Plain(speed.measured_on())});
  }
  absl::StrAppend(&card, "\n");
}

// What a network that did not begin with fresh weights began with.
std::string Origin(const v1::AncestorSpec& ancestor) {
  if (ancestor.has_branch()) {
    return absl::StrCat("those of individual ", NameOf(ancestor.branch().individual()),
                        " of experiment `", ancestor.branch().experiment(), "`");
  }
  if (ancestor.has_imported()) {
    return absl::StrCat("imported ones (SHA-256 `", ancestor.imported().digest(), "`)");
  }
  return "those of a network that was given";
}

void Notes(const ModelCardFacts& facts, std::string& card) {
  const v1::Provenance& provenance = facts.network.provenance;
  absl::StrAppend(&card, "## Licences and what to know of the figures\n\n");
  const bool known = !provenance.licence().empty() || !provenance.note().empty();
  if (facts.experiment.spec().ancestor().has_squeezenet_v1_1() && !known) {
    absl::StrAppend(&card, "- Its weights began fresh: they have seen no other pictures than the "
                           "training split below.\n");
  } else {
    absl::StrAppend(&card, "- Its weights began as ", Origin(facts.experiment.spec().ancestor()),
                    "; licence: ",
                    provenance.licence().empty() ? "not stated" : Plain(provenance.licence()),
                    ".\n- **",
                    provenance.note().empty()
                        ? "Which pictures those weights have seen was not stated: figures on "
                          "pictures that they have seen are optimistic."
                        : Plain(provenance.note()),
                    "**\n");
  }
  const std::string& terms = facts.experiment.spec().data_terms();
  absl::StrAppend(&card, "- Pictures: ", terms.empty() ? "their terms were not stated" : Plain(terms),
                  ".\n\n");
}

void Data(const ModelCardFacts& facts, std::string& card) {
  const v1::DatasetSummary& data = facts.experiment.dataset();
  const v1::Preprocessing& preprocessing = facts.network.preprocessing;
  absl::StrAppend(&card, "## Data\n\n- Data set `", Plain(facts.experiment.spec().dataset().name()),
                  "`, fingerprint `", data.fingerprint(), "`\n- ", data.train_images(),
                  " pictures to train on, ", data.selection_images(), " to select by, ",
                  data.val_images(), " in `val/`\n");
  if (data.unreadable_images() > 0) {
    absl::StrAppend(&card, "- ", data.unreadable_images(),
                    " files could not be read and were left out\n");
  }
  absl::StrAppend(&card, "- Input ", preprocessing.input_size(), "×", preprocessing.input_size(),
                  " RGB, ", v1::ResizeRule_Name(preprocessing.resize()), ", (x/255 − mean) / std with",
                  " mean ", absl::StrJoin(preprocessing.mean(), ", "), " and std ",
                  absl::StrJoin(preprocessing.std(), ", "), "\n\n");
}

void Classes(const ModelCardFacts& facts, std::string& card) {
  const v1::Evaluation& evaluation = facts.champion.evaluation();
  const int classes = static_cast<int>(facts.network.class_names.size());
  if (evaluation.confusion_size() != classes * classes || classes > kClassesListed) return;
  const bool with_confusion = classes <= kClassesOfConfusion;
  absl::StrAppend(&card, "## Classes\n\n", "Of `val/`",
                  with_confusion ? "; columns on the right count what pictures of the row's class "
                                   "were taken for"
                                 : "",
                  ".\n\n");
  std::vector<std::string> titles = {"class", "pictures", "accuracy"};
  for (int c = 0; with_confusion && c < classes; ++c) titles.push_back(absl::StrCat(c));
  Titles(card, titles);
  for (int row = 0; row < classes; ++row) {
    int64_t pictures = 0;
    for (int c = 0; c < classes; ++c) pictures += evaluation.confusion(row * classes + c);
    const int correct = evaluation.confusion(row * classes + row);
    std::vector<std::string> cells = {
        absl::StrCat(row, " ", Plain(facts.network.class_names[row])), absl::StrCat(pictures),
        pictures == 0 ? "-" : Percent(static_cast<double>(correct) / static_cast<double>(pictures))};
    for (int c = 0; with_confusion && c < classes; ++c) {
      cells.push_back(absl::StrCat(evaluation.confusion(row * classes + c)));
    }
    Row(card, cells);
  }
  absl::StrAppend(&card, "\n");
}

void Ancestry(const ModelCardFacts& facts, std::string& card) {
  const v1::Champion& champion = facts.champion;
  absl::StrAppend(&card, "## Lineage\n\n");
  if (champion.final_diverged()) {
    absl::StrAppend(&card, "Its final training diverged; this is the network as it was selected.\n\n");
  } else if (champion.final_images() > 0) {
    absl::StrAppend(&card, "After its selection it was trained further with ",
                    WithThousands(champion.final_images()), " pictures.\n\n");
  }
  Titles(card, {"individual", "parameters", "size", "selection accuracy", "ratio", "pictures"});
  for (const v1::Individual& one : Lineage(facts.individuals, champion.individual().name())) {
    Row(card, {NameOf(one.name()), WithThousands(one.parameters()), Megabytes(one.bytes()),
               one.has_selection_accuracy() ? Percent(one.selection_accuracy()) : "-",
               one.has_ratio_to_ancestor() ? absl::StrFormat("%.3f", one.ratio_to_ancestor()) : "-",
               WithThousands(one.images_seen())});
  }
  if (facts.experiment.spec().ancestor().has_branch()) {
    const v1::BranchPoint& branch = facts.experiment.spec().ancestor().branch();
    absl::StrAppend(&card, "\nThe experiment is a branch of `", branch.experiment(),
                    "`, from its individual ", NameOf(branch.individual()),
                    "; ratios are to that experiment's ancestor.\n");
  }
  absl::StrAppend(&card, "\n");
}

void Files(const ModelCardFacts& facts, std::string& card) {
  absl::StrAppend(&card, "## Files\n\n");
  Titles(card, {"file", "bytes", "SHA-256", "outputs differ by", "at 100×100", "checked with"});
  for (const v1::ExportedFile& file : facts.champion.files()) {
    Row(card, {absl::StrCat("`", file.name(), "`"), WithThousands(file.bytes()),
               absl::StrCat("`", file.artifact().substr(0, 16), "…`"),
               absl::StrFormat("%.1e", file.difference()),
               absl::StrFormat("%.1e", file.difference_at_100()), Plain(file.checked_with())});
  }
  absl::StrAppend(
      &card,
      "\nDifferences are in units of the network's largest absolute output. `labels.txt` has the "
      "class names, `preprocessing.json` what is to be done to a picture, `predictions.csv` each "
      "picture of `val/` with its predicted class and log-loss. `classify.cc` classifies a picture "
      "with nothing but OpenCV.\n");
}

}  // namespace

std::vector<v1::Individual> Lineage(const std::vector<v1::Individual>& individuals,
                                    v1::IndividualName name) {
  std::vector<v1::Individual> lineage;
  // A parent is always of an earlier generation, so this ends.
  for (std::optional<v1::IndividualName> next = std::move(name); next.has_value();) {
    const auto found =
        std::find_if(individuals.begin(), individuals.end(), [&](const v1::Individual& one) {
          return one.name().generation() == next->generation() &&
                 one.name().index() == next->index();
        });
    if (found == individuals.end()) break;
    const int generation = next->generation();
    next.reset();
    lineage.push_back(*found);
    if (!found->parents().empty() && found->parents(0).generation() < generation) {
      next = found->parents(0);
    }
  }
  return lineage;
}

std::string ModelCard(const ModelCardFacts& facts) {
  std::string card;
  Heading(facts, card);
  Figures(facts, card);
  Notes(facts, card);
  Data(facts, card);
  Classes(facts, card);
  Ancestry(facts, card);
  Files(facts, card);
  return card;
}

}  // namespace squish
