// TaskContext::Spawn from coroutine bodies: frames, awaits and children.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/async/frames.h"
#include "tests/supervisor/family.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

TEST(AsyncChildren, ABodyMayAwaitItsChildren) {
  for (const size_t workers : {size_t{1}, size_t{2}}) {
    AsyncServed served({.workers = workers});
    const auto parent =
        served.handle.AddAndWatch(TaskSpec::Once([](TaskContext& context) -> Async<int> {
          const InFrame frame;
          int sum = 0;
          std::vector<Waiter<int>> parts;
          for (int i = 1; i <= 10; ++i) {
            auto child = context.Spawn(TaskSpec::Once([i](TaskContext& own) -> Async<int> {
              const InFrame inner;
              co_await Yield();
              auto below = own.Spawn(TaskSpec::Once([i] { return i; }));
              co_return (co_await below->waiter).value();
            }));
            parts.push_back(child->waiter);
          }
          for (const auto& part : parts) sum += (co_await part).value();
          co_return sum;
        }));
    EXPECT_EQ(parent->waiter.Get().value(), 55);
  }
}

TEST(AsyncChildren, TheAttemptEndsAfterTheFrameAndTheChildren) {
  AsyncServed served({.workers = 1, .max_concurrent = 1});
  HeldBody held;
  const Completion<> go;
  WatchedTask child;
  const auto parent = served.Watch(TaskSpec::Once([&](TaskContext& context) -> Async<TaskResult> {
    const InFrame frame;
    context.KeepPermit();
    co_await Yield();
    child = Spawned(context, TaskSpec::Once([go]() -> Async<> {
                      const InFrame inner;
                      co_await go;
                    }));
    co_return Fail("the body's own");
  }));
  served.AwaitSuspended(parent);
  served.AwaitSuspended(child);
  EXPECT_EQ(InFrame::alive(), 1) << "the parent's is gone";
  EXPECT_FALSE(parent.waiter.Ready());
  EXPECT_TRUE(Eventually([&] { return served.handle.Stats().permits == 1; })) << "it keeps none";
  go.Set();
  EXPECT_EQ(served.Outcome(parent).reason(), "the body's own");
  EXPECT_TRUE(child.waiter.Ready());
}

// What ends a coroutine with children that wait, at each place where it may wait itself.
using Body = std::function<Async<TaskResult>(TaskContext&)>;
class EveryEnd : public ::testing::TestWithParam<int> {
 protected:
  static Body At(int place, const Completion<>& never) {
    return [place, never](TaskContext& context) -> Async<TaskResult> {
      const InFrame frame;
      const auto child = Spawned(context, TaskSpec::Once([never]() -> Async<> {
                                   const InFrame inner;
                                   co_await never;
                                 }));
      switch (place) {
        case 0:
          co_return Ok();  // waits for the child only
        case 1:
          static_cast<void>(co_await child.waiter);
          break;
        case 2:
          co_await SleepFor(1h);
          break;
        case 3:
          co_await taskvisor::UntilCancelled();
          break;
        default:
          co_await context.RunUntilCancelled(never);
      }
      co_return Ok();
    };
  }
};

TEST_P(EveryEnd, CancelAndTimeoutAndShutdownLeaveNoFrame) {
  for (int end = 0; end < 3; ++end) {
    SCOPED_TRACE(end);
    const Completion<> never;
    AsyncServed served;
    auto spec = TaskSpec::Once(At(GetParam(), never));
    if (end == 1) spec = std::move(spec).WithTimeout(5s);
    const auto parent = served.Suspended(std::move(spec));
    const auto tasks = served.handle.List();
    ASSERT_EQ(tasks.size(), 2u);
    ASSERT_TRUE(Eventually([&] {
      const auto now = served.handle.List();
      return now.size() == 2 && now[1].phase == TaskPhase::kSuspended;
    }));
    if (end == 0) {
      EXPECT_TRUE(served.handle.Cancel(parent.id).value());
    }
    if (end == 1) served.Advance(5s);
    if (end == 2) {
      EXPECT_TRUE(served.handle.Shutdown().ok());
    }
    const TaskOutcome outcome = served.Outcome(parent);
    EXPECT_EQ(outcome.kind(), end == 1 ? OutcomeKind::kFailed : OutcomeKind::kCancelled);
    EXPECT_EQ(InFrame::alive(), 0);
  }
}
INSTANTIATE_TEST_SUITE_P(Places, EveryEnd, ::testing::Range(0, 5));

