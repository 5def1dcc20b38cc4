// A. Events: labels, kinds and text (5-7).

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/contract/served.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

TEST(ContractEvents, S005_LabelsAreTheNamesInSnakeCase) {
  const std::vector<std::pair<EventKind, std::string_view>> expected = {
      {EventKind::kTaskAddRequested, "task_add_requested"},
      {EventKind::kTaskAdded, "task_added"},
      {EventKind::kTaskAddFailed, "task_add_failed"},
      {EventKind::kTaskRemoveRequested, "task_remove_requested"},
      {EventKind::kTaskStarting, "task_starting"},
      {EventKind::kTaskStopped, "task_stopped"},
      {EventKind::kTaskFailed, "task_failed"},
      {EventKind::kTimeoutHit, "timeout_hit"},
      {EventKind::kBackoffScheduled, "backoff_scheduled"},
      {EventKind::kActorExhausted, "actor_exhausted"},
      {EventKind::kActorDead, "actor_dead"},
      {EventKind::kTaskRemoved, "task_removed"},
      {EventKind::kShutdownRequested, "shutdown_requested"},
      {EventKind::kAllStoppedWithinGrace, "all_stopped_within_grace"},
      {EventKind::kGraceExceeded, "grace_exceeded"},
      {EventKind::kSubscriberOverflow, "subscriber_overflow"},
      {EventKind::kSubscriberPanicked, "subscriber_panicked"},
      {EventKind::kRuntimeFailure, "runtime_failure"},
      {EventKind::kControllerSubmitted, "controller_submitted"},
      {EventKind::kControllerRejected, "controller_rejected"},
      {EventKind::kControllerSlotTransition, "controller_slot_transition"},
      {EventKind::kTaskStuck, "task_stuck"},
      {EventKind::kTaskRecovered, "task_recovered"},
  };
  ASSERT_EQ(expected.size(), static_cast<size_t>(kEventKindCount));
  for (const auto& [kind, label] : expected) EXPECT_EQ(Label(kind), label);
}

TEST(ContractEvents, S006_ReasonIsTextOnlyAndTheKindSaysWhatHappened) {
  // Reasons that look like something else.
  Served served;
  const auto failed = served.Watch(TaskSpec::Once([] { return Fail("outcome_completed"); }));
  const auto fatal = served.Watch(TaskSpec::Once([] { return Fatal("outcome_canceled"); }));
  const auto other = served.Watch(TaskSpec::Once([] { return Fail("already_exists"); }));
  const Event failed_end = served.Await(EventKind::kActorExhausted, failed);
  EXPECT_EQ(failed_end.outcome_kind(), OutcomeKind::kFailed);
  EXPECT_EQ(failed_end.reason(), "outcome_completed");
  EXPECT_EQ(served.Await(EventKind::kActorDead, fatal).outcome_kind(), OutcomeKind::kFatal);
  const Event other_end = served.Await(EventKind::kActorExhausted, other);
  EXPECT_EQ(other_end.outcome_kind(), OutcomeKind::kFailed);
  EXPECT_EQ(other_end.rejection_kind(), std::nullopt);
  // Text is cut to fit; kinds are not touched by it.
  Event event(EventKind::kActorDead);
  event.WithOutcomeKind(OutcomeKind::kFatal).WithReason(std::string(1000, 'x'));
  EXPECT_EQ(event.reason(), std::string(kMaxReasonLength, 'x'));
  EXPECT_EQ(event.outcome_kind(), OutcomeKind::kFatal);
}

TEST(ContractEvents, S007_ARejectionKindSetsTheOutcomeKind) {
  for (int i = 0; i <= static_cast<int>(RejectionKind::kAdmissionFailed); ++i) {
    const auto kind = static_cast<RejectionKind>(i);
    Event event(EventKind::kTaskAddFailed);
    event.WithRejectionKind(kind);
    EXPECT_EQ(event.rejection_kind(), kind);
    EXPECT_EQ(event.outcome_kind(), OutcomeKind::kRejected);
  }
  Served served;
  HeldBody body;
  const WatchedTask first = served.Watch(TaskSpec::Once("taken", body.Body()));
  EXPECT_FALSE(served.handle.Add(TaskSpec::Once("taken", DoNothing)).ok());
  const auto refused = served.recorder->Await(Recorder::Is(EventKind::kTaskAddFailed, "taken"));
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->rejection_kind(), RejectionKind::kAlreadyExists);
  EXPECT_EQ(refused->outcome_kind(), OutcomeKind::kRejected);
}

}  // namespace
}  // namespace taskvisor::testing
