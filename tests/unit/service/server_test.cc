// The edges: a coordinator with its gRPC server in this process.
#include "coordinator/service/server.h"

#include <grpcpp/generic/generic_stub.h>

#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/version.h"
#include "common/rpc/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "squish/v1/artifact.grpc.pb.h"
#include "squish/v1/experiment_service.grpc.pb.h"
#include "squish/v1/maintenance.grpc.pb.h"
#include "squish/v1/runner.grpc.pb.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/service/fake_runner.h"

namespace squish {
namespace {

using testing::HasSubstr;

class ServerTest : public testing::Test {
 protected:
  ServerTest() { Start(); }
  ~ServerTest() override { Stop(); }

  // Channels first: a server waits a while for the connections of living clients.
  void Stop() {
    experiments_.reset();
    runners_.reset();
    artifacts_.reset();
    channel_.reset();
    server_.reset();
  }

  CoordinatorServer::Options Options() const {
    CoordinatorServer::Options options;
    options.population = JoinPath(folder_, "population.db");
    options.listen = "127.0.0.1:0";
    options.metrics = "";  // Its web server takes two seconds to stop.
    return options;
  }

  void Start() {
    Stop();
    auto server = CoordinatorServer::Start(Options());
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = MakeChannel(absl::StrCat("127.0.0.1:", server_->port()));
    experiments_ = v1::ExperimentService::NewStub(channel_);
    runners_ = v1::RunnerService::NewStub(channel_);
    artifacts_ = v1::ArtifactService::NewStub(channel_);
  }

  std::string Submit() {
    grpc::ClientContext context;
    v1::SubmitRequest request;
    *request.mutable_spec() = SmallSpec();
    v1::Experiment experiment;
    const grpc::Status status = experiments_->Submit(&context, request, &experiment);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return experiment.id();
  }

  grpc::Status Synchronize(FakeRunner& runner) {
    grpc::ClientContext context;
    v1::SynchronizeResponse response;
    const grpc::Status status = runners_->Synchronize(&context, runner.Request(), &response);
    if (status.ok()) runner.Take(response);
    return status;
  }

  grpc::Status Upload(const std::string& digest, int64_t size,
                      const std::vector<std::string>& chunks) {
    grpc::ClientContext context;
    v1::UploadResponse response;
    auto writer = artifacts_->Upload(&context, &response);
    v1::UploadRequest request;
    request.mutable_start()->set_digest(digest);
    request.mutable_start()->set_size(size);
    bool open = writer->Write(request);
    for (const std::string& chunk : chunks) {
      request.set_chunk(chunk);
      open = open && writer->Write(request);
    }
    writer->WritesDone();
    return writer->Finish();
  }

  grpc::Status Download(const std::string& digest, std::string* bytes, int64_t* size) {
    grpc::ClientContext context;
    v1::DownloadRequest request;
    request.set_digest(digest);
    auto reader = artifacts_->Download(&context, request);
    v1::DownloadResponse response;
    bool first = true;
    while (reader->Read(&response)) {
      if (first) *size = response.size();
      first = false;
      bytes->append(response.chunk());
    }
    return reader->Finish();
  }

  std::string ArtifactPath(const std::string& digest) const {
    return absl::StrCat(folder_, "/population.db.artifacts/", digest.substr(0, 2), "/", digest);
  }

  const std::string folder_ = TemporaryFolder();
  std::unique_ptr<CoordinatorServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ExperimentService::Stub> experiments_;
  std::unique_ptr<v1::RunnerService::Stub> runners_;
  std::unique_ptr<v1::ArtifactService::Stub> artifacts_;
};

// One message to a method that no stub of ours knows, as bytes; the first answer.
std::string Ask(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                const std::string& message) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel);
  const auto call = stub.PrepareCall(&context, method, &queue);
  const auto done = [&] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  call->StartCall(nullptr);
  EXPECT_TRUE(done()) << method;
  const grpc::Slice slice(message);
  call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  EXPECT_TRUE(done()) << method;
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  EXPECT_TRUE(done()) << method << " answered nothing";
  std::vector<grpc::Slice> parts;
  EXPECT_TRUE(answer.Dump(&parts).ok()) << method;
  std::string bytes;
  for (const grpc::Slice& part : parts) {
    bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
  }
  context.TryCancel();
  queue.Shutdown();
  return bytes;
}

