#include "jetson-agent/telemetry/power_meter.h"

#include "absl/time/clock.h"
#include "common/base/clock.h"

namespace squish {
namespace {

constexpr absl::Duration kInterval = absl::Milliseconds(20);

}  // namespace

PowerMeter::PowerMeter(const Telemetry& telemetry, absl::Duration settling)
    : telemetry_(telemetry), settling_(settling), thread_([this] { Read(); }) {}

void PowerMeter::Read() {
  const absl::Duration start = Clock::System().Steady();
  do {
    if (Clock::System().Steady() - start >= settling_) {
      ++readings_;
      for (const v1::RailPower& rail : telemetry_.ReadRails()) {
        Sum& sum = sums_[rail.name()];
        sum.watts += rail.watts();
        ++sum.readings;
      }
    }
    absl::SleepFor(kInterval);
  } while (!stop_);
}

void PowerMeter::Join() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

std::optional<v1::BoardEnergy> PowerMeter::Stop(double images_per_second) {
  Join();
  const auto input = sums_.find(telemetry_.input_rail());
  if (input == sums_.end() || input->second.readings != readings_ || !(input->second.watts > 0)) {
    return std::nullopt;
  }
  v1::BoardEnergy energy;
  energy.set_input_rail(input->first);
  energy.set_readings(readings_);
  energy.set_images_per_joule(images_per_second / (input->second.watts / readings_));
  for (const auto& [name, sum] : sums_) {
    if (sum.readings != readings_) continue;
    v1::RailPower& rail = *energy.add_rails();
    rail.set_name(name);
    rail.set_watts(sum.watts / readings_);
  }
  return energy;
}

}  // namespace squish
