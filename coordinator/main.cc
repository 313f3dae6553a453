// coordinator: owns a population and hands out its work.
//
//   coordinator --population FILE [--listen HOST:PORT] [--metrics HOST:PORT]
//               [--experiment FILE] [--exit-when-done] [--lease-seconds N]
//               [--minimum-free-gigabytes X] [--set-aside-after N] [--garbage-hours X]
//   coordinator --population FILE --fsck
//
// Prints one line to stdout once it serves; everything else goes to stderr. Exit
// status: 0 stopped by a signal, or done; 1 it could not go on, or with
// --exit-when-done an experiment did not succeed, or --fsck found something; 2 wrong usage.
#include <poll.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/spec/experiment_spec.h"
#include "coordinator/fsck/fsck.h"
#include "coordinator/service/server.h"

namespace squish {
namespace {

constexpr int64_t kMaximumSpecBytes = 1 << 20;

struct Flags {
  std::string population;
  std::string listen = "127.0.0.1:7461";
  std::string metrics = "127.0.0.1:9461";
  std::string experiment;
  bool exit_when_done = false;
  double lease_seconds = 30;
  double minimum_free_gigabytes = 1;
  Fleet::Limits set_aside;
  double garbage_hours = 6;
  bool fsck = false;
};

std::string CheckAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon != std::string::npos && colon > 0 && colon + 1 < address.size() &&
      address.find_first_not_of("0123456789", colon + 1) == std::string::npos) {
    return "";
  }
  return "'" + address + "' is no HOST:PORT, such as 127.0.0.1:7461";
}

// The address with the port that was really taken.
std::string WithPort(const std::string& address, int port) {
  return absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
}

void AddFlags(CLI::App& app, Flags& flags) {
  app.set_version_flag("--version", kVersion);
  app.add_option("--population", flags.population,
                 "The population database; made if absent. Artifacts lie beside it.")
      ->required();
  app.add_option("--listen", flags.listen, "Where runners and squishctl connect; port 0 picks one")
      ->check(CheckAddress)
      ->capture_default_str();
  app.add_option("--metrics", flags.metrics, "Where Prometheus scrapes; port 0 picks one")
      ->check(CheckAddress)
      ->capture_default_str();
  app.add_option("--experiment", flags.experiment,
                 "A spec (.txtpb) to start; the same file is started once");
  app.add_flag("--exit-when-done", flags.exit_when_done,
               "End when every experiment has; status 1 unless all succeeded");
  app.add_option("--lease-seconds", flags.lease_seconds,
                 "How long a runner may be silent before its work is given to another")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
  app.add_option("--minimum-free-gigabytes", flags.minimum_free_gigabytes,
                 "With less free on the population's disk no new work is given out; 0 is off")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  app.add_option("--set-aside-after", flags.set_aside.failures,
                 "A runner that failed so many jobs in a row gets no work for a while; 0 is off")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--drift-limit", flags.set_aside.drift,
                 "A board that measures its ancestor so much faster or slower than its device class "
                 "gets no work for a while, where the class has others; 0 is off")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  app.add_option("--garbage-hours", flags.garbage_hours,
                 "Artifacts that nothing names for so long are removed; 0: none is")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  app.add_flag("--fsck", flags.fsck,
               "Check all that is stored and end; no other coordinator may have the file open");
}

// Prints what is wrong, a line each, then a summary. The exit status.
absl::StatusOr<int> Fsck(const std::string& path) {
  if (!std::filesystem::exists(path)) {
    return absl::NotFoundError(absl::StrCat("there is no population at ", path));
  }
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Population> population, Population::Open(path));
  SQUISH_ASSIGN_OR_RETURN(const FsckReport report, CheckPopulation(*population));
  for (const std::string& problem : report.problems) std::printf("%s\n", problem.c_str());
  std::printf("%s: %lld experiments, %lld individuals, %lld jobs, %lld facts, %lld artifacts "
              "(and %lld that nothing names): %s\n",
              path.c_str(), static_cast<long long>(report.experiments),
              static_cast<long long>(report.individuals), static_cast<long long>(report.jobs),
              static_cast<long long>(report.facts), static_cast<long long>(report.artifacts),
              static_cast<long long>(report.unreferenced),
              report.problems.empty() ? "sound"
                                      : absl::StrCat(report.problems.size(), " problems").c_str());
  return report.problems.empty() ? 0 : 1;
}

