// I. Management, the way in: room, and who gave up on it (90-94).

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

TEST(ContractManagement, S090_TryAddDiffersOnlyWhereAddWouldWait) {
  Harness harness({.max_tasks = 2});
  const SupervisorHandle handle = harness.Serve();
  const auto first = handle.TryAddAndWatch(TaskSpec::Once("first", UntilCancelled));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->waiter.id(), first->id);
  // With room, the registry's decision is the same as Add's.
  EXPECT_EQ(handle.TryAdd(TaskSpec::Once("first", DoNothing)).status().code(),
            absl::StatusCode::kAlreadyExists);

  ASSERT_TRUE(handle.TryAdd(TaskSpec::Once("second", UntilCancelled)).ok());
  const auto third = handle.TryAdd(TaskSpec::Once("third", DoNothing));
  EXPECT_EQ(third.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorLabel(third.status()), "runtime_command_queue_full");
}

TEST(ContractManagement, S091_ARefusedTryAddChangesAndPublishesNothing) {
  Harness harness({.max_tasks = 1});
  const SupervisorHandle handle = harness.Serve();
  const auto first = handle.Add(TaskSpec::Once("first", UntilCancelled));
  ASSERT_TRUE(first.ok());
  TaskSpec spec = TaskSpec::Once("refused", DoNothing);
  const TaskWaiter waiter = spec.Watch();
  EXPECT_EQ(handle.TryAdd(std::move(spec)).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(handle.TryAddAndWatch(TaskSpec::Once("refused", DoNothing)).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(waiter.Wait().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(handle.Stats().tasks, 1u);
  ASSERT_EQ(handle.List().size(), 1u);

  EXPECT_TRUE(handle.Shutdown().ok());  // all events are through
  for (const Event& event : harness.recorder->Events()) {
    EXPECT_NE(event.task(), "refused") << event.ToString();
    EXPECT_EQ(event.id().value_or(*first), *first) << event.ToString();
  }
}

TEST(ContractManagement, S092_MembershipIsBoundedAndRoomComesBack) {
  Harness harness({.max_tasks = 3});
  const SupervisorHandle handle = harness.Serve();
  std::vector<TaskId> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(handle.TryAdd(TaskSpec::Once(UntilCancelled)).value());
  for (int round = 0; round < 100; ++round) {
    ASSERT_EQ(handle.TryAdd(TaskSpec::Once(DoNothing)).status().code(),
              absl::StatusCode::kResourceExhausted);
    // The one who waited for the end finds its room.
    ASSERT_EQ(handle.Cancel(ids.front()).value(), true);
    ids.erase(ids.begin());
    const auto next = handle.TryAdd(TaskSpec::Once(UntilCancelled));
    ASSERT_TRUE(next.ok()) << next.status() << " in round " << round;
    ids.push_back(*next);
  }
  EXPECT_EQ(handle.Stats().tasks, 3u);
}

TEST(ContractManagement, S093_AnAddThatNeverGotInLeavesNothingBehind) {
  Harness harness({.grace = std::chrono::hours(1), .max_tasks = 1});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  ASSERT_TRUE(handle.Add(TaskSpec::Once("first", held.Body())).ok());
  ASSERT_TRUE(held.Inside());
  auto owned = std::make_shared<int>(0);
  absl::Status second;
  TaskWaiter waiter;
  std::jthread adder([&] {
    TaskSpec spec = TaskSpec::Once("second", [keep = owned] {});
    waiter = spec.Watch();
    second = handle.Add(std::move(spec)).status();
  });
  handle.RequestShutdown();
  adder.join();  // answered while the shutdown still waits for the first
  EXPECT_EQ(second.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(owned.use_count(), 1);  // its body is destroyed
  EXPECT_EQ(waiter.Wait().status().code(), absl::StatusCode::kUnavailable);
  held.LetGo();
  EXPECT_TRUE(handle.Shutdown().ok());
  EXPECT_EQ(harness.recorder->Count(Recorder::Is(EventKind::kTaskAddRequested, "second")), 0u);
}

TEST(ContractManagement, S093_AfterTheCallTheSupervisorOwnsTheTask) {
  Harness harness;
  TaskWaiter waiter;
  {
    const SupervisorHandle handle = harness.Serve();
    waiter = handle.AddAndWatch(TaskSpec::Once("orphan", UntilCancelled)).value().waiter;
    // A caller that waits no longer: the stop goes on without it.
    const auto cancelled = handle.CancelByNameWithTimeout("orphan", Duration::zero());
    EXPECT_TRUE(cancelled.ok() || cancelled.status().code() == absl::StatusCode::kDeadlineExceeded)
        << cancelled.status();
  }
  EXPECT_EQ(KindOf(waiter), OutcomeKind::kCancelled);
}

TEST(ContractManagement, S094_RegistrationHasNoTimeLimit) {
  Harness harness({.grace = std::chrono::hours(1 << 20), .max_tasks = 1});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  ASSERT_TRUE(handle.Add(TaskSpec::Once("first", held.Body())).ok());
  ASSERT_TRUE(held.Inside());
  std::atomic<bool> answered{false};
  absl::Status second;
  std::jthread adder([&] {
    second = handle.Add(TaskSpec::Once("second", DoNothing)).status();
    answered = true;
  });
  for (int year = 0; year < 10; ++year) harness.Advance(std::chrono::hours(24 * 365));
  EXPECT_FALSE(answered);
  held.LetGo();
  adder.join();
  EXPECT_TRUE(second.ok()) << second;
}

}  // namespace
}  // namespace taskvisor::testing
