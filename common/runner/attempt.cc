#include "common/runner/attempt.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/file.h"
#include "common/base/ids.h"
#include "common/base/retry.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/base/text.h"

namespace squish {
namespace {

constexpr size_t kMaximumNoteBytes = 256;
// No artifact takes longer; a peer that hangs without the connection breaking is left.
constexpr absl::Duration kTransferLimit = absl::Minutes(15);
// Of a call that fails in other ways than by an absent coordinator.
constexpr int kMaximumTries = 5;
constexpr Backoff kBackoff = {absl::Milliseconds(100), absl::Seconds(5)};

// Whether the coordinator is away, which lasts as long as it lasts.
bool IsAbsence(const absl::Status& status) { return absl::IsUnavailable(status); }

// Whether a connection that breaks in the middle may look like this.
bool IsBreakage(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      return false;
  }
}

double Fraction(double said) { return std::isfinite(said) ? std::clamp(said, 0.0, 1.0) : 0.0; }

// What an upload's status means. The local file has been read before, so a full disk is the
// coordinator's, which lasts as long as it lasts, and an I/O error is most likely its too. What
// the attempt has made took longer than either.
absl::Status OfUpload(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) return absl::UnavailableError(status.message());
  if (absl::IsInternal(status)) return absl::AbortedError(status.message());
  return status;
}

double Jitter() { return static_cast<double>(RandomUint64() >> 11) * 0x1p-53; }

}  // namespace

std::string CleanText(absl::string_view text, size_t maximum_bytes) {
  std::string clean;
  while (!text.empty()) {
    const size_t length = Utf8CharacterBytes(text);
    const absl::string_view piece = length == 0 ? absl::string_view("?") : text.substr(0, length);
    if (clean.size() + piece.size() > maximum_bytes) break;
    clean.append(piece.data(), piece.size());
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return clean;
}

RunnerAttempt::RunnerAttempt(v1::Assignment assignment, ArtifactCache* cache,
                             ArtifactClient* client, std::function<void()> on_news)
    : assignment_(std::move(assignment)),
      cache_(cache),
      client_(client),
      on_news_(std::move(on_news)) {
  progress_.set_attempt_id(id());
}

RunnerAttempt::~RunnerAttempt() {
  EndCheckpoints();
  absl::MutexLock lock(&mutex_);
  for (const std::string& digest : held_) cache_->Unpin(digest);
}

void RunnerAttempt::OnCancel(std::function<void()> callback) {
  absl::MutexLock lock(&mutex_);
  on_cancel_ = std::move(callback);
  if (cancelled_ && on_cancel_) on_cancel_();
}

void RunnerAttempt::OnStop(std::function<void()> callback) {
  absl::MutexLock lock(&mutex_);
  on_stop_ = std::move(callback);
  if (stopped_ && on_stop_) on_stop_();
}

void RunnerAttempt::ResumedAt(double fraction) {
  absl::MutexLock lock(&mutex_);
  progress_.set_resumed_at(Fraction(fraction));
}

void RunnerAttempt::Checkpoint(std::string file, const v1::Checkpoint& what) {
  absl::MutexLock lock(&mutex_);
  if (cancelled_) return;
  if (sender_ == nullptr) {
    sender_ = std::make_unique<CheckpointSender>(client_, [this](const v1::Checkpoint& named) {
      {
        absl::MutexLock named_lock(&mutex_);
        *progress_.mutable_checkpoint() = named;
      }
      on_news_();
    });
  }
  sender_->Send(std::move(file), what);
}

void RunnerAttempt::EndCheckpoints() {
  CheckpointSender* sender = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    sender = sender_.get();
  }
  if (sender == nullptr) return;
  if (stopped_ && !cancelled_) sender->Flush();  // Cancel ends it.
  sender->End();
}

void RunnerAttempt::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    if (on_stop_) return on_stop_();
  }
  Cancel();
}

void RunnerAttempt::Progress(double fraction, std::string note) {
  absl::MutexLock lock(&mutex_);
  progress_.set_fraction(Fraction(fraction));
  progress_.set_note(CleanText(note, kMaximumNoteBytes));
}

v1::AttemptProgress RunnerAttempt::Snapshot() const {
  absl::MutexLock lock(&mutex_);
  return progress_;
}

void RunnerAttempt::Cancel() {
  absl::MutexLock lock(&mutex_);
  if (cancelled_.exchange(true)) return;
  for (grpc::ClientContext* transfer : transfers_) transfer->TryCancel();
  if (sender_ != nullptr) sender_->End();
  if (on_cancel_) on_cancel_();
}

void RunnerAttempt::Pause(absl::Duration duration) const {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(
      absl::Condition(+[](const std::atomic<bool>* cancelled) { return cancelled->load(); },
                      &cancelled_),
      duration);
}

void RunnerAttempt::Hold(absl::string_view digest) {
  cache_->Pin(digest);
  absl::MutexLock lock(&mutex_);
  held_.emplace_back(digest);
}

absl::Status RunnerAttempt::Persist(
    const std::function<absl::Status(grpc::ClientContext&)>& transfer) {
  int breakages = 0;
  for (int failures = 1;; ++failures) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kTransferLimit));
    {
      absl::MutexLock lock(&mutex_);
      if (cancelled_) return absl::CancelledError("the attempt was cancelled");
      transfers_.push_back(&context);
    }
    const absl::Status status = transfer(context);
    {
      absl::MutexLock lock(&mutex_);
      transfers_.erase(std::find(transfers_.begin(), transfers_.end(), &context));
      if (status.ok()) return status;
      if (cancelled_) return absl::CancelledError("the attempt was cancelled");
    }
    if (!IsAbsence(status) && (!IsBreakage(status) || ++breakages == kMaximumTries)) return status;
    spdlog::debug("attempt {}: {}; trying again", id(), status.ToString());
    Pause(DelayAfter(kBackoff, failures, Jitter()));
  }
}

absl::StatusOr<std::string> RunnerAttempt::Fetch(absl::string_view digest) {
  if (!IsSha256Hex(digest)) {
    return absl::NotFoundError(absl::StrCat("'", CleanText(digest, 80), "' names no artifact"));
  }
  Hold(digest);
  if (!cache_->Use(digest)) {
    SQUISH_RETURN_IF_ERROR(Persist([&](grpc::ClientContext& context) {
      return client_->Download(context, digest, cache_->store());
    }));
    cache_->Trim();
  }
  return cache_->store().PathOf(digest);
}

absl::StatusOr<std::string> RunnerAttempt::Store(absl::string_view path) {
  // Held by its name before it is there, so that nobody evicts it in between.
  SQUISH_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, BlobStore::kMaximumBytes));
  Hold(Sha256Hex(bytes));
  SQUISH_ASSIGN_OR_RETURN(const std::string digest, cache_->store().PutFile(path));
  cache_->Trim();
  SQUISH_RETURN_IF_ERROR(Persist([&](grpc::ClientContext& context) {
    return OfUpload(client_->Upload(context, digest, cache_->store().PathOf(digest)));
  }));
  return digest;
}

}  // namespace squish