TEST_F(ServerTest, SpeaksHealthAndReflection) {
  // grpc.health.v1: no service named; status (field 1) SERVING (1).
  EXPECT_EQ(Ask(channel_, "/grpc.health.v1.Health/Check", ""), "\x08\x01");
  // ServerReflectionRequest.list_services (field 7), an empty string.
  const std::string listing =
      Ask(channel_, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
          std::string("\x3a\x00", 2));
  for (const char* service : {"squish.v1.RunnerService", "squish.v1.ArtifactService",
                              "squish.v1.ExperimentService", "grpc.health.v1.Health"}) {
    EXPECT_THAT(listing, testing::HasSubstr(service));
  }
}

TEST_F(ServerTest, WatchTellsOfARunFromTheFirstToTheLast) {
  const std::string id = Submit();
  std::vector<v1::WatchEvent> events;
  grpc::Status watched;
  std::thread watcher([&] {
    grpc::ClientContext context;
    v1::WatchRequest request;
    request.set_experiment(id);
    auto reader = experiments_->Watch(&context, request);
    v1::WatchEvent event;
    while (reader->Read(&event)) events.push_back(event);
    watched = reader->Finish();
  });
  const auto store = *BlobStore::Open(JoinPath(folder_, "population.db.artifacts"));
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  std::thread measuring([&] {
    while (Synchronize(agent).ok()) agent.FinishOne(*store);
  });
  while (true) {
    grpc::ClientContext context;
    v1::GetExperimentRequest request;
    request.set_id(id);
    v1::Experiment experiment;
    ASSERT_TRUE(experiments_->Get(&context, request, &experiment).ok());
    if (experiment.state() == v1::Experiment::SUCCEEDED) break;
    ASSERT_TRUE(Synchronize(worker).ok());
    worker.FinishOne(*store);
  }
  watcher.join();
  server_.reset();  // Ends the agent's waiting call.
  measuring.join();
  EXPECT_TRUE(watched.ok()) << watched.error_message();
  ASSERT_GE(events.size(), 6u);
  EXPECT_TRUE(events.front().has_experiment());
  EXPECT_TRUE(events.back().has_experiment());
  EXPECT_EQ(events.back().experiment().state(), v1::Experiment::SUCCEEDED);
}

