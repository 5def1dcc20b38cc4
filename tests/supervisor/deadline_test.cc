// TaskSpec::WithDeadline: a task's end by its deadline, wherever it is by then.

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/contract/served.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;
using enum EventKind;

using Kinds = std::vector<EventKind>;

void ExpectOverdue(const TaskOutcome& outcome, const std::string& reason) {
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
  EXPECT_EQ(outcome.cause(), CancelCause::kDeadline);
  EXPECT_EQ(outcome.reason(), reason);
}

TEST(Deadline, AQueuedTaskEndsAtItNotWhenAWorkerComes) {
  Served s({.workers = 1});
  HeldBody held;
  const auto first = s.Watch(TaskSpec::Once(held.Body()));
  ASSERT_TRUE(held.Inside());
  const auto task = s.Watch(TaskSpec::Once([] {}).WithDeadline(5s));
  s.Advance(5s - 1ns);
  EXPECT_FALSE(task.waiter.Ready());
  s.Advance(1ns);
  ExpectOverdue(s.Outcome(task), "deadline exceeded after 5s");
  EXPECT_FALSE(first.waiter.Ready());
  EXPECT_EQ(s.Story(task), (Kinds{kTaskAddRequested, kTaskAdded, kActorExhausted, kTaskRemoved}));
  const Event end = s.Await(kActorExhausted, task);
  EXPECT_EQ(end.cause(), CancelCause::kDeadline);
  EXPECT_EQ(end.reason(), "deadline exceeded after 5s");
}

TEST(Deadline, ATaskThatWaitsForAPermitEndsAtItAndTakesNone) {
  Served s({.max_concurrent = 1});
  HeldBody held;
  const auto first = s.Watch(TaskSpec::Once(held.Body()));
  ASSERT_TRUE(held.Inside());
  const auto task = s.Watch(TaskSpec::Once([] {}).WithDeadline(5s));
  ASSERT_TRUE(Eventually([&] { return s.PhaseOf(task) == TaskPhase::kWaiting; }));
  s.Advance(5s);
  ExpectOverdue(s.Outcome(task), "deadline exceeded after 5s");
  held.LetGo();
  EXPECT_TRUE(s.Outcome(first).IsSuccess());
  EXPECT_TRUE(s.Outcome(s.Watch(TaskSpec::Once([] {}))).IsSuccess());
}

TEST(Deadline, ATaskBetweenTwoAttemptsEndsAtItAndSaysWhatItsLastFailureWas) {
  Served s;
  const auto task = s.Watch(TaskSpec::Restartable([] { return Fail("no answer"); })
                                .WithBackoff(BackoffPolicy::Constant(2s))
                                .WithDeadline(5s));
  for (size_t n = 1; n <= 3; ++n) {  // begun at 0, 2 and 4 s
    s.Await(kBackoffScheduled, task, n);
    if (n < 3) s.Advance(2s);
  }
  s.Advance(1s);
  const TaskOutcome outcome = s.Outcome(task);
  ExpectOverdue(outcome, "deadline exceeded after 5s; last: no answer");
  EXPECT_EQ(outcome.attempts(), 3u);
}

TEST(Deadline, ARunningBodyIsToldAtItAndTheTaskEndsWhenItReturns) {
  Gate inside;
  Gate release;
  Served s;
  const auto task = s.Watch(TaskSpec::Restartable([&](TaskContext& context) {
                              EXPECT_EQ(context.Remaining(), 5s);
                              inside.Open();
                              EXPECT_TRUE(context.WaitCancelled(Duration::max()));
                              EXPECT_EQ(context.Cause(), CancelCause::kDeadline);
                              EXPECT_EQ(context.Remaining(), Duration::zero());
                              release.Pass();
                            }).WithDeadline(5s));
  ASSERT_TRUE(inside.Wait());
  s.Advance(5s);
  const Event hit = s.Await(kTimeoutHit, task);
  EXPECT_EQ(hit.timeout(), 5s);
  EXPECT_EQ(hit.cause(), CancelCause::kDeadline);
  EXPECT_FALSE(task.waiter.Ready());
  s.Advance(50ms);
  release.Open();
  ExpectOverdue(s.Outcome(task), "deadline exceeded after 5s");  // its success came late
  EXPECT_EQ(s.Story(task), (Kinds{kTaskAddRequested, kTaskAdded, kTaskStarting, kTimeoutHit,
                                  kTaskFailed, kActorExhausted, kTaskRemoved}));
  EXPECT_EQ(s.Await(kTaskFailed, task).overrun(), 50ms);
}

