#include "common/runner/artifact_client.h"

#include <algorithm>
#include <fstream>
#include <functional>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/rpc/rpc.h"

namespace squish {
namespace {

constexpr size_t kChunkBytes = 1 << 20;  // The protocol's limit.

bool SendStart(grpc::ClientWriter<v1::UploadRequest>& stream, absl::string_view digest,
               int64_t size) {
  v1::UploadRequest request;
  request.mutable_start()->set_digest(std::string(digest));
  request.mutable_start()->set_size(size);
  return stream.Write(request);
}

// Sends everything; stops early when the server has answered already.
absl::Status SendFile(grpc::ClientWriter<v1::UploadRequest>& stream, absl::string_view digest,
                      const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot open ", path));
  if (!SendStart(stream, digest, static_cast<int64_t>(file.tellg()))) return absl::OkStatus();
  v1::UploadRequest request;
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

void SendBytes(grpc::ClientWriter<v1::UploadRequest>& stream, absl::string_view digest,
               absl::string_view bytes) {
  if (!SendStart(stream, digest, static_cast<int64_t>(bytes.size()))) return;
  v1::UploadRequest request;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kChunkBytes))) {
    const absl::string_view chunk = bytes.substr(0, kChunkBytes);
    request.set_chunk(chunk.data(), chunk.size());
    if (!stream.Write(request)) return;
  }
  stream.WritesDone();
}

// Receives everything: `begin` gets the announced size, `append` each chunk. An error
// of theirs ends the call.
absl::Status Receive(v1::ArtifactService::Stub& stub, grpc::ClientContext& context,
                     absl::string_view digest, const std::function<absl::Status(int64_t)>& begin,
                     const std::function<absl::Status(absl::string_view)>& append) {
  v1::DownloadRequest request;
  request.set_digest(std::string(digest));
  const auto stream = stub.Download(&context, request);
  v1::DownloadResponse part;
  absl::Status taken;
  bool begun = false;
  while (taken.ok() && stream->Read(&part)) {
    if (!begun) taken = begin(part.size());
    begun = true;
    if (taken.ok()) taken = append(part.chunk());
  }
  if (!taken.ok()) context.TryCancel();
  absl::Status answered = FromGrpc(stream->Finish());
  // Too much at once for the coordinator, which passes; a full disk would be ours, in `taken`.
  if (absl::IsResourceExhausted(answered)) answered = absl::UnavailableError(answered.message());
  SQUISH_RETURN_IF_ERROR(taken);
  SQUISH_RETURN_IF_ERROR(answered);
  if (!begun) {
    return absl::DataLossError(absl::StrCat("artifact ", digest, " arrived without a beginning"));
  }
  return absl::OkStatus();
}

}  // namespace

ArtifactClient::ArtifactClient(const std::shared_ptr<grpc::Channel>& channel)
    : stub_(v1::ArtifactService::NewStub(channel)) {}

absl::Status ArtifactClient::Download(grpc::ClientContext& context, absl::string_view digest,
                                      BlobStore& store) {
  std::unique_ptr<BlobStore::Writer> writer;
  SQUISH_RETURN_IF_ERROR(Receive(
      *stub_, context, digest,
      [&](int64_t size) {
        auto made = store.NewWriter(digest, size);
        if (made.ok()) writer = *std::move(made);
        return made.status();
      },
      [&](absl::string_view chunk) { return writer->Append(chunk); }));
  return writer->Commit();
}

absl::StatusOr<std::string> ArtifactClient::Get(grpc::ClientContext& context,
                                                absl::string_view digest) {
  std::string bytes;
  SQUISH_RETURN_IF_ERROR(Receive(
      *stub_, context, digest, [](int64_t) { return absl::OkStatus(); },
      [&](absl::string_view chunk) {
        bytes.append(chunk.data(), chunk.size());
        return absl::OkStatus();
      }));
  if (Sha256Hex(bytes) != digest) {
    return absl::DataLossError(absl::StrCat("artifact ", digest, " arrived as other bytes"));
  }
  return bytes;
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

absl::Status ArtifactClient::Put(grpc::ClientContext& context, absl::string_view digest,
                                 absl::string_view bytes) {
  v1::UploadResponse response;
  const auto stream = stub_->Upload(&context, &response);
  SendBytes(*stream, digest, bytes);
  return FromGrpc(stream->Finish());
}

}  // namespace squish
