// Statements 63 to 65: the timeout of one attempt.
#include <atomic>
#include <chrono>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include "tests/contract/clocks.h"
#include "tests/contract/served.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

TEST(ContractTimeout, S063_TheTimeoutStartsWithTheBodyNotWithTheWaitForAPermit) {
  Gate release_holder;
  Gate inside;
  Gate release;
  Served s({.max_concurrent = 1});
  const auto holder = s.Watch(TaskSpec::Once([&] { release_holder.Pass(); }));
  s.Await(EventKind::kTaskStarting, holder);
  const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) {
                              EXPECT_EQ(context.Deadline(), context.Now() + 100ms);
                              inside.Open();
                              release.Pass();
                            }).WithTimeout(100ms));
  EXPECT_TRUE(Eventually([&] { return s.PhaseOf(task) == TaskPhase::kWaiting; }));
  s.Advance(1h);
  release_holder.Open();
  ASSERT_TRUE(inside.Wait());
  s.Advance(100ms - 1ns);
  release.Open();
  EXPECT_TRUE(s.Outcome(task).IsSuccess());
}

TEST(ContractTimeout, S063_EachAttemptHasAFreshTimeoutOfItsOwn) {
  Served s;
  const auto clock = s.clock;
  std::vector<Duration> left;
  const auto task = s.Watch(TaskSpec::Restartable([&, clock](TaskContext& context) -> TaskResult {
                              left.push_back(context.Deadline() - context.Now());
                              clock->Advance(60ms);  // of 100: two of them would be too long
                              return context.attempt() < 4 ? Fail("again") : Ok();
                            })
                                .WithTimeout(100ms)
                                .WithBackoff(kNoBackoff));
  EXPECT_TRUE(s.Outcome(task).IsSuccess());
  EXPECT_EQ(left, std::vector<Duration>(4, 100ms));
  s.Story(task);
  EXPECT_EQ(s.Count(EventKind::kTimeoutHit, task), 0u);
}

TEST(ContractTimeout, S064_NoneOrZeroMeansNoTimeout) {
  Served s({.task_defaults = {.timeout = 1s}});
  const auto clock = s.clock;
  const auto body = [=](TaskContext& context) {
    EXPECT_EQ(context.Deadline(), TimePoint::max());
    clock->Advance(24h);
    EXPECT_FALSE(context.Cancelled());
  };
  const auto none = s.Watch(TaskSpec::Once(body).WithoutTimeout());
  EXPECT_TRUE(s.Outcome(none).IsSuccess());
  const auto zero = s.Watch(TaskSpec::Once(body).WithTimeout(0s));
  EXPECT_TRUE(s.Outcome(zero).IsSuccess());
  s.Story(zero);
  EXPECT_EQ(s.recorder->Count(Recorder::Is(EventKind::kTimeoutHit)), 0u);
}

TEST(ContractTimeout, S064_AnUnstatedTimeoutIsTheSupervisorsDefault) {
  Served s({.task_defaults = {.timeout = 1s}});
  const auto task = s.Watch(TaskSpec::Once([](TaskContext& context) -> TaskResult {
    return context.Deadline() == context.Now() + 1s ? Ok() : Fail("another deadline");
  }));
  EXPECT_TRUE(s.Outcome(task).IsSuccess());
}

TEST(ContractTimeout, S065_TheDeadlineIsToldAtOnceAndTheFailureWhenTheBodyReturns) {
  Gate release;
  std::atomic<bool> told = false;
  Served s;
  const auto task =
      s.Watch(TaskSpec::Once([&](TaskContext& context) {
                const std::stop_callback tell(context.StopToken(), [&] { told = true; });
                EXPECT_TRUE(context.WaitCancelled(Duration::max()));
                EXPECT_EQ(context.Cause(), CancelCause::kTimeout);
                release.Pass();
              }).WithTimeout(100ms));
  s.Await(EventKind::kTaskStarting, task);
  s.Advance(100ms - 1ns);
  EXPECT_EQ(s.Count(EventKind::kTimeoutHit, task), 0u);
  s.Advance(1ns);
  const Event hit = s.Await(EventKind::kTimeoutHit, task);
  EXPECT_EQ(hit.timeout(), 100ms);
  EXPECT_EQ(hit.attempt(), 1u);
  EXPECT_TRUE(Eventually([&] { return told.load(); }));
  EXPECT_EQ(s.PhaseOf(task), TaskPhase::kRunning);
  EXPECT_FALSE(task.waiter.Ready());
  EXPECT_EQ(s.Count(EventKind::kTaskFailed, task), 0u) << "the body still runs";
  s.Advance(50ms);
  release.Open();
  const Event failed = s.Await(EventKind::kTaskFailed, task);
  EXPECT_EQ(failed.overrun(), 50ms);
  EXPECT_EQ(failed.duration(), 150ms);
  EXPECT_EQ(failed.reason(), "timed out after 100ms");
  EXPECT_EQ(s.Outcome(task).reason(), "timed out after 100ms");
  EXPECT_EQ(s.Outcome(task).cause(), CancelCause::kTimeout);
  const std::vector<EventKind> story = {EventKind::kTaskAddRequested, EventKind::kTaskAdded,
                                        EventKind::kTaskStarting,     EventKind::kTimeoutHit,
                                        EventKind::kTaskFailed,       EventKind::kActorExhausted,
                                        EventKind::kTaskRemoved};
  EXPECT_EQ(s.Story(task), story);
}

// A manual clock that stops one thread at the moment when it stamps an event.
class HoldingClock : public ManualClockBase {
 public:
  WallTime WallAt(TimePoint reading) const override {
    if (std::this_thread::get_id() != owner_ && armed_.exchange(false)) {
      held.Open();
      go.Pass();
    }
    return ManualClockBase::WallAt(reading);
  }

  // The next event that another thread than this one publishes.
  void HoldNext() {
    owner_ = std::this_thread::get_id();
    armed_ = true;
  }

  mutable Gate held;
  mutable Gate go;

 private:
  std::thread::id owner_;
  mutable std::atomic<bool> armed_ = false;
};

TEST(ContractTimeout, S065_ADeadlineThatPassesWhileTheAttemptBeginsIsToldAfterItsBeginning) {
  const auto clock = std::make_shared<HoldingClock>();
  Served s({.workers = 2, .clock = clock});
  const auto later =
      s.Watch(TaskSpec::Restartable(Scripted("fs")).WithBackoff(BackoffPolicy::Constant(200ms)));
  s.Await(EventKind::kBackoffScheduled, later);
  clock->HoldNext();
  const auto task = s.Watch(TaskSpec::Once([] {}).WithTimeout(100ms));
  ASSERT_TRUE(clock->held.Wait());  // a worker is about to publish its TaskStarting
  clock->Advance(100ms);
  clock->Advance(100ms);
  EXPECT_TRUE(s.Outcome(later).IsSuccess());  // so the timer thread has been at the deadline
  clock->go.Open();
  const std::vector<EventKind> story = {EventKind::kTaskAddRequested, EventKind::kTaskAdded,
                                        EventKind::kTaskStarting,     EventKind::kTimeoutHit,
                                        EventKind::kTaskFailed,       EventKind::kActorExhausted,
                                        EventKind::kTaskRemoved};
  EXPECT_EQ(s.Story(task), story);
  EXPECT_EQ(s.Await(EventKind::kTimeoutHit, task).attempt(), 1u);
}

}  // namespace
}  // namespace taskvisor::testing
