#include "coordinator/service/artifact_service.h"

#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/rpc/rpc.h"
#include "spdlog/spdlog.h"

namespace squish {
namespace {

constexpr size_t kMaximumChunkBytes = 1 << 20;   // The protocol's limit for uploads.
constexpr size_t kDownloadChunkBytes = 1 << 18;

// A place among the transfers that are open; given back with its end.
class Place {
 public:
  // RESOURCE_EXHAUSTED: there is none.
  static absl::StatusOr<Place> Take(std::atomic<int>* taken) {
    Place place(taken);
    if (++*taken <= ArtifactServiceAdapter::kMaximumTransfers) return place;
    return absl::ResourceExhaustedError(
        absl::StrCat(ArtifactServiceAdapter::kMaximumTransfers,
                     " artifacts are being transferred already; try again"));
  }
  Place(Place&& other) noexcept : taken_(std::exchange(other.taken_, nullptr)) {}
  Place& operator=(Place&&) = delete;
  ~Place() {
    if (taken_ != nullptr) --*taken_;
  }

 private:
  explicit Place(std::atomic<int>* taken) : taken_(taken) {}
  std::atomic<int>* taken_;
};

// One upload. Either a read is under way or a task on its I/O thread, never both; the
// task ends the call, and touches nothing after that.
class UploadCall : public grpc::ServerReadReactor<v1::UploadRequest> {
 public:
  UploadCall(Caller caller, Place place, BlobStore* store, IoThread* io)
      : caller_(std::move(caller)), place_(std::move(place)), store_(*store), io_(*io) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    io_.Post([this, ok] { ok ? TakePart() : TakeEnd(); });
  }
  void OnDone() override { delete this; }

 private:
  void TakePart() {
    const absl::Status status = request_.has_start() ? TakeStart() : TakeChunk();
    if (!status.ok() || is_here_) {
      End(status);
    } else {
      StartRead(&request_);
    }
  }

  absl::Status TakeStart() {
    if (writer_ != nullptr) return absl::InvalidArgumentError("the upload began twice");
    digest_ = request_.start().digest();
    // Announced sizes and digests that cannot be are refused by the store.
    SQUISH_ASSIGN_OR_RETURN(writer_, store_.NewWriter(digest_, request_.start().size()));
    SQUISH_ASSIGN_OR_RETURN(is_here_, store_.Keep(digest_, request_.start().size()));
    return absl::OkStatus();
  }

  absl::Status TakeChunk() {
    if (writer_ == nullptr) {
      return absl::InvalidArgumentError("an upload begins with its digest and size");
    }
    if (request_.chunk().size() > kMaximumChunkBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("a chunk has at most ", kMaximumChunkBytes, " bytes"));
    }
    return writer_->Append(request_.chunk());
  }

  // The caller has sent everything, or has gone: then bytes are missing.
  void TakeEnd() {
    End(writer_ == nullptr ? absl::InvalidArgumentError("the upload has no beginning")
                           : writer_->Commit());
  }

  void End(const absl::Status& status) {
    if (!status.ok()) {
      spdlog::warn("upload from {}: {}", caller_.peer, status.ToString());
    }
    writer_.reset();
    Finish(ToGrpc(status));
  }

  const Caller caller_;
  const Place place_;
  BlobStore& store_;
  IoThread& io_;
  v1::UploadRequest request_;
  std::string digest_;
  std::unique_ptr<BlobStore::Writer> writer_;
  bool is_here_ = false;
};

// One download, built as UploadCall is.
class DownloadCall : public grpc::ServerWriteReactor<v1::DownloadResponse> {
 public:
  DownloadCall(Caller caller, Place place, std::string digest, BlobStore* store, IoThread* io)
      : caller_(std::move(caller)),
        place_(std::move(place)),
        digest_(std::move(digest)),
        store_(*store),
        io_(*io) {
    io_.Post([this] { Open(); });
  }

  void OnWriteDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::CANCELLED);
      return;
    }
    io_.Post([this] { SendNext(); });
  }
  void OnDone() override { delete this; }

 private:
  void Open() {
    if (!IsSha256Hex(digest_)) {
      End(absl::InvalidArgumentError("digest: 64 lower-case hex digits are needed"));
      return;
    }
    const absl::StatusOr<int64_t> size = store_.SizeOf(digest_);
    if (!size.ok()) {
      End(size.status());
      return;
    }
    file_.open(store_.PathOf(digest_), std::ios::binary);
    left_ = *size;
    response_.set_size(*size);
    ReadChunk();  // Also of an empty blob: the first message says its size.
  }

  void SendNext() {
    response_.Clear();
    if (left_ > 0) {
      ReadChunk();
    } else if (std::move(hash_).HexDigest() == digest_) {
      End(absl::OkStatus());
    } else {
      EndDamaged();
    }
  }

  void ReadChunk() {
    std::string& chunk = *response_.mutable_chunk();
    chunk.resize(static_cast<size_t>(std::min<int64_t>(left_, kDownloadChunkBytes)));
    if (!file_.read(chunk.data(), static_cast<std::streamsize>(chunk.size()))) {
      EndDamaged();
      return;
    }
    left_ -= static_cast<int64_t>(chunk.size());
    hash_.Update(chunk);
    StartWrite(&response_);
  }

  void EndDamaged() {
    End(absl::DataLossError(absl::StrCat("artifact ", digest_, " is damaged on disk")));
  }

  void End(const absl::Status& status) {
    if (!status.ok()) {
      spdlog::warn("download by {}: {}", caller_.peer, status.ToString());
    }
    Finish(ToGrpc(status));
  }

  const Caller caller_;
  const Place place_;
  const std::string digest_;
  BlobStore& store_;
  IoThread& io_;
  std::ifstream file_;
  int64_t left_ = 0;
  Sha256 hash_;
  v1::DownloadResponse response_;
};

}  // namespace

grpc::ServerReadReactor<v1::UploadRequest>* ArtifactServiceAdapter::Upload(
    grpc::CallbackServerContext* context, v1::UploadResponse*) {
  absl::StatusOr<Caller> caller = CallerOf(*context);
  absl::StatusOr<Place> place = Place::Take(&transfers_);
  if (!caller.ok() || !place.ok()) {
    return Refuse<grpc::ServerReadReactor<v1::UploadRequest>>(
        caller.ok() ? place.status() : caller.status());
  }
  return new UploadCall(*std::move(caller), *std::move(place), &store_, &io_.Next());
}

grpc::ServerWriteReactor<v1::DownloadResponse>* ArtifactServiceAdapter::Download(
    grpc::CallbackServerContext* context, const v1::DownloadRequest* request) {
  absl::StatusOr<Caller> caller = CallerOf(*context);
  absl::StatusOr<Place> place = Place::Take(&transfers_);
  if (!caller.ok() || !place.ok()) {
    return Refuse<grpc::ServerWriteReactor<v1::DownloadResponse>>(
        caller.ok() ? place.status() : caller.status());
  }
  return new DownloadCall(*std::move(caller), *std::move(place), request->digest(), &store_,
                          &io_.Next());
}

}  // namespace squish
