#include "worker/synthesis/mating.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/exact_math.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

constexpr int kAbsent = -1;

bool IsOfPictures(v1::SynthesisSpec::Strength strength) {
  return strength == v1::SynthesisSpec::TAYLOR || strength == v1::SynthesisSpec::ACTIVATION;
}

// Where an end of a synapse comes from: a layer, and a filter's lineage there (of the
// picture's layer: a channel).
using Origin = std::pair<int, int>;

std::vector<Origin> InputsByLineage(const Genome& genome, int layer) {
  std::vector<Origin> origins;
  for (const Genome::ChannelOrigin& origin : genome.InputOrigins(layer)) {
    const bool picture = !genome.IsConv(origin.layer);
    origins.emplace_back(origin.layer,
                         picture ? origin.filter : genome.conv(origin.layer).lineage[origin.filter]);
  }
  return origins;
}

// The positions in `all` of what is looked for, or kAbsent.
template <typename T>
std::vector<int> PositionsIn(const std::vector<T>& all, const std::vector<T>& wanted) {
  std::map<T, int> positions;
  for (size_t i = 0; i < all.size(); ++i) positions.emplace(all[i], static_cast<int>(i));
  std::vector<int> found;
  for (const T& one : wanted) {
    const auto at = positions.find(one);
    found.push_back(at == positions.end() ? kAbsent : at->second);
  }
  return found;
}

// The same layers, whatever filters are left in them?
bool SameAncestor(const Genome& a, const Genome& b) {
  if (a.size() != b.size() || a.classes() != b.classes()) return false;
  for (int l = 0; l < a.size(); ++l) {
    Layer left = a.layer(l), right = b.layer(l);
    for (Layer* layer : {&left, &right}) {
      if (auto* conv = std::get_if<Conv2d>(&layer->operation)) conv->lineage.clear();
    }
    if (!(left == right)) return false;
  }
  return true;
}

// One layer's synapses in one parent, addressed as the candidate's are.
struct View {
  const Tensor* weight;
  const Tensor* bias;
  std::vector<int> filters;  // Of each candidate filter the parent's position, or kAbsent.
  std::vector<int> inputs;   // Likewise of each candidate input.

  // The first weight of a kernel, or null where an end is missing.
  const float* Kernel(size_t filter, size_t input) const {
    if (filters[filter] == kAbsent || inputs[input] == kAbsent) return nullptr;
    const size_t area = static_cast<size_t>(weight->shape[2] * weight->shape[3]);
    const size_t row = static_cast<size_t>(filters[filter] * weight->shape[1] + inputs[input]);
    return weight->values.data() + row * area;
  }
};

class Mating {
 public:
  Mating(absl::Span<const Parent> parents, const v1::SynthesisSpec& spec)
      : parents_(parents), spec_(spec) {
    for (size_t k = 0; k < parents.size(); ++k) {
      shares_.push_back(spec.shares().empty() ? 1.0 : spec.shares(static_cast<int>(k)));
    }
  }

  absl::StatusOr<Candidate> Make(uint64_t seed, const v1::JobKey& key) {
    const Network& first = parents_[0].network;
    if (parents_.size() == 1) {
      Candidate candidate{first, {}};
      candidate.strengths = AllStrengths(candidate.network.genome);
      return candidate;
    }
    SQUISH_ASSIGN_OR_RETURN(Genome genome, Genome::Create(CandidateLayers()));
    TensorMap weights = FreshWeights(genome, seed, key.generation(), key.index());
    for (const int layer : genome.convs()) Inherit(genome, layer, weights);
    Strengths strengths = AllStrengths(genome);
    return Candidate{Network{std::move(genome), std::move(weights), first.class_names,
                             first.preprocessing, first.provenance},
                     std::move(strengths)};
  }

 private:
  // --- Which filters -----------------------------------------------------------

  std::vector<Layer> CandidateLayers() const {
    const Genome& genome = parents_[0].network.genome;
    std::vector<Layer> layers = genome.layers();
    for (const FilterGroup& group : genome.groups()) {
      if (!group.prunable) continue;
      const std::vector<int> lineage = CandidateLineage(group.layers.front());
      for (const int layer : group.layers) {
        std::get<Conv2d>(layers[layer].operation).lineage = lineage;
      }
    }
    return layers;
  }

