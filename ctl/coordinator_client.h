// Calls to a coordinator, with errors that say where and what to do. Thread-safe.
#ifndef SQUISH_CTL_COORDINATOR_CLIENT_H_
#define SQUISH_CTL_COORDINATOR_CLIENT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/artifacts/blob_store.h"
#include "common/rpc/rpc.h"
#include "common/runner/artifact_client.h"
#include "squish/v1/experiment_service.grpc.pb.h"
#include "squish/v1/maintenance.grpc.pb.h"

namespace squish {

class CoordinatorClient {
 public:
  explicit CoordinatorClient(std::string address);

  // Codes of ExperimentService. UNAVAILABLE: nobody answers there.
  absl::StatusOr<v1::Experiment> Submit(const v1::ExperimentSpec& spec);
  absl::StatusOr<v1::Experiment> Get(const std::string& id);
  absl::StatusOr<v1::ListExperimentsResponse> List();
  absl::StatusOr<std::vector<v1::Individual>> Individuals(const std::string& id);
  absl::StatusOr<std::vector<v1::Champion>> Champions(const std::string& id);
  absl::StatusOr<v1::ListRunnersResponse> Runners();
  absl::StatusOr<v1::EstimateResponse> Estimate(const v1::ExperimentSpec& spec, int train_images);
  absl::StatusOr<v1::Experiment> Pause(const std::string& id);
  absl::StatusOr<v1::Experiment> Resume(const std::string& id);
  absl::StatusOr<v1::Experiment> Retry(const std::string& id);
  absl::StatusOr<v1::Experiment> Cancel(const std::string& id);

  // The experiment and its individuals as they are, then every change, until the
  // experiment has ended (OK) or `context` is cancelled (CANCELLED).
  absl::Status Watch(grpc::ClientContext& context, const std::string& id,
                     const std::function<void(const v1::WatchEvent&)>& on_event);

  // Codes of MaintenanceService.
  absl::StatusOr<v1::BackupResponse> Backup();

  // Stores the artifact, durably. Codes of Fetch and of BlobStore::Writer.
  absl::Status Download(absl::string_view digest, BlobStore& store);
  // The bytes of an artifact. NOT_FOUND: no such artifact. INVALID_ARGUMENT: no digest.
  absl::StatusOr<std::string> Fetch(absl::string_view digest);
  // The same, durable at `path` after OK.
  absl::Status Download(absl::string_view digest, const std::string& path);
  // Returns the digest. Errors as ReadFile too.
  absl::StatusOr<std::string> Upload(const std::string& path);

 private:
  absl::Status Explain(const absl::Status& status) const;
  // One unary call.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (v1::ExperimentService::Stub::*method)(
                                    grpc::ClientContext*, const Request&, Response*),
                                const Request& request);

  const std::string address_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::ExperimentService::Stub> stub_;
  const std::unique_ptr<v1::MaintenanceService::Stub> maintenance_;
  ArtifactClient artifacts_;
};

}  // namespace squish

#endif  // SQUISH_CTL_COORDINATOR_CLIENT_H_
