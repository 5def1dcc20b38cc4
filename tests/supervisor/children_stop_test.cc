// TaskContext::Spawn: what cancels an attempt reaches its children, and children that do not stop.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "taskvisor/errors.h"
#include "tests/supervisor/family.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;
using enum EventKind;

// A family of three generations, all of whom only end when they are asked to.
class Generations {
 public:
  explicit Generations(SupervisorConfig config = {.workers = 4, .grace = 10s})
      : served(std::move(config)) {}

  // `body_stays`: the eldest's body is still inside when it is cancelled.
  void Begin(bool body_stays, TaskSpec (*limited)(TaskSpec) = nullptr) {
    TaskSpec spec = TaskSpec::Once("eldest", [this, body_stays](TaskContext& context) {
      child = Spawned(context, TaskSpec::Once("child", [this](TaskContext& own) {
                        grandchild = Spawned(own, TaskSpec::Once("grandchild", &UntilCancelled));
                        // One that waits for its next attempt.
                        resting = Spawned(own, TaskSpec::Restartable("resting", [] {
                                                 return Fail("later");
                                               }).WithBackoff(BackoffPolicy::Constant(1h)));
                        spawned.Open();
                      }));
      placed.Open();
      return body_stays ? UntilCancelled(context) : Ok();
    });
    eldest = served.Watch(limited == nullptr ? std::move(spec) : limited(std::move(spec)));
    ASSERT_TRUE(placed.Wait() && spawned.Wait());
    AwaitJoining(served, child);
    served.Await(kBackoffScheduled, resting);
    served.Await(kTaskStarting, grandchild);
    if (!body_stays) AwaitJoining(served, eldest);
  }
  void ExpectAllStopped(CancelCause cause) {
    for (const WatchedTask* task : {&grandchild, &resting, &child, &eldest}) {
      const TaskOutcome outcome = Served::Outcome(*task);
      EXPECT_EQ(outcome.kind(), OutcomeKind::kCancelled) << outcome.reason();
      EXPECT_EQ(outcome.cause(), cause) << Label(outcome.cause());
    }
    EXPECT_LT(SequenceOf(served, kTaskRemoved, grandchild),
              SequenceOf(served, kTaskRemoved, child));
    EXPECT_LT(SequenceOf(served, kTaskRemoved, child), SequenceOf(served, kTaskRemoved, eldest));
  }

  Served served;
  Gate placed;   // the child is known
  Gate spawned;  // and its children
  WatchedTask eldest;
  WatchedTask child;
  WatchedTask grandchild;
  WatchedTask resting;
};

TEST(ChildrenStop, ARemovalReachesAllGenerations) {
  for (const bool body_stays : {true, false}) {
    Generations family;
    family.Begin(body_stays);
    EXPECT_TRUE(family.served.handle.Remove(family.eldest.id).value());
    family.ExpectAllStopped(CancelCause::kRemoved);
  }
}

TEST(ChildrenStop, ACancelWaitsForAllGenerations) {
  Generations family;
  family.Begin(/*body_stays=*/false);
  EXPECT_TRUE(family.served.handle.Cancel(family.eldest.id).value());
  EXPECT_TRUE(family.grandchild.waiter.Ready());
  family.ExpectAllStopped(CancelCause::kCancelled);
}

TEST(ChildrenStop, AShutdownReachesAllGenerations) {
  for (const bool body_stays : {true, false}) {
    Generations family;
    family.Begin(body_stays);
    EXPECT_TRUE(family.served.handle.Shutdown().ok());
    family.ExpectAllStopped(CancelCause::kShutdown);
  }
}

TEST(ChildrenStop, ATimeoutReachesThemAsATimeoutAndTheAttemptHasTimedOut) {
  for (const bool body_stays : {true, false}) {
    Generations family;
    family.Begin(body_stays, [](TaskSpec spec) { return std::move(spec).WithTimeout(5s); });
    family.served.Advance(5s);
    for (const WatchedTask* task : {&family.grandchild, &family.resting, &family.child}) {
      const TaskOutcome outcome = Served::Outcome(*task);
      EXPECT_EQ(outcome.kind(), OutcomeKind::kCancelled) << outcome.reason();
      EXPECT_EQ(outcome.cause(), CancelCause::kTimeout);
    }
    const TaskOutcome outcome = Served::Outcome(family.eldest);
    EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
    EXPECT_EQ(outcome.reason(), "timed out after 5s");
    family.served.Await(kTaskRemoved, family.eldest);
    EXPECT_EQ(family.served.Count(kTimeoutHit, family.eldest), 1u);
  }
}

TEST(ChildrenStop, ADeadlineEndsAllGenerationsAtOnce) {
  for (const bool body_stays : {true, false}) {
    Generations family;
    family.Begin(body_stays, [](TaskSpec spec) { return std::move(spec).WithDeadline(5s); });
    family.served.Advance(5s);
    for (const WatchedTask* task :
         {&family.grandchild, &family.resting, &family.child, &family.eldest}) {
      const TaskOutcome outcome = Served::Outcome(*task);
      EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
      EXPECT_EQ(outcome.cause(), CancelCause::kDeadline);
    }
  }
}

