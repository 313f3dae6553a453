// A whole coordinator in this process: population, loop, gRPC server, metrics. What
// main.cc runs, and what tests start on port 0.
#ifndef SQUISH_COORDINATOR_SERVICE_SERVER_H_
#define SQUISH_COORDINATOR_SERVICE_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/metrics/metrics.h"
#include "common/rpc/rpc.h"
#include "coordinator/population/population.h"
#include "coordinator/service/artifact_service.h"
#include "coordinator/service/coordinator.h"
#include "coordinator/service/experiment_service.h"
#include "coordinator/service/garbage.h"
#include "coordinator/service/io_thread.h"
#include "coordinator/service/loop.h"
#include "coordinator/service/maintenance_service.h"
#include "coordinator/service/runner_service.h"

namespace squish {

class CoordinatorServer {
 public:
  struct Options {
    std::string population;                  // The file.
    std::string listen = "127.0.0.1:7461";   // Port 0 picks one.
    std::string metrics = "127.0.0.1:9461";  // Likewise; empty: not served.
    absl::Duration lease = absl::Seconds(30);
    int64_t minimum_free_bytes = 0;          // See Coordinator::Options; so is the next.
    Fleet::Limits set_aside;
    // Artifacts that nothing names for so long are removed (garbage.h). Infinite: never.
    absl::Duration garbage_term = absl::Hours(6);
    // Called on the loop's thread; see Coordinator::Options. May be empty.
    std::function<void(bool all_succeeded)> on_all_ended;
  };

  // Errors as Population::Open; FAILED_PRECONDITION also when an address is in use.
  static absl::StatusOr<std::unique_ptr<CoordinatorServer>> Start(Options options);
  // Ends waiting calls and watches, then everything else.
  ~CoordinatorServer();

  int port() const { return running_.port; }
  int metrics_port() const { return metrics_port_; }

  // Submits from inside the process and waits. Codes as ExperimentService.Submit.
  absl::StatusOr<v1::Experiment> Submit(const v1::SubmitRequest& request);

 private:
  CoordinatorServer() = default;
  void CollectGarbage(std::set<std::string> named);

  // In order of construction; destroyed the other way round.
  std::unique_ptr<Population> population_;
  Metrics metrics_;
  CoordinatorMetrics coordinator_metrics_{&metrics_};
  std::unique_ptr<GarbageCollector> garbage_;  // Null: nothing is removed.
  std::unique_ptr<IoThread> garbage_thread_;   // Its own: it may take minutes.
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<IoThreads> transfers_;  // Of artifacts.
  std::unique_ptr<IoThread> io_;          // Of everything else.
  std::unique_ptr<ExperimentServiceAdapter> experiment_service_;
  std::unique_ptr<RunnerServiceAdapter> runner_service_;
  std::unique_ptr<ArtifactServiceAdapter> artifact_service_;
  std::unique_ptr<MaintenanceServiceAdapter> maintenance_service_;
  RunningServer running_;
  int metrics_port_ = 0;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_SERVER_H_
