// ExperimentService at the edge: nothing but the way to Coordinator.
#ifndef SQUISH_COORDINATOR_SERVICE_EXPERIMENT_SERVICE_H_
#define SQUISH_COORDINATOR_SERVICE_EXPERIMENT_SERVICE_H_

#include "coordinator/service/loop.h"
#include "squish/v1/experiment_service.grpc.pb.h"

namespace squish {

// Thread-safe. The loop outlives it.
class ExperimentServiceAdapter : public v1::ExperimentService::CallbackService {
 public:
  explicit ExperimentServiceAdapter(Loop* loop) : loop_(*loop) {}

  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context,
                                   const v1::SubmitRequest* request,
                                   v1::Experiment* response) override;
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                const v1::GetExperimentRequest* request,
                                v1::Experiment* response) override;
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const v1::ListExperimentsRequest* request,
                                 v1::ListExperimentsResponse* response) override;
  grpc::ServerUnaryReactor* ListIndividuals(grpc::CallbackServerContext* context,
                                            const v1::ListIndividualsRequest* request,
                                            v1::ListIndividualsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchEvent>* Watch(grpc::CallbackServerContext* context,
                                                  const v1::WatchRequest* request) override;
  grpc::ServerUnaryReactor* ListChampions(grpc::CallbackServerContext* context,
                                          const v1::ListChampionsRequest* request,
                                          v1::ListChampionsResponse* response) override;
  grpc::ServerUnaryReactor* ListRunners(grpc::CallbackServerContext* context,
                                        const v1::ListRunnersRequest* request,
                                        v1::ListRunnersResponse* response) override;
  grpc::ServerUnaryReactor* Estimate(grpc::CallbackServerContext* context,
                                     const v1::EstimateRequest* request,
                                     v1::EstimateResponse* response) override;
  grpc::ServerUnaryReactor* Pause(grpc::CallbackServerContext* context,
                                  const v1::PauseRequest* request,
                                  v1::Experiment* response) override;
  grpc::ServerUnaryReactor* Resume(grpc::CallbackServerContext* context,
                                   const v1::ResumeRequest* request,
                                   v1::Experiment* response) override;
  grpc::ServerUnaryReactor* Retry(grpc::CallbackServerContext* context,
                                  const v1::RetryRequest* request,
                                  v1::Experiment* response) override;
  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context,
                                   const v1::CancelRequest* request,
                                   v1::Experiment* response) override;

 private:
  Loop& loop_;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_EXPERIMENT_SERVICE_H_
