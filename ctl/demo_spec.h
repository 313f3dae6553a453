// What a demo runs: the options of the command line, and the experiment they make of
// the example.
#ifndef SQUISH_CTL_DEMO_SPEC_H_
#define SQUISH_CTL_DEMO_SPEC_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

struct DemoOptions {
  std::string out = "out/demo";
  std::string examples;  // Folder with demo.txtpb; empty: looked for beside the program.
  bool quick = false;
  std::optional<int> generations;
  std::optional<int> offspring;
  std::optional<uint64_t> seed;
  std::string data;              // CIFAR-10 batches; empty: the built-in set.
  std::string ancestor_weights;  // One of our network files; empty: fresh weights.
  std::string engine = "torch";
  int workers = 2;
};

// The example with the options applied, complete and checked. `ancestor_digest` is
// that of options.ancestor_weights. NOT_FOUND: no example. INVALID_ARGUMENT: a value
// that no experiment can have (named).
absl::StatusOr<v1::ExperimentSpec> MakeDemoSpec(const DemoOptions& options,
                                                const std::string& ancestor_digest);

}  // namespace squish

#endif  // SQUISH_CTL_DEMO_SPEC_H_
