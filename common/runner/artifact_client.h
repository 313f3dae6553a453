// Moves artifacts to and from a coordinator, one call each, without trying again.
// Thread-safe. A call is ended from elsewhere by TryCancel on its context.
#ifndef SQUISH_COMMON_RUNNER_ARTIFACT_CLIENT_H_
#define SQUISH_COMMON_RUNNER_ARTIFACT_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/artifacts/blob_store.h"
#include "squish/v1/artifact.grpc.pb.h"

namespace squish {

class ArtifactClient {
 public:
  explicit ArtifactClient(const std::shared_ptr<grpc::Channel>& channel);

  // Stores the artifact in `store`, where it is durable after OK. NOT_FOUND: the
  // coordinator has none. DATA_LOSS: the bytes are not what their name says.
  // UNAVAILABLE and other codes of gRPC; codes of BlobStore::Writer.
  absl::Status Download(grpc::ClientContext& context, absl::string_view digest, BlobStore& store);

  // The artifact's bytes, in memory. Codes as Download's.
  absl::StatusOr<std::string> Get(grpc::ClientContext& context, absl::string_view digest);

  // Sends a file whose SHA-256 is `digest`; the coordinator has it on disk after OK.
  // Codes of ReadFile, of ArtifactService.Upload and of gRPC.
  absl::Status Upload(grpc::ClientContext& context, absl::string_view digest,
                      const std::string& path);

  // The same of bytes in memory.
  absl::Status Put(grpc::ClientContext& context, absl::string_view digest,
                   absl::string_view bytes);

 private:
  const std::unique_ptr<v1::ArtifactService::Stub> stub_;
};

}  // namespace squish

#endif  // SQUISH_COMMON_RUNNER_ARTIFACT_CLIENT_H_
