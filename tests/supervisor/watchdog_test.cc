// Heartbeats: TaskStuck and TaskRecovered.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/supervisor/watchdog_bodies.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

constexpr Duration kHeartbeat = 100ms;
SupervisorConfig Workers(size_t n) { return {.workers = n}; }

TEST(Watchdog, ASilenceIsToldOnceWithTheAttemptItsThreadAndItsStack) {
  Served s(Workers(4));
  StillBody held;
  std::atomic<int32_t> thread{0};
  auto body = [&, inside = held.Body()](TaskContext& context) mutable {
    thread = gettid();
    inside(context);
  };
  const auto task = s.Watch(TaskSpec::Once("silent", body).WithHeartbeat(kHeartbeat));
  ASSERT_TRUE(held.Inside());
  Look before(s, kHeartbeat - 1ns);
  Look after(s, 3 * kHeartbeat);
  s.Advance(kHeartbeat - 1ns);
  before.Await();
  EXPECT_EQ(s.Count(EventKind::kTaskStuck, task), 0u) << "told too early";
  s.Advance(1ns);
  const Event stuck = s.Await(EventKind::kTaskStuck, task);
  EXPECT_EQ(stuck.task(), "silent");
  EXPECT_EQ(stuck.attempt(), 1u);
  EXPECT_EQ(stuck.duration(), kHeartbeat);
  EXPECT_EQ(stuck.thread(), thread);
  EXPECT_EQ(stuck.exit_code(), std::nullopt);
  EXPECT_TRUE(Has(stuck.reason(), "StandStill")) << stuck.reason();
  s.Advance(2 * kHeartbeat);
  after.Await();
  EXPECT_EQ(s.Count(EventKind::kTaskStuck, task), 1u) << "told twice";
  EXPECT_EQ(s.Count(EventKind::kTaskRecovered, task), 0u);
}

TEST(Watchdog, ABodyThatBeatsAgainHasRecoveredAndItsNextSilenceIsToldAgain) {
  Served s(Workers(4));
  BeatingBody beating;
  const auto task = s.Watch(TaskSpec::Once(beating.Body()).WithHeartbeat(kHeartbeat));
  s.Await(EventKind::kTaskStarting, task);
  beating.Beat();  // it is inside
  s.Advance(kHeartbeat);
  // The beat counted from that look, or was taken by an earlier one.
  ASSERT_TRUE(s.AdvanceUntil([&] { return s.Count(EventKind::kTaskStuck, task) == 1; }));
  beating.Beat();
  ASSERT_TRUE(s.AdvanceUntil([&] { return s.Count(EventKind::kTaskRecovered, task) == 1; }));
  const Event recovered = s.Await(EventKind::kTaskRecovered, task);
  EXPECT_EQ(recovered.attempt(), 1u);
  EXPECT_EQ(recovered.thread(), s.Await(EventKind::kTaskStuck, task).thread());
  EXPECT_TRUE(recovered.reason().empty());
  ASSERT_TRUE(s.AdvanceUntil([&] { return s.Count(EventKind::kTaskStuck, task) == 2; }));
  EXPECT_EQ(s.Count(EventKind::kTaskRecovered, task), 1u);
}

TEST(Watchdog, ABodyThatReturnsHasRecoveredBeforeItsAttemptEnds) {
  Served s;
  StillBody held;
  const auto task = s.Watch(TaskSpec::Once(held.Body()).WithHeartbeat(kHeartbeat));
  ASSERT_TRUE(held.Inside());
  s.Advance(kHeartbeat);
  s.Await(EventKind::kTaskStuck, task);
  s.Advance(kHeartbeat);
  held.LetGo();
  EXPECT_EQ(s.Await(EventKind::kTaskRecovered, task).duration(), 2 * kHeartbeat);
  EXPECT_TRUE(s.Outcome(task).IsSuccess());
  const std::vector<EventKind> story = {EventKind::kTaskAddRequested, EventKind::kTaskAdded,
                                        EventKind::kTaskStarting,     EventKind::kTaskStuck,
                                        EventKind::kTaskRecovered,    EventKind::kTaskStopped,
                                        EventKind::kActorExhausted,   EventKind::kTaskRemoved};
  EXPECT_EQ(s.Story(task), story);
}

TEST(Watchdog, ABodyThatBeatsIsNeverStuck) {
  Served s(Workers(4));
  BeatingBody beating;
  const auto task = s.Watch(TaskSpec::Once(beating.Body()).WithHeartbeat(kHeartbeat));
  s.Await(EventKind::kTaskStarting, task);
  for (int i = 0; i < 20; ++i) {
    Look look(s, kHeartbeat * 3 / 5);
    beating.Beat();
    s.Advance(kHeartbeat * 3 / 5);
    look.Await();
  }
  EXPECT_EQ(s.Count(EventKind::kTaskStuck, task), 0u);
  EXPECT_EQ(s.Count(EventKind::kTaskRecovered, task), 0u);
}

