// A body that returns a value, and the Waiter<T> of its task.

#include <gtest/gtest.h>

#include <any>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/utility/utility.h"
#include "tests/contract/served.h"
#include "tests/support/allocation_steps.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

// Neither made from nothing, nor copied, nor moved.
struct Rock {
  explicit Rock(int the_weight) : weight(the_weight) {}
  Rock(const Rock&) = delete;
  Rock& operator=(const Rock&) = delete;
  int weight;
};

// Its move throws while `armed`.
struct Touchy {
  explicit Touchy(int n) : value(n) {}
  Touchy(Touchy&& other) : value(other.value) {
    if (armed) throw std::runtime_error("moved");
  }
  int value;
  static inline std::atomic<bool> armed{false};
};

// Counts those that live.
struct Counted {
  Counted() { ++alive; }
  Counted(const Counted&) { ++alive; }
  ~Counted() { --alive; }
  static inline std::atomic<int> alive{0};
};

static_assert(std::is_same_v<decltype(TaskSpec::Once([] { return 1; })), TypedSpec<int>>);
static_assert(std::is_same_v<decltype(TaskSpec::Once([](TaskContext&) -> absl::StatusOr<char> {
                               return 'c';
                             })),
                             TypedSpec<char>>);
static_assert(std::is_same_v<decltype(TaskSpec::Once([] { return Ok(); })), TaskSpec>);
static_assert(std::is_same_v<decltype(TaskSpec::Once([] { return absl::OkStatus(); })), TaskSpec>);
static_assert(std::is_same_v<decltype(TaskSpec::Once([] {})), TaskSpec>);

TEST(Results, WhatTheBodyReturnsIsWhatItsWaiterGets) {
  Served served;
  auto task = served.handle.AddAndWatch(TaskSpec::Once("sum", [] { return 40 + 2; }));
  ASSERT_TRUE(task.ok()) << task.status();
  EXPECT_EQ(task->waiter.Get().value(), 42);
  EXPECT_EQ(task->waiter.Get().value(), 42);  // as often as one likes
  EXPECT_EQ(task->waiter.GetOrThrow(), 42);
  EXPECT_EQ(task->waiter.Wait()->kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(task->waiter.id(), task->id);
}

TEST(Results, TheTypeSurvivesEverySetting) {
  auto spec = TaskSpec::Restartable("typed", [] { return std::string("value"); })
                  .WithRestart(RestartPolicy::Never())
                  .WithBackoff(kNoBackoff)
                  .WithTimeout(hours(1))
                  .WithoutTimeout()
                  .WithMaxRetries(1)
                  .WithUnlimitedRetries()
                  .WithHeartbeat(hours(1))
                  .WithoutHeartbeat();
  static_assert(std::is_same_v<decltype(spec), TypedSpec<std::string>>);
  const Waiter<std::string> waiter = spec.Watch();
  Served served;
  std::vector<TaskSpec> batch;
  batch.push_back(std::move(spec));  // a TaskSpec as any other
  ASSERT_TRUE(served.handle.AddBatch(std::move(batch)).ok());
  EXPECT_EQ(waiter.Get().value(), "value");
}

TEST(Results, AValueOfAnyTypeIsBuiltWhereItStays) {
  Served served;
  const auto rock = served.handle.AddAndWatch(TaskSpec::Once([] { return Rock(7); }));
  EXPECT_EQ((*rock->waiter.Peek().value()).weight, 7);

  auto unique = served.handle.AddAndWatch(TaskSpec::Once([] { return std::make_unique<int>(3); }));
  EXPECT_EQ(*unique->waiter.Get().value(), 3);
  const auto again = unique->waiter.Get();
  EXPECT_EQ(again.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorLabel(again.status()), "value_taken");

  const auto any = served.handle.AddAndWatch(TaskSpec::Once([] { return std::any(5); }));
  EXPECT_EQ(std::any_cast<int>(any->waiter.Get().value()), 5);
}

TEST(Results, AMoveThatThrowsLeavesTheValueInItsPlace) {
  Served served;
  Touchy::armed = true;
  const auto task = served.handle.AddAndWatch(TaskSpec::Once([] { return Touchy(4); }));
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCompleted);  // it was not moved
  EXPECT_THROW(static_cast<void>(task->waiter.Get()), std::runtime_error);
  Touchy::armed = false;
  EXPECT_EQ(task->waiter.Get()->value, 4);

  Touchy::armed = true;  // here the body's own answer has to be moved
  const auto moved = served.handle.AddAndWatch(TaskSpec::Once(
      []() -> absl::StatusOr<Touchy> { return absl::StatusOr<Touchy>(absl::in_place, 4); }));
  EXPECT_EQ(KindOf(moved->waiter), OutcomeKind::kFailed);
  Touchy::armed = false;
}

