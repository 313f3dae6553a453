// Who watches which experiment, and what they have been told. Not thread-safe; part of
// the coordinator's loop, used after a commit. Sinks are told on the loop's thread.
#ifndef SQUISH_COORDINATOR_SERVICE_WATCH_HUB_H_
#define SQUISH_COORDINATOR_SERVICE_WATCH_HUB_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

// Where the events of one Watch call go. Methods must not block.
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  virtual void Push(const v1::Experiment& experiment) = 0;
  virtual void Push(const v1::Individual& individual) = 0;
  virtual void Push(const v1::Champion& champion) = 0;
  // Nothing comes after it.
  virtual void End(const absl::Status& status) = 0;
  // True once the caller has gone; the sink is dropped.
  virtual bool gone() const = 0;
};

class WatchHub {
 public:
  static constexpr size_t kMaximumWatchers = 1024;

  // Begins with the experiment, all individuals and all champions as they are. Ends at
  // once when the experiment has ended. RESOURCE_EXHAUSTED: there are kMaximumWatchers.
  absl::Status Add(std::shared_ptr<WatchSink> sink, const v1::Experiment& experiment,
           const std::vector<v1::Individual>& individuals,
           const std::vector<v1::Champion>& champions);

  // Whether anybody watches the experiment.
  bool IsWatched(const std::string& experiment) const { return watched_.contains(experiment); }

  void Tell(const std::string& experiment, const v1::Individual& individual);
  void Tell(const std::string& experiment, const v1::Champion& champion);
  // Tells of the experiment when it differs from what was told last; ends the watch
  // when it has ended.
  void Tell(const v1::Experiment& experiment);

  void EndAll(const absl::Status& status);

 private:
  size_t CountWatchers();  // Drops those that have gone.
  template <typename Event>
  void TellAll(const std::string& experiment, const Event& event);

  struct Watched {
    std::string told;  // The experiment, serialised.
    std::vector<std::shared_ptr<WatchSink>> sinks;
  };
  std::map<std::string, Watched> watched_;  // By experiment id.
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_WATCH_HUB_H_