// SIGINT and SIGTERM, and the end of all experiments, as one thing to wait for. Made
// before any thread, so that all of them leave the signals to it.
class End {
 public:
  End() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    signal_ = signalfd(-1, &signals, SFD_CLOEXEC);
    done_ = eventfd(0, EFD_CLOEXEC);
    std::signal(SIGPIPE, SIG_IGN);
  }
  ~End() {
    close(signal_);
    close(done_);
  }
  End(const End&) = delete;
  End& operator=(const End&) = delete;

  // In any thread.
  void NoteDone(bool all_succeeded) {
    succeeded_ = all_succeeded;
    const uint64_t one = 1;
    if (write(done_, &one, sizeof(one)) != sizeof(one)) std::abort();  // It never blocks.
  }

  // The exit status.
  int Wait() {
    struct pollfd ends[2] = {{signal_, POLLIN, 0}, {done_, POLLIN, 0}};
    while (poll(ends, 2, -1) < 0) {
    }
    if (ends[0].revents != 0) {
      spdlog::info("stopping");
      return 0;
    }
    return succeeded_ ? 0 : 1;
  }

 private:
  int signal_ = -1;
  int done_ = -1;
  std::atomic<bool> succeeded_ = false;
};

absl::StatusOr<v1::SubmitRequest> ReadExperiment(const std::string& path) {
  v1::SubmitRequest request;
  if (path.empty()) return request;
  SQUISH_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaximumSpecBytes));
  SQUISH_ASSIGN_OR_RETURN(*request.mutable_spec(), ParseExperimentSpec(text, path));
  request.set_idempotency_key(absl::StrCat("file:", Sha256Hex(text)));
  return request;
}

absl::StatusOr<int> Run(const Flags& flags) {
  End end;
  SQUISH_ASSIGN_OR_RETURN(const v1::SubmitRequest experiment, ReadExperiment(flags.experiment));
  CoordinatorServer::Options options;
  options.population = flags.population;
  options.listen = flags.listen;
  options.metrics = flags.metrics;
  options.lease = absl::Seconds(flags.lease_seconds);
  options.set_aside = flags.set_aside;
  options.garbage_term =
      flags.garbage_hours > 0 ? absl::Hours(flags.garbage_hours) : absl::InfiniteDuration();
  options.minimum_free_bytes = static_cast<int64_t>(flags.minimum_free_gigabytes * 1e9);
  if (flags.exit_when_done) {
    options.on_all_ended = [&end](bool all_succeeded) { end.NoteDone(all_succeeded); };
  }
  SQUISH_ASSIGN_OR_RETURN(const auto server, CoordinatorServer::Start(std::move(options)));
  std::printf("listening on %s metrics %s\n", WithPort(flags.listen, server->port()).c_str(),
              WithPort(flags.metrics, server->metrics_port()).c_str());
  std::fflush(stdout);
  if (experiment.has_spec()) {
    SQUISH_ASSIGN_OR_RETURN(const v1::Experiment started, server->Submit(experiment));
    spdlog::info("experiment {} is {}", started.id(), v1::Experiment::State_Name(started.state()));
  }
  return end.Wait();
}

int Main(int argc, char** argv) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("coordinator"));
  Flags flags;
  CLI::App app("Owns a population of networks and hands out the work of its evolution.",
               "coordinator");
  AddFlags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const absl::StatusOr<int> status = flags.fsck ? Fsck(flags.population) : Run(flags);
  if (status.ok()) return *status;
  std::fprintf(stderr, "coordinator: %s\n", std::string(status.status().message()).c_str());
  return 1;
}

}  // namespace
}  // namespace squish

int main(int argc, char** argv) { return squish::Main(argc, argv); }
