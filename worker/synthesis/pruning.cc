#include "worker/synthesis/pruning.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

#include "common/base/status_macros.h"
#include "common/genome/ancestors.h"
#include "worker/synthesis/budget.h"

namespace squish {
namespace {

constexpr int kBisections = 53;  // Of an interval of length 1, down to its last bit.

// How many filters each group keeps.
using Counts = std::vector<int>;

Counts FilterCounts(const Genome& genome) {
  Counts counts;
  for (const FilterGroup& group : genome.groups()) {
    counts.push_back(genome.conv(group.layers.front()).filters());
  }
  return counts;
}

double BudgetOf(const Genome& genome, const Counts& counts, const BudgetLimit& limit) {
  return PriceOf(genome, limit.prices, std::vector<double>(counts.begin(), counts.end()));
}

class Pruning {
 public:
  Pruning(const Genome& genome, const Strengths& strengths, int floor, const BudgetLimit& limit)
      : genome_(genome), strengths_(strengths), limit_(limit), all_(FilterCounts(genome)),
        floors_(FloorsOf(genome, floor)) {}

  absl::StatusOr<Pruned> Run(v1::SynthesisSpec::Ranking ranking) const {
    SQUISH_RETURN_IF_ERROR(CheckFloors());
    return Keeping(ranking == v1::SynthesisSpec::GLOBAL ? GlobalCounts() : LayerCounts(all_));
  }

  absl::StatusOr<Pruned> CutOne(int candidate) const {
    SQUISH_RETURN_IF_ERROR(CheckFloors());
    std::vector<std::tuple<bool, double, size_t, int>> cuts;  // falls short, lost, group, count
    for (size_t g = 0; g < all_.size(); ++g) {
      if (!genome_.groups()[g].prunable) continue;
      Counts counts = all_;
      const int least = std::max(floors_[g], (all_[g] + 1) / 2);
      while (counts[g] > least && BudgetOf(genome_, counts, limit_) > limit_.target) --counts[g];
      const bool falls_short = BudgetOf(genome_, counts, limit_) > limit_.target;
      cuts.emplace_back(falls_short, ShareLost(g, counts[g]), g, counts[g]);
    }
    std::sort(cuts.begin(), cuts.end());
    const auto& [falls_short, lost, group, count] =
        cuts[static_cast<size_t>(candidate) % cuts.size()];
    Counts counts = all_;
    counts[group] = count;
    if (!falls_short) return Keeping(counts);
    // The cut layer stays as it is, unless the floors of all others are still too much.
    Counts others = floors_;
    others[group] = count;
    if (BudgetOf(genome_, others, limit_) <= limit_.target) return Keeping(LayerCounts(counts, group));
    return Keeping(LayerCounts(all_));
  }

 private:
  static constexpr size_t kNoGroup = static_cast<size_t>(-1);

  absl::Status CheckFloors() const {
    const double least = BudgetOf(genome_, floors_, limit_);
    return least > limit_.target ? UnreachableBudget(limit_, least) : absl::OkStatus();
  }

  Pruned Keeping(const Counts& counts) const {
    Pruned pruned;
    for (size_t g = 0; g < counts.size(); ++g) pruned.keep.push_back(Strongest(g, counts[g]));
    pruned.budget = BudgetOf(genome_, counts, limit_);
    return pruned;
  }

  // The part of a group's strength that is lost when so many of its strongest are kept.
  double ShareLost(size_t group, int count) const {
    double whole = 0, kept = 0;
    for (const double strength : strengths_[group]) whole += strength;
    for (const int c : Strongest(group, count)) kept += strengths_[group][static_cast<size_t>(c)];
    return whole > 0 ? 1 - kept / whole : 0;
  }

  // The groups of the filters that may go, weakest first: no more of a group than its floor
  // allows.
  std::vector<size_t> RemovalOrder() const {
    std::vector<std::tuple<double, size_t, int>> ranked;  // strength, group, filter
    for (size_t g = 0; g < all_.size(); ++g) {
      for (int c = 0; c < all_[g]; ++c) {
        ranked.emplace_back(strengths_[g][static_cast<size_t>(c)], g, c);
      }
    }
    std::sort(ranked.begin(), ranked.end());
    Counts left = all_;
    std::vector<size_t> order;
    for (const auto& [strength, group, filter] : ranked) {
      if (left[group] == floors_[group]) continue;
      --left[group];
      order.push_back(group);
    }
    return order;
  }

