// What fake children do, told by what they are asked: a trainer by its job's seed, a
// decoder by its data set's name.
#ifndef SQUISH_TESTS_UNIT_WORKER_FAKE_BEHAVIOUR_H_
#define SQUISH_TESTS_UNIT_WORKER_FAKE_BEHAVIOUR_H_

#include <cstdint>

namespace squish {

// TrainJob.seed. All but kFailAtOnce report progress first.
enum FakeTraining : uint64_t {
  kTrain = 1,  // Halves every weight. Its note is "pid N".
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
  kDieAfterwards,   // As kTrain, then exits.
  kTalkAfterwards,  // As kTrain, says `done` twice.
};

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_WORKER_FAKE_BEHAVIOUR_H_
