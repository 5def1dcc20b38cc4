// O. Shutdown: who is waited for, who is reported (168-171).

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(ContractShutdown, S168_EveryAddThatGotInIsDrainedEveryOtherSaysShuttingDown) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  std::atomic<int> in{0};
  std::vector<std::vector<TaskWaiter>> accepted(3);
  {
    std::vector<std::jthread> adders;
    for (auto& mine : accepted) {
      adders.emplace_back([&] {
        while (true) {
          const auto task = handle.AddAndWatch(TaskSpec::Once(UntilCancelled));
          if (!task.ok()) {
            EXPECT_EQ(task.status().code(), absl::StatusCode::kUnavailable);
            return;
          }
          mine.push_back(task->waiter);
          ++in;
        }
      });
    }
    while (in < 20) std::this_thread::yield();
    EXPECT_TRUE(handle.Shutdown().ok());
  }
  for (const auto& mine : accepted) {
    for (const TaskWaiter& waiter : mine) EXPECT_EQ(KindOf(waiter), OutcomeKind::kCancelled);
  }
  EXPECT_EQ(handle.Stats().tasks, 0u);
}

TEST(ContractShutdown, S168_AnAddThatWaitsForRoomLosesAndHoldsNothingUp) {
  Harness harness({.grace = hours(1), .max_tasks = 1});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  ASSERT_TRUE(handle.Add(TaskSpec::Once(held.Body())).ok());
  ASSERT_TRUE(held.Inside());
  absl::Status waiting;
  std::jthread adder([&] { waiting = handle.Add(TaskSpec::Once(DoNothing)).status(); });
  handle.RequestShutdown();
  adder.join();  // before there is room, and before the shutdown is over
  EXPECT_EQ(waiting.code(), absl::StatusCode::kUnavailable);
  held.LetGo();
  EXPECT_TRUE(handle.Shutdown().ok());
}

TEST(ContractShutdown, S169_AllAreToldBeforeAnyIsWaitedFor) {
  Harness harness({.workers = 3});
  const SupervisorHandle handle = harness.Serve();
  std::atomic<int> inside{0};
  std::atomic<int> told{0};
  Gate all_told;
  auto body = [&](TaskContext& context) {
    ++inside;
    static_cast<void>(UntilCancelled(context));
    if (++told == 3) all_told.Open();
    all_told.Pass();  // nobody ends before everybody was told
  };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(handle.Add(TaskSpec::Once(body)).ok());
  ASSERT_TRUE(Eventually([&] { return inside == 3; }));
  EXPECT_TRUE(handle.Shutdown().ok());
  EXPECT_EQ(told, 3);
}

TEST(ContractShutdown, S169_OneGraceIsSharedByAll) {
  Harness harness({.workers = 3, .grace = seconds(10)});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held[3];
  TaskWaiter waiters[3];
  for (size_t i = 0; i < 3; ++i) {
    waiters[i] = handle.AddAndWatch(TaskSpec::Once(held[i].Body()))->waiter;
    ASSERT_TRUE(held[i].Inside());
  }
  handle.RequestShutdown();
  const TimePoint begin = harness.clock->Now();
  const auto all_given_up = [&] {
    return waiters[0].Ready() && waiters[1].Ready() && waiters[2].Ready();
  };
  ASSERT_TRUE(harness.AdvanceUntil(all_given_up, std::chrono::milliseconds(500)));
  const auto exceeded = GraceExceeded::From(handle.Shutdown());
  ASSERT_TRUE(exceeded.has_value());
  ASSERT_EQ(exceeded->stuck.size(), 3u);
  for (const StuckTask& task : exceeded->stuck) {
    // Given up at one moment, not one grace after the other.
    EXPECT_EQ(task.running_for, exceeded->stuck.front().running_for);
    EXPECT_GE(task.running_for, seconds(10));
  }
  EXPECT_GE(harness.clock->Now() - begin, seconds(10));
}

