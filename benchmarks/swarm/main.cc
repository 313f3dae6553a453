// squish-swarm: load for a coordinator, and what it is compared with. Started by
// benchmarks/coordinator/run, which starts the coordinator too.
//
//   squish-swarm lifecycles  --coordinator HOST:PORT …   a swarm at work, then paced
//   squish-swarm parked      --coordinator HOST:PORT …   a swarm without work
//   squish-swarm artifacts   --coordinator HOST:PORT …   uploads
//   squish-swarm baselines   --coordinator HOST:PORT …   disk, SQLite and gRPC by themselves
//   squish-swarm populate    --population FILE …         a large population
//
// Each prints one JSON object to stdout. Exit status: 0 done; 1 it could not go on, or a
// figure would not be true; 2 wrong usage.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "benchmarks/swarm/disk.h"
#include "benchmarks/swarm/populate.h"
#include "benchmarks/swarm/swarm.h"
#include "benchmarks/swarm/transfers.h"
#include "common/base/clock.h"
#include "common/base/status_macros.h"
#include "common/rpc/rpc.h"
#include "squish/v1/experiment_service.grpc.pb.h"

namespace squish {
namespace {

// Beside the connections: the program's own files, and what gRPC needs.
constexpr int64_t kOtherDescriptors = 100;
constexpr double kPercentiles[] = {0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1};
constexpr int kManyGenerations = 1000;

struct Flags {
  std::string coordinator;
  std::string folder;
  std::string memory;
  std::string population;
  int runners = 1000;
  int experiments = 32;
  int offspring = 250;
  double warm_up_seconds = 3;
  double seconds = 10;
  int repetitions = 3;
  bool paced = false;
  int64_t bytes = 3'000'000;
  int count = 300;
  int clients = 16;
  int64_t large_bytes = 0;
  PopulationSize size;
};

// As many descriptors as this process may have. RESOURCE_EXHAUSTED: too few.
absl::Status RaiseDescriptors(int64_t connections) {
  struct rlimit limit = {};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const auto wanted = static_cast<rlim_t>(connections + kOtherDescriptors);
  if (limit.rlim_cur >= wanted) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(connections, " connections need ", wanted,
                   " open files, and the limit of this process is ", limit.rlim_cur,
                   ": raise it (ulimit -Hn), for the coordinator too, or ask for fewer runners"));
}

std::string Numbers(const std::vector<double>& values) {
  return absl::StrCat("[",
                      absl::StrJoin(values, ", ",
                                    [](std::string* out, double value) {
                                      absl::StrAppendFormat(out, "%.9g", value);
                                    }),
                      "]");
}

// {"count": 12, "0.5": 1.2, …}
std::string Percentiles(const Distribution& distribution) {
  std::string text = absl::StrFormat("{\"count\": %d", distribution.count());
  for (const double fraction : kPercentiles) {
    absl::StrAppendFormat(&text, ", \"%g\": %.6g", fraction, distribution.Percentile(fraction));
  }
  return text + "}";
}

// --- The experiments that a swarm works on.

absl::Status SubmitExperiments(v1::ExperimentService::Stub& stub, const Flags& flags) {
  for (int i = 0; i < flags.experiments; ++i) {
    grpc::ClientContext context;
    v1::SubmitRequest request;
    // Sizes differ, so that generations do not all end at one moment.
    const int offspring = std::max(2, flags.offspring - i * flags.offspring / 100);
    *request.mutable_spec() = SwarmSpec("swarm", kManyGenerations, offspring);
    v1::Experiment experiment;
    SQUISH_RETURN_IF_ERROR(FromGrpc(stub.Submit(&context, request, &experiment)));
  }
  return absl::OkStatus();
}

// FAILED_PRECONDITION: an experiment is not going on, as after results that were refused.
absl::Status CheckExperiments(v1::ExperimentService::Stub& stub) {
  grpc::ClientContext context;
  v1::ListExperimentsResponse response;
  SQUISH_RETURN_IF_ERROR(FromGrpc(stub.List(&context, {}, &response)));
  for (const v1::Experiment& experiment : response.experiments()) {
    if (experiment.state() == v1::Experiment::NEEDS_ATTENTION ||
        experiment.state() == v1::Experiment::FAILED) {
      return absl::FailedPreconditionError(
          absl::StrCat(experiment.id(), " does not go on: ", experiment.reason()));
    }
  }
  return absl::OkStatus();
}

// --- Phases.

absl::Status RunLifecycles(const Flags& flags) {
  SQUISH_RETURN_IF_ERROR(RaiseDescriptors(flags.runners));
  const auto stub = v1::ExperimentService::NewStub(MakeChannel(flags.coordinator));
  SQUISH_ASSIGN_OR_RETURN(const StandIn stand_in, UploadStandIn(flags.coordinator, flags.folder));
  SQUISH_RETURN_IF_ERROR(SubmitExperiments(*stub, flags));
  // Of an individual's three jobs two are a worker's.
  const int agents = std::max(1, flags.runners / 3);
  Swarm swarm({flags.coordinator, flags.runners - agents, agents, stand_in});
  SQUISH_RETURN_IF_ERROR(swarm.Start());
  int64_t all = 0;  // From the start on.
  absl::SleepFor(absl::Seconds(flags.warm_up_seconds));
  all += swarm.Take().lifecycles;

  std::vector<double> rates, medians;
  Swarm::Counts counts;
  absl::Duration before = Clock::System().Steady();
  for (int i = 0; i < flags.repetitions; ++i) {
    absl::SleepFor(absl::Seconds(flags.seconds));
    counts = swarm.Take();
    const absl::Duration now = Clock::System().Steady();
    rates.push_back(static_cast<double>(counts.lifecycles) / absl::ToDoubleSeconds(now - before));
    medians.push_back(counts.lifecycle_ms.Percentile(0.5));
    all += counts.lifecycles;
    before = now;
  }
  std::string paced = "null";
  if (flags.paced) {
    std::vector<double> sorted = rates;
    std::sort(sorted.begin(), sorted.end());
    const double rate = sorted[sorted.size() / 2] / 2;
    swarm.Pace();
    swarm.RunPaced(rate, absl::Seconds(flags.warm_up_seconds));
    all += swarm.Take().lifecycles;
    std::vector<std::string> runs;
    for (int i = 0; i < flags.repetitions; ++i) {
      swarm.RunPaced(rate, absl::Seconds(flags.seconds));
      const Swarm::Counts run = swarm.Take();
      all += run.lifecycles;
      runs.push_back(absl::StrFormat(
          "{\"rate\": %.6g, \"lifecycles\": %d, \"without_work\": %d, \"found_ms\": %s, "
          "\"other_ms\": %s}",
          rate, run.lifecycles, run.without_work, Percentiles(run.found_ms),
          Percentiles(run.other_ms)));
    }
    paced = absl::StrCat("[", absl::StrJoin(runs, ", "), "]");
  }
  SQUISH_RETURN_IF_ERROR(swarm.Trouble());
  SQUISH_RETURN_IF_ERROR(CheckExperiments(*stub));
  std::printf(
      "{\"all_lifecycles\": %lld, \"lifecycles_per_second\": %s, "
      "\"lifecycle_median_ms\": %s, \"last_lifecycle_ms\": %s, \"paced\": %s}\n",
      static_cast<long long>(all), Numbers(rates).c_str(), Numbers(medians).c_str(),
      Percentiles(counts.lifecycle_ms).c_str(), paced.c_str());
  return absl::OkStatus();
}

// Says when everybody has connected; then stays, waiting inside calls, until a line comes
// in: whoever started this looks at the coordinator meanwhile.
absl::Status RunParked(const Flags& flags) {
  SQUISH_RETURN_IF_ERROR(RaiseDescriptors(flags.runners));
  Swarm swarm({flags.coordinator, flags.runners, 0, {}});
  const absl::Duration start = Clock::System().Steady();
  SQUISH_RETURN_IF_ERROR(swarm.Start());
  std::printf("{\"connected\": %d, \"connect_seconds\": %.3g}\n", flags.runners,
              absl::ToDoubleSeconds(Clock::System().Steady() - start));
  std::fflush(stdout);
  std::string line;
  std::getline(std::cin, line);
  return swarm.Trouble();
}

absl::Status RunArtifacts(const Flags& flags) {
  SQUISH_RETURN_IF_ERROR(RaiseDescriptors(flags.clients));
  std::vector<double> rates, disk;
  const uint64_t seed = static_cast<uint64_t>(absl::ToUnixMicros(absl::Now()));
  for (int i = 0; i < flags.repetitions; ++i) {
    // In turn, so that both meet the same disk.
    SQUISH_ASSIGN_OR_RETURN(const double files,
                            SyncedFilesPerSecond(flags.folder, flags.bytes, flags.clients,
                                                 absl::Seconds(flags.seconds)));
    disk.push_back(files);
    SQUISH_ASSIGN_OR_RETURN(
        const double rate,
        ArtifactsPerSecond(flags.coordinator, flags.memory, flags.bytes, flags.count, flags.clients,
                           seed + static_cast<uint64_t>(i)));
    rates.push_back(rate);
  }
  RoundTrip large;
  if (flags.large_bytes > 0) {
    SQUISH_ASSIGN_OR_RETURN(large,
                            MoveLargeArtifact(flags.coordinator, flags.folder, flags.large_bytes));
  }
  std::printf(
      "{\"artifacts_per_second\": %s, \"synced_files_per_second\": %s, "
      "\"large_bytes\": %lld, \"large_upload_seconds\": %.4g, "
      "\"large_download_seconds\": %.4g}\n",
      Numbers(rates).c_str(), Numbers(disk).c_str(), static_cast<long long>(flags.large_bytes),
      large.upload_seconds, large.download_seconds);
  return absl::OkStatus();
}

absl::Status RunBaselines(const Flags& flags) {
  std::vector<double> transactions, calls;
  for (int i = 0; i < flags.repetitions; ++i) {
    SQUISH_ASSIGN_OR_RETURN(const double written, SyncedTransactionsPerSecond(
                                                      flags.folder, absl::Seconds(flags.seconds)));
    SQUISH_ASSIGN_OR_RETURN(const double called,
                            EmptyCallsPerSecond(flags.coordinator, absl::Seconds(flags.seconds)));
    transactions.push_back(written);
    calls.push_back(called);
  }
  std::printf("{\"synced_transactions_per_second\": %s, \"empty_calls_per_second\": %s}\n",
              Numbers(transactions).c_str(), Numbers(calls).c_str());
  return absl::OkStatus();
}

absl::Status RunPopulate(const Flags& flags) {
  SQUISH_ASSIGN_OR_RETURN(const PopulationCounts counts,
                          MakePopulation(flags.population, flags.size));
  std::printf(
      "{\"experiments\": %lld, \"individuals\": %lld, \"jobs\": %lld, \"live_jobs\": %lld}\n",
      static_cast<long long>(counts.experiments), static_cast<long long>(counts.individuals),
      static_cast<long long>(counts.jobs), static_cast<long long>(counts.live_jobs));
  return absl::OkStatus();
}

void AddTiming(CLI::App& command, Flags& flags) {
  command.add_option("--coordinator", flags.coordinator, "HOST:PORT")->required();
  command.add_option("--seconds", flags.seconds, "Of a repetition");
  command.add_option("--repetitions", flags.repetitions)->check(CLI::PositiveNumber);
}

int Main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  spdlog::set_default_logger(spdlog::stderr_color_mt("squish-swarm"));
  spdlog::set_level(spdlog::level::warn);
  Flags flags;
  CLI::App app("Load for a coordinator.", "squish-swarm");
  app.require_subcommand(1);

