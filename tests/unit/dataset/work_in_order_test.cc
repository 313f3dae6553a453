#include "common/dataset/work_in_order.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/notification.h"

namespace squish {
namespace {

TEST(WorkInOrderTest, ResultsAreTakenInOrderWhateverTheNumberOfThreads) {
  for (const int threads : {1, 2, 7, 40}) {
    std::vector<int> taken;
    const absl::Status status = WorkInOrder<int>(
        1000, threads, [](int i) { return i * i; },
        [&](int& result) {
          taken.push_back(result);
          return absl::OkStatus();
        },
        [] {});
    EXPECT_TRUE(status.ok());
    ASSERT_EQ(taken.size(), 1000u);
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(taken[i], i * i);
  }
}

TEST(WorkInOrderTest, NothingToDoIsDoneAtOnce) {
  EXPECT_TRUE(WorkInOrder<int>(
                  0, 4, [](int i) { return i; }, [](int&) { return absl::OkStatus(); }, [] {})
                  .ok());
}

TEST(WorkInOrderTest, FirstErrorEndsTheWork) {
  std::atomic<int> worked = 0;
  const absl::Status status = WorkInOrder<int>(
      100'000, 3,
      [&](int i) {
        ++worked;
        return i;
      },
      [](int& i) { return i == 5 ? absl::DataLossError("five") : absl::OkStatus(); }, [] {});
  EXPECT_EQ(status.message(), "five");
  EXPECT_LE(worked, 6 + 2 * 3 + 2);
}

TEST(WorkInOrderTest, WorkDoesNotRunFarAheadOfItsTaker) {
  std::atomic<int> worked = 0;
  EXPECT_TRUE(WorkInOrder<int>(
                  200, 4,
                  [&](int i) {
                    ++worked;
                    return i;
                  },
                  [&](int& i) {
                    EXPECT_LE(worked, i + 1 + 2 * 4 + 2);
                    return absl::OkStatus();
                  },
                  [] {})
                  .ok());
}

TEST(WorkInOrderTest, WhoWaitsIsToldSo) {
  absl::Notification told;
  EXPECT_TRUE(WorkInOrder<int>(
                  1, 1,
                  [&](int i) {
                    told.WaitForNotification();
                    return i;
                  },
                  [](int&) { return absl::OkStatus(); },
                  [&] {
                    if (!told.HasBeenNotified()) told.Notify();
                  })
                  .ok());
  EXPECT_TRUE(told.HasBeenNotified());
}

}  // namespace
}  // namespace squish
