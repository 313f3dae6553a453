// A coordinator for tests of runners: real gRPC on 127.0.0.1, no rules. It assigns what
// the test says, records what it is told, and can lose answers, refuse, vanish and come
// back. Calls of a runner with a free slot and no news park without end.
#ifndef SQUISH_TESTS_UNIT_RUNNER_FAKE_COORDINATOR_H_
#define SQUISH_TESTS_UNIT_RUNNER_FAKE_COORDINATOR_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/rpc.h"
#include "squish/v1/artifact.grpc.pb.h"
#include "squish/v1/runner.grpc.pb.h"

namespace squish {

class FakeCoordinator : public v1::RunnerService::CallbackService,
                        public v1::ArtifactService::Service {
 public:
  FakeCoordinator();
  ~FakeCoordinator() override;

  std::string address() const;
  // The process dies: connections break, nothing in memory but the port is lost here,
  // since the records stand for what a coordinator has on disk.
  void Vanish();
  void ComeBack();

  // --- What the test says. Parked calls are looked at again.
  void Assign(const std::string& attempt, v1::Job job);
  void Withdraw(const std::string& attempt);
  void WantDataset(const v1::DatasetSpec& spec, const std::string& fingerprint = "");
  void Change(const std::function<void(FakeCoordinator&)>& change);

  // Set inside Change (or before the first call).
  bool acknowledge = true;
  int lose_answers = 0;  // So many calls are recorded and then answered UNAVAILABLE.
  grpc::Status refusal;  // Not OK: every call gets it, nothing is recorded.
  std::map<std::string, std::string> artifacts;  // By digest; bytes may be wrong.
  int fail_transfers = 0;  // So many transfers break in the middle, UNAVAILABLE …
  grpc::StatusCode upload_failure = grpc::StatusCode::UNAVAILABLE;  // … or, of uploads, with this.
  int downloads = 0;
  std::function<void(const v1::AttemptResult&)> on_result;

  // --- What it was told. Waits until `condition` holds; false after a long time.
  bool Await(const std::function<bool(const FakeCoordinator&)>& condition);
  std::vector<v1::SynchronizeRequest> requests;
  std::map<std::string, v1::AttemptResult> results;
  int deliveries = 0;  // Of results, repeated ones counted.

  // --- The services.
  grpc::ServerUnaryReactor* Synchronize(grpc::CallbackServerContext* context,
                                        const v1::SynchronizeRequest* request,
                                        v1::SynchronizeResponse* response) override;
  grpc::Status Upload(grpc::ServerContext* context, grpc::ServerReader<v1::UploadRequest>* reader,
                      v1::UploadResponse* response) override;
  grpc::Status Download(grpc::ServerContext* context, const v1::DownloadRequest* request,
                        grpc::ServerWriter<v1::DownloadResponse>* writer) override;

 private:
  class Parked;
  friend class Parked;
  void Record(const v1::SynchronizeRequest& request);
  bool Answer(const v1::SynchronizeRequest& request, v1::SynchronizeResponse* response);
  void LookAtParked();

  mutable absl::Mutex mutex_;
  std::map<std::string, v1::Job> assigned_;
  std::vector<v1::DatasetSpec> datasets_;
  std::vector<std::string> fingerprints_;  // One for each of them.
  std::vector<Parked*> parked_;
  RunningServer server_;
  int port_ = 0;
};

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_RUNNER_FAKE_COORDINATOR_H_
