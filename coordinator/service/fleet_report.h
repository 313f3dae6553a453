// The fleet as people see it: who is connected and does what, and what a run would cost on
// it. Reads only; not thread-safe, part of the coordinator's loop.
#ifndef SQUISH_COORDINATOR_SERVICE_FLEET_REPORT_H_
#define SQUISH_COORDINATOR_SERVICE_FLEET_REPORT_H_

#include "absl/status/statusor.h"
#include "coordinator/jobs/job_board.h"
#include "coordinator/population/population.h"
#include "coordinator/service/attempts.h"
#include "coordinator/service/experiments.h"
#include "coordinator/service/fleet.h"
#include "squish/v1/experiment_service.pb.h"

namespace squish {

// Every connected runner, workers first, then by id.
v1::ListRunnersResponse DescribeRunners(const Fleet& fleet, const JobBoard& board,
                                        const LiveExperiments& live, absl::Duration now);

// The cost of a complete spec on the workers that are connected. Their speed is that of the
// newest trainings in the population, on whatever they ran. `train_images` is used where
// no worker has reported the data set. Errors of the population and of the ancestor's file.
absl::StatusOr<v1::EstimateResponse> EstimateOnFleet(const v1::ExperimentSpec& spec,
                                                     int train_images, const Fleet& fleet,
                                                     Experiments& experiments,
                                                     Population& population);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_FLEET_REPORT_H_
