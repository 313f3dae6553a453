#include "coordinator/service/synchronizer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/service/matching.h"
#include "spdlog/spdlog.h"

namespace squish {
namespace {

void SetDuration(absl::Duration from, google::protobuf::Duration* to) {
  const int64_t milliseconds = absl::ToInt64Milliseconds(from);
  to->set_seconds(milliseconds / 1000);
  to->set_nanos(static_cast<int32_t>(milliseconds % 1000) * 1'000'000);
}

// Whether a worker does not know yet of a data set that is wanted.
bool LacksDataset(const ConnectedRunner& runner, const WantedDatasets& wanted) {
  if (runner.info.kind() != v1::RunnerInfo::WORKER) return false;
  return std::any_of(wanted.begin(), wanted.end(), [&runner](const auto& entry) {
    return !runner.datasets.contains(entry.first);
  });
}

bool SameDatasets(const WantedDatasets& a, const WantedDatasets& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& one, const auto& other) { return one.first == other.first; });
}

}  // namespace

void Synchronizer::Synchronize(const Caller& caller, const v1::SynchronizeRequest& request,
                               uint64_t call, Answer answer) {
  const v1::RunnerInfo& info = request.runner();
  if (const absl::Status usable = CheckSynchronizeRequest(request); !usable.ok()) {
    spdlog::warn("refused a runner at {}: {}", caller.peer, usable.ToString());
    answer(usable);
    return;
  }
  const absl::StatusOr<bool> arrived = fleet_.Hear(request, clock_.Steady());
  if (!arrived.ok()) {
    spdlog::warn("refused runner {} at {}: {}", info.id(), caller.peer,
                 arrived.status().ToString());
    answer(arrived.status());
    return;
  }
  if (*arrived) spdlog::info("runner {} connected from {}", info.id(), caller.peer);

  Waiting waiting;
  // Results before leases: an attempt that an earlier incarnation finished is not lost.
  for (const v1::AttemptResult& result : request.results()) {
    attempts_.Deliver(info.id(), result);
    waiting.response.add_acknowledged(result.attempt_id());
  }
  for (const v1::AttemptProgress& progress : request.attempts()) {
    attempts_.NoteProgress(info.id(), progress);
    waiting.named.insert(progress.attempt_id());
  }
  attempts_.Renew(info);
  for (const v1::DatasetReport& report : request.datasets()) {
    experiments_.PinDataset(report);
    if (report.difference().empty()) {
      fleet_.NoteDifference(info.id(), report.spec(), experiments_.DifferenceFromPinned(report));
    }
  }
  if (*arrived && info.kind() == v1::RunnerInfo::AGENT) {
    experiments_.AgentArrived(*fleet_.Find(info.id()));
  }

  // A runner has one call at a time; of two, its client has given the older one up.
  if (const auto other = by_runner_.find(info.id()); other != by_runner_.end()) {
    other->second->answer(absl::AbortedError("the runner has called again"));
    Forget(other->second);
  }
  waiting.call = call;
  waiting.runner = info.id();
  waiting.deadline = clock_.Steady() + options_.park_limit;
  waiting.answer = std::move(answer);
  waiting_.push_back(std::move(waiting));
  by_runner_[info.id()] = by_call_[call] = std::prev(waiting_.end());
  arrived_.push_back(call);
}

void Synchronizer::Forget(std::list<Waiting>::iterator waiting) {
  by_runner_.erase(waiting->runner);
  by_call_.erase(waiting->call);
  waiting_.erase(waiting);
}

void Synchronizer::Abandon(uint64_t call) {
  const auto found = by_call_.find(call);
  if (found == by_call_.end()) return;
  found->second->answer(absl::CancelledError("the caller has gone"));
  Forget(found->second);
}

void Synchronizer::Settle() {
  attempts_.Expire();
  attempts_.LookForStragglers();
  const absl::Duration now = clock_.Steady();
  const bool all = HasNews(fleet_.Tend(now, options_.lease));
  for (auto waiting = waiting_.begin();
       waiting != waiting_.end() && (all || now >= waiting->deadline);) {
    const auto next = std::next(waiting);
    if (TryAnswer(*waiting)) Forget(waiting);
    waiting = next;
  }
  const std::vector<uint64_t> arrived = std::exchange(arrived_, {});
  if (all) return;
  for (const uint64_t call : arrived) {
    const auto found = by_call_.find(call);
    if (found != by_call_.end() && TryAnswer(*found->second)) Forget(found->second);
  }
}

bool Synchronizer::HasNews(bool changed) {
  WantedDatasets wanted = experiments_.Wanted();
  const bool same = SameDatasets(wanted, wanted_) && attempts_.taken() == taken_attempts_;
  wanted_ = std::move(wanted);
  taken_attempts_ = attempts_.taken();
  return changed || !same || attempts_.HasLeasable() || attempts_.HasStragglers();
}

void Synchronizer::EndAll(const absl::Status& status) {
  for (Waiting& waiting : waiting_) waiting.answer(status);
  waiting_.clear();
  by_runner_.clear();
  by_call_.clear();
}

bool Synchronizer::TryAnswer(Waiting& waiting) {
  const ConnectedRunner* const runner = fleet_.Find(waiting.runner);
  if (runner == nullptr) {  // Silent for too long inside its own call: a very short lease.
    waiting.answer(absl::UnavailableError("the runner was not heard of for too long"));
    return true;
  }
  const size_t slots = static_cast<size_t>(runner->info.slots());
  const auto fits = [runner](const LiveExperiment& experiment, const BoardJob& job) {
    return CanDo(*runner, experiment, job.key);
  };
  std::vector<BoardAttempt> running = attempts_.Running(waiting.runner);
  const bool has_room = guard_ == nullptr || !guard_->closed();
  while (has_room && running.size() < slots && attempts_.Lease(runner->info, fits)) {
    running = attempts_.Running(waiting.runner);
  }
  while (has_room && running.size() < slots && attempts_.LeaseAgain(runner->info, fits)) {
    running = attempts_.Running(waiting.runner);
  }
  std::set<std::string> ids;
  for (const BoardAttempt& attempt : running) ids.insert(attempt.id);
  const bool may_wait = running.size() < slots && !runner->draining;
  const bool has_news = ids != waiting.named || waiting.response.acknowledged_size() > 0 ||
                        LacksDataset(*runner, wanted_);
  if (may_wait && !has_news && clock_.Steady() < waiting.deadline) return false;

  FillAssignments(running, waiting);
  if (runner->info.kind() == v1::RunnerInfo::WORKER) {
    for (const auto& [key, dataset] : wanted_) {
      *waiting.response.add_datasets() = dataset.spec;
      waiting.response.add_fingerprints(dataset.fingerprint);
    }
  }
  // With a free slot it calls again at once, to wait here for work.
  SetDuration(may_wait ? absl::ZeroDuration() : options_.lease / 3,
              waiting.response.mutable_call_again_after());
  waiting.answer(std::move(waiting.response));
  return true;
}

void Synchronizer::FillAssignments(const std::vector<BoardAttempt>& running, Waiting& waiting) {
  for (const BoardAttempt& attempt : running) {
    v1::Assignment& assignment = *waiting.response.add_assignments();
    assignment.set_attempt_id(attempt.id);
    if (!waiting.named.contains(attempt.id)) {
      *assignment.mutable_job() = attempts_.WorkOf(attempt);
    }
  }
}

absl::Duration Synchronizer::NextDeadline() const {
  const absl::Duration next = std::min(attempts_.NextExpiry(), fleet_.NextChance());
  return waiting_.empty() ? next : std::min(next, waiting_.front().deadline);
}

}  // namespace squish
