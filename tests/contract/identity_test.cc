// H. Identity (82-86).

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;

TEST(ContractIdentity, S082_IdsAreUniqueInTheProcessAndOrderedByCreation) {
  Harness one;
  Harness other;
  std::vector<TaskId> ids;
  for (int round = 0; round < 200; ++round) {
    Harness& harness = round % 2 == 0 ? one : other;
    const auto task = harness.Serve().AddAndWatch(TaskSpec::Once(DoNothing));
    ASSERT_TRUE(task.ok()) << task.status();
    ids.push_back(task->id);
    // The slot is free for the next task from here on, the id is not.
    EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCompleted);
  }
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  std::set<uint64_t> values;
  for (const TaskId id : ids) values.insert(id.value());
  EXPECT_EQ(values.size(), ids.size());
  EXPECT_FALSE(values.contains(0));
}

TEST(ContractIdentity, S082_RacingThreadsNeverGetTheSameId) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  std::vector<std::vector<TaskId>> got(4);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : got) {
      threads.emplace_back([&handle, &mine] {
        for (int i = 0; i < 100; ++i) mine.push_back(handle.Add(TaskSpec::Once(DoNothing)).value());
      });
    }
  }
  std::set<TaskId> all;
  for (const auto& mine : got) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));  // the order of their creation
    all.insert(mine.begin(), mine.end());
  }
  EXPECT_EQ(all.size(), 400u);
}

// Adds `name` again and expects it to be refused.
void ExpectTaken(const SupervisorHandle& handle, const std::string& name) {
  const auto again = handle.Add(TaskSpec::Once(name, DoNothing));
  EXPECT_EQ(again.status().code(), absl::StatusCode::kAlreadyExists) << again.status();
}

TEST(ContractIdentity, S083_ANameIsTakenInEveryPhaseUntilItsTaskIsGone) {
  Harness harness({.max_concurrent = 1});
  const SupervisorHandle handle = harness.Serve();

  const auto delayed = handle.AddAndWatch(TaskSpec::Periodic("delayed", hours(1), DoNothing));
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kBackoffScheduled, "delayed")));
  ExpectTaken(handle, "delayed");  // waits for its interval

  HeldBody held;
  const auto running = handle.AddAndWatch(TaskSpec::Once("running", held.Body()));
  ASSERT_TRUE(held.Inside());
  ExpectTaken(handle, "running");

  const auto waiting = handle.AddAndWatch(TaskSpec::Once("waiting", DoNothing));
  ExpectTaken(handle, "waiting");  // for the one permit

  ASSERT_EQ(handle.Remove(running->id).value(), true);
  ExpectTaken(handle, "running");  // asked to stop, and still there

  held.LetGo();
  EXPECT_EQ(KindOf(running->waiter), OutcomeKind::kCancelled);
  EXPECT_TRUE(handle.Add(TaskSpec::Once("running", DoNothing)).ok());
  EXPECT_EQ(KindOf(waiting->waiter), OutcomeKind::kCompleted);
}

TEST(ContractIdentity, S084_AFreedNameComesBackWithANewId) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  const auto first = handle.AddAndWatch(TaskSpec::Once("again", UntilCancelled));
  ASSERT_EQ(handle.Cancel(first->id).value(), true);

  const auto second = handle.AddAndWatch(TaskSpec::Once("again", DoNothing));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_LT(first->id, second->id);
  EXPECT_EQ(KindOf(second->waiter), OutcomeKind::kCompleted);
  EXPECT_EQ(handle.Cancel(first->id).value(), false);  // the old id does not reach the new task
}

TEST(ContractIdentity, S085_OneIdInEventsWaiterContextAndRegistry) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  TaskSpec spec = TaskSpec::Once("traced", UntilCancelled);
  const TaskWaiter early = spec.Watch();
  EXPECT_FALSE(early.id().valid());

  TaskId seen_by_body;
  Gate told;
  auto body = [&](TaskContext& context) {
    seen_by_body = context.id();
    told.Open();
  };
  const auto short_one = handle.AddAndWatch(TaskSpec::Once(body));
  ASSERT_TRUE(told.Wait());
  EXPECT_EQ(KindOf(short_one->waiter), OutcomeKind::kCompleted);
  EXPECT_EQ(seen_by_body, short_one->id);

  const auto id = handle.Add(std::move(spec));
  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_EQ(early.id(), *id);
  EXPECT_EQ(handle.List().back().id, *id);
  EXPECT_EQ(handle.List().back().name, "traced");
  const auto requested =
      harness.recorder->Await(Recorder::Is(EventKind::kTaskAddRequested, "traced"));
  ASSERT_TRUE(requested.has_value());  // the id is there before the task is
  EXPECT_EQ(requested->id(), *id);
  EXPECT_TRUE(handle.Cancel(*id).value());
}

TEST(ContractIdentity, S086_EveryEventOfATaskCarriesItsId) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  auto body = [](TaskContext& context) { return context.attempt() == 1 ? Fail("not yet") : Ok(); };
  const auto task = handle.AddAndWatch(
      TaskSpec::Restartable("marked", body).WithBackoff(BackoffPolicy::Constant(hours(1))));
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kBackoffScheduled)));
  harness.Advance(hours(1));
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCompleted);
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskRemoved)));

  const auto of_task =
      harness.recorder->Events([](const Event& event) { return event.task() == "marked"; });
  EXPECT_EQ(of_task.size(), 9u);  // requested, added, 2 x (starting, end), backoff, end, removed
  for (const Event& event : of_task) {
    EXPECT_EQ(event.id(), task->id) << event.ToString();
    EXPECT_FALSE(event.parent_id().has_value()) << event.ToString();  // it belongs to nobody
  }
  EXPECT_EQ(Event(EventKind::kTaskAdded).WithParent(task->id).parent_id()->value(),
            task->id.value());
}

}  // namespace
}  // namespace taskvisor::testing
