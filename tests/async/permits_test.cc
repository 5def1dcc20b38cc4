// What a suspended body keeps and what it gives up: workers, permits, heartbeats.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/async/frames.h"
#include "tests/support/allocation_steps.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

SupervisorConfig WithPermits(size_t permits) {
  SupervisorConfig config;
  config.workers = 2;
  config.max_concurrent = permits;
  return config;
}

TEST(AsyncPermits, ASuspendedBodyGivesItsPermitUpAndTakesOneAgain) {
  AsyncServed served(WithPermits(1));
  const Completion<> go;
  Crowd crowd;
  const auto body = [&]() -> Async<> {
    const InFrame frame;
    {
      const Crowd::Inside inside(crowd);
      std::this_thread::yield();
    }
    co_await go;
    const Crowd::Inside inside(crowd);
    for (int i = 0; i < 20; ++i) std::this_thread::yield();
  };
  std::vector<WatchedTask> tasks;
  for (int i = 0; i < 50; ++i) tasks.push_back(served.Watch(TaskSpec::Once(body)));
  for (const auto& task : tasks) served.AwaitSuspended(task);  // all of them, with one permit
  EXPECT_EQ(served.handle.Stats().permits, 1);
  EXPECT_TRUE(go.Set());
  for (const auto& task : tasks) {
    EXPECT_EQ(served.Outcome(task).kind(), OutcomeKind::kCompleted);
  }
  EXPECT_EQ(crowd.most(), 1);
  EXPECT_TRUE(Eventually([&] { return served.handle.Stats().permits == 1; }));
}

TEST(AsyncPermits, ABodyMayKeepItsPermit) {
  AsyncServed served(WithPermits(1));
  const Completion<> go;
  const auto keeper = served.Suspended(TaskSpec::Once([&](TaskContext& context) -> Async<> {
    const InFrame frame;
    context.KeepPermit();
    co_await go;
    context.KeepPermit(false);
    co_await taskvisor::UntilCancelled();
  }));
  const auto other = served.Watch(TaskSpec::Once(DoNothing));
  EXPECT_TRUE(Eventually([&] { return served.PhaseOf(other) == TaskPhase::kWaiting; }));
  EXPECT_TRUE(go.Set());
  EXPECT_EQ(served.Outcome(other).kind(), OutcomeKind::kCompleted);
  served.AwaitSuspended(keeper);

  const auto again = served.Suspended(TaskSpec::Once([&](TaskContext& context) -> Async<> {
    context.KeepPermit();
    co_await Completion<>();
  }));
  EXPECT_TRUE(served.handle.Cancel(again.id).value());  // with its permit in hand
  EXPECT_TRUE(Eventually([&] { return served.handle.Stats().permits == 1; }));
}

TEST(AsyncPermits, TheEndOfABodyNeedsNoPermitButItsGoingOnDoes) {
  AsyncServed served(WithPermits(1));
  const Completion<> never;
  const auto waits = served.Suspended(TaskSpec::Once([&]() -> Async<> {
    const InFrame frame;
    co_await never;
  }));
  std::atomic<bool> told{false};
  const auto heeds = served.Suspended(TaskSpec::Once([&]() -> Async<> {
    const InFrame frame;
    co_await taskvisor::UntilCancelled();
    told = true;
  }));
  HeldBody held;
  const auto holder = served.Watch(TaskSpec::Once(held.Body()));
  ASSERT_TRUE(held.Inside());
  EXPECT_TRUE(served.handle.Remove(heeds.id).value());
  EXPECT_TRUE(served.handle.Cancel(waits.id).value());  // although the permit is out
  EXPECT_FALSE(told);
  EXPECT_FALSE(heeds.waiter.Ready());
  held.LetGo();
  EXPECT_EQ(served.Outcome(heeds).kind(), OutcomeKind::kCancelled);
  EXPECT_TRUE(told);
}

TEST(AsyncPermits, OneThatWaitsForAPermitToGoOnCanBeCancelledAndCanTimeOut) {
  AsyncServed served(WithPermits(1));
  const Completion<> go;
  std::atomic<int> went_on{0};
  const auto body = [&]() -> Async<> {
    const InFrame frame;
    co_await go;
    ++went_on;
  };
  const auto cancelled = served.Suspended(TaskSpec::Once(body));
  const auto late = served.Suspended(TaskSpec::Once(body).WithTimeout(hours(1)));
  HeldBody held;
  const auto holder = served.Watch(TaskSpec::Once(held.Body()));
  ASSERT_TRUE(held.Inside());
  EXPECT_TRUE(go.Set());
  EXPECT_TRUE(Eventually([&] {
    return served.PhaseOf(cancelled) == TaskPhase::kWaiting &&
           served.PhaseOf(late) == TaskPhase::kWaiting;
  }));
  // What they wait for is there, so they would go on: that needs the permit, within grace.
  EXPECT_TRUE(served.handle.Remove(cancelled.id).value());
  EXPECT_FALSE(cancelled.waiter.Ready());
  served.Advance(hours(1));
  served.Await(EventKind::kTimeoutHit, late);
  EXPECT_EQ(served.Outcome(cancelled).kind(), OutcomeKind::kStuck);
  EXPECT_EQ(went_on, 0);
  held.LetGo();
  EXPECT_EQ(served.Outcome(late).kind(), OutcomeKind::kFailed);
  EXPECT_TRUE(cancelled.waiter.Drained().ok());
  EXPECT_EQ(went_on, 2);  // both had it in the end, too late
}

TEST(AsyncPermits, OneFrameIsAllThatAnAttemptAllocates) {
  AsyncServed served({.workers = 1});
  AllocationSteps attempts;
  const auto task = served.Watch(TaskSpec::Periodic(Duration(1), [&]() -> Async<> {
    attempts.Step();
    co_await SleepFor(Duration(1));
    co_await Yield();
  }));
  ASSERT_TRUE(served.AdvanceUntil([&] { return attempts.steps() > 300; }));
  EXPECT_TRUE(served.handle.Cancel(task.id).value());
  EXPECT_GE(attempts.allocations(), attempts.steps());
  // The queue's own blocks, now and then.
  EXPECT_LE(attempts.allocations(), attempts.steps() + attempts.steps() / 10);
}

TEST(AsyncWatchdog, ASuspendedBodyIsNotWatchedOneThatSpinsIs) {
  AsyncServed served;
  std::atomic<bool> spin{true};
  const Completion<> go;
  const auto task = served.Suspended(TaskSpec::Once("beats", [&](TaskContext& context) -> Async<> {
                                       const InFrame frame;
                                       context.Beat();
                                       co_await go;
                                       while (spin) std::this_thread::yield();
                                       co_await taskvisor::UntilCancelled();
                                     }).WithHeartbeat(milliseconds(100)));
  for (int i = 0; i < 50; ++i) {
    served.Advance(milliseconds(100));
    std::this_thread::yield();
  }
  EXPECT_EQ(served.Count(EventKind::kTaskStuck, task), 0u);
  EXPECT_TRUE(go.Set());
  EXPECT_TRUE(served.AdvanceUntil([&] { return served.Count(EventKind::kTaskStuck, task) > 0; },
                                  milliseconds(30)));
  spin = false;
  served.Await(EventKind::kTaskRecovered, task);
  served.AwaitSuspended(task);
}

}  // namespace
}  // namespace taskvisor::testing
