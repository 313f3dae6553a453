#include "ctl/coordinator_client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/file.h"
#include "common/base/ids.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

// Of everything that the coordinator answers from its memory or database.
constexpr absl::Duration kAnswerLimit = absl::Seconds(15);
constexpr absl::Duration kTransferLimit = absl::Minutes(15);
// Of copying the database, and reading all of it.
constexpr absl::Duration kBackupLimit = absl::Hours(1);

void SetLimit(grpc::ClientContext& context, absl::Duration limit) {
  context.set_deadline(absl::ToChronoTime(absl::Now() + limit));
}

}  // namespace

CoordinatorClient::CoordinatorClient(std::string address)
    : address_(std::move(address)),
      channel_(MakeChannel(address_)),
      stub_(v1::ExperimentService::NewStub(channel_)),
      maintenance_(v1::MaintenanceService::NewStub(channel_)),
      artifacts_(channel_) {}

absl::Status CoordinatorClient::Explain(const absl::Status& status) const {
  if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) return status;
  return absl::UnavailableError(absl::StrCat(
      "no coordinator answers at ", address_,
      "; start one with `coordinator --population FILE`, or say where it is with --coordinator "
      "HOST:PORT (",
      status.message(), ")"));
}

template <typename Request, typename Response>
absl::StatusOr<Response> CoordinatorClient::Call(
    grpc::Status (v1::ExperimentService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                        Response*),
    const Request& request) {
  grpc::ClientContext context;
  SetLimit(context, kAnswerLimit);
  Response response;
  SQUISH_RETURN_IF_ERROR(Explain(FromGrpc((stub_.get()->*method)(&context, request, &response))));
  return response;
}

absl::StatusOr<v1::Experiment> CoordinatorClient::Submit(const v1::ExperimentSpec& spec) {
  v1::SubmitRequest request;
  *request.mutable_spec() = spec;
  request.set_idempotency_key(RandomHex(16));
  return Call(&v1::ExperimentService::Stub::Submit, request);
}

absl::StatusOr<v1::Experiment> CoordinatorClient::Get(const std::string& id) {
  v1::GetExperimentRequest request;
  request.set_id(id);
  return Call(&v1::ExperimentService::Stub::Get, request);
}

absl::StatusOr<v1::ListExperimentsResponse> CoordinatorClient::List() {
  return Call(&v1::ExperimentService::Stub::List, v1::ListExperimentsRequest());
}

absl::StatusOr<std::vector<v1::Individual>> CoordinatorClient::Individuals(const std::string& id) {
  v1::ListIndividualsRequest request;
  request.set_experiment(id);
  SQUISH_ASSIGN_OR_RETURN(const v1::ListIndividualsResponse response,
                          Call(&v1::ExperimentService::Stub::ListIndividuals, request));
  return std::vector<v1::Individual>(response.individuals().begin(), response.individuals().end());
}

absl::StatusOr<std::vector<v1::Champion>> CoordinatorClient::Champions(const std::string& id) {
  v1::ListChampionsRequest request;
  request.set_experiment(id);
  SQUISH_ASSIGN_OR_RETURN(const v1::ListChampionsResponse response,
                          Call(&v1::ExperimentService::Stub::ListChampions, request));
  return std::vector<v1::Champion>(response.champions().begin(), response.champions().end());
}

absl::StatusOr<v1::ListRunnersResponse> CoordinatorClient::Runners() {
  return Call(&v1::ExperimentService::Stub::ListRunners, v1::ListRunnersRequest());
}

absl::StatusOr<v1::EstimateResponse> CoordinatorClient::Estimate(const v1::ExperimentSpec& spec,
                                                                 int train_images) {
  v1::EstimateRequest request;
  *request.mutable_spec() = spec;
  request.set_train_images(train_images);
  return Call(&v1::ExperimentService::Stub::Estimate, request);
}

absl::StatusOr<v1::Experiment> CoordinatorClient::Pause(const std::string& id) {
  v1::PauseRequest request;
  request.set_id(id);
  return Call(&v1::ExperimentService::Stub::Pause, request);
}

absl::StatusOr<v1::Experiment> CoordinatorClient::Resume(const std::string& id) {
  v1::ResumeRequest request;
  request.set_id(id);
  return Call(&v1::ExperimentService::Stub::Resume, request);
}

absl::StatusOr<v1::Experiment> CoordinatorClient::Retry(const std::string& id) {
  v1::RetryRequest request;
  request.set_id(id);
  return Call(&v1::ExperimentService::Stub::Retry, request);
}

absl::StatusOr<v1::Experiment> CoordinatorClient::Cancel(const std::string& id) {
  v1::CancelRequest request;
  request.set_id(id);
  return Call(&v1::ExperimentService::Stub::Cancel, request);
}

absl::Status CoordinatorClient::Watch(
    grpc::ClientContext& context, const std::string& id,
    const std::function<void(const v1::WatchEvent&)>& on_event) {
  v1::WatchRequest request;
  request.set_experiment(id);
  const auto stream = stub_->Watch(&context, request);
  v1::WatchEvent event;
  while (stream->Read(&event)) on_event(event);
  return Explain(FromGrpc(stream->Finish()));
}

absl::StatusOr<v1::BackupResponse> CoordinatorClient::Backup() {
  grpc::ClientContext context;
  SetLimit(context, kBackupLimit);
  v1::BackupResponse response;
  SQUISH_RETURN_IF_ERROR(
      Explain(FromGrpc(maintenance_->Backup(&context, v1::BackupRequest(), &response))));
  return response;
}

absl::Status CoordinatorClient::Download(absl::string_view digest, BlobStore& store) {
  grpc::ClientContext context;
  SetLimit(context, kTransferLimit);
  return Explain(artifacts_.Download(context, digest, store));
}

absl::StatusOr<std::string> CoordinatorClient::Fetch(absl::string_view digest) {
  if (!IsSha256Hex(digest)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", digest, "' names no artifact: its name is its SHA-256, 64 digits of 0-9 and a-f"));
  }
  grpc::ClientContext context;
  SetLimit(context, kTransferLimit);
  absl::StatusOr<std::string> bytes = artifacts_.Get(context, digest);
  SQUISH_RETURN_IF_ERROR(Explain(bytes.status()));
  return bytes;
}

absl::Status CoordinatorClient::Download(absl::string_view digest, const std::string& path) {
  SQUISH_ASSIGN_OR_RETURN(const std::string bytes, Fetch(digest));
  return WriteFileDurably(path, bytes);
}

absl::StatusOr<std::string> CoordinatorClient::Upload(const std::string& path) {
  SQUISH_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, BlobStore::kMaximumBytes));
  const std::string digest = Sha256Hex(bytes);
  grpc::ClientContext context;
  SetLimit(context, kTransferLimit);
  SQUISH_RETURN_IF_ERROR(Explain(artifacts_.Upload(context, digest, path)));
  return digest;
}

}  // namespace squish
