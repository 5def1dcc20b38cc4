// Statements 43 to 46: how often it may fail, and how fast it may repeat.
#include <atomic>
#include <chrono>
#include <string>

#include "tests/contract/served.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

TEST(ContractBudget, S043_MaxRetriesAllowsOneMoreFailureThanRetries) {
  Served s;
  const auto task = s.Watch(
      TaskSpec::Restartable(Scripted("ffffffff")).WithBackoff(kNoBackoff).WithMaxRetries(3));
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
  EXPECT_EQ(outcome.attempts(), 4u);
  s.Story(task);
  EXPECT_EQ(s.Count(EventKind::kTaskFailed, task), 4u);
  EXPECT_EQ(s.Count(EventKind::kBackoffScheduled, task), 3u);
}

TEST(ContractBudget, S043_WithoutMaxRetriesAFailingTaskIsRetriedForEver) {
  Served s;
  const std::string many = std::string(1000, 'f') + "s";
  const TaskOutcome outcome =
      s.Outcome(s.Watch(TaskSpec::Restartable(Scripted(many)).WithBackoff(kNoBackoff)));
  EXPECT_EQ(outcome.kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(outcome.attempts(), 1001u);
}

TEST(ContractBudget, S044_ASuccessResetsTheStreakAndTheBackoff) {
  Served s;
  const auto task = s.Watch(TaskSpec::Restartable(Scripted("ffsffsfff"))
                                .WithRestart(RestartPolicy::AlwaysImmediately())
                                .WithBackoff(BackoffPolicy::Exponential(10ms))
                                .WithMaxRetries(2));
  size_t n = 0;
  for (const Duration delay : {10ms, 20ms, 10ms, 20ms, 10ms, 20ms}) {
    EXPECT_EQ(s.Await(EventKind::kBackoffScheduled, task, ++n).delay(), delay) << n;
    s.Advance(delay);
  }
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
  EXPECT_EQ(outcome.attempts(), 9u);
}

TEST(ContractBudget, S044_RepeatsAfterSuccessNeverUseUpTheRetryBudget) {
  Served s;
  const std::string script = std::string(50, 's') + "f" + std::string(50, 's') + "x";
  const TaskOutcome outcome = s.Outcome(s.Watch(TaskSpec::Restartable(Scripted(script))
                                                    .WithRestart(RestartPolicy::AlwaysImmediately())
                                                    .WithBackoff(kNoBackoff)
                                                    .WithMaxRetries(1)));
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFatal);
  EXPECT_EQ(outcome.attempts(), 102u);
}

TEST(ContractBudget, S045_AnExhaustedBudgetSaysSoBeforeTheError) {
  Served s;
  const auto body = [] { return Fail("disk is full").WithExitCode(28); };
  const auto task = s.Watch(TaskSpec::Restartable(body).WithBackoff(kNoBackoff).WithMaxRetries(2));
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.reason(), "max_retries_exceeded(2/2): disk is full");
  EXPECT_EQ(outcome.exit_code(), 28);
  const Event end = s.Await(EventKind::kActorExhausted, task);
  EXPECT_EQ(end.reason(), outcome.reason());
  EXPECT_EQ(end.outcome_kind(), OutcomeKind::kFailed);
}

TEST(ContractBudget, S045_UnderNeverTheReasonIsThePlainError) {
  Served s;
  const auto body = [] { return Fail("disk is full"); };
  const auto task = s.Watch(TaskSpec::Once(body).WithMaxRetries(2));
  EXPECT_EQ(s.Outcome(task).reason(), "disk is full");
  EXPECT_EQ(s.Await(EventKind::kActorExhausted, task).reason(), "disk is full");
}

// Started once for each millisecond, whatever the body does with the first part of it.
void ExpectFloorOfAMillisecond(Duration body_takes) {
  Served s({.workers = 1});
  const auto clock = s.clock;
  const auto task = s.Watch(TaskSpec::Periodic("p", Duration::zero(), [=](TaskContext& context) {
    clock->Advance(body_takes);
    return context.attempt() == 2 ? Fatal("enough") : Ok();
  }));
  s.Await(EventKind::kTaskStopped, task);
  s.Advance(1ms - body_takes - 1ns);
  s.LetOthersRun();
  EXPECT_EQ(s.Count(EventKind::kTaskStarting, task), 1u) << "one nanosecond too early";
  EXPECT_EQ(s.PhaseOf(task), TaskPhase::kDelaying);
  s.Advance(1ns);
  EXPECT_EQ(s.Outcome(task).attempts(), 2u);
  s.Story(task);
  EXPECT_EQ(s.Count(EventKind::kBackoffScheduled, task), 0u);
}

