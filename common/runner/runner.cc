#include "common/runner/runner.h"

#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/ids.h"
#include "common/base/retry.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/rpc/rpc.h"
#include "common/runner/artifact_cache.h"
#include "common/runner/artifact_client.h"
#include "common/runner/attempt_set.h"
#include "common/runner/spool.h"
#include "common/runner/state_folder.h"
#include "squish/v1/runner.grpc.pb.h"

namespace squish {
namespace {

constexpr int kProtocolVersion = 1;
constexpr size_t kResultBytesInACall = 2 << 20;  // A request takes 4 MiB.
// A parked call is answered within a lease; one that is not has been forgotten.
constexpr absl::Duration kCallLimit = absl::Minutes(5);
constexpr absl::Duration kDrainLimit = absl::Seconds(5);
// Bounds of what a coordinator may ask for as `call_again_after`.
constexpr absl::Duration kSoonest = absl::Milliseconds(50);
constexpr absl::Duration kLatest = absl::Minutes(1);
// A runner with a free slot looks for work at least so often.
constexpr absl::Duration kSlowest = absl::Seconds(1);
constexpr Backoff kAbsence = {absl::Milliseconds(200), absl::Seconds(5)};

double Jitter() { return static_cast<double>(RandomUint64() >> 11) * 0x1p-53; }

absl::Duration Steady() { return Clock::System().Steady(); }

std::string HostName() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

void FillProcessMetrics(v1::RunnerMetrics& metrics) {
  int64_t pages = 0, resident_pages = 0;
  if (std::ifstream("/proc/self/statm") >> pages >> resident_pages) {
    metrics.set_resident_bytes(resident_pages * ::sysconf(_SC_PAGESIZE));
  }
  struct rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  metrics.set_cpu_seconds(seconds(usage.ru_utime) + seconds(usage.ru_stime));
}

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

class RunnerImpl : public Runner {
 public:
  RunnerImpl(RunnerOptions options, JobExecutor* executor, FolderLock lock,
             std::unique_ptr<Spool> spool, std::unique_ptr<ArtifactCache> cache)
      : options_(std::move(options)),
        executor_(executor),
        lock_(std::move(lock)),
        spool_(std::move(spool)),
        cache_(std::move(cache)),
        channel_(MakeChannel(options_.coordinator)),
        stub_(v1::RunnerService::NewStub(channel_)),
        artifacts_(channel_),
        attempts_(options_.info.slots(), executor, spool_.get(), cache_.get(), &artifacts_,
                  [this] { Wake(); }) {
    executor_->OnDatasetsChanged([this] { Wake(); });
  }

  ~RunnerImpl() override {
    executor_->OnDatasetsChanged({});
    attempts_.EndAll();
  }

  absl::Status Run() override;
  void Stop() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  v1::SynchronizeRequest MakeRequest(bool draining) ABSL_LOCKS_EXCLUDED(mutex_);
  // Calls, and ends the call early when something happens (unless draining): CANCELLED.
  absl::Status Call(const v1::SynchronizeRequest& request, v1::SynchronizeResponse* response)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Apply(const v1::SynchronizeRequest& request, const v1::SynchronizeResponse& response);
  // How long to wait before the next call.
  absl::Duration PauseAfter(const v1::SynchronizeRequest& request,
                            const v1::SynchronizeResponse& response, absl::Duration call_took);
  void Wait(absl::Duration duration, bool for_stop_only) ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteOutcome(const absl::Status& status);
  // Says goodbye, and from where others can go on with what is given up.
  void Drain(const std::vector<v1::AttemptProgress>& given_up);
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    wake_ = true;
  }
  bool stopping() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return stopping_;
  }

  const RunnerOptions options_;
  JobExecutor* const executor_;
  const FolderLock lock_;
  const std::unique_ptr<Spool> spool_;
  const std::unique_ptr<ArtifactCache> cache_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::RunnerService::Stub> stub_;
  ArtifactClient artifacts_;

  // Of Run's thread alone.
  std::vector<v1::DatasetSpec> wanted_datasets_;
  std::vector<std::string> wanted_fingerprints_;  // One for each of them.
  int empty_answers_ = 0;  // In a row, quick, and with nothing new.
  bool connected_ = false;
  bool absence_logged_ = false;

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool wake_ ABSL_GUARDED_BY(mutex_) = false;  // Something is to be told at once.

