// O. Shutdown: its phases, and no grace at all (167, 172).

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/contract/shutdown_hooks.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

TEST(ContractShutdown, S167_ThePhasesComeInOrderAndOnce) {
  std::vector<std::string> phases;
  std::vector<TaskPhase> held_is;  // at the start of each phase
  absl::Status add_at_announce;
  Inside inside({.grace = Duration::zero()}, OnPhase([&](std::string_view phase) {
                  phases.emplace_back(phase);
                  for (const TaskInfo& task : inside.handle.List()) held_is.push_back(task.phase);
                  if (phase == "announce")
                    add_at_announce = inside.handle.Add(TaskSpec::Once(DoNothing)).status();
                }));
  HeldBody held;
  const auto task = inside.handle.AddAndWatch(TaskSpec::Once("held", held.Body()));
  ASSERT_TRUE(held.Inside());
  const absl::Status result = inside.handle.Shutdown();
  EXPECT_TRUE(GraceExceeded::From(result).has_value()) << result;

  EXPECT_EQ(phases, kPhases);
  EXPECT_EQ(add_at_announce.code(), absl::StatusCode::kUnavailable);  // admission is closed first
  ASSERT_EQ(held_is.size(), kPhases.size());
  EXPECT_EQ(held_is[2], TaskPhase::kRunning);   // told in "cancel"
  EXPECT_EQ(held_is[3], TaskPhase::kStopping);  // waited for in "drain"
  EXPECT_EQ(held_is[5], TaskPhase::kStuck);     // given up in "abandon"
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kStuck);
  // The relay was drained after the verdict, and the verdict is the last word.
  const auto events = inside.recorder->Events();
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().kind(), EventKind::kGraceExceeded);

  EXPECT_EQ(inside.handle.Shutdown(), result);  // cached
  EXPECT_EQ(phases.size(), kPhases.size());
}

TEST(ContractShutdown, S172_ZeroGraceTellsEveryoneAndReportsAtOnce) {
  Harness harness({.grace = Duration::zero()});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  std::atomic<bool> was_told{false};
  auto body = [&, ignores = held.Body()](TaskContext& context) mutable {
    ignores(context);
    was_told = context.Cause() == CancelCause::kShutdown;
  };
  const auto task = handle.AddAndWatch(TaskSpec::Once("deaf", body));
  ASSERT_TRUE(held.Inside());
  const auto exceeded = GraceExceeded::From(handle.Shutdown());  // time does not move at all
  ASSERT_TRUE(exceeded.has_value());
  EXPECT_EQ(exceeded->grace, Duration::zero());
  ASSERT_EQ(exceeded->stuck.size(), 1u);
  EXPECT_EQ(exceeded->stuck.front().name, "deaf");
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kStuck);
  held.LetGo();  // the leaked core is still there for it
  EXPECT_TRUE(task->waiter.Drained().ok());
  EXPECT_TRUE(was_told);
}

TEST(ContractShutdown, S172_OnStuckWaitReportsAndThenWaits) {
  Harness harness({.grace = Duration::zero(), .on_stuck = OnStuck::kWait});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  const auto task = handle.AddAndWatch(TaskSpec::Once("deaf", held.Body()));
  ASSERT_TRUE(held.Inside());
  std::atomic<bool> over{false};
  absl::Status result;
  std::jthread caller([&] {
    result = handle.Shutdown();
    over = true;
  });
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kGraceExceeded)));
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kStuck);  // the truth, at grace
  EXPECT_FALSE(over);
  held.LetGo();
  caller.join();
  EXPECT_TRUE(GraceExceeded::From(result).has_value()) << result;
  EXPECT_TRUE(task->waiter.IsDrained());
}

TEST(ContractShutdownDeathTest, S172_OnStuckTerminateSaysWhoAndTerminates) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        Harness harness({.grace = Duration::zero(), .on_stuck = OnStuck::kTerminate});
        HeldBody held;
        static_cast<void>(harness.Serve().Add(TaskSpec::Once("culprit", held.Body())));
        static_cast<void>(held.Inside());
        static_cast<void>(harness.Serve().Shutdown());
      },
      "culprit");
}

}  // namespace
}  // namespace taskvisor::testing
