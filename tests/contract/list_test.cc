// I. Management: tasks that do not stop, and the view of all (99-101).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::ElementsAre;

TEST(ContractManagement, S099_ARemovedTaskThatOutlivesGraceIsStuckUntilItsBodyReturns) {
  Harness harness({.grace = seconds(5), .max_concurrent = 1});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  const auto task = handle.AddAndWatch(TaskSpec::Once("zombie", held.Body()));
  ASSERT_TRUE(held.Inside());
  ASSERT_EQ(handle.Remove(task->id).value(), true);
  harness.Advance(seconds(5));
  ASSERT_TRUE(Eventually([&] { return task->waiter.Ready(); }));
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kStuck);
  EXPECT_FALSE(task->waiter.IsDrained());

  ASSERT_EQ(handle.List().size(), 1u);
  EXPECT_EQ(handle.List().front().phase, TaskPhase::kStuck);
  EXPECT_EQ(handle.Add(TaskSpec::Once("zombie", DoNothing)).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(handle.Stats().permits, 0);
  const auto late = handle.Cancel(task->id);  // answers, instead of waiting for ever
  EXPECT_EQ(ErrorLabel(late.status()), "runtime_task_termination_timeout");

  held.LetGo();
  EXPECT_TRUE(task->waiter.Drained().ok());
  EXPECT_TRUE(handle.Add(TaskSpec::Once("zombie", DoNothing)).ok());
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kStuck);  // what was said stays said
}

TEST(ContractManagement, S099_ACancellerOfAStuckTaskIsAnsweredAtGrace) {
  Harness harness({.grace = seconds(5)});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  const auto task = handle.AddAndWatch(TaskSpec::Once("zombie", held.Body()));
  ASSERT_TRUE(held.Inside());
  absl::Status answer;
  std::jthread canceller([&] { answer = handle.Cancel(task->id).status(); });
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskRemoveRequested)));
  ASSERT_TRUE(harness.AdvanceUntil([&] { return task->waiter.Ready(); }, seconds(1)));
  canceller.join();
  EXPECT_EQ(answer.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ErrorLabel(answer), "runtime_task_termination_timeout");
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kStuck);
}

TEST(ContractManagement, S100_ListIsSortedByIdAndShowsEveryPhase) {
  Harness harness({.grace = seconds(1), .max_concurrent = 2});
  const SupervisorHandle handle = harness.Serve();
  const TaskId delaying = handle.Add(TaskSpec::Periodic("z", hours(1), DoNothing)).value();
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kBackoffScheduled)));
  HeldBody running;
  HeldBody stopping;
  const TaskId second = handle.Add(TaskSpec::Once("y", running.Body())).value();
  ASSERT_TRUE(running.Inside());
  const TaskId third = handle.Add(TaskSpec::Once("x", stopping.Body())).value();
  ASSERT_TRUE(stopping.Inside());
  ASSERT_TRUE(handle.Remove(third).value());
  const TaskId fourth = handle.Add(TaskSpec::Once(DoNothing)).value();  // no worker, no permit

  const std::vector<TaskInfo> list = handle.List();
  ASSERT_EQ(list.size(), 4u);
  const TaskId ids[] = {delaying, second, third, fourth};
  const std::string names[] = {"z", "y", "x", fourth.ToString()};
  const TaskPhase phases[] = {TaskPhase::kDelaying, TaskPhase::kRunning, TaskPhase::kStopping,
                              TaskPhase::kQueued};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(list[i].id, ids[i]);
    EXPECT_EQ(list[i].name, names[i]);
    EXPECT_EQ(list[i].phase, phases[i]) << Label(list[i].phase);
    EXPECT_EQ(list[i].attempt, i == 3 ? 0u : 1u);
  }
}

// The slot of a named task becomes another one's: with another name, with none, with a long one.
// Which of the free slots that is nobody promises (the last one's may be on its way back), so
// names follow one another until some slot has had twice as many tasks as there are names.
TEST(ContractManagement, S100_AFreedSlotKeepsNothingOfItsLastTasksName) {
  Harness harness({.max_tasks = 1});
  const SupervisorHandle handle = harness.Serve();
  const std::string names[] = {"first", "", std::string(kMaxNameLength, 'n'), "", "last"};
  std::map<uint32_t, size_t> tasks_of_slot;
  size_t most = 0;
  std::string before;
  for (size_t i = 0; most < 2 * std::size(names); ++i) {
    ASSERT_LT(i, 10'000u) << "no slot comes back";
    const std::string& name = names[i % std::size(names)];
    const auto task = handle.AddAndWatch(TaskSpec::Once(name, UntilCancelled));
    ASSERT_TRUE(task.ok()) << task.status();
    most = std::max(most, ++tasks_of_slot[task->id.slot()]);
    const std::vector<TaskInfo> list = handle.List();
    ASSERT_EQ(list.size(), 1u);
    EXPECT_EQ(list.front().name, name.empty() ? task->id.ToString() : name);
    if (!before.empty()) {
      EXPECT_FALSE(handle.CancelByName(before).value());
    }
    EXPECT_TRUE((name.empty() ? handle.Cancel(task->id) : handle.CancelByName(name)).value());
    EXPECT_TRUE(task->waiter.Drained().ok());
    before = name;
  }
}

TEST(ContractManagement, S101_TheAliveCacheIsSortedAndWithoutDuplicates) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  EXPECT_THAT(handle.AliveSnapshot(), ElementsAre());
  const TaskId b = handle.Add(TaskSpec::Once("b", UntilCancelled)).value();
  const TaskId a = handle.Add(TaskSpec::Once("a", UntilCancelled)).value();
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskStarting), 2));
  EXPECT_THAT(handle.AliveSnapshot(), ElementsAre("a", "b"));
  EXPECT_TRUE(handle.IsAlive("a"));
  EXPECT_FALSE(handle.IsAlive("c"));
  ASSERT_TRUE(handle.Cancel(b).value());
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskRemoved, b)));
  EXPECT_THAT(handle.AliveSnapshot(), ElementsAre("a"));
  EXPECT_FALSE(handle.IsAlive("b"));
  ASSERT_TRUE(handle.Cancel(a).value());
}

}  // namespace
}  // namespace taskvisor::testing
