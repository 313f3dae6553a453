// Which runner may do which job, and what to say when none can. Pure.
#ifndef SQUISH_COORDINATOR_SERVICE_MATCHING_H_
#define SQUISH_COORDINATOR_SERVICE_MATCHING_H_

#include <map>
#include <string>

#include "coordinator/jobs/job_board.h"
#include "coordinator/service/fleet.h"
#include "coordinator/service/live_experiment.h"

namespace squish {

// Whether the runner can do this job of the experiment:
//   SYNTHESIZE  any worker; with engine files one whose data has the pinned fingerprint
//   TRAIN       a worker whose data has the pinned fingerprint; with CUDA if it asks for it
//   MEASURE     an agent of the rung's device class (any while none is named); once the
//               ancestor is measured there, with its engine
// A runner that drains, or is set aside, gets nothing.
bool CanDo(const ConnectedRunner& runner, const LiveExperiment& experiment,
           const v1::JobKey& key);

// The device class that an experiment's measurements of a rung must come from; empty: any.
const std::string& WantedDeviceClass(const LiveExperiment& experiment, int rung);

// Makes WAITING_FOR_WORKER or WAITING_FOR_DEVICE, with the reason, of a RUNNING
// experiment that has work queued which no connected runner can do; WAITING_FOR_DEVICE
// also when measurements were invalid too often. `withheld`, when not empty, is why no work is
// given out to anybody: WAITING_FOR_WORKER. Else leaves `described` alone.
void DescribeWaiting(const LiveExperiment& experiment, const JobBoard& board, const Fleet& fleet,
                     const std::string& withheld, v1::Experiment& described);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_MATCHING_H_
