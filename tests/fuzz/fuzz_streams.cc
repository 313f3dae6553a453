// The services that fuzz_service does not reach, for their rules lie behind gRPC: uploads,
// downloads and backups, asked of a server in this process. An input is a row of
//
//   what to do (an index of kMethods) │ length of its argument (2 bytes, little-endian) │ argument
//
// Digests cannot be guessed: a text of one byte stands for one of kBlobs.
#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/metrics/metrics.h"
#include "common/rpc/rpc.h"
#include "coordinator/population/population.h"
#include "coordinator/service/artifact_service.h"
#include "coordinator/service/coordinator.h"
#include "coordinator/service/io_thread.h"
#include "coordinator/service/loop.h"
#include "coordinator/service/maintenance_service.h"
#include "spdlog/spdlog.h"
#include "squish/v1/artifact.grpc.pb.h"
#include "squish/v1/maintenance.grpc.pb.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/temporary_folder.h"

// OpenSSL keeps what its last error was for each thread until the thread ends; gRPC's may be there
// when leaks are looked for.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:CRYPTO_zalloc\n"; }

namespace squish {
namespace {

constexpr int kMaximumRequests = 32;

// None, few, and more than a download's chunk.
const std::string& Blob(uint8_t which) {
  static const std::string* const blobs =
      new std::string[]{"", "a", std::string(1000, 'b'), std::string(300'000, 'c')};
  return blobs[which % 4];
}

class World {
 public:
  explicit World(const std::string& folder) {
    auto population = Population::Open(JoinPath(folder, "population.db"));
    Require(population.status(), "the population cannot be opened");
    population_ = *std::move(population);
    auto coordinator = Coordinator::Create(population_.get(), &Clock::System(),
                                           &coordinator_metrics_, Coordinator::Options());
    Require(coordinator.status(), "the coordinator cannot be started");
    coordinator_ = *std::move(coordinator);
    loop_ = std::make_unique<Loop>(coordinator_.get(), &Clock::System());
    artifact_service_ = std::make_unique<ArtifactServiceAdapter>(&store(), &transfers_);
    maintenance_service_ =
        std::make_unique<MaintenanceServiceAdapter>(loop_.get(), &store(), &io_);
    auto running =
        StartServer("127.0.0.1:0", {artifact_service_.get(), maintenance_service_.get()});
    Require(running.status(), "the server cannot be started");
    running_ = *std::move(running);
    // Not gRPC's channel within a process: there a writer waits for good when its call has been
    // answered before it was done.
    const auto channel = MakeChannel(absl::StrCat("127.0.0.1:", running_.port));
    artifacts_ = v1::ArtifactService::NewStub(channel);
    maintenance_ = v1::MaintenanceService::NewStub(channel);
  }
  ~World() {
    artifacts_.reset();
    maintenance_.reset();
    running_.server->Shutdown();
    running_.server->Wait();
  }

  void Run(absl::string_view input);

 private:
  // Of kMethods.
  void UploadMessage(absl::string_view argument);
  void UploadBlob(absl::string_view argument);
  void EndUpload(absl::string_view argument);
  void HangUp(absl::string_view argument);
  void Download(absl::string_view argument);
  void Backup(absl::string_view argument);

  struct Method {
    absl::string_view name;
    void (World::*ask)(absl::string_view argument);
  };
  static constexpr Method kMethods[] = {
      {"ArtifactService.Upload", &World::UploadMessage},  // Begins a call when none is open.
      {"ArtifactService.Upload", &World::EndUpload},
      {"ArtifactService.Upload", &World::HangUp},
      {"ArtifactService.Upload", &World::UploadBlob},
      {"ArtifactService.Download", &World::Download},
      {"MaintenanceService.Backup", &World::Backup},
  };

  struct Call {
    grpc::ClientContext context;
    v1::UploadResponse response;
    std::unique_ptr<grpc::ClientWriter<v1::UploadRequest>> writer;
    bool open = true;  // The server has not ended it.
    std::string digest;
  };

  BlobStore& store() { return population_->artifacts(); }

  // Nothing here waits long: a call that is not answered is a finding.
  static void Limit(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(15));
  }

  Call& Upload() {
    if (upload_ == nullptr) {
      upload_ = std::make_unique<Call>();
      Limit(upload_->context);
      upload_->writer = artifacts_->Upload(&upload_->context, &upload_->response);
    }
    return *upload_;
  }

  void Write(const v1::UploadRequest& request) {
    Call& call = Upload();
    if (call.digest.empty() && request.has_start()) call.digest = request.start().digest();
    call.open = call.open && call.writer->Write(request);
  }

  // What a stranger's call may end with.
  static void Examine(const grpc::Status& status) {
    switch (status.error_code()) {
      case grpc::OK:
      case grpc::INVALID_ARGUMENT:
      case grpc::NOT_FOUND:
      case grpc::CANCELLED:
        return;
      case grpc::DATA_LOSS:  // Of uploads: not the bytes that were announced.
        return;
      default:
        Require(FromGrpc(status), "a call is answered as if it were our fault");
    }
  }

  Metrics metrics_;
  CoordinatorMetrics coordinator_metrics_{&metrics_};
  std::unique_ptr<Population> population_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<Loop> loop_;
  IoThreads transfers_{2};
  IoThread io_;
  std::unique_ptr<ArtifactServiceAdapter> artifact_service_;
  std::unique_ptr<MaintenanceServiceAdapter> maintenance_service_;
  RunningServer running_;
  std::unique_ptr<v1::ArtifactService::Stub> artifacts_;
  std::unique_ptr<v1::MaintenanceService::Stub> maintenance_;

  std::unique_ptr<Call> upload_;
  std::set<std::string> acknowledged_;  // By uploads of this input.
};

void World::Run(absl::string_view input) {
  uint8_t what = 0;
  absl::string_view argument;
  for (int i = 0; i < kMaximumRequests && TakeRequest(input, what, argument); ++i) {
    (this->*kMethods[what % std::size(kMethods)].ask)(argument);
  }
  HangUp("");
  for (const std::string& digest : acknowledged_) {
    Require(store().Remove(digest), "an artifact cannot be removed");
  }
  acknowledged_.clear();
}

void World::UploadMessage(absl::string_view argument) {
  v1::UploadRequest request;
  if (!request.ParseFromArray(argument.data(), static_cast<int>(argument.size()))) return;
  if (request.start().digest().size() == 1) {
    const std::string& blob = Blob(static_cast<uint8_t>(request.start().digest()[0]));
    request.mutable_start()->set_digest(Sha256Hex(blob));
    if (request.start().size() == 0) {
      request.mutable_start()->set_size(static_cast<int64_t>(blob.size()));
    }
  }
  Write(request);
}

// As an honest client does, but for its beginning: first which blob, then the size of chunks.
void World::UploadBlob(absl::string_view argument) {
  if (argument.size() < 2) return;
  absl::string_view left = Blob(static_cast<uint8_t>(argument[0]));
  const size_t chunk_bytes = size_t{1} << (8 + static_cast<uint8_t>(argument[1]) % 13);
  v1::UploadRequest request;
  while (!left.empty()) {
    request.set_chunk(std::string(left.substr(0, chunk_bytes)));
    left.remove_prefix(request.chunk().size());
    Write(request);
  }
}

void World::EndUpload(absl::string_view) {
  Call& call = Upload();
  call.writer->WritesDone();
  const grpc::Status status = call.writer->Finish();
  Examine(status);
  if (status.ok()) {
    Require(store().Verify(call.digest), "an acknowledged upload is not stored");
    acknowledged_.insert(call.digest);
  }
  upload_.reset();
}

void World::HangUp(absl::string_view) {
  if (upload_ == nullptr) return;
  upload_->context.TryCancel();
  Examine(upload_->writer->Finish());
  upload_.reset();
}

void World::Download(absl::string_view argument) {
  v1::DownloadRequest request;
  if (!request.ParseFromArray(argument.data(), static_cast<int>(argument.size()))) return;
  if (request.digest().size() == 1) {
    request.set_digest(Sha256Hex(Blob(static_cast<uint8_t>(request.digest()[0]))));
  }
  grpc::ClientContext context;
  Limit(context);
  const auto reader = artifacts_->Download(&context, request);
  v1::DownloadResponse response;
  Sha256 hash;
  int64_t size = -1, bytes = 0;
  while (reader->Read(&response)) {
    if (size < 0) size = response.size();
    hash.Update(response.chunk());
    bytes += static_cast<int64_t>(response.chunk().size());
  }
  const grpc::Status status = reader->Finish();
  Examine(status);
  if (status.ok()) {
    Require(size == bytes, "a download has another size than it says");
    Require(std::move(hash).HexDigest() == request.digest(), "a download has another digest");
  } else {
    Require(acknowledged_.count(request.digest()) == 0, "what was acknowledged is not given out");
  }
}

void World::Backup(absl::string_view argument) {
  v1::BackupRequest request;
  if (!request.ParseFromArray(argument.data(), static_cast<int>(argument.size()))) return;
  grpc::ClientContext context;
  Limit(context);
  v1::BackupResponse response;
  Require(FromGrpc(maintenance_->Backup(&context, request, &response)), "a backup fails");
  Require(store().Verify(response.database()), "a backup's database is not stored");
  Require(store().Verify(response.manifest()), "a backup's manifest is not stored");
}

}  // namespace
}  // namespace squish

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace squish;
  static const std::string folder = TemporaryFolder(Below::kMemory);
  spdlog::set_level(spdlog::level::off);
  // Inputs share a server, and leave its store as they have found it.
  static World world(folder);
  world.Run(TextOf(data, size));
  return 0;
}
