// The power that rails take while something runs, read on a thread of its own from
// construction until Stop.
//
//   PowerMeter meter(telemetry);
//   … run the candidate for 1.5 s, the speed of which counts for nothing …
//   const auto energy = meter.Stop(images_per_second);
//
// Readings of the first 0.5 s are left out: an INA3221 as L4T sets it up averages over 64
// conversions of 6.6 ms (0.42 s), and what was before is not to be in it.
//
// Thread-compatible. `telemetry` must outlive it.
#ifndef SQUISH_JETSON_AGENT_TELEMETRY_POWER_METER_H_
#define SQUISH_JETSON_AGENT_TELEMETRY_POWER_METER_H_

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "jetson-agent/telemetry/telemetry.h"
#include "squish/v1/job.pb.h"

namespace squish {

class PowerMeter {
 public:
  static constexpr absl::Duration kRun = absl::Milliseconds(1500);  // What is good to measure.

  explicit PowerMeter(const Telemetry& telemetry,
                      absl::Duration settling = absl::Milliseconds(500));
  ~PowerMeter() { Join(); }
  PowerMeter(const PowerMeter&) = delete;
  PowerMeter& operator=(const PowerMeter&) = delete;

  // All of it, with the means of every rail that told its power in each reading. Nothing
  // where the input rail is not one of them, told 0, or there was no reading.
  std::optional<v1::BoardEnergy> Stop(double images_per_second);

 private:
  void Join();
  void Read();  // On the thread.

  const Telemetry& telemetry_;
  const absl::Duration settling_;
  std::atomic<bool> stop_ = false;
  // Of the thread's until it has ended.
  int readings_ = 0;
  struct Sum {
    double watts = 0;
    int readings = 0;
  };
  std::map<std::string, Sum> sums_;
  std::thread thread_;
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_TELEMETRY_POWER_METER_H_
