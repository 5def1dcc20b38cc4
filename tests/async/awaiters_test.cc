// What a coroutine body can wait for, one after the other: ready at once, ready later, cancelled,
// timed out, and at the end no frame is left.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/async/frames.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(Async, ABodyThatNeverWaitsIsABodyAsAnyOther) {
  AsyncServed served;
  const auto task = served.Watch(TaskSpec::Once("plain", [](TaskContext& c) -> Async<TaskResult> {
    const InFrame frame;
    co_return c.attempt() == 1 ? Ok() : Fail("no");
  }));
  EXPECT_EQ(served.Outcome(task).kind(), OutcomeKind::kCompleted);
  const std::vector<EventKind> story{EventKind::kTaskAddRequested, EventKind::kTaskAdded,
                                     EventKind::kTaskStarting,     EventKind::kTaskStopped,
                                     EventKind::kActorExhausted,   EventKind::kTaskRemoved};
  EXPECT_EQ(served.Story(task), story);
}

TEST(Async, EveryKindOfResultIsTaken) {
  AsyncServed served;
  EXPECT_EQ(KindOf(served.Watch(TaskSpec::Once([]() -> Async<> { co_return; })).waiter),
            OutcomeKind::kCompleted);
  EXPECT_EQ(KindOf(served
                       .Watch(TaskSpec::Once(
                           []() -> Async<absl::Status> { co_return absl::CancelledError(); }))
                       .waiter),
            OutcomeKind::kCancelled);
  EXPECT_EQ(served.handle
                .AddAndWatch(TaskSpec::Once([]() -> Async<std::string> {
                  co_await Yield();
                  co_return "text";
                }))
                ->waiter.Get()
                .value(),
            "text");
  EXPECT_EQ(*served.handle
                 .AddAndWatch(TaskSpec::Once(
                     []() -> Async<std::unique_ptr<int>> { co_return std::make_unique<int>(3); }))
                 ->waiter.Get()
                 .value(),
            3);
  const auto status = served.handle.AddAndWatch(
      TaskSpec::Once([]() -> Async<absl::StatusOr<int>> { co_return absl::NotFoundError("row"); }));
  EXPECT_EQ(status->waiter.Get().status().message(), "row");
}

TEST(Async, SleepForSleepsOnTheSupervisorsClock) {
  AsyncServed served;
  std::atomic<int> slept{0};
  const auto task = served.Suspended(TaskSpec::Once([&]() -> Async<> {
    const InFrame frame;
    for (int i = 0; i < 3; ++i) slept += co_await SleepFor(hours(1)) ? 1 : 0;
    slept += co_await SleepFor(Duration::zero()) ? 1 : 0;
  }));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(slept, i);
    served.AwaitSuspended(task);
    served.Advance(hours(1) - milliseconds(1));
    EXPECT_EQ(slept, i);
    served.Advance(milliseconds(1));
    ASSERT_TRUE(Eventually([&] { return slept > i; }));
  }
  EXPECT_EQ(served.Outcome(task).kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(slept, 4);
}

