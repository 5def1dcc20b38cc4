// TaskContext::Spawn: an attempt ends when its children have, and what a child's failure does.

#include <gtest/gtest.h>
#include <oneapi/tbb/parallel_for.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/supervisor/family.h"
#include "tests/support/tbb_test.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;
using enum EventKind;

TEST(Children, AnAttemptEndsWhenItsBodyAndItsChildrenHave) {
  Served s;
  HeldBody held;
  WatchedTask child;
  Gate spawned;
  const auto parent = s.Watch(TaskSpec::Once("parent", [&](TaskContext& context) {
    child = Spawned(context, TaskSpec::Once("child", held.Body()));
    spawned.Open();
  }));
  ASSERT_TRUE(spawned.Wait());
  ASSERT_TRUE(held.Inside());
  AwaitJoining(s, parent);
  EXPECT_FALSE(parent.waiter.Ready());
  EXPECT_EQ(s.Count(kTaskStopped, parent), 0u);
  held.LetGo();
  EXPECT_TRUE(s.Outcome(parent).IsSuccess());
  EXPECT_TRUE(s.Outcome(child).IsSuccess());
  EXPECT_LT(SequenceOf(s, kTaskRemoved, child), SequenceOf(s, kTaskStopped, parent));
  EXPECT_LE(s.handle.Stats().tasks, 1u)
      << "the child's place is free when its parent's end is told";
}

// It would never end if it kept the one worker, or the one permit.
TEST(Children, ABodyThatIsOverKeepsNoWorkerAndNoPermit) {
  for (const bool permits : {false, true}) {
    SupervisorConfig config{.workers = 1};
    if (permits) config.max_concurrent = 1;
    Served s(std::move(config));
    std::atomic<int> ran{0};
    const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
      for (int i = 0; i < 20; ++i) Spawned(context, TaskSpec::Once([&] { ++ran; }));
      EXPECT_EQ(ran, 0) << "this body has the worker";
    }));
    EXPECT_TRUE(s.Outcome(parent).IsSuccess());
    EXPECT_EQ(ran, 20);
    if (permits) {
      EXPECT_TRUE(Eventually([&] { return s.handle.Stats().permits == 1; }));
    }
  }
}

TEST(Children, TheNextAttemptComesAfterTheChildrenOfTheLast) {
  Served s({.workers = 2, .max_tasks = 2});  // so the child's room is free when its parent begins
  std::atomic<int> alive{0};
  const auto parent = s.Watch(TaskSpec::Restartable([&](TaskContext& context) -> TaskResult {
                                EXPECT_EQ(alive, 0) << "a child of the last attempt";
                                ++alive;
                                const auto child =
                                    context.Spawn(TaskSpec::Once("child", [&] { --alive; }));
                                EXPECT_TRUE(child.ok()) << child.status();
                                return context.attempt() < 50 ? Fail("again") : Ok();
                              }).WithBackoff(kNoBackoff));
  const TaskOutcome outcome = s.Outcome(parent);
  EXPECT_TRUE(outcome.IsSuccess());
  EXPECT_EQ(outcome.attempts(), 50u);
}

TEST(Children, AChildIsATaskLikeAnyOther) {
  Served s;
  std::optional<Waiter<int>> value;
  WatchedTask taken;
  const auto parent = s.Watch(TaskSpec::Once("parent", [&](TaskContext& context) {
    auto child = context.Spawn(TaskSpec::Restartable([](TaskContext& own) -> absl::StatusOr<int> {
                                 if (own.attempt() < 3) return absl::UnavailableError("not yet");
                                 return 42;
                               }).WithBackoff(kNoBackoff));
    ASSERT_TRUE(child.ok());
    value = child->waiter;
    EXPECT_EQ(child->waiter.id(), child->id);
    const auto refused = context.Spawn(TaskSpec::Once("parent", [] {}));
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kAlreadyExists);
    const auto invalid = context.Spawn(TaskSpec::Once([] {}).WithTimeout(-1s));
    EXPECT_EQ(invalid.status().code(), absl::StatusCode::kInvalidArgument);
    const auto waits = Spawned(context, TaskSpec::Once(&UntilCancelled)).waiter.Wait();
    EXPECT_EQ(ErrorLabel(waits.status()), "runtime_would_deadlock");
    EXPECT_TRUE(s.handle.Remove(waits.ok() ? TaskId() : context.id()).ok());
  }));
  EXPECT_EQ(s.Outcome(parent).cause(), CancelCause::kRemoved);
  const auto got = value->Get();
  EXPECT_TRUE(got.ok() ? *got == 42 : absl::IsCancelled(got.status())) << got.status();
}

