// A. Events: what one is made of (1-4, 26).

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <optional>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/contract/served.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

std::vector<EventKind> AllKinds() {
  std::vector<EventKind> kinds;
  for (int i = 0; i < kEventKindCount; ++i) kinds.push_back(static_cast<EventKind>(i));
  return kinds;
}

TEST(ContractEvents, S001_SequenceStartsAtOneAndIncreases) {
  Served served;
  for (int i = 0; i < 20; ++i) served.Outcome(served.Watch(TaskSpec::Once(DoNothing)));
  ASSERT_TRUE(served.supervisor->Shutdown().ok());
  const std::vector<Event> events = served.recorder->Events();
  ASSERT_GE(events.size(), 20u * 6u);
  EXPECT_EQ(events.front().sequence, 1u);
  for (size_t i = 1; i < events.size(); ++i) {
    EXPECT_GT(events[i].sequence, events[i - 1].sequence);
  }
  // Nothing was lost here, so there is no gap.
  EXPECT_EQ(events.back().sequence, events.size());
}

TEST(ContractEvents, S001_AtIsTheWallClockOfTheEvent) {
  constexpr WallTime kStart{946'684'800s};  // of a manual clock: 2000-01-01
  Served served;
  const WatchedTask early = served.Watch(TaskSpec::Once(DoNothing));
  EXPECT_EQ(served.Await(EventKind::kTaskRemoved, early).at(), kStart);
  served.Advance(1h + 1ns);
  const WatchedTask late = served.Watch(TaskSpec::Once(DoNothing));
  EXPECT_EQ(served.Await(EventKind::kTaskAddRequested, late).at(), kStart + 1h + 1ns);
  EXPECT_EQ(served.Await(EventKind::kTaskRemoved, late).at(), kStart + 1h + 1ns);
}

TEST(ContractEvents, S002_AllOtherFieldsStartEmpty) {
  for (const EventKind kind : AllKinds()) {
    const Event event(kind);
    EXPECT_EQ(event.kind(), kind);
    EXPECT_EQ(event.id(), std::nullopt);
    EXPECT_EQ(event.parent_id(), std::nullopt);
    EXPECT_EQ(event.task(), "");
    EXPECT_EQ(event.slot(), "");
    EXPECT_EQ(event.reason(), "");
    EXPECT_EQ(event.attempt(), std::nullopt);
    EXPECT_EQ(event.timeout_ms(), std::nullopt);
    EXPECT_EQ(event.delay_ms(), std::nullopt);
    EXPECT_EQ(event.duration_ms(), std::nullopt);
    EXPECT_EQ(event.duration(), std::nullopt);
    EXPECT_EQ(event.delay(), std::nullopt);
    EXPECT_EQ(event.timeout(), std::nullopt);
    EXPECT_EQ(event.overrun(), std::nullopt);
    EXPECT_EQ(event.queue_wait(), std::nullopt);
    EXPECT_EQ(event.cpu_time(), std::nullopt);
    EXPECT_EQ(event.grace(), std::nullopt);
    EXPECT_EQ(event.exit_code(), std::nullopt);
    EXPECT_EQ(event.backoff_source(), std::nullopt);
    EXPECT_EQ(event.outcome_kind(), std::nullopt);
    EXPECT_EQ(event.rejection_kind(), std::nullopt);
    EXPECT_EQ(event.cause(), std::nullopt);
    EXPECT_EQ(event.count(), std::nullopt);
  }
}