  // Last: its threads end before what they use goes.
  AttemptSet attempts_;
};

void RunnerImpl::Stop() {
  absl::MutexLock lock(&mutex_);
  stopping_ = true;
  wake_ = true;
}

absl::Status RunnerImpl::Run() {
  spdlog::info("runner {} calls {}", options_.info.id(), options_.coordinator);
  int failures = 0;
  while (!stopping()) {
    attempts_.StartAndReap();
    const v1::SynchronizeRequest request = MakeRequest(/*draining=*/false);
    v1::SynchronizeResponse response;
    const absl::Duration before = Steady();
    const absl::Status status = Call(request, &response);
    if (absl::IsCancelled(status)) continue;  // By ourselves: there is news to send.
    if (absl::IsFailedPrecondition(status)) {
      attempts_.EndAll();
      return Annotate(status, absl::StrCat("the coordinator at ", options_.coordinator,
                                           " refuses this program"));
    }
    NoteOutcome(status);
    if (status.ok()) {
      failures = 0;
      Apply(request, response);
      attempts_.StartAndReap();
      Wait(PauseAfter(request, response, Steady() - before), /*for_stop_only=*/false);
    } else {
      Wait(DelayAfter(kAbsence, ++failures, Jitter()), /*for_stop_only=*/true);
    }
  }
  const std::vector<v1::AttemptProgress> given_up = attempts_.GiveUp(options_.stop_limit);
  attempts_.EndAll();
  Drain(given_up);
  return absl::OkStatus();
}

v1::SynchronizeRequest RunnerImpl::MakeRequest(bool draining) {
  v1::SynchronizeRequest request;
  {
    absl::MutexLock lock(&mutex_);
    // What happens from here on is in the next request.
    wake_ = stopping_;
  }
  for (v1::AttemptProgress& attempt : attempts_.Progress()) {
    *request.add_attempts() = std::move(attempt);
  }
  *request.mutable_runner() = options_.info;
  v1::RunnerMetrics& metrics = *request.mutable_runner()->mutable_metrics();
  FillProcessMetrics(metrics);
  executor_->FillMetrics(metrics);
  for (v1::DatasetReport& report : executor_->PrepareDatasets(wanted_datasets_, wanted_fingerprints_)) {
    *request.add_datasets() = std::move(report);
  }
  for (v1::AttemptResult& result : spool_->Some(kResultBytesInACall)) {
    *request.add_results() = std::move(result);
  }
  request.set_draining(draining);
  return request;
}

absl::Status RunnerImpl::Call(const v1::SynchronizeRequest& request,
                              v1::SynchronizeResponse* response) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(
      absl::Now() + (request.draining() ? kDrainLimit : kCallLimit)));
  struct {
    bool done = false;
    grpc::Status status;
  } answer;
  stub_->async()->Synchronize(&context, &request, response, [&](grpc::Status status) {
    absl::MutexLock lock(&mutex_);
    answer.status = std::move(status);
    answer.done = true;
  });
  absl::MutexLock lock(&mutex_);
  bool ended_by_us = false;
  const auto happened = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return answer.done || (wake_ && !request.draining());
  };
  mutex_.Await(absl::Condition(&happened));
  if (!answer.done) {
    ended_by_us = true;
    context.TryCancel();
    mutex_.Await(absl::Condition(&answer.done));
  }
  const absl::Status status = FromGrpc(answer.status);
  // A server that goes away may also say CANCELLED; that is a failure like others.
  if (absl::IsCancelled(status) && !ended_by_us) return absl::UnavailableError(status.message());
  return status;
}

