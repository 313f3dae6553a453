// squishctl: what a person asks of a coordinator, and the demo.
// Exit status: 0 done; 1 failed (one sentence on stderr); 2 wrong usage; 3 no coordinator
// answers.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "ctl/backup_command.h"
#include "ctl/branch_command.h"
#include "ctl/commands.h"
#include "ctl/coordinator_client.h"
#include "ctl/dataset_command.h"
#include "ctl/demo.h"
#include "ctl/export_command.h"
#include "ctl/generations.h"

namespace squish {
namespace {

constexpr int kUsage = 2;
constexpr int kUnavailable = 3;

constexpr char kFooter[] =
    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 no coordinator answers.";

const std::map<std::string, Format> kFormats = {
    {"table", Format::kTable}, {"json", Format::kJson}, {"csv", Format::kCsv}};

struct Arguments {
  std::string coordinator = "127.0.0.1:7461";
  std::string file, id, individual, data, digest, output, champion = "knee";
  Format format = Format::kTable;
  bool no_similarity = false;
  BranchChanges branch;
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
        ->envname("SQUISH_COORDINATOR")
        ->type_name("HOST:PORT")
        ->capture_default_str();
    app_.set_version_flag("--version", kVersion);
    app_.footer(kFooter);
    AddFileCommands();
    AddLookingCommands();
    AddSteeringCommands();
    AddBranchCommands();
    AddExport();
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
    return absl::IsUnavailable(status) ? kUnavailable : 1;
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
  void AddSpec(CLI::App* command) { AddFile(command, "The experiment as protobuf text (.txtpb)"); }
  void AddFormat(CLI::App* command) {
    command->add_option("--format", arguments_.format, "table, json or csv")
        ->transform(CLI::CheckedTransformer(kFormats).description(""))
        ->type_name("FORMAT");
  }
  // A command that prints what is known of one experiment.
  void AddLook(const char* name, const char* help,
               absl::Status (*run)(CoordinatorClient&, const std::string&, Format,
                                   std::ostream&)) {
    CLI::App* command = Add(name, help, [this, run](CoordinatorClient& client) {
      return run(client, arguments_.id, arguments_.format, std::cout);
    });
    AddId(command);
    AddFormat(command);
  }
  // … or of one of its individuals.
  void AddLook(const char* name, const char* help,
               absl::Status (*run)(CoordinatorClient&, const std::string&, const std::string&,
                                   Format, std::ostream&)) {
    CLI::App* command = Add(name, help, [this, run](CoordinatorClient& client) {
      return run(client, arguments_.id, arguments_.individual, arguments_.format, std::cout);
    });
    AddId(command);
    command->add_option("INDIVIDUAL", arguments_.individual, "generation:index, e.g. 3:1")
        ->required();
    AddFormat(command);
  }

  void AddFileCommands() {
    AddSpec(Add("submit", "Start an experiment; prints its id", [this](CoordinatorClient& client) {
      return SubmitCommand(client, arguments_.file, std::cout);
    }));
    AddSpec(Add("validate", "Check an experiment's file without a coordinator",
                [this](CoordinatorClient&) {
                  return ValidateCommand(arguments_.file, std::cout);
                }));
    CLI::App* plan = Add("plan", "What an experiment would cost on this fleet; starts nothing",
                         [this](CoordinatorClient& client) {
                           return PlanCommand(client, arguments_.file, arguments_.data,
                                              arguments_.format, std::cout);
                         });
    AddSpec(plan);
    plan->add_option("--data", arguments_.data,
                     "The folder of its data set, where no worker has it yet")
        ->type_name("DIR")
        ->check(CLI::ExistingDirectory);
    AddFormat(plan);
  }

