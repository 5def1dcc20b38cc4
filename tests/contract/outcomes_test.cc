// K. Waiters and outcomes: the bodies' own (113-117).

#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <utility>
#include <vector>

#include "supervisor/runtime.h"
#include "tests/contract/inside.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;

template <class F>
TaskOutcome OutcomeOf(const SupervisorHandle& handle, F body) {
  return handle.AddAndWatch(TaskSpec::Once(body))->waiter.Wait().value();
}

TEST(ContractOutcomes, S113_OneOutcomeForAllCopiesOfTheWaiter) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  const auto task = handle.AddAndWatch(TaskSpec::Once("shared", held.Body()));
  const TaskWaiter copy = task->waiter;
  EXPECT_EQ(copy.id(), task->id);
  EXPECT_FALSE(copy.Ready());
  EXPECT_EQ(copy.WaitFor(Duration::zero()).status().code(), absl::StatusCode::kDeadlineExceeded);
  held.LetGo();
  EXPECT_EQ(KindOf(copy), OutcomeKind::kCompleted);
  EXPECT_TRUE(task->waiter.Ready());
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCompleted);
  EXPECT_EQ(KindOf(copy), OutcomeKind::kCompleted);  // and again
}

TEST(ContractOutcomes, S113_OutcomesComeNotFromEvents) {
  // A bus that loses nearly everything, and a forged end.
  Harness harness({.bus_capacity = 1});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  const auto task = handle.AddAndWatch(TaskSpec::Once("real", held.Body()));
  ASSERT_TRUE(held.Inside());
  internal::Runtime& runtime = internal::RuntimeAccess::Of(*harness.supervisor);
  for (const EventKind kind :
       {EventKind::kActorDead, EventKind::kActorExhausted, EventKind::kTaskRemoved}) {
    runtime.publisher().Emit(kind, harness.clock->Now(), [&](internal::EventDraft& event) {
      event.WithId(task->id).WithTask("real").WithOutcomeKind(OutcomeKind::kFatal);
    });
  }
  EXPECT_FALSE(task->waiter.Ready());
  std::vector<TaskWaiter> waiters;
  for (int i = 0; i < 500; ++i) {
    waiters.push_back(handle.AddAndWatch(TaskSpec::Once(DoNothing))->waiter);
  }
  for (const TaskWaiter& waiter : waiters) EXPECT_EQ(KindOf(waiter), OutcomeKind::kCompleted);
  EXPECT_FALSE(task->waiter.Ready());
  held.LetGo();
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCompleted);
}

TEST(ContractOutcomes, S114_CompletedMeansTheLastAttemptSucceededAndThePolicyStopped) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  auto second_time = [](TaskContext& context) {
    return context.attempt() == 1 ? Fail("first") : Ok();
  };
  for (const bool wait_for_room : {true, false}) {
    TaskSpec spec =
        TaskSpec::Restartable(second_time).WithBackoff(BackoffPolicy::Constant(Duration::zero()));
    const auto task = wait_for_room ? handle.AddAndWatch(std::move(spec))
                                    : handle.TryAddAndWatch(std::move(spec));
    const TaskOutcome outcome = task->waiter.Wait().value();
    EXPECT_EQ(outcome.kind(), OutcomeKind::kCompleted);
    EXPECT_EQ(outcome.attempts(), 2u);
    EXPECT_EQ(outcome.reason(), "");
    EXPECT_FALSE(outcome.exit_code().has_value());
    EXPECT_EQ(outcome.source(), nullptr);
  }
}

TEST(ContractOutcomes, S115_FailedWhenPolicyOrBudgetStopOnARetryableError) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  auto fails = [](TaskContext&) { return Fail("no luck").WithExitCode(17); };
  const TaskOutcome never = OutcomeOf(handle, fails);
  EXPECT_EQ(never.kind(), OutcomeKind::kFailed);
  EXPECT_EQ(never.reason(), "no luck");
  EXPECT_EQ(never.exit_code(), 17);
  EXPECT_EQ(never.attempts(), 1u);

  const auto task = handle.AddAndWatch(TaskSpec::Restartable(fails).WithMaxRetries(2).WithBackoff(
      BackoffPolicy::Constant(Duration::zero())));
  const TaskOutcome exhausted = task->waiter.Wait().value();
  EXPECT_EQ(exhausted.kind(), OutcomeKind::kFailed);
  EXPECT_EQ(exhausted.reason(), "max_retries_exceeded(2/2): no luck");
  EXPECT_EQ(exhausted.exit_code(), 17);
  EXPECT_EQ(exhausted.attempts(), 3u);
}

TEST(ContractOutcomes, S116_FatalWithReasonExitCodeAndSource) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  const TaskOutcome returned =
      OutcomeOf(handle, [](TaskContext&) { return Fatal("broken").WithExitCode(-1); });
  EXPECT_EQ(returned.kind(), OutcomeKind::kFatal);
  EXPECT_EQ(returned.reason(), "broken");
  EXPECT_EQ(returned.exit_code(), -1);
  const TaskOutcome thrown =
      OutcomeOf(handle, [](TaskContext&) -> TaskResult { throw FatalError("thrown", 9); });
  EXPECT_EQ(thrown.kind(), OutcomeKind::kFatal);
  EXPECT_EQ(thrown.reason(), "thrown");
  EXPECT_EQ(thrown.exit_code(), 9);
  EXPECT_THROW(std::rethrow_exception(thrown.source()), FatalError);
}

TEST(ContractOutcomes, S117_CancelledByRemovalShutdownOrItsOwnWord) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  EXPECT_EQ(OutcomeOf(handle, [](TaskContext&) { return Cancelled(); }).kind(),
            OutcomeKind::kCancelled);
  const auto removed = handle.AddAndWatch(TaskSpec::Once(UntilCancelled));
  EXPECT_TRUE(handle.Remove(removed->id).value());
  EXPECT_EQ(KindOf(removed->waiter), OutcomeKind::kCancelled);
  const auto shut = handle.AddAndWatch(TaskSpec::Once(UntilCancelled));
  const auto delaying = handle.AddAndWatch(TaskSpec::Periodic(hours(1), DoNothing));
  EXPECT_TRUE(handle.Shutdown().ok());
  EXPECT_EQ(KindOf(shut->waiter), OutcomeKind::kCancelled);
  EXPECT_EQ(KindOf(delaying->waiter), OutcomeKind::kCancelled);
}

}  // namespace
}  // namespace taskvisor::testing