TEST(Children, OneThatIsRemovedByItsIdHasNotFailed) {
  Served s;
  HeldBody held;
  WatchedTask child;
  Gate spawned;
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    child = Spawned(context, TaskSpec::Once(&UntilCancelled), kWithSiblings);
    spawned.Open();
    held.Body()(context);
    EXPECT_FALSE(context.Cancelled());
  }));
  ASSERT_TRUE(spawned.Wait());
  EXPECT_TRUE(s.handle.Cancel(child.id).value());
  EXPECT_EQ(s.Outcome(child).cause(), CancelCause::kCancelled);
  held.LetGo();
  EXPECT_TRUE(s.Outcome(parent).IsSuccess());
}

TEST(Children, AFailureIsTheChildsOwnUnlessAskedOtherwise) {
  Served s;
  WatchedTask child;
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    child = Spawned(context, TaskSpec::Once([] { return Fatal("broken"); }));
  }));
  EXPECT_TRUE(s.Outcome(parent).IsSuccess());
  EXPECT_EQ(s.Outcome(child).kind(), OutcomeKind::kFatal);
}

TEST(Children, AFailingChildTakesItsSiblingsAndTheBodyWithIt) {
  Served s({.workers = 3});
  WatchedTask sibling;
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    sibling = Spawned(context, TaskSpec::Once("sibling", [](TaskContext& own) {
                        EXPECT_EQ(UntilCancelled(own).error().kind, TaskErrorKind::kCancelled);
                        EXPECT_EQ(own.Cause(), CancelCause::kChildFailed);
                      }));
    Spawned(context, TaskSpec::Once("bad", [] { throw std::runtime_error("no disk"); }),
            kWithSiblings);
    EXPECT_TRUE(context.WaitCancelled(Duration::max()));
    EXPECT_EQ(context.Cause(), CancelCause::kChildFailed);
    const auto late = context.Spawn(TaskSpec::Once([] {}));
    EXPECT_EQ(late.status().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(ErrorLabel(late.status()), "runtime_attempt_cancelled");
  }));
  const TaskOutcome outcome = s.Outcome(parent);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
  EXPECT_EQ(outcome.reason(), "child bad failed: task panicked: no disk");
  EXPECT_EQ(outcome.cause(), CancelCause::kChildFailed) << "as its body saw it";
  ASSERT_NE(outcome.source(), nullptr);
  EXPECT_THROW(std::rethrow_exception(outcome.source()), std::runtime_error);
  EXPECT_EQ(s.Outcome(sibling).kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(s.Outcome(sibling).cause(), CancelCause::kChildFailed);
  EXPECT_EQ(s.Await(kTaskFailed, parent).reason(), outcome.reason());
}

TEST(Children, AFailureWhileTheAttemptWaitsIsRetriedByItsRules) {
  Served s;
  std::atomic<int> tries{0};
  const auto parent = s.Watch(
      TaskSpec::Restartable([&](TaskContext& context) -> TaskResult {
        if (context.attempt() == 2) {
          const TaskError* const last = context.LastError();
          EXPECT_TRUE(last != nullptr && last->reason.starts_with("child task-"));
        }
        Spawned(context, TaskSpec::Once(&UntilCancelled).WithRestart(RestartPolicy::Never()));
        Spawned(context,
                TaskSpec::Once([&] { return ++tries < 2 ? Fail("not yet") : Fatal("enough"); }),
                kWithSiblings);
        return Cancelled();  // obeys nobody: a result of its own would stand
      })
          .WithBackoff(kNoBackoff)
          .WithMaxRetries(1));
  const TaskOutcome outcome = s.Outcome(parent);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
  EXPECT_EQ(outcome.attempts(), 2u);
  EXPECT_NE(outcome.reason().find("failed: enough"), std::string_view::npos) << outcome.reason();
}

TEST(Children, TheBodysOwnFailureStands) {
  Served s;
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) -> TaskResult {
    Spawned(context, TaskSpec::Once([] { return Fail("the child's"); }), kWithSiblings);
    EXPECT_TRUE(context.WaitCancelled(Duration::max()));
    return Fatal("the body's");
  }));
  EXPECT_EQ(s.Outcome(parent).reason(), "the body's");
}

