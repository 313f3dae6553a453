// ArtifactService: blobs in and out of the population's store, in chunks, hashed on the
// way. Disks are waited for on I/O threads, one for each call; each call has one chunk in
// memory, and there are kMaximumTransfers at a time: who comes on top is told
// RESOURCE_EXHAUSTED, and tries again.
#ifndef SQUISH_COORDINATOR_SERVICE_ARTIFACT_SERVICE_H_
#define SQUISH_COORDINATOR_SERVICE_ARTIFACT_SERVICE_H_

#include <atomic>

#include "common/artifacts/blob_store.h"
#include "coordinator/service/io_thread.h"
#include "squish/v1/artifact.grpc.pb.h"

namespace squish {

// Thread-safe. Store and threads outlive it.
class ArtifactServiceAdapter : public v1::ArtifactService::CallbackService {
 public:
  ArtifactServiceAdapter(BlobStore* store, IoThreads* io) : store_(*store), io_(*io) {}

  static constexpr int kMaximumTransfers = 256;

  grpc::ServerReadReactor<v1::UploadRequest>* Upload(grpc::CallbackServerContext* context,
                                                     v1::UploadResponse* response) override;
  grpc::ServerWriteReactor<v1::DownloadResponse>* Download(
      grpc::CallbackServerContext* context, const v1::DownloadRequest* request) override;

 private:
  BlobStore& store_;
  IoThreads& io_;
  std::atomic<int> transfers_ = 0;  // Calls that are open.
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_ARTIFACT_SERVICE_H_
