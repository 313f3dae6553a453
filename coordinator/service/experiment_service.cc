#include "coordinator/service/experiment_service.h"

#include <memory>

#include "common/rpc/rpc.h"
#include "coordinator/service/unary_call.h"
#include "coordinator/service/watch_stream.h"

namespace squish {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

ServerUnaryReactor* ExperimentServiceAdapter::Submit(CallbackServerContext* context,
                                                     const v1::SubmitRequest* request,
                                                     v1::Experiment* response) {
  return CallOnLoop(loop_, context, request, response, &Coordinator::Submit);
}

ServerUnaryReactor* ExperimentServiceAdapter::Get(CallbackServerContext* context,
                                                  const v1::GetExperimentRequest* request,
                                                  v1::Experiment* response) {
  return CallOnLoop(loop_, context, request, response, &Coordinator::Get);
}

ServerUnaryReactor* ExperimentServiceAdapter::List(CallbackServerContext* context,
                                                   const v1::ListExperimentsRequest* request,
                                                   v1::ListExperimentsResponse* response) {
  return CallOnLoop(loop_, context, request, response, &Coordinator::List);
}

ServerUnaryReactor* ExperimentServiceAdapter::ListIndividuals(
    CallbackServerContext* context, const v1::ListIndividualsRequest* request,
    v1::ListIndividualsResponse* response) {
  return CallOnLoop(loop_, context, request, response, &Coordinator::ListIndividuals);
}

grpc::ServerWriteReactor<v1::WatchEvent>* ExperimentServiceAdapter::Watch(
    CallbackServerContext* context, const v1::WatchRequest* request) {
  const absl::StatusOr<Caller> caller = CallerOf(*context);
  if (!caller.ok()) return Refuse<grpc::ServerWriteReactor<v1::WatchEvent>>(caller.status());
  return WatchStream::Start(loop_, *caller, *request);
}

ServerUnaryReactor* ExperimentServiceAdapter::ListChampions(CallbackServerContext* context,
                                                     const v1::ListChampionsRequest* request,
                                                     v1::ListChampionsResponse* response) {
  return CallOnLoop(loop_, context, request, response, &Coordinator::ListChampions);
}

ServerUnaryReactor* ExperimentServiceAdapter::ListRunners(CallbackServerContext* context,
                                                     const v1::ListRunnersRequest* request,
                                                     v1::ListRunnersResponse* response) {
  return CallOnLoop(loop_, context, request, response, &Coordinator::ListRunners);
}

ServerUnaryReactor* ExperimentServiceAdapter::Estimate(CallbackServerContext* context,
                                                     const v1::EstimateRequest* request,
                                                     v1::EstimateResponse* response) {
  return CallOnLoop(loop_, context, request, response, &Coordinator::Estimate);
}

ServerUnaryReactor* ExperimentServiceAdapter::Pause(CallbackServerContext* context,
                                                    const v1::PauseRequest* request,
                                                    v1::Experiment* response) {
  return CallOnLoop(loop_, context, request, response, &Coordinator::Pause);
}

ServerUnaryReactor* ExperimentServiceAdapter::Resume(CallbackServerContext* context,
                                                     const v1::ResumeRequest* request,
                                                     v1::Experiment* response) {
  return CallOnLoop(loop_, context, request, response, &Coordinator::Resume);
}

ServerUnaryReactor* ExperimentServiceAdapter::Retry(CallbackServerContext* context,
                                                    const v1::RetryRequest* request,
                                                    v1::Experiment* response) {
  return CallOnLoop(loop_, context, request, response, &Coordinator::Retry);
}

ServerUnaryReactor* ExperimentServiceAdapter::Cancel(CallbackServerContext* context,
                                                     const v1::CancelRequest* request,
                                                     v1::Experiment* response) {
  return CallOnLoop(loop_, context, request, response, &Coordinator::Cancel);
}

}  // namespace squish
