// squish-chaos: whether the population comes out the same whatever fails on the way.
//
//   squish-chaos [--faults N] [--seed S] [--folder DIR] [--json FILE]
//
// Breeds small experiments by the real coordinator, workers and agent (with stubs for trainer,
// decoder and exporter) while N faults strike, by a plan that follows from the seed; breeds the
// same ones undisturbed, and compares. Prints a histogram of fault × phase.
//
// Exit status: 0 all checks hold; 1 one does not, or it could not be run.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/ids.h"
#include "common/base/status_macros.h"
#include "tests/fault/chaos/chaos_run.h"
#include "tests/fault/chaos/outcome.h"

namespace squish {
namespace {

struct Flags {
  int faults = 120;
  uint64_t seed = 1;
  std::string folder;
  std::string json;
  std::string programs = ExecutableFolder();
};

nlohmann::json CellsOf(const Histogram& histogram) {
  nlohmann::json cells;
  for (size_t fault = 0; fault < AllFaults().size(); ++fault) {
    for (int phase = 0; phase < kPhases; ++phase) {
      cells[FaultName(AllFaults()[fault])][PhaseName(static_cast<Phase>(phase))] =
          histogram.At(static_cast<int>(fault), static_cast<Phase>(phase));
    }
  }
  return cells;
}

absl::StatusOr<std::vector<std::string>> Run(const Flags& flags, const std::string& folder) {
  SceneOptions options;
  options.programs = flags.programs;
  options.library = JoinPath(flags.programs, "libsquish_broken_disk.so");
  options.folder = JoinPath(folder, "chaos");
  SQUISH_ASSIGN_OR_RETURN(const ChaosReport chaos, RunChaos(options, flags.faults, flags.seed));
  std::cout << chaos.histogram.Table() << std::flush;
  Scene layout(options);  // Where things lie; nothing is started.

  options.folder = JoinPath(folder, "calm");
  SQUISH_ASSIGN_OR_RETURN(const auto calm, RunCalm(options, chaos.experiments));
  SQUISH_ASSIGN_OR_RETURN(const OutcomeReport outcome,
                          CheckOutcome(layout.population(), layout.kept_results(), calm));
  std::vector<std::string> problems = chaos.problems;
  problems.insert(problems.end(), outcome.problems.begin(), outcome.problems.end());
  const std::vector<std::string> owed = Owed(chaos.histogram, flags.faults);
  problems.insert(problems.end(), owed.begin(), owed.end());

  const double seconds = absl::ToDoubleSeconds(chaos.took);
  std::cout << "seed " << flags.seed << ": " << chaos.histogram.total() << " faults in " << seconds
            << " s (" << chaos.histogram.total() / seconds * 60 << " a minute), "
            << outcome.experiments << " experiments, " << outcome.acknowledged
            << " acknowledged results, " << chaos.ended_by_disk
            << " processes ended over their disk\nimpossible cells: none\n";
  if (!flags.json.empty()) {
    std::ofstream(flags.json) << nlohmann::json{{"seed", flags.seed},
                                                {"faults", chaos.histogram.total()},
                                                {"seconds", seconds},
                                                {"experiments", outcome.experiments},
                                                {"acknowledged_results", outcome.acknowledged},
                                                {"ended_over_disk", chaos.ended_by_disk},
                                                {"impossible_cells", nlohmann::json::array()},
                                                {"cells", CellsOf(chaos.histogram)},
                                                {"problems", problems}}
                                     .dump(1)
                              << "\n";
  }
  return problems;
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app{"Faults of every kind, at real processes; the population must come out the same."};
  app.add_option("--faults", flags.faults,
                 "How many are to strike; up to twice as many until every kind has")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--seed", flags.seed, "Of the plan of faults")->capture_default_str();
  app.add_option("--folder", flags.folder,
                 "Where it all happens; must not exist yet (default: one that is removed when "
                 "all is well)");
  app.add_option("--json", flags.json, "The histogram and what was found, as a file");
  app.add_option("--programs", flags.programs, "The folder of the programs")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  std::error_code error;
  const std::string folder = !flags.folder.empty()
                                 ? std::filesystem::absolute(flags.folder, error).string()
                                 : JoinPath(std::filesystem::temp_directory_path(error).string(),
                                            absl::StrCat("squish-chaos-", RandomHex(4)));
  if (std::filesystem::exists(folder)) {
    std::cerr << "squish-chaos: " << folder << " is there already\n";
    return 1;
  }
  const absl::StatusOr<std::vector<std::string>> problems = Run(flags, folder);
  if (!problems.ok()) {
    std::cerr << "squish-chaos: " << problems.status().ToString() << "\n";
  } else if (problems->empty()) {
    std::cout << "all checks hold\n";
    if (flags.folder.empty()) std::filesystem::remove_all(folder, error);
    return 0;
  } else {
    for (const std::string& problem : *problems) std::cerr << "problem: " << problem << "\n";
  }
  std::cerr << "squish-chaos: what it left is in " << folder << "\n";
  return 1;
}

}  // namespace
}  // namespace squish

int main(int argc, char** argv) { return squish::Main(argc, argv); }
