// One TrainerRequest from files to files. No LibTorch in this header.
#ifndef SQUISH_WORKER_TRAINER_ANSWER_H_
#define SQUISH_WORKER_TRAINER_ANSWER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/dataset/cache.h"
#include "squish/v1/trainer.pb.h"
#include "worker/trainer/checkpoint_file.h"
#include "worker/trainer/training.h"

namespace squish {

using CacheOpener =
    std::function<absl::StatusOr<std::unique_ptr<DatasetCache>>(const std::string& path)>;

// What the request asks for, and for what: the last event of its conversation.
//
//   job           trains, from resume_path on if that fits; the network goes to  done
//                 output_path, unless it diverged, and its filters' strengths,
//                 where wanted, to strengths_path; checkpoints, where wanted, go
//                 to checkpoint_path on the way, and `hooks` are told
//   evaluate      the predictions go to output_path                              evaluated
//   export_files  TorchScript goes to output_path, the reference to its path     exported
//   probe         pictures go to their path, the network's outputs for them to   probed
//                 output_path
//
// Files are written durably before they are named. The errors of RunTraining,
// RunEvaluation, RunExport and RunProbe, of reading networks and caches, and of the file system,
// each one sentence for people.
absl::StatusOr<v1::TrainerEvent> Answer(const v1::TrainerRequest& request, Clock& clock,
                                        const CacheOpener& open_cache,
                                        const ProgressReporter& report,
                                        const CheckpointHooks& hooks);

// The same for a request as it comes: one line of JSON. INVALID JSON fails too: always an
// event that ends the conversation.
v1::TrainerEvent AnswerLine(const std::string& line, Clock& clock, const CacheOpener& open_cache,
                            const ProgressReporter& report, const CheckpointHooks& hooks);

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_ANSWER_H_
