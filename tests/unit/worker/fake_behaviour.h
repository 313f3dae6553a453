// What fake children do, told by what they are asked: a trainer by its job's seed, or by the
// threads of an evaluation, or by the first batch of an export or of an order of engine files;
// an exporter by the second batch; a decoder by its data set's name.
#ifndef SQUISH_TESTS_UNIT_WORKER_FAKE_BEHAVIOUR_H_
#define SQUISH_TESTS_UNIT_WORKER_FAKE_BEHAVIOUR_H_

#include <cstdint>

namespace squish {

// Of a trainer. All but kFailAtOnce report progress first. kTrain is what is asked for, by
// an evaluation and an export too.
enum FakeTraining : uint64_t {
  // Halves every weight, finds every filter as strong; speaks of strengths that are not
  // wanted too. Its note is "pid N".
  kTrain = 1,
  kDiverge,
  kFailAtOnce,
  kTellEnvironment,  // As kTrain; the note: "OMP MKL OPENBLAS nice" and SQUISH_LEAK.
  kExit,             // With status 3.
  kAbort,
  kHang,
  kStandStill,  // Reports the same progress for ever.
  kSpeakText,
  kSpeakLongLine,
  kSayReadyAgain,
  kLieArtifact,
  kLieWeightsDigest,
  kLieAccuracy,
  kLieLoss,
  kLieOutcome,
  kLieNoFile,
  kLieGarbageFile,
  kLieOtherGenome,
  kLieStrengths,         // Their digest.
  kLieNoStrengths,       // There is no file.
  kLieGarbageStrengths,  // The file is none of the network's.
  kDieAfterwards,   // As kTrain, then exits.
  kTalkAfterwards,  // As kTrain, says `done` twice.
  kAnswerAnother,   // Says `done` to an evaluation or export.
  // Of a training with checkpoints.
  kMakeCheckpoints,      // Two, with the content "checkpoint 1" and "2"; then as kTrain.
  kAwaitStop,            // SIGTERM, whereupon it makes one, "the last", and ends.
  kTellResumption,       // As kTrain; says the content of its resume_path in its note.
  kUnwantedCheckpoint,   // Speaks of one that there is no place for.
  // Of an evaluation.
  kLieImages,
  kLieCounts,
  kLieNegativeCount,
  kLieConfusion,
  kLieBalanced,
  kLieNumerics,
  kLieSeconds,
  // Of an export, by the trainer or by the exporter.
  kLieName,
  kLieBytes,
  kLieDifference,
  kLieDifferenceAt100,
  kLieCheckedWith,
  kLieNoReference,
  kLieMissingFile,
};

// What the fake decoder says of its pictures.
constexpr int kFakeSelectionImages = 4;
constexpr int kFakeValImages = 6;

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_WORKER_FAKE_BEHAVIOUR_H_
