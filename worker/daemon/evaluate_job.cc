#include <utility>

#include "worker/daemon/attempt_step.h"
#include "worker/daemon/check_evaluation.h"
#include "worker/daemon/child_events.h"
#include "worker/daemon/find_dataset.h"
#include "worker/daemon/jobs.h"

namespace squish {

v1::AttemptResult RunEvaluate(Attempt& attempt, const std::string& output_path,
                              DatasetShelf& datasets, TrainerPool& trainers) {
  const TemporaryFile output(output_path);
  v1::TrainerRequest request;
  *request.mutable_evaluate() = attempt.job().evaluate();
  const v1::EvaluateJob& job = request.evaluate();
  SQUISH_ASSIGN_OR_FAIL(const int threads, CheckThreads(job.threads()));
  if (job.split() != v1::SELECTION && job.split() != v1::VAL) {
    return FailedAttempt(
        MakeFailure(v1::Failure::INTERNAL, "the job evaluates neither SELECTION nor VAL"));
  }
  SQUISH_ASSIGN_OR_FAIL(const v1::DecoderEvent::Done dataset,
                        FindDataset(attempt, job.dataset(), job.dataset_fingerprint(), datasets));
  request.set_dataset_cache_path(dataset.cache_path());
  SQUISH_ASSIGN_OR_FAIL(std::string network_path,
                        FetchFile(attempt, job.network(), "the network to evaluate"));
  request.set_network_path(std::move(network_path));
  request.set_output_path(output.path());

  v1::AttemptResult result;
  {
    const TrainerPool::Lease trainer = trainers.Acquire(threads);
    absl::StatusOr<v1::TrainerEvent> answer = trainer->Ask(request, threads, attempt);
    if (!answer.ok()) return FailedAttempt(ChildFailure(answer.status()));
    const absl::Status checked = CheckEvaluation(request, dataset.summary(), answer->evaluated());
    if (!checked.ok()) {
      trainer->Replace();
      return FailedAttempt(ChildFailure(checked));
    }
    *result.mutable_evaluate() = std::move(*answer->mutable_evaluated());
  }
  if (auto damaged =
          CheckStillWhole(request.network_path(), job.network(), "the network to evaluate")) {
    return FailedAttempt(*std::move(damaged));
  }
  SQUISH_ASSIGN_OR_FAIL(std::string digest, StoreFile(attempt, output.path()));
  result.mutable_evaluate()->set_predictions(std::move(digest));
  return result;
}

}  // namespace squish
