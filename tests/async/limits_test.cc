// Deadlines, last errors, callbacks and retry rules of bodies that are suspended.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/async/frames.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;
using enum EventKind;

using Kinds = std::vector<EventKind>;

const Kinds kStoryOfDeadline = {kTaskAddRequested, kTaskAdded,      kTaskStarting, kTimeoutHit,
                                kTaskFailed,       kActorExhausted, kTaskRemoved};

void ExpectOverdue(const TaskOutcome& outcome) {
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
  EXPECT_EQ(outcome.cause(), CancelCause::kDeadline);
  EXPECT_EQ(outcome.reason(), "deadline exceeded after 5s");
}

TEST(AsyncLimits, ASuspendedBodyMeetsItsTasksDeadlineAtThatTime) {
  AsyncServed served;
  const Completion<> never;
  const auto task = served.Suspended(TaskSpec::Restartable([&]() -> Async<> {
                                       const InFrame frame;
                                       co_await never;
                                     }).WithDeadline(5s));
  served.Advance(5s - 1ns);
  EXPECT_TRUE(served.IsSuspended(task));
  EXPECT_EQ(served.Count(kTimeoutHit, task), 0u);
  served.Advance(1ns);
  ExpectOverdue(Served::Outcome(task));
  EXPECT_EQ(InFrame::alive(), 0);
  EXPECT_EQ(served.Story(task), kStoryOfDeadline);
  const Event hit = served.Await(kTimeoutHit, task);
  EXPECT_EQ(hit.timeout(), 5s);
  EXPECT_EQ(hit.cause(), CancelCause::kDeadline);
}

TEST(AsyncLimits, ABodyThatHeedsTheDeadlineGoesOnAndTheTaskEndsWhenItReturns) {
  AsyncServed served;
  const auto task = served.Suspended(TaskSpec::Once([&](TaskContext& context) -> Async<> {
                                       const InFrame frame;
                                       EXPECT_EQ(context.Remaining(), 5s);
                                       co_await taskvisor::UntilCancelled();
                                       EXPECT_EQ(context.Cause(), CancelCause::kDeadline);
                                       EXPECT_EQ(context.Remaining(), Duration::zero());
                                       served.Advance(50ms);
                                     }).WithDeadline(5s));
  served.Advance(5s);
  ExpectOverdue(Served::Outcome(task));  // its success came late
  EXPECT_EQ(served.Story(task), kStoryOfDeadline);
  EXPECT_EQ(served.Await(kTaskFailed, task).overrun(), 50ms);
}

TEST(AsyncLimits, TheSmallerOfTheDeadlineAndTheTimeoutCounts) {
  AsyncServed served;
  const Completion<> never;
  std::atomic<uint32_t> begun{0};
  const auto task =
      served.Suspended(TaskSpec::Restartable([&](TaskContext& context) -> Async<> {
                         const InFrame frame;
                         EXPECT_EQ(context.Remaining(), context.attempt() == 1 ? 3s : 2s);
                         begun = context.attempt();
                         co_await never;
                       })
                           .WithTimeout(3s)
                           .WithBackoff(kNoBackoff)
                           .WithDeadline(5s));
  served.Advance(3s);
  EXPECT_EQ(served.Await(kTimeoutHit, task).timeout(), 3s);
  ASSERT_TRUE(Eventually([&] { return begun == 2 && served.IsSuspended(task); }));
  served.Advance(2s);
  const Event hit = served.Await(kTimeoutHit, task, 2);
  EXPECT_EQ(hit.timeout(), 5s);
  EXPECT_EQ(hit.cause(), CancelCause::kDeadline);
  ExpectOverdue(Served::Outcome(task));
}

TEST(AsyncLimits, ABodyThatWaitsForAPermitToGoOnIsToldOfTheDeadlineAtThatTime) {
  AsyncServed served({.max_concurrent = 1});
  const Completion<> go;
  CancelCause seen = CancelCause::kNone;
  const auto task = served.Suspended(TaskSpec::Once([&](TaskContext& context) -> Async<> {
                                       const InFrame frame;
                                       co_await go;
                                       seen = context.Cause();
                                     }).WithDeadline(5s));
  HeldBody held;
  const auto first = served.Watch(TaskSpec::Once(held.Body()));
  ASSERT_TRUE(held.Inside());
  EXPECT_TRUE(go.Set());
  ASSERT_TRUE(Eventually([&] { return served.PhaseOf(task) == TaskPhase::kWaiting; }));
  served.Advance(5s);
  served.Await(kTimeoutHit, task);
  EXPECT_FALSE(task.waiter.Ready());  // what it waited for is there, and to take it needs a permit
  held.LetGo();
  ExpectOverdue(Served::Outcome(task));
  EXPECT_EQ(seen, CancelCause::kDeadline);
  EXPECT_EQ(served.Story(task), kStoryOfDeadline);
  EXPECT_TRUE(Eventually([&] { return served.handle.Stats().permits == 1; }));
}