TEST(ContractShutdown, S170_CooperativeTasksAndNoTasksAreACleanEnd) {
  for (const bool empty : {false, true}) {
    Harness harness;
    const SupervisorHandle handle = harness.Serve();
    TaskWaiter waiter;
    if (!empty) {
      waiter = handle.AddAndWatch(TaskSpec::Once(UntilCancelled))->waiter;
      ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskStarting)));
    }
    EXPECT_TRUE(handle.Shutdown().ok());
    EXPECT_EQ(harness.recorder->Count(Recorder::Is(EventKind::kAllStoppedWithinGrace)), 1u);
    EXPECT_EQ(harness.recorder->Count(Recorder::Is(EventKind::kGraceExceeded)), 0u);
    EXPECT_EQ(KindOf(waiter).has_value(), !empty);
  }
}

TEST(ContractShutdown, S171_OnlyTheStubbornAreListedSortedWithWhatIsKnownOfThem) {
  Harness harness({.workers = 4, .grace = seconds(10)});
  const SupervisorHandle handle = harness.Serve();
  HeldBody second_attempt;
  HeldBody removed;
  std::atomic<int32_t> thread{0};
  auto stubborn_at_two = [&, held = second_attempt.Body()](TaskContext& context) mutable {
    if (context.attempt() == 1) return Fail("once");
    thread = gettid();
    return held(context), Ok();
  };
  const auto zebra =
      handle.AddAndWatch(TaskSpec::Restartable("zebra", stubborn_at_two)
                             .WithBackoff(BackoffPolicy::Constant(Duration::zero())));
  ASSERT_TRUE(second_attempt.Inside());
  const auto mole = handle.AddAndWatch(TaskSpec::Once("mole", UntilCancelled));
  ASSERT_TRUE(handle.Add(TaskSpec::Periodic("idle", hours(1), DoNothing)).ok());
  harness.Advance(seconds(3));
  const auto ant = handle.AddAndWatch(TaskSpec::Once("ant", removed.Body()));
  ASSERT_TRUE(removed.Inside());
  ASSERT_TRUE(handle.Remove(ant->id).value());  // before the shutdown, and it has not ended

  handle.RequestShutdown();
  EXPECT_EQ(KindOf(mole->waiter), OutcomeKind::kCancelled);  // before any time passes
  // In small steps: a thread that is late with its outcome must not have the drain pass too.
  ASSERT_TRUE(harness.AdvanceUntil([&] { return ant->waiter.Ready() && zebra->waiter.Ready(); }));
  const absl::Status status = handle.Shutdown();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  const auto exceeded = GraceExceeded::From(status);
  ASSERT_TRUE(exceeded.has_value());
  EXPECT_EQ(exceeded->grace, seconds(10));
  ASSERT_EQ(exceeded->stuck.size(), 2u);
  const StuckTask& first = exceeded->stuck[0];
  const StuckTask& second = exceeded->stuck[1];
  EXPECT_EQ(first.name, "ant");
  EXPECT_EQ(first.id, ant->id);
  EXPECT_EQ(first.attempt, 1u);
  EXPECT_EQ(second.name, "zebra");
  EXPECT_EQ(second.id, zebra->id);
  EXPECT_EQ(second.attempt, 2u);
  EXPECT_EQ(second.thread, thread);
  EXPECT_EQ(second.running_for - first.running_for, seconds(3));

  const auto event = harness.recorder->Await(Recorder::Is(EventKind::kGraceExceeded));
  EXPECT_EQ(event->grace(), seconds(10));
  EXPECT_EQ(event->count(), 2u);
  EXPECT_EQ(event->reason(), "ant, zebra");
  EXPECT_EQ(harness.recorder->Count(Recorder::Is(EventKind::kAllStoppedWithinGrace)), 0u);
}

}  // namespace
}  // namespace taskvisor::testing