TEST_F(ServerTest, UserErrorsCarryTheirCodes) {
  grpc::ClientContext context, second, third;
  v1::Experiment experiment;
  v1::GetExperimentRequest get;
  get.set_id("nobody");
  EXPECT_EQ(experiments_->Get(&context, get, &experiment).error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(experiments_->Submit(&second, {}, &experiment).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  v1::WatchRequest watch;
  watch.set_experiment("nobody");
  auto reader = experiments_->Watch(&third, watch);
  v1::WatchEvent event;
  EXPECT_FALSE(reader->Read(&event));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServerTest, WatcherMayGoAtAnyTime) {
  const std::string id = Submit();
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    v1::WatchRequest request;
    request.set_experiment(id);
    auto reader = experiments_->Watch(&context, request);
    v1::WatchEvent event;
    if (i % 2 == 0) reader->Read(&event);
    context.TryCancel();
    while (reader->Read(&event)) {
    }
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  Submit();  // It still works.
}

TEST_F(ServerTest, WaitingCallMayBeCancelledAndIsEndedByTheStop) {
  FakeRunner agent = FakeAgent("agent-1");
  {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
    v1::SynchronizeResponse response;
    EXPECT_EQ(runners_->Synchronize(&context, agent.Request(), &response).error_code(),
              grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  grpc::Status status;
  std::thread waiting([&] { status = Synchronize(agent); });
  server_.reset();
  waiting.join();
  EXPECT_FALSE(status.ok());
}

TEST_F(ServerTest, ExperimentSurvivesTheServer) {
  const std::string id = Submit();
  Start();
  grpc::ClientContext context;
  v1::ListExperimentsResponse list;
  ASSERT_TRUE(experiments_->List(&context, {}, &list).ok());
  ASSERT_EQ(list.experiments_size(), 1);
  EXPECT_EQ(list.experiments(0).id(), id);
}

// --- Artifacts ------------------------------------------------------------------------------

TEST_F(ServerTest, ArtifactComesBackAsItWasSent) {
  std::string blob(3 << 20, '\0');
  for (size_t i = 0; i < blob.size(); ++i) blob[i] = static_cast<char>(i * 2654435761u >> 24);
  const std::string digest = Sha256Hex(blob);
  const std::vector<std::string> chunks = {blob.substr(0, 1 << 20), blob.substr(1 << 20, 1 << 20),
                                           blob.substr(2 << 20)};
  ASSERT_TRUE(Upload(digest, blob.size(), chunks).ok());
  std::string back;
  int64_t size = 0;
  ASSERT_TRUE(Download(digest, &back, &size).ok());
  EXPECT_TRUE(back == blob);
  EXPECT_EQ(size, static_cast<int64_t>(blob.size()));
  EXPECT_TRUE(Upload(digest, blob.size(), {"other bytes"}).ok()) << "it is here already";
  back.clear();
  ASSERT_TRUE(Download(digest, &back, &size).ok());
  EXPECT_TRUE(back == blob);
}

TEST_F(ServerTest, ArtifactThatAFaultCutShortIsTakenAgain) {
  const std::string digest = Sha256Hex("network");
  ASSERT_TRUE(Upload(digest, 7, {"network"}).ok());
  const auto store = *BlobStore::Open(JoinPath(folder_, "population.db.artifacts"));
  std::filesystem::resize_file(store->PathOf(digest), 3);
  ASSERT_TRUE(Upload(digest, 7, {"network"}).ok());
  EXPECT_EQ(store->Get(digest).value(), "network");
}

TEST_F(ServerTest, EmptyArtifactIsAnArtifact) {
  const std::string digest = Sha256Hex("");
  ASSERT_TRUE(Upload(digest, 0, {}).ok());
  std::string back;
  int64_t size = -1;
  EXPECT_TRUE(Download(digest, &back, &size).ok());
  EXPECT_EQ(size, 0);
}

TEST_F(ServerTest, CorruptUploadIsRefusedAndLeavesNothing) {
  const std::string digest = Sha256Hex("right bytes");
  EXPECT_EQ(Upload(digest, 11, {"wrong bytes"}).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(Upload(digest, 11, {"right"}).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(Upload(digest, 5, {"right bytes"}).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(Upload("../x", 5, {"right"}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Upload(digest, -1, {}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Upload(digest, int64_t{1} << 50, {}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  std::string back;
  int64_t size = 0;
  EXPECT_EQ(Download(digest, &back, &size).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(std::filesystem::is_empty(JoinPath(folder_, "population.db.artifacts/tmp")));
}

TEST_F(ServerTest, UploadOutOfOrderIsRefused) {
  grpc::ClientContext context;
  v1::UploadResponse response;
  auto writer = artifacts_->Upload(&context, &response);
  v1::UploadRequest request;
  request.set_chunk("bytes first");
  writer->Write(request);
  writer->WritesDone();
  EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  grpc::ClientContext empty;
  writer = artifacts_->Upload(&empty, &response);
  writer->WritesDone();
  EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServerTest, DamagedArtifactIsDataLoss) {
  const std::string digest = Sha256Hex("network");
  ASSERT_TRUE(Upload(digest, 7, {"network"}).ok());
  std::filesystem::permissions(ArtifactPath(digest), std::filesystem::perms::owner_all);
  ASSERT_TRUE(WriteFileDurably(ArtifactPath(digest), "NETWORK").ok());
  std::string back;
  int64_t size = 0;
  EXPECT_EQ(Download(digest, &back, &size).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(Download("nonsense", &back, &size).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServerTest, TransfersAreBoundedAndOthersNoticeNothing) {
  // A connection has fewer calls open than there may be transfers.
  std::vector<std::unique_ptr<v1::ArtifactService::Stub>> stubs;
  struct Transfer {
    grpc::ClientContext context;
    v1::UploadResponse response;
    std::unique_ptr<grpc::ClientWriter<v1::UploadRequest>> writer;
  };
  std::vector<std::unique_ptr<Transfer>> open;
  v1::UploadRequest start;
  start.mutable_start()->set_digest(Sha256Hex("network"));
  start.mutable_start()->set_size(7);
  for (int i = 0; i < ArtifactServiceAdapter::kMaximumTransfers; ++i) {
    if (i % (kMaximumCallsOfConnection / 2) == 0) {
      stubs.push_back(v1::ArtifactService::NewStub(
          MakeChannel(absl::StrCat("127.0.0.1:", server_->port()))));
    }
    open.push_back(std::make_unique<Transfer>());
    open.back()->writer = stubs.back()->Upload(&open.back()->context, &open.back()->response);
    ASSERT_TRUE(open.back()->writer->Write(start));
  }
  // All have come when this one is refused; before, it may be one of those that may.
  grpc::Status status;
  do {
    status = Upload(Sha256Hex("another"), 7, {"another"});
  } while (status.ok());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  Submit();  // What is no transfer goes on.
  v1::UploadRequest rest;
  rest.set_chunk("network");
  EXPECT_TRUE(open.front()->writer->Write(rest));
  open.front()->writer->WritesDone();
  EXPECT_TRUE(open.front()->writer->Finish().ok());
  for (size_t i = 1; i < open.size(); ++i) {
    open[i]->context.TryCancel();
    EXPECT_FALSE(open[i]->writer->Finish().ok());
  }
  do {
    status = Upload(Sha256Hex("third"), 5, {"third"});
  } while (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

// --- Versions ---------------------------------------------------------------------------------

TEST_F(ServerTest, EveryServiceRefusesProgramsOfAnotherMajorVersion) {
  grpc::ChannelArguments arguments;
  arguments.SetUserAgentPrefix("squish/99.0.0");
  channel_ = grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server_->port()),
                                       grpc::InsecureChannelCredentials(), arguments);
  experiments_ = v1::ExperimentService::NewStub(channel_);
  runners_ = v1::RunnerService::NewStub(channel_);
  artifacts_ = v1::ArtifactService::NewStub(channel_);
  const auto expect_refusal = [](const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_THAT(status.error_message(), HasSubstr("99.0.0"));
    EXPECT_THAT(status.error_message(), HasSubstr(kVersion));
  };
  grpc::ClientContext get, watch, backup;
  v1::Experiment experiment;
  expect_refusal(experiments_->Get(&get, {}, &experiment));
  v1::WatchEvent event;
  auto reader = experiments_->Watch(&watch, {});
  EXPECT_FALSE(reader->Read(&event));
  expect_refusal(reader->Finish());
  FakeRunner worker = FakeWorker("worker-1");
  expect_refusal(Synchronize(worker));
  expect_refusal(Upload(Sha256Hex("network"), 7, {"network"}));
  std::string bytes;
  int64_t size = 0;
  expect_refusal(Download(Sha256Hex("network"), &bytes, &size));
  v1::BackupResponse copy;
  expect_refusal(v1::MaintenanceService::NewStub(channel_)->Backup(&backup, {}, &copy));
}

// --- Addresses --------------------------------------------------------------------------------

TEST_F(ServerTest, PortInUseIsOneClearSentence) {
  CoordinatorServer::Options options = Options();
  options.population = JoinPath(folder_, "other.db");
  options.listen = absl::StrCat("127.0.0.1:", server_->port());
  absl::Status status = CoordinatorServer::Start(options).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(options.listen));
  options = Options();
  options.population = JoinPath(folder_, "other.db");
  options.metrics = absl::StrCat("127.0.0.1:", server_->port());
  status = CoordinatorServer::Start(options).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(options.metrics));
}

TEST_F(ServerTest, SecondCoordinatorOnTheFileIsRefused) {
  const absl::Status status = CoordinatorServer::Start(Options()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("belongs to a coordinator"));
}

}  // namespace
}  // namespace squish
