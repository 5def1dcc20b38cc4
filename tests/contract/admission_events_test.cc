// A. Events: of adding (8-10).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/contract/served.h"
#include "tests/contract/subscribers.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using ::testing::ElementsAre;

// The ids of the events of a kind, in order.
std::vector<TaskId> IdsOf(Recorder& recorder, EventKind kind) {
  std::vector<TaskId> ids;
  for (const Event& e : recorder.Events(Recorder::Is(kind))) {
    ids.push_back(e.id().value_or(TaskId()));
  }
  return ids;
}

TEST(ContractEvents, S008_ARefusedAddLeavesNoEvent) {
  SupervisorConfig config;
  config.max_tasks = 1;
  Served served(std::move(config));
  HeldBody body;
  const WatchedTask task = served.Watch(TaskSpec::Once("only", body.Body()));

  // No room.
  EXPECT_EQ(served.handle.TryAdd(TaskSpec::Once("full", DoNothing)).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(served.handle.TryAddAndWatch(TaskSpec::Once("full", DoNothing)).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(served.handle
                .AddBatch(Batch(TaskSpec::Once("b1", DoNothing), TaskSpec::Once("b2", DoNothing)))
                .status()
                .code(),
            absl::StatusCode::kResourceExhausted);
  // Not a task.
  EXPECT_EQ(served.handle.TryAdd(TaskSpec::Once(std::string(256, 'n'), DoNothing)).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(served.handle.AddBatch({}).status().code(), absl::StatusCode::kInvalidArgument);
  // The gate is closed, the shutdown still drains.
  served.handle.RequestShutdown();
  EXPECT_EQ(served.handle.Add(TaskSpec::Once("late", DoNothing)).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(served.handle.TryAdd(TaskSpec::Once("late", DoNothing)).status().code(),
            absl::StatusCode::kUnavailable);

  body.LetGo();
  ASSERT_TRUE(served.supervisor->Shutdown().ok());  // every event has arrived
  EXPECT_THAT(IdsOf(*served.recorder, EventKind::kTaskAddRequested), ElementsAre(task.id));
  EXPECT_THAT(IdsOf(*served.recorder, EventKind::kTaskAdded), ElementsAre(task.id));
  EXPECT_THAT(IdsOf(*served.recorder, EventKind::kTaskAddFailed), ElementsAre());
  EXPECT_EQ(served.Await(EventKind::kTaskAddRequested, task).task(), "only");
}

TEST(ContractEvents, S009_TaskAddedComesWhenTheNameIsIndexed) {
  std::optional<SupervisorHandle> handle;
  Gate tried;
  absl::StatusCode answer = absl::StatusCode::kOk;
  auto listener = std::make_shared<Listener>(
      "again",
      [&](const Event& event) {
        if (event.task() != "indexed" || tried.IsOpen()) return;
        answer = handle->TryAdd(TaskSpec::Once("indexed", DoNothing)).status().code();
        tried.Open();
      },
      EventMask{EventKind::kTaskAdded});
  SupervisorConfig config;
  config.subscribers = {listener};
  Served served(std::move(config));
  handle = served.handle;
  HeldBody body;
  const WatchedTask task = served.Watch(TaskSpec::Once("indexed", body.Body()));
  ASSERT_TRUE(tried.Wait());
  EXPECT_EQ(answer, absl::StatusCode::kAlreadyExists);
  const Event added = served.Await(EventKind::kTaskAdded, task);
  EXPECT_EQ(added.task(), "indexed");
}

TEST(ContractEvents, S009_TaskAddedComesBeforeAnyBodyMayStart) {
  Served served;
  for (int round = 0; round < 100; ++round) {
    const WatchedTask task = served.Watch(TaskSpec::Once(DoNothing));
    EXPECT_LT(served.Await(EventKind::kTaskAdded, task).sequence,
              served.Await(EventKind::kTaskStarting, task).sequence);
  }
  // Of a batch, all are added before one may start.
  const auto ids = served.handle.AddBatch(
      Batch(TaskSpec::Once(DoNothing), TaskSpec::Once(DoNothing), TaskSpec::Once(DoNothing)));
  ASSERT_TRUE(ids.ok()) << ids.status();
  for (const TaskId added : *ids) {
    for (const TaskId starting : *ids) {
      const auto first = served.recorder->Await(Recorder::Is(EventKind::kTaskAdded, added));
      const auto then = served.recorder->Await(Recorder::Is(EventKind::kTaskStarting, starting));
      ASSERT_TRUE(first.has_value() && then.has_value());
      EXPECT_LT(first->sequence, then->sequence);
    }
  }
}

TEST(ContractEvents, S010_NothingFollowsTaskAddFailed) {
  Served served;
  HeldBody body;
  const WatchedTask task = served.Watch(TaskSpec::Once("taken", body.Body()));
  EXPECT_EQ(served.handle.Add(TaskSpec::Once("taken", DoNothing)).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(
      served.handle
          .AddBatch(Batch(TaskSpec::Once("free", DoNothing), TaskSpec::Once("taken", DoNothing)))
          .status()
          .code(),
      absl::StatusCode::kAlreadyExists);
  body.LetGo();
  ASSERT_TRUE(served.supervisor->Shutdown().ok());

  const std::vector<Event> refused =
      served.recorder->Events(Recorder::Is(EventKind::kTaskAddFailed));
  ASSERT_EQ(refused.size(), 3u);
  for (const Event& event : refused) {
    ASSERT_TRUE(event.id().has_value());
    EXPECT_NE(event.id(), task.id);
    EXPECT_EQ(event.rejection_kind(), event.task() == "taken" ? RejectionKind::kAlreadyExists
                                                              : RejectionKind::kBatchRejected);
    EXPECT_THAT(served.recorder->KindsOf(*event.id()),
                ElementsAre(EventKind::kTaskAddRequested, EventKind::kTaskAddFailed));
  }
  // Nor does a refusal look like an addition, as it did in the seed's days.
  EXPECT_THAT(IdsOf(*served.recorder, EventKind::kTaskAdded), ElementsAre(task.id));
}

}  // namespace
}  // namespace taskvisor::testing
