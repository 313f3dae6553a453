// Whether a delivered result can be accepted. Runners are not trusted: a result of the
// wrong kind, with malformed digests, with numbers that cannot be, or naming a network
// that was never uploaded counts as a failed attempt and never becomes a fact.
// Thread-safe; looks into the artifact store, changes nothing.
#ifndef SQUISH_COORDINATOR_SERVICE_RESULT_CHECK_H_
#define SQUISH_COORDINATOR_SERVICE_RESULT_CHECK_H_

#include "absl/status/status.h"
#include "common/artifacts/blob_store.h"
#include "coordinator/jobs/job_board.h"
#include "squish/v1/job.pb.h"
#include "squish/v1/runner.pb.h"

namespace squish {

// What the board is to be told of `result`, delivered for `work`. `dataset` is the
// experiment's. `setting`: what the ancestor was measured on; null before. The report's
// digest is the artifact of a synthesis, that of the weights (and strengths, where there
// are some) of a training on CPU, the predictions of an evaluation on CPU, that of all
// files of an export, and empty where repetitions may differ.
Report JudgeResult(const v1::Job& work, const v1::AttemptResult& result,
                   const v1::DatasetSummary& dataset, const v1::MeasurementSetting* setting,
                   const BlobStore& artifacts);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_RESULT_CHECK_H_
