// What a body may ask its TaskContext, beyond the contract: what is left of its time, what
// went wrong before, to be woken, and to be called back.

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

#include "taskvisor/task_context.h"
#include "tests/contract/served.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

TEST(Context, RemainingIsTheTimeToTheDeadlineAndNeverNegative) {
  Served s;
  const auto clock = s.clock;
  const auto task = s.Watch(TaskSpec::Once([clock](TaskContext& context) {
                              EXPECT_EQ(context.Remaining(), 100ms);
                              clock->Advance(40ms);
                              EXPECT_EQ(context.Remaining(), 60ms);
                              clock->Advance(1h);
                              EXPECT_EQ(context.Remaining(), 0ms);
                            }).WithTimeout(100ms));
  s.Outcome(task);
  s.Outcome(s.Watch(TaskSpec::Once(
      [](TaskContext& context) { EXPECT_EQ(context.Remaining(), Duration::max()); })));
}

TEST(Context, TheLastErrorIsTheOneOfTheAttemptBefore) {
  Served s;
  std::vector<std::string> seen;
  std::vector<bool> had_source;
  const auto task = s.Watch(TaskSpec::Periodic(1ms, [&](TaskContext& context) -> TaskResult {
                              const TaskError* last = context.LastError();
                              seen.push_back(last == nullptr ? "none" : last->reason);
                              had_source.push_back(last != nullptr && last->source != nullptr);
                              switch (context.attempt()) {
                                case 1:
                                  return Fail("first").WithExitCode(7);
                                case 2:
                                  EXPECT_EQ(last->exit_code, 7);
                                  throw std::runtime_error("second");
                                case 3:
                                  return Ok();
                                default:
                                  return Fatal("last");
                              }
                            }).WithBackoff(kNoBackoff));
  EXPECT_TRUE(s.AdvanceUntil([&] { return task.waiter.Ready(); }));
  EXPECT_EQ(seen, (std::vector<std::string>{"none", "first", "task panicked: second", "none"}));
  EXPECT_EQ(had_source, (std::vector<bool>{false, false, true, false}));
}

// Whoever has one of the counts has the exception still.
struct Counted : std::runtime_error {
  explicit Counted(std::shared_ptr<int> c) : std::runtime_error("counted"), count(std::move(c)) {}
  std::shared_ptr<int> count;
};

TEST(Context, AnErrorThatNobodyAskedForIsGoneWithItsTask) {
  Served s;
  for (int round = 0; round < 300; ++round) {  // the stop comes at the end of the attempt, or after
    const auto count = std::make_shared<int>(0);
    const auto task = s.Watch(TaskSpec::Restartable([count] {
                                throw Counted(count);
                              }).WithBackoff(BackoffPolicy::Constant(1h)));
    s.Await(EventKind::kBackoffScheduled, task);
    EXPECT_TRUE(*s.handle.Cancel(task.id));
    ASSERT_EQ(count.use_count(), 1) << round;
  }
}

TEST(Context, AnErrorThatNobodyWatchedIsGoneWithItsTask) {
  Served s;
  for (int round = 0; round < 300; ++round) {
    const auto count = std::make_shared<int>(0);
    Gate go;
    const auto id = s.handle.Add(TaskSpec::Once([count, &go] {
      go.Pass();
      throw Counted(count);
    }));
    ASSERT_TRUE(id.ok());
    go.Open();
    static_cast<void>(s.handle.Cancel(*id));  // answers when it is gone, or finds it gone
    ASSERT_TRUE(Eventually([&] { return s.handle.Stats().tasks == 0; }));
    ASSERT_EQ(count.use_count(), 1) << round;
  }
}

TEST(Context, WaitForIsWokenBySignal) {
  Served s;
  Signal signal;
  std::atomic<bool> ready = false;
  Gate asked;
  const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) -> TaskResult {
    const auto condition = [&] { return asked.Open(), ready.load(); };
    return context.WaitFor(signal, condition) ? Ok() : Fail("no");
  }));
  ASSERT_TRUE(asked.Wait());
  ready = true;
  signal.Notify();
  EXPECT_TRUE(s.Outcome(task).IsSuccess());
}

