// Frames: coroutines that are parts of a body, exceptions at any await, and who destroys what is
// suspended when all ends.

#include "tests/async/frames.h"

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

#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

Async<int> Twice(int n) {
  const InFrame frame;
  co_await Yield();
  if (n < 0) throw std::out_of_range("below zero");
  co_return 2 * n;
}
Async<int> Deep(int depth) {
  const InFrame frame;
  if (depth == 0) {
    co_await SleepFor(milliseconds(1));
    co_return 0;
  }
  co_return 1 + co_await Deep(depth - 1);
}

TEST(Async, ACoroutineIsAPartOfTheBodyThatAwaitsIt) {
  AsyncServed served;
  const auto task = served.handle.AddAndWatch(TaskSpec::Once([]() -> Async<int> {
    const InFrame frame;
    int sum = co_await Twice(4);
    try {
      sum += co_await Twice(-1);
    } catch (const std::out_of_range&) {
      sum += 100;
    }
    sum += co_await Deep(1000);
    co_return sum;
  }));
  ASSERT_TRUE(served.AdvanceUntil([&] { return task->waiter.Ready(); }));
  EXPECT_EQ(task->waiter.Get().value(), 1108);
  EXPECT_EQ(InFrame::alive(), 0);
}

TEST(Async, PartsThatReturnAtOnceLeaveNothingOnTheStack) {
  AsyncServed served;
  const auto at_once = [](int n) -> Async<int> { co_return n; };
  const auto task = served.handle.AddAndWatch(TaskSpec::Once([&]() -> Async<int> {
    int sum = 0;
    for (int i = 0; i < 300'000; ++i) sum += co_await at_once(1);
    co_return sum;
  }));
  EXPECT_EQ(task->waiter.Get().value(), 300'000);
}

TEST(Async, APartIsCutOffWhenItsBodyIsCancelled) {
  AsyncServed served;
  const Completion<int> never;
  const auto part = [&]() -> Async<int> {
    const InFrame frame;
    co_return co_await never;
  };
  const auto nested = [&]() -> Async<int> {
    const InFrame frame;
    const std::optional<int> inner = co_await RunUntilCancelled(part());
    EXPECT_FALSE(inner.has_value());
    EXPECT_EQ(InFrame::alive(), 2);  // the part's is gone
    co_return co_await never;        // cut off in turn
  };
  std::atomic<bool> cleaned{false};
  const auto task = served.Suspended(TaskSpec::Once([&](TaskContext& context) -> Async<TaskResult> {
    const InFrame frame;
    const std::optional<int> done = co_await context.RunUntilCancelled(Twice(3));
    EXPECT_EQ(done, 6);
    const std::optional<int> value = co_await context.RunUntilCancelled(nested());
    cleaned = !value.has_value();
    EXPECT_EQ(InFrame::alive(), 1);
    co_return Cancelled();
  }));
  EXPECT_EQ(InFrame::alive(), 3);
  EXPECT_TRUE(served.handle.Cancel(task.id).value());
  EXPECT_TRUE(cleaned);
}

TEST(Async, WhatABodyThrowsIsAFailureWhereverItThrows) {
  AsyncServed served;
  const Completion<int> go;
  int step = 0;
  const auto body = [&]() -> Async<> {
    const InFrame frame;
    switch (step++) {
      case 0:
        throw std::runtime_error("before any await");
      case 1:
        co_await Yield();
        throw std::runtime_error("after a yield");
      case 2:
        co_await SleepFor(milliseconds(1));
        throw std::runtime_error("after a sleep");
      case 3:
        co_await go;
        throw std::runtime_error("after a completion");
      case 4:
        co_await Twice(-1);
        break;
      default:
        throw FatalError("enough", 9);
    }
  };
  const auto task = served.Watch(TaskSpec::Restartable("throws", body).WithBackoff(kNoBackoff));
  ASSERT_TRUE(served.AdvanceUntil([&] {
    go.Set(1);
    return task.waiter.Ready();
  }));
  const TaskOutcome outcome = served.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFatal);
  EXPECT_EQ(outcome.exit_code(), 9);
  EXPECT_EQ(outcome.attempts(), 6u);
  EXPECT_EQ(served.Await(EventKind::kTaskFailed, task, 5).reason(), "task panicked: below zero");
}

TEST(Async, ABodyThatThrowsBeforeItHasAFrameFails) {
  AsyncServed served;
  const auto body = [](TaskContext&) -> Async<> { throw std::runtime_error("no frame"); };
  const auto task = served.Watch(TaskSpec::Once(body));
  EXPECT_EQ(served.Outcome(task).reason(), "task panicked: no frame");
}

TEST(Async, ShutdownDestroysTheFramesOfAllWhoWait) {
  const Completion<int> never;
  {
    AsyncServed served;
    for (int i = 0; i < 100; ++i) {
      static_cast<void>(served.Suspended(TaskSpec::Once([never]() -> Async<> {
        const InFrame frame;
        co_await never;
      })));
      static_cast<void>(served.Suspended(TaskSpec::Restartable([]() -> Async<> {
        const InFrame frame;
        co_await SleepFor(hours(1));
      })));
    }
    EXPECT_EQ(InFrame::alive(), 200);
  }
  EXPECT_EQ(InFrame::alive(), 0);
}

TEST(Async, ASupervisorThatIsDestroyedDestroysItsFrames) {
  InFrame::Reset();
  const Completion<int> never;
  {
    auto supervisor = Supervisor::Create({.workers = 2});
    const SupervisorHandle handle = supervisor->Serve();
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(handle
                      .Add(TaskSpec::Once([never]() -> Async<> {
                        const InFrame frame;
                        co_await never;
                      }))
                      .ok());
    }
    ASSERT_TRUE(Eventually([] { return InFrame::alive() == 50; }));
    for (const TaskInfo& info : handle.List()) {
      ASSERT_TRUE(Eventually([&] {
        for (const TaskInfo& now : handle.List()) {
          if (now.id == info.id) return now.phase == TaskPhase::kSuspended;
        }
        return false;
      }));
    }
  }
  EXPECT_EQ(InFrame::alive(), 0);
  never.Set(1);
}

}  // namespace
}  // namespace taskvisor::testing
