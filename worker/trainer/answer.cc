#include "worker/trainer/answer.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "google/protobuf/util/json_util.h"

namespace squish {
namespace {

absl::StatusOr<Network> ReadNetwork(const std::string& path) {
  SQUISH_ASSIGN_OR_RETURN(const std::string file, ReadFile(path));
  absl::StatusOr<Network> network = Network::FromSafetensors(file);
  if (!network.ok()) return Annotate(network.status(), path);
  return network;
}

absl::Status CheckPaths(const v1::TrainerRequest& request) {
  if (!request.has_job()) return absl::InvalidArgumentError("the request has no job");
  const std::pair<const char*, const std::string*> paths[] = {
      {"network_path", &request.network_path()},
      {"dataset_cache_path", &request.dataset_cache_path()},
      {"output_path", &request.output_path()}};
  for (const auto& [name, path] : paths) {
    if (path->empty()) {
      return absl::InvalidArgumentError(absl::StrCat("the request has no ", name));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TrainingTask> ReadTask(const v1::TrainerRequest& request) {
  SQUISH_ASSIGN_OR_RETURN(Network network, ReadNetwork(request.network_path()));
  std::optional<Network> teacher;
  if (!request.teacher_path().empty()) {
    SQUISH_ASSIGN_OR_RETURN(teacher, ReadNetwork(request.teacher_path()));
  }
  return TrainingTask{request.job(), std::move(network), std::move(teacher)};
}

}  // namespace

absl::StatusOr<v1::TrainResult> Answer(const v1::TrainerRequest& request, Clock& clock,
                                       const CacheOpener& open_cache,
                                       const ProgressReporter& report) {
  const absl::Duration start = clock.Steady();
  SQUISH_RETURN_IF_ERROR(CheckPaths(request));
  SQUISH_ASSIGN_OR_RETURN(const TrainingTask task, ReadTask(request));
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<DatasetCache> data,
                          open_cache(request.dataset_cache_path()));
  SQUISH_ASSIGN_OR_RETURN(Trained trained, RunTraining(task, *data, clock, report));
  if (trained.network.has_value()) {
    const std::string file = trained.network->ToSafetensors();
    SQUISH_RETURN_IF_ERROR(WriteFileDurably(request.output_path(), file));
    trained.result.set_artifact(Sha256Hex(file));
  }
  trained.result.set_wall_seconds(absl::ToDoubleSeconds(clock.Steady() - start));
  return std::move(trained.result);
}

v1::TrainerEvent AnswerLine(const std::string& line, Clock& clock, const CacheOpener& open_cache,
                            const ProgressReporter& report) {
  v1::TrainerEvent event;
  v1::TrainerRequest request;
  const auto parsed = google::protobuf::util::JsonStringToMessage(line, &request);
  if (!parsed.ok()) {
    // What follows the first line is a picture of the input, which may be anything.
    const std::string problem = parsed.message().as_string();
    event.mutable_failed()->set_message(absl::StrCat("the request is no TrainerRequest: ",
                                                     problem.substr(0, problem.find('\n'))));
    return event;
  }
  absl::StatusOr<v1::TrainResult> result = Answer(request, clock, open_cache, report);
  if (result.ok()) {
    *event.mutable_done() = *std::move(result);
  } else {
    event.mutable_failed()->set_message(std::string(result.status().message()));
  }
  return event;
}

}  // namespace squish
