#include "common/runner/attempt_set.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "common/base/ids.h"
#include "common/base/retry.h"

namespace squish {
namespace {

constexpr size_t kMaximumMessageBytes = 4096;    // Of a Failure; the protocol's limit.
constexpr size_t kLoggedBytes = 500;             // Of that message, in our log.
constexpr size_t kMaximumResultBytes = 1 << 20;  // Of one result: a request takes 4 MiB.
constexpr Backoff kSpoolTrouble = {absl::Milliseconds(500), absl::Seconds(30)};

double Jitter() { return static_cast<double>(RandomUint64() >> 11) * 0x1p-53; }

void SetFailure(v1::AttemptResult& result, absl::string_view message) {
  result.mutable_failure()->set_code(v1::Failure::INTERNAL);
  result.mutable_failure()->set_message(std::string(message));
}

}  // namespace

AttemptSet::AttemptSet(int slots, JobExecutor* executor, Spool* spool, ArtifactCache* cache,
                       ArtifactClient* client, std::function<void()> on_news)
    : slots_(slots),
      executor_(executor),
      spool_(spool),
      cache_(cache),
      client_(client),
      on_news_(std::move(on_news)) {}

AttemptSet::~AttemptSet() { EndAll(); }

void AttemptSet::Adopt(const v1::Assignment& assignment) {
  if (!IsAttemptId(assignment.attempt_id())) {
    spdlog::error("the coordinator assigned an attempt whose id cannot name a file");
    return;
  }
  if (spool_->Contains(assignment.attempt_id())) return;  // Done; its result is on its way.
  absl::MutexLock lock(&mutex_);
  if (ending_ || held_.count(assignment.attempt_id()) > 0) return;
  if (!assignment.has_job()) {
    spdlog::warn("attempt {} is not held here and came without its job", assignment.attempt_id());
    return;
  }
  held_[assignment.attempt_id()].attempt =
      std::make_shared<RunnerAttempt>(assignment, cache_, client_, on_news_);
}

void AttemptSet::CancelUnwanted(const std::set<std::string>& named,
                                const std::set<std::string>& wanted) {
  std::vector<std::shared_ptr<RunnerAttempt>> unwanted;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, held] : held_) {
      if (!held.finished && named.count(id) > 0 && wanted.count(id) == 0) {
        unwanted.push_back(held.attempt);
      }
    }
  }
  // Without our lock: the callbacks are the executor's.
  for (const auto& attempt : unwanted) {
    spdlog::info("attempt {} is no longer wanted", attempt->id());
    attempt->Cancel();
  }
}

void AttemptSet::StartAndReap() {
  std::vector<std::thread> ended;
  {
    absl::MutexLock lock(&mutex_);
    int running = 0;
    for (auto next = held_.begin(); next != held_.end();) {
      Held& held = next->second;
      const bool never_started = !held.thread.joinable() && held.attempt->cancelled();
      if (held.finished) ended.push_back(std::move(held.thread));
      if (held.finished || never_started) {
        next = held_.erase(next);
        continue;
      }
      running += held.thread.joinable() ? 1 : 0;
      ++next;
    }
    for (auto& [id, held] : held_) {
      if (running == slots_) break;
      if (held.thread.joinable()) continue;
      ++running;
      held.thread = std::thread([this, attempt = held.attempt] { Work(*attempt); });
    }
  }
  for (std::thread& thread : ended) thread.join();
}

std::vector<v1::AttemptProgress> AttemptSet::Progress() const {
  absl::MutexLock lock(&mutex_);
  std::vector<v1::AttemptProgress> progress;
  for (const auto& [id, held] : held_) {
    if (!held.finished && !held.attempt->cancelled()) progress.push_back(held.attempt->Snapshot());
  }
  return progress;
}

bool AttemptSet::Full() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(held_.size()) >= slots_;
}

void AttemptSet::Work(RunnerAttempt& attempt) {
  const v1::AttemptResult result = Execute(attempt);
  attempt.EndCheckpoints();
  if (result.has_failure() && !attempt.given_up()) {
    spdlog::warn("attempt {} failed: {}", attempt.id(),
                 CleanText(result.failure().message(), kLoggedBytes));
  }
  // What a cancelled attempt has finished all the same may still be the first result of
  // its job: a lease that ran out cancels as well.
  if (!result.has_failure() || !attempt.given_up()) SpoolResult(result, attempt);
  {
    absl::MutexLock lock(&mutex_);
    held_.at(attempt.id()).finished = true;
  }
  on_news_();
}

v1::AttemptResult AttemptSet::Execute(RunnerAttempt& attempt) {
  v1::AttemptResult result;
  try {
    result = executor_->Execute(attempt);
  } catch (const std::exception& error) {
    SetFailure(result, error.what());
  }
  if (result.outcome_case() == v1::AttemptResult::OUTCOME_NOT_SET) {
    SetFailure(result, "the job ended without an outcome");
  }
  if (result.ByteSizeLong() > kMaximumResultBytes && !result.has_failure()) {
    SetFailure(result, "the job's result is too large to be sent");
  }
  if (result.has_failure()) {
    result.mutable_failure()->set_message(
        CleanText(result.failure().message(), kMaximumMessageBytes));
  }
  result.set_attempt_id(attempt.id());
  result.set_experiment(attempt.job().experiment());
  *result.mutable_key() = attempt.job().key();
  return result;
}

void AttemptSet::SpoolResult(const v1::AttemptResult& result, const RunnerAttempt& attempt) {
  for (int failures = 1;; ++failures) {
    const absl::Status status = spool_->Add(result);
    if (status.ok() || attempt.cancelled()) return;
    spdlog::error("the result of attempt {} waits: {}", attempt.id(),
                  std::string(status.message()));
    attempt.Pause(DelayAfter(kSpoolTrouble, failures, Jitter()));
  }
}

bool AttemptSet::AllEnded() const {
  return std::all_of(held_.begin(), held_.end(), [](const auto& entry) {
    return entry.second.finished || !entry.second.thread.joinable();
  });
}

std::vector<v1::AttemptProgress> AttemptSet::GiveUp(absl::Duration limit) {
  std::vector<std::shared_ptr<RunnerAttempt>> attempts;
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
    for (const auto& [id, held] : held_) {
      if (!held.finished) attempts.push_back(held.attempt);
    }
  }
  for (const auto& attempt : attempts) attempt->Stop();
  {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(this, &AttemptSet::AllEnded), limit);
  }
  std::vector<v1::AttemptProgress> progress;
  for (const auto& attempt : attempts) {
    v1::AttemptProgress last = attempt->Snapshot();
    if (last.has_checkpoint() && !spool_->Contains(attempt->id())) {
      progress.push_back(std::move(last));
    }
  }
  return progress;
}

void AttemptSet::EndAll() {
  std::vector<std::shared_ptr<RunnerAttempt>> attempts;
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
    for (auto& [id, held] : held_) {
      attempts.push_back(held.attempt);
      if (held.thread.joinable()) threads.push_back(std::move(held.thread));
    }
  }
  for (const auto& attempt : attempts) attempt->Cancel();
  for (std::thread& thread : threads) thread.join();
  absl::MutexLock lock(&mutex_);
  held_.clear();
}

}  // namespace squish
