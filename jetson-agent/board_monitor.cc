#include "jetson-agent/board_monitor.h"

#include <utility>

#include "absl/strings/str_format.h"

namespace squish {
namespace {

constexpr absl::Duration kSlowSample = absl::Milliseconds(5);
constexpr absl::Duration kPause = absl::Seconds(1);

}  // namespace

BoardMonitor::BoardMonitor(const BoardOptions& options, bool synthetic, Clock& clock)
    : options_(options), clock_(clock) {
  if (synthetic) return;
  telemetry_.emplace(options.system_root);
  *report_.mutable_info() = options.software;
  telemetry_->DescribeClocks(*report_.mutable_info());
  *report_.mutable_before() = telemetry_->FullSample();
  const absl::Duration start = clock.Steady();
  telemetry_->Sample();
  slow_ = clock.Steady() - start > kSlowSample;
}

void BoardMonitor::Begin() {
  if (!telemetry_.has_value()) return;
  report_.set_tries(report_.tries() + 1);
  try_start_ = clock_.Steady();
  judge_ = std::make_unique<BoardJudge>(
      report_.info(), report_.tries() == 1 ? report_.before() : telemetry_->Sample());
}

void BoardMonitor::Sample() {
  if (judge_ != nullptr && !slow_) judge_->Add(telemetry_->Sample());
}

void BoardMonitor::Judge(v1::MeasureResult& result) {
  if (judge_ == nullptr) return;
  *report_.mutable_after() = telemetry_->FullSample();
  *report_.mutable_during() = judge_->summary();
  for (std::string& rule : judge_->BrokenRules()) {
    result.add_reasons(std::move(rule));
    result.set_verdict(v1::MeasureResult::INVALID);
  }
}

bool BoardMonitor::CoolDown(absl::Duration left, const std::function<void(std::string)>& progress,
                            const std::function<bool()>& keep_on) {
  if (report_.tries() >= kMaximumTries) return false;
  const absl::Duration start = clock_.Steady();
  const absl::Duration needed = start - try_start_;
  const std::optional<double> before = HottestCelsius(report_.before());
  while (left - (clock_.Steady() - start) > needed && keep_on()) {
    const v1::BoardSample sample = telemetry_->Sample();
    const std::optional<double> hottest = HottestCelsius(sample);
    const bool cool =
        !before.has_value() || !hottest.has_value() || *hottest <= *before + kCoolCelsius;
    if (cool && ThermalAlarms(sample).empty()) return true;
    if (hottest.has_value() && before.has_value()) {
      progress(
          absl::StrFormat("cooling down from %.0f to %.0f °C", *hottest, *before + kCoolCelsius));
    }
    options_.pause(kPause);
    report_.set_cooling_seconds(report_.cooling_seconds() + absl::ToDoubleSeconds(kPause));
  }
  return false;
}

const Telemetry* BoardMonitor::rails() const {
  const bool known = telemetry_.has_value() && !telemetry_->input_rail().empty();
  return known ? &*telemetry_ : nullptr;
}

void BoardMonitor::Report(v1::MeasureResult& result) const {
  if (telemetry_.has_value()) *result.mutable_board() = report_;
}

}  // namespace squish
