#include "jetson-agent/selftest.h"

#include <stdlib.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/genome/ancestors.h"
#include "common/spec/defaults.h"
#include "common/weights/network.h"
#include "jetson-agent/measure_files.h"

namespace squish {
namespace {

constexpr int kClasses = 10;
constexpr int kInputSize = 224;
// A sound board's 95 % interval misses the true ratio once in twenty runs, but not by so much.
constexpr double kSameTolerance = 0.01;

// Removed with all that is in it at the end of the scope.
class TemporaryFolder {
 public:
  static absl::StatusOr<TemporaryFolder> Make() {
    std::error_code error;
    std::string path =
        JoinPath(std::filesystem::temp_directory_path(error).string(), "jetson-agent-XXXXXX");
    if (error || ::mkdtemp(path.data()) == nullptr) {
      return ErrnoStatus(error ? error.value() : errno, "cannot make", path);
    }
    return TemporaryFolder(std::move(path));
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

absl::StatusOr<std::string> WriteNetwork(const std::string& folder, double width) {
  SQUISH_ASSIGN_OR_RETURN(Genome genome, SqueezeNetV11(kClasses, width));
  TensorMap weights = FreshWeights(genome, /*seed=*/1, /*generation=*/0, /*index=*/0);
  Network network{std::move(genome), std::move(weights), {}, {}};
  for (int label = 0; label < kClasses; ++label) {
    network.class_names.push_back(absl::StrCat("class ", label));
  }
  network.preprocessing.set_input_size(kInputSize);
  network.preprocessing.set_resize(v1::SQUASH);
  for (int channel = 0; channel < 3; ++channel) {
    network.preprocessing.add_mean(0.5f);
    network.preprocessing.add_std(0.25f);
  }
  std::string path = JoinPath(folder, absl::StrCat("width-", width, ".safetensors"));
  SQUISH_RETURN_IF_ERROR(WriteFileDurably(path, network.ToSafetensors()));
  return path;
}

v1::MeasurementSpec Protocol() {
  v1::MeasurementSpec protocol;
  protocol.set_minimum_seconds(1);
  protocol.set_warmup_seconds(0.5);
  FillDefaults(protocol, kInputSize, /*profile=*/false);
  return protocol;
}

std::vector<std::string> FaultsOfVerdict(const v1::MeasureResult& result) {
  if (result.verdict() == v1::MeasureResult::VALID) return {};
  std::vector<std::string> faults = {absl::StrCat(
      "the measurement is ", v1::MeasureResult::Verdict_Name(result.verdict()))};
  faults.insert(faults.end(), result.reasons().begin(), result.reasons().end());
  return faults;
}

std::string Figures(const v1::MeasureResult& result) {
  return absl::StrFormat("%.1f images/s, ancestor %.1f, ratio %.4f ± %.1f %%",
                         result.images_per_second(), result.ancestor_images_per_second(),
                         result.ratio(), 100 * result.ratio_half_width());
}

// Returns whether there were no faults.
bool Report(const char* what, const v1::MeasureResult& result,
            const std::vector<std::string>& faults, std::ostream& out) {
  out << what << ": " << (faults.empty() ? "passed" : "FAILED") << "\n";
  if (result.verdict() == v1::MeasureResult::VALID) out << "  " << Figures(result) << "\n";
  for (const std::string& fault : faults) out << "  " << fault << "\n";
  out.flush();
  return faults.empty();
}

}  // namespace

std::vector<std::string> FaultsOfSame(const v1::MeasureResult& result) {
  std::vector<std::string> faults = FaultsOfVerdict(result);
  if (!faults.empty()) return faults;
  const double off = std::abs(std::log(result.ratio()));
  if (off > std::log1p(std::max(result.ratio_half_width(), kSameTolerance))) {
    faults.push_back(absl::StrFormat("a network's ratio to itself must be 1, it is %.4f",
                                     result.ratio()));
  }
  return faults;
}

std::vector<std::string> FaultsOfSmaller(const v1::MeasureResult& result) {
  std::vector<std::string> faults = FaultsOfVerdict(result);
  if (!faults.empty()) return faults;
  if (result.ratio() <= 1 + result.ratio_half_width()) {
    faults.push_back(absl::StrFormat(
        "a network half as wide must be faster, its ratio is %.4f ± %.1f %%", result.ratio(),
        100 * result.ratio_half_width()));
  }
  return faults;
}

absl::StatusOr<bool> SelfTest(const LocalEngineOptions& options, Clock& clock, std::ostream& out) {
  utsname system{};
  ::uname(&system);
  out << "jetson-agent " << kVersion << " on " << system.machine << ", " << system.sysname
      << " " << system.release << std::endl;
  MeasurementInputs inputs;
  inputs.protocol = Protocol();
  SQUISH_ASSIGN_OR_RETURN(const LocalEngine engine, StartLocalEngine(options, clock));
  inputs.board = engine.board;
  const EngineReady& info = engine.client->info();
  out << "engine " << info.engine << " (" << info.version << "), " << info.precision
      << "; device class " << engine.device_class << std::endl;
  if (info.synthetic) {
    out << "this engine is synthetic: its speeds are not measured, and say nothing about this "
           "board"
        << std::endl;
  }

  SQUISH_ASSIGN_OR_RETURN(const TemporaryFolder folder, TemporaryFolder::Make());
  const auto no_progress = [](double, std::string) {};
  SQUISH_ASSIGN_OR_RETURN(inputs.ancestor_path, WriteNetwork(folder.path(), 1));
  inputs.candidate_path = inputs.ancestor_path;
  SQUISH_ASSIGN_OR_RETURN(const v1::MeasureResult same,
                          Measure(*engine.client, inputs, clock, no_progress));
  const bool same_passed =
      Report("SqueezeNet v1.1 against itself", same, FaultsOfSame(same), out);
  SQUISH_ASSIGN_OR_RETURN(inputs.candidate_path, WriteNetwork(folder.path(), 0.5));
  SQUISH_ASSIGN_OR_RETURN(const v1::MeasureResult smaller,
                          Measure(*engine.client, inputs, clock, no_progress));
  const bool smaller_passed =
      Report("one half as wide against it", smaller, FaultsOfSmaller(smaller), out);
  return same_passed && smaller_passed;
}

}  // namespace squish