TEST(AsyncLimits, NoAttemptBeginsAfterTheDeadline) {
  AsyncServed served({.workers = 1});
  std::atomic<bool> begun{false};
  HeldBody held;
  const auto first = served.Watch(TaskSpec::Once(held.Body()));
  ASSERT_TRUE(held.Inside());
  const auto task = served.Watch(TaskSpec::Once([&]() -> Async<> {
                                   begun = true;
                                   co_return;
                                 }).WithDeadline(5s));
  served.Advance(5s);
  held.LetGo();  // the worker is here before the timer, or after it
  ExpectOverdue(Served::Outcome(task));
  EXPECT_FALSE(begun);
  EXPECT_EQ(served.Story(task),
            (Kinds{kTaskAddRequested, kTaskAdded, kActorExhausted, kTaskRemoved}));
}

TEST(AsyncLimits, AWakeUpAndTheDeadlineAtATimeGiveOneEndAndNoTwoTimeoutHits) {
  AsyncServed served;
  for (int round = 0; round < 200; ++round) {
    const Completion<> go;
    const auto task = served.Suspended(TaskSpec::Once([&]() -> Async<> {
                                         const InFrame frame;
                                         co_await go;
                                       }).WithDeadline(5s));
    std::thread waker([&] { EXPECT_TRUE(go.Set()); });
    served.Advance(5s);
    waker.join();
    const TaskOutcome outcome = Served::Outcome(task);
    if (!outcome.IsSuccess()) ExpectOverdue(outcome);
    static_cast<void>(served.Story(task));
    EXPECT_EQ(served.Count(kTimeoutHit, task), outcome.IsSuccess() ? 0u : 1u) << "round " << round;
    EXPECT_EQ(InFrame::alive(), 0);
  }
}

TEST(AsyncLimits, TheSecondAttemptSeesTheErrorOfTheFirstAndTheThirdNone) {
  AsyncServed served;
  const auto body = [](TaskContext& context) -> Async<TaskResult> {
    const InFrame frame;
    co_await Yield();
    const TaskError* const last = context.LastError();
    if (context.attempt() != 2) {
      EXPECT_EQ(last, nullptr) << "attempt " << context.attempt();
      co_return context.attempt() == 1 ? Fail("busy").WithExitCode(7) : Fatal("the end");
    }
    if (last == nullptr) co_return Fatal("no last error");
    EXPECT_EQ(last->reason, "busy");
    EXPECT_EQ(last->exit_code, 7);
    co_await Yield();
    EXPECT_EQ(context.LastError(), last);
    co_return Ok();
  };
  const auto task =
      served.Watch(TaskSpec::Periodic(Duration::zero(), body).WithBackoff(kNoBackoff));
  ASSERT_TRUE(served.AdvanceUntil([&] { return task.waiter.Ready(); }));
  EXPECT_EQ(Served::Outcome(task).reason(), "the end");
}

struct Heavy : std::runtime_error {
  explicit Heavy(std::shared_ptr<int> made) : runtime_error("heavy"), load(std::move(made)) {}
  std::shared_ptr<int> load;
};

TEST(AsyncLimits, TheLastErrorGoesWithTheAttemptThatSawIt) {
  AsyncServed served;
  std::weak_ptr<int> load;
  std::atomic<bool> second{false};
  const auto task = served.Watch(TaskSpec::Restartable([&](TaskContext& context) -> Async<> {
                                   const InFrame frame;
                                   co_await Yield();
                                   if (context.attempt() == 1) {
                                     auto made = std::make_shared<int>(1);
                                     load = made;
                                     throw Heavy(std::move(made));
                                   }
                                   second = true;
                                   co_await Completion<>();
                                 }).WithBackoff(kNoBackoff));
  ASSERT_TRUE(Eventually([&] { return second && served.IsSuspended(task); }));
  EXPECT_FALSE(load.expired());
  EXPECT_TRUE(served.handle.Cancel(task.id).value());
  EXPECT_EQ(Served::Outcome(task).kind(), OutcomeKind::kCancelled);
  EXPECT_TRUE(Eventually([&] { return load.expired(); }));
}

