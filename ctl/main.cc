// squishctl: what a person asks of a coordinator, and the demo.
// Exit status: 0 done, 1 failed (one sentence on stderr), 2 wrong usage.
#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "ctl/commands.h"
#include "ctl/coordinator_client.h"
#include "ctl/dataset_command.h"
#include "ctl/demo.h"

namespace squish {
namespace {

constexpr int kUsage = 2;

struct Arguments {
  std::string coordinator = "127.0.0.1:7461";
  std::string file, id, format = "table", digest, output;
  DemoOptions demo;
};

using Command = std::function<absl::Status(CoordinatorClient&)>;

// "torch", "simulated", or "replay:FILE" with a file that is there.
std::string CheckEngine(const std::string& engine) {
  if (engine == "torch" || engine == "simulated") return "";
  if (absl::StartsWith(engine, "replay:")) return CLI::ExistingFile(engine.substr(7));
  return "'" + engine + "' is none of torch, simulated, replay:FILE";
}

class Program {
 public:
  Program() {
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.add_option("--coordinator", arguments_.coordinator, "Where the coordinator is")
        ->type_name("HOST:PORT")
        ->capture_default_str();
    AddFileCommands();
    AddExperimentCommands();
    AddArtifactCommands();
    AddDemo();
    AddDatasetCommand(app_, [this](std::function<absl::Status()> run) {
      command_ = [run = std::move(run)](CoordinatorClient&) { return run(); };
    });
  }

  int Run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? 0 : kUsage;
    }
    if (demo_->parsed()) {
      return RunDemo(arguments_.demo, ExecutableFolder(), std::cout, std::cerr);
    }
    CoordinatorClient client(arguments_.coordinator);
    const absl::Status status = command_(client);
    if (status.ok()) return 0;
    std::cerr << "squishctl: " << std::string(status.message()) << "\n";
    return 1;
  }

 private:
  CLI::App* Add(const char* name, const char* help, Command command) {
    CLI::App* added = app_.add_subcommand(name, help);
    added->callback([this, command = std::move(command)] { command_ = command; });
    return added;
  }
  void AddId(CLI::App* command) {
    command->add_option("ID", arguments_.id, "The experiment, as `list` shows it")->required();
  }
  void AddFile(CLI::App* command, const char* help) {
    command->add_option("FILE", arguments_.file, help)->required();
  }

  void AddFileCommands() {
    AddFile(Add("submit", "Start an experiment; prints its id",
                [this](CoordinatorClient& client) {
                  return SubmitCommand(client, arguments_.file, std::cout);
                }),
            "The experiment as protobuf text (.txtpb)");
    AddFile(Add("validate", "Check an experiment's file without a coordinator",
                [this](CoordinatorClient&) {
                  return ValidateCommand(arguments_.file, std::cout);
                }),
            "The experiment as protobuf text (.txtpb)");
  }

  void AddExperimentCommands() {
    Add("list", "All experiments, the newest first",
        [](CoordinatorClient& client) { return ListCommand(client, std::cout); });
    AddId(Add("status", "What is known of an experiment", [this](CoordinatorClient& client) {
      return StatusCommand(client, arguments_.id, std::cout);
    }));
    AddId(Add("watch", "Follow an experiment to its end", [this](CoordinatorClient& client) {
      return WatchCommand(client, arguments_.id, std::cout);
    }));
    CLI::App* individuals =
        Add("individuals", "All individuals of an experiment", [this](CoordinatorClient& client) {
          return IndividualsCommand(client, arguments_.id, arguments_.format, std::cout);
        });
    AddId(individuals);
    individuals->add_option("--format", arguments_.format, "table or csv")
        ->check(CLI::IsMember({"table", "csv"}))
        ->capture_default_str();
    AddId(Add("speeds", "Measured speeds as CSV, for the agent's replay engine",
              [this](CoordinatorClient& client) {
                return SpeedsCommand(client, arguments_.id, std::cout);
              }));
    AddId(Add("pause", "Give out no more work", [this](CoordinatorClient& client) {
      return PrintState(client.Pause(arguments_.id), std::cout);
    }));
    AddId(Add("resume", "Go on after pause, or after attention was needed",
              [this](CoordinatorClient& client) {
                return PrintState(client.Resume(arguments_.id), std::cout);
              }));
    AddId(Add("cancel", "End an experiment; what was found stays",
              [this](CoordinatorClient& client) {
                return PrintState(client.Cancel(arguments_.id), std::cout);
              }));
  }

  void AddArtifactCommands() {
    CLI::App* artifact =
        Add("artifact", "Fetch an artifact, such as a network", [this](CoordinatorClient& client) {
          return client.Download(arguments_.digest, arguments_.output);
        });
    artifact->add_option("DIGEST", arguments_.digest, "Its SHA-256")->required();
    artifact->add_option("--output", arguments_.output, "Where to write it")
        ->type_name("FILE")
        ->required();
    AddFile(Add("upload", "Store a file as an artifact; prints its digest",
                [this](CoordinatorClient& client) -> absl::Status {
                  SQUISH_ASSIGN_OR_RETURN(const std::string digest,
                                          client.Upload(arguments_.file));
                  std::cout << digest << "\n";
                  return absl::OkStatus();
                }),
            "The file");
  }

  void AddDemo() {
    DemoOptions& demo = arguments_.demo;
    demo_ = app_.add_subcommand("demo", "One evolution on this machine, with its own processes");
    demo_->add_flag("--quick", demo.quick, "Two small generations, at most a minute");
    demo_->add_option("--generations", demo.generations, "Generations after the ancestor");
    demo_->add_option("--offspring", demo.offspring, "Individuals of each generation");
    demo_->add_option("--seed", demo.seed, "Everything random follows from it");
    demo_->add_option("--out", demo.out, "Folder for everything that it makes")
        ->type_name("DIR")
        ->capture_default_str();
    demo_->add_option("--data", demo.data, "CIFAR-10 batches (data_batch_*.bin) to learn from")
        ->type_name("DIR")
        ->check(CLI::ExistingDirectory);
    demo_->add_option("--ancestor-weights", demo.ancestor_weights,
                      "Start from this network (.safetensors) of the same classes")
        ->type_name("FILE")
        ->check(CLI::ExistingFile);
    demo_->add_option("--engine", demo.engine, "torch, simulated or replay:FILE")
        ->type_name("ENGINE")
        ->check(CLI::Validator(CheckEngine, ""))
        ->capture_default_str();
    demo_->add_option("--workers", demo.workers, "Worker processes")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    demo_->add_option("--examples", demo.examples, "Folder with demo.txtpb")
        ->type_name("DIR")
        ->check(CLI::ExistingDirectory);
  }

  CLI::App app_{"Talks to a Squish coordinator"};
  CLI::App* demo_ = nullptr;
  Arguments arguments_;
  Command command_;
};

}  // namespace
}  // namespace squish

int main(int argc, char** argv) { return squish::Program().Run(argc, argv); }