// A failure that counts is the last attempt's: one that is retried cancels nobody.
TEST(Children, AChildThatIsRetriedHasNotFailedYet) {
  Served s;
  WatchedTask sibling;
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    auto flaky = TaskSpec::Restartable([](TaskContext& own) {
                   return own.attempt() < 4 ? Fail("not yet") : Ok();
                 }).WithBackoff(kNoBackoff);
    Spawned(context, std::move(flaky), kWithSiblings);
    sibling = Spawned(context, TaskSpec::Once([] {}), kWithSiblings);
  }));
  EXPECT_TRUE(s.Outcome(parent).IsSuccess());
  EXPECT_TRUE(s.Outcome(sibling).IsSuccess());
}

using ChildrenOfLoops = TbbTest;
TEST_F(ChildrenOfLoops, ManyStepsOfALoopMaySpawnAtOnce) {
  Served s({.workers = 4});
  std::atomic<int> ran{0};
  const auto parent = s.Watch(TaskSpec::Restartable([&](TaskContext& context) {
    tbb::parallel_for(0, 200, [&](int) { Spawned(context, TaskSpec::Once([&] { ++ran; })); });
  }));
  EXPECT_TRUE(s.Outcome(parent).IsSuccess());
  EXPECT_EQ(ran, 200);
}

TEST(Children, ManyThreadsOfABodyMaySpawnAtOnce) {
  Served s({.workers = 2});
  std::atomic<int> ran{0};
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 50; ++n) Spawned(context, TaskSpec::Once([&] { ++ran; }));
      });
    }
    for (std::thread& thread : threads) thread.join();
  }));
  EXPECT_TRUE(s.Outcome(parent).IsSuccess());
  EXPECT_EQ(ran, 200);
}

TEST(Children, AFullSupervisorRefusesAndTheAttemptGoesOn) {
  Served s({.workers = 1, .max_tasks = 2});
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    Spawned(context, TaskSpec::Once([] {}));
    const auto refused = context.Spawn(TaskSpec::Once([] {}));
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  }));
  EXPECT_TRUE(s.Outcome(parent).IsSuccess());
}

TEST(Children, WithoutASupervisorThereAreNone) {
  DetachedContext detached;
  const auto refused = detached.context().Spawn(TaskSpec::Once([] {}));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorLabel(refused.status()), "runtime_no_attempt");
  TaskSpec spec = TaskSpec::Once([] {});
  const TaskWaiter waiter = spec.Watch();
  // In one expression: a refusal is told before the call returns.
  EXPECT_TRUE(!detached.context().Spawn(std::move(spec)).ok() && waiter.Ready());
}

TEST(Children, GenerationsAreCountedAndBounded) {
  Served s;
  std::atomic<uint32_t> deepest{0};
  std::function<void(TaskContext&, uint32_t)> descend = [&](TaskContext& context, uint32_t depth) {
    const auto child =
        context.Spawn(TaskSpec::Once([&, depth](TaskContext& own) { descend(own, depth + 1); }));
    if (child.ok()) return;
    EXPECT_EQ(ErrorLabel(child.status()), "runtime_too_deep");
    deepest = depth;
  };
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) { descend(context, 0); }));
  EXPECT_TRUE(s.Outcome(parent).IsSuccess());
  EXPECT_EQ(deepest, kMaxChildDepth);
}

// A scope that a child has got from the body is the attempt's, which goes on after the body.
TEST(Children, ScopesOfTheAttemptLiveUntilItsChildrenHaveEnded) {
  Served s;
  Gate inside;
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    Spawned(context, TaskSpec::Once([&, scope = context.Child()](TaskContext& own) {
              inside.Open();
              EXPECT_FALSE(scope.SleepFor(1h));
              EXPECT_EQ(scope.Cause(), CancelCause::kRemoved);
              EXPECT_TRUE(own.WaitCancelled(Duration::max()));
            }));
  }));
  ASSERT_TRUE(inside.Wait());
  AwaitJoining(s, parent);
  EXPECT_TRUE(s.handle.Remove(parent.id).value());
  EXPECT_EQ(s.Outcome(parent).kind(), OutcomeKind::kCancelled);
}

}  // namespace
}  // namespace taskvisor::testing