TEST(AsyncLimits, ACallbackRunsOnWhoCancelsASuspendedBody) {
  AsyncServed served;
  std::atomic<int> calls{0};
  std::thread::id caller;
  const auto task = served.Suspended(TaskSpec::Once([&](TaskContext& context) -> Async<> {
    const InFrame frame;
    const auto on_cancel = context.OnCancel([&] {
      EXPECT_EQ(InFrame::alive(), 1);  // what it may use is there
      caller = std::this_thread::get_id();
      ++calls;
    });
    co_await Completion<>();
  }));
  EXPECT_TRUE(served.handle.Remove(task.id).value());
  EXPECT_EQ(Served::Outcome(task).kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(caller, std::this_thread::get_id());
}

TEST(AsyncLimits, ACallbackMayGiveTheBodyWhatItWaitsFor) {
  AsyncServed served;
  std::atomic<bool> went_on{false};
  const auto task = served.Suspended(TaskSpec::Once([&](TaskContext& context) -> Async<> {
                                       const InFrame frame;
                                       const Completion<> ended;
                                       const auto on_cancel =
                                           context.OnCancel([&] { EXPECT_TRUE(ended.Set()); });
                                       co_await ended;
                                       EXPECT_EQ(context.Cause(), CancelCause::kDeadline);
                                       went_on = true;
                                     }).WithDeadline(5s));
  served.Advance(5s);  // on the timer thread
  ExpectOverdue(Served::Outcome(task));
  EXPECT_TRUE(went_on);
}

TEST(AsyncLimits, ACallbackThatIsGoneIsNotCalled) {
  AsyncServed served;
  std::atomic<int> calls{0};
  const auto task = served.Suspended(TaskSpec::Once([&](TaskContext& context) -> Async<> {
    const InFrame frame;
    {
      const auto on_cancel = context.OnCancel([&] { ++calls; });
      co_await Yield();
    }
    co_await Completion<>();
  }));
  EXPECT_TRUE(served.handle.Remove(task.id).value());
  EXPECT_EQ(Served::Outcome(task).kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(calls, 0);
}

TEST(AsyncLimits, ARetryRuleIsAskedAboutWhatLeavesACoroutine) {
  AsyncServed served;
  const auto body = [](TaskContext& context) -> Async<int> {
    const InFrame frame;
    co_await Yield();
    if (context.attempt() == 1) throw std::runtime_error("busy");
    if (context.attempt() == 2) throw std::logic_error("gone");
    co_return 3;
  };
  auto spec = TaskSpec::Restartable(body).WithBackoff(kNoBackoff);
  const auto only_busy = served.Watch(
      TaskSpec::Restartable(body).WithBackoff(kNoBackoff).WithRetryOn<std::runtime_error>());
  const TaskOutcome outcome = Served::Outcome(only_busy);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFatal);
  EXPECT_EQ(outcome.reason(), "task panicked: gone");
  EXPECT_EQ(outcome.attempts(), 2u);
  const auto all =
      served.handle.AddAndWatch(std::move(spec).WithRetryIf([](const TaskError&) { return true; }));
  EXPECT_EQ(all->waiter.Get().value(), 3);
}

TEST(AsyncLimits, ATypedSpecStaysOneWhateverItIsGiven) {
  AsyncServed served;
  const auto body = []() -> Async<int> { co_return 7; };
  auto spec = TaskSpec::Once(body)
                  .WithDeadline(5s)
                  .WithoutDeadline()
                  .WithRetryIf(nullptr)
                  .WithRetryOn<std::runtime_error>()
                  .WithFatalOn<std::logic_error>();
  static_assert(std::is_same_v<decltype(spec), TypedSpec<int>>);
  EXPECT_EQ(spec.deadline(), std::optional<std::optional<Duration>>(std::in_place));
  EXPECT_EQ(served.handle.AddAndWatch(std::move(spec))->waiter.Get().value(), 7);
}

TEST(AsyncLimits, AWaitThatBlocksWorksInACoroutineAndKeepsItsWorker) {
  AsyncServed served({.workers = 1});
  const Signal filled;
  std::atomic<bool> full{false};
  Gate inside;
  const auto task = served.Watch(TaskSpec::Once([&](TaskContext& context) -> Async<> {
    const InFrame frame;
    co_await Yield();
    inside.Open();
    EXPECT_TRUE(context.WaitFor(filled, [&] { return full.load(); }));
  }));
  ASSERT_TRUE(inside.Wait());
  const auto other = served.Watch(TaskSpec::Once([] {}));
  EXPECT_FALSE(served.IsSuspended(task));
  EXPECT_FALSE(other.waiter.Ready());
  full = true;
  filled.Notify();
  EXPECT_TRUE(Served::Outcome(task).IsSuccess());
  EXPECT_TRUE(Served::Outcome(other).IsSuccess());
}

}  // namespace
}  // namespace taskvisor::testing