TEST(Async, ASleepIsCutShortByCancelAndSaysSo) {
  AsyncServed served;
  std::atomic<int> said{-1};
  const auto task = served.Suspended(TaskSpec::Once([&](TaskContext& context) -> Async<TaskResult> {
    const InFrame frame;
    said = co_await SleepFor(hours(1)) ? 1 : 0;
    EXPECT_EQ(context.Cause(), CancelCause::kRemoved);
    EXPECT_FALSE(co_await SleepFor(hours(1)));  // and so does the next, at once
    co_return Cancelled();
  }));
  EXPECT_TRUE(served.handle.Remove(task.id).value());
  EXPECT_EQ(served.Outcome(task).kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(said, 0);
}

TEST(Async, UntilCancelledGivesTheCause) {
  AsyncServed served;
  std::atomic<CancelCause> cause{CancelCause::kNone};
  const auto task = served.Suspended(TaskSpec::Once([&]() -> Async<> {
    const InFrame frame;
    cause = co_await taskvisor::UntilCancelled();
    cause = co_await taskvisor::UntilCancelled();
  }));
  EXPECT_TRUE(served.handle.Cancel(task.id).value());
  EXPECT_EQ(cause, CancelCause::kCancelled);
}

TEST(Async, YieldLetsTheOthersRunFirst) {
  AsyncServed served({.workers = 1});
  HeldBody held;
  const auto holder = served.Watch(TaskSpec::Once(held.Body()));
  ASSERT_TRUE(held.Inside());
  std::string order;  // one worker
  const auto a = served.Watch(TaskSpec::Once([&]() -> Async<> {
    const InFrame frame;
    order += 'a';
    co_await Yield();
    order += 'A';
  }));
  const auto b = served.Watch(TaskSpec::Once([&]() -> Async<> {
    order += 'b';
    co_await Yield();
    order += 'B';
  }));
  held.LetGo();
  EXPECT_EQ(served.Outcome(a).kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(served.Outcome(b).kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(order, "abAB");
}

TEST(Async, AWaiterIsAwaitedWithoutAWorker) {
  AsyncServed served({.workers = 1});
  const auto inner = served.handle.AddAndWatch(TaskSpec::Once([]() -> Async<int> {
    co_await SleepFor(hours(1));
    co_return 7;
  }));
  std::atomic<int> got{0};
  std::atomic<bool> untyped{false};
  const auto outer = served.Suspended(TaskSpec::Once([&, waiter = inner->waiter]() -> Async<> {
    const InFrame frame;
    const absl::StatusOr<int> value = co_await waiter;
    got = value.value();
    const TaskWaiter& plain = waiter;  // there already
    const absl::StatusOr<TaskOutcome> outcome = co_await plain;
    untyped = outcome.value().IsSuccess();
  }));
  ASSERT_TRUE(served.AdvanceUntil([&] { return inner->waiter.Ready(); }, hours(1)));
  EXPECT_EQ(served.Outcome(outer).kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(got, 7);
  EXPECT_TRUE(untyped);
}

TEST(Async, AWaiterOfASpecThatWasDroppedAnswers) {
  AsyncServed served;
  auto spec = std::make_unique<TaskSpec>(TaskSpec::Once(DoNothing));
  std::atomic<bool> unavailable{false};
  const auto task = served.Suspended(TaskSpec::Once([&, waiter = spec->Watch()]() -> Async<> {
    const InFrame frame;
    const auto outcome = co_await waiter;
    unavailable = outcome.status().code() == absl::StatusCode::kUnavailable;
  }));
  spec.reset();
  EXPECT_EQ(served.Outcome(task).kind(), OutcomeKind::kCompleted);
  EXPECT_TRUE(unavailable);
}

TEST(Async, ACompletionWakesAllWhoAwaitIt) {
  AsyncServed served;
  const Completion<std::string> word;
  std::atomic<int> heard{0};
  std::vector<WatchedTask> tasks;
  for (int i = 0; i < 20; ++i) {
    tasks.push_back(served.Suspended(TaskSpec::Once([&, word]() -> Async<> {
      const InFrame frame;
      const std::string got = co_await word;
      heard += got == "go" ? 1 : 0;
    })));
  }
  EXPECT_TRUE(word.Set("go"));
  EXPECT_FALSE(word.Set("again"));
  for (const auto& task : tasks) {
    EXPECT_EQ(served.Outcome(task).kind(), OutcomeKind::kCompleted);
  }
  EXPECT_EQ(heard, 20);
  EXPECT_TRUE(word.IsSet());
}

TEST(Async, ACompletionTakesWhatCanOnlyBeMovedAndWhatThrows) {
  AsyncServed served;
  const Completion<std::unique_ptr<int>> moved;
  const Completion<> nothing;
  std::atomic<int> got{0};
  const auto task = served.Suspended(TaskSpec::Once([&]() -> Async<> {
    const InFrame frame;
    const std::unique_ptr<int> pointer = co_await moved;
    got = *pointer;
    co_await nothing;
  }));
  EXPECT_TRUE(moved.Set(std::make_unique<int>(5)));
  ASSERT_TRUE(Eventually([&] { return got == 5; }));
  EXPECT_TRUE(nothing.Set());
  EXPECT_EQ(served.Outcome(task).kind(), OutcomeKind::kCompleted);

  struct Throws {
    explicit Throws(bool now) {
      if (now) throw std::runtime_error("built");
    }
  };
  const Completion<Throws> touchy;
  EXPECT_THROW(touchy.Set(true), std::runtime_error);
  EXPECT_FALSE(touchy.IsSet());
  EXPECT_TRUE(touchy.Set(false));
}

TEST(Async, ABodyThatWaitsIsDestroyedWhenItIsCancelled) {
  AsyncServed served;
  const Completion<int> never;
  std::atomic<bool> went_on{false};
  const auto body = [&](TaskContext&) -> Async<> {
    const InFrame frame;
    co_await never;
    went_on = true;
  };
  const auto task = served.Suspended(TaskSpec::Restartable("waits", body));
  EXPECT_EQ(InFrame::alive(), 1);
  EXPECT_TRUE(served.handle.Cancel(task.id).value());
  EXPECT_EQ(InFrame::alive(), 0);
  EXPECT_EQ(served.Outcome(task).kind(), OutcomeKind::kCancelled);
  const Event stopped = served.Await(EventKind::kTaskStopped, task);
  EXPECT_EQ(stopped.cause(), CancelCause::kCancelled);
  never.Set(1);  // nobody is there any more
  EXPECT_FALSE(went_on);
}

TEST(Async, ASuspendedBodyTimesOutAtItsDeadline) {
  AsyncServed served;
  const Completion<int> never;
  const auto task = served.Suspended(TaskSpec::Restartable("waits",
                                                           [&]() -> Async<> {
                                                             const InFrame frame;
                                                             co_await never;
                                                           })
                                         .WithTimeout(milliseconds(10))
                                         .WithMaxRetries(1)
                                         .WithBackoff(kNoBackoff));
  served.Advance(milliseconds(10));
  const Event failed = served.Await(EventKind::kTaskFailed, task);
  EXPECT_EQ(failed.duration(), Duration(milliseconds(10)));
  served.Await(EventKind::kTaskStarting, task, 2);
  served.AwaitSuspended(task);
  served.Advance(milliseconds(10));
  EXPECT_EQ(served.Outcome(task).kind(), OutcomeKind::kFailed);
  const std::vector<EventKind> story{
      EventKind::kTaskAddRequested, EventKind::kTaskAdded,  EventKind::kTaskStarting,
      EventKind::kTimeoutHit,       EventKind::kTaskFailed, EventKind::kBackoffScheduled,
      EventKind::kTaskStarting,     EventKind::kTimeoutHit, EventKind::kTaskFailed,
      EventKind::kActorExhausted,   EventKind::kTaskRemoved};
  EXPECT_EQ(served.Story(task), story);
  EXPECT_EQ(InFrame::ended(), 2);
}

TEST(Async, RunUntilCancelledGivesTheValueOrNothing) {
  AsyncServed served;
  const Completion<int> first;
  const Completion<int> never;
  std::atomic<int> got{0};
  std::atomic<bool> slept{false};
  std::atomic<bool> cleaned{false};
  const auto task = served.Suspended(TaskSpec::Once([&](TaskContext& context) -> Async<TaskResult> {
    const InFrame frame;
    const std::optional<int> value = co_await context.RunUntilCancelled(first);
    got = value.value_or(-1);
    slept = (co_await context.RunUntilCancelled(SleepFor(milliseconds(1)))).value_or(false);
    while (auto more = co_await RunUntilCancelled(never)) got = *more;
    cleaned = true;
    co_return Cancelled();
  }));
  EXPECT_TRUE(first.Set(4));
  ASSERT_TRUE(Eventually([&] { return got == 4; }));
  served.AwaitSuspended(task);
  ASSERT_TRUE(served.AdvanceUntil([&] { return served.IsSuspended(task); }));
  served.Advance(milliseconds(1));
  ASSERT_TRUE(Eventually([&] { return slept.load(); }));
  EXPECT_TRUE(served.handle.Cancel(task.id).value());
  EXPECT_TRUE(cleaned);
  EXPECT_EQ(got, 4);
}

TEST(Async, WhoSleepsForNoTimeIsToldOfItsCancellationToo) {
  AsyncServed served;
  std::atomic<bool> begun{false};
  const auto task = served.Watch(TaskSpec::Once([&](TaskContext& context) -> Async<> {
    const InFrame frame;
    while (co_await context.RunUntilCancelled(SleepFor(milliseconds(0)))) begun = true;
  }));
  ASSERT_TRUE(Eventually([&] { return begun.load(); }));
  EXPECT_TRUE(served.handle.Cancel(task.id).value());
}

TEST(Async, AfterItsCancellationABodyMayNotWaitAnyMore) {
  AsyncServed served;
  const Completion<int> never;
  std::atomic<bool> went_on{false};
  const auto task = served.Suspended(TaskSpec::Once([&]() -> Async<> {
    const InFrame frame;
    co_await taskvisor::UntilCancelled();
    co_await Yield();  // waits for nothing
    co_await never;
    went_on = true;
  }));
  EXPECT_TRUE(served.handle.Cancel(task.id).value());
  EXPECT_FALSE(went_on);
}

}  // namespace
}  // namespace taskvisor::testing
