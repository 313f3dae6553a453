#include "worker/daemon/check_training.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/weights/network.h"
#include "common/weights/strengths.h"
#include "worker/daemon/child_events.h"

namespace squish {
namespace {

absl::Status Untrue(absl::string_view what) { return Babbled("the trainer", what); }

absl::Status CheckNumbers(const v1::TrainResult& result) {
  if (!(result.selection_accuracy() >= 0 && result.selection_accuracy() <= 1)) {
    return Untrue(absl::StrCat("a selection accuracy of ", result.selection_accuracy()));
  }
  if (!(result.selection_log_loss() >= 0 && std::isfinite(result.selection_log_loss()))) {
    return Untrue(absl::StrCat("a log-loss of ", result.selection_log_loss()));
  }
  if (result.images_seen() < 0) return Untrue("a negative number of images");
  return absl::OkStatus();
}

// Only what the two files must share; read one after the other, to hold one at a time.
struct Outline {
  Genome genome;
  std::vector<std::string> class_names;
  std::string weights_digest;
};

absl::StatusOr<Outline> ReadOutline(const std::string& file) {
  SQUISH_ASSIGN_OR_RETURN(const Network network, Network::FromSafetensors(file));
  return Outline{network.genome, network.class_names, WeightsDigest(network.weights)};
}

absl::Status CheckStrengthsFile(const std::string& path, const std::string& digest,
                                const Genome& genome) {
  const absl::StatusOr<std::string> file = ReadFile(path);
  if (!file.ok()) return Untrue(absl::StrCat("there are no strengths: ", file.status().message()));
  if (Sha256Hex(*file) != digest) return Untrue("its strengths have another digest");
  const absl::Status status = ReadStrengths(*file, genome).status();
  if (!status.ok()) return Untrue(absl::StrCat("its strengths are none: ", status.message()));
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTraining(const v1::TrainerRequest& request, const v1::TrainResult& result) {
  if (result.outcome() == v1::TrainResult::DIVERGED) return absl::OkStatus();
  if (result.outcome() != v1::TrainResult::TRAINED) return Untrue("no outcome");
  SQUISH_RETURN_IF_ERROR(CheckNumbers(result));

  const absl::StatusOr<std::string> file = ReadFile(request.output_path());
  if (!file.ok()) return Untrue(absl::StrCat("there is no network: ", file.status().message()));
  if (Sha256Hex(*file) != result.artifact()) return Untrue("its network has another digest");
  const absl::StatusOr<Outline> trained = ReadOutline(*file);
  if (!trained.ok()) {
    return Untrue(absl::StrCat("its network is none: ", trained.status().message()));
  }
  if (trained->weights_digest != result.weights_digest()) {
    return Untrue("its network's weights have another digest");
  }
  SQUISH_ASSIGN_OR_RETURN(const std::string untrained_file, ReadFile(request.network_path()));
  SQUISH_ASSIGN_OR_RETURN(const Outline untrained, ReadOutline(untrained_file));
  if (!(trained->genome == untrained.genome) ||
      trained->class_names != untrained.class_names) {
    return Untrue("its network is not the one that it was to train");
  }
  if (request.job().strength_images() == 0) return absl::OkStatus();
  return CheckStrengthsFile(request.strengths_path(), result.strengths(), trained->genome);
}

}  // namespace squish
