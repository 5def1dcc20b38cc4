// Statements 69, 72, 74 and 76: scopes of cancellation and their causes.
#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>

#include "taskvisor/task_context.h"
#include "tests/contract/served.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

TEST(ContractScopes, S069_AStopReachesTheChildrenOfTheAttempt) {
  Gate ready;
  Served s;
  const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    const CancelScope child = context.Child();
    const CancelScope grandchild = child.Child();
    EXPECT_FALSE(grandchild.Cancelled());
    ready.Open();
    EXPECT_TRUE(Eventually([&] { return grandchild.Cancelled(); }));
    EXPECT_EQ(child.Cause(), CancelCause::kRemoved);
    EXPECT_EQ(grandchild.Cause(), CancelCause::kRemoved);
    EXPECT_TRUE(context.Cancelled());
    EXPECT_EQ(context.Child().Cause(), CancelCause::kRemoved);  // born cancelled
  }));
  ASSERT_TRUE(ready.Wait());
  EXPECT_TRUE(*s.handle.Remove(task.id));
  EXPECT_EQ(s.Outcome(task).kind(), OutcomeKind::kCancelled);
}

TEST(ContractScopes, S069_CancellingAChildGoesDownNeverUpNorSideways) {
  Served s;
  const auto task = s.Watch(TaskSpec::Once([](TaskContext& context) {
    CancelScope child = context.Child();
    const CancelScope sibling = context.Child();
    const CancelScope grandchild = child.Child();
    EXPECT_TRUE(child.Cancel());
    EXPECT_FALSE(child.Cancel()) << "the first one stays";
    EXPECT_EQ(grandchild.Cause(), CancelCause::kCancelled);
    EXPECT_FALSE(sibling.Cancelled());
    EXPECT_FALSE(context.Cancelled());
  }));
  EXPECT_TRUE(s.Outcome(task).IsSuccess());
}

TEST(ContractScopes, S069_EachAttemptHasAScopeOfItsOwn) {
  std::optional<CancelScope> kept;
  Served s;
  const auto clock = s.clock;
  const auto task = s.Watch(TaskSpec::Restartable([&, clock](TaskContext& context) {
                              if (context.attempt() == 1) {
                                kept = context.Child();
                                clock->Advance(100ms);
                                EXPECT_TRUE(Eventually([&] { return kept->Cancelled(); }));
                                return;
                              }
                              EXPECT_FALSE(context.Cancelled());
                              EXPECT_FALSE(context.Child().Cancelled());
                              EXPECT_FALSE(context.StopToken().stop_requested());
                              kept = context.Child();
                            })
                                .WithTimeout(100ms)
                                .WithBackoff(kNoBackoff));
  EXPECT_EQ(s.Outcome(task).attempts(), 2u);
  s.Story(task);
  // A scope that outlives its attempt is cancelled by hand only.
  EXPECT_FALSE(kept->Cancelled());
  const CancelScope below = kept->Child();
  EXPECT_TRUE(kept->Cancel(CancelCause::kParentFailed));
  EXPECT_EQ(below.Cause(), CancelCause::kParentFailed);
}

TEST(ContractScopes, S072_ACopyIsTheSameScope) {
  CancelScope root;
  CancelScope copy = root;
  const CancelScope below = root.Child().Child();
  EXPECT_TRUE(copy.Cancel(CancelCause::kReplaced));
  EXPECT_EQ(root.Cause(), CancelCause::kReplaced);
  EXPECT_FALSE(root.Cancel());
  EXPECT_TRUE(root.StopToken().stop_requested());
  static_cast<void>(below);
}

TEST(ContractScopes, S072_ScopesNest) {
  CancelScope root;
  CancelScope middle = root.Child();
  const CancelScope leaf = middle.Child();
  const CancelScope other = root.Child();
  EXPECT_TRUE(middle.Cancel(CancelCause::kReplaced));
  EXPECT_EQ(leaf.Cause(), CancelCause::kReplaced);
  EXPECT_FALSE(root.Cancelled());
  EXPECT_TRUE(root.Cancel());
  EXPECT_EQ(other.Cause(), CancelCause::kCancelled);
  EXPECT_EQ(leaf.Cause(), CancelCause::kReplaced) << "the first cause stays";
  EXPECT_FALSE(other.SleepFor(1h));
}

