#include "benchmarks/swarm/transfers.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "benchmarks/swarm/disk.h"
#include "common/artifacts/blob_store.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/ids.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/rpc/rpc.h"
#include "common/runner/artifact_client.h"

namespace squish {
namespace {

constexpr int64_t kStandInBytes = 1024;
constexpr int64_t kPieceBytes = 1 << 20;

absl::Duration Steady() { return Clock::System().Steady(); }

struct File {
  std::string path;
  std::string digest;
};

// A file that is removed with this object.
class MadeFile {
 public:
  // `bytes` in pieces, so that it takes little memory.
  static absl::StatusOr<std::unique_ptr<MadeFile>> Make(const std::string& folder, int64_t bytes,
                                                        uint64_t seed) {
    auto made = std::unique_ptr<MadeFile>(
        new MadeFile({JoinPath(folder, absl::StrCat("artifact-", RandomHex(8))), ""}));
    std::ofstream out(made->path(), std::ios::binary);
    Sha256 hash;
    for (int64_t left = bytes; left > 0; left -= kPieceBytes) {
      const std::string piece = IncompressibleBytes(std::min(left, kPieceBytes),
                                                    seed * 0x10001 + static_cast<uint64_t>(left));
      hash.Update(piece);
      out << piece;
    }
    out.close();
    if (!out) return absl::ResourceExhaustedError(absl::StrCat("cannot write ", made->path()));
    made->file_.digest = std::move(hash).HexDigest();
    return made;
  }
  ~MadeFile() {
    std::error_code error;
    std::filesystem::remove(file_.path, error);
  }
  MadeFile(const MadeFile&) = delete;
  MadeFile& operator=(const MadeFile&) = delete;

  const std::string& path() const { return file_.path; }
  const std::string& digest() const { return file_.digest; }

 private:
  explicit MadeFile(File file) : file_(std::move(file)) {}
  File file_;
};

absl::Status Upload(ArtifactClient& client, const MadeFile& file) {
  grpc::ClientContext context;
  return client.Upload(context, file.digest(), file.path());
}

}  // namespace

absl::StatusOr<StandIn> UploadStandIn(const std::string& coordinator, const std::string& folder) {
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<MadeFile> file,
                          MadeFile::Make(folder, kStandInBytes, 0));
  ArtifactClient client(MakeChannel(coordinator));
  SQUISH_RETURN_IF_ERROR(Upload(client, *file));
  return StandIn{file->digest(), kStandInBytes};
}

absl::StatusOr<double> ArtifactsPerSecond(const std::string& coordinator, const std::string& folder,
                                          int64_t bytes, int count, int clients, uint64_t seed) {
  std::vector<std::unique_ptr<MadeFile>> files;
  for (int i = 0; i < count; ++i) {
    SQUISH_ASSIGN_OR_RETURN(
        auto file, MadeFile::Make(folder, bytes, seed * 1'000'000 + static_cast<uint64_t>(i)));
    files.push_back(std::move(file));
  }
  absl::Mutex mutex;
  absl::Status trouble;
  std::atomic<size_t> next = 0;
  absl::Notification go;
  std::atomic<int> ready = 0;
  const auto upload = [&] {
    const auto channel = MakeChannel(coordinator);
    channel->WaitForConnected(gpr_inf_future(GPR_CLOCK_REALTIME));
    ArtifactClient client(channel);
    ++ready;
    go.WaitForNotification();
    for (size_t i = next++; i < files.size(); i = next++) {
      const absl::Status status = Upload(client, *files[i]);
      if (status.ok()) continue;
      absl::MutexLock lock(&mutex);
      trouble = status;
      return;
    }
  };
  std::vector<std::thread> threads;
  for (int c = 0; c < clients; ++c) threads.emplace_back(upload);
  while (ready < clients) std::this_thread::yield();
  const absl::Duration start = Steady();
  go.Notify();
  for (std::thread& thread : threads) thread.join();
  SQUISH_RETURN_IF_ERROR(trouble);
  return count / absl::ToDoubleSeconds(Steady() - start);
}

absl::StatusOr<RoundTrip> MoveLargeArtifact(const std::string& coordinator,
                                            const std::string& folder, int64_t bytes) {
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<MadeFile> file,
                          MadeFile::Make(folder, bytes, RandomUint64()));
  ArtifactClient client(MakeChannel(coordinator));
  const std::string store_folder = JoinPath(folder, "downloaded");
  SQUISH_ASSIGN_OR_RETURN(const auto store, BlobStore::Open(store_folder));
  RoundTrip trip;
  const absl::Duration start = Steady();
  absl::Status moved = Upload(client, *file);
  trip.upload_seconds = absl::ToDoubleSeconds(Steady() - start);
  if (moved.ok()) {
    const absl::Duration uploaded = Steady();
    grpc::ClientContext context;
    moved = client.Download(context, file->digest(), *store);
    trip.download_seconds = absl::ToDoubleSeconds(Steady() - uploaded);
  }
  std::error_code error;
  std::filesystem::remove_all(store_folder, error);
  SQUISH_RETURN_IF_ERROR(moved);
  return trip;
}

absl::StatusOr<double> EmptyCallsPerSecond(const std::string& coordinator,
                                           absl::Duration duration) {
  grpc::GenericStub stub(MakeChannel(coordinator));
  const grpc::Slice nothing;
  const grpc::ByteBuffer empty(&nothing, 1);
  const absl::Duration start = Steady();
  int64_t done = 0;
  for (; Steady() - start < duration; ++done) {
    grpc::ClientContext context;
    grpc::ByteBuffer answer;
    absl::Notification answered;
    grpc::Status status;
    stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &empty, &answer,
                   [&](grpc::Status given) {
                     status = std::move(given);
                     answered.Notify();
                   });
    answered.WaitForNotification();
    SQUISH_RETURN_IF_ERROR(FromGrpc(status));
  }
  return static_cast<double>(done) / absl::ToDoubleSeconds(Steady() - start);
}

}  // namespace squish
