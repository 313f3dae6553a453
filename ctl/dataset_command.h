// `squishctl dataset check DIR`: what is wrong with a folder of pictures, before a run.
#ifndef SQUISH_CTL_DATASET_COMMAND_H_
#define SQUISH_CTL_DATASET_COMMAND_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "ctl/sheet.h"
#include "squish/v1/dataset.pb.h"

namespace squish {

struct DatasetCheckOptions {
  std::string folder;
  int input_size = 64;  // 8 to 1024.
  v1::ResizeRule resize = v1::SQUASH;
  Format format = Format::kTable;  // kCsv: the classes alone; what is wrong is in the others.
};

// Prints what CheckImageFolder finds, and meanwhile, on `terminal` where there is one, a bar
// that is wiped away at the end. FAILED_PRECONDITION: a run would refuse the folder;
// `out` says why. Other errors: it cannot be looked at. Warnings are no errors.
absl::Status DatasetCheckCommand(const DatasetCheckOptions& options, std::ostream& out,
                                 std::ostream* terminal = nullptr);

// Adds the command to `app`; once it is parsed, `choose` is called with what to run. Both
// outlive the parsing.
void AddDatasetCommand(CLI::App& app,
                       std::function<void(std::function<absl::Status()> command)> choose);

}  // namespace squish

#endif  // SQUISH_CTL_DATASET_COMMAND_H_