TEST(ContractBudget, S046_AlwaysWithoutAnIntervalStartsAtMostOnceAMillisecond) {
  ExpectFloorOfAMillisecond(Duration::zero());
}

TEST(ContractBudget, S046_WhatTheBodyTookCountsTowardsTheMillisecond) {
  ExpectFloorOfAMillisecond(400us);
}

TEST(ContractBudget, S046_AnIntervalBelowTheFloorIsRaisedToIt) {
  Served s;
  const auto clock = s.clock;
  const auto task = s.Watch(TaskSpec::Periodic("p", 100us, [=](TaskContext& context) {
    if (context.attempt() == 2) clock->Advance(950us);
    return context.attempt() == 3 ? Fatal("enough") : Ok();
  }));
  EXPECT_EQ(s.Await(EventKind::kBackoffScheduled, task, 1).delay(), 1ms);
  s.Advance(1ms);
  EXPECT_EQ(s.Await(EventKind::kBackoffScheduled, task, 2).delay(), 100us);
  s.Advance(100us);
  EXPECT_EQ(s.Outcome(task).attempts(), 3u);
}

TEST(ContractBudget, S046_ABodyOfAMillisecondRepeatsAtOnce) {
  Served s;
  const auto clock = s.clock;
  const auto task = s.Watch(TaskSpec::Periodic(Duration::zero(), [=](TaskContext& context) {
    clock->Advance(1ms);
    return context.attempt() == 3 ? Fatal("enough") : Ok();
  }));
  EXPECT_EQ(s.Outcome(task).attempts(), 3u);
  s.Story(task);
  EXPECT_EQ(s.Count(EventKind::kBackoffScheduled, task), 0u);
}

// The only worker has a task that is always ready again: the others get their turn.
void ExpectATurnBeside(RestartPolicy restart, TaskResult (*again)()) {
  Gate started;
  Gate added;
  std::atomic<int> turns = 0;
  Served s({.workers = 1});
  const auto clock = s.clock;
  const auto busy = s.Watch(TaskSpec::Restartable([&, clock](TaskContext& context) {
                              started.Open();
                              added.Pass();
                              clock->Advance(1ms);
                              if (turns == 2) return Fatal("both had their turn");
                              return context.attempt() < 1000 ? again() : Fatal("they starve");
                            })
                                .WithRestart(restart)
                                .WithBackoff(kNoBackoff));
  ASSERT_TRUE(started.Wait());
  const auto first = s.Watch(TaskSpec::Once([&] { ++turns; }));
  const auto second = s.Watch(TaskSpec::Once([&] { ++turns; }));
  added.Open();
  EXPECT_EQ(s.Outcome(busy).reason(), "both had their turn");
  EXPECT_TRUE(s.Outcome(first).IsSuccess());
  EXPECT_TRUE(s.Outcome(second).IsSuccess());
}

TEST(ContractBudget, S046_ATaskThatIsAlwaysReadyLetsTheOthersIn) {
  ExpectATurnBeside(RestartPolicy::Always(), [] { return Ok(); });
  ExpectATurnBeside(RestartPolicy::AlwaysImmediately(), [] { return Ok(); });
  ExpectATurnBeside(RestartPolicy::OnFailure(), [] { return Fail("again"); });
}

TEST(ContractBudget, S046_AlwaysImmediatelyGivesTheFloorUp) {
  Served s;
  const std::string script = std::string(100, 's') + "x";
  const TaskOutcome outcome = s.Outcome(s.Watch(
      TaskSpec::Restartable(Scripted(script)).WithRestart(RestartPolicy::AlwaysImmediately())));
  EXPECT_EQ(outcome.attempts(), 101u);  // and time has not moved
}

}  // namespace
}  // namespace taskvisor::testing
