// A. Events: how an attempt ends and what follows it (16-18).

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <utility>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/contract/policies.h"
#include "tests/contract/served.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

// How many of these events each attempt of a task has.
std::map<uint32_t, size_t> PerAttempt(Recorder& recorder, TaskId id, EventMask kinds) {
  std::map<uint32_t, size_t> counts;
  for (const Event& e : recorder.Events()) {
    if (e.id() == id && kinds.Has(e.kind())) ++counts[e.attempt().value_or(0)];
  }
  return counts;
}
constexpr EventMask kTerminal{EventKind::kTaskStopped, EventKind::kTaskFailed};

TEST(ContractEvents, S016_EveryAttemptHasOneTerminalEvent) {
  Served served;
  std::vector<WatchedTask> tasks;
  for (const char* script : {"s", "fffs", "ffx", "tts", "fc", "c", "x"}) {
    tasks.push_back(served.Watch(TaskSpec::Restartable(Scripted(script)).WithBackoff(NoWait())));
  }
  tasks.push_back(served.Watch(TaskSpec::Once([]() -> TaskResult { throw 1; })));
  for (const WatchedTask& task : tasks) served.Outcome(task);
  tasks.push_back(served.Watch(TaskSpec::Once(UntilCancelled).WithTimeout(5ms)));
  served.Await(EventKind::kTaskStarting, tasks.back());
  served.Advance(5ms);
  served.Outcome(tasks.back());
  tasks.push_back(served.Watch(TaskSpec::Once(UntilCancelled)));
  served.Await(EventKind::kTaskStarting, tasks.back());
  ASSERT_TRUE(served.supervisor->Shutdown().ok());

  for (const WatchedTask& task : tasks) {
    const auto begun = PerAttempt(*served.recorder, task.id, {EventKind::kTaskStarting});
    const auto ended = PerAttempt(*served.recorder, task.id, kTerminal);
    EXPECT_EQ(begun, ended);
    ASSERT_FALSE(begun.empty());
    EXPECT_EQ(begun.rbegin()->first, begun.size()) << "attempts are numbered from 1";
    for (const auto& [attempt, count] : begun) EXPECT_EQ(count, 1u);
  }
}

TEST(ContractEvents, S016_OnlyAStuckAttemptMayHaveNone) {
  SupervisorConfig config;
  config.grace = 10ms;
  Served served(std::move(config));
  HeldBody body;
  const WatchedTask task = served.Watch(TaskSpec::Once("stubborn", body.Body()));
  ASSERT_TRUE(body.Inside());
  EXPECT_TRUE(*served.handle.Remove(task.id));
  served.Advance(10ms);
  EXPECT_EQ(served.Await(EventKind::kActorDead, task).outcome_kind(), OutcomeKind::kStuck);
  EXPECT_EQ(served.recorder->Count(
                [&](const Event& e) { return e.id() == task.id && kTerminal.Has(e.kind()); }),
            0u)
      << "its attempt has not ended";
  body.LetGo();
  served.Await(EventKind::kTaskRemoved, task);
  EXPECT_LE(PerAttempt(*served.recorder, task.id, kTerminal)[1], 1u);
}

TEST(ContractEvents, S017_BackoffScheduledPrecedesTheWaitAfterAFailure) {
  Served served;
  const WatchedTask task = served.Watch(
      TaskSpec::Restartable(Scripted("ffs")).WithBackoff(BackoffPolicy::Exponential(100ms)));
  for (uint32_t past = 1; past <= 2; ++past) {
    const Event wait = served.Await(EventKind::kBackoffScheduled, task, past);
    EXPECT_EQ(wait.attempt(), past);
    EXPECT_EQ(wait.delay(), past * 100ms);
    EXPECT_EQ(wait.delay_ms(), past * 100);
    EXPECT_EQ(wait.backoff_source(), BackoffSource::kFailure);
    EXPECT_EQ(wait.reason(), "failed");
    served.Advance(past * 100ms - 1ns);
    Flush(served.handle, *served.recorder);
    EXPECT_EQ(served.Count(EventKind::kTaskStarting, task), past) << "announced before the wait";
    served.Advance(1ns);
  }
  EXPECT_EQ(served.Outcome(task).kind(), OutcomeKind::kCompleted);
  served.Await(EventKind::kTaskRemoved, task);
  EXPECT_EQ(served.Count(EventKind::kBackoffScheduled, task), 2u);
}

TEST(ContractEvents, S017_BackoffScheduledAfterASuccessHasNoReason) {
  Served served;
  const WatchedTask task = served.Watch(TaskSpec::Periodic("tick", 250ms, DoNothing));
  const Event wait = served.Await(EventKind::kBackoffScheduled, task);
  EXPECT_EQ(wait.attempt(), 1u);
  EXPECT_EQ(wait.delay(), 250ms);
  EXPECT_EQ(wait.backoff_source(), BackoffSource::kSuccess);
  EXPECT_EQ(wait.reason(), "");
}

TEST(ContractEvents, S018_AlwaysWithoutAnIntervalAnnouncesNoWait) {
  Served served;
  const WatchedTask task = served.Watch(TaskSpec::Periodic("loop", Duration::zero(), DoNothing));
  ASSERT_TRUE(
      served.AdvanceUntil([&] { return served.Count(EventKind::kTaskStarting, task) >= 4; }));
  EXPECT_TRUE(*served.handle.Cancel(task.id));
  served.Await(EventKind::kTaskRemoved, task);
  EXPECT_EQ(served.Count(EventKind::kBackoffScheduled, task), 0u);
  EXPECT_GE(served.Count(EventKind::kTaskStopped, task), 3u);
}

}  // namespace
}  // namespace taskvisor::testing