TEST(ChildrenStop, ADestroyedSupervisorStopsThemToo) {
  std::atomic<int> stopped{0};
  Gate inside;
  {
    auto supervisor = Supervisor::Create({.workers = 2});
    const SupervisorHandle handle = supervisor->Serve();
    ASSERT_TRUE(handle
                    .Add(TaskSpec::Once([&](TaskContext& context) {
                      Spawned(context, TaskSpec::Once([&](TaskContext& own) {
                                inside.Open();
                                static_cast<void>(UntilCancelled(own));
                                ++stopped;
                              }));
                    }))
                    .ok());
    ASSERT_TRUE(inside.Wait());
  }
  EXPECT_EQ(stopped, 1);
}

TEST(ChildrenStop, TheDeadlineIsTheEarlierOfTheAttemptsAndTheChildsOwn) {
  Served s({.workers = 3});
  Gate seen;
  std::atomic<int> left{3};
  WatchedTask sooner;
  const auto expect = [&](Duration remaining) {
    return [&, remaining](TaskContext& own) {
      EXPECT_EQ(own.Remaining(), remaining);
      if (--left == 0) seen.Open();
      return UntilCancelled(own);
    };
  };
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
                                Spawned(context, TaskSpec::Once(expect(5s)));
                                Spawned(context, TaskSpec::Once(expect(5s)).WithDeadline(1h));
                                sooner =
                                    Spawned(context, TaskSpec::Once(expect(2s)).WithDeadline(2s));
                              }).WithTimeout(5s));
  ASSERT_TRUE(seen.Wait());
  AwaitJoining(s, parent);
  s.Advance(2s);
  EXPECT_EQ(s.Outcome(sooner).cause(), CancelCause::kDeadline);
  EXPECT_FALSE(parent.waiter.Ready());
  s.Advance(3s);
  EXPECT_EQ(s.Outcome(parent).kind(), OutcomeKind::kFailed);
}

// No attempt of a child begins after the deadline that it has from its parent.
TEST(ChildrenStop, AChildThatWaitsForAWorkerEndsWithItsParent) {
  Served s({.workers = 1});
  HeldBody held;
  WatchedTask child;
  const auto parent =
      s.Watch(TaskSpec::Once([&](TaskContext& context) {
                child = Spawned(context, TaskSpec::Once([] { ADD_FAILURE() << "it has begun"; }));
                held.Body()(context);
              }).WithTimeout(5s));
  ASSERT_TRUE(held.Inside());
  s.Advance(5s);
  EXPECT_EQ(s.Outcome(child).cause(), CancelCause::kTimeout);
  held.LetGo();
  EXPECT_EQ(s.Outcome(parent).reason(), "timed out after 5s");
}

// A parent whose body is over, and its child, which does not stop.
struct DeafChild {
  explicit DeafChild(SupervisorConfig config) : served(std::move(config)) {
    parent = served.Watch(TaskSpec::Once("parent", [this](TaskContext& context) {
      child = Spawned(context, TaskSpec::Once("child", held.Body()));
    }));
    EXPECT_TRUE(held.Inside());
    AwaitJoining(served, parent);
  }

  Served served;
  HeldBody held;
  WatchedTask child;
  WatchedTask parent;
};

TEST(ChildrenStop, OneThatDoesNotStopIsStuckAndSoIsItsParentUntilItComesBack) {
  DeafChild family({.workers = 2, .grace = 3s});
  Served& s = family.served;
  EXPECT_TRUE(s.handle.Remove(family.parent.id).value());
  EXPECT_EQ(s.PhaseOf(family.parent), TaskPhase::kStopping);
  s.Advance(3s);
  const TaskOutcome stuck = s.Outcome(family.parent);
  EXPECT_EQ(stuck.kind(), OutcomeKind::kStuck);
  EXPECT_EQ(stuck.reason(), "grace passed and its children still run");
  EXPECT_EQ(stuck.cause(), CancelCause::kRemoved);
  EXPECT_EQ(stuck.stuck()->stack, "(no stack: its body is over, its children run)");
  EXPECT_EQ(s.Outcome(family.child).kind(), OutcomeKind::kStuck);
  EXPECT_EQ(s.Outcome(family.child).reason(), "grace passed and the body still runs");
  EXPECT_EQ(s.PhaseOf(family.parent), TaskPhase::kStuck);
  EXPECT_FALSE(family.parent.waiter.IsDrained());
  family.held.LetGo();
  EXPECT_TRUE(family.parent.waiter.Drained().ok());
  EXPECT_TRUE(family.child.waiter.IsDrained());
  EXPECT_LT(SequenceOf(s, kTaskRemoved, family.child), SequenceOf(s, kTaskRemoved, family.parent));
  EXPECT_TRUE(Eventually([&] { return s.handle.Stats().tasks == 0; }));
}

