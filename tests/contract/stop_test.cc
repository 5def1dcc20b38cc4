// Statements 47 to 49: a stop on the way, before, between and in attempts.

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "tests/contract/served.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

TEST(ContractStop, S047_AStopWhileWaitingForAPermitEndsItWithoutAnAttempt) {
  Gate release;
  Served s({.max_concurrent = 1});
  const auto holder = s.Watch(TaskSpec::Once([&] { release.Pass(); }));
  s.Await(EventKind::kTaskStarting, holder);
  const auto task = s.Watch(TaskSpec::Restartable([] { ADD_FAILURE() << "its body ran"; }));
  EXPECT_TRUE(Eventually([&] { return s.PhaseOf(task) == TaskPhase::kWaiting; }));
  EXPECT_TRUE(*s.handle.Remove(task.id));
  EXPECT_EQ(s.Outcome(task).kind(), OutcomeKind::kCancelled);
  const std::vector<EventKind> story = {EventKind::kTaskAddRequested, EventKind::kTaskAdded,
                                        EventKind::kTaskRemoveRequested, EventKind::kActorDead,
                                        EventKind::kTaskRemoved};
  EXPECT_EQ(s.Story(task), story);
  release.Open();
  EXPECT_TRUE(s.Outcome(holder).IsSuccess());
  EXPECT_EQ(s.handle.Stats().permits, 1);
}

TEST(ContractStop, S047_AStopInABackoffEndsItWithoutAnotherAttempt) {
  Served s({.workers = 1});
  const auto task =
      s.Watch(TaskSpec::Restartable(Scripted("ffff")).WithBackoff(BackoffPolicy::Constant(1h)));
  s.Await(EventKind::kBackoffScheduled, task);
  EXPECT_TRUE(*s.handle.Cancel(task.id));
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(outcome.attempts(), 1u);
  const std::vector<EventKind> story = {
      EventKind::kTaskAddRequested, EventKind::kTaskAdded,        EventKind::kTaskStarting,
      EventKind::kTaskFailed,       EventKind::kBackoffScheduled, EventKind::kTaskRemoveRequested,
      EventKind::kActorDead,        EventKind::kTaskRemoved};
  EXPECT_EQ(s.Story(task), story);
  s.Advance(2h);  // its timer is gone with it
  s.LetOthersRun();
  EXPECT_EQ(s.Count(EventKind::kTaskStarting, task), 1u);
}

// Both workers are held where no permit is needed, one in the destructor of a body and one in a
// policy, so that the permit of `holder` reaches a task that nobody can begin.
TEST(ContractStop, S047_AStopWithThePermitInHandGivesItBack) {
  Gate first_runs;
  Gate first_is_destroyed;
  Gate holder_runs;
  Gate in_policy;
  Gate go;
  Served s({.workers = 2, .max_concurrent = 1, .jitter_source = [&](std::string_view, uint64_t) {
              in_policy.Open();
              go.Pass();
              return 0.5;
            }});
  const auto held = [&](const int* its) {
    first_is_destroyed.Open();
    go.Pass();
    delete its;
  };
  const auto first = s.Watch(TaskSpec::Once(
      [&first_runs, its = std::shared_ptr<const int>(new int(0), held)] { first_runs.Pass(); }));
  s.Await(EventKind::kTaskStarting, first);
  const auto holder = s.Watch(TaskSpec::Restartable([&](TaskContext& context) -> TaskResult {
                                if (context.attempt() == 2) return Ok();
                                holder_runs.Pass();
                                return Fail("once");
                              }).WithBackoff(kNoBackoff));
  EXPECT_TRUE(Eventually([&] { return s.PhaseOf(holder) == TaskPhase::kWaiting; }));
  const auto task = s.Watch(TaskSpec::Once([] { ADD_FAILURE() << "its body ran"; }));
  EXPECT_TRUE(Eventually([&] { return s.PhaseOf(task) == TaskPhase::kWaiting; }));
  first_runs.Open();
  ASSERT_TRUE(first_is_destroyed.Wait());
  holder_runs.Open();
  ASSERT_TRUE(in_policy.Wait());
  EXPECT_EQ(s.PhaseOf(task), TaskPhase::kQueued);
  EXPECT_EQ(s.handle.Stats().permits, 0);
  EXPECT_TRUE(*s.handle.Remove(task.id));
  EXPECT_EQ(s.handle.Stats().permits, 1);
  go.Open();
  EXPECT_TRUE(s.Outcome(holder).IsSuccess());
  s.Outcome(first);
}

