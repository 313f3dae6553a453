#include "coordinator/service/runner_service.h"

#include <utility>

#include "common/rpc/rpc.h"

namespace squish {
namespace {

// A call that may wait: when its caller goes, the coordinator is told.
class SynchronizeCall : public grpc::ServerUnaryReactor {
 public:
  SynchronizeCall(Loop* loop, uint64_t call) : loop_(*loop), call_(call) {}

  void OnCancel() override {
    loop_.Post([call = call_](Coordinator& coordinator) { coordinator.Abandon(call); });
  }
  void OnDone() override { delete this; }

 private:
  Loop& loop_;
  const uint64_t call_;
};

}  // namespace

grpc::ServerUnaryReactor* RunnerServiceAdapter::Synchronize(grpc::CallbackServerContext* context,
                                                            const v1::SynchronizeRequest* request,
                                                            v1::SynchronizeResponse* response) {
  absl::StatusOr<Caller> caller = CallerOf(*context);
  if (!caller.ok()) return Refuse<grpc::ServerUnaryReactor>(caller.status());
  const uint64_t call = next_call_++;
  auto* const reactor = new SynchronizeCall(&loop_, call);
  loop_.Post([=, caller = *std::move(caller)](Coordinator& coordinator) {
    coordinator.Synchronize(caller, *request, call,
                            [=](const absl::StatusOr<v1::SynchronizeResponse>& answer) {
                              if (answer.ok()) *response = *answer;
                              reactor->Finish(ToGrpc(answer.status()));
                            });
  });
  return reactor;
}

}  // namespace squish
