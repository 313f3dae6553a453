#include "coordinator/service/server.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/base/clock.h"
#include "common/base/status_macros.h"
#include "spdlog/spdlog.h"

namespace squish {
namespace {

// How long calls that are being answered may take to end when the server stops.
constexpr absl::Duration kGrace = absl::Seconds(2);

// More than processors: they wait for the disk most of the time.
constexpr size_t kTransferThreads = 8;

// Memory and disk no longer agree and cannot be brought together: a restart reads the
// disk anew, and nothing that was acknowledged is lost.
void ExitNow(const absl::Status& status) {
  spdlog::critical("the coordinator ends: {}", status.ToString());
  spdlog::shutdown();
  std::_Exit(1);
}

}  // namespace

absl::StatusOr<std::unique_ptr<CoordinatorServer>> CoordinatorServer::Start(Options options) {
  std::unique_ptr<CoordinatorServer> server(new CoordinatorServer);
  SQUISH_ASSIGN_OR_RETURN(server->population_, Population::Open(options.population));
  Coordinator::Options coordinator_options;
  coordinator_options.lease = options.lease;
  coordinator_options.minimum_free_bytes = options.minimum_free_bytes;
  coordinator_options.set_aside = options.set_aside;
  coordinator_options.on_all_ended = std::move(options.on_all_ended);
  coordinator_options.on_fatal = ExitNow;
  if (options.garbage_term < absl::InfiniteDuration()) {
    server->garbage_ = std::make_unique<GarbageCollector>(&server->population_->artifacts(),
                                                          options.garbage_term);
    server->garbage_thread_ = std::make_unique<IoThread>();
    coordinator_options.gather_every = std::min(options.garbage_term / 4, absl::Hours(1));
    coordinator_options.on_named = [raw = server.get()](std::set<std::string> named) {
      raw->CollectGarbage(std::move(named));
    };
  }
  SQUISH_ASSIGN_OR_RETURN(
      server->coordinator_,
      Coordinator::Create(server->population_.get(), &Clock::System(),
                          &server->coordinator_metrics_, std::move(coordinator_options)));
  if (!options.metrics.empty()) {
    SQUISH_ASSIGN_OR_RETURN(server->metrics_port_, server->metrics_.Serve(options.metrics));
  }
  server->loop_ = std::make_unique<Loop>(server->coordinator_.get(), &Clock::System());
  server->transfers_ = std::make_unique<IoThreads>(kTransferThreads);
  server->io_ = std::make_unique<IoThread>();
  server->experiment_service_ = std::make_unique<ExperimentServiceAdapter>(server->loop_.get());
  server->runner_service_ = std::make_unique<RunnerServiceAdapter>(server->loop_.get());
  server->artifact_service_ = std::make_unique<ArtifactServiceAdapter>(
      &server->population_->artifacts(), server->transfers_.get());
  server->maintenance_service_ = std::make_unique<MaintenanceServiceAdapter>(
      server->loop_.get(), &server->population_->artifacts(), server->io_.get());
  SQUISH_ASSIGN_OR_RETURN(
      server->running_,
      StartServer(options.listen,
                  {server->experiment_service_.get(), server->runner_service_.get(),
                   server->artifact_service_.get(), server->maintenance_service_.get()}));
  return server;
}

CoordinatorServer::~CoordinatorServer() {
  if (running_.server == nullptr) return;
  loop_->Post([](Coordinator& coordinator) { coordinator.Stop(); });
  running_.server->Shutdown(absl::ToChronoTime(absl::Now() + kGrace));
  running_.server->Wait();
}

void CoordinatorServer::CollectGarbage(std::set<std::string> named) {
  garbage_thread_->Post([this, named = std::move(named)] {
    const auto collected = garbage_->Collect(named, Clock::System().Now());
    if (!collected.ok()) {
      spdlog::error("artifacts that nothing names cannot be removed: {}",
                    collected.status().ToString());
      return;
    }
    coordinator_metrics_.CountRemoved(collected->artifacts, collected->bytes);
    if (collected->artifacts > 0) {
      spdlog::info("{} artifacts that nothing names any more were removed, {} bytes",
                   collected->artifacts, collected->bytes);
    }
  });
}

absl::StatusOr<v1::Experiment> CoordinatorServer::Submit(const v1::SubmitRequest& request) {
  absl::StatusOr<v1::Experiment> result;
  absl::Notification done;
  loop_->Post([&](Coordinator& coordinator) {
    result = coordinator.Submit(Caller{"coordinator", "owner"}, request);
    coordinator.AfterCommit([&](const absl::Status& committed) {
      if (!committed.ok()) result = committed;
      done.Notify();
    });
  });
  done.WaitForNotification();
  return result;
}

}  // namespace squish