TEST(AsyncChildren, AnExceptionWaitsForTheChildrenToo) {
  AsyncServed served;
  const Completion<> go;
  WatchedTask child;
  const auto parent = served.Suspended(TaskSpec::Once([&](TaskContext& context) -> Async<> {
    const InFrame frame;
    child = Spawned(context, TaskSpec::Once([go]() -> Async<> {
                      const InFrame inner;
                      co_await go;
                    }));
    throw std::runtime_error("thrown");
    co_return;
  }));
  EXPECT_FALSE(parent.waiter.Ready());
  go.Set();
  EXPECT_EQ(served.Outcome(parent).reason(), "task panicked: thrown");
}

TEST(AsyncChildren, AFailingChildDestroysTheFramesOfItsSiblingsAndItsParent) {
  AsyncServed served;
  const Completion<> never;
  const Completion<> go;
  WatchedTask sibling;
  const auto parent = served.Suspended(TaskSpec::Once([&](TaskContext& context) -> Async<> {
    const InFrame frame;
    sibling = Spawned(context, TaskSpec::Once([never]() -> Async<> {
                        const InFrame inner;
                        co_await never;
                      }));
    Spawned(context,
            TaskSpec::Once("bad",
                           [go]() -> Async<TaskResult> {
                             const InFrame inner;
                             co_await go;
                             co_return Fatal("broken");
                           }),
            kWithSiblings);
    static_cast<void>(co_await sibling.waiter);
  }));
  served.AwaitSuspended(sibling);
  go.Set();
  EXPECT_EQ(served.Outcome(parent).reason(), "child bad failed: broken");
  EXPECT_EQ(served.Outcome(sibling).cause(), CancelCause::kChildFailed);
}

// A frame that is destroyed may not have children any more.
TEST(AsyncChildren, WhatIsDestroyedWithTheFrameIsRefused) {
  AsyncServed served;
  const Completion<> never;
  struct Spawner {
    ~Spawner() {
      EXPECT_TRUE(absl::IsCancelled(context.Spawn(TaskSpec::Once([] {})).status()));
    }
    TaskContext& context;
  };
  const auto parent = served.Suspended(TaskSpec::Once([&](TaskContext& context) -> Async<> {
    const InFrame frame;
    const Spawner spawner{context};
    co_await never;
  }));
  EXPECT_TRUE(served.handle.Cancel(parent.id).value());
}

// Deaf and silent, told so, given up, and back while a child is left: on the one worker there is.
TEST(AsyncChildren, ABodyThatWasSilentAndGivenUpLetsItsChildEnd) {
  Gate leave;
  Served served({.workers = 1, .grace = 1s});
  WatchedTask child;
  TaskSpec spec = TaskSpec::Once([&](TaskContext& context) -> Async<TaskResult> {
    child =
        Spawned(context, TaskSpec::Once([]() -> Async<> { co_await taskvisor::UntilCancelled(); }));
    co_await taskvisor::Yield();  // to the child
    leave.Pass();
    co_return Ok();
  });
  const auto parent = served.Watch(std::move(spec).WithHeartbeat(100ms));
  served.Await(EventKind::kTaskStarting, parent);
  ASSERT_TRUE(Eventually([&] {
    served.Advance(100ms);
    return served.Count(EventKind::kTaskStuck, parent) > 0;
  }));
  ASSERT_TRUE(served.handle.Remove(parent.id).ok());
  served.Advance(1s);
  EXPECT_EQ(Served::Outcome(parent).kind(), OutcomeKind::kStuck);
  leave.Open();
  EXPECT_TRUE(parent.waiter.Drained().ok());
  EXPECT_TRUE(child.waiter.Drained().ok());
}

}  // namespace
}  // namespace taskvisor::testing
