#include "common/runner/checkpoint_sender.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/base/retry.h"
#include "common/base/sha256.h"

namespace squish {
namespace {

// The next one is on its way before long.
constexpr absl::Duration kTransferLimit = absl::Minutes(5);
constexpr Backoff kAbsence = {absl::Milliseconds(100), absl::Seconds(5)};

double Jitter() { return static_cast<double>(RandomUint64() >> 11) * 0x1p-53; }

}  // namespace

CheckpointSender::CheckpointSender(ArtifactClient* client,
                                   std::function<void(const v1::Checkpoint&)> named)
    : client_(client), named_(std::move(named)), thread_([this] { Run(); }) {}

CheckpointSender::~CheckpointSender() {
  End();
  thread_.join();
}

void CheckpointSender::Send(std::string file, const v1::Checkpoint& what) {
  absl::MutexLock lock(&mutex_);
  waiting_ = Waiting{std::move(file), what};
}

void CheckpointSender::Flush() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &CheckpointSender::IsIdle));
}

void CheckpointSender::End() {
  absl::MutexLock lock(&mutex_);
  ending_ = true;
  if (transfer_ != nullptr) transfer_->TryCancel();
}

void CheckpointSender::Run() {
  while (true) {
    Waiting next;
    {
      absl::MutexLock lock(&mutex_);
      busy_ = false;
      mutex_.Await(absl::Condition(this, &CheckpointSender::HasWork));
      if (ending_) return;
      next = *std::exchange(waiting_, std::nullopt);
      busy_ = true;
    }
    next.what.set_artifact(Sha256Hex(next.file));
    Upload(next);
  }
}

void CheckpointSender::Upload(const Waiting& next) {
  for (int failures = 1;; ++failures) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kTransferLimit));
    {
      absl::MutexLock lock(&mutex_);
      if (ending_) return;
      transfer_ = &context;
    }
    const absl::Status status = client_->Put(context, next.what.artifact(), next.file);
    {
      absl::MutexLock lock(&mutex_);
      transfer_ = nullptr;
      if (ending_) return;
    }
    if (status.ok()) return named_(next.what);
    if (!absl::IsUnavailable(status)) {
      spdlog::warn("the checkpoint of step {} could not be sent: {}", next.what.step(),
                   status.ToString());
      return;
    }
    if (!MayRetry(DelayAfter(kAbsence, failures, Jitter()))) return;
  }
}

bool CheckpointSender::MayRetry(absl::Duration delay) {
  absl::MutexLock lock(&mutex_);
  return !mutex_.AwaitWithTimeout(absl::Condition(this, &CheckpointSender::HasWork), delay);
}

}  // namespace squish