TEST(Context, NoSignalIsLostAgainstAWaitThatBegins) {
  Served s;
  for (int round = 0; round < 500; ++round) {
    Signal signal;
    std::atomic<bool> ready = false;
    const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) -> TaskResult {
      return context.WaitFor(signal, [&] { return ready.load(); }) ? Ok() : Fail("no");
    }));
    ready = true;
    signal.Notify();
    ASSERT_TRUE(s.Outcome(task).IsSuccess());
  }
}

TEST(Context, WaitForEndsWithTheCancellationWithoutASignal) {
  Served s;
  Signal signal;
  Gate asked;
  const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) -> TaskResult {
    EXPECT_FALSE(context.WaitFor(signal, [&] { return asked.Open(), false; }));
    // Cancelled before: not even asked.
    EXPECT_FALSE(context.WaitFor(signal, [] { return ADD_FAILURE(), true; }));
    return Cancelled();
  }));
  ASSERT_TRUE(asked.Wait());
  EXPECT_TRUE(*s.handle.Cancel(task.id));
  s.Outcome(task);
}

TEST(Context, WaitForEndsAtItsLimitOnTheSupervisorsClock) {
  Served s;
  Signal signal;
  Gate asked;
  const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) -> TaskResult {
    const bool met = context.WaitFor(
        signal, [&] { return asked.Open(), false; }, 5s);
    EXPECT_FALSE(context.Cancelled());
    return met ? Fail("met") : Ok();
  }));
  ASSERT_TRUE(asked.Wait());
  s.Advance(5s - 1ns);
  EXPECT_FALSE(task.waiter.Ready());
  s.Advance(1ns);
  EXPECT_TRUE(s.Outcome(task).IsSuccess());
}

TEST(Context, AConditionThatThrowsEndsTheWait) {
  Served s;
  Signal signal;
  const auto thrower = []() -> bool { throw std::runtime_error("odd"); };
  const auto task = s.Watch(TaskSpec::Once(
      [&](TaskContext& context) { static_cast<void>(context.WaitFor(signal, thrower)); }));
  EXPECT_EQ(s.Outcome(task).reason(), "task panicked: odd");
  s.Advance(1s);  // nobody is left at the clock's watch
}

TEST(OnCancel, RunsOnceOnTheThreadThatCancels) {
  Served s;
  Gate registered;
  std::atomic<int> calls = 0;
  std::thread::id caller;
  const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    const auto on_cancel = context.OnCancel([&] {
      caller = std::this_thread::get_id();
      ++calls;
    });
    registered.Open();
    EXPECT_TRUE(context.WaitCancelled(Duration::max()));
    EXPECT_TRUE(Eventually([&] { return calls == 1; }));
  }));
  ASSERT_TRUE(registered.Wait());
  EXPECT_TRUE(*s.handle.Remove(task.id));
  s.Outcome(task);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(caller, std::this_thread::get_id());
}

TEST(OnCancel, RunsAtOnceIfCancelledBeforeAndNeverAfterItsObjectIsGone) {
  DetachedContext detached;
  int calls = 0;
  {
    const auto gone = detached.context().OnCancel([&] { calls += 100; });
  }
  detached.Cancel(CancelCause::kTimeout);
  EXPECT_EQ(calls, 0);
  const auto late = detached.context().OnCancel([&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST(OnCancel, DestructionWaitsForACallbackThatRuns) {
  Served s;
  Gate registered;
  Gate inside;
  Gate go;
  std::atomic<bool> returned = false;
  const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    {
      const auto on_cancel = context.OnCancel([&] {
        inside.Open();
        go.Pass();
        returned = true;
      });
      registered.Open();
      EXPECT_TRUE(inside.Wait());
    }
    EXPECT_TRUE(returned);
  }));
  ASSERT_TRUE(registered.Wait());
  std::thread canceller([&] { EXPECT_TRUE(*s.handle.Remove(task.id)); });
  ASSERT_TRUE(inside.Wait());
  EXPECT_FALSE(task.waiter.Ready());
  go.Open();
  canceller.join();
  s.Outcome(task);
}

