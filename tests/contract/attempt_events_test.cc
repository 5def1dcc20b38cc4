// A. Events: of attempts (11-15).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/contract/policies.h"
#include "tests/contract/served.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ContractEvents, S011_TaskStartingComesWithThePermitInHand) {
  SupervisorConfig config;
  config.max_concurrent = 1;
  Served served(std::move(config));
  HeldBody first_body, second_body;
  const WatchedTask first = served.Watch(TaskSpec::Once("first", first_body.Body()));
  const Event starting = served.Await(EventKind::kTaskStarting, first);
  EXPECT_EQ(starting.task(), "first");
  EXPECT_EQ(starting.attempt(), 1u);

  const WatchedTask second = served.Watch(TaskSpec::Once("second", second_body.Body()));
  ASSERT_TRUE(Eventually([&] { return served.PhaseOf(second) == TaskPhase::kWaiting; }));
  Flush(served.handle, *served.recorder);
  EXPECT_EQ(served.Count(EventKind::kTaskStarting, second), 0u) << "it only waits for a permit";
  first_body.LetGo();
  served.Await(EventKind::kTaskStarting, second);
}

TEST(ContractEvents, S011_TaskStartingIsTheLastBeforeTheBodyAndCountsFromOne) {
  Served served;
  // The body publishes something itself, once per attempt.
  const auto said = [](uint32_t attempt) { return TaskId((uint64_t{1} << 50) + attempt, 0); };
  const WatchedTask task =
      served.Watch(TaskSpec::Restartable([&](TaskContext& context) {
                     EXPECT_TRUE(served.handle.Remove(said(context.attempt())).ok());
                     return context.attempt() < 3 ? Fail("again") : Ok();
                   }).WithBackoff(NoWait()));
  served.Outcome(task);
  for (uint32_t attempt = 1; attempt <= 3; ++attempt) {
    const Event starting = served.Await(EventKind::kTaskStarting, task, attempt);
    EXPECT_EQ(starting.attempt(), attempt);
    const auto inside =
        served.recorder->Await(Recorder::Is(EventKind::kTaskRemoveRequested, said(attempt)));
    ASSERT_TRUE(inside.has_value());
    EXPECT_LT(starting.sequence, inside->sequence);
  }
  EXPECT_EQ(served.Count(EventKind::kTaskStarting, task), 3u);
}

TEST(ContractEvents, S012_TaskStoppedReportsSuccessWithItsDuration) {
  Served served;
  HeldBody body;
  const WatchedTask task = served.Watch(TaskSpec::Once("good", body.Body()));
  ASSERT_TRUE(body.Inside());
  served.Advance(7ms);
  body.LetGo();
  const Event stopped = served.Await(EventKind::kTaskStopped, task);
  EXPECT_EQ(stopped.task(), "good");
  EXPECT_EQ(stopped.attempt(), 1u);
  EXPECT_EQ(stopped.duration(), 7ms);
  EXPECT_EQ(stopped.duration_ms(), 7u);
  EXPECT_EQ(stopped.cause(), CancelCause::kNone) << "none: it succeeded";
}

TEST(ContractEvents, S012_TaskStoppedReportsACancelledAttemptWithItsCause) {
  Gate inside[3];  // TaskStarting comes before the body
  Served served;
  const auto waiting = [&](Gate& gate) {
    WatchedTask task = served.Watch(TaskSpec::Once([&gate](TaskContext& context) {
      gate.Open();
      return UntilCancelled(context);
    }));
    EXPECT_TRUE(gate.Wait());
    return task;
  };
  const auto cause_of = [&](const WatchedTask& task) {
    const Event stopped = served.Await(EventKind::kTaskStopped, task);
    EXPECT_EQ(stopped.attempt(), 1u);
    EXPECT_EQ(stopped.duration(), 3s);
    return stopped.cause();
  };
  const WatchedTask removed = waiting(inside[0]);
  const WatchedTask cancelled = waiting(inside[1]);
  served.Advance(3s);
  EXPECT_TRUE(*served.handle.Remove(removed.id));
  EXPECT_EQ(cause_of(removed), CancelCause::kRemoved);
  EXPECT_TRUE(*served.handle.Cancel(cancelled.id));
  EXPECT_EQ(cause_of(cancelled), CancelCause::kCancelled);

  const WatchedTask unasked = served.Watch(TaskSpec::Once([] { return Cancelled(); }));
  EXPECT_EQ(served.Await(EventKind::kTaskStopped, unasked).cause(), CancelCause::kCancelled);

  const WatchedTask shut_down = waiting(inside[2]);
  served.Advance(3s);
  EXPECT_TRUE(served.supervisor->Shutdown().ok());
  EXPECT_EQ(cause_of(shut_down), CancelCause::kShutdown);
}

