// From a gRPC callback to a method of the coordinator and back: the call becomes a task
// of the loop, its answer is given after the commit.
#ifndef SQUISH_COORDINATOR_SERVICE_UNARY_CALL_H_
#define SQUISH_COORDINATOR_SERVICE_UNARY_CALL_H_

#include <grpcpp/grpcpp.h>

#include <utility>

#include "absl/status/statusor.h"
#include "common/rpc/rpc.h"
#include "coordinator/service/coordinator.h"
#include "coordinator/service/loop.h"

namespace squish {

// `request` and `response` live until the reactor is finished (gRPC sees to it).
template <typename Request, typename Response>
grpc::ServerUnaryReactor* CallOnLoop(
    Loop& loop, grpc::CallbackServerContext* context, const Request* request, Response* response,
    absl::StatusOr<Response> (Coordinator::*method)(const Caller&, const Request&)) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  absl::StatusOr<Caller> caller = CallerOf(*context);
  if (!caller.ok()) {
    reactor->Finish(ToGrpc(caller.status()));
    return reactor;
  }
  loop.Post([=, caller = *std::move(caller)](Coordinator& coordinator) {
    absl::StatusOr<Response> answer = (coordinator.*method)(caller, *request);
    coordinator.AfterCommit([=, answer = std::move(answer)](const absl::Status& committed) {
      const absl::Status& status = committed.ok() ? answer.status() : committed;
      if (status.ok()) *response = *answer;
      reactor->Finish(ToGrpc(status));
    });
  });
  return reactor;
}

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_UNARY_CALL_H_
