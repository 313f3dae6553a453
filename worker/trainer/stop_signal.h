// SIGTERM, for the main function of the trainer: a training may have something to save.
// One a process, and so functions. Thread-safe.
#ifndef SQUISH_WORKER_TRAINER_STOP_SIGNAL_H_
#define SQUISH_WORKER_TRAINER_STOP_SIGNAL_H_

namespace squish {

// From now on SIGTERM ends the process at once (EndByStopSignal), but while patience is set
// it only makes StopRaised true.
void CatchStopSignal();
bool StopRaised();

// Ends the process when it is taken away after the signal came.
void SetPatience(bool patient);

// As an uncaught SIGTERM: no destructors, since other threads compute.
[[noreturn]] void EndByStopSignal();

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_STOP_SIGNAL_H_
