// Heartbeats and stops; the stack in the records of those that did not stop.

#include <gtest/gtest.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigset_t

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "tests/supervisor/watchdog_bodies.h"
#include "tests/support/sanitizers.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

constexpr Duration kHeartbeat = 100ms;

TEST(WatchdogStop, ACancelOfAStuckTaskChangesNothingAboutItsRecovery) {
  Served s;
  StillBody held;
  const auto task = s.Watch(TaskSpec::Once(held.Body()).WithHeartbeat(kHeartbeat));
  ASSERT_TRUE(held.Inside());
  s.Advance(kHeartbeat);
  s.Await(EventKind::kTaskStuck, task);
  ASSERT_TRUE(s.handle.Remove(task.id).value());
  held.LetGo();
  const std::vector<EventKind> story = {
      EventKind::kTaskAddRequested, EventKind::kTaskAdded,           EventKind::kTaskStarting,
      EventKind::kTaskStuck,        EventKind::kTaskRemoveRequested, EventKind::kTaskRecovered,
      EventKind::kTaskStopped,      EventKind::kActorDead,           EventKind::kTaskRemoved};
  EXPECT_EQ(s.Story(task), story);
}

TEST(WatchdogStop, ATaskThatIsCancelledAndSilentIsTold) {
  Served s;
  StillBody held;
  const auto task = s.Watch(TaskSpec::Once(held.Body()).WithHeartbeat(kHeartbeat));
  ASSERT_TRUE(held.Inside());
  ASSERT_TRUE(s.handle.Remove(task.id).value());
  s.Advance(kHeartbeat);
  s.Await(EventKind::kTaskStuck, task);
}

TEST(WatchdogStop, AfterATaskIsGivenUpNothingMoreIsToldOfItsBeats) {
  Served s({.workers = 4, .grace = kHeartbeat});
  StillBody held;
  StillBody told;
  const auto task = s.Watch(TaskSpec::Once(held.Body()).WithHeartbeat(2 * kHeartbeat));
  const auto before = s.Watch(TaskSpec::Once(told.Body()).WithHeartbeat(kHeartbeat / 2));
  ASSERT_TRUE(held.Inside() && told.Inside());
  ASSERT_TRUE(s.handle.Remove(task.id).value());
  s.Advance(kHeartbeat / 2);
  s.Await(EventKind::kTaskStuck, before);
  ASSERT_TRUE(s.handle.Remove(before.id).value());
  s.Advance(kHeartbeat / 2);
  EXPECT_EQ(s.Outcome(task).kind(), OutcomeKind::kStuck);
  s.Advance(kHeartbeat / 2);
  EXPECT_EQ(s.Outcome(before).kind(), OutcomeKind::kStuck);
  Look look(s, kHeartbeat);
  s.Advance(kHeartbeat);
  look.Await();
  held.LetGo();
  told.LetGo();
  s.Story(task);
  s.Story(before);
  EXPECT_EQ(s.Count(EventKind::kTaskStuck, task), 0u);
  EXPECT_EQ(s.Count(EventKind::kTaskRecovered, task), 0u);
  EXPECT_EQ(s.Count(EventKind::kTaskStuck, before), 1u);
  EXPECT_EQ(s.Count(EventKind::kTaskRecovered, before), 0u);
}

TEST(WatchdogStop, TheStuckOutcomeCarriesTheStackWithOrWithoutAHeartbeat) {
  Served s({.grace = 5s});
  StillBody held;
  const auto task = s.Watch(TaskSpec::Once(held.Body()));
  ASSERT_TRUE(held.Inside());
  const auto cancelled = s.handle.CancelWithTimeout(task.id, Duration::zero());
  EXPECT_EQ(cancelled.status().code(), absl::StatusCode::kDeadlineExceeded);
  s.Advance(5s);
  const TaskOutcome outcome = s.Outcome(task);
  ASSERT_EQ(outcome.kind(), OutcomeKind::kStuck);
  ASSERT_TRUE(outcome.stuck() != nullptr);
  EXPECT_TRUE(Has(outcome.stuck()->stack, "StandStill")) << outcome.stuck()->stack;
}

TEST(WatchdogStop, GraceExceededCarriesTheStackOfEachEndingWithItsBody) {
  Served s({.workers = 4, .grace = Duration::zero()});
  StillBody one;
  StillBody two;
  const auto first = s.Watch(TaskSpec::Once("one", one.Body()));
  const auto second = s.Watch(TaskSpec::Once("two", two.Body()).WithHeartbeat(1s));
  ASSERT_TRUE(one.Inside() && two.Inside());
  const auto exceeded = GraceExceeded::From(s.handle.Shutdown());
  ASSERT_TRUE(exceeded.has_value());
  ASSERT_EQ(exceeded->stuck.size(), 2u);
  for (const StuckTask& task : exceeded->stuck) {
    EXPECT_TRUE(Has(task.stack, "StandStill")) << task.stack;
    EXPECT_FALSE(Has(task.stack, "RunBody")) << task.stack;
    EXPECT_LE(std::count(task.stack.begin(), task.stack.end(), '\n'), 47);
  }
  EXPECT_EQ(s.Outcome(first).stuck()->stack, exceeded->stuck[0].stack);
  EXPECT_EQ(s.Outcome(second).stuck()->stack, exceeded->stuck[1].stack);
}

TEST(WatchdogStop, AThreadThatDoesNotAnswerHasAReasonInsteadOfAStack) {
  if (kThreadSanitizer) {
    GTEST_SKIP() << "ThreadSanitizer takes all signals first and defers them: none is blocked";
  }
  Served s({.grace = Duration::zero()});
  StillBody held;
  auto body = [inside = held.Body()](TaskContext& context) mutable {
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    inside(context);
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
  };
  const auto task = s.Watch(TaskSpec::Once("deaf", body));
  ASSERT_TRUE(held.Inside());
  const auto exceeded = GraceExceeded::From(s.handle.Shutdown());
  ASSERT_TRUE(exceeded.has_value());
  ASSERT_EQ(exceeded->stuck.size(), 1u);
  EXPECT_TRUE(Has(exceeded->stuck[0].stack, "(no stack: the thread blocks signal "))
      << exceeded->stuck[0].stack;
  held.LetGo();
  EXPECT_TRUE(task.waiter.Drained().ok());
}

}  // namespace
}  // namespace taskvisor::testing
