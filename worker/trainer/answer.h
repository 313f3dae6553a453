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
#include "worker/trainer/training.h"

namespace squish {

using CacheOpener =
    std::function<absl::StatusOr<std::unique_ptr<DatasetCache>>(const std::string& path)>;

// Reads the networks and the data set, trains, writes the trained network durably to
// `output_path` (unless it diverged) and names it in the result. The errors of
// RunTraining, of reading networks and caches, and of the file system, each one
// sentence for people.
absl::StatusOr<v1::TrainResult> Answer(const v1::TrainerRequest& request, Clock& clock,
                                       const CacheOpener& open_cache,
                                       const ProgressReporter& report);

// The same for a request as it comes: one line of JSON. Always an event `done` or
// `failed`; INVALID JSON fails too.
v1::TrainerEvent AnswerLine(const std::string& line, Clock& clock, const CacheOpener& open_cache,
                            const ProgressReporter& report);

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_ANSWER_H_
