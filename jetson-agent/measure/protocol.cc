#include "jetson-agent/measure/protocol.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "absl/strings/str_format.h"

namespace squish {
namespace {

constexpr double kMinimumBlockSeconds = 0.010;
constexpr double kMinimumRestartedBlockSeconds = 0.250;
constexpr double kMostWallOfLimit = 10;

// Speeds outside are not of this world. Inside, ratio and interval stay finite.
constexpr double kLowestImagesPerSecond = 1e-9;
constexpr double kHighestImagesPerSecond = 1e12;

double ImagesPerSecond(const Block& block) {
  return static_cast<double>(block.images) / block.seconds;
}

bool IsPossible(const Block& block) {
  if (!(block.images > 0 && block.seconds > 0)) return false;
  const double speed = ImagesPerSecond(block);
  return speed >= kLowestImagesPerSecond && speed <= kHighestImagesPerSecond;
}

bool IsPossible(const AbbaGroup& group) {
  return IsPossible(group.ancestor_first) && IsPossible(group.candidate_first) &&
         IsPossible(group.candidate_second) && IsPossible(group.ancestor_second);
}

// ln(B/A) of the geometric means of both blocks: drift that is linear in the
// logarithm cancels exactly.
double LogRatio(const AbbaGroup& group) {
  const auto log_speed = [](const Block& block) { return std::log(ImagesPerSecond(block)); };
  return 0.5 * (log_speed(group.candidate_first) + log_speed(group.candidate_second) -
                log_speed(group.ancestor_first) - log_speed(group.ancestor_second));
}

struct Statistics {
  int groups = 0;      // Of possible blocks.
  int impossible = 0;  // Groups left out.
  double ancestor_seconds = 0;
  double candidate_seconds = 0;
  double log_ratio = 0;   // Trimmed mean.
  double half_width = 0;  // Relative; meaningful from two groups on.
};

// Of Tukey's and McLaughlin's interval: as many values from each end do not count for the mean,
// and count as the last that do for the deviation.
constexpr double kTrimmed = 0.2;

double Mean(std::vector<double>::const_iterator begin, std::vector<double>::const_iterator end) {
  return std::accumulate(begin, end, 0.0) / static_cast<double>(end - begin);
}

Statistics Analyze(const std::vector<AbbaGroup>& groups) {
  Statistics result;
  std::vector<double> log_ratios;
  for (const AbbaGroup& group : groups) {
    if (!IsPossible(group)) {
      ++result.impossible;
      continue;
    }
    result.ancestor_seconds += group.ancestor_first.seconds + group.ancestor_second.seconds;
    result.candidate_seconds += group.candidate_first.seconds + group.candidate_second.seconds;
    log_ratios.push_back(LogRatio(group));
  }
  result.groups = static_cast<int>(log_ratios.size());
  if (result.groups == 0) return result;
  std::sort(log_ratios.begin(), log_ratios.end());
  const int trimmed = static_cast<int>(kTrimmed * result.groups);
  const int kept = result.groups - 2 * trimmed;
  const auto first = log_ratios.begin() + trimmed, last = first + (kept - 1);
  result.log_ratio = Mean(first, last + 1);
  if (result.groups < 2) return result;
  std::fill(log_ratios.begin(), first, *first);
  std::fill(last, log_ratios.end(), *last);
  const double mean = Mean(log_ratios.begin(), log_ratios.end());
  double squares = 0;
  for (const double value : log_ratios) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / (result.groups - 1));
  const double error = deviation * std::sqrt(result.groups) / kept;
  // exp(x) - 1: the upper, larger side of the interval around the ratio.
  result.half_width = std::expm1(StudentT95(kept - 1) * error);
  return result;
}

// An interval needs two groups, whatever the specification says.
int MinimumGroups(const v1::MeasurementSpec& spec) { return std::max(2, spec.minimum_blocks()); }

int MinimumGroups(const v1::MeasurementSpec& spec, const EngineTraits& traits) {
  return traits.builds * MinimumGroups(spec);
}

// Every rule that the measurement breaks, in words.
std::vector<std::string> BrokenRules(const v1::MeasurementSpec& spec, const EngineTraits& traits,
                                     const Statistics& found) {
  std::vector<std::string> broken;
  if (found.impossible > 0) {
    broken.push_back(absl::StrFormat("%d of %d A B B A groups have a block without a possible speed",
                                     found.impossible, found.impossible + found.groups));
  }
  const int minimum = MinimumGroups(spec, traits);
  if (found.groups < minimum) {
    broken.push_back(absl::StrFormat("only %d of at least %d A B B A groups were measured",
                                     found.groups, minimum));
  }
  const auto require_seconds = [&](const char* network, double seconds) {
    if (seconds >= spec.minimum_seconds()) return;
    broken.push_back(absl::StrFormat("the %s ran for %.3g s of at least %.3g s", network, seconds,
                                     spec.minimum_seconds()));
  };
  require_seconds("ancestor", found.ancestor_seconds);
  require_seconds("candidate", found.candidate_seconds);
  if (found.groups >= 2 && !(found.half_width <= spec.maximum_spread())) {
    broken.push_back(
        absl::StrFormat("the 95 %% interval of the ratio is ±%.3g %%, at most ±%.3g %% is allowed",
                        100 * found.half_width, 100 * spec.maximum_spread()));
  }
  return broken;
}

// The ratio of each build, and how far they lie apart.
void CompareBuilds(const std::vector<AbbaGroup>& groups, int builds, v1::MeasureResult& result) {
  if (builds < 2) return;
  double smallest = 0, largest = 0;
  for (int build = 0; build < builds; ++build) {
    std::vector<AbbaGroup> own;
    for (const AbbaGroup& group : groups) {
      if (group.build == build) own.push_back(group);
    }
    const Statistics found = Analyze(own);
    if (found.groups == 0) continue;
    const double ratio = std::exp(found.log_ratio);
    smallest = result.builds().empty() ? ratio : std::min(smallest, ratio);
    largest = std::max(largest, ratio);
    result.add_builds()->set_ratio(ratio);
  }
  if (result.builds_size() > 1) result.set_between_build_spread(largest / smallest - 1);
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle]
                                : values[middle - 1] + (values[middle] - values[middle - 1]) / 2;
}

}  // namespace

