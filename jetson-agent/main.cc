// The agent: leases MEASURE jobs from a coordinator and measures on this machine.
//
//   jetson-agent --coordinator HOST:PORT --state DIR
//                --engine torch|opencv|trtexec|trtexec:fp16|simulated|replay:FILE
//   jetson-agent selftest --engine …                 (accepts a board, without a coordinator)
//   jetson-agent measure CANDIDATE ANCESTOR --engine …              (two networks, likewise)
//   jetson-agent engine replay FILE | simulated | trtexec  (the engine's side of the contract)
//
// Flags may stand in a file (--config). Links no LibTorch: engines are children (docs/engines.md).
#include <signal.h>
#include <unistd.h>

#include <google/protobuf/util/json_util.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/child/parent_watch.h"
#include "common/runner/runner.h"
#include "common/spec/defaults.h"
#include "jetson-agent/engine/replay_engine.h"
#include "jetson-agent/engine/server.h"
#include "jetson-agent/engine/simulated_engine.h"
#include "jetson-agent/engine/trtexec/trtexec_engine.h"
#include "jetson-agent/measure_executor.h"
#include "jetson-agent/measure_files.h"
#include "jetson-agent/selftest.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

namespace squish {
namespace {

struct Flags {
  std::string coordinator;
  std::string state;
  std::string engine = "torch";
  std::string engine_command;
  std::string device_class;
  std::string id;
  double engine_silence_seconds = 30;
  std::string system_root = "/";
  std::string replay_file;  // Of `engine replay`.
  TrtexecOptions trtexec;   // Of `engine trtexec`.
  MeasureFilesOptions measure;
  std::string stack{kSimulatedStacks[0].name};  // Of `engine simulated`.
};

// The command line that starts the engine. INVALID_ARGUMENT: no engine has that name.
absl::StatusOr<std::vector<std::string>> EngineCommand(const Flags& flags) {
  if (!flags.engine_command.empty()) {
    return std::vector<std::string>(
        absl::StrSplit(flags.engine_command, ' ', absl::SkipEmpty()));
  }
  const std::string self = JoinPath(ExecutableFolder(), "jetson-agent");
  constexpr absl::string_view kReplay = "replay:";
  const absl::string_view engine = flags.engine;
  if (engine == "torch") {
    return std::vector<std::string>{JoinPath(ExecutableFolder(), "squish-engine-torch")};
  }
  if (engine == "opencv") {
    return std::vector<std::string>{JoinPath(ExecutableFolder(), "squish-engine-opencv")};
  }
  if (engine == "trtexec" || engine == "trtexec:fp16") {
    if (flags.state.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--engine ", engine, " keeps what it builds; name a folder for it with --state"));
    }
    return std::vector<std::string>{self, "engine", "trtexec",
                                    "--precision", engine == "trtexec" ? "fp32" : "fp16",
                                    "--cache", JoinPath(flags.state, "engines")};
  }
  if (engine == "simulated") return std::vector<std::string>{self, "engine", "simulated"};
  if (absl::StartsWith(engine, kReplay) && engine.size() > kReplay.size()) {
    return std::vector<std::string>{self, "engine", "replay",
                                    std::string(engine.substr(kReplay.size()))};
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--engine ", engine, ": no such engine; say torch, opencv, trtexec, trtexec:fp16, "
      "simulated or replay:FILE, or give another's command line with --engine-command"));
}

v1::RunnerInfo Describe(const Flags& flags, const MeasureExecutor& executor) {
  v1::RunnerInfo info;
  info.set_kind(v1::RunnerInfo::AGENT);
  info.set_id(flags.id);
  info.set_version(kVersion);
  info.set_slots(1);
  info.set_device_class(executor.device_class());
  info.set_engine(executor.engine().engine);
  return info;
}

// Blocks the signals that end us, in this thread and those to come.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

absl::StatusOr<EngineOptions> ToEngineOptions(const Flags& flags) {
  EngineOptions options;
  SQUISH_ASSIGN_OR_RETURN(options.child.command, EngineCommand(flags));
  options.child.environment = InheritedEnvironment();
  options.silence_limit = absl::Seconds(flags.engine_silence_seconds);
  return options;
}

absl::Status ServeCoordinator(const Flags& flags) {
  MeasureExecutorOptions options;
  SQUISH_ASSIGN_OR_RETURN(options.engine, ToEngineOptions(flags));
  options.device_class = flags.device_class;
  options.board.system_root = flags.system_root;
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<MeasureExecutor> executor,
                          MeasureExecutor::Create(std::move(options), Clock::System()));
  const EngineReady& engine = executor->engine();
  spdlog::info("engine {} ({}, {}){}, device class {}", engine.engine, engine.version,
               engine.precision, engine.synthetic ? ", synthetic" : "", executor->device_class());
  if (const v1::BoardInfo& board = executor->board(); !board.l4t().empty()) {
    const auto known = [](const std::string& text) { return text.empty() ? "unknown" : text; };
    spdlog::info("{}, L4T {}, JetPack {}, CUDA {}, TensorRT {}", known(board.model()), board.l4t(),
                 known(board.jetpack()), known(board.cuda()), known(board.tensorrt()));
  }

