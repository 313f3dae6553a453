// The worker: leases SYNTHESIZE, TRAIN, EVALUATE and EXPORT jobs from a coordinator.
//
//   worker --coordinator HOST:PORT --state DIR [--id ID] [--slots N] [--data NAME=DIR]...
//
// Composition root: parses flags, wires, runs.
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/runner/runner.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"
#include "worker/daemon/worker_executor.h"

namespace squish {
namespace {

struct Flags {
  std::string coordinator;
  std::string state;
  std::string id;
  int slots = 1;
  std::vector<std::string> data;
  std::string cache;
  std::string trainer = JoinPath(ExecutableFolder(), "squish-trainer");
  std::string decoder = JoinPath(ExecutableFolder(), "squish-decoder");
  std::string exporter = JoinPath(ExecutableFolder(), "squish-exporter");
  double child_silence_seconds = 120;
  double checkpoint_seconds = 60;
};

// NAME=DIR of every --data.
absl::StatusOr<std::map<std::string, std::string>> DataSources(
    const std::vector<std::string>& data) {
  std::map<std::string, std::string> sources;
  for (const std::string& pair : data) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(pair, absl::MaxSplits('=', 1));
    if (parts.first.empty() || parts.second.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--data ", pair, ": write NAME=DIR, NAME being the data set's in the spec"));
    }
    if (!sources.insert(parts).second) {
      return absl::InvalidArgumentError(absl::StrCat("--data ", parts.first, " is given twice"));
    }
  }
  return sources;
}

v1::RunnerInfo Describe(const Flags& flags, const WorkerExecutor& executor) {
  v1::RunnerInfo info;
  info.set_kind(v1::RunnerInfo::WORKER);
  info.set_id(flags.id);
  info.set_version(kVersion);
  info.set_slots(flags.slots);
  info.set_cuda(executor.cuda());
  return info;
}

// SIGTERM and SIGINT, from its making on in all threads that are made later. While there
// is no runner to stop, they end the process; children end with it.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    thread_ = std::thread([this] { Wait(); });
  }
  ~StopSignals() {
    ::kill(::getpid(), SIGTERM);  // Ends the thread where no signal has come.
    thread_.join();
  }

  // Null: none any more; signals then do nothing.
  void SetRunner(Runner* runner) {
    absl::MutexLock lock(&mutex_);
    runner_ = runner;
    starting_ = false;
  }

 private:
  void Wait() {
    int signal = 0;
    ::sigwait(&signals_, &signal);
    absl::MutexLock lock(&mutex_);
    if (starting_) ::_exit(0);
    if (runner_ == nullptr) return;
    spdlog::info("stopping");
    runner_->Stop();
  }

  sigset_t signals_;
  absl::Mutex mutex_;
  bool starting_ ABSL_GUARDED_BY(mutex_) = true;
  Runner* runner_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<WorkerExecutor>> MakeExecutor(const Flags& flags) {
  WorkerOptions options;
  options.slots = flags.slots;
  options.state_folder = flags.state;
  options.trainer.command = {flags.trainer};
  options.trainer.silence_limit = absl::Seconds(flags.child_silence_seconds);
  options.checkpoint_interval = absl::Seconds(flags.checkpoint_seconds);
  options.datasets.decoder_command = {flags.decoder};
  options.datasets.cache_folder = flags.cache;
  options.datasets.silence_limit = absl::Seconds(flags.child_silence_seconds);
  options.exporter.command = {flags.exporter};
  options.exporter.silence_limit = absl::Seconds(flags.child_silence_seconds);
  SQUISH_ASSIGN_OR_RETURN(options.datasets.sources, DataSources(flags.data));
  return WorkerExecutor::Create(std::move(options), Clock::System());
}

absl::Status ServeCoordinator(const Flags& flags, StopSignals& signals) {
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<WorkerExecutor> executor, MakeExecutor(flags));
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Runner> runner,
                          Runner::Create({.coordinator = flags.coordinator,
                                          .state_folder = flags.state,
                                          .info = Describe(flags, *executor)},
                                         executor.get()));
  signals.SetRunner(runner.get());
  absl::Status served = runner->Run();
  signals.SetRunner(nullptr);
  return served;
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app{"Squish's worker: breeds, trains and exports networks for a coordinator."};
  app.set_version_flag("--version", kVersion);
  app.add_option("--coordinator", flags.coordinator, "HOST:PORT of the coordinator")->required();
  app.add_option("--state", flags.state, "Folder for results, artifacts, data sets and logs")
      ->required();
  app.add_option("--id", flags.id, "This worker's id (default: kept in --state)");
  app.add_option("--slots", flags.slots, "Jobs at a time; each has a trainer of its own")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--data", flags.data, "NAME=DIR: where a data set lies (repeatable)")
      ->allow_extra_args(false);
  app.add_option("--cache", flags.cache,
                 "Folder for decoded data sets; workers of one host may share it, then each set is "
                 "decoded once (default: STATE/datasets)");
  app.add_option("--trainer", flags.trainer, "The trainer program")->capture_default_str();
  app.add_option("--decoder", flags.decoder, "The decoder program")->capture_default_str();
  app.add_option("--exporter", flags.exporter, "The exporter program")->capture_default_str();
  app.add_option("--child-silence-seconds", flags.child_silence_seconds,
                 "A trainer, decoder or exporter that says nothing for so long is ended")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  app.add_option("--checkpoint-seconds", flags.checkpoint_seconds,
                 "A training saves after so long each what another worker can go on from, and when "
                 "this one is stopped; 0: never")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  spdlog::set_default_logger(spdlog::stderr_color_mt("worker"));
  absl::Status served;
  {
    StopSignals signals;
    served = ServeCoordinator(flags, signals);
    signals.SetRunner(nullptr);
  }
  if (served.ok()) return 0;
  std::cerr << "worker: " << served.message() << "\n";
  return 1;
}

}  // namespace
}  // namespace squish

int main(int argc, char** argv) { return squish::Main(argc, argv); }
