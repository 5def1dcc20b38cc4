// What a coroutine body must not do, and what it is told.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "taskvisor/errors.h"
#include "tests/async/frames.h"
#include "tests/supervisor/family.h"

namespace taskvisor::testing {
namespace {

using ::testing::HasSubstr;

Async<int> Four() {
  const InFrame frame;
  co_await Yield();
  co_return 4;
}

TEST(AsyncMisuse, AnAsyncIsAwaitedOnce) {
  AsyncServed served;
  const auto task = served.Watch(TaskSpec::Once([]() -> Async<> {
    const InFrame frame;
    Async<int> part = Four();
    EXPECT_EQ(co_await std::move(part), 4);
    EXPECT_THROW(co_await std::move(part), std::logic_error);
    Async<int> moved = Four();
    const Async<int> owner = std::move(moved);
    EXPECT_THROW(co_await RunUntilCancelled(std::move(moved)), std::logic_error);
    static_cast<void>(co_await std::move(part));
  }));
  const TaskOutcome outcome = Served::Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
  EXPECT_THAT(std::string(outcome.reason()), HasSubstr("an Async is awaited that is empty"));
}

TEST(AsyncMisuse, ABodyThatReturnsAnEmptyAsyncFails) {
  AsyncServed served;
  const auto task = served.Watch(TaskSpec::Once([]() -> Async<int> {
    Async<int> four = Four();
    const Async<int> owner = std::move(four);
    return four;
  }));
  const TaskOutcome outcome = Served::Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFatal);
  EXPECT_EQ(outcome.reason(), "the body has returned an empty Async");
}

TEST(AsyncMisuse, WithoutASupervisorItCannotWait) {
  const auto body = [](TaskContext& context) -> Async<int> {
    static_cast<void>(context.attempt());
    co_await Yield();
    co_return 1;
  };
  DetachedContext detached;
  Async<int> async = body(detached.context());
  async.handle().resume();
  ASSERT_TRUE(async.handle().done());
  EXPECT_THROW(async.handle().promise().Take(), std::logic_error);
}

TEST(AsyncMisuse, ACompletionIsNeverEmpty) {
  Completion<int> first;
  const Completion<int> second = std::move(first);
  EXPECT_TRUE(first.Set(1));  // NOLINT(bugprone-use-after-move): that is the point
  EXPECT_TRUE(second.IsSet());
}

TEST(AsyncMisuse, ABodyThatAwaitsItselfIsTold) {
  AsyncServed served;
  const Completion<TaskWaiter> own;
  std::atomic<int> told{0};
  const auto task = served.Watch(TaskSpec::Once([&](TaskContext& context) -> Async<> {
    const InFrame frame;
    const TaskWaiter waiter = co_await own;
    told += ErrorLabel((co_await waiter).status()) == "runtime_would_deadlock";
    const auto heeded = co_await context.RunUntilCancelled(waiter);
    told += heeded.has_value() && ErrorLabel(heeded->status()) == "runtime_would_deadlock";
  }));
  EXPECT_TRUE(own.Set(task.waiter));
  EXPECT_TRUE(Served::Outcome(task).IsSuccess());
  EXPECT_EQ(told, 2);
}

TEST(AsyncMisuse, ABodyThatAwaitsItsParentIsTold) {
  AsyncServed served;
  const Completion<Waiter<int>> top;
  std::atomic<int> told{0};
  const auto parent =
      served.handle.AddAndWatch(TaskSpec::Once([&](TaskContext& context) -> Async<int> {
        const InFrame frame;
        const auto child =
            Spawned(context, TaskSpec::Once([&](TaskContext& own) -> Async<> {
                      const InFrame inner;
                      const auto grandchild = [&]() -> Async<> {
                        const InFrame innermost;
                        const Waiter<int> waiter = co_await top;
                        const auto got = co_await waiter;
                        told += ErrorLabel(got.status()) == "runtime_would_deadlock";
                      };
                      static_cast<void>(co_await Spawned(own, TaskSpec::Once(grandchild)).waiter);
                    }));
        static_cast<void>(co_await child.waiter);
        co_return 3;
      }));
  EXPECT_TRUE(top.Set(parent->waiter));
  EXPECT_EQ(parent->waiter.Get().value(), 3);
  EXPECT_EQ(told, 1);
}

TEST(AsyncMisuse, AChildOptionThatIsNoneIsRefused) {
  AsyncServed served;
  const auto task = served.Watch(TaskSpec::Once([](TaskContext& context) {
    const auto child =
        context.Spawn(TaskSpec::Once([] {}), {.on_failure = static_cast<OnChildFailure>(77)});
    EXPECT_EQ(child.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(child.status().message()), HasSubstr("on_failure: must be kIgnore"));
  }));
  EXPECT_TRUE(Served::Outcome(task).IsSuccess());
}

}  // namespace
}  // namespace taskvisor::testing