double StudentT95(int degrees) {
  // Tabulated where the expansion below is off by more than 3e-5.
  static constexpr double kSmall[] = {12.706204736174698, 4.302652729749464, 3.182446305283708,
                                      2.776445105197793,  2.570581835636315, 2.4469118511449697,
                                      2.364624251592785};
  if (degrees < 1) degrees = 1;
  if (degrees <= 7) return kSmall[degrees - 1];
  // Cornish and Fisher's expansion around the normal quantile; Abramowitz and
  // Stegun, 26.7.5.
  const double z = 1.959963984540054;
  const double z2 = z * z;
  const double g1 = z * (z2 + 1) / 4;
  const double g2 = z * ((5 * z2 + 16) * z2 + 3) / 96;
  const double g3 = z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
  const double g4 = z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160;
  const double n = degrees;
  return z + (g1 + (g2 + (g3 + g4 / n) / n) / n) / n;
}

double BlockSeconds(const v1::MeasurementSpec& spec, bool restarts_per_block) {
  return std::max(restarts_per_block ? kMinimumRestartedBlockSeconds : kMinimumBlockSeconds,
                  spec.minimum_seconds() / (2 * MinimumGroups(spec)));
}

double CountedSeconds(double wall_seconds, double restart_seconds) {
  return std::max(wall_seconds - restart_seconds, wall_seconds / kMostWallOfLimit);
}

int BuildOfGroup(int group, const EngineTraits& traits) { return group % traits.builds; }

bool WantsMore(const v1::MeasurementSpec& spec, const std::vector<AbbaGroup>& groups,
               double elapsed_seconds, const EngineTraits& traits) {
  if (!(elapsed_seconds < spec.time_limit_seconds())) return false;
  const Statistics found = Analyze(groups);
  return found.impossible == 0 && !BrokenRules(spec, traits, found).empty();
}

v1::MeasureResult Summarize(const v1::MeasurementSpec& spec, const std::vector<AbbaGroup>& groups,
                            double elapsed_seconds, const EngineTraits& traits) {
  v1::MeasureResult result;
  std::vector<double> candidate, ancestor;
  for (const AbbaGroup& group : groups) {
    if (!IsPossible(group)) continue;
    ancestor.push_back(ImagesPerSecond(group.ancestor_first));
    candidate.push_back(ImagesPerSecond(group.candidate_first));
    candidate.push_back(ImagesPerSecond(group.candidate_second));
    ancestor.push_back(ImagesPerSecond(group.ancestor_second));
  }
  result.mutable_block_images_per_second()->Assign(candidate.begin(), candidate.end());
  result.mutable_ancestor_block_images_per_second()->Assign(ancestor.begin(), ancestor.end());
  result.set_images_per_second(Median(std::move(candidate)));
  result.set_ancestor_images_per_second(Median(std::move(ancestor)));

  const Statistics found = Analyze(groups);
  if (found.groups > 0) result.set_ratio(std::exp(found.log_ratio));
  result.set_ratio_half_width(found.half_width);
  CompareBuilds(groups, traits.builds, result);
  for (std::string& rule : BrokenRules(spec, traits, found)) result.add_reasons(std::move(rule));
  result.set_verdict(result.reasons().empty() ? v1::MeasureResult::VALID
                                              : v1::MeasureResult::INVALID);
  if (result.verdict() == v1::MeasureResult::INVALID &&
      !(elapsed_seconds < spec.time_limit_seconds())) {
    result.add_reasons(absl::StrFormat("the time limit of %.3g s was reached after %.3g s",
                                       spec.time_limit_seconds(), elapsed_seconds));
  }
  result.set_wall_seconds(elapsed_seconds);
  return result;
}

}  // namespace squish