  Counts GlobalCounts() const {
    const std::vector<size_t> order = RemovalOrder();
    const auto after = [&](size_t removed) {
      Counts counts = all_;
      for (size_t i = 0; i < removed; ++i) --counts[order[i]];
      return counts;
    };
    if (BudgetOf(genome_, all_, limit_) <= limit_.target) return all_;
    // The fewest that must go: budgets fall with every filter.
    size_t too_few = 0, enough = order.size();
    while (enough - too_few > 1) {
      const size_t middle = too_few + (enough - too_few) / 2;
      const bool fits = BudgetOf(genome_, after(middle), limit_) <= limit_.target;
      (fits ? enough : too_few) = middle;
    }
    return after(enough);
  }

  // The same share of `from` of every group but `fixed`.
  Counts LayerCounts(const Counts& from, size_t fixed = kNoGroup) const {
    const auto with_share = [&](double share) {
      Counts counts;
      for (size_t g = 0; g < from.size(); ++g) {
        const int kept = static_cast<int>(std::floor(share * from[g] + 0.5));
        counts.push_back(g == fixed ? from[g] : std::max(floors_[g], kept));
      }
      return counts;
    };
    if (BudgetOf(genome_, from, limit_) <= limit_.target) return from;
    double fits = 0, too_much = 1;
    for (int i = 0; i < kBisections; ++i) {
      const double middle = fits + 0.5 * (too_much - fits);
      (BudgetOf(genome_, with_share(middle), limit_) <= limit_.target ? fits : too_much) = middle;
    }
    return with_share(fits);
  }

  std::vector<int> Strongest(size_t group, int count) const {
    std::vector<int> order(static_cast<size_t>(all_[group]));
    std::iota(order.begin(), order.end(), 0);
    // As in RemovalOrder, where of equal ones the first goes first.
    std::sort(order.begin(), order.end(), [&](int a, int b) {
      return std::make_pair(strengths_[group][static_cast<size_t>(a)], a) >
             std::make_pair(strengths_[group][static_cast<size_t>(b)], b);
    });
    order.resize(static_cast<size_t>(count));
    std::sort(order.begin(), order.end());
    return order;
  }

  const Genome& genome_;
  const Strengths& strengths_;
  const BudgetLimit& limit_;
  const Counts all_;  // By group, like the next.
  const Counts floors_;
};

}  // namespace

absl::StatusOr<Pruned> KeepStrongest(const Genome& genome, const Strengths& strengths,
                                     v1::SynthesisSpec::Ranking ranking, int floor,
                                     const BudgetLimit& limit) {
  return Pruning(genome, strengths, floor, limit).Run(ranking);
}

absl::StatusOr<Pruned> CutOneLayer(const Genome& genome, const Strengths& strengths,
                                   int candidate, int floor, const BudgetLimit& limit) {
  return Pruning(genome, strengths, floor, limit).CutOne(candidate);
}

absl::StatusOr<Genome> WidestWithin(int classes, const BudgetLimit& limit) {
  const auto price_of = [&](const Genome& genome) {
    return BudgetOf(genome, FilterCounts(genome), limit);
  };
  SQUISH_ASSIGN_OR_RETURN(Genome whole, SqueezeNetV11(classes));
  if (price_of(whole) <= limit.target) return whole;
  // Every layer has at least one filter, however narrow.
  constexpr double kNarrowest = 1e-6;
  SQUISH_ASSIGN_OR_RETURN(Genome widest, SqueezeNetV11(classes, kNarrowest));
  if (price_of(widest) > limit.target) return UnreachableBudget(limit, price_of(widest));
  double fits = kNarrowest, too_much = 1;
  for (int i = 0; i < kBisections; ++i) {
    const double middle = fits + 0.5 * (too_much - fits);
    SQUISH_ASSIGN_OR_RETURN(Genome genome, SqueezeNetV11(classes, middle));
    if (price_of(genome) > limit.target) {
      too_much = middle;
      continue;
    }
    fits = middle;
    widest = std::move(genome);
  }
  return widest;
}

}  // namespace squish
