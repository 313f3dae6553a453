#include "worker/daemon/trainer_pool.h"

#include <algorithm>

#include "common/base/status_macros.h"

namespace squish {

TrainerPool::TrainerPool(const TrainerOptions& options, int slots) {
  absl::MutexLock lock(&mutex_);
  for (int number = 0; number < slots; ++number) {
    slots_.push_back(std::make_unique<TrainerSlot>(options, number, counters_));
    free_.push_back(slots_.back().get());
  }
}

absl::StatusOr<v1::TrainerEvent::Ready> TrainerPool::Start() {
  for (const auto& slot : slots_) SQUISH_RETURN_IF_ERROR(slot->Warm(/*threads=*/1));
  return slots_.front()->AwaitReady();
}

TrainerPool::Lease TrainerPool::Acquire(int threads) {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](std::vector<TrainerSlot*>* free) { return !free->empty(); }, &free_));
  auto chosen = std::find_if(free_.begin(), free_.end(), [threads](const TrainerSlot* slot) {
    return slot->threads() == threads;
  });
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