TEST(Deadline, ALateFailureIsToldWithItAndNotRetried) {
  Gate inside;
  Served s;
  const auto task = s.Watch(TaskSpec::Restartable([&](TaskContext& context) {
                              inside.Open();
                              static_cast<void>(context.WaitCancelled(Duration::max()));
                              return Fatal("too late");
                            }).WithDeadline(5s));
  ASSERT_TRUE(inside.Wait());
  s.Advance(5s);
  ExpectOverdue(s.Outcome(task), "deadline exceeded after 5s; last: too late");
  EXPECT_EQ(s.Story(task).size(), 7u) << "no BackoffScheduled";
}

TEST(Deadline, ABodyThatIgnoresItIsStuckAfterTheGrace) {
  Served s({.grace = 1s});
  HeldBody held;
  const auto task = s.Watch(TaskSpec::Once(held.Body()).WithDeadline(5s));
  ASSERT_TRUE(held.Inside());
  s.Advance(5s);
  s.Await(kTimeoutHit, task);
  EXPECT_TRUE(s.AdvanceUntil([&] { return task.waiter.Ready(); }, 100ms));
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kStuck);
  EXPECT_EQ(outcome.cause(), CancelCause::kDeadline);
  held.LetGo();
  EXPECT_TRUE(task.waiter.Drained().ok());
}

// The clock decides, not who comes first: the body itself moves it past the deadline.
TEST(Deadline, ASuccessThatNoTimerHasSeenToBeLateIsLate) {
  Served s;
  for (int round = 0; round < 20; ++round) {
    const auto task = s.Watch(TaskSpec::Once([&] { s.Advance(5s); }).WithDeadline(5s));
    ExpectOverdue(s.Outcome(task), "deadline exceeded after 5s");
    EXPECT_EQ(s.Story(task).size(), 7u);
    EXPECT_EQ(s.Count(kTimeoutHit, task), 1u);
  }
}

TEST(Deadline, TheSmallerOfItAndTheTimeoutCounts) {
  Served s;
  std::vector<Duration> left;
  Gate inside[2];
  const auto body = [&](TaskContext& context) {
    left.push_back(context.Remaining());
    inside[context.attempt() - 1].Open();
    static_cast<void>(context.WaitCancelled(Duration::max()));
  };
  const auto task =
      s.Watch(TaskSpec::Restartable(body).WithTimeout(3s).WithBackoff(kNoBackoff).WithDeadline(5s));
  ASSERT_TRUE(inside[0].Wait());
  s.Advance(3s);
  EXPECT_EQ(s.Await(kTimeoutHit, task).timeout(), 3s);
  ASSERT_TRUE(inside[1].Wait());
  s.Advance(2s);
  const Event hit = s.Await(kTimeoutHit, task, 2);
  EXPECT_EQ(hit.timeout(), 5s);
  EXPECT_EQ(hit.cause(), CancelCause::kDeadline);
  ExpectOverdue(s.Outcome(task), "deadline exceeded after 5s");
  EXPECT_EQ(left, (std::vector<Duration>{3s, 2s}));
}

TEST(Deadline, OneThatPassesAfterAnAttemptsTimeoutEndsTheTaskWithoutAnotherTimeoutHit) {
  Served s;
  Gate inside;
  Gate release;
  const auto body = [&] {
    inside.Open();
    release.Pass();
  };
  const auto task = s.Watch(TaskSpec::Restartable(body).WithTimeout(3s).WithDeadline(5s));
  ASSERT_TRUE(inside.Wait());
  s.Advance(3s);
  s.Await(kTimeoutHit, task);
  s.Advance(2s);
  release.Open();
  ExpectOverdue(s.Outcome(task), "deadline exceeded after 5s; last: timed out after 3s");
  EXPECT_EQ(s.Story(task), (Kinds{kTaskAddRequested, kTaskAdded, kTaskStarting, kTimeoutHit,
                                  kTaskFailed, kActorExhausted, kTaskRemoved}));
}

