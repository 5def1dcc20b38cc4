#include "supervisor/decision.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>

namespace taskvisor::internal {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Next = Decision::Next;

TaskDefaults Rules(RestartPolicy restart, std::optional<uint32_t> max_retries = std::nullopt) {
  TaskDefaults rules;
  rules.restart = restart;
  rules.max_retries = max_retries;
  return rules;
}

const RestartPolicy kPolicies[] = {RestartPolicy::Never(), RestartPolicy::OnFailure(),
                                   RestartPolicy::Always(), RestartPolicy::Always(seconds(5)),
                                   RestartPolicy::AlwaysImmediately()};

TEST(Decide, FatalAndCancelledEndTheTaskUnderEveryPolicyAndBudget) {
  for (const RestartPolicy policy : kPolicies) {
    for (const bool stopped : {false, true}) {
      const auto fatal = Decide(Rules(policy, 9), AttemptEnd::kFatal, 0, {}, stopped);
      EXPECT_EQ(fatal.next, Next::kFinish);
      EXPECT_EQ(fatal.outcome, OutcomeKind::kFatal);
      const auto cancelled = Decide(Rules(policy, 9), AttemptEnd::kCancelled, 0, {}, stopped);
      EXPECT_EQ(cancelled.next, Next::kFinish);
      EXPECT_EQ(cancelled.outcome, OutcomeKind::kCancelled);
    }
  }
}

TEST(Decide, NeverIsOneAttemptWhateverItReturns) {
  const TaskDefaults rules = Rules(RestartPolicy::Never(), 5);
  EXPECT_EQ(Decide(rules, AttemptEnd::kSuccess, 0, {}, false).outcome, OutcomeKind::kCompleted);
  const auto failed = Decide(rules, AttemptEnd::kRetryable, 1, {}, false);
  EXPECT_EQ(failed.next, Next::kFinish);
  EXPECT_EQ(failed.outcome, OutcomeKind::kFailed);
  EXPECT_FALSE(failed.exhausted) << "its reason is the plain error";
}

TEST(Decide, OnFailureRetriesFailuresAndEndsWithSuccess) {
  const TaskDefaults rules = Rules(RestartPolicy::OnFailure());
  EXPECT_EQ(Decide(rules, AttemptEnd::kRetryable, 1000, {}, false).next, Next::kRetry);
  const auto success = Decide(rules, AttemptEnd::kSuccess, 0, {}, false);
  EXPECT_EQ(success.next, Next::kFinish);
  EXPECT_EQ(success.outcome, OutcomeKind::kCompleted);
}

TEST(Decide, NRetriesAllowNPlusOneFailures) {
  for (const RestartPolicy policy : {RestartPolicy::OnFailure(), RestartPolicy::Always()}) {
    const TaskDefaults rules = Rules(policy, 3);
    for (uint32_t failures = 1; failures <= 3; ++failures) {
      EXPECT_EQ(Decide(rules, AttemptEnd::kRetryable, failures, {}, false).next, Next::kRetry);
    }
    const auto last = Decide(rules, AttemptEnd::kRetryable, 4, {}, false);
    EXPECT_EQ(last.next, Next::kFinish);
    EXPECT_EQ(last.outcome, OutcomeKind::kFailed);
    EXPECT_TRUE(last.exhausted);
  }
}

TEST(Decide, AlwaysRepeatsAfterItsIntervalAndAnnouncesIt) {
  const auto repeat =
      Decide(Rules(RestartPolicy::Always(seconds(5))), AttemptEnd::kSuccess, 0, seconds(9), false);
  EXPECT_EQ(repeat.next, Next::kRepeat);
  EXPECT_EQ(repeat.delay, seconds(5)) << "from the end of the attempt, however long it took";
  EXPECT_TRUE(repeat.announced);
}

TEST(Decide, WithoutAnIntervalAttemptsStartAMillisecondApartUnannounced) {
  const TaskDefaults rules = Rules(RestartPolicy::Always());
  const auto delay_after = [&](Duration elapsed) {
    const auto repeat = Decide(rules, AttemptEnd::kSuccess, 0, elapsed, false);
    EXPECT_EQ(repeat.next, Next::kRepeat);
    EXPECT_FALSE(repeat.announced);
    return repeat.delay;
  };
  EXPECT_EQ(delay_after(Duration::zero()), milliseconds(1));
  EXPECT_EQ(delay_after(microseconds(400)), microseconds(600));
  EXPECT_EQ(delay_after(milliseconds(1)), Duration::zero());
  EXPECT_EQ(delay_after(seconds(1)), Duration::zero()) << "never negative";
}

TEST(Decide, AnIntervalBelowTheFloorIsRaisedToIt) {
  const auto repeat = Decide(Rules(RestartPolicy::Always(microseconds(100))), AttemptEnd::kSuccess,
                             0, microseconds(300), false);
  EXPECT_EQ(repeat.delay, microseconds(700));
  EXPECT_TRUE(repeat.announced);
}

TEST(Decide, AlwaysImmediatelyGivesTheFloorUp) {
  const auto repeat =
      Decide(Rules(RestartPolicy::AlwaysImmediately()), AttemptEnd::kSuccess, 0, {}, false);
  EXPECT_EQ(repeat.next, Next::kRepeat);
  EXPECT_EQ(repeat.delay, Duration::zero());
}

TEST(Decide, ASuccessAfterAStopIsCancelledUnderEveryPolicy) {
  for (const RestartPolicy policy : kPolicies) {
    const auto decision = Decide(Rules(policy), AttemptEnd::kSuccess, 0, {}, /*stopped=*/true);
    EXPECT_EQ(decision.next, Next::kFinish);
    EXPECT_EQ(decision.outcome, OutcomeKind::kCancelled);
  }
}

TEST(Decide, AFailureAfterAStopIsARetryStillDueOrFailedIfNoneWas) {
  const auto due =
      Decide(Rules(RestartPolicy::OnFailure()), AttemptEnd::kRetryable, 1, {}, /*stopped=*/true);
  EXPECT_EQ(due.next, Next::kRetry) << "to be announced; the caller ends it as cancelled";
  const auto never =
      Decide(Rules(RestartPolicy::Never()), AttemptEnd::kRetryable, 1, {}, /*stopped=*/true);
  EXPECT_EQ(never.outcome, OutcomeKind::kFailed);
  const auto spent =
      Decide(Rules(RestartPolicy::OnFailure(), 1), AttemptEnd::kRetryable, 2, {}, true);
  EXPECT_EQ(spent.outcome, OutcomeKind::kFailed);
  EXPECT_TRUE(spent.exhausted);
}

}  // namespace
}  // namespace taskvisor::internal