void RunnerImpl::Apply(const v1::SynchronizeRequest& request,
                       const v1::SynchronizeResponse& response) {
  for (const std::string& id : response.acknowledged()) spool_->Remove(id);
  wanted_datasets_.assign(response.datasets().begin(), response.datasets().end());
  wanted_fingerprints_.assign(response.fingerprints().begin(), response.fingerprints().end());
  wanted_fingerprints_.resize(wanted_datasets_.size());
  std::set<std::string> named, wanted;
  for (const v1::AttemptProgress& attempt : request.attempts()) named.insert(attempt.attempt_id());
  for (const v1::Assignment& assignment : response.assignments()) {
    wanted.insert(assignment.attempt_id());
    attempts_.Adopt(assignment);
  }
  attempts_.CancelUnwanted(named, wanted);
}

absl::Duration RunnerImpl::PauseAfter(const v1::SynchronizeRequest& request,
                                      const v1::SynchronizeResponse& response,
                                      absl::Duration call_took) {
  const absl::Duration asked =
      std::clamp(FromProto(response.call_again_after()), kSoonest, kLatest);
  if (attempts_.Full()) return asked;
  // With a free slot the place to wait is inside the call. Only a coordinator that
  // keeps answering quickly and with nothing is called less often.
  const bool news = response.acknowledged_size() > 0 ||
                    response.assignments_size() != request.attempts_size() ||
                    response.datasets_size() != request.datasets_size() ||
                    call_took >= kSlowest;
  empty_answers_ = news ? 0 : empty_answers_ + 1;
  if (empty_answers_ == 0) return absl::ZeroDuration();
  return empty_answers_ <= 3 ? kSoonest : std::min(asked, kSlowest);
}

void RunnerImpl::Wait(absl::Duration duration, bool for_stop_only) {
  absl::MutexLock lock(&mutex_);
  const auto happened = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || (wake_ && !for_stop_only);
  };
  mutex_.AwaitWithTimeout(absl::Condition(&happened), duration);
}

void RunnerImpl::NoteOutcome(const absl::Status& status) {
  if (status.ok()) {
    if (!connected_) spdlog::info("connected to the coordinator at {}", options_.coordinator);
    connected_ = true;
    absence_logged_ = false;
    return;
  }
  connected_ = false;
  if (absl::IsUnavailable(status) && std::exchange(absence_logged_, true)) return;
  spdlog::warn("the coordinator at {} does not answer ({}); asking again until it does",
               options_.coordinator, status.ToString());
}

void RunnerImpl::Drain(const std::vector<v1::AttemptProgress>& given_up) {
  v1::SynchronizeRequest request = MakeRequest(/*draining=*/true);
  *request.mutable_attempts() = {given_up.begin(), given_up.end()};
  v1::SynchronizeResponse response;
  const absl::Status status = Call(request, &response);
  if (!status.ok()) {
    spdlog::info("the coordinator could not be told of the end; {} results wait for the next start",
                 request.results_size());
    return;
  }
  for (const std::string& id : response.acknowledged()) spool_->Remove(id);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Runner>> Runner::Create(RunnerOptions options,
                                                       JobExecutor* executor) {
  v1::RunnerInfo& info = options.info;
  if (info.slots() < 1 || info.slots() > 64) {
    return absl::InvalidArgumentError(
        absl::StrCat("a runner has 1 to 64 slots, not ", info.slots()));
  }
  if (!info.id().empty() && !IsRunnerId(info.id())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a runner id is 1 to 64 of a-z, 0-9, '.' and '-', not '", info.id(), "'"));
  }
  SQUISH_ASSIGN_OR_RETURN(FolderLock lock, FolderLock::Take(options.state_folder));
  if (info.host().empty()) info.set_host(HostName());
  if (info.id().empty()) {
    SQUISH_ASSIGN_OR_RETURN(*info.mutable_id(), KeptRunnerId(options.state_folder, info.host()));
  }
  if (info.protocol_version() == 0) info.set_protocol_version(kProtocolVersion);
  info.set_incarnation(RandomUint64());
  SQUISH_ASSIGN_OR_RETURN(auto spool, Spool::Open(JoinPath(options.state_folder, "spool")));
  SQUISH_ASSIGN_OR_RETURN(auto cache, ArtifactCache::Open(
                                          JoinPath(options.state_folder, "artifacts"),
                                          options.artifact_cache_bytes));
  return std::unique_ptr<Runner>(new RunnerImpl(std::move(options), executor, std::move(lock),
                                                std::move(spool), std::move(cache)));
}

}  // namespace squish
