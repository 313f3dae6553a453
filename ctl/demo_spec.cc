#include "ctl/demo_spec.h"

#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/spec/experiment_spec.h"

namespace squish {
namespace {

// The name by which the demo's workers know what --data names.
constexpr char kCifarName[] = "cifar10";

// In the source tree (BUILD/bin/squishctl) or installed (PREFIX/bin/squishctl).
std::vector<std::string> ExampleFolders(const DemoOptions& options) {
  if (!options.examples.empty()) return {options.examples};
  const std::string beside = ExecutableFolder();
  return {JoinPath(beside, "../share/squish/examples"), JoinPath(beside, "../../examples")};
}

absl::StatusOr<std::string> FindExample(const DemoOptions& options) {
  const char* name = options.quick ? "demo-quick.txtpb" : "demo.txtpb";
  const std::vector<std::string> folders = ExampleFolders(options);
  for (const std::string& folder : folders) {
    std::error_code error;
    if (std::filesystem::exists(JoinPath(folder, name), error)) return JoinPath(folder, name);
  }
  return absl::NotFoundError(absl::StrCat("there is no ", name, " in ",
                                          absl::StrJoin(folders, " or "),
                                          "; say where it is with --examples DIR"));
}

}  // namespace

absl::StatusOr<v1::ExperimentSpec> MakeDemoSpec(const DemoOptions& options,
                                                const std::string& ancestor_digest) {
  SQUISH_ASSIGN_OR_RETURN(const std::string path, FindExample(options));
  SQUISH_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  SQUISH_ASSIGN_OR_RETURN(v1::ExperimentSpec spec, ParseExperimentSpec(text, path));
  if (options.generations.has_value()) spec.set_generations(*options.generations);
  if (options.offspring.has_value()) spec.set_offspring(*options.offspring);
  if (options.seed.has_value()) spec.set_seed(*options.seed);
  if (!options.data.empty()) {
    spec.mutable_dataset()->set_name(kCifarName);
    spec.mutable_dataset()->mutable_cifar10();
  }
  if (!ancestor_digest.empty()) spec.mutable_ancestor()->set_network_digest(ancestor_digest);
  return CompleteExperimentSpec(std::move(spec));
}

}  // namespace squish