  void AddLookingCommands() {
    AddFormat(Add("list", "All experiments, the newest first", [this](CoordinatorClient& client) {
      return ListCommand(client, arguments_.format, std::cout);
    }));
    AddLook("status", "What is known of an experiment", StatusCommand);
    AddId(Add("watch", "Follow an experiment to its end", [this](CoordinatorClient& client) {
      return WatchCommand(client, arguments_.id, ::isatty(STDOUT_FILENO) == 1, std::cout);
    }));
    AddLook("individuals", "All individuals of an experiment", IndividualsCommand);
    AddLook("show", "Everything that is known of an individual", ShowCommand);
    AddLook("lineage", "An individual and its parents, back to the ancestor", LineageCommand);
    AddGenerations();
    AddLook("champions", "The individuals that the experiment was run for", ChampionsCommand);
    AddFormat(Add("runners", "Who is connected, and what they do",
                  [this](CoordinatorClient& client) {
                    return RunnersCommand(client, arguments_.format, std::cout);
                  }));
    AddId(Add("speeds", "Measured speeds as CSV, for the agent's replay engine",
              [this](CoordinatorClient& client) {
                return SpeedsCommand(client, arguments_.id, std::cout);
              }));
  }

  void AddGenerations() {
    CLI::App* command = Add("generations", "How an evolution goes: figures of each generation",
                            [this](CoordinatorClient& client) {
                              return GenerationsCommand(client, arguments_.id,
                                                        !arguments_.no_similarity,
                                                        arguments_.format, std::cout);
                            });
    AddId(command);
    AddFormat(command);
    command->add_flag("--no-similarity", arguments_.no_similarity,
                      "Leave similarity out, for which every network is fetched");
    command->footer(kGenerationsFootnote);
  }

  void AddSteeringCommands() {
    AddId(Add("pause", "Give out no more work", [this](CoordinatorClient& client) {
      return PrintState(client.Pause(arguments_.id), std::cout);
    }));
    AddId(Add("resume", "Go on after pause", [this](CoordinatorClient& client) {
      return PrintState(client.Resume(arguments_.id), std::cout);
    }));
    AddId(Add("retry", "Try again what is out of retries (NEEDS_ATTENTION)",
              [this](CoordinatorClient& client) {
                return PrintState(client.Retry(arguments_.id), std::cout);
              }));
    AddId(Add("cancel", "End an experiment; what was found stays",
              [this](CoordinatorClient& client) {
                return PrintState(client.Cancel(arguments_.id), std::cout);
              }));
  }

  void AddBranchCommands() {
    CLI::App* branch =
        Add("branch", "Start a new experiment from an individual; prints its id",
            [this](CoordinatorClient& client) {
              return BranchCommand(client, arguments_.id, arguments_.individual,
                                   arguments_.branch, std::cout);
            });
    AddId(branch);
    branch->add_option("INDIVIDUAL", arguments_.individual, "generation:index, e.g. 3:1")
        ->required();
    AddBranchChanges(branch);
    CLI::App* next = Add("continue",
                         "Start a new experiment from the best that was selected last; prints its id",
                         [this](CoordinatorClient& client) {
                           return BranchCommand(client, arguments_.id, "", arguments_.branch,
                                                std::cout);
                         });
    AddId(next);
    AddBranchChanges(next);
  }
  void AddBranchChanges(CLI::App* command) {
    BranchChanges& changes = arguments_.branch;
    command->add_option("--generations", changes.generations, "Generations after the individual");
    command->add_option("--resource-factor", changes.resource_factor, "R of every generation");
    command->add_option("--max-megabytes", changes.max_megabytes, "Another limit of size");
    command->add_option("--min-ratio", changes.min_ratio,
                        "Another limit of images/s, as a ratio to the ancestor");
    command->add_option("--name", changes.name, "Another name");
    command->add_option("--seed", changes.seed, "Another seed");
  }

  void AddExport() {
    CLI::App* command =
        Add("export", "Make a folder of a champion's files, with a model card and an example",
            [this](CoordinatorClient& client) {
              return ExportCommand(client, arguments_.id, arguments_.champion, arguments_.output,
                                   std::cout);
            });
    AddId(command);
    command->add_option("CHAMPION", arguments_.champion,
                        "knee, smallest, fastest, most-accurate, a size in MB that the spec "
                        "reports, or generation:index")
        ->capture_default_str();
    command->add_option("--output", arguments_.output, "The folder; it must not exist yet")
        ->type_name("DIR")
        ->required();
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
    Add("backup", "Copy the whole population, while work goes on, into a folder",
        [this](CoordinatorClient& client) {
          return BackupCommand(client, arguments_.file, std::cout);
        })
        ->add_option("DIR", arguments_.file,
                     "Where; an earlier backup there is brought up to date")
        ->required();
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
