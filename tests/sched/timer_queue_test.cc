#include "sched/timer_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "tests/support/gate.h"
#include "tests/support/seed.h"

namespace taskvisor::internal {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::AnnouncedSeed;
using testing::Eventually;
using testing::Gate;
using testing::Random;

struct CountingTimer : Timer {
  CountingTimer() : Timer(&OnFire) {}
  static void OnFire(Timer& timer, uint64_t tag) {
    auto& self = static_cast<CountingTimer&>(timer);
    self.last_tag.store(tag);
    if (self.clock != nullptr && self.clock->Now() < TimePoint(Duration(self.deadline.load()))) {
      self.early.fetch_add(1);
    }
    self.fired.fetch_add(1);
  }
  Clock* clock = nullptr;
  std::atomic<int> fired{0};
  std::atomic<int> early{0};
  std::atomic<uint64_t> last_tag{0};
};

class TimerQueueTest : public ::testing::Test {
 protected:
  void SetUp() override { queue_.Start(); }

  // Returns when the timer thread has looked at everything that is due now.
  void Settle() {
    CountingTimer& mark = marks_.emplace_back();
    queue_.Arm(mark, clock_->Now(), 0);
    ASSERT_TRUE(Eventually([&] { return mark.fired.load() == 1; }));
  }

  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::deque<CountingTimer> marks_;
  CountingTimer timer_;
  CountingTimer other_;
  TimerQueue queue_{clock_};
};

TEST_F(TimerQueueTest, FiresOnceAtItsDeadlineWithItsTag) {
  queue_.Arm(timer_, clock_->Now() + milliseconds(10), 42);
  clock_->Advance(milliseconds(10) - Duration(1));
  Settle();
  EXPECT_EQ(timer_.fired, 0);
  clock_->Advance(Duration(1));
  EXPECT_TRUE(Eventually([&] { return timer_.fired == 1; }));
  EXPECT_EQ(timer_.last_tag, 42u);
  clock_->Advance(hours(1));
  Settle();
  EXPECT_EQ(timer_.fired, 1);
}

TEST_F(TimerQueueTest, AnOldDeadlineFiresWithoutTimeMoving) {
  queue_.Arm(timer_, clock_->Now() - hours(1), 1);
  EXPECT_TRUE(Eventually([&] { return timer_.fired == 1; }));
}

TEST_F(TimerQueueTest, ACancelledTimerDoesNotFire) {
  queue_.Arm(timer_, clock_->Now() + milliseconds(10), 1);
  EXPECT_TRUE(queue_.Cancel(timer_));
  EXPECT_FALSE(queue_.Cancel(timer_)) << "cancelled twice";
  clock_->Advance(hours(1));
  Settle();
  EXPECT_EQ(timer_.fired, 0);
}

TEST_F(TimerQueueTest, CancelAfterTheFiringSaysSo) {
  queue_.Arm(timer_, clock_->Now(), 1);
  ASSERT_TRUE(Eventually([&] { return timer_.fired == 1; }));
  EXPECT_FALSE(queue_.Cancel(timer_));
}

TEST_F(TimerQueueTest, RearmedEarlierItFiresEarlierAndOnce) {
  queue_.Arm(timer_, clock_->Now() + hours(2), 1);
  Settle();
  ASSERT_TRUE(queue_.Cancel(timer_));
  queue_.Arm(timer_, clock_->Now() + milliseconds(1), 2);
  clock_->Advance(milliseconds(1));
  EXPECT_TRUE(Eventually([&] { return timer_.fired == 1; }));
  EXPECT_EQ(timer_.last_tag, 2u);
  clock_->Advance(hours(3));
  Settle();
  EXPECT_EQ(timer_.fired, 1);
}

TEST_F(TimerQueueTest, RearmedLaterItFiresLaterAndOnce) {
  queue_.Arm(timer_, clock_->Now() + milliseconds(1), 1);
  Settle();
  ASSERT_TRUE(queue_.Cancel(timer_));
  queue_.Arm(timer_, clock_->Now() + hours(1), 2);
  clock_->Advance(milliseconds(2));
  Settle();
  EXPECT_EQ(timer_.fired, 0);
  clock_->Advance(hours(1));
  EXPECT_TRUE(Eventually([&] { return timer_.fired == 1; }));
  EXPECT_EQ(timer_.last_tag, 2u);
}

TEST_F(TimerQueueTest, AnEarlierTimerWakesTheThreadThatSleepsForALaterOne) {
  queue_.Arm(other_, clock_->Now() + hours(1), 1);
  Settle();
  queue_.Arm(timer_, clock_->Now() + milliseconds(1), 1);
  clock_->Advance(milliseconds(1));
  EXPECT_TRUE(Eventually([&] { return timer_.fired == 1; }));
  EXPECT_EQ(other_.fired, 0);
}

TEST_F(TimerQueueTest, AfterStopNothingFiresAndArmingIsHarmless) {
  queue_.Arm(timer_, clock_->Now() + milliseconds(1), 1);
  queue_.Stop();
  clock_->Advance(hours(1));
  queue_.Arm(other_, clock_->Now(), 1);
  queue_.Stop();
  EXPECT_EQ(timer_.fired, 0);
  EXPECT_EQ(other_.fired, 0);
}

// On the real clock the thread sleeps by itself; nobody moves time.
TEST(TimerQueueOnTheRealClock, FiresByItselfAndNotEarly) {
  std::deque<CountingTimer> timers(20);
  TimerQueue queue(RealClock());
  queue.Start();
  const TimePoint start = RealClock()->Now();
  for (size_t i = 0; i < timers.size(); ++i) {
    timers[i].clock = RealClock().get();
    queue.Arm(timers[i], start + std::chrono::microseconds(200 * (20 - i)), i);
  }
  for (CountingTimer& timer : timers) {
    EXPECT_TRUE(Eventually([&] { return timer.fired == 1; }));
    EXPECT_EQ(timer.early, 0);
  }
}

// Owners arm and cancel while time runs: of an arming, the firing and the successful cancel
// exclude each other, and one of them comes.
TEST_F(TimerQueueTest, SeededArmsAndCancelsFromThreadsBalance) {
  const uint64_t seed = AnnouncedSeed();
  constexpr int kThreads = 3;
  constexpr int kRounds = 3000;
  std::deque<CountingTimer> timers(kThreads);
  std::atomic<int> running{kThreads};
  std::vector<std::thread> owners;
  for (size_t t = 0; t < kThreads; ++t) {
    owners.emplace_back([&, t] {
      Random random(seed + t);
      int fired = 0;
      timers[t].clock = clock_.get();
      for (int round = 1; round <= kRounds; ++round) {
        const Duration delay(static_cast<int64_t>(random.Below(100'000)));
        queue_.Arm(timers[t], clock_->Now() + delay, static_cast<uint64_t>(round));
        if (random.Percent(50) && queue_.Cancel(timers[t])) {
          ASSERT_EQ(timers[t].fired, fired);
        } else {
          ASSERT_TRUE(Eventually([&] { return timers[t].fired == fired + 1; }));
          ASSERT_EQ(timers[t].last_tag, static_cast<uint64_t>(round));
          ++fired;
        }
      }
      running.fetch_sub(1);
    });
  }
  while (running > 0) {
    clock_->Advance(Duration(10'000));
    std::this_thread::yield();
  }
  for (std::thread& owner : owners) owner.join();
  for (CountingTimer& timer : timers) EXPECT_EQ(timer.early, 0);
  queue_.Stop();  // a timer's memory is the queue's for as long as that runs
}

}  // namespace
}  // namespace taskvisor::internal
