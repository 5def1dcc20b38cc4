// FirstOf: a coroutine body that waits for several tasks at once.

#include "taskvisor/first_of.h"

#include <gtest/gtest.h>

#include <atomic>
#include <utility>
#include <vector>

#include "taskvisor/errors.h"
#include "tests/async/frames.h"
#include "tests/supervisor/family.h"
#include "tests/support/seed.h"

namespace taskvisor::testing {
namespace {

using std::chrono::seconds;

TypedSpec<int> Gives(const Completion<int>& value) {
  return TaskSpec::Once([value]() -> Async<int> {
    const InFrame frame;
    co_return co_await value;
  });
}

TEST(FirstOf, GivesTheFirstAndLeavesTheOthersAlone) {
  AsyncServed served({.workers = 1});
  const Completion<int> values[3];
  const auto parent =
      served.handle.AddAndWatch(TaskSpec::Once([&](TaskContext& context) -> Async<int> {
        const InFrame frame;
        std::vector<Waiter<int>> waiters;
        for (const auto& value : values) waiters.push_back(context.Spawn(Gives(value))->waiter);
        const size_t first = (co_await FirstOf(waiters)).value();
        EXPECT_EQ(first, 1u);
        EXPECT_FALSE(waiters[0].Ready() || waiters[2].Ready());
        EXPECT_TRUE(values[0].Set(1) && values[2].Set(3));
        int sum = 0;
        for (const auto& waiter : waiters) sum += (co_await waiter).value();
        EXPECT_EQ((co_await FirstOf(waiters)).value(), 0u) << "the first in order, at once";
        co_return sum;
      }));
  served.AwaitSuspended({parent->id, parent->waiter});
  EXPECT_TRUE(values[1].Set(2));
  EXPECT_EQ(parent->waiter.Get().value(), 6);
}

TEST(FirstOf, TellsWhatItCannotWaitFor) {
  AsyncServed served;
  const Completion<TaskWaiter> own;
  const auto task = served.Watch(TaskSpec::Once([&](TaskContext& context) -> Async<> {
    const InFrame frame;
    const TaskWaiter waiter = co_await own;
    const std::vector<TaskWaiter> with_nothing{waiter, TaskWaiter()};
    const std::vector<TaskWaiter> only_it{waiter};
    const auto none = co_await FirstOf(std::vector<TaskWaiter>());
    EXPECT_EQ(ErrorLabel(none.status()), "when_any_empty");
    const auto nothing = co_await FirstOf(with_nothing);
    EXPECT_EQ(ErrorLabel(nothing.status()), "when_any_empty");
    const auto itself = co_await context.RunUntilCancelled(FirstOf(only_it));
    EXPECT_EQ(ErrorLabel(itself.value().status()), "runtime_would_deadlock");
  }));
  EXPECT_TRUE(own.Set(task.waiter));
  EXPECT_TRUE(Served::Outcome(task).IsSuccess());
}

TEST(FirstOf, TakesWaitersOfAnyTypes) {
  AsyncServed served;
  const auto parent =
      served.handle.AddAndWatch(TaskSpec::Once([](TaskContext& context) -> Async<size_t> {
        const InFrame frame;
        const Completion<> go;
        const auto number = context.Spawn(TaskSpec::Once([] { return 7; }));
        const auto waits = context.Spawn(TaskSpec::Once([go]() -> Async<> {
          const InFrame inner;
          co_await go;
        }));
        const size_t first = (co_await FirstOf(waits->waiter, number->waiter)).value();
        EXPECT_TRUE(go.Set());
        co_return first;
      }));
  EXPECT_EQ(parent->waiter.Get().value(), 1u);
}

TEST(FirstOf, CancelledMeanwhileItGivesNothing) {
  AsyncServed served;
  const Completion<int> never;
  std::atomic<int> told{0};
  std::atomic<int> resumed{0};
  for (const bool heeds : {true, false}) {
    auto spec = TaskSpec::Once([&, heeds](TaskContext& context) -> Async<> {
      const InFrame frame;
      const std::vector<Waiter<int>> waiters{context.Spawn(Gives(never))->waiter,
                                             context.Spawn(Gives(never))->waiter};
      if (heeds) {
        told += !(co_await context.RunUntilCancelled(FirstOf(waiters))).has_value();
      } else {
        static_cast<void>(co_await FirstOf(waiters));
        ++resumed;
      }
    });
    const auto task = served.Suspended(std::move(spec));
    EXPECT_TRUE(served.handle.Cancel(task.id).value());
  }
  EXPECT_EQ(told, 1);
  EXPECT_EQ(resumed, 0);
}

// Outcomes come while those who watch them come and go; each that stays is woken.
TEST(FirstOf, NoWakeUpIsLost) {
  Random random(AnnouncedSeed());
  AsyncServed served({.workers = 2});
  for (int round = 0; round < 300; ++round) {
    const auto all = 1 + random.Below(5);
    const auto task =
        served.handle.AddAndWatch(TaskSpec::Once([all](TaskContext& context) -> Async<int> {
          const InFrame frame;
          std::vector<Waiter<int>> left;
          for (uint64_t i = 0; i < all; ++i) {
            left.push_back(
                context.Spawn(TaskSpec::Once([i] { return static_cast<int>(i); }))->waiter);
          }
          int sum = 0;
          while (!left.empty()) {
            const size_t first = (co_await FirstOf(left)).value();
            sum += (co_await left[first]).value();
            left.erase(left.begin() + static_cast<std::ptrdiff_t>(first));
          }
          co_return sum;
        }));
    ASSERT_EQ(task->waiter.Get().value(), static_cast<int>(all * (all - 1) / 2)) << round;
  }
}

}  // namespace
}  // namespace taskvisor::testing
