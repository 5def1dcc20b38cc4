// Statements 35 to 37, 50 and 51: the loop of attempts, its permit and its body.
#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "tests/contract/served.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

TEST(ContractActor, S035_AttemptsOfOneTaskAreStrictlySequential) {
  Crowd crowd;
  int unguarded = 0;  // attempts need no lock of their own
  Served s({.workers = 4});
  const auto task = s.Watch(TaskSpec::Restartable([&]() -> TaskResult {
                              const Crowd::Inside inside(crowd);
                              return ++unguarded < 2000 ? Fail("again") : Ok();
                            }).WithBackoff(kNoBackoff));
  EXPECT_EQ(s.Outcome(task).attempts(), 2000u);
  EXPECT_EQ(unguarded, 2000);
  EXPECT_EQ(crowd.most(), 1);
}

TEST(ContractActor, S035_ANewAttemptWaitsUntilATimedOutBodyHasReturned) {
  std::array<Gate, 6> inside;
  std::array<Gate, 6> release;
  Crowd crowd;
  Served s({.workers = 4, .max_concurrent = 1});
  const auto body = [&](TaskContext& context) {  // ignores its token
    const Crowd::Inside one_more(crowd);
    inside.at(context.attempt() - 1).Open();
    release.at(context.attempt() - 1).Pass();
  };
  const auto task =
      s.Watch(TaskSpec::Restartable(body).WithTimeout(100ms).WithMaxRetries(5).WithBackoff(
          BackoffPolicy::Constant(10ms)));
  for (size_t n = 1; n <= release.size(); ++n) {
    ASSERT_TRUE(inside.at(n - 1).Wait());
    s.Advance(100ms);
    s.Await(EventKind::kTimeoutHit, task, n);
    s.Advance(1h);  // far past the deadline, and past any backoff
    EXPECT_EQ(s.handle.Stats().permits, 0);
    EXPECT_EQ(s.PhaseOf(task), TaskPhase::kRunning);
    EXPECT_EQ(s.Count(EventKind::kTaskStarting, task), n);
    EXPECT_EQ(crowd.now(), 1);
    release.at(n - 1).Open();
    EXPECT_EQ(s.Await(EventKind::kTaskFailed, task, n).overrun(), 1h);
    if (n < release.size()) s.Await(EventKind::kBackoffScheduled, task, n);
    s.Advance(10ms);
  }
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.reason(), "max_retries_exceeded(5/5): timed out after 100ms");
  EXPECT_EQ(outcome.attempts(), 6u);
  EXPECT_EQ(crowd.most(), 1) << "two bodies of one task at once";
}

TEST(ContractActor, S036_PermitThenNumberThenTaskStartingThenBodyThenPermitBackThenPolicy) {
  const TaskId mark(UINT64_MAX, 0);  // no task: asking for it only leaves an event
  std::optional<SupervisorHandle> handle;
  std::optional<int64_t> in_body;
  std::optional<int64_t> in_policy;
  Served s({.max_concurrent = 1, .jitter_source = [&](std::string_view, uint64_t) {
              in_policy = handle->Stats().permits;
              return 0.5;
            }});
  handle = s.handle;
  const auto task = s.Watch(TaskSpec::Restartable([&](TaskContext& context) -> TaskResult {
                              if (context.attempt() == 2) return Ok();
                              in_body = handle->Stats().permits;
                              EXPECT_FALSE(*handle->Remove(mark));
                              return Fail("once");
                            }).WithBackoff(kNoBackoff));
  EXPECT_TRUE(s.Outcome(task).IsSuccess());
  EXPECT_EQ(in_body, 0);
  EXPECT_EQ(in_policy, 1);
  const Event starting = s.Await(EventKind::kTaskStarting, task);
  EXPECT_EQ(starting.attempt(), 1u);
  const auto inside = s.recorder->Await(Recorder::Is(EventKind::kTaskRemoveRequested, mark));
  ASSERT_TRUE(inside.has_value());
  EXPECT_LT(starting.sequence, inside->sequence);
  EXPECT_LT(inside->sequence, s.Await(EventKind::kTaskFailed, task).sequence);
}

TEST(ContractActor, S036_AStopBeforeTheFirstAttemptIsSeenBeforeItCounts) {
  Gate started;
  Gate release;
  Served s({.workers = 1});
  const auto blocker = s.Watch(TaskSpec::Once([&] {
    started.Open();
    release.Pass();
  }));
  ASSERT_TRUE(started.Wait());
  const auto task = s.Watch(TaskSpec::Once([] { ADD_FAILURE() << "its body ran"; }));
  EXPECT_EQ(s.PhaseOf(task), TaskPhase::kQueued);
  EXPECT_TRUE(*s.handle.Remove(task.id));
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(outcome.attempts(), 0u);
  release.Open();
  EXPECT_TRUE(s.Outcome(blocker).IsSuccess());
  s.LetOthersRun();  // what is left of it in the queue has had its turn
}

