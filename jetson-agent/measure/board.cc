#include "jetson-agent/measure/board.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace squish {
namespace {

constexpr size_t kMaximumAlarms = 4;

bool GpuCounts(const v1::BoardSample& sample, bool fixed) {
  return sample.has_gpu_megahertz() && (fixed || sample.gpu_load() >= kLeastGpuLoad);
}

}  // namespace

std::vector<std::string> ThermalAlarms(const v1::BoardSample& sample) {
  std::vector<std::string> alarms;
  for (const v1::ThermalZone& zone : sample.zones()) {
    if (!zone.has_trip_celsius() || zone.celsius() < zone.trip_celsius()) continue;
    alarms.push_back(absl::StrFormat("the thermal zone %s is at %.1f °C; its trip point is %.1f °C",
                                     zone.name(), zone.celsius(), zone.trip_celsius()));
  }
  for (const v1::Throttle& throttle : sample.throttles()) {
    alarms.push_back(absl::StrFormat("the board throttles: cooling device %s is at level %d",
                                     throttle.name(), throttle.level()));
  }
  if (alarms.size() > kMaximumAlarms) alarms.resize(kMaximumAlarms);
  return alarms;
}

std::optional<double> HottestCelsius(const v1::BoardSample& sample) {
  std::optional<double> hottest;
  for (const v1::ThermalZone& zone : sample.zones()) {
    hottest = std::max(hottest.value_or(zone.celsius()), zone.celsius());
  }
  return hottest;
}

void BoardJudge::ClockRange::Add(double megahertz) {
  highest_ = std::max(highest_, megahertz);
  const double drop = 1 - megahertz / highest_;
  if (drop <= drop_) return;
  drop_ = drop;
  from_ = highest_;
  to_ = megahertz;
}

std::string BoardJudge::ClockRange::BrokenRule(const char* processor, bool fixed) const {
  if (drop_ <= allowed_drop_) return "";
  return absl::StrFormat(
      "the %s's clock fell by %.1f %%, from %.0f to %.0f MHz; at most %.0f %% is allowed of %s",
      processor, 100 * drop_, from_, to_, 100 * allowed_drop_,
      fixed ? "a fixed clock" : "one that a governor chooses");
}

BoardJudge::BoardJudge(const v1::BoardInfo& info, const v1::BoardSample& before)
    : cpu_fixed_(info.cpu_clock_fixed()),
      gpu_fixed_(info.gpu_clock_fixed()),
      cpu_(cpu_fixed_ ? kFixedClockDrop : kFreeClockDrop),
      gpu_(gpu_fixed_ ? kFixedClockDrop : kFreeClockDrop),
      throttle_events_before_(before.has_throttle_events()
                                  ? std::optional<int64_t>(before.throttle_events())
                                  : std::nullopt) {
  if (cpu_fixed_ && before.has_cpu_megahertz()) cpu_.Add(before.cpu_megahertz());
  if (gpu_fixed_ && before.has_gpu_megahertz()) gpu_.Add(before.gpu_megahertz());
}

void BoardJudge::Add(const v1::BoardSample& sample) {
  summary_.set_samples(summary_.samples() + 1);
  if (sample.has_cpu_megahertz()) {
    const double clock = sample.cpu_megahertz();
    cpu_.Add(clock);
    const bool first = !summary_.has_cpu_highest_megahertz();
    summary_.set_cpu_lowest_megahertz(first ? clock
                                            : std::min(summary_.cpu_lowest_megahertz(), clock));
    summary_.set_cpu_highest_megahertz(std::max(summary_.cpu_highest_megahertz(), clock));
  }
  if (GpuCounts(sample, gpu_fixed_)) {
    const double clock = sample.gpu_megahertz();
    gpu_.Add(clock);
    const bool first = !summary_.has_gpu_highest_megahertz();
    summary_.set_gpu_lowest_megahertz(first ? clock
                                            : std::min(summary_.gpu_lowest_megahertz(), clock));
    summary_.set_gpu_highest_megahertz(std::max(summary_.gpu_highest_megahertz(), clock));
  }
  if (const std::optional<double> hottest = HottestCelsius(sample)) {
    summary_.set_hottest_celsius(
        summary_.has_hottest_celsius() ? std::max(summary_.hottest_celsius(), *hottest) : *hottest);
  }
  if (throttle_events_before_.has_value() && sample.has_throttle_events()) {
    throttle_events_ =
        std::max(throttle_events_, sample.throttle_events() - *throttle_events_before_);
  }
  if (alarms_.empty()) alarms_ = ThermalAlarms(sample);
}

std::vector<std::string> BoardJudge::BrokenRules() const {
  std::vector<std::string> broken;
  for (std::string& rule : std::vector<std::string>{cpu_.BrokenRule("CPU", cpu_fixed_),
                                                    gpu_.BrokenRule("GPU", gpu_fixed_)}) {
    if (!rule.empty()) broken.push_back(std::move(rule));
  }
  broken.insert(broken.end(), alarms_.begin(), alarms_.end());
  if (throttle_events_ > 0) {
    broken.push_back(
        absl::StrFormat("the processor throttled %d times for its heat", throttle_events_));
  }
  return broken;
}

}  // namespace squish