TEST(Watchdog, ATaskWithoutAHeartbeatIsNeverStuckWhateverItsDefaultsSay) {
  Served s({.workers = 4, .task_defaults = {.heartbeat = kHeartbeat}});
  StillBody held;
  StillBody inherits;
  const auto task = s.Watch(TaskSpec::Once(held.Body()).WithoutHeartbeat());
  const auto other = s.Watch(TaskSpec::Once(inherits.Body()));
  ASSERT_TRUE(held.Inside() && inherits.Inside());
  s.Advance(kHeartbeat);
  s.Await(EventKind::kTaskStuck, other);
  EXPECT_EQ(s.Count(EventKind::kTaskStuck, task), 0u);
  held.LetGo();
  s.Story(task);
  EXPECT_EQ(s.Count(EventKind::kTaskRecovered, task), 0u);
}

TEST(Watchdog, EachAttemptHasAHeartbeatOfItsOwn) {
  Served s(Workers(4));
  Gate first;
  Gate second;
  Gate second_inside;
  auto body = [&](TaskContext& context) -> TaskResult {
    if (context.attempt() == 1) return first.Pass(), Fail("again");
    second_inside.Open();
    second.Pass();
    return Ok();
  };
  const auto task =
      s.Watch(TaskSpec::Restartable(body).WithBackoff(kNoBackoff).WithHeartbeat(kHeartbeat));
  s.Await(EventKind::kTaskStarting, task);
  s.Advance(kHeartbeat * 3 / 5);
  first.Open();
  ASSERT_TRUE(second_inside.Wait());
  Look look(s, kHeartbeat * 3 / 5);
  s.Advance(kHeartbeat * 3 / 5);
  look.Await();
  EXPECT_EQ(s.Count(EventKind::kTaskStuck, task), 0u) << "together they were longer than one";
  s.Advance(kHeartbeat * 2 / 5);
  EXPECT_EQ(s.Await(EventKind::kTaskStuck, task).attempt(), 2u);
  second.Open();
  EXPECT_EQ(s.Await(EventKind::kTaskRecovered, task).attempt(), 2u);
}

TEST(Watchdog, AnAttemptThatEndedInTimeLeavesNothingBehind) {
  Served s(Workers(4));
  const auto task = s.Watch(TaskSpec::Once(DoNothing).WithHeartbeat(kHeartbeat));
  s.Story(task);
  Look look(s, kHeartbeat);
  s.Advance(10 * kHeartbeat);
  look.Await();
  EXPECT_EQ(s.Count(EventKind::kTaskStuck, task), 0u);
}

TEST(Watchdog, ATimeoutAndAHeartbeatAreToldSideBySide) {
  Served s;
  StillBody held;
  const auto task =
      s.Watch(TaskSpec::Once(held.Body()).WithHeartbeat(kHeartbeat).WithTimeout(kHeartbeat / 2));
  ASSERT_TRUE(held.Inside());
  s.Advance(kHeartbeat / 2);
  s.Await(EventKind::kTimeoutHit, task);
  s.Advance(kHeartbeat / 2);
  s.Await(EventKind::kTaskStuck, task);
  held.LetGo();
  const std::vector<EventKind> story = {
      EventKind::kTaskAddRequested, EventKind::kTaskAdded,      EventKind::kTaskStarting,
      EventKind::kTimeoutHit,       EventKind::kTaskStuck,      EventKind::kTaskRecovered,
      EventKind::kTaskFailed,       EventKind::kActorExhausted, EventKind::kTaskRemoved};
  EXPECT_EQ(s.Story(task), story);
}

TEST(Watchdog, ManyAreToldAtOnceEachWithItsOwnStack) {
  constexpr size_t kTasks = 8;
  Served s(Workers(kTasks));
  std::vector<std::unique_ptr<StillBody>> held;
  std::vector<WatchedTask> tasks;
  for (size_t i = 0; i < kTasks; ++i) {
    held.push_back(std::make_unique<StillBody>());
    tasks.push_back(s.Watch(TaskSpec::Once(held.back()->Body()).WithHeartbeat(kHeartbeat)));
    ASSERT_TRUE(held.back()->Inside());
  }
  s.Advance(kHeartbeat);
  std::vector<int32_t> threads;
  for (const WatchedTask& task : tasks) {
    const Event stuck = s.Await(EventKind::kTaskStuck, task);
    EXPECT_TRUE(Has(stuck.reason(), "StandStill")) << stuck.reason();
    threads.push_back(stuck.thread().value_or(0));
  }
  std::sort(threads.begin(), threads.end());
  EXPECT_EQ(std::unique(threads.begin(), threads.end()), threads.end());
}

TEST(Watchdog, BeatsOfNoAttemptUnderAHeartbeatAreNothing) {
  DetachedContext detached;
  detached.context().Beat();
  Served s;
  const auto task = s.Watch(TaskSpec::Once([](TaskContext& context) { context.Beat(); }));
  EXPECT_TRUE(s.Outcome(task).IsSuccess());
}

}  // namespace
}  // namespace taskvisor::testing
