// O. Shutdown: what may fail in it (176, 178).

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/contract/clocks.h"
#include "tests/contract/inside.h"
#include "tests/contract/shutdown_hooks.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;

TEST(ContractShutdown, S176_WithoutSignalHandlersRunIsAnErrorThatLateCallersGetToo) {
  Inside inside({}, SignalsFailWith("no handlers today"));
  const SupervisorHandle handle = inside.handle;
  const auto earlier = handle.AddAndWatch(TaskSpec::Once(UntilCancelled));
  std::atomic<bool> ran{false};
  TaskSpec spec = TaskSpec::Once([&] { ran = true; });
  const TaskWaiter waiter = spec.Watch();
  const absl::Status result = inside.supervisor().Run(std::move(spec));
  EXPECT_EQ(result.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorLabel(result), "runtime_signal_setup_failed");
  EXPECT_NE(result.ToString().find("no handlers today"), std::string::npos);
  EXPECT_EQ(handle.Shutdown(), result);
  EXPECT_EQ(inside.supervisor().Shutdown(), result);

  // Full cleanup, and no word of a request or a verdict.
  EXPECT_EQ(KindOf(earlier->waiter), OutcomeKind::kCancelled);
  EXPECT_EQ(waiter.Wait().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(ran);
  EXPECT_EQ(handle.Add(TaskSpec::Once(DoNothing)).status().code(), absl::StatusCode::kUnavailable);
  for (const EventKind kind : {EventKind::kShutdownRequested, EventKind::kAllStoppedWithinGrace,
                               EventKind::kGraceExceeded}) {
    EXPECT_EQ(inside.recorder->Count(Recorder::Is(kind)), 0u) << Label(kind);
  }
}

TEST(ContractShutdown, S178_AFailureInAnyPhaseIsNeverAFalseOk) {
  for (const std::string& failing : kPhases) {
    std::vector<std::string> phases;
    Inside inside({}, OnPhase([&](std::string_view phase) {
                    phases.emplace_back(phase);
                    if (phase == failing) throw std::runtime_error("broken");
                  }));
    const SupervisorHandle handle = inside.handle;
    const auto task = handle.AddAndWatch(TaskSpec::Once(UntilCancelled));
    const absl::Status result = handle.Shutdown();
    EXPECT_EQ(result.code(), absl::StatusCode::kUnavailable) << failing;
    EXPECT_EQ(ErrorLabel(result), "runtime_shutting_down") << failing;
    EXPECT_EQ(handle.Shutdown(), result) << failing;
    EXPECT_EQ(phases, kPhases);  // the later ones ran all the same
    EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCancelled) << failing;
  }
}

// Tells how many threads wait for it to move.
class WatchedClock : public ManualClockBase {
 public:
  void Watch(const void* key, std::function<void()> moved) override {
    ManualClockBase::Watch(key, std::move(moved));
    ++watchers_;
  }
  void Unwatch(const void* key) override {
    ManualClockBase::Unwatch(key);
    --watchers_;
  }
  [[nodiscard]] bool IsWatchedBy(int threads) const {
    return Eventually([&] { return watchers_ == threads; });
  }

 private:
  std::atomic<int> watchers_{0};
};

TEST(ContractShutdown, S178_AGraceOfDecadesWorksAndIsReportedAsItWasGiven) {
  constexpr Duration kYear = hours(24 * 365);
  const auto clock = std::make_shared<WatchedClock>();
  Harness harness({.grace = 40 * kYear, .clock = clock});
  const SupervisorHandle handle = harness.Serve();
  EXPECT_EQ(harness.supervisor->config().grace, 40 * kYear);
  HeldBody held;
  const auto task = handle.AddAndWatch(TaskSpec::Once("eternal", held.Body()));
  ASSERT_TRUE(held.Inside());
  handle.RequestShutdown();
  ASSERT_TRUE(clock->IsWatchedBy(2));  // the timers, and the shutdown: it waits
  clock->Advance(29 * kYear);
  EXPECT_FALSE(task->waiter.Ready());
  clock->Advance(11 * kYear);
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kStuck);
  const auto exceeded = GraceExceeded::From(handle.Shutdown());
  ASSERT_TRUE(exceeded.has_value());
  EXPECT_EQ(exceeded->grace, 40 * kYear);
  EXPECT_EQ(exceeded->stuck.front().running_for, 40 * kYear);
  const auto verdict = harness.recorder->Await(Recorder::Is(EventKind::kGraceExceeded));
  EXPECT_EQ(verdict->grace(), 40 * kYear);
}

TEST(ContractShutdown, S178_EvenTheLongestGraceOverflowsNothing) {
  Harness harness({.grace = Duration::max(),
                   .subscriber_drain = Duration::max(),
                   .destroy_grace = Duration::max()});
  const SupervisorHandle handle = harness.Serve();
  const auto task = handle.AddAndWatch(TaskSpec::Once(UntilCancelled));
  EXPECT_TRUE(handle.Remove(task->id).value());
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCancelled);
  EXPECT_TRUE(handle.Shutdown().ok());
}

}  // namespace
}  // namespace taskvisor::testing