  CLI::App& lifecycles = *app.add_subcommand("lifecycles", "A swarm at work");
  AddTiming(lifecycles, flags);
  lifecycles.add_option("--folder", flags.folder, "For a small file")->required();
  lifecycles.add_option("--runners", flags.runners)->check(CLI::Range(2, 100'000));
  lifecycles.add_option("--experiments", flags.experiments, "Submitted first; 0: there are some");
  lifecycles.add_option("--offspring", flags.offspring, "Of the first; others have fewer");
  lifecycles.add_option("--warm-up-seconds", flags.warm_up_seconds);
  lifecycles.add_flag("--paced", flags.paced, "Afterwards the open loop, at half the rate");

  CLI::App& parked = *app.add_subcommand("parked", "A swarm without work");
  parked.add_option("--coordinator", flags.coordinator, "HOST:PORT")->required();
  parked.add_option("--runners", flags.runners)->check(CLI::PositiveNumber);

  CLI::App& artifacts = *app.add_subcommand("artifacts", "Uploads");
  AddTiming(artifacts, flags);
  artifacts.add_option("--folder", flags.folder, "On the disk that is measured")->required();
  artifacts.add_option("--memory", flags.memory, "Where files are made that are uploaded")
      ->required();
  artifacts.add_option("--bytes", flags.bytes, "Of an artifact");
  artifacts.add_option("--count", flags.count, "Of artifacts in a repetition");
  artifacts.add_option("--clients", flags.clients)->check(CLI::PositiveNumber);
  artifacts.add_option("--large-bytes", flags.large_bytes, "Of one large artifact; 0: none");

  CLI::App& baselines = *app.add_subcommand("baselines", "Disk, SQLite and gRPC by themselves");
  AddTiming(baselines, flags);
  baselines.add_option("--folder", flags.folder, "On the disk that is measured")->required();

  CLI::App& populate = *app.add_subcommand("populate", "A large population");
  populate.add_option("--population", flags.population, "The file that is made")->required();
  populate.add_option("--finished", flags.size.finished)->check(CLI::PositiveNumber);
  populate.add_option("--finished-generations", flags.size.finished_generations);
  populate.add_option("--finished-offspring", flags.size.finished_offspring);
  populate.add_option("--live-generations", flags.size.live_generations);
  populate.add_option("--live-offspring", flags.size.live_offspring);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  absl::Status status;
  if (lifecycles.parsed()) status = RunLifecycles(flags);
  if (parked.parsed()) status = RunParked(flags);
  if (artifacts.parsed()) status = RunArtifacts(flags);
  if (baselines.parsed()) status = RunBaselines(flags);
  if (populate.parsed()) status = RunPopulate(flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "squish-swarm: %s\n", status.ToString().c_str());
  return 1;
}

}  // namespace
}  // namespace squish

int main(int argc, char** argv) { return squish::Main(argc, argv); }
