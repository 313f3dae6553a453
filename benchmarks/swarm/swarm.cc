#include "benchmarks/swarm/swarm.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "benchmarks/swarm/schedule.h"
#include "common/base/clock.h"
#include "common/rpc/rpc.h"

namespace squish {
namespace {

// So many connections are opened at a time; more would only wait in the listener's queue.
constexpr int kConnectingAtOnce = 100;
constexpr absl::Duration kConnectLimit = absl::Seconds(60);
constexpr absl::Duration kCallLimit = absl::Minutes(2);

absl::Duration Steady() { return Clock::System().Steady(); }

double Milliseconds(absl::Duration duration) { return absl::ToDoubleMilliseconds(duration); }

}  // namespace

Swarm::Swarm(Options options) : options_(std::move(options)) {
  for (int i = 0; i < options_.workers + options_.agents; ++i) {
    const bool is_worker = i < options_.workers;
    auto member = std::make_unique<Member>();
    member->info = SwarmRunner(is_worker ? v1::RunnerInfo::WORKER : v1::RunnerInfo::AGENT, i);
    members_.push_back(std::move(member));
  }
}

Swarm::~Swarm() {
  {
    absl::MutexLock lock(&counts_mutex_);
    ending_ = true;
  }
  for (const auto& member : members_) {
    absl::MutexLock lock(&member->mutex);
    if (member->calling) member->context->TryCancel();
  }
  absl::MutexLock lock(&counts_mutex_);
  const auto all_ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(counts_mutex_) {
    return under_way_ == 0;
  };
  counts_mutex_.Await(absl::Condition(&all_ended));
}

absl::Status Swarm::Start() {
  for (size_t first = 0; first < members_.size(); first += kConnectingAtOnce) {
    const size_t end = std::min(members_.size(), first + kConnectingAtOnce);
    std::vector<std::shared_ptr<grpc::Channel>> channels;
    for (size_t i = first; i < end; ++i) {
      channels.push_back(MakeChannel(options_.coordinator));
      channels.back()->GetState(/*try_to_connect=*/true);
    }
    const auto deadline = absl::ToChronoTime(absl::Now() + kConnectLimit);
    for (size_t i = first; i < end; ++i) {
      if (!channels[i - first]->WaitForConnected(deadline)) {
        return absl::UnavailableError(absl::StrCat("connection ", i + 1, " of ", members_.size(),
                                                   " to ", options_.coordinator,
                                                   " does not come about"));
      }
      members_[i]->stub = v1::RunnerService::NewStub(channels[i - first]);
      CallIfReady(*members_[i]);
    }
  }
  return Trouble();
}

void Swarm::Pace() {
  absl::MutexLock lock(&counts_mutex_);
  paced_ = true;
}

void Swarm::RunPaced(double lifecycles_per_second, absl::Duration duration) {
  // A lifecycle is two calls.
  const Schedule schedule(Steady(), 2 * lifecycles_per_second,
                          static_cast<int64_t>(members_.size()));
  const absl::Duration end = Steady() + duration;
  for (int64_t event = 0; schedule.DueAt(event) < end; ++event) {
    const absl::Duration due = schedule.DueAt(event);
    absl::SleepFor(due - Steady());
    Member& member = *members_[static_cast<size_t>(schedule.MemberOf(event))];
    bool idle = false;
    {
      absl::MutexLock lock(&member.mutex);
      idle = !member.held.has_value() && !member.delivering.has_value();
      if (!idle && !member.due.has_value()) member.due = due;
    }
    if (idle) {
      absl::MutexLock lock(&counts_mutex_);
      ++counts_.without_work;
    } else {
      CallIfReady(member);
    }
  }
}

Swarm::Counts Swarm::Take() {
  absl::MutexLock lock(&counts_mutex_);
  return std::exchange(counts_, {});
}

absl::Status Swarm::Trouble() {
  absl::MutexLock lock(&counts_mutex_);
  return trouble_;
}

void Swarm::Fail(const absl::Status& status) {
  absl::MutexLock lock(&counts_mutex_);
  if (trouble_.ok()) trouble_ = status;
}

bool Swarm::Prepare(Member& member) {
  bool paced = false;
  {
    absl::MutexLock lock(&counts_mutex_);
    paced = paced_;
  }
  if (paced && member.held.has_value() && !member.due.has_value()) return false;
  v1::SynchronizeRequest& request = member.request;
  request.Clear();
  *request.mutable_runner() = member.info;
  for (const v1::DatasetReport& report : member.datasets) *request.add_datasets() = report;
  member.call_due.reset();
  if (!member.held.has_value()) return true;
  member.call_due = std::exchange(member.due, std::nullopt);
  if (!member.held->told) {
    member.held->told = true;
    v1::AttemptProgress& progress = *request.add_attempts();
    progress.set_attempt_id(member.held->attempt);
    progress.set_fraction(0.5);
    progress.set_note("epoch 4 of 8, loss 1.234");
    return true;
  }
  member.delivering = std::exchange(member.held, std::nullopt);
  v1::AttemptResult& result = *request.add_results();
  result = AnswerJob(member.delivering->job, member.info, options_.stand_in);
  result.set_attempt_id(member.delivering->attempt);
  PadResult(options_.result_bytes, result);
  return true;
}

void Swarm::CallIfReady(Member& member) {
  {
    absl::MutexLock lock(&member.mutex);
    if (member.calling || !Prepare(member)) return;
    absl::MutexLock counts_lock(&counts_mutex_);
    if (ending_) return;
    ++under_way_;
    member.calling = true;
    member.context = std::make_unique<grpc::ClientContext>();
    member.context->set_deadline(absl::ToChronoTime(absl::Now() + kCallLimit));
  }
  // Nobody else touches request, response and context while `calling`.
  Call(member);
}

void Swarm::Call(Member& member) {
  grpc::ClientContext* context = nullptr;
  {
    absl::MutexLock lock(&member.mutex);
    context = member.context.get();
  }
  member.response.Clear();
  member.stub->async()->Synchronize(
      context, &member.request, &member.response,
      [this, &member](const grpc::Status& status) { TakeAnswer(member, status); });
}

void Swarm::TakeAnswer(Member& member, const grpc::Status& status) {
  const absl::Duration now = Steady();
  bool ending = false;
  {
    absl::MutexLock lock(&counts_mutex_);
    ending = ending_;
  }
  if (!status.ok() && !ending) {
    Fail(absl::Status(FromGrpc(status).code(),
                      absl::StrCat("a call of ", member.info.id(), ": ", status.error_message())));
  }
  {
    absl::MutexLock lock(&member.mutex);
    member.calling = false;
    if (status.ok()) Adopt(member, now);
  }
  if (status.ok()) CallIfReady(member);
  // Last: the destructor waits for this.
  absl::MutexLock lock(&counts_mutex_);
  --under_way_;
}

void Swarm::Adopt(Member& member, absl::Duration now) {
  const v1::SynchronizeResponse& response = member.response;
  const v1::Assignment* assigned =
      response.assignments().empty() ? nullptr : &response.assignments(0);
  if (member.held.has_value() &&
      (assigned == nullptr || assigned->attempt_id() != member.held->attempt)) {
    TakeBack(member.held->attempt);
    member.held.reset();
  }
  const bool found = assigned != nullptr && !member.held.has_value();
  const std::optional<Held> delivered = std::exchange(member.delivering, std::nullopt);
  if (delivered.has_value() && response.acknowledged_size() != 1) TakeBack(delivered->attempt);
  if (found) member.held = Held{assigned->attempt_id(), assigned->job(), now};
  // What was due was the next step of work that it does not have.
  const bool missed =
      !member.held.has_value() && std::exchange(member.due, std::nullopt).has_value();
  if (response.datasets_size() != static_cast<int>(member.datasets.size())) {
    member.datasets.clear();
    for (const v1::DatasetSpec& spec : response.datasets()) {
      member.datasets.push_back(SwarmDataset(spec));
    }
  }
  absl::MutexLock lock(&counts_mutex_);
  if (delivered.has_value()) {
    ++counts_.lifecycles;
    counts_.lifecycle_ms.Add(Milliseconds(now - delivered->leased));
  }
  if (missed) ++counts_.without_work;
  if (!member.call_due.has_value()) return;
  (found ? counts_.found_ms : counts_.other_ms).Add(Milliseconds(now - *member.call_due));
}

void Swarm::TakeBack(const std::string& attempt) {
  Fail(absl::AbortedError(
      absl::StrCat("the coordinator took attempt ", attempt, " back, or forgot its result")));
}

}  // namespace squish
