#include "common/runner/artifact_client.h"

#include <fstream>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/rpc.h"

namespace squish {
namespace {

constexpr size_t kChunkBytes = 1 << 20;  // The protocol's limit.

// Sends everything; stops early when the server has answered already.
absl::Status SendFile(grpc::ClientWriter<v1::UploadRequest>& stream, absl::string_view digest,
                      const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot open ", path));
  v1::UploadRequest request;
  request.mutable_start()->set_digest(std::string(digest));
  request.mutable_start()->set_size(static_cast<int64_t>(file.tellg()));
  if (!stream.Write(request)) return absl::OkStatus();
  file.seekg(0);
  std::string chunk(kChunkBytes, '\0');
  while (file) {
    file.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    const auto count = static_cast<size_t>(file.gcount());
    if (count == 0) break;
    request.set_chunk(chunk.data(), count);
    if (!stream.Write(request)) return absl::OkStatus();
  }
  if (file.bad()) return absl::InternalError(absl::StrCat("cannot read ", path));
  stream.WritesDone();
  return absl::OkStatus();
}

// Receives everything; what is wrong with the call itself, its Finish says.
absl::StatusOr<std::unique_ptr<BlobStore::Writer>> Receive(
    grpc::ClientReader<v1::DownloadResponse>& stream, absl::string_view digest, BlobStore& store) {
  v1::DownloadResponse part;
  std::unique_ptr<BlobStore::Writer> writer;
  while (stream.Read(&part)) {
    if (writer == nullptr) {
      SQUISH_ASSIGN_OR_RETURN(writer, store.NewWriter(digest, part.size()));
    }
    SQUISH_RETURN_IF_ERROR(writer->Append(part.chunk()));
  }
  return writer;
}

}  // namespace

ArtifactClient::ArtifactClient(const std::shared_ptr<grpc::Channel>& channel)
    : stub_(v1::ArtifactService::NewStub(channel)) {}

absl::Status ArtifactClient::Download(grpc::ClientContext& context, absl::string_view digest,
                                      BlobStore& store) {
  v1::DownloadRequest request;
  request.set_digest(std::string(digest));
  const auto stream = stub_->Download(&context, request);
  const auto writer = Receive(*stream, digest, store);
  if (!writer.ok()) context.TryCancel();
  const absl::Status answered = FromGrpc(stream->Finish());
  SQUISH_RETURN_IF_ERROR(writer.status());
  SQUISH_RETURN_IF_ERROR(answered);
  if (*writer == nullptr) {
    return absl::DataLossError(absl::StrCat("artifact ", digest, " arrived without a beginning"));
  }
  return (*writer)->Commit();
}

absl::Status ArtifactClient::Upload(grpc::ClientContext& context, absl::string_view digest,
                                    const std::string& path) {
  v1::UploadResponse response;
  const auto stream = stub_->Upload(&context, &response);
  const absl::Status sent = SendFile(*stream, digest, path);
  if (!sent.ok()) context.TryCancel();
  const absl::Status answered = FromGrpc(stream->Finish());
  return sent.ok() ? answered : sent;
}

}  // namespace squish
