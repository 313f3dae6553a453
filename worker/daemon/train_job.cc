#include <spdlog/spdlog.h>

#include <utility>

#include "common/base/file.h"
#include "worker/daemon/attempt_step.h"
#include "worker/daemon/check_training.h"
#include "worker/daemon/child_events.h"
#include "worker/daemon/find_dataset.h"
#include "worker/daemon/jobs.h"

namespace squish {
namespace {

// Without it the training begins anew; that it fails is for its other files to say.
std::string FetchCheckpoint(Attempt& attempt, const v1::Checkpoint& checkpoint) {
  absl::StatusOr<std::string> path = attempt.Fetch(checkpoint.artifact());
  if (path.ok()) return *std::move(path);
  spdlog::warn("the checkpoint of step {} cannot be had: {}", checkpoint.step(),
               path.status().ToString());
  return "";
}

}  // namespace

v1::AttemptResult RunTrain(Attempt& attempt, const TrainFiles& files, DatasetShelf& datasets,
                           TrainerPool& trainers) {
  const TemporaryFile output(files.output_path);
  const TemporaryFile strengths(files.strengths_path);
  const TemporaryFolder checkpoints(files.checkpoint_folder);
  v1::TrainerRequest request;
  *request.mutable_job() = attempt.job().train();
  const v1::TrainJob& job = request.job();
  SQUISH_ASSIGN_OR_FAIL(const int threads, CheckThreads(job.threads()));
  SQUISH_ASSIGN_OR_FAIL(const v1::DecoderEvent::Done dataset,
                        FindDataset(attempt, job.dataset(), job.dataset_fingerprint(), datasets));
  request.set_dataset_cache_path(dataset.cache_path());
  SQUISH_ASSIGN_OR_FAIL(std::string network_path,
                        FetchFile(attempt, job.network(), "the network to train"));
  request.set_network_path(std::move(network_path));
  if (!job.teacher().empty()) {
    SQUISH_ASSIGN_OR_FAIL(std::string teacher_path,
                          FetchFile(attempt, job.teacher(), "the teacher"));
    request.set_teacher_path(std::move(teacher_path));
  }
  if (job.has_checkpoint()) {
    request.set_resume_path(FetchCheckpoint(attempt, job.checkpoint()));
  }
  if (files.checkpoint_interval > absl::ZeroDuration()) {
    if (const absl::Status made = MakeFolder(checkpoints.path()); !made.ok()) {
      return FailedAttempt(MakeFailure(v1::Failure::LOCAL_RESOURCES, made.message()));
    }
    request.set_checkpoint_path(JoinPath(checkpoints.path(), "latest"));
    request.set_checkpoint_seconds(absl::ToDoubleSeconds(files.checkpoint_interval));
  }
  request.set_output_path(output.path());
  const bool with_strengths = job.strength_images() > 0;
  if (with_strengths) request.set_strengths_path(strengths.path());

  v1::AttemptResult result;
  {
    const TrainerPool::Lease trainer = trainers.Acquire(threads);
    absl::StatusOr<v1::TrainerEvent> answer = trainer->Ask(request, threads, attempt);
    if (!answer.ok()) return FailedAttempt(ChildFailure(answer.status()));
    const absl::Status checked = CheckTraining(request, answer->done());
    if (!checked.ok()) {
      trainer->Replace();
      return FailedAttempt(ChildFailure(checked));
    }
    *result.mutable_train() = std::move(*answer->mutable_done());
  }
  if (auto damaged = CheckStillWhole(request.network_path(), job.network(), "the network to train")) {
    return FailedAttempt(*std::move(damaged));
  }
  if (!job.teacher().empty()) {
    if (auto damaged = CheckStillWhole(request.teacher_path(), job.teacher(), "the teacher")) {
      return FailedAttempt(*std::move(damaged));
    }
  }
  result.mutable_train()->clear_strengths();  // Those that were not asked for too.
  if (result.train().outcome() == v1::TrainResult::DIVERGED) {
    // There is no network; what else the trainer may say of one is not believed.
    result.mutable_train()->clear_artifact();
    result.mutable_train()->clear_weights_digest();
    return result;
  }
  if (with_strengths) {
    SQUISH_ASSIGN_OR_FAIL(std::string digest, StoreFile(attempt, strengths.path()));
    result.mutable_train()->set_strengths(std::move(digest));
  }
  SQUISH_ASSIGN_OR_FAIL(std::string digest, StoreFile(attempt, output.path()));
  result.mutable_train()->set_artifact(std::move(digest));
  return result;
}

}  // namespace squish
