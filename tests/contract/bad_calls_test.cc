// Wrong calls are answered as documented: never an abort, never a hang.

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>

#include "tests/contract/inside.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;

TEST(ContractBadInput, UnknownTasksAreFalseNotErrors) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  const TaskId known = handle.Add(TaskSpec::Once("known", UntilCancelled)).value();
  const TaskId unknown[] = {TaskId(),
                            TaskId(known.value(), known.slot() + 1),
                            TaskId(known.value() + 1, known.slot()),
                            TaskId(1, UINT32_MAX),
                            TaskId(UINT64_MAX, UINT32_MAX),
                            TaskId(0, known.slot())};
  for (const TaskId id : unknown) {
    EXPECT_EQ(handle.Remove(id).value(), false);
    EXPECT_EQ(handle.Cancel(id).value(), false);
    EXPECT_EQ(handle.CancelWithTimeout(id, hours(1)).value(), false);
  }
  EXPECT_EQ(handle.RemoveByName("unknown").value(), false);
  EXPECT_EQ(handle.CancelByName(std::string(100'000, 'u')).value(), false);
  EXPECT_EQ(handle.CancelByNameWithTimeout("unknown", hours(1)).value(), false);
  EXPECT_FALSE(handle.IsAlive("unknown"));
  EXPECT_TRUE(handle.Cancel(known).value());  // none of that reached it
}

TEST(ContractBadInput, ALimitBelowZeroIsUpAndTheLongestOneDoesNotOverflow) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  const auto task = handle.AddAndWatch(TaskSpec::Once(held.Body()));
  ASSERT_TRUE(held.Inside());
  for (const Duration limit : {Duration::min(), nanoseconds(-1), Duration::zero()}) {
    EXPECT_EQ(ErrorLabel(task->waiter.WaitFor(limit).status()), "runtime_wait_timeout");
    EXPECT_EQ(ErrorLabel(task->waiter.DrainedFor(limit)), "runtime_wait_timeout");
    EXPECT_EQ(ErrorLabel(handle.CancelWithTimeout(task->id, limit).status()),
              "runtime_task_termination_timeout");
  }
  held.LetGo();
  EXPECT_TRUE(task->waiter.WaitFor(Duration::max()).ok());
  const auto endless = handle.AddAndWatch(
      TaskSpec::Periodic(Duration::max(), DoNothing).WithTimeout(Duration::max()));
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kBackoffScheduled)));
  EXPECT_EQ(handle.CancelWithTimeout(endless->id, Duration::max()).value(), true);
}

TEST(ContractBadInput, AHandleThatOutlivesItsSupervisorAnswersEveryCall) {
  std::optional<SupervisorHandle> handle;
  TaskId id;
  {
    Harness harness;
    handle = harness.Serve();
    id = handle->Add(TaskSpec::Once("gone", UntilCancelled)).value();
  }
  const absl::Status answers[] = {
      handle->Add(TaskSpec::Once(DoNothing)).status(),
      handle->TryAdd(TaskSpec::Once(DoNothing)).status(),
      handle->AddAndWatch(TaskSpec::Once(DoNothing)).status(),
      handle->TryAddAndWatch(TaskSpec::Once(DoNothing)).status(),
      handle->AddBatch(Batch(TaskSpec::Once(DoNothing))).status(),
      handle->Remove(id).status(),
      handle->RemoveByName("gone").status(),
      handle->Cancel(id).status(),
      handle->CancelByName("gone").status(),
      handle->CancelWithTimeout(id, hours(1)).status(),
      handle->CancelByNameWithTimeout("gone", hours(1)).status(),
  };
  for (const absl::Status& answer : answers) {
    EXPECT_EQ(ErrorLabel(answer), "runtime_shutting_down") << answer;
  }
  EXPECT_TRUE(handle->List().empty());
  EXPECT_TRUE(handle->AliveSnapshot().empty());
  EXPECT_EQ(handle->Stats().tasks, 0u);
  EXPECT_EQ(handle->SubscriberStats().size(), 1u);
  handle->RequestShutdown();
  EXPECT_TRUE(handle->Shutdown().ok());  // what it came to
}

}  // namespace
}  // namespace taskvisor::testing
