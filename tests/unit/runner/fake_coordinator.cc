#include "tests/unit/runner/fake_coordinator.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"

namespace squish {

// One call that waits for news. All members under the coordinator's mutex.
class FakeCoordinator::Parked : public grpc::ServerUnaryReactor {
 public:
  Parked(FakeCoordinator* owner, const v1::SynchronizeRequest* request,
         v1::SynchronizeResponse* response)
      : owner_(owner), request_(request), response_(response) {}

  void OnCancel() override {
    absl::MutexLock lock(&owner_->mutex_);
    End(grpc::Status::CANCELLED);
  }
  void OnDone() override { delete this; }

  bool TryAnswer() {
    if (!owner_->Answer(*request_, response_)) return false;
    End(grpc::Status::OK);
    return true;
  }
  void End(const grpc::Status& status) {
    if (std::exchange(ended_, true)) return;
    auto& parked = owner_->parked_;
    parked.erase(std::remove(parked.begin(), parked.end(), this), parked.end());
    Finish(status);
  }

 private:
  FakeCoordinator* const owner_;
  const v1::SynchronizeRequest* const request_;
  v1::SynchronizeResponse* const response_;
  bool ended_ = false;
};

FakeCoordinator::FakeCoordinator() { ComeBack(); }

FakeCoordinator::~FakeCoordinator() { Vanish(); }

std::string FakeCoordinator::address() const { return absl::StrCat("127.0.0.1:", port_); }

void FakeCoordinator::ComeBack() {
  auto server = StartServer(absl::StrCat("127.0.0.1:", port_),
                            {static_cast<v1::RunnerService::CallbackService*>(this),
                             static_cast<v1::ArtifactService::Service*>(this)});
  if (!server.ok()) {
    std::cerr << server.status() << std::endl;
    std::abort();
  }
  server_ = *std::move(server);
  port_ = server_.port;
}

void FakeCoordinator::Vanish() {
  if (server_.server == nullptr) return;
  server_.server->Shutdown(std::chrono::system_clock::now());
  server_.server->Wait();
  server_.server.reset();
}

void FakeCoordinator::Assign(const std::string& attempt, v1::Job job) {
  Change([&](FakeCoordinator& self) { self.assigned_[attempt] = std::move(job); });
}

void FakeCoordinator::Withdraw(const std::string& attempt) {
  Change([&](FakeCoordinator& self) { self.assigned_.erase(attempt); });
}

void FakeCoordinator::WantDataset(const v1::DatasetSpec& spec, const std::string& fingerprint) {
  Change([&](FakeCoordinator& self) {
    self.datasets_.push_back(spec);
    self.fingerprints_.push_back(fingerprint);
  });
}

void FakeCoordinator::Change(const std::function<void(FakeCoordinator&)>& change) {
  absl::MutexLock lock(&mutex_);
  change(*this);
  LookAtParked();
}

void FakeCoordinator::LookAtParked() {
  const std::vector<Parked*> parked = parked_;
  for (Parked* call : parked) call->TryAnswer();
}

bool FakeCoordinator::Await(const std::function<bool(const FakeCoordinator&)>& condition) {
  absl::MutexLock lock(&mutex_);
  const auto holds = [&] { return condition(*this); };
  return mutex_.AwaitWithTimeout(absl::Condition(&holds), absl::Seconds(30));
}

void FakeCoordinator::Record(const v1::SynchronizeRequest& request) {
  requests.push_back(request);
  for (const v1::AttemptResult& result : request.results()) {
    ++deliveries;
    results[result.attempt_id()] = result;
    assigned_.erase(result.attempt_id());
    if (on_result) on_result(result);
  }
}

bool FakeCoordinator::Answer(const v1::SynchronizeRequest& request,
                             v1::SynchronizeResponse* response) {
  response->Clear();
  std::set<std::string> named;
  for (const v1::AttemptProgress& attempt : request.attempts()) named.insert(attempt.attempt_id());
  size_t kept = 0;
  for (const auto& [id, job] : assigned_) {
    v1::Assignment& assignment = *response->add_assignments();
    assignment.set_attempt_id(id);
    kept += named.count(id);
    if (named.count(id) == 0) *assignment.mutable_job() = job;
  }
  if (acknowledge) {
    for (const v1::AttemptResult& result : request.results()) {
      response->add_acknowledged(result.attempt_id());
    }
  }
  for (const v1::DatasetSpec& spec : datasets_) *response->add_datasets() = spec;
  for (const std::string& fingerprint : fingerprints_) response->add_fingerprints(fingerprint);
  response->mutable_call_again_after()->set_nanos(20'000'000);
  const bool news = kept != assigned_.size() || kept != named.size() ||
                    (acknowledge && request.results_size() > 0) ||
                    request.datasets_size() != static_cast<int>(datasets_.size());
  const bool full = request.attempts_size() >= request.runner().slots();
  return news || full || request.draining();
}

grpc::ServerUnaryReactor* FakeCoordinator::Synchronize(grpc::CallbackServerContext* /*context*/,
                                                       const v1::SynchronizeRequest* request,
                                                       v1::SynchronizeResponse* response) {
  auto* call = new Parked(this, request, response);
  absl::MutexLock lock(&mutex_);
  if (!refusal.ok()) {
    call->End(refusal);
    return call;
  }
  Record(*request);
  if (lose_answers > 0) {
    --lose_answers;
    call->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the answer is lost"));
    return call;
  }
  parked_.push_back(call);
  call->TryAnswer();
  return call;
}

grpc::Status FakeCoordinator::Upload(grpc::ServerContext* /*context*/,
                                     grpc::ServerReader<v1::UploadRequest>* reader,
                                     v1::UploadResponse* /*response*/) {
  v1::UploadRequest request;
  std::string digest, bytes;
  while (reader->Read(&request)) {
    if (request.has_start()) digest = request.start().digest();
    bytes += request.chunk();
    absl::MutexLock lock(&mutex_);
    if (fail_transfers > 0) {
      --fail_transfers;
      return grpc::Status(upload_failure, "broken");
    }
    if (request.has_start() && artifacts.count(digest) > 0) return grpc::Status::OK;
  }
  if (Sha256Hex(bytes) != digest) return ToGrpc(absl::DataLossError("other bytes"));
  absl::MutexLock lock(&mutex_);
  artifacts[digest] = bytes;
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::Download(grpc::ServerContext* /*context*/,
                                       const v1::DownloadRequest* request,
                                       grpc::ServerWriter<v1::DownloadResponse>* writer) {
  std::string bytes;
  bool breaks = false;
  {
    absl::MutexLock lock(&mutex_);
    ++downloads;
    const auto found = artifacts.find(request->digest());
    if (found == artifacts.end()) return ToGrpc(absl::NotFoundError("no such artifact"));
    bytes = found->second;
    breaks = fail_transfers > 0;
    fail_transfers -= breaks ? 1 : 0;
  }
  v1::DownloadResponse part;
  part.set_size(static_cast<int64_t>(bytes.size()));
  const size_t half = bytes.size() / 2;
  part.set_chunk(bytes.substr(0, half));
  writer->Write(part);
  if (breaks) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "broken");
  part.clear_size();
  part.set_chunk(bytes.substr(half));
  writer->Write(part);
  return grpc::Status::OK;
}

}  // namespace squish
