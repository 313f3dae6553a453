#include "worker/synthesis/pruning.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

#include "common/base/status_macros.h"
#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "worker/synthesis/budget.h"

namespace squish {
namespace {

constexpr int kBisections = 53;  // Of an interval of length 1, down to its last bit.

// How many filters each group keeps.
using Counts = std::vector<int>;

absl::StatusOr<double> BudgetOf(const Genome& genome, const Counts& counts,
                                const BudgetLimit& limit) {
  return BudgetOfKept(genome, counts, limit.resource, limit.input_size);
}

class Pruning {
 public:
  Pruning(const Genome& genome, const Strengths& strengths, int floor, const BudgetLimit& limit)
      : genome_(genome), strengths_(strengths), limit_(limit), floors_(FloorsOf(genome, floor)) {
    for (const std::vector<double>& group : strengths) all_.push_back(static_cast<int>(group.size()));
  }

  absl::StatusOr<Pruned> Run(v1::SynthesisSpec::Ranking ranking) const {
    SQUISH_ASSIGN_OR_RETURN(const double least, BudgetOf(genome_, floors_, limit_));
    if (least > limit_.target) return UnreachableBudget(limit_.target, least, limit_.resource);
    SQUISH_ASSIGN_OR_RETURN(
        const Counts counts, ranking == v1::SynthesisSpec::GLOBAL ? GlobalCounts() : LayerCounts());
    Pruned pruned;
    for (size_t g = 0; g < counts.size(); ++g) pruned.keep.push_back(Strongest(g, counts[g]));
    SQUISH_ASSIGN_OR_RETURN(pruned.budget, BudgetOf(genome_, counts, limit_));
    return pruned;
  }

 private:
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

  absl::StatusOr<Counts> GlobalCounts() const {
    const std::vector<size_t> order = RemovalOrder();
    const auto after = [&](size_t removed) {
      Counts counts = all_;
      for (size_t i = 0; i < removed; ++i) --counts[order[i]];
      return counts;
    };
    // The fewest that must go: budgets fall with every filter.
    size_t too_few = 0, enough = order.size();
    SQUISH_ASSIGN_OR_RETURN(const double whole, BudgetOf(genome_, all_, limit_));
    if (whole <= limit_.target) return all_;
    while (enough - too_few > 1) {
      const size_t middle = too_few + (enough - too_few) / 2;
      SQUISH_ASSIGN_OR_RETURN(const double budget, BudgetOf(genome_, after(middle), limit_));
      (budget <= limit_.target ? enough : too_few) = middle;
    }
    return after(enough);
  }

  absl::StatusOr<Counts> LayerCounts() const {
    const auto with_share = [&](double share) {
      Counts counts;
      for (size_t g = 0; g < all_.size(); ++g) {
        const int kept = static_cast<int>(std::floor(share * all_[g] + 0.5));
        counts.push_back(std::max(floors_[g], kept));
      }
      return counts;
    };
    SQUISH_ASSIGN_OR_RETURN(const double whole, BudgetOf(genome_, all_, limit_));
    if (whole <= limit_.target) return all_;
    double fits = 0, too_much = 1;
    for (int i = 0; i < kBisections; ++i) {
      const double middle = fits + 0.5 * (too_much - fits);
      SQUISH_ASSIGN_OR_RETURN(const double budget, BudgetOf(genome_, with_share(middle), limit_));
      (budget <= limit_.target ? fits : too_much) = middle;
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
  Counts all_;  // By group, like the next.
  const Counts floors_;
};

}  // namespace

absl::StatusOr<Pruned> KeepStrongest(const Genome& genome, const Strengths& strengths,
                                     v1::SynthesisSpec::Ranking ranking, int floor,
                                     const BudgetLimit& limit) {
  return Pruning(genome, strengths, floor, limit).Run(ranking);
}

absl::StatusOr<Genome> WidestWithin(int classes, const BudgetLimit& limit) {
  const auto cost_of = [&](const Genome& genome) -> absl::StatusOr<double> {
    SQUISH_ASSIGN_OR_RETURN(const Cost cost, ComputeCost(genome, limit.input_size));
    const bool counts_macs = limit.resource == v1::EnvironmentSpec::MACS;
    return static_cast<double>(counts_macs ? cost.macs : cost.parameters);
  };
  // Every layer has at least one filter, however narrow.
  constexpr double kNarrowest = 1e-6;
  SQUISH_ASSIGN_OR_RETURN(Genome widest, SqueezeNetV11(classes, kNarrowest));
  SQUISH_ASSIGN_OR_RETURN(const double least, cost_of(widest));
  if (least > limit.target) return UnreachableBudget(limit.target, least, limit.resource);
  double fits = kNarrowest, too_much = 1;
  {
    SQUISH_ASSIGN_OR_RETURN(Genome whole, SqueezeNetV11(classes));
    SQUISH_ASSIGN_OR_RETURN(const double cost, cost_of(whole));
    if (cost <= limit.target) return whole;
  }
  for (int i = 0; i < kBisections; ++i) {
    const double middle = fits + 0.5 * (too_much - fits);
    SQUISH_ASSIGN_OR_RETURN(Genome genome, SqueezeNetV11(classes, middle));
    SQUISH_ASSIGN_OR_RETURN(const double cost, cost_of(genome));
    if (cost > limit.target) {
      too_much = middle;
      continue;
    }
    fits = middle;
    widest = std::move(genome);
  }
  return widest;
}

}  // namespace squish
