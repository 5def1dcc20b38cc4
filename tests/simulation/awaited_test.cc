// What a coroutine is told of a task that it awaits when both are cancelled, in many orders.

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <utility>

#include "taskvisor/async.h"
#include "taskvisor/completion.h"
#include "tests/simulation/simulated.h"
#include "tests/support/sanitizers.h"

namespace taskvisor::testing {
namespace {

constexpr uint64_t kSeeds = kAddressSanitizer || kThreadSanitizer ? 20 : 100;

// A child that its parent's cancellation ends: each has another way to the end.
TaskSpec PlainSleeper() {
  return TaskSpec::Once([](TaskContext& context) { static_cast<void>(context.SleepFor(1h)); });
}
TaskSpec Sleeper() {
  return TaskSpec::Once([]() -> Async<> { static_cast<void>(co_await SleepFor(1h)); });
}
TaskSpec Waiting() {
  return TaskSpec::Once([]() -> Async<> { co_await Completion<>(); });
}

using Awaits = std::function<Async<>(TaskContext&, TaskWaiter child)>;

class CancelledWhileItAwaits : public ::testing::TestWithParam<TaskSpec (*)()> {
 protected:
  // A parent that awaits its child so, and is removed, or times out, in each order of the two.
  static void InEveryOrder(const Awaits& awaits) {
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      for (const bool removed : {true, false}) {
        SCOPED_TRACE(::testing::Message() << "seed " << seed << (removed ? " removed" : ""));
        Simulation simulation({.seed = seed});
        auto parent = TaskSpec::Once("parent", [&awaits](TaskContext& context) -> Async<> {
          co_await awaits(context, context.Spawn(GetParam()()).value().waiter);
        });
        const TaskWaiter waiter = simulation.Add(std::move(parent).WithTimeout(1s));
        simulation.AdvanceBy(500ms);
        if (removed) {
          ASSERT_TRUE(simulation.handle().RemoveByName("parent").value());
        }
        simulation.RunUntilIdle();
        EXPECT_EQ(OutcomeOf(waiter).kind(),
                  removed ? OutcomeKind::kCancelled : OutcomeKind::kFailed);
      }
    }
  }
};

TEST_P(CancelledWhileItAwaits, ItsFrameIsDestroyedWhateverHasCome) {
  int resumed = 0;
  InEveryOrder([&](TaskContext&, TaskWaiter child) -> Async<> {
    static_cast<void>(co_await child);
    ++resumed;
  });
  EXPECT_EQ(resumed, 0);
}

TEST_P(CancelledWhileItAwaits, RunUntilCancelledGivesNothingWhateverHasCome) {
  size_t told = 0;
  size_t given = 0;
  InEveryOrder([&](TaskContext& context, TaskWaiter child) -> Async<> {
    const auto outcome = co_await context.RunUntilCancelled(child);
    ++(outcome.has_value() ? given : told);
  });
  EXPECT_EQ(given, 0u);
  EXPECT_EQ(told, 2 * kSeeds);
}

TEST_P(CancelledWhileItAwaits, APartOfItIsCutOffWhateverHasCome) {
  size_t cut = 0;
  InEveryOrder([&](TaskContext& context, TaskWaiter child) -> Async<> {
    const auto part = [](TaskWaiter of) -> Async<> { static_cast<void>(co_await of); };
    cut += !co_await context.RunUntilCancelled(part(child));
  });
  EXPECT_EQ(cut, 2 * kSeeds);
}

INSTANTIATE_TEST_SUITE_P(Children, CancelledWhileItAwaits,
                         ::testing::Values(&PlainSleeper, &Sleeper, &Waiting));

TEST(CancelledBody, IsStillGivenAnOutcomeThatIsThere) {
  Simulation simulation;
  std::optional<OutcomeKind> seen;
  bool nothing = false;
  simulation.Add(TaskSpec::Once("parent", [&](TaskContext& context) -> Async<> {
    const TaskWaiter child = context.Spawn(Waiting()).value().waiter;
    EXPECT_FALSE(co_await SleepFor(1h));
    while (!child.Ready()) co_await Yield();
    nothing = !(co_await context.RunUntilCancelled(child)).has_value();
    seen = (co_await child).value().kind();
  }));
  simulation.AdvanceBy(1s);
  ASSERT_TRUE(simulation.handle().RemoveByName("parent").value());
  simulation.RunUntilIdle();
  EXPECT_EQ(seen, OutcomeKind::kCancelled);
  EXPECT_TRUE(nothing);
}

// At the same time.
TEST(CancelledBody, IsToldNothingOfASleepThatIsOver) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Simulation simulation({.seed = seed});
    int lies = 0;
    auto sleeps = [&](TaskContext& context) -> Async<> {
      while (const auto slept = co_await context.RunUntilCancelled(SleepFor(10ms))) {
        lies += !*slept || context.Cancelled();
      }
    };
    const TaskWaiter a = simulation.Add(TaskSpec::Once("a", sleeps).WithTimeout(10ms));
    simulation.RunUntilIdle();
    EXPECT_EQ(OutcomeOf(a).cause(), CancelCause::kTimeout);
    EXPECT_EQ(lies, 0);
  }
}

// Its value is handed over but once.
TEST(CancelledBody, IsGivenACompletionThatCameFirst) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Simulation simulation({.seed = seed});
    const Completion<int> plain;
    const Completion<int> heeded;
    int sum = 0;
    simulation.Add(TaskSpec::Once("a", [&]() -> Async<> { sum += co_await plain; }));
    simulation.Add(TaskSpec::Once("b", [&](TaskContext& context) -> Async<> {
      sum += (co_await context.RunUntilCancelled(heeded)).value_or(0);
    }));
    simulation.AdvanceBy(1s);
    EXPECT_TRUE(plain.Set(1) && heeded.Set(2));
    EXPECT_TRUE(simulation.handle().RemoveByName("a").value());
    EXPECT_TRUE(simulation.handle().RemoveByName("b").value());
    simulation.RunUntilIdle();
    EXPECT_EQ(sum, 3);
  }
}

}  // namespace
}  // namespace taskvisor::testing
