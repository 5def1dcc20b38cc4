// Statements 38 to 42: when a task gets another attempt.
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/contract/served.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

TEST(ContractRestart, S038_NeverMeansOneAttemptWhateverItReturns) {
  const std::vector<std::pair<std::string, OutcomeKind>> cases = {{"s", OutcomeKind::kCompleted},
                                                                  {"f", OutcomeKind::kFailed},
                                                                  {"t", OutcomeKind::kFailed},
                                                                  {"x", OutcomeKind::kFatal},
                                                                  {"c", OutcomeKind::kCancelled}};
  Served s;
  for (const auto& [letter, kind] : cases) {
    const TaskOutcome outcome =
        s.Outcome(s.Watch(TaskSpec::Once(Scripted(letter)).WithMaxRetries(5)));
    EXPECT_EQ(outcome.kind(), kind) << letter;
    EXPECT_EQ(outcome.attempts(), 1u) << letter;
  }
  const auto throws = [] { throw std::runtime_error("thrown"); };
  const TaskOutcome outcome = s.Outcome(s.Watch(TaskSpec::Once(throws).WithMaxRetries(5)));
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
  EXPECT_EQ(outcome.attempts(), 1u);
}

TEST(ContractRestart, S039_OnFailureIsTheDefaultAndRetriesUntilSuccess) {
  Served s;
  const auto task = s.Watch(
      TaskSpec::FromDefaults("flaky", Scripted("ffs")).WithBackoff(BackoffPolicy::Constant(7ms)));
  for (size_t n = 1; n <= 2; ++n) {
    const Event backoff = s.Await(EventKind::kBackoffScheduled, task, n);
    EXPECT_EQ(backoff.attempt(), n);
    EXPECT_EQ(backoff.delay(), 7ms);
    EXPECT_EQ(backoff.backoff_source(), BackoffSource::kFailure);
    EXPECT_EQ(backoff.reason(), "failed");
    s.Advance(7ms);
  }
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(outcome.attempts(), 3u);
}

TEST(ContractRestart, S039_OnFailureEndsOnSuccessFatalAndCancelled) {
  const std::vector<std::pair<std::string, OutcomeKind>> cases = {{"fs", OutcomeKind::kCompleted},
                                                                  {"fx", OutcomeKind::kFatal},
                                                                  {"fc", OutcomeKind::kCancelled}};
  Served s;
  for (const auto& [letters, kind] : cases) {
    const TaskOutcome outcome =
        s.Outcome(s.Watch(TaskSpec::Restartable(Scripted(letters)).WithBackoff(kNoBackoff)));
    EXPECT_EQ(outcome.kind(), kind) << letters;
    EXPECT_EQ(outcome.attempts(), 2u) << letters;
  }
}

TEST(ContractRestart, S040_AlwaysRepeatsAfterTheIntervalAndRetriesAfterTheBackoff) {
  Served s;
  const auto task = s.Watch(
      TaskSpec::Periodic("p", 1h, Scripted("sfsx")).WithBackoff(BackoffPolicy::Constant(5s)));
  const auto expect = [&](size_t n, BackoffSource source, Duration delay) {
    const Event wait = s.Await(EventKind::kBackoffScheduled, task, n);
    EXPECT_EQ(wait.backoff_source(), source) << n;
    EXPECT_EQ(wait.delay(), delay) << n;
    EXPECT_EQ(wait.reason().empty(), source == BackoffSource::kSuccess) << n;
    s.Advance(delay);
  };
  expect(1, BackoffSource::kSuccess, 1h);
  expect(2, BackoffSource::kFailure, 5s);
  expect(3, BackoffSource::kSuccess, 1h);
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFatal);
  EXPECT_EQ(outcome.attempts(), 4u);
}

TEST(ContractRestart, S040_CancelledEndsAnAlwaysTask) {
  Served s;
  const TaskOutcome outcome = s.Outcome(s.Watch(
      TaskSpec::Restartable(Scripted("ssc")).WithRestart(RestartPolicy::AlwaysImmediately())));
  EXPECT_EQ(outcome.kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(outcome.attempts(), 3u);
}

TEST(ContractRestart, S041_AFatalErrorEndsTheTaskUnderEveryPolicy) {
  Served s;
  for (const RestartPolicy restart :
       {RestartPolicy::Never(), RestartPolicy::OnFailure(), RestartPolicy::Always(),
        RestartPolicy::AlwaysImmediately()}) {
    const auto task = s.Watch(TaskSpec::Once([] { return Fatal("broken").WithExitCode(3); })
                                  .WithRestart(restart)
                                  .WithMaxRetries(100));
    const TaskOutcome outcome = s.Outcome(task);
    EXPECT_EQ(outcome.kind(), OutcomeKind::kFatal);
    EXPECT_EQ(outcome.attempts(), 1u);
    EXPECT_EQ(outcome.reason(), "broken");
    const Event end = s.Await(EventKind::kActorDead, task);
    EXPECT_EQ(end.outcome_kind(), OutcomeKind::kFatal);
    EXPECT_EQ(end.exit_code(), 3);
    EXPECT_EQ(s.Count(EventKind::kBackoffScheduled, task), 0u);
  }
}

TEST(ContractRestart, S042_CancelledWithoutBeingAskedEndsTheTaskAndLeavesNoZombie) {
  Served s;
  const auto task = s.Watch(TaskSpec::Restartable("quitter", Scripted("c")));
  EXPECT_EQ(s.Outcome(task).kind(), OutcomeKind::kCancelled);
  const std::vector<EventKind> story = {EventKind::kTaskAddRequested, EventKind::kTaskAdded,
                                        EventKind::kTaskStarting,     EventKind::kTaskStopped,
                                        EventKind::kActorDead,        EventKind::kTaskRemoved};
  EXPECT_EQ(s.Story(task), story);
  EXPECT_EQ(s.Await(EventKind::kTaskStopped, task).cause(), CancelCause::kCancelled);
  EXPECT_EQ(s.Await(EventKind::kActorDead, task).outcome_kind(), OutcomeKind::kCancelled);
  EXPECT_TRUE(s.Outcome(s.Watch(TaskSpec::Once("quitter", [] {}))).IsSuccess());
}

TEST(ContractRestart, S042_RunReturnsAfterABodyThatCancelledItself) {
  Harness h;
  EXPECT_TRUE(h.supervisor->Run(TaskSpec::Restartable("quitter", Scripted("c"))).ok());
}

}  // namespace
}  // namespace taskvisor::testing