TEST(ContractEvents, S003_MillisecondsSaturateAndNanosecondsAreKept) {
  constexpr uint32_t kMost = std::numeric_limits<uint32_t>::max();
  constexpr auto kLast = std::chrono::milliseconds(kMost);
  Event event(EventKind::kTaskFailed);
  event.WithDuration(250us).WithDelay(kLast + 1ms).WithTimeout(kLast + 999'999ns);
  EXPECT_EQ(event.duration_ms(), 0u);
  EXPECT_EQ(event.duration(), 250us);
  EXPECT_EQ(event.delay_ms(), kMost);
  EXPECT_EQ(event.delay(), kLast + 1ms);
  EXPECT_EQ(event.timeout_ms(), kMost);
  EXPECT_EQ(event.timeout(), kLast + 999'999ns);
  event.WithDuration(kLast - 1ns).WithDelay(Duration::max());
  EXPECT_EQ(event.duration_ms(), kMost - 1);
  EXPECT_EQ(event.delay_ms(), kMost);
  EXPECT_EQ(event.delay(), Duration::max());
}

TEST(ContractEvents, S003_ASubMillisecondAttemptKeepsItsDuration) {
  Served served;
  HeldBody body;
  const WatchedTask task = served.Watch(TaskSpec::Once("short", body.Body()));
  ASSERT_TRUE(body.Inside());
  served.Advance(1234ns);
  body.LetGo();
  const Event stopped = served.Await(EventKind::kTaskStopped, task);
  EXPECT_EQ(stopped.duration(), 1234ns);
  EXPECT_EQ(stopped.duration_ms(), 0u);
}

TEST(ContractEvents, S004_ExitCodeKeepsItsSignAndIsAbsentWithoutOne) {
  constexpr int32_t kLeast = std::numeric_limits<int32_t>::min();
  EXPECT_EQ(Event().WithExitCode(kLeast).exit_code(), kLeast);
  EXPECT_EQ(Event().WithExitCode(0).exit_code(), 0);
  EXPECT_EQ(Event().WithExitCode(std::nullopt).exit_code(), std::nullopt);

  Served served;
  const auto with = served.Watch(TaskSpec::Once([] { return Fail("x").WithExitCode(-7); }));
  EXPECT_EQ(served.Await(EventKind::kTaskFailed, with).exit_code(), -7);
  EXPECT_EQ(served.Await(EventKind::kActorExhausted, with).exit_code(), -7);
  const auto without = served.Watch(TaskSpec::Once([] { return Fail("x"); }));
  EXPECT_EQ(served.Await(EventKind::kTaskFailed, without).exit_code(), std::nullopt);
  EXPECT_EQ(served.Await(EventKind::kActorExhausted, without).exit_code(), std::nullopt);
}

TEST(ContractEvents, S026_ControllerKindsCarryTheirFields) {
  Event submitted(EventKind::kControllerSubmitted);
  submitted.WithSlot("build").WithId(TaskId(7, 1)).WithReason("queued depth=1");
  EXPECT_EQ(submitted.slot(), "build");
  EXPECT_EQ(submitted.task(), "") << "a slot is no task";
  EXPECT_EQ(submitted.id(), TaskId(7, 1));
  EXPECT_EQ(submitted.reason(), "queued depth=1");

  Event rejected(EventKind::kControllerRejected);
  rejected.WithId(TaskId(8, 1)).WithRejectionKind(RejectionKind::kSlotBusy).WithReason("busy");
  EXPECT_EQ(rejected.slot(), "") << "a refusal before any slot has none";
  EXPECT_EQ(rejected.WithSlot("build").slot(), "build");
  EXPECT_EQ(rejected.id(), TaskId(8, 1));
  EXPECT_EQ(rejected.rejection_kind(), RejectionKind::kSlotBusy);
  EXPECT_EQ(rejected.outcome_kind(), OutcomeKind::kRejected);
  EXPECT_EQ(rejected.reason(), "busy");

  Event moved(EventKind::kControllerSlotTransition);
  moved.WithSlot("build").WithReason("idle->running");
  EXPECT_EQ(moved.slot(), "build");
  EXPECT_EQ(moved.reason(), "idle->running");
  EXPECT_EQ(moved.id(), std::nullopt);
}

}  // namespace
}  // namespace taskvisor::testing
