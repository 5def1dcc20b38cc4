// K. Waiters and outcomes: those that no body chooses (118-121).

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "tests/contract/inside.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::seconds;

TEST(ContractOutcomes, S118_StuckIsSaidAtGraceAndDrainedWhenTheBodyReturns) {
  Harness harness({.grace = seconds(5)});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  std::atomic<int32_t> thread{0};
  auto body = [&, held_body = held.Body()](TaskContext& context) mutable {
    thread = gettid();
    held_body(context);
  };
  const auto task = handle.AddAndWatch(TaskSpec::Once("deaf", body));
  ASSERT_TRUE(held.Inside());
  harness.Advance(seconds(2));
  ASSERT_TRUE(handle.Remove(task->id).value());
  EXPECT_EQ(task->waiter.WaitFor(Duration::zero()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  harness.Advance(seconds(5));
  const TaskOutcome outcome = task->waiter.Wait().value();
  EXPECT_EQ(outcome.kind(), OutcomeKind::kStuck);
  ASSERT_TRUE(outcome.stuck() != nullptr);
  EXPECT_EQ(outcome.stuck()->running_for, seconds(7));  // since the attempt began
  EXPECT_EQ(outcome.stuck()->thread, thread);
  EXPECT_FALSE(task->waiter.IsDrained());
  EXPECT_EQ(task->waiter.DrainedFor(Duration::zero()).code(), absl::StatusCode::kDeadlineExceeded);
  held.LetGo();
  EXPECT_TRUE(task->waiter.Drained().ok());
  EXPECT_TRUE(task->waiter.IsDrained());
  EXPECT_TRUE(handle.Add(TaskSpec::Once("deaf", DoNothing)).ok());  // the name is free
}

TEST(ContractOutcomes, S118_AnyOtherOutcomeIsDrainedAtOnce) {
  Harness harness;
  const auto task = harness.Serve().AddAndWatch(TaskSpec::Once(DoNothing));
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCompleted);
  EXPECT_TRUE(task->waiter.IsDrained());
  EXPECT_TRUE(task->waiter.Drained().ok());
}

TEST(ContractOutcomes, S119_PanickedMeansTheSupervisionFailedNotTheBody) {
  Harness harness({.jitter_source = [](std::string_view task, uint64_t) -> double {
    if (task == "victim") throw std::runtime_error("jitter");
    return 0.5;
  }});
  const SupervisorHandle handle = harness.Serve();
  const auto task = handle.AddAndWatch(
      TaskSpec::Restartable("victim", [](TaskContext&) { return Fail("retry me"); }));
  const TaskOutcome outcome = task->waiter.Wait().value();
  EXPECT_EQ(outcome.kind(), OutcomeKind::kPanicked);
  EXPECT_FALSE(outcome.IsSuccess());
  EXPECT_TRUE(handle.AddAndWatch(TaskSpec::Once("victim", DoNothing))->waiter.Wait()->IsSuccess());
}

TEST(ContractOutcomes, S120_RejectedMeansTheBodyNeverRan) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  ASSERT_TRUE(handle.Add(TaskSpec::Once("taken", UntilCancelled)).ok());
  std::atomic<bool> ran{false};
  TaskSpec spec = TaskSpec::Once("taken", [&] { ran = true; });
  const TaskWaiter waiter = spec.Watch();
  EXPECT_FALSE(handle.Add(std::move(spec)).ok());
  const TaskOutcome outcome = waiter.Wait().value();
  EXPECT_EQ(outcome.kind(), OutcomeKind::kRejected);
  EXPECT_EQ(outcome.rejection(), RejectionKind::kAlreadyExists);
  EXPECT_EQ(outcome.reason(), "already_exists");
  EXPECT_EQ(outcome.attempts(), 0u);
  EXPECT_TRUE(waiter.IsDrained());
  EXPECT_TRUE(handle.Shutdown().ok());
  EXPECT_FALSE(ran);
}

TEST(ContractOutcomes, S121_LabelsAreStableAndOnlyCompletedIsSuccess) {
  const std::pair<OutcomeKind, std::string_view> rows[] = {
      {OutcomeKind::kCompleted, "outcome_completed"}, {OutcomeKind::kFailed, "outcome_failed"},
      {OutcomeKind::kFatal, "outcome_fatal"},         {OutcomeKind::kCancelled, "outcome_canceled"},
      {OutcomeKind::kStuck, "outcome_stuck"},         {OutcomeKind::kPanicked, "outcome_panicked"},
      {OutcomeKind::kRejected, "outcome_rejected"}};
  for (const auto& [kind, label] : rows) {
    EXPECT_EQ(Label(kind), label);
    EXPECT_EQ(TaskOutcome(kind).IsSuccess(), kind == OutcomeKind::kCompleted) << label;
  }
}

}  // namespace
}  // namespace taskvisor::testing
