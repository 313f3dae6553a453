#include "worker/trainer/answer.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/weights/strengths.h"
#include "google/protobuf/util/json_util.h"
#include "worker/trainer/export.h"
#include "worker/trainer/probe.h"
#include "worker/trainer/split_evaluation.h"

namespace squish {
namespace {

constexpr char kUnreadable[] = "unreadable";

absl::StatusOr<Network> ReadNetwork(const std::string& path) {
  SQUISH_ASSIGN_OR_RETURN(const std::string file, ReadFile(path));
  absl::StatusOr<Network> network = Network::FromSafetensors(file);
  if (!network.ok()) return Annotate(network.status(), path);
  return network;
}

absl::Status CheckPaths(const v1::TrainerRequest& request) {
  if (request.task_case() == v1::TrainerRequest::TASK_NOT_SET) {
    return absl::InvalidArgumentError("the request has no job");
  }
  std::vector<std::pair<const char*, const std::string*>> paths = {
      {"network_path", &request.network_path()},
      {"dataset_cache_path", &request.dataset_cache_path()},
      {"output_path", &request.output_path()}};
  if (request.has_export_files()) paths.push_back({"reference_path", &request.reference_path()});
  if (request.has_probe()) paths.push_back({"pictures_path", &request.pictures_path()});
  if (request.job().strength_images() > 0) {
    paths.push_back({"strengths_path", &request.strengths_path()});
  }
  for (const auto& [name, path] : paths) {
    if (path->empty()) {
      return absl::InvalidArgumentError(absl::StrCat("the request has no ", name));
    }
  }
  return absl::OkStatus();
}

// What an answer is made of.
struct Work {
  const v1::TrainerRequest& request;
  Network network;
  std::unique_ptr<DatasetCache> data;
  Clock& clock;
  const ProgressReporter& report;
  const CheckpointHooks& hooks;
  const absl::Duration start;

  double WallSeconds() const { return absl::ToDoubleSeconds(clock.Steady() - start); }
};

absl::StatusOr<v1::TrainerEvent> AnswerTraining(Work work) {
  const v1::TrainerRequest& request = work.request;
  TrainingTask task{request.job(), std::move(work.network), std::nullopt};
  if (!request.teacher_path().empty()) {
    SQUISH_ASSIGN_OR_RETURN(task.teacher, ReadNetwork(request.teacher_path()));
  }
  // One that cannot be read is as good as a damaged one.
  if (!request.resume_path().empty()) {
    task.checkpoint = ReadFile(request.resume_path()).value_or(kUnreadable);
  }
  std::optional<CheckpointFile> checkpoints;
  if (!request.checkpoint_path().empty()) {
    checkpoints.emplace(request.checkpoint_path(), absl::Seconds(request.checkpoint_seconds()),
                        work.clock, work.hooks);
  }
  SQUISH_ASSIGN_OR_RETURN(Trained trained,
                          RunTraining(task, *work.data, work.clock, work.report,
                                      checkpoints.has_value() ? &*checkpoints : nullptr));
  if (trained.network.has_value()) {
    const std::string file = trained.network->ToSafetensors();
    SQUISH_RETURN_IF_ERROR(WriteFileDurably(request.output_path(), file));
    trained.result.set_artifact(Sha256Hex(file));
  }
  if (trained.strengths.has_value()) {
    const std::string file = SerializeStrengths(*trained.strengths);
    SQUISH_RETURN_IF_ERROR(WriteFileDurably(request.strengths_path(), file));
    trained.result.set_strengths(Sha256Hex(file));
  }
  trained.result.set_wall_seconds(work.WallSeconds());
  v1::TrainerEvent event;
  *event.mutable_done() = std::move(trained.result);
  return event;
}

absl::StatusOr<v1::TrainerEvent> AnswerEvaluation(const Work& work) {
  SQUISH_ASSIGN_OR_RETURN(Evaluated evaluated, RunEvaluation(work.request.evaluate(), work.network,
                                                             *work.data, work.report));
  SQUISH_RETURN_IF_ERROR(WriteFileDurably(work.request.output_path(), evaluated.predictions));
  evaluated.result.set_predictions(Sha256Hex(evaluated.predictions));
  evaluated.result.set_wall_seconds(work.WallSeconds());
  v1::TrainerEvent event;
  *event.mutable_evaluated() = std::move(evaluated.result);
  return event;
}

absl::StatusOr<v1::TrainerEvent> AnswerExport(const Work& work) {
  SQUISH_ASSIGN_OR_RETURN(Exported exported, RunExport(work.request.export_files(), work.network,
                                                       *work.data, work.report));
  SQUISH_RETURN_IF_ERROR(WriteFileDurably(work.request.output_path(), exported.torchscript));
  SQUISH_RETURN_IF_ERROR(WriteFileDurably(work.request.reference_path(), exported.reference));
  v1::TrainerEvent event;
  *event.mutable_exported() = std::move(exported.file);
  return event;
}

absl::StatusOr<v1::TrainerEvent> AnswerProbe(const Work& work) {
  SQUISH_ASSIGN_OR_RETURN(const Probe probe,
                          RunProbe(work.request.probe(), work.network, *work.data));
  SQUISH_RETURN_IF_ERROR(WriteFileDurably(work.request.pictures_path(), probe.pictures));
  SQUISH_RETURN_IF_ERROR(WriteFileDurably(work.request.output_path(), probe.outputs));
  v1::TrainerEvent event;
  event.mutable_probed()->set_probe_pictures(Sha256Hex(probe.pictures));
  event.mutable_probed()->set_probe_outputs(Sha256Hex(probe.outputs));
  return event;
}

}  // namespace

absl::StatusOr<v1::TrainerEvent> Answer(const v1::TrainerRequest& request, Clock& clock,
                                        const CacheOpener& open_cache,
                                        const ProgressReporter& report,
                                        const CheckpointHooks& hooks) {
  const absl::Duration start = clock.Steady();
  SQUISH_RETURN_IF_ERROR(CheckPaths(request));
  SQUISH_ASSIGN_OR_RETURN(Network network, ReadNetwork(request.network_path()));
  SQUISH_ASSIGN_OR_RETURN(std::unique_ptr<DatasetCache> data,
                          open_cache(request.dataset_cache_path()));
  Work work{request, std::move(network), std::move(data), clock, report, hooks, start};
  if (request.has_evaluate()) return AnswerEvaluation(work);
  if (request.has_export_files()) return AnswerExport(work);
  if (request.has_probe()) return AnswerProbe(work);
  return AnswerTraining(std::move(work));
}

v1::TrainerEvent AnswerLine(const std::string& line, Clock& clock, const CacheOpener& open_cache,
                            const ProgressReporter& report, const CheckpointHooks& hooks) {
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
  absl::StatusOr<v1::TrainerEvent> answer = Answer(request, clock, open_cache, report, hooks);
  if (answer.ok()) return *std::move(answer);
  // LibTorch points at places in sources on several lines.
  event.mutable_failed()->set_message(
      absl::StrReplaceAll(answer.status().message(), {{"\n", " "}}));
  return event;
}

}  // namespace squish