  // Lineages that enough parents have, ascending.
  std::vector<int> CandidateLineage(int layer) const {
    struct Holders {
      int count = 0;
      int first = 0;  // The best ranked of them.
    };
    std::map<int, Holders> holders;
    for (size_t k = 0; k < parents_.size(); ++k) {
      for (const int lineage : parents_[k].network.genome.conv(layer).lineage) {
        Holders& of = holders[lineage];
        if (of.count++ == 0) of.first = static_cast<int>(k);
      }
    }
    // ⌈Φ · m⌉, where a product such as 0.6 · 5 may lie a bit above its true value.
    const int needed =
        static_cast<int>(std::ceil(spec_.tagging() * static_cast<double>(parents_.size()) - 1e-9));
    std::vector<std::tuple<int, int, int>> ranked;  // −count, first holder, lineage
    for (const auto& [lineage, of] : holders) ranked.emplace_back(-of.count, of.first, lineage);
    std::sort(ranked.begin(), ranked.end());
    std::vector<int> lineages;
    for (const auto& [minus_count, holder, lineage] : ranked) {
      const bool below_floor = static_cast<int>(lineages.size()) < spec_.minimum_filters();
      if (-minus_count >= needed || below_floor) lineages.push_back(lineage);
    }
    std::sort(lineages.begin(), lineages.end());
    return lineages;
  }

  // --- Weights -----------------------------------------------------------------

  std::vector<View> ViewsOf(const Genome& genome, int layer) const {
    const std::string& name = genome.layer(layer).name;
    const std::vector<int>& filters = genome.conv(layer).lineage;
    const std::vector<Origin> inputs = InputsByLineage(genome, layer);
    std::vector<View> views;
    for (const Parent& parent : parents_) {
      const Genome& theirs = parent.network.genome;
      views.push_back({&parent.network.weights.at(absl::StrCat(name, ".weight")),
                       &parent.network.weights.at(absl::StrCat(name, ".bias")),
                       PositionsIn(theirs.conv(layer).lineage, filters),
                       PositionsIn(InputsByLineage(theirs, layer), inputs)});
    }
    return views;
  }

  void Inherit(const Genome& genome, int layer, TensorMap& weights) const {
    const std::string& name = genome.layer(layer).name;
    const std::vector<View> views = ViewsOf(genome, layer);
    Tensor& weight = weights.at(absl::StrCat(name, ".weight"));
    Tensor& bias = weights.at(absl::StrCat(name, ".bias"));
    const size_t inputs = views[0].inputs.size();
    const size_t area = static_cast<size_t>(weight.shape[2] * weight.shape[3]);
    for (size_t f = 0; f < bias.values.size(); ++f) {
      const auto holder = std::find_if(views.begin(), views.end(), [f](const View& view) {
        return view.filters[f] != kAbsent;
      });
      bias.values[f] = holder->bias->values[static_cast<size_t>(holder->filters[f])];
      for (size_t i = 0; i < inputs; ++i) {
        for (const View& view : views) {
          const float* const kernel = view.Kernel(f, i);
          if (kernel == nullptr) continue;
          std::copy(kernel, kernel + area, weight.values.begin() + (f * inputs + i) * area);
          break;
        }
      }
    }
  }

  // --- Strengths ---------------------------------------------------------------

  Strengths AllStrengths(const Genome& genome) const {
    const bool of_pictures = IsOfPictures(spec_.strength());
    const std::vector<double> units = of_pictures ? Units() : std::vector<double>();
    Strengths strengths;
    for (const FilterGroup& group : genome.groups()) {
      std::vector<double> of_group(genome.conv(group.layers.front()).lineage.size(), 0.0);
      if (group.prunable) {
        for (const int layer : group.layers) {
          if (of_pictures) {
            AddPictureStrengths(genome, layer, units, of_group);
          } else {
            AddWeightStrengths(genome, layer, of_group);
          }
        }
        if (spec_.strength() == v1::SynthesisSpec::L2) {
          for (double& strength : of_group) strength = std::sqrt(strength);
        }
      }
      strengths.push_back(std::move(of_group));
    }
    return strengths;
  }

