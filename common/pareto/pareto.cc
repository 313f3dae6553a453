#include "common/pareto/pareto.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace squish {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Positions of `points`, ascending in one objective, equals by index.
std::vector<int> SortedBy(size_t objective, const std::vector<Objectives>& points) {
  std::vector<int> order(points.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return points[a][objective] < points[b][objective];
  });
  return order;
}

void AddRoom(size_t objective, const std::vector<Objectives>& front,
             std::vector<double>& distances) {
  const std::vector<int> order = SortedBy(objective, front);
  const auto value = [&](size_t place) { return front[order[place]][objective]; };
  const size_t last = order.size() - 1;
  const double span = value(last) - value(0);
  if (!(span > 0)) return;
  distances[order[0]] = distances[order[last]] = kInfinity;
  if (!std::isfinite(span)) return;
  for (size_t i = 1; i < last; ++i) {
    distances[order[i]] += (value(i + 1) - value(i - 1)) / span;
  }
}

// The volume of `points`, all below the reference, in the first `objectives` of them: the
// last one is cut where a point begins, and in each slice the dominated part of the others
// is the same throughout (hypervolume by slicing objectives). Equal values make slices of
// no thickness, whatever is in them, so that the order of equals does not matter.
double SlicedVolume(std::vector<const Objectives*> points, const Objectives& reference,
                    size_t objectives) {
  if (points.empty()) return 0;
  const size_t last = objectives - 1;
  const auto is_less = [last](const Objectives* a, const Objectives* b) {
    return (*a)[last] < (*b)[last];
  };
  if (last == 0) {
    return reference[0] - (**std::min_element(points.begin(), points.end(), is_less))[0];
  }
  std::sort(points.begin(), points.end(), is_less);
  double volume = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    const double end = i + 1 < points.size() ? (*points[i + 1])[last] : reference[last];
    const double thickness = end - (*points[i])[last];
    if (thickness == 0) continue;
    volume += thickness * SlicedVolume({points.begin(), points.begin() + i + 1}, reference, last);
  }
  return volume;
}

}  // namespace

bool WeaklyDominates(const Objectives& a, const Objectives& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (!(a[i] <= b[i])) return false;
  }
  return true;
}

bool Dominates(const Objectives& a, const Objectives& b) {
  return WeaklyDominates(a, b) && !WeaklyDominates(b, a);
}

std::vector<std::vector<int>> NonDominatedFronts(const std::vector<Objectives>& points) {
  const int count = static_cast<int>(points.size());
  std::vector<std::vector<int>> dominated(points.size());  // By each point.
  std::vector<int> dominators(points.size(), 0);           // That are in no front yet.
  for (int a = 0; a < count; ++a) {
    for (int b = 0; b < count; ++b) {
      if (!Dominates(points[a], points[b])) continue;
      dominated[a].push_back(b);
      ++dominators[b];
    }
  }
  std::vector<int> front;
  for (int i = 0; i < count; ++i) {
    if (dominators[i] == 0) front.push_back(i);
  }
  std::vector<std::vector<int>> fronts;
  while (!front.empty()) {
    std::vector<int> next;
    for (const int member : front) {
      for (const int freed : dominated[member]) {
        if (--dominators[freed] == 0) next.push_back(freed);
      }
    }
    std::sort(next.begin(), next.end());
    fronts.push_back(std::move(front));
    front = std::move(next);
  }
  return fronts;
}

std::vector<double> CrowdingDistances(const std::vector<Objectives>& front) {
  std::vector<double> distances(front.size(), 0.0);
  if (front.empty()) return distances;
  for (size_t i = 0; i < front[0].size(); ++i) AddRoom(i, front, distances);
  return distances;
}

double Hypervolume(const std::vector<Objectives>& points, const Objectives& reference) {
  std::vector<const Objectives*> inside;
  for (const Objectives& point : points) {
    bool below = true;
    for (size_t i = 0; i < reference.size(); ++i) below = below && point[i] < reference[i];
    if (below) inside.push_back(&point);
  }
  return SlicedVolume(std::move(inside), reference, reference.size());
}

}  // namespace squish
