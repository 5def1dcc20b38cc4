#include "taskvisor/task_outcome.h"

#include <gtest/gtest.h>

namespace taskvisor::testing {
namespace {

TEST(TaskOutcomeText, SaysWhatThereIsToSay) {
  EXPECT_EQ(TaskOutcome(OutcomeKind::kCompleted).set_attempts(3).ToString(),
            "outcome_completed attempts=3");
  EXPECT_EQ(
      TaskOutcome(OutcomeKind::kFatal, "no disk").set_attempts(1).set_exit_code(28).ToString(),
      "outcome_fatal attempts=1 exit_code=28 reason=no disk");
  EXPECT_EQ(TaskOutcome(OutcomeKind::kCancelled)
                .set_attempts(2)
                .set_cause(CancelCause::kShutdown)
                .ToString(),
            "outcome_canceled attempts=2 cause=shutdown");
}

TEST(TaskOutcomeText, OfARefusedTaskSaysWhy) {
  EXPECT_EQ(TaskOutcome(OutcomeKind::kRejected, "already_exists")
                .set_rejection(RejectionKind::kAlreadyExists)
                .ToString(),
            "outcome_rejected rejection=already_exists attempts=0 reason=already_exists");
}

}  // namespace
}  // namespace taskvisor::testing