TEST(Deadline, AStopThatCameFirstStays) {
  Gate inside;
  Gate release;
  Served s;
  const auto task = s.Watch(TaskSpec::Once([&] {
                              inside.Open();
                              release.Pass();
                            }).WithDeadline(5s));
  ASSERT_TRUE(inside.Wait());
  EXPECT_TRUE(*s.handle.Remove(task.id));
  s.Advance(5s);
  release.Open();
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(outcome.cause(), CancelCause::kRemoved);
  EXPECT_EQ(s.Story(task).size(), 7u);
  EXPECT_EQ(s.Count(kTimeoutHit, task), 0u);
}

TEST(Deadline, ATaskThatRepeatsEndsAtItToo) {
  Served s;
  const auto task = s.Watch(TaskSpec::Periodic(2s, [] {}).WithDeadline(5s));
  s.Await(kBackoffScheduled, task, 1);
  s.Advance(2s);
  s.Await(kBackoffScheduled, task, 2);
  s.Advance(2s);
  s.Await(kBackoffScheduled, task, 3);
  s.Advance(1s);
  ExpectOverdue(s.Outcome(task), "deadline exceeded after 5s");
}

TEST(Deadline, AnEndInTimeIsUntouchedAndSoIsTheNextTaskInItsPlace) {
  Served s({.workers = 1});
  for (int round = 0; round < 100; ++round) {
    EXPECT_TRUE(s.Outcome(s.Watch(TaskSpec::Once([] {}).WithDeadline(5s))).IsSuccess());
    // Under the deadline of the task before, whose timer is still in the wheel.
    HeldBody held;
    const auto task = s.Watch(TaskSpec::Once(held.Body()).WithDeadline(10s));
    ASSERT_TRUE(held.Inside());
    s.Advance(6s);
    held.LetGo();
    ASSERT_TRUE(s.Outcome(task).IsSuccess()) << "round " << round;
  }
}

TEST(Deadline, IsInheritedAndMayBeOverruled) {
  Served s({.task_defaults = {.deadline = 5s}});
  const auto body = [](TaskContext& context) -> TaskResult {
    return Fail(context.Remaining() == 5s ? "5s" : context.Remaining() == 1s ? "1s" : "none");
  };
  EXPECT_EQ(s.Outcome(s.Watch(TaskSpec::Once(body))).reason(), "5s");
  EXPECT_EQ(s.Outcome(s.Watch(TaskSpec::Once(body).WithDeadline(1s))).reason(), "1s");
  EXPECT_EQ(s.Outcome(s.Watch(TaskSpec::Once(body).WithoutDeadline())).reason(), "none");
  EXPECT_EQ(
      s.Outcome(s.Watch(TaskSpec::Explicit("", RestartPolicy::Never(), {}, {}, body))).reason(),
      "none");
}

TEST(Deadline, OneThatIsNotAboveZeroIsRefused) {
  Served s;
  for (const Duration wrong : {Duration(0), Duration(-1s)}) {
    const auto added = s.handle.Add(TaskSpec::Once([] {}).WithDeadline(wrong));
    EXPECT_EQ(added.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Supervisor::Create({.task_defaults = {.deadline = wrong}}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(Deadline, ARefusedNameLeavesNoTimerBehind) {
  Served s;
  HeldBody held;
  const auto owner = s.Watch(TaskSpec::Once("name", held.Body()));
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(s.handle.Add(TaskSpec::Once("name", [] {}).WithDeadline(5s)).ok());
  }
  s.Advance(10s);
  held.LetGo();
  EXPECT_TRUE(s.Outcome(owner).IsSuccess());
}

}  // namespace
}  // namespace taskvisor::testing
