#include "sched/event_count.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "sched/timed_wait.h"
#include "tests/support/gate.h"

namespace taskvisor::internal {
namespace {

using testing::Eventually;

TEST(EventCount, ANotifyBetweenPrepareAndWaitIsNotLost) {
  EventCount events;
  const EventCount::Key key = events.PrepareWait();
  events.Notify();
  events.Wait(key);  // returns: the test would hang
}

TEST(EventCount, AnEarlierNotifyDoesNotCount) {
  EventCount events;
  events.Notify();
  const EventCount::Key key = events.PrepareWait();
  // Only time ends this wait.
  const auto start = std::chrono::steady_clock::now();
  events.WaitUntil(key, start + std::chrono::milliseconds(2));
  EXPECT_GE(std::chrono::steady_clock::now(), start + std::chrono::milliseconds(2));
}

TEST(EventCount, ADeadlineInThePastReturnsAtOnce) {
  EventCount events;
  const EventCount::Key key = events.PrepareWait();
  events.WaitUntil(key, std::chrono::steady_clock::now() - std::chrono::hours(1));
}

TEST(EventCount, OneNotifyWakesAllWaiters) {
  EventCount events;
  std::atomic<bool> go{false};
  std::atomic<int> woken{0};
  std::vector<std::thread> waiters;
  for (int i = 0; i < 4; ++i) {
    waiters.emplace_back([&] {
      Await(events, [&] { return go.load(); });
      woken.fetch_add(1);
    });
  }
  go = true;
  events.Notify();
  EXPECT_TRUE(Eventually([&] { return woken == 4; }));
  for (std::thread& waiter : waiters) waiter.join();
}

// Each side sleeps until the other has moved: one lost wake-up, and it hangs.
TEST(EventCount, PingPongLosesNoWakeUp) {
  constexpr int kRounds = 20'000;
  EventCount events[2];
  std::atomic<int> turn{0};
  const auto play = [&](int side) {
    for (int round = 0; round < kRounds; ++round) {
      Await(events[side], [&] { return turn.load() % 2 == side; });
      turn.fetch_add(1);
      events[1 - side].Notify();
    }
  };
  std::thread ping(play, 0);
  std::thread pong(play, 1);
  ping.join();
  pong.join();
  EXPECT_EQ(turn, 2 * kRounds);
}

TEST(AwaitUntil, OnAManualClockEndsWhenTimeIsMovedThere) {
  ManualClock clock;
  EventCount events;
  const TimePoint deadline = clock.Now() + std::chrono::hours(1);
  std::atomic<int> result{-1};
  std::thread waiter([&] { result = AwaitUntil(clock, events, deadline, [] { return false; }); });
  clock.Advance(std::chrono::minutes(59));
  EXPECT_EQ(result, -1);
  clock.Advance(std::chrono::minutes(1));
  waiter.join();
  EXPECT_EQ(result, 0);
}

TEST(AwaitUntil, AConditionThatHoldsNeedsNoTime) {
  ManualClock clock;
  EventCount events;
  EXPECT_TRUE(AwaitUntil(clock, events, clock.Now() - Duration(1), [] { return true; }));
  EXPECT_FALSE(AwaitUntil(clock, events, clock.Now(), [] { return false; }));
}

TEST(AwaitUntil, ANotifyEndsItWithTimeStandingStill) {
  ManualClock clock;
  EventCount events;
  std::atomic<bool> done{false};
  std::atomic<bool> result{false};
  std::thread waiter(
      [&] { result = AwaitUntil(clock, events, TimePoint::max(), [&] { return done.load(); }); });
  done = true;
  events.Notify();
  waiter.join();
  EXPECT_TRUE(result);
}

TEST(SaturatingAdd, StopsAtTheEndOfTime) {
  const TimePoint now(std::chrono::hours(24));
  EXPECT_EQ(SaturatingAdd(now, Duration(5)), now + Duration(5));
  EXPECT_EQ(SaturatingAdd(now, Duration::max()), TimePoint::max());
  EXPECT_EQ(SaturatingAdd(TimePoint::max(), Duration(1)), TimePoint::max());
}

}  // namespace
}  // namespace taskvisor::internal