TEST(OnCancel, ACallbackMayDestroyItsOwnRegistration) {
  DetachedContext detached;
  using Callback = CancelCallback<std::function<void()>>;
  std::unique_ptr<Callback> registration;
  const std::function<void()> drop = [&] { registration.reset(); };
  registration.reset(new Callback(detached.context().OnCancel(drop)));
  detached.Cancel();
  EXPECT_EQ(registration, nullptr);
}

TEST(OnCancel, AnExceptionOutOfItIsContainedAndReported) {
  Served s;
  Gate registered;
  std::atomic<bool> second = false;
  const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    const auto other = context.OnCancel([&] { second = true; });
    const auto on_cancel = context.OnCancel([] { throw std::runtime_error("clumsy"); });
    registered.Open();
    EXPECT_TRUE(Eventually([&] { return second.load(); }));
    const auto odd = context.OnCancel([] { throw 7; });  // at once, on this thread
  }));
  ASSERT_TRUE(registered.Wait());
  EXPECT_TRUE(*s.handle.Remove(task.id));
  EXPECT_EQ(s.Outcome(task).kind(), OutcomeKind::kCancelled);
  const auto match = Recorder::Is(EventKind::kRuntimeFailure, std::string("on_cancel"));
  for (const size_t n : {size_t{1}, size_t{2}}) {
    const auto report = s.recorder->Await(match, n);
    ASSERT_TRUE(report.has_value());
    EXPECT_EQ(report->id(), task.id);
    EXPECT_EQ(report->reason(), n == 1 ? "clumsy" : "threw what is no exception");
  }
}

TEST(OnCancel, AWaitInItForItsOwnTaskIsRefusedOnEveryThread) {
  Served s({.grace = 1s});
  for (const bool by_timer : {false, true}) {
    Gate registered;
    std::atomic<bool> refused = false;
    std::optional<TaskId> id;
    Gate known;
    const auto task =
        s.Watch(TaskSpec::Once([&](TaskContext& context) {
                  const auto on_cancel = context.OnCancel([&] {
                    known.Pass();
                    const auto answer = s.handle.Cancel(*id);
                    refused = answer.status().code() == absl::StatusCode::kFailedPrecondition;
                  });
                  registered.Open();
                  EXPECT_TRUE(Eventually([&] { return refused.load(); }));
                }).WithDeadline(5s));
    id = task.id;
    known.Open();
    ASSERT_TRUE(registered.Wait());
    by_timer ? s.Advance(5s) : static_cast<void>(*s.handle.Remove(task.id));
    s.Outcome(task);
    EXPECT_TRUE(refused);
  }
}

TEST(OnCancel, AWaitInItForItsOwnOutcomeIsRefusedOnEveryThread) {
  Served s({.grace = 1s});
  for (const bool by_timer : {false, true}) {
    Gate registered;
    std::atomic<int> refused = 0;
    TaskWaiter waiter;
    TaskSpec spec = TaskSpec::Once([&](TaskContext& context) {
                      const auto on_cancel = context.OnCancel([&] {
                        const auto count = [&](const absl::Status& status) {
                          refused += status.code() == absl::StatusCode::kFailedPrecondition;
                        };
                        count(waiter.Wait().status());
                        count(waiter.WaitFor(1h).status());
                        count(waiter.Drained());
                      });
                      registered.Open();
                      EXPECT_TRUE(Eventually([&] { return refused == 3; }));
                    }).WithDeadline(5s);
    waiter = spec.Watch();
    const auto id = s.handle.Add(std::move(spec));
    ASSERT_TRUE(registered.Wait());
    by_timer ? s.Advance(5s) : static_cast<void>(*s.handle.Remove(*id));
    EXPECT_TRUE(waiter.Wait().ok());
    EXPECT_EQ(refused, 3);
  }
}

TEST(Signal, OneThatWasMovedFromIsStillOne) {
  Signal first;
  const Signal second = std::move(first);
  first.Notify();  // NOLINT(bugprone-use-after-move)
  second.Notify();
}

}  // namespace
}  // namespace taskvisor::testing
