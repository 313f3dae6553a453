#include "worker/trainer/work_ahead.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"

namespace squish {
namespace {

using Slots = std::array<int64_t, WorkAhead::kSlots>;

TEST(WorkAheadTest, EveryStepIsFilledOnceInOrderAndFoundInItsSlot) {
  Slots slots;
  std::vector<int64_t> filled;
  {
    WorkAhead ahead(1000, [&](int64_t step, int slot) {
      filled.push_back(step);
      slots[slot] = 10 * step;
    });
    for (int64_t step = 0; step < 1000; ++step) ASSERT_EQ(slots[ahead.Next()], 10 * step);
  }
  ASSERT_EQ(filled.size(), 1000u);
  for (int64_t step = 0; step < 1000; ++step) ASSERT_EQ(filled[step], step);
}

TEST(WorkAheadTest, FillsTwoStepsAheadUnaskedOnAnotherThread) {
  absl::Notification second;
  std::thread::id thread;
  WorkAhead ahead(10, [&](int64_t step, int) {
    thread = std::this_thread::get_id();
    if (step == 1) second.Notify();
  });
  second.WaitForNotification();
  EXPECT_NE(thread, std::this_thread::get_id());
}

TEST(WorkAheadTest, NeverFillsTheSlotInUseOrMoreThanTwoStepsAhead) {
  std::atomic<int64_t> begun = 0;
  WorkAhead ahead(200, [&](int64_t step, int) { begun = step + 1; });
  std::atomic<int64_t>* const seen = &begun;
  for (int64_t step = 0; step < 200; ++step) {
    // Steps 0..step-1 were taken; the last of those is in use.
    EXPECT_LE(seen->load(), step + 2);
    ahead.Next();
  }
}

TEST(WorkAheadTest, AStepThatThrowsDoesSoWhereItIsTaken) {
  std::vector<int64_t> filled;
  WorkAhead ahead(10, [&](int64_t step, int) {
    filled.push_back(step);
    if (step == 2) throw std::runtime_error("the third");
  });
  EXPECT_EQ(ahead.Next(), 0);
  EXPECT_EQ(ahead.Next(), 1);
  for (int i = 0; i < 2; ++i) {
    try {
      ahead.Next();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(std::string(error.what()), "the third");
    }
  }
  EXPECT_EQ(filled, (std::vector<int64_t>{0, 1, 2}));
}

TEST(WorkAheadTest, CanEndBeforeItsStepsAreTaken) {
  for (int taken = 0; taken < 5; ++taken) {
    int filled = 0;
    {
      WorkAhead ahead(1'000'000, [&](int64_t, int) { ++filled; });
      for (int i = 0; i < taken; ++i) ahead.Next();
    }
    EXPECT_LE(filled, taken + 2);
    EXPECT_GE(filled, taken);
  }
}

TEST(WorkAheadTest, EndsWithTheStepThatIsBeingFilled) {
  absl::Notification begun, may_end;
  std::atomic<bool> ended = false;
  auto ahead = std::make_unique<WorkAhead>(10, [&](int64_t step, int) {
    if (step > 0) return;
    begun.Notify();
    may_end.WaitForNotification();
    ended = true;
  });
  begun.WaitForNotification();
  std::thread ending([&] { ahead.reset(); });
  may_end.Notify();
  ending.join();
  EXPECT_TRUE(ended);
}

TEST(WorkAheadTest, WithoutStepsThereIsNothingToDo) {
  WorkAhead ahead(0, [](int64_t, int) { ADD_FAILURE() << "there is no step"; });
}

}  // namespace
}  // namespace squish
