// Work on all cores whose results are taken one by one, in order, as if one core had done
// it all: whatever is made of them does not depend on the number of threads.
#ifndef SQUISH_COMMON_DATASET_WORK_IN_ORDER_H_
#define SQUISH_COMMON_DATASET_WORK_IN_ORDER_H_

#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace squish {

// Calls work(0) … work(count - 1) on `threads` threads (at least 1) and take(result) for
// each, in order, on the calling thread; `waiting` on it too, once a second while there is
// nothing to take. At most 2·threads + 2 results wait to be taken. The first error of
// `take` is returned, and ends the work.
template <typename Result>
absl::Status WorkInOrder(int count, int threads, absl::FunctionRef<Result(int)> work,
                         absl::FunctionRef<absl::Status(Result&)> take,
                         absl::FunctionRef<void()> waiting) {
  struct Shared {
    explicit Shared(int size) : results(static_cast<size_t>(size)) {}
    absl::Mutex mutex;
    int claimed ABSL_GUARDED_BY(mutex) = 0;
    int taken ABSL_GUARDED_BY(mutex) = 0;
    bool stopping ABSL_GUARDED_BY(mutex) = false;
    std::vector<std::optional<Result>> results ABSL_GUARDED_BY(mutex);  // A ring.
  };
  const int ahead = 2 * threads + 2;
  Shared shared(ahead);

  const auto labour = [&shared, &work, count, ahead] {
    const auto may_go_on = [&shared, count, ahead]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(shared.mutex) {
      return shared.stopping || shared.claimed == count ||
             shared.claimed < shared.taken + ahead;
    };
    while (true) {
      int mine;
      {
        absl::MutexLock lock(&shared.mutex);
        shared.mutex.Await(absl::Condition(&may_go_on));
        if (shared.stopping || shared.claimed == count) return;
        mine = shared.claimed++;
      }
      Result result = work(mine);
      absl::MutexLock lock(&shared.mutex);
      shared.results[static_cast<size_t>(mine % ahead)] = std::move(result);
    }
  };
  std::vector<std::thread> labourers;
  for (int i = 0; i < threads; ++i) labourers.emplace_back(labour);

  absl::Status status;
  for (int i = 0; i < count && status.ok(); ++i) {
    const size_t place = static_cast<size_t>(i % ahead);
    std::optional<Result> result;
    const auto is_there = [&shared, place]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(shared.mutex) {
      return shared.results[place].has_value();
    };
    while (!result.has_value()) {
      {
        absl::MutexLock lock(&shared.mutex);
        if (shared.mutex.AwaitWithTimeout(absl::Condition(&is_there), absl::Seconds(1))) {
          result.swap(shared.results[place]);
          shared.taken = i + 1;
        }
      }
      if (!result.has_value()) waiting();
    }
    status = take(*result);
  }
  {
    absl::MutexLock lock(&shared.mutex);
    shared.stopping = true;
  }
  for (std::thread& labourer : labourers) labourer.join();
  return status;
}

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_WORK_IN_ORDER_H_