TEST(ContractActor, S037_NoPermitIsHeldInABackoffOrAnInterval) {
  Served s({.max_concurrent = 1});
  const auto failing =
      s.Watch(TaskSpec::Restartable(Scripted("fs")).WithBackoff(BackoffPolicy::Constant(1h)));
  const auto periodic = s.Watch(TaskSpec::Periodic(1h, Scripted("sx")));
  s.Await(EventKind::kBackoffScheduled, failing);
  s.Await(EventKind::kBackoffScheduled, periodic);
  EXPECT_EQ(s.handle.Stats().permits, 1);
  EXPECT_TRUE(s.Outcome(s.Watch(TaskSpec::Once([] {}))).IsSuccess());
  s.Advance(1h);
  EXPECT_EQ(s.Outcome(failing).attempts(), 2u);
  EXPECT_EQ(s.Outcome(periodic).attempts(), 2u);
}

TEST(ContractActor, S037_ATimedOutBodyKeepsItsPermitUntilItReturns) {
  Gate release;
  Crowd crowd;
  Served s({.workers = 4, .max_concurrent = 1});
  const auto stubborn = s.Watch(TaskSpec::Once([&] {
                                  const Crowd::Inside inside(crowd);
                                  release.Pass();
                                }).WithTimeout(100ms));
  s.Await(EventKind::kTaskStarting, stubborn);
  const auto next = s.Watch(TaskSpec::Once([&] { const Crowd::Inside inside(crowd); }));
  EXPECT_TRUE(Eventually([&] { return s.PhaseOf(next) == TaskPhase::kWaiting; }));
  // Its phase says so before it has a place among those who wait for a permit.
  EXPECT_TRUE(Eventually([&] { return s.handle.Stats().permits == -1; }));
  s.Advance(100ms);
  s.Await(EventKind::kTimeoutHit, stubborn);
  s.Advance(1h);
  EXPECT_EQ(s.PhaseOf(next), TaskPhase::kWaiting);
  EXPECT_EQ(s.handle.Stats().permits, -1);
  release.Open();
  EXPECT_TRUE(s.Outcome(next).IsSuccess());
  EXPECT_EQ(s.Outcome(stubborn).kind(), OutcomeKind::kFailed);
  EXPECT_EQ(crowd.most(), 1) << "a second body on a core, with one permit";
  EXPECT_EQ(s.handle.Stats().permits, 1);
}

TEST(ContractActor, S037_NeverMoreBodiesThanPermitsAndAllOfThemRun) {
  Crowd crowd;
  Served s({.workers = 8, .max_concurrent = 3});
  std::vector<WatchedTask> tasks;
  for (int i = 0; i < 500; ++i) {
    tasks.push_back(s.Watch(TaskSpec::Restartable([&](TaskContext& context) -> TaskResult {
                              const Crowd::Inside inside(crowd);
                              std::this_thread::yield();
                              return context.attempt() == 1 ? Fail("once") : Ok();
                            }).WithBackoff(kNoBackoff)));
  }
  for (const WatchedTask& task : tasks) EXPECT_TRUE(s.Outcome(task).IsSuccess());
  EXPECT_LE(crowd.most(), 3);
  EXPECT_EQ(s.handle.Stats().permits, 3);
}

TEST(ContractActor, S050_TheBodyIsOneObjectSoItsStateSurvivesRetries) {
  struct Body {
    std::vector<const Body*>* selves;
    int calls = 0;
    TaskResult operator()() {
      selves->push_back(this);
      return ++calls < 3 ? Fail("not yet") : Ok();
    }
  };
  std::vector<const Body*> selves;
  Served s;
  EXPECT_TRUE(
      s.Outcome(s.Watch(TaskSpec::Restartable(Body{&selves}).WithBackoff(kNoBackoff))).IsSuccess());
  ASSERT_EQ(selves.size(), 3u);
  EXPECT_EQ(selves[0], selves[1]);
  EXPECT_EQ(selves[0], selves[2]);
}

TEST(ContractActor, S051_EachAttemptCallsTheBodyAgainFromItsBeginning) {
  std::vector<int> locals;
  const std::function<TaskResult(TaskContext&)> body = [&, calls = 0](TaskContext&) mutable {
    int local = 0;
    locals.push_back(++local);
    return ++calls % 2 == 1 ? Fail("half of them") : Ok();
  };
  Served s;
  // Two tasks from one copyable callable: each has a copy of its own.
  for (int copy = 0; copy < 2; ++copy) {
    const TaskOutcome outcome =
        s.Outcome(s.Watch(TaskSpec::Restartable(body).WithBackoff(kNoBackoff)));
    EXPECT_EQ(outcome.attempts(), 2u);
  }
  EXPECT_EQ(locals, std::vector<int>({1, 1, 1, 1}));
}

}  // namespace
}  // namespace taskvisor::testing