TEST(ContractEvents, S013_ASuccessIsTheEndOfAnAttemptAndNotOfTheTask) {
  Served served;
  const WatchedTask task = served.Watch(TaskSpec::Periodic("tick", 5ms, DoNothing));
  for (uint32_t attempt = 1; attempt <= 3; ++attempt) {
    const Event stopped = served.Await(EventKind::kTaskStopped, task, attempt);
    EXPECT_EQ(stopped.attempt(), attempt);
    EXPECT_EQ(stopped.cause(), CancelCause::kNone);
    served.Await(EventKind::kBackoffScheduled, task, attempt);
    served.Advance(5ms);
    EXPECT_EQ(served.Await(EventKind::kTaskStarting, task, attempt + 1).attempt(), attempt + 1);
  }
  EXPECT_EQ(served.Count(EventKind::kActorExhausted, task), 0u);
  EXPECT_EQ(served.Count(EventKind::kTaskRemoved, task), 0u);
}

struct Failure {
  TaskBody body;
  std::string reason;
  std::optional<int32_t> exit_code;
};

TEST(ContractEvents, S014_TaskFailedCoversEveryWayToFail) {
  std::vector<Failure> failures;
  failures.push_back(
      {[](TaskContext&) { return Fail("retryable").WithExitCode(3); }, "retryable", 3});
  failures.push_back({[](TaskContext&) { return Fatal("fatal").WithExitCode(4); }, "fatal", 4});
  failures.push_back({[](TaskContext&) { return TimedOut("no answer"); }, "no answer", {}});
  failures.push_back(
      {[](TaskContext&) -> TaskResult { throw std::runtime_error("thrown"); }, "thrown", {}});
  failures.push_back(
      {[](TaskContext&) -> TaskResult { throw FatalError("thrown fatal", 9); }, "thrown fatal", 9});
  failures.push_back({[](TaskContext&) -> TaskResult { throw 42; }, "panic", {}});
  Served served;
  for (Failure& failure : failures) {
    SCOPED_TRACE(failure.reason);
    const WatchedTask task = served.Watch(TaskSpec::Once(
        "fails", [body = std::move(failure.body)](TaskContext& c) mutable { return body(c); }));
    const Event failed = served.Await(EventKind::kTaskFailed, task);
    EXPECT_EQ(failed.task(), "fails");
    EXPECT_EQ(failed.attempt(), 1u);
    EXPECT_EQ(failed.duration(), Duration::zero());
    EXPECT_THAT(std::string(failed.reason()), HasSubstr(failure.reason));
    EXPECT_EQ(failed.exit_code(), failure.exit_code);
    const auto story = served.Story(task);
    EXPECT_THAT(story, Not(Contains(EventKind::kTimeoutHit)));
    EXPECT_THAT(story, Not(Contains(EventKind::kTaskStopped)));
  }
}

TEST(ContractEvents, S015_TimeoutHitAtTheDeadlineAndTaskFailedWhenTheBodyHasStopped) {
  Served served;
  HeldBody body;
  const WatchedTask task = served.Watch(TaskSpec::Once("slow", body.Body()).WithTimeout(50ms));
  served.Await(EventKind::kTaskStarting, task);
  served.Advance(50ms);
  const Event hit = served.Await(EventKind::kTimeoutHit, task);
  EXPECT_EQ(hit.task(), "slow");
  EXPECT_EQ(hit.attempt(), 1u);
  EXPECT_EQ(hit.timeout(), 50ms);
  EXPECT_EQ(hit.timeout_ms(), 50u);

  served.Advance(20ms);
  Flush(served.handle, *served.recorder);
  EXPECT_EQ(served.Count(EventKind::kTaskFailed, task), 0u) << "its body still runs";
  body.LetGo();
  const Event failed = served.Await(EventKind::kTaskFailed, task);
  EXPECT_EQ(failed.attempt(), 1u);
  EXPECT_EQ(failed.duration(), 70ms);
  EXPECT_EQ(failed.overrun(), 20ms);
  EXPECT_THAT(std::string(failed.reason()), HasSubstr("timed out after 50ms"));
  EXPECT_LT(hit.sequence, failed.sequence);
  EXPECT_EQ(served.Outcome(task).kind(), OutcomeKind::kFailed);
}

}  // namespace
}  // namespace taskvisor::testing