  // Π_k x_k^(a_k) over the parents for which `value(k)` is not negative.
  template <typename Value>
  double Product(const Value& value) const {
    if (parents_.size() == 1) return value(0);
    double log = 0, shares = 0;
    for (size_t k = 0; k < parents_.size(); ++k) {
      const double x = value(k);
      if (x < 0) continue;
      if (x == 0) return 0;
      log += shares_[k] * ExactLog(x);
      shares += shares_[k];
    }
    return shares == 0 ? 0 : ExactExp(log / shares);
  }

  void AddWeightStrengths(const Genome& genome, int layer, std::vector<double>& sums) const {
    const std::vector<View> views = ViewsOf(genome, layer);
    const auto area = static_cast<size_t>(views[0].weight->shape[2] * views[0].weight->shape[3]);
    const bool squared = spec_.strength() == v1::SynthesisSpec::L2;
    for (size_t f = 0; f < sums.size(); ++f) {
      for (size_t i = 0; i < views[0].inputs.size(); ++i) {
        for (size_t j = 0; j < area; ++j) {
          const double magnitude = Product([&](size_t k) {
            const float* const kernel = views[k].Kernel(f, i);
            if (kernel == nullptr) return -1.0;
            const double weight = std::fabs(static_cast<double>(kernel[j]));
            return weight >= spec_.truncation() ? weight : 0.0;
          });
          sums[f] += squared ? magnitude * magnitude : magnitude;
        }
      }
    }
  }

  const Tensor& PictureStrengths(const Parent& parent, int layer) const {
    const bool taylor = spec_.strength() == v1::SynthesisSpec::TAYLOR;
    return parent.strengths->at(absl::StrCat(parent.network.genome.layer(layer).name,
                                             taylor ? ".taylor" : ".activation"));
  }

  // Each parent's mean strength, which differs as their losses do; 1 where all are 0.
  std::vector<double> Units() const {
    std::vector<double> units;
    for (const Parent& parent : parents_) {
      double sum = 0, count = 0;
      for (const FilterGroup& group : parent.network.genome.groups()) {
        if (!group.prunable) continue;
        for (const int layer : group.layers) {
          for (const float strength : PictureStrengths(parent, layer).values) sum += strength;
        }
        count += parent.network.genome.conv(group.layers.front()).filters();
      }
      units.push_back(sum > 0 ? sum / count : 1.0);
    }
    return units;
  }

  void AddPictureStrengths(const Genome& genome, int layer, const std::vector<double>& units,
                           std::vector<double>& sums) const {
    std::vector<std::vector<int>> filters;  // By parent.
    for (const Parent& parent : parents_) {
      filters.push_back(
          PositionsIn(parent.network.genome.conv(layer).lineage, genome.conv(layer).lineage));
    }
    for (size_t f = 0; f < sums.size(); ++f) {
      sums[f] += Product([&](size_t k) {
        if (filters[k][f] == kAbsent) return -1.0;
        const auto position = static_cast<size_t>(filters[k][f]);
        return PictureStrengths(parents_[k], layer).values[position] / units[k];
      });
    }
  }

  const absl::Span<const Parent> parents_;
  const v1::SynthesisSpec& spec_;
  std::vector<double> shares_;  // In any unit: Product divides by their sum.
};

}  // namespace

absl::StatusOr<Candidate> Mate(absl::Span<const Parent> parents, const v1::SynthesisSpec& spec,
                               uint64_t seed, const v1::JobKey& key) {
  // More are fine: where fewer were selected than wanted, the best ranked keep theirs.
  if (!spec.shares().empty() && static_cast<size_t>(spec.shares_size()) < parents.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(spec.shares_size(), " shares for ", parents.size(), " parents"));
  }
  for (const Parent& parent : parents) {
    if (!SameAncestor(parents[0].network.genome, parent.network.genome)) {
      return absl::InvalidArgumentError("parents must descend from the same ancestor");
    }
    if (IsOfPictures(spec.strength()) && !parent.strengths.has_value()) {
      return absl::InvalidArgumentError("a parent's strengths are missing");
    }
  }
  return Mating(parents, spec).Make(seed, key);
}

}  // namespace squish