TEST(Results, AFailureIsTheStatusOfTheOutcome) {
  Served served;
  const auto failed = served.handle.AddAndWatch(
      TaskSpec::Once([]() -> absl::StatusOr<int> { return absl::NotFoundError("no such row"); }));
  const auto got = failed->waiter.Get();
  EXPECT_EQ(got.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(got.status().message(), "no such row");
  EXPECT_EQ(ErrorLabel(got.status()), Label(OutcomeKind::kFailed));
  EXPECT_THROW(static_cast<void>(failed->waiter.GetOrThrow()), ResultError);

  const auto fatal =
      served.handle.AddAndWatch(TaskSpec::Once([]() -> int { throw FatalError("no disk"); }));
  EXPECT_EQ(fatal->waiter.Get().status().code(), absl::StatusCode::kInternal);
  EXPECT_THROW(static_cast<void>(fatal->waiter.GetOrThrow()), FatalError);
}

TEST(Results, TheBodysOwnExceptionComesOut) {
  Served served;
  const auto task = served.handle.AddAndWatch(TaskSpec::Once(
      []() -> std::vector<int> { return std::vector<int>{1}.at(7), std::vector<int>(); }));
  EXPECT_THROW(static_cast<void>(task->waiter.GetOrThrow()), std::out_of_range);
  EXPECT_EQ(task->waiter.Get().status().code(), absl::StatusCode::kAborted);
}

TEST(Results, ACancelledTaskHasNoValueAlthoughItsBodyReturnedOne) {
  Served served;
  HeldBody held;
  const auto task = served.handle.AddAndWatch(
      TaskSpec::Once([hold = held.Body()](TaskContext& c) { return hold(c), Counted(); }));
  ASSERT_TRUE(held.Inside());
  EXPECT_TRUE(served.handle.Remove(task->id).value());
  held.LetGo();
  const auto got = task->waiter.Get();
  // A success that ends after the stop: see the contract of Remove.
  EXPECT_FALSE(got.ok());
  EXPECT_EQ(got.status().code(), absl::StatusCode::kCancelled);
}

TEST(Results, ALateValueIsATimeout) {
  Served served;
  HeldBody held;
  const auto task = served.handle.AddAndWatch(TaskSpec::Once([hold = held.Body()](TaskContext& c) {
                                                return hold(c), 1;
                                              }).WithTimeout(milliseconds(10)));
  ASSERT_TRUE(held.Inside());
  served.Advance(milliseconds(10));
  held.LetGo();
  EXPECT_EQ(task->waiter.Get().status().code(), absl::StatusCode::kAborted);
}

TEST(Results, AnAttemptThatFailsLeavesNothingOfTheOneBefore) {
  Served served;
  Counted::alive = 0;
  std::atomic<int> seen{-1};
  {
    auto task = served.handle.AddAndWatch(
        TaskSpec::Restartable([&](TaskContext& context) -> absl::StatusOr<Counted> {
          if (context.attempt() == 1) return absl::AbortedError("first");
          seen = Counted::alive.load();
          return Counted();
        }).WithBackoff(kNoBackoff));
    EXPECT_TRUE(task->waiter.Get().ok());
    EXPECT_EQ(seen, 0);
    EXPECT_EQ(Counted::alive, 1);  // in its place
  }
  EXPECT_EQ(Counted::alive, 0);  // with the last waiter
}

TEST(Results, ARepeatedTaskKeepsOneValueAtATime) {
  Served served;
  Counted::alive = 0;
  std::atomic<int> runs{0};
  const auto task = served.handle.AddAndWatch(TaskSpec::Periodic("ticks", hours(1), [&] {
    EXPECT_EQ(Counted::alive, 0);  // the last one is gone
    ++runs;
    return Counted();
  }));
  ASSERT_TRUE(served.AdvanceUntil([&] { return runs == 3; }, hours(1)));
  EXPECT_TRUE(served.handle.Cancel(task->id).value());
  EXPECT_EQ(task->waiter.Get().status().code(), absl::StatusCode::kCancelled);
}

TEST(Results, TheBodyIsGoneWhenTheValueIsThere) {
  Served served;
  for (int round = 0; round < 100; ++round) {
    auto owned = std::make_shared<int>(round);
    const auto task = served.handle.AddAndWatch(TaskSpec::Once([owned] { return *owned; }));
    ASSERT_EQ(task->waiter.Get().value(), round);
    ASSERT_EQ(owned.use_count(), 1);
  }
}

TEST(Results, AWaiterAnswersAfterItsSupervisorAndForTasksThatNeverWere) {
  Waiter<int> done;
  Waiter<int> dropped;
  {
    Served served;
    done = served.handle.AddAndWatch(TaskSpec::Once([] { return 9; }))->waiter;
    EXPECT_EQ(KindOf(done), OutcomeKind::kCompleted);
    dropped = TaskSpec::Once([] { return 1; }).Watch();
  }
  EXPECT_EQ(done.Get().value(), 9);
  EXPECT_EQ(dropped.Get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Waiter<int>().Get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THROW(static_cast<void>(dropped.GetOrThrow()), ResultError);
}

TEST(Results, ANullFunctionIsRefused) {
  Served served;
  EXPECT_EQ(served.handle.Add(TaskSpec::Once(std::function<int()>())).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Results, AValueCostsOneAllocationForAllAttempts) {
  const uint64_t before = AllocationsOfThisThread();
  auto spec = TaskSpec::Restartable([big = std::string(100, 'x')] { return big.size(); });
  static_cast<void>(spec);
  // The string, its move is free, and the one place; whatever the closure's size.
  EXPECT_LE(AllocationsOfThisThread() - before, 2u);

  Served served({.workers = 1});
  AllocationSteps attempts;
  auto task = served.handle.AddAndWatch(TaskSpec::Periodic(Duration(1), [&] {
    attempts.Step();
    return 1;
  }));
  ASSERT_TRUE(served.AdvanceUntil([&] { return attempts.steps() > 200; }));
  EXPECT_TRUE(served.handle.Cancel(task->id).value());
  EXPECT_LE(attempts.allocations(), attempts.steps() / 10);  // the queue's own blocks
}

}  // namespace
}  // namespace taskvisor::testing
