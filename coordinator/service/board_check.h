// Whether what an agent tells of its board is within the ranges that job.proto states. Pure.
#ifndef SQUISH_COORDINATOR_SERVICE_BOARD_CHECK_H_
#define SQUISH_COORDINATOR_SERVICE_BOARD_CHECK_H_

#include "absl/status/status.h"
#include "squish/v1/job.pb.h"

namespace squish {

// INVALID_ARGUMENT: a text is too long or not printable, a number is not in its range, there
// is too much of something. A report of nothing is OK.
absl::Status CheckBoard(const v1::BoardReport& board);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_BOARD_CHECK_H_