TEST(ChildrenStop, AStuckChildHasFailed) {
  Served s({.workers = 2, .grace = 3s});
  HeldBody held;
  WatchedTask sibling;
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    sibling = Spawned(context, TaskSpec::Once(&UntilCancelled));
    Spawned(context, TaskSpec::Once("deaf", held.Body()).WithDeadline(1s), kWithSiblings);
  }));
  ASSERT_TRUE(held.Inside());
  s.Advance(1s);
  EXPECT_TRUE(s.recorder->Await(Recorder::Is(kTimeoutHit, "deaf")));
  s.Advance(3s);
  EXPECT_EQ(s.Outcome(sibling).cause(), CancelCause::kChildFailed);
  EXPECT_FALSE(parent.waiter.Ready());
  held.LetGo();
  EXPECT_EQ(s.Outcome(parent).reason(), "child deaf failed: grace passed and the body still runs");
}

TEST(ChildrenStop, AShutdownThatMeetsAStuckChildTellsOfBoth) {
  SupervisorConfig config{.workers = 2, .grace = 20ms, .clock = RealClock()};
  DeafChild family(std::move(config));
  Served& s = family.served;
  const auto exceeded = GraceExceeded::From(s.handle.Shutdown());
  ASSERT_TRUE(exceeded.has_value());
  ASSERT_EQ(exceeded->stuck.size(), 2u);
  EXPECT_EQ(exceeded->stuck[0].name, "child");
  EXPECT_EQ(exceeded->stuck[1].name, "parent");
  EXPECT_EQ(exceeded->stuck[1].stack, "(no stack: its body is over, its children run)");
  EXPECT_EQ(s.Outcome(family.parent).kind(), OutcomeKind::kStuck);
  family.held.LetGo();
  EXPECT_TRUE(family.parent.waiter.Drained().ok());
  EXPECT_TRUE(family.child.waiter.Drained().ok());
}

// As deep as may be: one thread asks them all.
TEST(ChildrenStop, TheLastGenerationIsReachedToo) {
  Served s;
  Gate deepest;
  std::function<TaskResult(TaskContext&, uint32_t)> descend = [&](TaskContext& context,
                                                                  uint32_t depth) {
    if (depth == kMaxChildDepth) {
      deepest.Open();
      return UntilCancelled(context);
    }
    Spawned(context,
            TaskSpec::Once([&, depth](TaskContext& own) { return descend(own, depth + 1); }));
    return Ok();
  };
  const auto eldest =
      s.Watch(TaskSpec::Once([&](TaskContext& context) { return descend(context, 0); }));
  ASSERT_TRUE(deepest.Wait());
  EXPECT_TRUE(s.handle.Cancel(eldest.id).value());
  EXPECT_EQ(s.handle.Stats().tasks, 0u);
}

// Removed again and again at the moment at which it spawns: every child that came is told.
TEST(ChildrenStop, AStopThatComesWhileTheBodySpawnsReachesEveryChild) {
  Served s({.workers = 2});
  for (int round = 0; round < 300; ++round) {
    std::atomic<int> begun{0};
    Gate inside;
    const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
      inside.Open();
      while (true) {
        const auto child = context.Spawn(TaskSpec::Once([&](TaskContext& own) {
          ++begun;
          return UntilCancelled(own);
        }));
        if (child.ok()) continue;
        EXPECT_TRUE(absl::IsCancelled(child.status())) << child.status();
        return;
      }
    }));
    ASSERT_TRUE(inside.Wait());
    ASSERT_TRUE(s.handle.Remove(parent.id).value());
    ASSERT_EQ(s.Outcome(parent).kind(), OutcomeKind::kCancelled);
    ASSERT_LE(s.handle.Stats().tasks, 1u) << "the parent has ended before a child";
  }
}

// Cut short at once; the timeout passes while a sibling takes its time.
TEST(ChildrenStop, AChildsFailureThatCameFirstIsWhatTheAttemptFailedOf) {
  Served s({.workers = 4, .grace = 1h});
  HeldBody held;
  WatchedTask slow;
  const auto broken = [&] {
    static_cast<void>(held.Inside());  // or its sibling would never begin
    return Fatal("broken");
  };
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
                                slow = Spawned(context, TaskSpec::Once(held.Body()));
                                Spawned(context, TaskSpec::Once("bad", broken), kWithSiblings);
                                return Ok();
                              }).WithTimeout(10s));
  AwaitJoining(s, parent);
  EXPECT_TRUE(Eventually([&] { return s.PhaseOf(slow) == TaskPhase::kStopping; }));
  s.Advance(11s);
  held.LetGo();
  EXPECT_EQ(Served::Outcome(parent).reason(), "child bad failed: broken");
  EXPECT_EQ(s.Count(kTimeoutHit, parent), 0u);
}

}  // namespace
}  // namespace taskvisor::testing
