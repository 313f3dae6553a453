#include "worker/daemon/trainer_pool.h"

#include <algorithm>

#include "common/base/status_macros.h"

namespace squish {
namespace {

// A first trainer that dies is started so often in all: it may have been killed, by a
// kernel short of memory for instance. A wrong program dies every time.
constexpr int kFirstStarts = 5;

}  // namespace

TrainerPool::TrainerPool(const TrainerOptions& options, int slots) {
  absl::MutexLock lock(&mutex_);
  for (int number = 0; number < slots; ++number) {
    slots_.push_back(std::make_unique<TrainerSlot>(options, number, counters_));
    free_.push_back(slots_.back().get());
  }
}

absl::StatusOr<v1::TrainerEvent::Ready> TrainerPool::Start() {
  for (const auto& slot : slots_) SQUISH_RETURN_IF_ERROR(slot->Warm(/*threads=*/1));
  TrainerSlot& first = *slots_.front();
  absl::StatusOr<v1::TrainerEvent::Ready> ready = first.AwaitReady();
  for (int starts = 1; absl::IsAborted(ready.status()) && starts < kFirstStarts; ++starts) {
    first.Replace();
    SQUISH_RETURN_IF_ERROR(first.Warm(/*threads=*/1));
    ready = first.AwaitReady();
  }
  return ready;
}

TrainerPool::Lease TrainerPool::Acquire(int threads) {
  return Take([threads](const TrainerSlot& slot) { return slot.threads() == threads; });
}

TrainerPool::Lease TrainerPool::AcquireAny() {
  return Take([](const TrainerSlot&) { return true; });
}

TrainerPool::Lease TrainerPool::Take(const std::function<bool(const TrainerSlot&)>& suits) {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](std::vector<TrainerSlot*>* free) { return !free->empty(); }, &free_));
  auto chosen = std::find_if(free_.begin(), free_.end(),
                             [&suits](const TrainerSlot* slot) { return suits(*slot); });
  if (chosen == free_.end()) chosen = free_.begin();
  TrainerSlot* const slot = *chosen;
  free_.erase(chosen);
  return Lease(slot, [this](TrainerSlot* leased) { Release(leased); });
}

void TrainerPool::Release(TrainerSlot* slot) {
  absl::MutexLock lock(&mutex_);
  free_.push_back(slot);
}

}  // namespace squish
