// J. Modes and batch run: one Run, one batch (105-108).

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/background_run.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

TEST(ContractModes, S105_RunWorksOncePerSupervisor) {
  Harness harness;
  EXPECT_TRUE(harness.supervisor->Run(TaskSpec::Once(DoNothing)).ok());
  std::atomic<bool> ran{false};
  const absl::Status again = harness.supervisor->Run(TaskSpec::Once([&] { ran = true; }));
  EXPECT_EQ(again.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorLabel(again), "runtime_already_running");
  EXPECT_FALSE(ran);
}

TEST(ContractModes, S105_AConcurrentRunIsRefusedAndTheFirstGoesOn) {
  Harness harness;
  BackgroundRun run(*harness.supervisor, Batch(TaskSpec::Once("first", UntilCancelled)));
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskStarting)));
  EXPECT_EQ(ErrorLabel(harness.supervisor->Run(TaskSpec::Once(DoNothing))),
            "runtime_already_running");
  EXPECT_FALSE(run.Over());
  EXPECT_EQ(harness.Serve().CancelByName("first").value(), true);
  EXPECT_TRUE(run.Result().ok());
}

TEST(ContractModes, S106_ABatchIsAllOrNothingAndAsksForRoomOnce) {
  Harness harness({.max_tasks = 3});
  const SupervisorHandle handle = harness.Serve();
  ASSERT_TRUE(handle.Add(TaskSpec::Once("old", UntilCancelled)).ok());
  // Room for two: three do not get it, and two of the three do not either.
  const auto three = handle.AddBatch(Batch(TaskSpec::Once("a", UntilCancelled),
                                           TaskSpec::Once("b", UntilCancelled),
                                           TaskSpec::Once("c", UntilCancelled)));
  EXPECT_EQ(three.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(handle.Stats().tasks, 1u);
  // One name taken: none is registered, and the room is given back.
  const auto two = handle.AddBatch(
      Batch(TaskSpec::Once("a", UntilCancelled), TaskSpec::Once("old", UntilCancelled)));
  EXPECT_EQ(two.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(handle.Stats().tasks, 1u);
  EXPECT_EQ(handle.List().size(), 1u);
  // Both, in the order of the specs.
  const auto ids = handle.AddBatch(
      Batch(TaskSpec::Once("b", UntilCancelled), TaskSpec::Once("a", UntilCancelled)));
  ASSERT_TRUE(ids.ok()) << ids.status();
  const std::vector<TaskInfo> list = handle.List();
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[1].name + list[2].name, "ba");
  EXPECT_EQ(list[1].id, ids->at(0));
  EXPECT_EQ(list[2].id, ids->at(1));
  EXPECT_TRUE(handle.Shutdown().ok());
  EXPECT_EQ(harness.recorder->Count(Recorder::Is(EventKind::kTaskAddRequested, "c")), 0u);
}

TEST(ContractModes, S107_NoBodyOfABatchStartsBeforeAllAreAdded) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  for (int round = 0; round < 20; ++round) {
    std::vector<TaskSpec> batch;
    for (int i = 0; i < 20; ++i) batch.push_back(TaskSpec::Once(DoNothing));
    ASSERT_TRUE(handle.AddBatch(std::move(batch)).ok());
    const size_t so_far = 20u * (static_cast<size_t>(round) + 1);
    ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskRemoved), so_far));
    const auto added = harness.recorder->Events(Recorder::Is(EventKind::kTaskAdded));
    const auto starting = harness.recorder->Events(Recorder::Is(EventKind::kTaskStarting));
    ASSERT_EQ(added.size(), so_far);
    ASSERT_EQ(starting.size(), so_far);
    EXPECT_LT(added.back().sequence, starting[so_far - 20].sequence) << "round " << round;
  }
}

TEST(ContractModes, S108_AConflictRejectsEveryItemAndSaysWhy) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  ASSERT_TRUE(handle.Add(TaskSpec::Once("taken", UntilCancelled)).ok());
  std::atomic<int> bodies{0};
  const char* const names[] = {"new", "twice", "taken", "twice", ""};
  const RejectionKind kinds[] = {RejectionKind::kBatchRejected, RejectionKind::kBatchRejected,
                                 RejectionKind::kAlreadyExists, RejectionKind::kAlreadyExists,
                                 RejectionKind::kBatchRejected};
  std::vector<TaskSpec> batch;
  std::vector<TaskWaiter> waiters;
  for (const char* name : names) {
    batch.push_back(TaskSpec::Once(std::string(name), [&] { ++bodies; }));
    waiters.push_back(batch.back().Watch());
  }
  const auto ids = handle.AddBatch(std::move(batch));
  EXPECT_EQ(ids.status().code(), absl::StatusCode::kAlreadyExists);
  for (size_t i = 0; i < waiters.size(); ++i) {
    const auto outcome = waiters[i].Wait();
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(outcome->kind(), OutcomeKind::kRejected);
    EXPECT_EQ(outcome->rejection(), kinds[i]) << i;
    EXPECT_EQ(outcome->reason(), Label(kinds[i]));
  }
  EXPECT_TRUE(handle.Shutdown().ok());
  EXPECT_EQ(bodies, 0);
  const auto failed = harness.recorder->Events(Recorder::Is(EventKind::kTaskAddFailed));
  ASSERT_EQ(failed.size(), 5u);
  for (size_t i = 0; i < failed.size(); ++i) EXPECT_EQ(failed[i].rejection_kind(), kinds[i]);
}

}  // namespace
}  // namespace taskvisor::testing
