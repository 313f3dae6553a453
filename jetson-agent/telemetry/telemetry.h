// What the machine's own files tell about clocks, temperatures, power and throttling.
//
//   const Telemetry telemetry("/");                 // finds the files; some milliseconds
//   v1::BoardInfo info = software;                  // of ReadSoftware, once for each process
//   telemetry.DescribeClocks(info);
//   v1::BoardSample before = telemetry.FullSample();
//   … v1::BoardSample between = telemetry.Sample();  // as often as one likes
//
// It only ever reads. Files are found when it is made, since a core may have been taken
// away or a driver loaded since the last measurement, and opened anew for each sample. Which
// files, and in which forms of which kernels: docs/measurement.md.
//
// Immutable; thread-safe.
#ifndef SQUISH_JETSON_AGENT_TELEMETRY_TELEMETRY_H_
#define SQUISH_JETSON_AGENT_TELEMETRY_TELEMETRY_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "jetson-agent/telemetry/system_files.h"
#include "squish/v1/job.pb.h"

namespace squish {

// Model, versions of L4T, JetPack, CUDA and TensorRT, memory. Reads the package database,
// some megabytes: tens of milliseconds on a board.
v1::BoardInfo ReadSoftware(const std::string& root);

class Telemetry {
 public:
  explicit Telemetry(const std::string& root);

  // The limits of clocks, and whether they are fixed.
  void DescribeClocks(v1::BoardInfo& info) const;

  // Clocks, governors, temperatures, throttling: one short read for each core, zone and
  // cooling device, well below a millisecond on the machines that we have.
  v1::BoardSample Sample() const;

  // All that, and rails, memory, power mode. Every rail is a transfer or two over I2C, of
  // about a millisecond.
  v1::BoardSample FullSample() const;

  // Watts of each rail that tells them. In the order of chips and channels.
  std::vector<v1::RailPower> ReadRails() const;

  // The rail that feeds the whole module; empty: none is known to.
  const std::string& input_rail() const { return input_rail_; }

 private:
  // Of cpufreq, in kHz, or of devfreq, in Hz.
  struct Clock {
    std::string frequency, governor, driver, minimum, maximum;  // Paths.
  };
  struct Zone {
    std::string name;
    std::string temperature;             // Path.
    std::optional<double> trip_celsius;  // The lowest alarm.
  };
  struct Cooling {
    std::string name;
    std::string level;  // Path.
  };
  struct Rail {
    std::string name;
    std::string milliwatts;                // Path; empty where the driver has none.
    std::string millivolts, milliamperes;  // Paths.
  };

  void FindCpus();
  void FindGpu();
  void FindZones();
  void FindCoolingDevices();
  void FindRails();
  // The rails of one chip, in `folder`.
  void FindIioRails(const std::string& folder);
  void FindHwmonRails(const std::string& folder);

  const SystemFiles files_;
  std::vector<Clock> cpus_;
  std::optional<Clock> gpu_;
  std::string gpu_load_;        // Path; empty where there is none.
  std::string throttle_count_;  // Likewise.
  std::vector<Zone> zones_;
  std::vector<Cooling> cooling_;
  std::vector<Rail> rails_;
  std::string input_rail_;
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_TELEMETRY_TELEMETRY_H_
