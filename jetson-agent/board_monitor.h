// The board around one measurement: looked at before, between blocks and after, judged by
// the rules of measure/board.h, and left to cool down where it broke one.
//
//   BoardMonitor monitor(options, synthetic, clock);
//   do {
//     monitor.Begin();
//     … warm-up; groups, with monitor.Sample() in the middle of each,
//       as long as monitor.quiet()
//     monitor.Judge(result);
//   } while (!monitor.quiet() && monitor.CoolDown(time left, progress));
//   monitor.Report(result);
//
// What an engine that is synthetic computes has nothing to do with this machine: for one,
// nothing is read, judged or reported.
//
// Thread-compatible.
#ifndef SQUISH_JETSON_AGENT_BOARD_MONITOR_H_
#define SQUISH_JETSON_AGENT_BOARD_MONITOR_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "jetson-agent/measure/board.h"
#include "jetson-agent/telemetry/telemetry.h"
#include "squish/v1/job.pb.h"

namespace squish {

struct BoardOptions {
  std::string system_root = "/";  // Of /sys, /proc, /etc, /var and /usr.
  v1::BoardInfo software;         // As ReadSoftware of it.
  // How to wait; that of tests moves a clock.
  std::function<void(absl::Duration)> pause = absl::SleepFor;
};

class BoardMonitor {
 public:
  // So often is measured at most.
  static constexpr int kMaximumTries = 3;
  // Cool is what is so close to where it was before.
  static constexpr double kCoolCelsius = 3;

  // Finds the board's files and takes the sample before. Both references must outlive it.
  BoardMonitor(const BoardOptions& options, bool synthetic, Clock& clock);

  // Before each try.
  void Begin();

  // Just after a block.
  void Sample();

  // Whether no rule is broken until now.
  bool quiet() const { return judge_ == nullptr || !judge_->broken(); }

  // After the last block of a try. Where a rule is broken `result` becomes INVALID.
  void Judge(v1::MeasureResult& result);

  // Waits, a second at a time, until the board is as cool as before and throttles nothing;
  // at once where no temperature is known. False: there is no use in another try, since
  // there were enough, or it would not fit into `left` as the last did not. `progress` is
  // told what it waits for; `keep_on` is asked each time.
  bool CoolDown(absl::Duration left, const std::function<void(std::string)>& progress,
                const std::function<bool()>& keep_on);

  // The rails, for a PowerMeter; null where the input of the module is not known.
  const Telemetry* rails() const;

  // All that was seen.
  void Report(v1::MeasureResult& result) const;

 private:
  const BoardOptions& options_;
  Clock& clock_;
  std::optional<Telemetry> telemetry_;  // Unset: synthetic.
  // A sample that took longer than there is time between blocks is not taken there: some
  // kernels wait 10 ms to tell the clock of a core at rest.
  bool slow_ = false;
  v1::BoardReport report_;
  std::unique_ptr<BoardJudge> judge_;  // Of this try.
  absl::Duration try_start_;
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_BOARD_MONITOR_H_
