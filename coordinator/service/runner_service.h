// RunnerService at the edge: nothing but the way to Coordinator.
#ifndef SQUISH_COORDINATOR_SERVICE_RUNNER_SERVICE_H_
#define SQUISH_COORDINATOR_SERVICE_RUNNER_SERVICE_H_

#include <atomic>
#include <cstdint>

#include "coordinator/service/loop.h"
#include "squish/v1/runner.grpc.pb.h"

namespace squish {

// Thread-safe. The loop outlives it.
class RunnerServiceAdapter : public v1::RunnerService::CallbackService {
 public:
  explicit RunnerServiceAdapter(Loop* loop) : loop_(*loop) {}

  grpc::ServerUnaryReactor* Synchronize(grpc::CallbackServerContext* context,
                                        const v1::SynchronizeRequest* request,
                                        v1::SynchronizeResponse* response) override;

 private:
  Loop& loop_;
  std::atomic<uint64_t> next_call_ = 1;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_RUNNER_SERVICE_H_