// A permit on its way to a task that is stopped at the same time is never lost.
TEST(ContractStop, S047_AStopThatRacesWithThePermitLosesNoPermit) {
  Served s({.workers = 2, .max_concurrent = 1});
  for (int round = 0; round < 500; ++round) {
    Gate release;
    const auto holder = s.Watch(TaskSpec::Once([&] { release.Pass(); }));
    const auto task = s.Watch(TaskSpec::Once([] {}));
    release.Open();
    static_cast<void>(s.handle.Remove(task.id));
    s.Outcome(holder);
    s.Outcome(task);
    ASSERT_TRUE(Eventually([&] { return s.handle.Stats().permits == 1; })) << round;
  }
}

// Asks a task to stop while it is in its body of `attempt`, which then returns `result`.
WatchedTask StopInBody(const Served& s, RestartPolicy restart, uint32_t attempt,
                       std::function<TaskResult()> result) {
  Gate inside;
  const auto task = s.Watch(TaskSpec::Once([&, result](TaskContext& context) {
                              if (context.attempt() < attempt) return Fail("early");
                              inside.Open();
                              EXPECT_TRUE(context.WaitCancelled(Duration::max()));
                              return result();
                            })
                                .WithRestart(restart)
                                .WithMaxRetries(1)
                                .WithBackoff(kNoBackoff));
  EXPECT_TRUE(inside.Wait());
  EXPECT_TRUE(*s.handle.Remove(task.id));
  s.Story(task);
  return task;
}

TEST(ContractStop, S048_SuccessAfterAStopIsASuccessfulAttemptOfACancelledTask) {
  Served s;
  for (const RestartPolicy restart :
       {RestartPolicy::Never(), RestartPolicy::OnFailure(), RestartPolicy::Always(1h)}) {
    const auto task = StopInBody(s, restart, 1, [] { return Ok(); });
    EXPECT_EQ(s.Outcome(task).kind(), OutcomeKind::kCancelled);
    EXPECT_EQ(s.Await(EventKind::kTaskStopped, task).cause(), CancelCause::kNone);
    EXPECT_EQ(s.Await(EventKind::kActorDead, task).outcome_kind(), OutcomeKind::kCancelled);
  }
}

TEST(ContractStop, S048_ABodyMayStopItsOwnTask) {
  Served s;
  const auto task = s.Watch(TaskSpec::Restartable([handle = s.handle](TaskContext& context) {
                              EXPECT_TRUE(*handle.Remove(context.id()));
                              EXPECT_EQ(context.Cause(), CancelCause::kRemoved);
                            }).WithRestart(RestartPolicy::AlwaysImmediately()));
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(outcome.attempts(), 1u);
}

TEST(ContractStop, S049_AFailureAfterAStopWithARetryDueAnnouncesItAndIsCancelled) {
  Served s;
  const auto task = StopInBody(s, RestartPolicy::OnFailure(), 1, [] { return Fail("late"); });
  EXPECT_EQ(s.Outcome(task).kind(), OutcomeKind::kCancelled);
  const std::vector<EventKind> story = {
      EventKind::kTaskAddRequested,    EventKind::kTaskAdded,  EventKind::kTaskStarting,
      EventKind::kTaskRemoveRequested, EventKind::kTaskFailed, EventKind::kBackoffScheduled,
      EventKind::kActorDead,           EventKind::kTaskRemoved};
  EXPECT_EQ(s.Story(task), story);
}

TEST(ContractStop, S049_AFailureAfterAStopWithNoRetryDueIsFailed) {
  Served s;
  const auto once = StopInBody(s, RestartPolicy::Never(), 1, [] { return Fail("late"); });
  EXPECT_EQ(s.Outcome(once).kind(), OutcomeKind::kFailed);
  EXPECT_EQ(s.Outcome(once).reason(), "late");

  const auto used_up = StopInBody(s, RestartPolicy::OnFailure(), 2, [] { return Fail("late"); });
  EXPECT_EQ(s.Outcome(used_up).kind(), OutcomeKind::kFailed);
  EXPECT_EQ(s.Outcome(used_up).reason(), "max_retries_exceeded(1/1): late");
  EXPECT_EQ(s.Count(EventKind::kBackoffScheduled, used_up), 1u);
}

}  // namespace
}  // namespace taskvisor::testing
