// The runners that are connected: who they are, which data they hold, what they can do.
// In memory only; a runner says it all again with every call.
//
// Who fails too many jobs in a row is set aside: it gets no work for a while, and twice as
// long each time that the first job after it fails again. A job that is done clears it.
//
// Not thread-safe; time is an argument (steady).
#ifndef SQUISH_COORDINATOR_SERVICE_FLEET_H_
#define SQUISH_COORDINATOR_SERVICE_FLEET_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "squish/v1/runner.pb.h"

namespace squish {

// Equal for equal data set specs, and for no others.
std::string DatasetKey(const v1::DatasetSpec& spec);

// Of a runner: the jobs that it failed in a row.
struct FailureStreak {
  int failures = 0;
  int times_aside = 0;
  std::optional<absl::Duration> aside_until;  // While it is set aside.
  std::string last_error;
};

struct ConnectedRunner {
  v1::RunnerInfo info;
  bool draining = false;
  absl::Duration heard;
  // By DatasetKey; of a summary only its fingerprint and training pictures.
  std::map<std::string, v1::DatasetReport> datasets;
  // The incarnation before this one: it must not come back.
  std::optional<uint64_t> superseded;
  FailureStreak streak;

  // What it said of a data set; null when it said nothing.
  const v1::DatasetReport* FindDataset(const v1::DatasetSpec& spec) const;
};

class Fleet {
 public:
  static constexpr size_t kMaximumRunners = 16'384;
  static constexpr absl::Duration kFirstAside = absl::Minutes(1);
  static constexpr absl::Duration kLongestAside = absl::Hours(1);

  // Set aside after so many failures in a row; 0: never.
  explicit Fleet(int failures_until_aside) : failures_until_aside_(failures_until_aside) {}

  // Takes note of a call, whose request has been checked. True: the runner is new, or
  // was started again. FAILED_PRECONDITION: a later process has taken over its id.
  // RESOURCE_EXHAUSTED: there are kMaximumRunners.
  absl::StatusOr<bool> Hear(const v1::SynchronizeRequest& request, absl::Duration now);

  // What a runner has not said itself of a data set that its last call reported: how it
  // differs from an experiment's.
  void NoteDifference(const std::string& id, const v1::DatasetSpec& spec,
                      const std::string& difference);

  // How a job ended that the runner had. Whoever is not connected is not noted.
  void NoteDone(const std::string& id);
  void NoteFailed(const std::string& id, const std::string& error, absl::Duration now);

  // Forgets runners that were not heard for longer than `silence`, and gives those another
  // chance whose time aside is over. True: there were some. O(1) but for once in a while.
  bool Tend(absl::Duration now, absl::Duration silence);
  // When the next of these is over; InfiniteDuration when nobody is set aside.
  absl::Duration NextChance() const;
  // Everybody counts as heard now: it was we who did not listen.
  void ExcuseAll(absl::Duration now);

  // Null when it is not connected.
  const ConnectedRunner* Find(const std::string& id) const;
  const std::map<std::string, ConnectedRunner>& runners() const { return runners_; }

 private:
  const int failures_until_aside_;
  std::map<std::string, ConnectedRunner> runners_;  // By id.
  std::set<std::pair<absl::Duration, std::string>> aside_;  // (until, id)
  // Nobody was heard before this; it lags behind, for who is heard only grows later.
  absl::Duration all_heard_since_;
};

// Checks a request before anything of it is used. INVALID_ARGUMENT names the field;
// FAILED_PRECONDITION: the runner speaks another version of the protocol.
absl::Status CheckSynchronizeRequest(const v1::SynchronizeRequest& request);

// The protocol version of RunnerInfo that this coordinator speaks.
inline constexpr int kRunnerProtocolVersion = 1;

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_FLEET_H_
