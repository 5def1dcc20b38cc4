// Statements 70, 71 and 73: cancellation as a body sees it.
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "taskvisor/task_context.h"
#include "tests/contract/clocks.h"
#include "tests/contract/served.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

TEST(ContractCancellation, S070_CancelledIsALockFreeReadForAnInnerLoop) {
  static_assert(std::atomic<uint64_t>::is_always_lock_free);
  static_assert(noexcept(std::declval<std::atomic<uint64_t>&>().load()));
  std::atomic<uint64_t> turns = 0;
  Served s;
  const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    while (!context.Cancelled()) ++turns;
  }));
  EXPECT_TRUE(Eventually([&] { return turns > 1000; }));
  EXPECT_TRUE(*s.handle.Remove(task.id));
  EXPECT_EQ(s.Outcome(task).kind(), OutcomeKind::kCancelled);
}

TEST(ContractCancellation, S070_WhatTheCancellerDidBeforeIsVisible) {
  Served s;
  for (int round = 0; round < 200; ++round) {
    Gate inside;
    int written = 0;  // plain: ordered by the cancellation alone
    const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) {
      inside.Open();
      while (!context.Cancelled()) {
      }
      EXPECT_EQ(written, 1);
    }));
    ASSERT_TRUE(inside.Wait());
    written = 1;
    EXPECT_TRUE(*s.handle.Remove(task.id));
    s.Outcome(task);
  }
}

TEST(ContractCancellation, S070_WaitCancelledWaitsAtMostItsLimitOfTheSupervisorsTime) {
  std::atomic<int> waited = 0;
  Served s;
  const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    EXPECT_FALSE(context.WaitCancelled(Duration::zero()));
    waited = 1;
    EXPECT_FALSE(context.WaitCancelled(1h));
    waited = 2;
    EXPECT_TRUE(context.WaitCancelled(Duration::max()));
  }));
  // Whenever it began to wait, it is done after at most an hour more.
  EXPECT_TRUE(s.AdvanceUntil([&] { return waited == 2; }, 1min));
  EXPECT_TRUE(*s.handle.Remove(task.id));
  EXPECT_EQ(s.Outcome(task).kind(), OutcomeKind::kCancelled);
}

TEST(ContractCancellation, S071_ASleepEndsEarlyWhenItIsCancelled) {
  Gate asleep;
  Served s;
  const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    asleep.Open();
    EXPECT_FALSE(context.SleepFor(1h));  // and time does not move
    EXPECT_FALSE(context.SleepFor(1h));  // at once
    EXPECT_FALSE(context.SleepFor(Duration::zero()));
  }));
  ASSERT_TRUE(asleep.Wait());
  EXPECT_TRUE(*s.handle.Remove(task.id));
  EXPECT_EQ(s.Outcome(task).kind(), OutcomeKind::kCancelled);
}

TEST(ContractCancellation, S071_ASleepThatNobodyDisturbsIsSleptToItsEnd) {
  std::atomic<bool> slept = false;
  Served s;
  const TimePoint start = s.clock->Now();
  const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    EXPECT_TRUE(context.SleepFor(Duration::zero()));
    EXPECT_TRUE(context.SleepFor(-1s));
    EXPECT_TRUE(context.SleepFor(1h));
    EXPECT_GE(context.Now() - start, 1h);
    slept = true;
  }));
  EXPECT_TRUE(s.AdvanceUntil([&] { return slept.load(); }, 1min));
  EXPECT_TRUE(s.Outcome(task).IsSuccess());
}

// Jumps to the end of a sleep, after it has done what it was told, at its n-th reading.
class JumpingClock : public ManualClockBase {
 public:
  TimePoint Now() const override {
    if (jump_at > 0 && --jump_at == 0) {
      before_jump();
      const_cast<JumpingClock*>(this)->Advance(1h);
    }
    return ManualClockBase::Now();
  }
  mutable int jump_at = 0;
  std::function<void()> before_jump;
};

TEST(ContractCancellation, S071_CancellationWinsATie) {
  // Cancelled before the sleep's time has come, whichever reading of the clock shows it.
  for (int reading = 1; reading <= 3; ++reading) {
    const auto clock = std::make_shared<JumpingClock>();
    DetachedContext detached({.clock = clock});
    clock->before_jump = [&] { detached.Cancel(); };
    clock->jump_at = reading;
    EXPECT_FALSE(detached.context().SleepFor(1h)) << "at reading " << reading;
  }
}

TEST(ContractCancellation, S073_CancellationIsASignalThatUndoesNothing) {
  Gate inside;
  Gate release;
  int done = 0;
  Served s;
  const auto task = s.Watch(TaskSpec::Once([&] {
    ++done;
    inside.Open();
    release.Pass();
    ++done;  // nobody made it stop
  }));
  ASSERT_TRUE(inside.Wait());
  EXPECT_TRUE(*s.handle.Remove(task.id));
  EXPECT_EQ(s.PhaseOf(task), TaskPhase::kStopping);
  EXPECT_FALSE(task.waiter.Ready());
  release.Open();
  EXPECT_EQ(s.Outcome(task).kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(done, 2);
}

}  // namespace
}  // namespace taskvisor::testing
