// The runners that are connected: who they are, which data they hold, what they can do.
// In memory only; a runner says it all again with every call.
//
// Who fails too many jobs in a row is set aside: it gets no work for a while, and twice as
// long each time that the first job after it fails again. A job that is done clears it. So is a
// board whose speed of an ancestor has drifted from its class (class_speeds.h), where the class
// has another one, twice as long each time until it is started anew.
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
#include "coordinator/service/class_speeds.h"
#include "squish/v1/runner.pb.h"

namespace squish {

// Equal for equal data set specs, and for no others.
std::string DatasetKey(const v1::DatasetSpec& spec);

// Of a runner: the jobs that it failed in a row.
struct FailureStreak {
  int failures = 0;
  int times_aside = 0;
};

// It gets no work until then.
struct Aside {
  absl::Duration until;
  bool drifted = false;  // Else it has failed.
  std::string why;       // What it did: "failed 5 jobs in a row; the last: …".
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
  int times_drifted = 0;
  std::optional<Aside> aside;

  // What it said of a data set; null when it said nothing.
  const v1::DatasetReport* FindDataset(const v1::DatasetSpec& spec) const;
};

class Fleet {
 public:
  static constexpr size_t kMaximumRunners = 16'384;
  static constexpr absl::Duration kFirstAside = absl::Minutes(1);
  static constexpr absl::Duration kLongestAside = absl::Hours(1);

  struct Limits {
    int failures = 5;    // In a row, until a runner is set aside. 0: it never is.
    double drift = 0.15;  // A board may be so much slower or faster than its class. 0: anything.
  };
  explicit Fleet(const Limits& limits) : limits_(limits) {}

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

  // An ancestor's speed (images/s, above 0) that a board measured; `kind` as of ClassSpeeds.
  void NoteAncestorSpeed(const std::string& id, const std::string& kind, double images_per_second,
                         absl::Duration now);

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
  void ClearAside(const std::string& id, ConnectedRunner& runner);
  void SetAside(const std::string& id, ConnectedRunner& runner, int times_before, bool drifted,
                std::string why, absl::Duration now);

  const Limits limits_;
  std::map<std::string, ConnectedRunner> runners_;  // By id.
  ClassSpeeds class_speeds_;
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