  // Until here a signal simply ends us; now threads begin, and one of them waits for it.
  const sigset_t stop_signals = BlockStopSignals();
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Runner> runner,
                          Runner::Create({.coordinator = flags.coordinator,
                                          .state_folder = flags.state,
                                          .info = Describe(flags, *executor)},
                                         executor.get()));
  std::thread signals([&runner, &stop_signals] {
    int signal = 0;
    ::sigwait(&stop_signals, &signal);
    spdlog::info("signal {}: stopping", signal);
    runner->Stop();
  });
  absl::Status served = runner->Run();
  ::kill(::getpid(), SIGTERM);  // Ends the thread where Run ended by itself.
  signals.join();
  return served;
}

// One that has children of its own leads a group with them.
enum class Processes { kOne, kGroup };

int ServeEngine(absl::StatusOr<std::unique_ptr<Engine>> engine,
                Processes processes = Processes::kOne) {
  if (processes == Processes::kOne) EndWithParent();
  if (!engine.ok()) {
    std::cerr << "jetson-agent engine: " << engine.status().message() << "\n";
    return 1;
  }
  Serve(**engine, std::cin, std::cout);
  return 0;
}

void AddTrtexecOptions(CLI::App& app, TrtexecOptions& options) {
  app.add_option("--trtexec", options.trtexec, "The tool itself")->capture_default_str();
  app.add_option("--precision", options.precision, "fp32 or fp16")
      ->check(CLI::IsMember({"fp32", "fp16"}))
      ->capture_default_str();
  app.add_option("--cache", options.cache_folder, "Folder that engine files are kept in")
      ->required();
  app.add_option("--workspace-mib", options.workspace_mib,
                 "MiB of device memory that a kernel may use")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  const auto add_limit = [&app](const char* name, absl::Duration& limit, const char* help) {
    app.add_option_function<double>(
           name, [&limit](const double& seconds) { limit = absl::Seconds(seconds); }, help)
        ->check(CLI::Range(0.1, 3600.0));
  };
  add_limit("--build-seconds", options.build_limit, "A build that takes longer has failed (1800)");
  add_limit("--run-seconds", options.run_limit, "A run that takes longer has failed (120)");
}

absl::StatusOr<LocalEngineOptions> ToLocalEngineOptions(const Flags& flags) {
  LocalEngineOptions options;
  SQUISH_ASSIGN_OR_RETURN(options.engine, ToEngineOptions(flags));
  options.device_class = flags.device_class;
  options.system_root = flags.system_root;
  return options;
}

absl::StatusOr<bool> RunSelfTest(const Flags& flags) {
  SQUISH_ASSIGN_OR_RETURN(const LocalEngineOptions options, ToLocalEngineOptions(flags));
  return SelfTest(options, Clock::System(), std::cout);
}