TEST(ContractScopes, S074_ADetachedContextIsLiveOrCancelledFromTheStart) {
  DetachedContext live;
  EXPECT_FALSE(live.context().Cancelled());
  EXPECT_EQ(live.context().Cause(), CancelCause::kNone);
  EXPECT_EQ(live.context().attempt(), 1u);
  EXPECT_EQ(live.context().name(), "detached");
  EXPECT_EQ(live.context().Deadline(), TimePoint::max());
  EXPECT_FALSE(live.context().Child().Cancelled());

  DetachedContext cancelled({.name = "it", .attempt = 7, .cancelled = CancelCause::kShutdown});
  EXPECT_TRUE(cancelled.context().Cancelled());
  EXPECT_EQ(cancelled.context().Cause(), CancelCause::kShutdown);
  EXPECT_EQ(cancelled.context().attempt(), 7u);
  EXPECT_EQ(cancelled.context().name(), "it");
  EXPECT_EQ(cancelled.context().Child().Cause(), CancelCause::kShutdown);
  EXPECT_FALSE(cancelled.context().SleepFor(1h));
}

TEST(ContractScopes, S074_ADetachedContextIsCancelledByHand) {
  DetachedContext detached;
  int told = 0;
  const std::stop_callback tell(detached.context().StopToken(), [&] { ++told; });
  const CancelScope child = detached.context().Child();
  detached.Cancel(CancelCause::kTimeout);
  detached.Cancel(CancelCause::kRemoved);
  EXPECT_EQ(detached.context().Cause(), CancelCause::kTimeout);
  EXPECT_EQ(child.Cause(), CancelCause::kTimeout);
  EXPECT_EQ(told, 1);
}

// Runs a body that reports why it was stopped by `stop`.
CancelCause CauseAfter(const Served& s, const std::function<void(TaskId)>& stop) {
  Gate inside;
  std::atomic<CancelCause> cause = CancelCause::kNone;
  const auto task = s.Watch(TaskSpec::Once([&](TaskContext& context) {
                              inside.Open();
                              EXPECT_TRUE(context.WaitCancelled(Duration::max()));
                              cause = context.Cause();
                              return Cancelled();
                            }).WithTimeout(1h));
  EXPECT_TRUE(inside.Wait());
  stop(task.id);
  const TaskOutcome outcome = s.Outcome(task);
  if (cause != CancelCause::kTimeout) {
    EXPECT_EQ(outcome.kind(), OutcomeKind::kCancelled);
    EXPECT_EQ(s.Await(EventKind::kTaskStopped, task).cause(), cause);
  }
  return cause;
}

TEST(ContractScopes, S076_ABodyLearnsWhyItIsToStop) {
  Served s;
  EXPECT_EQ(CauseAfter(s, [&](TaskId id) { EXPECT_TRUE(*s.handle.Remove(id)); }),
            CancelCause::kRemoved);
  EXPECT_EQ(CauseAfter(s, [&](TaskId id) { EXPECT_TRUE(*s.handle.Cancel(id)); }),
            CancelCause::kCancelled);
  EXPECT_EQ(CauseAfter(s, [&](TaskId) { s.Advance(1h); }), CancelCause::kTimeout);
  EXPECT_EQ(CauseAfter(s, [&](TaskId) { s.handle.RequestShutdown(); }), CancelCause::kShutdown);
}

TEST(ContractScopes, S076_AScopeCarriesEveryCauseDown) {
  for (const CancelCause cause :
       {CancelCause::kRemoved, CancelCause::kCancelled, CancelCause::kTimeout,
        CancelCause::kShutdown, CancelCause::kParentFailed, CancelCause::kReplaced}) {
    DetachedContext detached;
    const CancelScope child = detached.context().Child();
    detached.Cancel(cause);
    EXPECT_EQ(detached.context().Cause(), cause);
    EXPECT_EQ(child.Cause(), cause) << Label(cause);
  }
}

TEST(ContractScopes, S076_AStopOutranksATimeoutAndTheFirstStopStays) {
  Gate release;
  Served s;
  std::atomic<CancelCause> cause = CancelCause::kNone;
  const auto task = s.Watch(TaskSpec::Restartable([&](TaskContext& context) {
                              release.Pass();
                              cause = context.Cause();
                            }).WithTimeout(1s));
  s.Await(EventKind::kTaskStarting, task);
  s.Advance(1s);
  s.Await(EventKind::kTimeoutHit, task);
  EXPECT_TRUE(*s.handle.Remove(task.id));
  EXPECT_FALSE(*s.handle.Remove(task.id));
  s.handle.RequestShutdown();
  release.Open();
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(outcome.attempts(), 1u);
  EXPECT_EQ(cause, CancelCause::kRemoved);
}

}  // namespace
}  // namespace taskvisor::testing