void AddMeasureOptions(CLI::App& app, MeasureFilesOptions& options) {
  // As an experiment's `measurement` has them.
  FillDefaults(options.protocol, /*input_size=*/0, /*profile=*/false);
  app.add_option("CANDIDATE", options.candidate,
                 "A network file, or a folder that 'squishctl export' wrote")
      ->required();
  app.add_option("ANCESTOR", options.ancestor, "Whose speed is 1; likewise")->required();
  v1::MeasurementSpec& protocol = options.protocol;
  const auto add = [&](const char* name, auto value, auto set, const char* help) {
    using Number = decltype(value);
    return app.add_option_function<Number>(
        name, [&protocol, set](const Number& number) { (protocol.*set)(number); }, help);
  };
  using Protocol = v1::MeasurementSpec;
  add("--batch", 1, &Protocol::set_batch, "Pictures a call (1)")->check(CLI::Range(1, 1024));
  add("--input-size", 1, &Protocol::set_input_size,
      "Side of the pictures in pixels (the candidate's own)")
      ->check(CLI::Range(8, 1024));
  add("--threads", 1, &Protocol::set_threads, "Of the host that may compute (1)")
      ->check(CLI::Range(1, 256));
  add("--minimum-blocks", 1, &Protocol::set_minimum_blocks, "Groups A B B A (8)")
      ->check(CLI::Range(2, 10'000));
  add("--minimum-seconds", 1.0, &Protocol::set_minimum_seconds, "Measured of each network (0.3)")
      ->check(CLI::Range(0.0, 3600.0));
  add("--maximum-spread", 1.0, &Protocol::set_maximum_spread,
      "Relative half-width of the ratio's 95 % interval (0.05)")
      ->check(CLI::Range(1e-4, 10.0));
  add("--time-limit-seconds", 1.0, &Protocol::set_time_limit_seconds,
      "After so long it ends, INVALID where a rule is broken (60)")
      ->check(CLI::Range(0.1, 86400.0));
  app.add_flag_callback("--profile", [&protocol] { protocol.set_profile(true); },
                        "Time the candidate's layers as well");
  app.add_option("--engine-builds", options.engine_builds,
                 "So many of each network, where the engine builds any")
      ->check(CLI::Range(1, kMaximumBuilds))
      ->capture_default_str();
}

absl::StatusOr<v1::MeasureResult> RunMeasure(const Flags& flags) {
  SQUISH_ASSIGN_OR_RETURN(const LocalEngineOptions options, ToLocalEngineOptions(flags));
  SQUISH_ASSIGN_OR_RETURN(LocalEngine engine, StartLocalEngine(options, Clock::System()));
  return MeasureFiles(engine, flags.measure, Clock::System());
}

// Prints what came out as JSON. 0: it is VALID.
int PrintMeasure(const absl::StatusOr<v1::MeasureResult>& result) {
  if (!result.ok()) {
    std::cerr << "jetson-agent measure: " << result.status().message() << "\n";
    return 1;
  }
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(*result, &json, options).ok()) std::abort();
  std::cout << json;
  return result->verdict() == v1::MeasureResult::VALID ? 0 : 1;
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app{"Squish's agent: measures networks on this machine for a coordinator."};
  app.set_version_flag("--version", kVersion);
  app.set_config("--config", "", "A file (TOML) with flags by their long names");
  app.allow_config_extras(CLI::config_extras_mode::error);
  CLI::Option* coordinator =
      app.add_option("--coordinator", flags.coordinator, "HOST:PORT of the coordinator");
  CLI::Option* state =
      app.add_option("--state", flags.state, "Folder for results, artifacts and the agent's id");
  app.add_option("--engine", flags.engine,
                 "torch, opencv, trtexec, trtexec:fp16, simulated or replay:FILE")
      ->capture_default_str();
  app.add_option("--engine-command", flags.engine_command,
                 "Another engine: its command line, words separated by spaces (docs/engines.md)");
  app.add_option("--device-class", flags.device_class,
                 "What this board is called (default: from its processor, or the engine's own)");
  app.add_option("--id", flags.id, "This agent's id (default: kept in --state)");
  app.add_option("--engine-silence-seconds", flags.engine_silence_seconds,
                 "An engine that does not answer for so long is replaced")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  app.add_option("--system-root", flags.system_root,
                 "Where /sys, /proc, /etc, /var and /usr are that tell of the board")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  CLI::App* selftest = app.add_subcommand(
      "selftest", "Measure networks whose ratio is known, say what came out, and end: with 0 "
                  "when it is what it has to be");
  selftest->fallthrough();
  CLI::App* measure = app.add_subcommand(
      "measure", "Measure a network beside its ancestor, print what came out as JSON, and end: "
                 "with 0 when it is VALID");
  measure->fallthrough();
  AddMeasureOptions(*measure, flags.measure);
  CLI::App* engine = app.add_subcommand("engine", "Be an engine: what the agent itself starts");
  engine->require_subcommand(1);
  CLI::App* replay = engine->add_subcommand("replay", "Speeds recorded in a CSV file");
  replay->add_option("FILE", flags.replay_file, "architecture_digest,images_per_second")
      ->required();
  CLI::App* trtexec = engine->add_subcommand("trtexec", "NVIDIA's TensorRT by its own tool");
  AddTrtexecOptions(*trtexec, flags.trtexec);
  CLI::App* simulated = engine->add_subcommand("simulated", "An analytic device");
  std::vector<std::string> stacks;
  for (const SimulatedStack& stack : kSimulatedStacks) stacks.emplace_back(stack.name);
  simulated->add_option("--stack", flags.stack, "Whose published speeds it is fitted to")
      ->check(CLI::IsMember(stacks))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  if (replay->parsed()) return ServeEngine(ReplayEngine::Open(flags.replay_file));
  if (trtexec->parsed()) {
    EndGroupWithParent();  // Before it is asked who it is, which may take a while.
    return ServeEngine(TrtexecEngine::Create(flags.trtexec), Processes::kGroup);
  }
  if (simulated->parsed()) {
    const auto* const stack = std::find_if(
        std::begin(kSimulatedStacks), std::end(kSimulatedStacks),
        [&flags](const SimulatedStack& one) { return one.name == flags.stack; });
    return ServeEngine(std::make_unique<SimulatedEngine>(*stack));
  }
  if (selftest->parsed()) {
    const absl::StatusOr<bool> passed = RunSelfTest(flags);
    if (!passed.ok()) std::cerr << "jetson-agent selftest: " << passed.status().message() << "\n";
    const bool accepted = passed.value_or(false);
    std::cout << "selftest: " << (accepted ? "passed" : "FAILED") << "\n";
    return accepted ? 0 : 1;
  }
  if (measure->parsed()) return PrintMeasure(RunMeasure(flags));
  if (coordinator->empty() || state->empty()) {
    std::cerr << "jetson-agent: needs --coordinator HOST:PORT and --state DIR, on the command line "
                 "or in the file of --config; see --help\n";
    return 2;
  }

  spdlog::set_default_logger(spdlog::stderr_color_mt("jetson-agent"));
  const absl::Status served = ServeCoordinator(flags);
  if (served.ok()) return 0;
  std::cerr << "jetson-agent: " << served.message() << "\n";
  return 1;
}

}  // namespace
}  // namespace squish

int main(int argc, char** argv) { return squish::Main(argc, argv); }
